"""Sequences in the place of the point and the output of a user's function: they refuse what compiled code cannot do."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from fastgd.jit.outside import write_instead
from fastgd.texts import with_article

__all__ = ["PLAIN", "Enough", "Misuse", "Out", "Point", "Total", "described", "is_real"]

ACCESSES = 1 << 20  # to one sequence, a quarter of a second; a function that needs more has been watched long enough
LARGE = 10_000  # places from which a point is made of Python's own floats, whose arithmetic takes a third of the time

PLAIN = "write x[i] and loops over range(len(x)), with math.* and scalar np.*"


class Misuse(Exception):
    """A user's function did with `x` or `out` what compiled code could not do."""


class Enough(BaseException):
    """A user's function has been watched for long enough; none of its own handlers is meant to catch this."""


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
        numbers = np.asarray(values, dtype=np.float64)
        self._values: Any = numbers.data if len(numbers) > LARGE else list(numbers)
        self._name = name
        self._left = ACCESSES

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[np.float64]:
        return iter(self._values)

    def __getitem__(self, index: Any) -> np.float64:
        if not self._left:
            raise Enough
        self._left -= 1
        if index.__class__ is int:  # the usual way, which takes a third of the time of the other
            try:
                return self._values[index]
            except IndexError:
                pass
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


class Written(Point):
    """An output: a sequence that can be written to, one real number at a time."""

    def __setitem__(self, index: Any, value: Any) -> None:
        if not self._left:
            raise Enough
        self._left -= 1
        kind = value.__class__
        if index.__class__ is int and (kind is np.float64 or kind is float):
            try:
                self._values[index] = value if kind is np.float64 else np.float64(value)
                self.touched = True
                return
            except IndexError:
                pass
        place = self._place(index, "writes")
        if not is_real(value):
            raise Misuse(f"writes {described(value)} to out[{place}]; a component is one real number")
        self._values[place] = np.float64(value)
        self.touched = True


class Out(Written):
    """An output that notes which components were written."""

    def __init__(self, dim: int) -> None:
        super().__init__((), "out")
        self._values = [None] * dim

    @property
    def unwritten(self) -> list[int]:
        """The places that were not written to."""
        return [i for i, value in enumerate(self._values) if value is None]

    def __getitem__(self, index: Any) -> np.float64:
        value: Any = super().__getitem__(index)
        if value is None:
            place = self._place(index, "reads")
            raise Misuse(f"reads out[{place}] before it is written; write out[{place}] = 0.0 first")
        return value


class Total(Written):
    """An output that is added to: it begins at a number and may be read."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__(np.full(dim, start), "out")


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
