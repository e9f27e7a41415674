"""Groups of points that lie within a tolerance of each other, in nearly linear time and linear memory.

The distance is the largest of the coordinate differences, each measured in its own tolerance: a tolerance
then means the same in two dimensions and in fifty. Points at distance 1 or less always share a group, and so
do points joined by a chain of such steps. Two steps decide:

1. A gap wider than the tolerance in the sorted values of one coordinate separates all that is left of it from
   all that is right of it. The gaps of every coordinate together cut the points into pieces; a piece no wider
   than the tolerance is a group. This settles the usual case, few tight clusters: one pass per coordinate.
2. Wider pieces are laid on a lattice of cells as wide as the tolerance, and occupied cells that touch are
   joined. Points in touching cells are less than twice the tolerance apart, so points farther apart than that
   are joined by a chain only.

Neither step looks at the order of the points.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.reductions import blocks, outline, wider_than

_KEY_LIMIT = 2**62
# Lattice lines at round multiples of the tolerance would cut clusters at round coordinates, such as the
# origin.
_LATTICE_OFFSET = 0.618
# Pairs of cells that may be looked at, beyond a number linear in the cells: about a second of work.
_WORK_LIMIT = 20_000_000
_PAIRS_AT_ONCE = 1_000_000
KEY_COORDINATES = 4
_KEYS_PER_POINT = 0.25  # with more possible keys than that a table of them takes more memory than the points


def group_points(points: NDArray[np.float64], tol: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    """Number the groups of points that belong together.

    Parameters
    ----------
    points : ndarray, shape (m, n)
        Finite coordinates.
    tol : ndarray, shape (n,)
        Positive tolerance of each coordinate.

    Returns
    -------
    groups : ndarray of int64, shape (m,)
        Group of each point, numbered from 0 without holes.
    coarsening : float
        1 as a rule. A power of two above 1 tells that a blurred cloud occupied too many touching cells for
        linear memory, and that cells wider by this factor were used in step 2.

    Examples
    --------
    >>> groups, coarsening = group_points(np.array([[0.0], [5.0], [0.4], [1.1]]), np.array([1.0]))
    >>> groups
    array([1, 0, 1, 1])
    """
    columns = points.T
    if columns.shape[1] == 0:
        return np.zeros(0, dtype=np.int64), 1.0
    groups, n_pieces = split_at_gaps(columns, tol)
    wide = wider_than(columns, tol, groups, n_pieces)
    if not wide.any():
        return groups, 1.0
    n_parts, coarsening = _join_cells(columns, tol, groups, wide)
    renumber(groups, n_pieces + n_parts)
    return groups, coarsening


def sort_by_group(groups: NDArray[np.int64], n_groups: int) -> NDArray[np.intp]:
    """Return the stable order that puts members of a group side by side."""
    # NumPy sorts 16-bit integers by radix, which is several times faster.
    narrow = groups.astype(np.int16) if n_groups <= np.iinfo(np.int16).max else groups
    return np.argsort(narrow, kind="stable")


def split_at_gaps(
    columns: NDArray[np.float64], tol: NDArray[np.float64], rank: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], int]:
    """Rank points by coordinates in which only gaps wider than the tolerance count.

    Parameters
    ----------
    columns : ndarray, shape (n, m)
        Coordinates, the first deciding first.
    tol : ndarray, shape (n,)
        Tolerance of each coordinate.
    rank : ndarray of int64, shape (m,), optional
        Ranks from 0 without holes that decide before any coordinate.

    Returns
    -------
    rank : ndarray of int64, shape (m,)
        Ranks from 0 without holes; equal where no gap separates.
    count : int
        How many there are.
    """
    key = np.zeros(columns.shape[1], dtype=np.int64) if rank is None else rank.copy()
    size = int(key.max(initial=0)) + 1
    for column, width in zip(columns, tol, strict=True):
        edges = _edges(column, width)
        if edges.size:
            size = _make_room(key, size, edges.size + 1)
            for part in blocks(key.size):
                key[part] *= edges.size + 1
                key[part] += np.searchsorted(edges, column[part], side="right")
            size *= edges.size + 1
    return key, renumber(key, size)


def _edges(column: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return the values that stand after a gap wider than `width`."""
    ordered = np.sort(outline(column, width))
    before, after = ordered[:-1], ordered[1:]
    found = [after[part][after[part] - before[part] > width] for part in blocks(after.size)]
    return np.concatenate([after[:0], *found])


