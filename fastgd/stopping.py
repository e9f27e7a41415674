"""When a descent ends: the statuses and the tests."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgd.jit.masks import select, without

__all__ = ["MESSAGES", "Status", "StopTests", "count_ended", "take_raised"]


class Status(enum.IntEnum):
    """How a run ended."""

    CONVERGED = 0
    NO_PROGRESS = 1
    STEP_LIMIT = 2
    DIVERGED = 3
    LINE_SEARCH_FAILED = 4
    NOT_RUN = -1


# plain integers for compiled code: rows of the loop's `control`, of one integer for each run, and what they may hold
STATUS, NIT, WAIT, NFEV, RUN, SEED, SIZE, EVERY = range(8)  # the last three where something is drawn
RUNNING, CONVERGED, NO_PROGRESS, STEP_LIMIT, DIVERGED, LINE_SEARCH_FAILED = -1, 0, 1, 2, 3, 4
STIFF = 5  # no run ends with it: another method goes on
RAISED = 6  # the problem's functions raised; a result says DIVERGED, and keeps the first message

MESSAGES = {
    Status.CONVERGED: "The largest component of the gradient fell to gtol.",
    Status.NO_PROGRESS: "No progress: the step fell below xtol, or the value stalled for `patience` steps.",
    Status.STEP_LIMIT: "The step limit was reached.",
    Status.DIVERGED: "Diverged: the next point is not finite or lies past the bound, or the value at x is not finite.",
    Status.LINE_SEARCH_FAILED: "The line search failed; x is the best point found.",
    Status.NOT_RUN: "Not run: the work was interrupted before this run was done.",
}


def take_raised(status: np.ndarray, errors: Mapping[int, str]) -> dict[str, Any]:
    """Make DIVERGED of RAISED in place; return what a result keeps: `raised`, which runs, and `error`, the first."""
    raised = status == RAISED
    if not raised.any():
        return {}
    status[raised] = DIVERGED
    return {"raised": raised, "error": errors[min(errors)] if errors else None}


def count_ended(status: np.ndarray) -> int:
    """How many runs have come to an end."""
    return int(np.count_nonzero((status >= 0) & (status != STIFF)))


@dataclass(frozen=True)
class StopTests:
    """The limits of `fastgd.minimize`, checked."""

    gtol: float | None = 1e-6
    xtol: float | None = None
    ftol: float | None = None
    patience: int | None = None
    bound: float = 1e10
    max_steps: int = 10_000

    def __post_init__(self) -> None:
        for name in ("gtol", "xtol", "ftol"):
            value = getattr(self, name)
            if value is not None and not (is_real(value) and 0 <= value < math.inf):
                raise ValueError(f"{name} must be None or a finite number >= 0, got {value!r}")
        if not (is_real(self.bound) and self.bound > 0):
            raise ValueError(f"bound must be a number > 0 (inf for none), got {self.bound!r}")
        for name in ("patience", "max_steps"):
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                whole = isinstance(value, (float, np.floating)) and value >= 1 and float(value).is_integer()
                hint = f"; write {name}=int({float(value)!r})" if whole else ""
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}{hint}")

    @property
    def watches_value(self) -> bool:
        return self.ftol is not None or self.patience is not None

    def limits(self, dtype: np.dtype) -> tuple[float, float, float, int, float]:
        """What the loop compares with, in the dtype of the runs; a test that is off gets a limit that nothing meets."""
        gtol, xtol, ftol = (
            float(dtype.type(off if value is None else value))
            for value, off in ((self.gtol, -1.0), (self.xtol, -1.0), (self.ftol, 0.0))
        )
        largest = float(np.finfo(dtype).max)  # without a bound an infinite point is still past it
        return gtol, xtol, ftol, int(self.patience or 1), float(dtype.type(min(self.bound, largest)))

    def functions(self, value: Callable) -> tuple[Callable, Callable, Callable, Callable]:
        """The scalar functions ``seen``, ``stalled``, ``moved`` and ``resting`` of the loop; what is off costs nothing.

        ``seen(x, *data)`` is the value where a test looks at it.
        """
        seen, stalled = (value, has_stalled) if self.watches_value else (unseen, never_stalled)
        return (seen, stalled, unmoved, never_resting) if self.xtol is None else (seen, stalled, moved_by, within)


def is_real(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def unseen(x, *data):
    return 0.0


def never_stalled(on, f, control, best, ftol, patience):
    return without(on, on)


def has_stalled(on, f, control, best, ftol, patience):
    """Whether the best value so far has not fallen by ``ftol * max(|f|, 1)`` for `patience` steps."""
    better = on & (f < best[0] - ftol * max(abs(f), 1.0))
    best[0] = select(better, f, best[0])
    control[WAIT] = select(on, select(better, 0, control[WAIT] + 1), control[WAIT])
    return on & (control[WAIT] >= patience)


def unmoved(change, old, new):
    return change


def never_resting(on, change, xtol):
    return without(on, on)


def moved_by(change, old, new):
    return max(change, abs(new - old))


def within(on, change, xtol):
    return on & (change <= xtol)
