"""Sequences in the place of the point and the output of a user's function: they refuse what compiled code cannot do."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from fastgd.jit.outside import write_instead
from fastgd.texts import with_article

__all__ = ["PLAIN", "Misuse", "Out", "Point", "Total", "described", "is_real"]

PLAIN = "write x[i] and loops over range(len(x)), with math.* and scalar np.*"


class Misuse(Exception):
    """A user's function did with `x` or `out` what compiled code could not do."""


def as_a_whole(what: str) -> Callable[..., NoReturn]:
    """A method that refuses what only an array could do."""

    def refuse(self: Point, *args: Any, **kwargs: Any) -> NoReturn:
        raise Misuse(f"{what} {self._name} as a whole; {PLAIN}")

    return refuse


class Point:
    """A point that can be read like a 1-D sequence, and in no other way."""

    touched = False  # whether it was written to, as the outputs below are

    __array__ = as_a_whole("makes an array of")
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = as_a_whole("computes with")
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __add__
    __neg__ = __pos__ = __abs__ = __add__
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = as_a_whole("compares")
    __hash__ = None  # type: ignore[assignment]

    def __array_ufunc__(self, function: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise Misuse(f"calls np.{function.__name__} on {self._name} as a whole; {PLAIN}")

    def __array_function__(self, function: Any, *args: Any) -> NoReturn:
        name = f"{function.__module__}.{function.__name__}"
        short = f"np.{name.removeprefix('numpy.')}"
        instead = write_instead(name)
        raise Misuse(f"calls {short} on {self._name} as a whole; {PLAIN}{instead and f'; {instead}'}")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # NumPy looks for some of these, and does without
            raise AttributeError(name)
        raise Misuse(f"uses {self._name}.{name}, and {self._name} has only indices; {PLAIN}")

    def __init__(self, values: Sequence[float] | np.ndarray, name: str = "x") -> None:
        self._values = [np.float64(v) for v in values]
        self._name = name

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[np.float64]:
        return iter(self._values)

    def __getitem__(self, index: Any) -> np.float64:
        return self._values[self._place(index, "reads")]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise Misuse(f"writes to {self._name}[{index!r}]; a point is only read")

    def _place(self, index: Any, verb: str) -> int:
        if isinstance(index, slice):
            raise Misuse(f"{verb} a slice of {self._name}; {PLAIN}")
        try:
            place = operator.index(index)
        except TypeError:
            raise Misuse(f"{verb} {self._name}[{index!r}]; an index is an integer") from None
        n = len(self._values)
        if not -n <= place < n:
            raise Misuse(f"{verb} {self._name}[{place}], past the end: dim is {n}")
        return place


class Out(Point):
    """An output that notes which components were written."""

    def __init__(self, dim: int) -> None:
        super().__init__([math.nan] * dim, "out")
        self.written = [False] * dim

    def __getitem__(self, index: Any) -> np.float64:
        place = self._place(index, "reads")
        if not self.written[place]:
            raise Misuse(f"reads out[{place}] before it is written; write out[{place}] = 0.0 first")
        return self._values[place]

    def __setitem__(self, index: Any, value: Any) -> None:
        place = self._place(index, "writes")
        if not is_real(value):
            raise Misuse(f"writes {described(value)} to out[{place}]; a component is one real number")
        self._values[place] = np.float64(value)
        self.written[place] = self.touched = True


class Total(Point):
    """An output that is added to: it begins at a number and may be read."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__([start] * dim, "out")

    def __setitem__(self, index: Any, value: Any) -> None:
        place = self._place(index, "writes")
        if not is_real(value):
            raise Misuse(f"writes {described(value)} to out[{place}]; a component is one real number")
        self._values[place] = np.float64(value)
        self.touched = True


def is_real(value: Any) -> bool:
    """Whether `value` is one real number, and not a bool."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def described(value: Any) -> str:
    """What `value` is, in words for an error message."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of length {len(value)}"
    text = repr(value)
    return f"{with_article(type(value).__name__)}, {text if len(text) <= 40 else text[:37] + '...'}"