def _make_room(key: NDArray[np.int64], size: int, base: int) -> int:
    """Renumber keys below `size`, in place, where one more digit would overflow; return what they are below then."""
    return renumber(key, size) if size > _KEY_LIMIT // base else size


def dense(key: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], int]:
    """Return keys below `size` renumbered from 0 without holes, in their order, and how many there are."""
    renumbered = key.copy()
    return renumbered, renumber(renumbered, size)


def renumber(key: NDArray[np.int64], size: int) -> int:
    """Renumber keys below `size` from 0 without holes, in their order and in place; return how many there are."""
    if size <= _KEYS_PER_POINT * key.size + 1024:
        present = np.zeros(size, dtype=bool)
        present[key] = True
        rank = np.cumsum(present) - 1
        for part in blocks(key.size):
            key[part] = rank[key[part]]
        return int(rank[-1]) + 1
    known = _distinct(key[part] for part in blocks(key.size))
    for part in blocks(key.size):
        key[part] = np.searchsorted(known, key[part])
    return known.size


def _distinct(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return the distinct values of several arrays, in order."""
    return np.unique(np.concatenate([np.unique(part) for part in parts]))


def _join_cells(
    columns: NDArray[np.float64], tol: NDArray[np.float64], pieces: NDArray[np.int64], wide: NDArray[np.bool_]
) -> tuple[int, float]:
    """Join points of one wide piece by cells that touch: count of groups, coarsening.

    In `pieces` the groups take the numbers from that of the pieces on.
    """
    owners = np.cumsum(wide) - 1
    cell = np.empty(int(np.bincount(pieces, minlength=wide.size)[wide].sum()), dtype=np.int64)
    coarsening = 1.0

    def inside() -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
        """Yield the points in wide pieces, and their part of `cell`."""
        filled = 0
        for part in blocks(pieces.size):
            at = part.start + np.flatnonzero(wide[pieces[part]])
            yield at, cell[filled : filled + at.size]
            filled += at.size

    def steps(j: int, at: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.floor(columns[j, at] / tol[j] / coarsening + _LATTICE_OFFSET)

    while True:
        for at, key in inside():
            key[:] = owners[pieces[at]]
        size, steps_of = int(owners[-1]) + 1, []
        for j in range(len(columns)):
            occupied, number = _lattice(_distinct(steps(j, at) for at, _ in inside()))
            steps_of.append((occupied, number))
            base = int(number[-1]) + 1
            size = _make_room(cell, size, base)
            for at, key in inside():
                key *= base
                key += number[np.searchsorted(occupied, steps(j, at))]
            size *= base
        n_cells = renumber(cell, size)
        member = np.empty(n_cells, dtype=np.int64)
        for at, key in inside():
            member[key] = at
        corners = [number[np.searchsorted(occupied, steps(j, member))] for j, (occupied, number) in enumerate(steps_of)]
        joined = _join_touching(np.stack(corners), owners[pieces[member]])
        if joined is not None:
            groups, count = joined
            for at, key in inside():
                pieces[at] = wide.size + groups[key]
            return count, coarsening
        coarsening *= 2.0


def _join_touching(
    corners: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int] | None:
    """Join cells of one owner whose lattice numbers differ by at most 1: group of each cell and count.

    None where the cells that touch in the most telling coordinates are too many to look at.
    """
    n_cells = owner.size
    # Few coordinates decide who is looked at, as the neighbours to look up number 3 to their power.
    share = [touching_share(digits) for digits in corners]
    telling = np.argsort(share, kind="stable")[:KEY_COORDINATES]
    key, strides, left_out = cell_keys(owner, corners, telling)
    rest = np.delete(corners, [j for j in telling if j not in left_out], axis=0)
    order = np.argsort(key, kind="stable")
    ordered = key[order]

    forest = _Forest(n_cells)
    work = 0
    for shift in itertools.product((-1, 0, 1), repeat=len(strides)):
        if shift < (0,) * len(strides):
            continue
        wanted = ordered + sum(step * stride for step, stride in zip(shift, strides, strict=True))
        first = np.searchsorted(ordered, wanted, side="left")
        if not any(shift):
            first = np.arange(1, n_cells + 1)
        count = np.searchsorted(ordered, wanted, side="right") - first
        work += int(count.sum())
        if work > _WORK_LIMIT + 20 * n_cells:
            return None
        for a, b in expand(first, count):
            one, other = order[a], order[b]
            for digits in rest:
                near = np.abs(digits[one] - digits[other]) <= 1
                one, other = one[near], other[near]
            forest.join(one, other)
    return forest.groups()


def cell_keys(
    owner: NDArray[np.int64], corners: NDArray[np.int64], telling: NDArray[np.intp]
) -> tuple[NDArray[np.int64], list[int], list[int]]:
    """Number cells by their owner and some coordinates.

    Returns
    -------
    key : ndarray of int64
        The numbers.
    strides : list of int
        What a step along each of the coordinates adds to them.
    left_out : list of int
        Coordinates for which the numbers have no room.
    """
    key, size = owner, int(owner.max()) + 1
    strides: list[int] = []
    left_out: list[int] = []
    for j in telling.tolist():
        # One unused number per coordinate, so that a step past the last does not reach the next row.
        base = int(corners[j].max()) + 2
        if size > _KEY_LIMIT // base:
            left_out.append(j)
            continue
        key, size = key * base + corners[j], size * base
        strides = [stride * base for stride in strides] + [1]
    return key, strides, left_out


def touching_share(digits: NDArray[np.int64]) -> float:
    """Return the share of pairs of cells that touch in one coordinate."""
    count = np.bincount(digits).astype(np.float64)
    return float(np.sum(count * count) + 2.0 * np.sum(count[1:] * count[:-1])) / digits.size**2


def expand(
    first: NDArray[np.intp], count: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the pairs (i, first[i]), ..., (i, first[i] + count[i] - 1) in pieces of bounded size."""
    rows = np.flatnonzero(count)
    if rows.size == 0:
        return
    ends = np.cumsum(count[rows])
    cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, ends[-1], _PAIRS_AT_ONCE))
    for part in np.split(rows, np.unique(cuts)):
        if part.size:
            size = count[part]
            start = np.repeat(np.cumsum(size) - size, size)
            yield np.repeat(part, size), np.repeat(first[part], size) + np.arange(start.size) - start


