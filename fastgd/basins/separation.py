"""Critical points that a tolerance is too coarse to tell apart.

The default tolerance is a part of the box, and a box may be so large that several minima lie within it. Newton's
method then knows better: of an end point it tells which critical point is meant, and how far away that is. Where two
ends of one group mean two points that lie much farther apart than the ends from them, the group is split, at a
tolerance that follows from the distance of the two. It stays one where the ends are

- near one point, or all on a curve or a plateau: a point is meant only where no curvature is zero;
- stopped on their way: then they are not near what they mean;
- blurred, so that no tolerance has one point's ends on one side and the other's on the other.

Usual groups are tight, and are passed over by the gradient between two of their ends: where a function is quadratic,
this is not larger than at both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.clusters import dense, group_points, sort_by_group
from fastgd.basins.reductions import farthest_members, representatives
from fastgd.boxes import units_of

Array = NDArray[np.float64]

_BETWEEN = 0.382  # no midpoint: between symmetric minima, the gradient is zero in the middle
_STEEPER = 2.0
# How much farther apart than the ends from them two points must be, and how much finer than that the tolerance is
_FARTHER = 4.0
_FINER = 16.0
_COARSEST_TO_NEXT = 8.0
_DENSE_UP_TO = 512
# Points whose critical points are looked for, times the numbers that their Hessians are made of: about a second of work
_WORK_LIMIT = 4_000_000
_MOST_GROUPS = 10_000
_FEW_DATA = 100  # a function with more is long, and its second derivatives longer


@dataclass(frozen=True)
class Meant:
    """Which critical point each end means, in tolerances."""

    point: Array
    reach: Array  # of the end from it
    flat: NDArray[np.bool_]  # some curvature is zero, so there is no such point


def separated(
    problem: Any, points: Array, steepness: Array, fun: Array, groups: NDArray[np.int64], tol: Array, eps: float,
    scale: Array | None = None,
) -> tuple[NDArray[np.int64], Array]:
    """Split groups in which ends mean different critical points.

    Parameters
    ----------
    problem : Problem
        What was minimized.
    points : ndarray, shape (m, n)
        Ends.
    steepness, fun : ndarray, shape (m,)
        Largest component of the gradient, and the value there.
    groups : ndarray of int64, shape (m,)
        Group of each end, numbered from 0 without holes.
    tol : ndarray, shape (n,)
        The tolerance that made the groups.
    eps : float
        Relative accuracy of the ends.
    scale : ndarray, shape (n,), optional
        Over what distance each parameter of a problem without a box changes something.

    Returns
    -------
    groups : ndarray of int64, shape (m,)
        Groups, numbered from 0 without holes.
    tol : ndarray, shape (n,)
        The finest tolerance that was needed; `tol` where no group was split.
    """
    if groups.size == 0 or points.shape[1] > _DENSE_UP_TO:
        return groups, tol
    ends = _Ends(problem, points, steepness, fun, tol, eps, scale)
    leaves = groups  # copied where a group is split
    count = int(groups.max()) + 1
    fineness = np.ones(count)  # of the tolerance in each group as it was
    found = ends.splits(None, leaves)  # of all, no copy is made
    while found:
        begin = count
        leaves = groups.copy() if leaves is groups else leaves
        for inside, finer, pieces in found:
            leaves[inside] = count + pieces
            count += int(pieces.max()) + 1
            group = groups[inside[0]]
            fineness[group] = min(fineness[group], finer)
        look = (np.arange(count) >= begin) & (np.bincount(leaves, minlength=count) > 1)
        if not look.any():
            break
        members = np.flatnonzero(look[leaves])
        found = ends.splits(members, dense(leaves[members], count)[0])
    if fineness.min() == 1.0:
        return groups, tol
    return ends.settled(groups, leaves, fineness), tol * fineness.min()


@dataclass(frozen=True)
class _Ends:
    problem: Any
    points: Array
    steepness: Array
    fun: Array
    tol: Array
    eps: float
    scale: Array | None = None

    @property
    def work(self) -> int:
        """What one point costs."""
        n = self.points.shape[1]
        return n * (n + self.data)

    @property
    def data(self) -> int:
        return sum(int(np.size(item)) for item in self.problem.data)

    def splits(
        self, members: NDArray[np.intp] | None, groups: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.intp], float, NDArray[np.int64]]]:
        """Return the groups that are to be split: members, at what part of the tolerance, and piece of each.

        `groups` are those of the members, or of all points.
        """
        witnesses = self.witnesses(members, groups)
        doubtful = np.flatnonzero(self.steep_between(witnesses))
        size = np.bincount(groups)[doubtful]
        most = min(_MOST_GROUPS, _WORK_LIMIT // (witnesses.shape[1] * self.work))
        # Of too many, the largest, by whatever else does not depend on the order of the runs
        first = self.points[witnesses[doubtful, 0]]
        doubtful = doubtful[np.lexsort([*first.T[::-1], -size])[:most]]
        if doubtful.size == 0:
            return []
        asked = witnesses[doubtful]
        meant = self.meant(self.points[asked.ravel()])
        parts = [slice(row * asked.shape[1], (row + 1) * asked.shape[1]) for row in range(len(doubtful))]
        apart = [_apart(Meant(meant.point[part], meant.reach[part], meant.flat[part])) for part in parts]
        rows = [row for row, distance in enumerate(apart) if np.isfinite(distance).any()]
        if not rows:
            return []
        order = sort_by_group(groups, len(witnesses))
        bounds = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=len(witnesses)))])
        found = []
        for row in rows:
            inside = order[bounds[doubtful[row]] : bounds[doubtful[row] + 1]]
            inside = np.sort(inside if members is None else members[inside])
            found += self.pieces(inside, asked[row], apart[row], meant.reach[parts[row]])
        return found

    def witnesses(self, members: NDArray[np.intp] | None, groups: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return four members of each group: the calmest, those farthest from it, and the farthest from one of them."""
        part = slice(None) if members is None else members
        points, steepness, fun = self.points[part], self.steepness[part], self.fun[part]
        calm = np.bincount(groups, weights=steepness) / np.bincount(groups)

        def farthest(start: NDArray[np.intp], limit: Array) -> NDArray[np.intp]:
            return farthest_members(groups, steepness, fun, points, self.tol, start, limit)

        calmest = representatives(groups, len(calm), steepness, fun, points)
        calm_one = farthest(calmest, calm)
        chosen = np.stack(
            [calmest, farthest(calmest, np.full(len(calm), np.inf)), calm_one, farthest(calm_one, calm)], axis=1
        )
        return chosen if members is None else members[chosen]

    def steep_between(self, witnesses: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell groups with a point between two witnesses that is steeper than both."""
        from fastgd.landscape.curvature import few_gradients

        doubtful = np.zeros(len(witnesses), dtype=bool)
        for a, b in ((0, 2), (0, 1), (2, 3)):
            one, other = self.points[witnesses[:, a]], self.points[witnesses[:, b]]
            resolution = 64.0 * self.eps * (np.abs(one) + np.abs(other))
            asked = np.flatnonzero(~doubtful & np.any(np.abs(one - other) > resolution, axis=1))
            if asked.size:
                between = one[asked] + _BETWEEN * (other[asked] - one[asked])
                with np.errstate(invalid="ignore", over="ignore"):
                    if (self.tol == self.tol[0]).all():
                        slope = np.abs(few_gradients(self.problem, between)).max(axis=1)
                        limit = np.maximum(*(self.steepness[witnesses[asked, k]] for k in (a, b)))
                    else:  # components in different units do not compare
                        three = np.concatenate([between, one[asked], other[asked]])
                        slopes = np.abs(few_gradients(self.problem, three) * self.tol).max(axis=1)
                        slope, *ends = slopes.reshape(3, -1)
                        limit = np.maximum(*ends)
                    doubtful[asked] = slope > _STEEPER * limit
        return doubtful

    def meant(self, points: Array) -> Meant:
        """Return the critical points that ends of shape (m, n) mean."""
        from fastgd.landscape.curvature import checked_hessians, checked_method, few_gradients, length_scale
        from fastgd.landscape.kinds import RTOL
        from fastgd.landscape.stationary import Derivatives, polish

        problem = self.problem
        source = checked_method(problem, "auto" if self.data <= _FEW_DATA else "differences")

        def second(x: Array) -> Array:
            scale = length_scale(problem, x, self.scale)
            units = units_of(scale)
            return checked_hessians(problem, x, source, scale)[0] / (units[:, :, None] * units[:, None, :])

        units = units_of(self.tol)
        derivatives = Derivatives(lambda x: few_gradients(problem, x), second, RTOL[source]).in_units(units)
        with np.errstate(all="ignore"):
            x, error, _, values = polish(derivatives, points / units)
            x, error = x * units, error * (units / self.tol).max()
            size = np.abs(values)
            flat = ~(size.min(axis=1) > RTOL[source] * size.max(axis=1)) | ~np.isfinite(error)
            reach = np.abs((x - points) / self.tol).max(axis=1) + error
        flat |= ~np.isfinite(reach)
        return Meant(np.where(flat[:, None], points, x) / self.tol, np.where(flat, np.inf, reach), flat)

    def pieces(
        self, inside: NDArray[np.intp], asked: NDArray[np.intp], apart: Array, reach: Array
    ) -> list[tuple[NDArray[np.intp], float, NDArray[np.int64]]]:
        """Split one group by the coarsest tolerance that has ends of different points in different pieces."""
        finer = float(apart.min()) / _FINER
        one, other = np.nonzero(np.isfinite(apart))
        where = np.searchsorted(inside, asked)
        x = self.points[inside]
        while finer > max(reach[np.isfinite(reach)].min(), 64.0 * self.eps * float(np.abs(x / self.tol).max())):
            pieces, coarsening = group_points(x, finer * self.tol)
            if coarsening > 1.0:
                return []
            if np.any(pieces[where[one]] != pieces[where[other]]):
                return [(inside, finer, pieces)]
            finer /= _COARSEST_TO_NEXT
        return []

    def settled(self, groups: NDArray[np.int64], leaves: NDArray[np.int64], fineness: Array) -> NDArray[np.int64]:
        """Return the final groups: of the leaves of a group that was split, those that mean the same are joined."""
        from scipy.spatial import cKDTree

        members = np.flatnonzero(fineness[groups] < 1.0)
        parts, count = dense(leaves[members], int(leaves.max()) + 1)
        if count * self.work > 10 * _WORK_LIMIT:
            return dense(leaves, int(leaves.max()) + 1)[0]
        x = self.points[members]
        calmest = representatives(parts, count, self.steepness[members], self.fun[members], x)
        meant = self.meant(x[calmest])
        group = groups[members[calmest]]
        sure = meant.reach <= fineness[group]
        # What means a point that others are nearer to was stopped on its way, and goes with the nearest of them.
        name = np.full(count, -1, dtype=np.int64)
        kinds = ((sure, meant.point, 0.5 * fineness[group]), (meant.flat, x[calmest] / self.tol, np.ones(count)))
        made = 0
        for which, where, width in kinds:
            some = np.flatnonzero(which)
            if some.size:
                # In units of each group's width, and groups far apart from each other
                placed = np.column_stack([where[some] / width[some, None], 2.0 * group[some]])
                joined, _ = group_points(placed, np.ones(placed.shape[1]))
                name[some] = made + joined
                made += int(joined.max()) + 1
        for lost in np.unique(group[name < 0]):
            known = np.flatnonzero(sure & (group == lost))
            late = np.flatnonzero((name < 0) & (group == lost))
            if known.size == 0:
                name[late] = made
                made += 1
                continue
            known = known[np.lexsort(meant.point[known].T[::-1])]
            ends = x[calmest[late]] / self.tol
            name[late] = name[known[cKDTree(meant.point[known]).query(ends, p=np.inf)[1]]]
        out = groups.copy()
        out[members] = int(groups.max()) + 1 + name[parts]
        return dense(out, int(out.max()) + 1)[0]


def _apart(meant: Meant) -> Array:
    """Return the distances of points that are certainly two, shape (q, q); infinite for others."""
    distance = np.abs(meant.point[:, None] - meant.point[None]).max(axis=2)
    with np.errstate(invalid="ignore"):
        certain = distance > _FARTHER * (meant.reach[:, None] + meant.reach[None])
    return np.where(certain & (distance > 0), distance, np.inf)
