"""Limits of difference quotients as their step is halved, with bounds of their errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ridders"]

COLUMNS = 5


def ridders(
    quotient: NDArray[np.float64], blur: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Extrapolate a ladder of central differences: the best value and how far it moved, of the shape of one level.

    The first axis of `quotient` counts the levels; each has half the step of the one before. Where no level is finite,
    the value is NaN and its movement infinite. No value counts as moved less than `blur`, of the shape of `quotient`:
    what noise does to its smallest step.

    References
    ----------
    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4
    (1982) 75-76, doi:10.1016/S0141-1195(82)80057-0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.differences import ridders
    >>> steps = 0.5 ** np.arange(6)
    >>> best, movement = ridders((np.exp(1 + steps) - np.exp(1 - steps)) / (2 * steps))
    >>> bool(abs(best - np.e) < movement < 1e-8)
    True
    """
    best = np.full(quotient.shape[1:], np.nan)
    movement = np.full(quotient.shape[1:], np.inf)
    column = quotient
    with np.errstate(invalid="ignore", over="ignore"):
        for power in range(1, COLUMNS):
            finer = column[1:] + (column[1:] - column[:-1]) / (4.0**power - 1.0)
            moved = np.fmax(np.abs(finer - column[1:]), np.abs(finer - column[:-1]))
            if blur is not None:
                moved = np.fmax(moved, blur[power:])
            moved[~np.isfinite(finer) | ~np.isfinite(moved)] = np.inf
            k = np.argmin(moved, axis=0)[None]
            smallest = np.take_along_axis(moved, k, axis=0)[0]
            better = smallest < movement
            best = np.where(better, np.take_along_axis(finer, k, axis=0)[0], best)
            movement = np.where(better, smallest, movement)
            column = finer
    return best, movement
