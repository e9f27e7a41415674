"""What the methods with a line search share: their checks, and the first step of a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fastgd.checks import is_whole, past_int64, shown
from fastgd.jit.masks import select
from fastgd.searches import LineSearch

from .base import Method

__all__ = ["LineSearchMethod", "checked_line_search", "last_fall", "steepest", "whole_step"]


@dataclass(frozen=True, eq=False)
class LineSearchMethod(Method):
    """Base of the methods that look along a direction.  They have a `line_search`, and may have a `restart`."""

    def __post_init__(self) -> None:
        checked_line_search(type(self).__name__, "line_search", self.line_search)  # type: ignore[attr-defined]
        restart = getattr(self, "restart", None)
        if restart is not None and not is_whole(restart):
            got = f"{shown(restart)}{past_int64(restart)}"
            raise ValueError(f"{type(self).__name__}: restart must be None or an integer >= 1, got {got}")

    def hyperparameters(self) -> dict[str, Any]:
        """What may vary from run to run: the numbers of the line search."""
        return self.line_search.parameters()  # type: ignore[attr-defined]


def checked_line_search(owner: str, name: str, value: Any) -> None:
    """Raise TypeError unless the value is a line search."""
    if isinstance(value, type) and issubclass(value, LineSearch):
        raise TypeError(f"{owner}: {name} must be an instance: write {value.__name__}(), not {value.__name__}")
    if not isinstance(value, LineSearch):
        raise TypeError(f"{owner}: {name} must be a line search such as fastgd.StrongWolfe(c2=0.4), got {value!r}")


def last_fall(f, f_before, slope, squares, fresh):
    """A step for a fall as large as the last one, and at most 1."""
    a = 2.02 * (f - f_before) / slope
    return select(a > 0.0, min(a, 1.0), 1.0)


def whole_step(f, f_before, slope, squares, fresh):
    """1, the step for which such directions are scaled; and after a new start one no longer than 1."""
    return select(fresh, min(1.0, math.sqrt(1.0 / squares)), 1.0)


def steepest(length: int) -> Any:
    """``turn``: d becomes -g."""

    def turn(new, fresh, x, y, g, s):
        for i in range(length):
            s[length + i] = select(new, -g[i], s[length + i])

    return turn
