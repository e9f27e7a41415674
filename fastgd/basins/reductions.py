"""What is asked of millions of points in one compiled pass: extents, distances and the first member of each group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastgd.jit.targets import stored

__all__ = ["distances", "farthest_of_group", "outline", "representatives", "wider_than"]

_BINS_PER_POINT = 4  # beyond that a sort is the cheaper way


def outline(column: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return values between which the gaps wider than `width` are those of the whole column, in any order.

    Of values in a bin of half that width only the smallest and the largest can border such a gap.
    """
    low, high = column.min(initial=np.inf), column.max(initial=-np.inf)
    with np.errstate(over="ignore"):
        bins = 2.0 * (high - low) / width
    if not 0.0 <= bins < _BINS_PER_POINT * column.size:
        return column
    lows, highs = ends_of_groups(column, ((column - low) * (2.0 / width)).astype(np.int64), int(bins) + 2)
    occupied = highs >= lows
    return np.concatenate([lows[occupied], highs[occupied]])


def wider_than(
    columns: NDArray[np.float64], tol: NDArray[np.float64], groups: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Tell for each of `count` groups of the points in columns, shape (n, m), whether it is wider than `tol`."""
    wide = np.zeros(count, dtype=bool)
    for column, width in zip(columns, tol, strict=True):
        lows, highs = ends_of_groups(column, groups, count)
        wide |= highs - lows > width
    return wide


def representatives(
    groups: NDArray[np.int64],
    count: int,
    steepness: NDArray[np.float64],
    fun: NDArray[np.float64],
    x: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the member of each group with the smallest gradient; ties go by value, then by position, shape (m, n)."""
    chosen = np.full(count, -1, dtype=np.intp)
    first_of_group(groups, steepness, fun, x, chosen)
    return chosen


def distances(
    x: NDArray[np.float64], tol: NDArray[np.float64], groups: NDArray[np.int64], centres: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how far each of the points x, shape (m, n), is from the one that is its group's centre, in tolerances."""
    out = np.empty(len(x))
    from_centre(x, tol, groups, centres, out)
    return out


def farthest_of_group(
    x: NDArray[np.float64], tol: NDArray[np.float64], groups: NDArray[np.int64], centres: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the largest of the `distances` in each group."""
    return ends_of_groups(distances(x, tol, groups, centres), groups, len(centres))[1]


def ends_of_groups(
    values: NDArray[np.float64], groups: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest value in each of `count` groups; inf and -inf where it has none."""
    lows, highs = np.full(count, np.inf), np.full(count, -np.inf)
    widen(values, groups, lows, highs)
    return lows, highs


@stored
def widen(values, groups, lows, highs):
    """Lower `lows` and raise `highs` to the smallest and the largest value in each group."""
    for i in range(values.size):
        lows[groups[i]] = min(lows[groups[i]], values[i])
        highs[groups[i]] = max(highs[groups[i]], values[i])


@stored
def from_centre(x, tol, groups, centres, out):
    """Write the largest coordinate difference of each point from its group's centre, in tolerances."""
    for i in range(x.shape[0]):
        centre, far = centres[groups[i]], 0.0
        for j in range(x.shape[1]):
            far = max(far, abs(x[i, j] - x[centre, j]) / tol[j])
        out[i] = far


@stored
def first_of_group(groups, steepness, fun, x, chosen):
    """Write the member of each group that comes first by steepness, value and coordinates; -1 where it has none."""
    for i in range(groups.size):
        best = chosen[groups[i]]
        before = best < 0
        if not before and steepness[i] <= steepness[best]:
            before = steepness[i] < steepness[best]
            if not before and fun[i] <= fun[best]:
                before = fun[i] < fun[best]
                j = 0
                while not before and j < x.shape[1] and x[i, j] <= x[best, j]:
                    before = x[i, j] < x[best, j]
                    j += 1
        if before:
            chosen[groups[i]] = i
