"""What is asked of millions of points in one compiled pass: extents, distances and the first member of each group.

What is computed on the way is made for some thousand points at a time, so no pass takes memory for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.jit.targets import stored

__all__ = [
    "blocks", "distances", "farthest_members", "farthest_of_group", "outline", "representatives", "wider_than",
]  # fmt: skip

_BINS_PER_POINT = 0.25  # with more a sort takes less memory
_BLOCK = 1 << 16  # points, whose numbers stay in the cache


def blocks(size: int) -> Iterator[slice]:
    """Yield the parts of so many points that are looked at together."""
    return (slice(low, min(low + _BLOCK, size)) for low in range(0, size, _BLOCK))


def outline(column: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return values between which the gaps wider than `width` are those of the whole column, in any order.

    Of values in a bin of half that width only the smallest and the largest can border such a gap.
    """
    low, high = column.min(initial=np.inf), column.max(initial=-np.inf)
    with np.errstate(over="ignore"):
        bins = 2.0 * (high - low) / width
    if not 0.0 <= bins < _BINS_PER_POINT * column.size:
        return column
    lows, highs = np.full(int(bins) + 2, np.inf), np.full(int(bins) + 2, -np.inf)
    for part in blocks(column.size):
        values = np.ascontiguousarray(column[part])
        widen(values, ((values - low) * (2.0 / width)).astype(np.int64), lows, highs)
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
    best = blank_best(count, x.shape[1])
    first_of_group(0, groups, steepness, fun, x, *best)
    return best[0]


def farthest_members(
    groups: NDArray[np.int64],
    steepness: NDArray[np.float64],
    fun: NDArray[np.float64],
    x: NDArray[np.float64],
    tol: NDArray[np.float64],
    centres: NDArray[np.intp],
    limit: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the member of each group that is farthest from its centre, of those that are no steeper than its limit.

    Ties go by value, then by position, as does the choice where all are steeper.
    """
    best, at = blank_best(len(centres), x.shape[1]), x[centres]
    for part in blocks(len(x)):
        score = np.empty(part.stop - part.start)
        from_centre(x[part], tol, groups[part], at, score)
        score[:] = np.where(steepness[part] <= limit[groups[part]], -score, 1.0)
        first_of_group(part.start, groups[part], score, fun[part], x[part], *best)
    return best[0]


def blank_best(count: int, n: int) -> tuple[NDArray[Any], ...]:
    """What `first_of_group` fills: the members chosen, none yet, with their steepness, value and position."""
    return np.full(count, -1, dtype=np.intp), np.empty(count), np.empty(count), np.empty((count, n))


def distances(
    x: NDArray[np.float64], tol: NDArray[np.float64], groups: NDArray[np.int64], centres: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how far each of the points x, shape (m, n), is from the one that is its group's centre, in tolerances."""
    out = np.empty(len(x))
    from_centre(x, tol, groups, x[centres], out)
    return out


def farthest_of_group(
    x: NDArray[np.float64], tol: NDArray[np.float64], groups: NDArray[np.int64], centres: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the largest of the `distances` in each group."""
    lows, highs = np.full(len(centres), np.inf), np.full(len(centres), -np.inf)
    at = x[centres]
    for part in blocks(len(x)):
        far = np.empty(part.stop - part.start)
        from_centre(x[part], tol, groups[part], at, far)
        widen(far, groups[part], lows, highs)
    return highs


def ends_of_groups(
    values: NDArray[np.float64], groups: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest value in each of `count` groups; inf and -inf where it has none."""
    lows, highs = np.full(count, np.inf), np.full(count, -np.inf)
    for part in blocks(len(groups)):
        widen(np.ascontiguousarray(values[part]), groups[part], lows, highs)
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
        far = 0.0
        for j in range(x.shape[1]):
            far = max(far, abs(x[i, j] - centres[groups[i], j]) / tol[j])
        out[i] = far


@stored
def first_of_group(first, groups, steepness, fun, x, chosen, least, lowest, place):
    """Write the member of each group that comes first by steepness, value and coordinates; -1 where it has none.

    The points are those from number `first` on; `chosen` and what stands beside it say what was found before them.
    """
    for i in range(groups.size):
        k = groups[i]
        before = chosen[k] < 0
        if not before and steepness[i] <= least[k]:
            before = steepness[i] < least[k]
            if not before and fun[i] <= lowest[k]:
                before = fun[i] < lowest[k]
                j = 0
                while not before and j < x.shape[1] and x[i, j] <= place[k, j]:
                    before = x[i, j] < place[k, j]
                    j += 1
        if before:
            chosen[k], least[k], lowest[k] = first + i, steepness[i], fun[i]
            for j in range(x.shape[1]):
                place[k, j] = x[i, j]
