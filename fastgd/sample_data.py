"""The data of a mean over samples: whether what is read by the number of the sample has a row for each."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgd.calls import levels_to_caller

__all__ = ["Rows", "Sample", "check_rows", "lengths_told", "warn_of_transposed"]


class Sample(int):
    """The number of a sample, which is known for one in sums, differences and products with integers."""

    __slots__ = ()

    def __add__(self, other: int) -> int:
        return numbered(int.__add__(self, other))

    def __sub__(self, other: int) -> int:
        return numbered(int.__sub__(self, other))

    def __rsub__(self, other: int) -> int:
        return numbered(int.__rsub__(self, other))

    def __mul__(self, other: int) -> int:
        return numbered(int.__mul__(self, other))

    __radd__, __rmul__ = __add__, __mul__


def numbered(value: Any) -> Any:
    """An integer as a `Sample`; NotImplemented as it is."""
    return Sample(value) if isinstance(value, int) else value


class Rows(np.ndarray):
    """An array of the data that notes the last row which was read by the number of a sample; -1 where none was.

    Other indices are those of a table that samples share.
    """

    reached = -1

    def __getitem__(self, index: Any) -> Any:
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, Sample):
            self.reached = max(self.reached, int(first) % len(self) if first < len(self) else -1)
        return self.view(np.ndarray)[index]


def check_rows(data: tuple[Any, ...]) -> None:
    """Raise ValueError where samples read an array, given as `Rows`, and would leave the end of it out.

    The first and the last sample have been looked at.
    """
    samples = len(data[0])
    for k, item in enumerate(data):
        if isinstance(item, Rows) and len(item) > samples and 0 <= item.reached < len(item) - 1:
            way = f"Cut data[{k}] to [:{item.reached + 1}], or give all of data[0]."
            if transposed(data[0], item):
                way = "The first axis of data[0] counts the samples: transpose it."
            said = f"loss reads data[{k}] by i and never past [{item.reached}]."
            raise ValueError(f"{said} {lengths_text(data, k)} {way}")


def transposed(first: np.ndarray, item: Any) -> bool:
    """Whether an array is as long as the second axis of the first one, which is longer than its first."""
    return isinstance(item, np.ndarray) and first.ndim > 1 and len(first) < first.shape[1] == len(item)


def lengths_text(data: tuple[Any, ...], k: int) -> str:
    """Say how long the first array of the data and another one are, and should be."""
    samples = f"{len(data[0])} sample{'s' if len(data[0]) > 1 else ''}"
    return f"data[0] has {samples} and data[{k}] {len(data[k])}: arrays that are read by i need as many as data[0]."


@contextlib.contextmanager
def lengths_told(data: tuple[Any, ...]) -> Iterator[None]:
    """Say of which lengths the data are where an index is past an end and one array is shorter than the first."""
    try:
        yield
    except ValueError as error:
        arrays = (k for k, item in enumerate(data) if isinstance(item, np.ndarray))
        short = next((k for k in arrays if len(data[k]) < len(data[0])), None)
        if short is None or not isinstance(error.__cause__, IndexError):
            raise
        raise ValueError(f"{error} {lengths_text(data, short)}") from error.__cause__


def warn_of_transposed(data: tuple[Any, ...]) -> None:
    """Warn where an array that is not read by the number of a sample fits to the second axis of the first one."""
    first = data[0]
    for k, item in enumerate(data[1:], start=1):
        if transposed(first, item):
            warnings.warn(
                f"data[0] has shape {first.shape} and data[{k}] the length {len(item)}: the first axis of data[0] "
                f"counts the samples, so there are {len(first)} of them; transpose it if there are {len(item)}.",
                stacklevel=levels_to_caller(),
            )
            return
