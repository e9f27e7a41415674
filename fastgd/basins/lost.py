"""Ends of runs without attractor that are told apart all the same: at kinks, and on the way to infinity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.clusters import group_points
from fastgd.basins.intervals import wilson

Array = NDArray[np.float64]

KINK, INFINITY = "kink", "to infinity"
_DIVERGED_STATUS = 3
# Places that are looked at for a kink: the numbers that their functions take, and how many at most
_WORK_LIMIT, _MOST_PLACES = 4000, 20


class LostEnds(NamedTuple):
    """Finite ends of the runs without label."""

    x: Array
    fun: Array
    nit: NDArray[np.int64]
    status: NDArray[np.integer]
    label: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Where runs ended that came to no attractor, as far as it can be told.

    Attributes
    ----------
    kind : ndarray of str, shape (q,)
        "kink": a minimum at which the gradient jumps, so that it meets no `gtol`. "to infinity": beyond the box by more
        than its width (or that of the starts and ends), where the value still falls outwards.
    x : ndarray, shape (q, n)
        Where; NaN at infinity.
    fun : ndarray, shape (q,)
        The value there, at infinity the lowest that a run came to.
    counts, fractions, intervals, mean_nit
        As in `Basins`. The runs have the label -1 or -2 all the same, and are part of `unsettled` or `diverged`.
    """

    kind: NDArray[np.str_]
    x: Array
    fun: Array
    counts: NDArray[np.int64]
    fractions: Array
    intervals: Array
    mean_nit: Array
    of_label: NDArray[np.int64]  # how many of them have the labels -1 and -2, shape (q, 2)

    def __len__(self) -> int:
        return len(self.kind)


def lost_ends(
    ends: Any, fun: Any, nit: Any, status: Any, where: NDArray[np.intp], label: NDArray[np.int64]
) -> LostEnds:
    """Keep of the runs `where`, which have such labels, what tells where they went."""
    x, values = ends[where].astype(np.float64), fun[where].astype(np.float64)
    good = np.isfinite(x).all(axis=1) & np.isfinite(values)
    where = where[good]
    return LostEnds(x[good], values[good], nit[where], status[where], label[good])


def no_ends(n: int) -> LostEnds:
    """Return the ends of no run, in n dimensions."""
    count = np.zeros(0, dtype=np.int64)
    return LostEnds(np.zeros((0, n)), np.zeros(0), count, count, count)


def told_apart(lost: LostEnds, problem: Any, region: Array | None, tol: Array, runs: int) -> Unlabelled:
    """Return the kinks and infinity among ends of runs without label, from a number of runs in all."""
    places: list[tuple[str, Array, NDArray[np.intp]]] = []
    rest = np.arange(len(lost.fun))
    if problem is not None and region is not None and rest.size:
        away = is_going_away(problem, lost.x, region)
        if away.any():
            places.append((INFINITY, np.full(lost.x.shape[1], np.nan), np.flatnonzero(away)))
        rest = np.flatnonzero(~away & ((lost.status != _DIVERGED_STATUS) | (lost.nit == 0)))
    if problem is not None and rest.size and len(tol) == lost.x.shape[1]:
        kinks = kinks_among(problem, lost.x[rest], lost.fun[rest], region, tol)
        places += [(KINK, x, rest[members]) for x, members in kinks]
    places.sort(key=lambda place: float(lost.fun[place[2]].min()))
    n, counts = lost.x.shape[1], np.array([members.size for *_, members in places], dtype=np.int64)
    return Unlabelled(
        kind=np.array([kind for kind, *_ in places], dtype="<U12"),
        x=np.array([x for _, x, _ in places]).reshape(-1, n),
        fun=np.array([value_there(problem, x, lost.fun[members]) for _, x, members in places]),
        counts=counts,
        fractions=counts / max(runs, 1),
        intervals=wilson(counts, runs),
        mean_nit=np.array([lost.nit[members].mean() for *_, members in places]),
        of_label=np.array(
            [[np.count_nonzero(lost.label[m] == label) for label in (-1, -2)] for *_, m in places], dtype=np.int64
        ).reshape(-1, 2),
    )


def value_there(problem: Any, x: Array, ends: Array) -> float:
    """Return the value at a kink, or the lowest of the ends where there is no place."""
    from fastgd.landscape.curvature import few_values

    return float(few_values(problem, x[None])[0]) if np.isfinite(x).all() else float(ends.min())


def is_going_away(problem: Any, x: Array, region: Array) -> NDArray[np.bool_]:
    """Tell which points, shape (m, n), are farther outside than the region is wide, and fall outwards still."""
    from fastgd.landscape.curvature import few_gradients

    low, high = region.T
    away = np.any((x < 2.0 * low - high) | (x > 2.0 * high - low), axis=1)
    some = np.flatnonzero(away)
    if some.size:
        with np.errstate(all="ignore"):
            outwards = x[some] - 0.5 * (low + high)
            away[some] = np.sum(few_gradients(problem, x[some]) * outwards, axis=1) < 0.0
    return away


def kinks_among(
    problem: Any, x: Array, fun: Array, region: Array | None, tol: Array
) -> list[tuple[Array, NDArray[np.intp]]]:
    """Return the kinks that most of some points, shape (m, n), are at, and which of them are at each."""
    from fastgd.landscape.curvature import length_scale
    from fastgd.landscape.kinks import kinks_near

    groups, coarsening = group_points(x, tol)
    if coarsening > 1.0:
        return []
    size = np.bincount(groups)
    numbers = problem.dim + sum(int(np.size(item)) for item in problem.data)
    most = min(_MOST_PLACES, _WORK_LIMIT // numbers)
    # The lowest of each group, and of too many groups the largest, whatever the order of the runs
    order = np.lexsort([*x.T[::-1], fun, groups])
    lowest = order[np.searchsorted(groups[order], np.arange(len(size)))]
    asked = np.lexsort([*x[lowest].T[::-1], fun[lowest], -size])[:most]
    scale = length_scale(problem, x[lowest[asked]], None if region is None else 0.1 * (region[:, 1] - region[:, 0]))
    places, known = kinks_near(problem, x[lowest[asked]], scale, tol)
    found: list[tuple[Array, list[int]]] = []
    for place, group in zip(places[known], asked[known], strict=True):
        same = next((members for other, members in found if np.all(np.abs(other - place) <= tol)), None)
        if same is None:
            found.append((place, [int(group)]))
        else:
            same.append(int(group))
    return [(place, np.flatnonzero(np.isin(groups, members))) for place, members in found]
