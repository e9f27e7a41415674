"""Pairs of points that lie within a distance of each other, in nearly linear time where they are few.

The distance is the largest of the coordinate differences. What a gap in one coordinate separates is not looked at; of
the rest, the points of touching cells in those few coordinates that tell most of them apart.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.clusters import KEY_COORDINATES, cell_keys, expand, lattice, split_at_gaps, touching_share

__all__ = ["close_pairs"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_CELL = 2.0  # in distances: what rounding does to a quotient must not bring neighbours two cells apart
_FEW = 8  # pairs to look at for each point, up to which more coordinates would cost more than they save


def close_pairs(one: Array, other: Array, distance: float) -> tuple[Indices, Indices, Array]:
    """Return all pairs of a point of one and a point of other, shapes (m, n) and (k, n), that are no farther apart.

    Returns
    -------
    rows, columns : ndarray of int64, shape (pairs,)
        The places of both points.
    distances : ndarray, shape (pairs,)
        How far they are apart.

    Examples
    --------
    >>> rows, columns, distances = close_pairs(np.array([[0.0], [5.0]]), np.array([[5.5], [7.0], [1.0]]), 1.0)
    >>> rows, columns, distances
    (array([0, 1]), array([2, 0]), array([1. , 0.5]))
    """
    first, second, found = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    if len(one) and len(other):
        for a, b in _candidates(one, other, distance):
            apart = np.zeros(a.size)
            for j in range(one.shape[1]):
                np.maximum(apart, np.abs(one[a, j] - other[b, j]), out=apart)
                near = apart <= distance
                a, b, apart = a[near], b[near], apart[near]
            first.append(a)
            second.append(b)
            found.append(apart)
    rows, columns = np.concatenate(first), np.concatenate(second)
    order = np.lexsort((columns, rows))
    return rows[order], columns[order], np.concatenate(found)[order]


def _candidates(one: Array, other: Array, distance: float) -> itertools.chain[tuple[Indices, Indices]]:
    """Pairs among which are all that are close, in portions."""
    columns = np.ascontiguousarray(np.concatenate([one, other]).T)
    pieces, _ = split_at_gaps(columns, np.full(len(columns), distance))
    digits = np.stack([lattice(column / (_CELL * distance)) for column in columns])
    telling = np.argsort([touching_share(each) for each in digits], kind="stable")
    for most in range(min(KEY_COORDINATES, len(telling)) + 1):
        key, strides, _ = cell_keys(pieces, digits, telling[:most])
        here, there = key[: len(one)], key[len(one) :]
        order = np.argsort(there, kind="stable")
        ordered = there[order]
        ranges = []
        for shift in itertools.product((-1, 0, 1), repeat=len(strides)):
            wanted = here + sum(step * stride for step, stride in zip(shift, strides, strict=True))
            low = np.searchsorted(ordered, wanted, side="left")
            ranges.append((low, np.searchsorted(ordered, wanted, side="right") - low))
        if sum(int(number.sum()) for _, number in ranges) <= _FEW * key.size:
            break
    portions = itertools.chain.from_iterable(itertools.starmap(expand, ranges))
    return itertools.chain((a, order[b]) for a, b in portions)