class _Forest:
    """Connected groups of `size` things, from pairs handed over bit by bit, in memory linear in `size`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pairs: list[NDArray[np.int64]] = []
        self._held = 0

    def join(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        self._pairs.append(np.stack([one, other]))
        self._held += one.size
        if self._held > 8 * self._size + 100_000:
            group, n_groups = self.groups()
            # Every thing paired with one member of its group says all that the pairs said.
            member = np.empty(n_groups, dtype=np.int64)
            member[group] = np.arange(self._size)
            self._pairs = [np.stack([np.arange(self._size), member[group]])]
            self._held = self._size

    def groups(self) -> tuple[NDArray[np.int64], int]:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        pairs = np.concatenate([np.zeros((2, 0), dtype=np.int64), *self._pairs], axis=1)
        weights = np.ones(pairs.shape[1], dtype=np.int8)
        graph = coo_matrix((weights, (pairs[0], pairs[1])), shape=(self._size, self._size))
        n_groups, group = connected_components(graph, directed=False)
        return group.astype(np.int64), int(n_groups)


def lattice(column: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the lattice steps of one coordinate, one for each of its values."""
    step = np.floor(column + _LATTICE_OFFSET)
    occupied, number = _lattice(_distinct([step]))
    return number[np.searchsorted(occupied, step)]


def _lattice(occupied: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the lattice steps that are occupied with their numbers: neighbours differ by 1, others by 2 or more."""
    # Renumbering keeps the integers small whatever the tolerance, so that they pack into a key.
    strides = np.where(np.diff(occupied) <= 1.0, 1, 2)
    return occupied, np.concatenate([[0], np.cumsum(strides)])
