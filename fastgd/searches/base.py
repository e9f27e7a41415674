"""The contract of a line search."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from fastgd.schedules.base import checked

__all__ = ["LARGEST_STEP", "SMALLEST_STEP", "LineSearch"]

SMALLEST_STEP, LARGEST_STEP = 1e-30, 1e30  # within the range of float32


@dataclasses.dataclass(frozen=True, eq=False)
class LineSearch:
    """Base of all line searches, which look along a direction for a step that serves.

    A line search never calls the function: it is told the value and the slope at one step and answers with the next.
    So runs whose searches need different numbers of evaluations can stay side by side in the lanes of a vector.  Its
    two functions are plain scalar ones, with `fastgd.select` in place of `if`; `p` are its numeric fields in their
    order.

    ``begin(p, f, slope, a) -> (m, a)``
        Where a search starts: value and slope at step 0 and a guess of the step.  `m` is its memory, a tuple of
        `memory` numbers, the first two of which are the best step so far and the value there.
    ``advance(p, m, a, f, slope) -> (m, a, accepted, failed)``
        What it makes of the value and the slope at step `a`, which are finite.
    """

    memory: ClassVar[int] = 2
    most: ClassVar[int] = 100  # evaluations after which a search has failed

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name = f"{type(self).__name__}: {field.name}"
            object.__setattr__(self, field.name, checked(name, getattr(self, field.name), **field.metadata))

    def parameters(self) -> dict[str, Any]:
        """The numbers that the two functions are given, by name and in their order."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def check_order(self, low: str, high: str) -> None:
        """Raise unless the field `low` is below the field `high` for every run."""
        below, above = getattr(self, low), getattr(self, high)
        try:
            good = np.less(below, above)
        except ValueError:
            raise ValueError(
                f"{type(self).__name__}: {low} and {high} do not broadcast: {np.shape(below)} and {np.shape(above)}"
            ) from None
        if not np.all(good):
            raise ValueError(f"{type(self).__name__}: {low} must be < {high}, got {below!r} and {above!r}")

    @staticmethod
    def begin(p: Any, f: Any, slope: Any, a: Any) -> Any:
        """The memory at the start, and the first step."""
        raise NotImplementedError

    @staticmethod
    def advance(p: Any, m: Any, a: Any, f: Any, slope: Any) -> Any:
        """The next memory and step, whether `a` serves, and whether the search has come to its end without a step."""
        raise NotImplementedError
