"""From the end points of many descents to the attractors they reached."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import PER_RUN
from fastgd.basins.clusters import group_points, split_at_gaps
from fastgd.basins.found import DIVERGED, UNSETTLED, Basins
from fastgd.basins.intervals import wilson
from fastgd.basins.lost import lost_ends
from fastgd.basins.reductions import blocks, farthest_of_group, representatives
from fastgd.basins.separation import separated
from fastgd.boxes import real_array
from fastgd.calls import explain_calls, levels_to_caller
from fastgd.checks import shown
from fastgd.jit.pool import interruptible
from fastgd.points import described

if TYPE_CHECKING:
    from fastgd.result import Result

_SETTLED_STATUS = (0, 1)
_DIVERGED_STATUS = 3
_RELATIVE_TOL = 1e-3
_FEW_ENDS = 5.0  # per cent of them at either side
_SAME_PLACE = 1e-12


@explain_calls()
def find_basins(
    result: Result,
    tol: ArrayLike | None = None,
    *,
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> Basins:
    """Gather the end points of runs into distinct attractors.

    A run counts as settled with status 0 (gradient below `gtol`) or 1 (no progress) and a finite end point.
    Two settled runs share an attractor where no coordinate of their end points differs by more than `tol`, or
    where a chain of such pairs joins them; end points farther apart than ``2 * tol`` in some coordinate are
    joined by a chain only. So a curve or a region of minima is one attractor where the runs cover it densely,
    and `radius` tells it from a point. The result does not depend on the order of the runs.

    Time is nearly linear in the number of runs, and memory is linear.

    Parameters
    ----------
    result : Result
        What `minimize` returned, of any batch shape.
    tol : float or array_like of shape (n,), optional
        Tolerance of each coordinate, positive. By default a thousandth of the side of the problem's box;
        without a box, a thousandth of the side of the smallest box that holds the starts and nine tenths of the end
        points (where neither starts nor ends differ, and with `coordinates`, of ``max(1, median(abs(x[j])))`` over the
        end points). Where ends closer
        together belong to different minima or saddles, as in a very large box, the default is finer: see Notes.
        Runs stopped by ``gtol`` end about ``gtol / curvature`` away from their minimum: give a larger `tol`
        where this is more.
    coordinates : callable, optional
        Maps end points of shape (m, n) to the coordinates of shape (m, d) in which they are compared, `tol`
        too. It is for problems whose minima come in continuous families: ``lambda x: problem.value(x)[:,
        None]`` tells the clusters of atoms apart by energy, whatever their position and orientation. Without
        `tol` the box of the problem is not used then.

    Returns
    -------
    Basins
        Attractors sorted by value, and by position where values agree within their accuracy.

    Raises
    ------
    TypeError
        If `result` is not what `minimize` returns.
    ValueError
        If `tol` is not positive and finite or has the wrong shape, or `coordinates` returns something
        unusable.

    Warns
    -----
    RuntimeWarning
        If end points are too blurred to be told apart at `tol`, and a larger one was used for them.

    Notes
    -----
    Without `tol` and `coordinates`, and for up to 512 parameters, a group is looked at again where the gradient between
    two of its ends is steeper than at both. Newton's method, from some of its ends, tells which critical points they
    mean. Where two points are more than four times as far apart as the ends from them, and no curvature there is zero,
    the group is split, at a tolerance of at most a sixteenth of their distance that has the ends of one point on one
    side and those of the other on the other; then its parts are looked at. Ends that were stopped on their way go with
    the point that they mean or the nearest, and curves and plateaus stay whole. `Basins.tol` is the finest tolerance
    used.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.make("himmelblau")
    >>> runs = gd.minimize(problem, problem.sample(1000, seed=0), gd.Adam(lr=0.05), gtol=1e-8)
    >>> basins = gd.find_basins(runs)
    >>> basins.x.round(4)
    array([[-3.7793, -3.2832],
           [-2.8051,  3.1313],
           [ 3.    ,  2.    ],
           [ 3.5844, -1.8481]])
    >>> int(basins.counts.sum())
    1000
    """
    if not all(hasattr(result, name) for name in ("x", "fun", "grad_norm", "nit", "status")):
        raise TypeError(f"result must be what minimize returns, not {described(result)}{_instead_of(result)}")
    check_grouping(tol, coordinates, np.shape(result.x)[-1])
    return gathered([result], tol, coordinates)


def gathered(
    results: list[Result],
    tol: ArrayLike | None,
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    own: bool = False,
) -> Basins:
    """Gather ends as `find_basins` does, of the one result in a list, which is taken from there.

    Where the result is the caller's `own`, which nobody else looks at, its `x`, `fun` and `grad_norm` are overwritten
    and given up on the way, and no copy is made.
    """
    result = results.pop()
    shape, kind, problem = np.shape(result.status), np.asarray(result.x).dtype, getattr(result, "problem", None)
    drawn = any(getattr(result, name, None) is not None for name in PER_RUN)
    optimizer, start_range = getattr(result, "optimizer", None), getattr(result, "start_range", None)
    has_rate = optimizer is None or hasattr(optimizer, "lr")
    ends = np.asarray(result.x).reshape(-1, np.shape(result.x)[-1])
    fun, grad_norm, nit, status = (
        np.asarray(a).reshape(-1) for a in (result.fun, result.grad_norm, result.nit, result.status)
    )
    del result
    good = np.isfinite(fun)
    for column in ends.T:
        good &= np.isfinite(column)
    settled = np.logical_or.reduce([status == code for code in _SETTLED_STATUS])
    diverged = (status == _DIVERGED_STATUS) | (settled & ~good)
    good &= settled
    del settled
    away = np.flatnonzero(~good)
    lost = lost_ends(ends, fun, nit, status, away, np.where(diverged[away], DIVERGED, UNSETTLED))
    del away

    x = _kept(ends, good, own)
    del ends, column
    fun = _kept(fun, good, own)
    steepness = _kept(grad_norm, good, own)
    del grad_norm
    np.nan_to_num(steepness, copy=False, nan=np.inf)
    compared = x if coordinates is None else _mapped(coordinates, x, "the end points")
    region = _region(problem, x, start_range)
    spread = None if coordinates is not None or region is None else region[:, 1] - region[:, 0]
    width = _tolerance(tol, compared, None if coordinates is not None else problem, kind, spread)
    scale = None if region is None else 0.1 * (region[:, 1] - region[:, 0])

    groups, coarsening = interruptible(group_points, compared, width)
    if coarsening > 1:
        warnings.warn(
            "some end points form a cloud too blurred to be told apart at tol; they were grouped at "
            f"{coarsening:g} tol. Lower gtol, so that runs end closer to their minima, or raise tol",
            RuntimeWarning,
            stacklevel=levels_to_caller(),
        )
    split = False
    if tol is None and coordinates is None and problem is not None:
        coarse, eps = width, float(np.finfo(kind).eps)
        groups, width = interruptible(separated, problem, x, steepness, fun, groups, coarse, eps, scale)
        split = width is not coarse
    k = int(groups.max()) + 1 if groups.size else 0
    chosen = representatives(groups, k, steepness, fun, x)
    noise = np.maximum(1e-9, 16 * np.finfo(kind).eps) * np.maximum(
        _size_of_values(problem, fun[chosen], x[chosen]), np.abs(fun[chosen])
    )
    if coordinates is None:
        noise = noise + _rise(problem, x[chosen], steepness[chosen], width)
    ranked = _sorted(fun[chosen], noise, compared[chosen], width)
    rank = np.empty(k, dtype=np.int64)
    rank[ranked] = np.arange(k)
    chosen = chosen[ranked]
    for part in blocks(groups.size):
        groups[part] = rank[groups[part]]
    places, values = x[chosen], fun[chosen]
    del steepness, fun

    radius = farthest_of_group(compared, width, groups, chosen)
    nearest = _nearest_known(problem, coordinates, compared, width, kind, split, spread)
    known = interruptible(_known, nearest, compared, chosen, groups, radius)
    del x, compared
    counts = np.bincount(groups, minlength=k)
    runs = status.size
    labels = groups
    if groups.size < runs:
        labels = np.full(runs, UNSETTLED, dtype=np.int64)
        labels[good] = groups
        labels[diverged] = DIVERGED
    return Basins(
        x=places,
        fun=values,
        labels=labels.reshape(shape),
        counts=counts,
        fractions=counts / max(runs, 1),
        intervals=wilson(counts, runs),
        mean_nit=_steps(labels, nit, k) / np.maximum(counts, 1),
        radius=radius,
        known=known,
        tol=width,
        unsettled=float(np.mean(labels == UNSETTLED)) if runs else 0.0,
        diverged=float(np.mean(labels == DIVERGED)) if runs else 0.0,
        name=str(getattr(problem, "name", None) or ""),
        dtype=kind.name,
        problem=problem,
        drawn=drawn,
        region=region,
        has_rate=has_rate,
        lost=lost,
    )


def _kept(values: NDArray[np.floating], good: NDArray[np.bool_], own: bool) -> NDArray[np.float64]:
    """Return the rows of runs that count, as float64: a copy, or where the array is the caller's own, moved up."""
    if not own:
        return values[good].astype(np.float64, copy=False)
    filled = 0
    for part in blocks(len(values)):
        rows = values[part][good[part]]
        values[filled : filled + len(rows)] = rows
        filled += len(rows)
    return values[:filled].astype(np.float64, copy=False)


def _steps(labels: NDArray[np.int64], nit: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    """Return the steps of all members of each of `count` attractors together."""
    total = np.zeros(count)
    for part in blocks(labels.size):
        settled = labels[part] >= 0
        total += np.bincount(labels[part][settled], weights=nit[part][settled], minlength=count)
    return total


def _instead_of(result: Any) -> str:
    """What to write instead of what is no result."""
    if isinstance(result, Basins):
        return ": these are basins already"
    if isinstance(getattr(result, "basins", None), Basins):
        return ": its basins are found already, as its .basins"
    return "; write find_basins(minimize(problem, x0, optimizer))"


def check_grouping(tol: Any, coordinates: Any, n: int) -> None:
    """Raise unless `find_basins` takes these two; what a function of coordinates returns is seen with its points."""
    if coordinates is not None and not callable(coordinates):
        raise TypeError(
            "coordinates must be a function of points of shape (m, n), such as lambda x: problem.value(x)[:, None], "
            f"got {described(coordinates)}"
        )
    if tol is not None:
        checked_tol(tol, n if coordinates is None else None)


def checked_tol(tol: Any, n: int | None) -> NDArray[np.float64]:
    """Return the tolerance of each of `n` coordinates, or raise; of an unknown number, as it is."""
    given = real_array(tol, "tol")
    if given.ndim > 1 or (n is not None and given.shape not in ((), (n,))):
        raise ValueError(f"tol must be a number or have shape ({'d' if n is None else n},), got shape {given.shape}")
    if not given.size or not bool(np.all(np.isfinite(given) & (given > 0))):
        raise ValueError(f"tol must be positive and finite, got {shown(tol)}; leave it out for a default")
    return given if n is None else np.broadcast_to(given, (n,)).copy()


def _mapped(
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]], x: NDArray[np.float64], what: str
) -> NDArray[np.float64]:
    mapped = real_array(coordinates(x), "what coordinates returned")
    if mapped.ndim != 2 or len(mapped) != len(x) or not mapped.shape[1] or not np.isfinite(mapped).all():
        raise ValueError(
            f"coordinates must map {what} of shape {x.shape} to finite numbers of shape ({len(x)}, d), "
            f"got shape {mapped.shape}"
            + ("" if np.isfinite(mapped).all() else " with NaN or infinite entries")
        )
    return mapped


def _region(problem: Any, x: NDArray[np.float64], starts: Any) -> NDArray[np.float64] | None:
    """Return the box of the problem, or one that holds starts and most ends, shape (n, 2); None if not known."""
    bounds = getattr(problem, "bounds", None)
    if bounds is not None or starts is None:
        return bounds
    low, high = np.asarray(starts, dtype=np.float64).T
    if len(x):  # of the ends some may be on their way to infinity
        ends = np.percentile(x, [_FEW_ENDS, 100.0 - _FEW_ENDS], axis=0)
        low, high = np.minimum(low, ends[0]), np.maximum(high, ends[1])
    side, size = high - low, np.maximum(np.abs(low), np.abs(high))
    side = np.where(side > _SAME_PLACE * size, side, np.maximum(1.0, size))
    return 0.5 * (low + high)[:, None] + 0.5 * side[:, None] * np.array([-1.0, 1.0])


def _size_of_values(problem: Any, fun: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """Return the size of values whose rounding decides nothing: 1, or how much they differ where that is less."""
    if problem is None or len(fun) < 2 or np.abs(fun).max() >= 1.0:
        return 1.0
    from fastgd.landscape.kinds import typical_change

    return min(1.0, max(float(np.ptp(fun)), typical_change(problem, np.median(x, axis=0), np.ptp(x, axis=0))))


def _rise(
    problem: Any, x: NDArray[np.float64], steepness: NDArray[np.float64], tol: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how much the value may change within the tolerance of points, shape (k,)."""
    if problem is None or (tol == tol[0]).all():
        return steepness * tol.max(initial=0.0)
    from fastgd.landscape.curvature import few_gradients

    with np.errstate(invalid="ignore", over="ignore"):
        return np.nan_to_num(np.abs(few_gradients(problem, x) * tol).max(axis=1), nan=np.inf)


def _tolerance(
    tol: ArrayLike | None,
    points: NDArray[np.float64],
    problem: Any,
    dtype: np.dtype[Any],
    spread: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    n = points.shape[1]
    if tol is not None:
        return checked_tol(tol, n)
    rounding = 16 * np.finfo(dtype).eps
    bounds = getattr(problem, "bounds", None)
    side = np.full(n, np.inf) if spread is None else spread
    if bounds is not None:
        side = np.asarray(bounds[:, 1] - bounds[:, 0], dtype=np.float64)
    largest = max(points.max(initial=0.0), -points.min(initial=0.0))
    if np.all(np.isfinite(side) & (rounding * largest <= _RELATIVE_TOL * side)):
        return _RELATIVE_TOL * side
    # One coordinate at a time, as each is copied twice
    size = np.zeros(n)
    for j in range(n if len(points) else 0):  # one coordinate at a time, as each is copied
        size[j] = np.median(np.abs(points[:, j]), overwrite_input=True)
    scale = np.where(np.isfinite(side), side, np.maximum(1.0, size))
    return np.maximum(_RELATIVE_TOL * scale, rounding * size)


def _sorted(
    fun: NDArray[np.float64],
    noise: NDArray[np.float64],
    points: NDArray[np.float64],
    tol: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Order attractors by value, and by position where values agree within `noise`."""
    order = np.argsort(fun, kind="stable")
    apart = np.diff(fun[order]) > np.maximum(noise[order][1:], noise[order][:-1])
    level = np.empty(fun.size, dtype=np.int64)
    level[order] = np.concatenate([[0], np.cumsum(apart)])[: fun.size]
    if fun.size < 2 or apart.all():
        return order
    # Positions that agree within tol are equal at first: rounding in x[0] must not decide before x[1].
    rank, n_ranks = split_at_gaps(np.ascontiguousarray(points.T), tol, level)
    order = np.argsort(rank, kind="stable")
    if n_ranks < fun.size:
        tied = np.flatnonzero((np.bincount(rank) > 1)[rank])
        exact = np.lexsort([*points[tied].T[::-1], rank[tied]])
        order[(np.bincount(rank) > 1)[rank[order]]] = tied[exact]
    return order


def _nearest_known(
    problem: Any,
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None,
    points: NDArray[np.float64],
    tol: NDArray[np.float64],
    dtype: np.dtype[Any],
    split: bool,
    spread: NDArray[np.float64] | None,
) -> Callable[[NDArray[np.float64]], NDArray[np.int64]]:
    """Return a function that tells the nearest known minimum of each point within the tolerance, or -1."""
    minima = getattr(problem, "minima", None)
    if minima is None or len(minima) == 0 or len(points) == 0:
        return lambda points: np.full(len(points), -1, dtype=np.int64)
    from scipy.spatial import cKDTree

    minima = np.asarray(minima, dtype=np.float64)
    # A tight tol tells close attractors apart; end points are not more accurate for that.
    if coordinates is None:
        reach = tol if split else np.maximum(tol, _tolerance(None, points, problem, dtype, spread))
    else:
        minima, reach = _mapped(coordinates, minima, "the known minima"), tol
    tree = cKDTree(minima / reach)

    def nearest(points: NDArray[np.float64]) -> NDArray[np.int64]:
        distance, index = tree.query(points / reach, p=np.inf, distance_upper_bound=1.0 + 1e-9)
        return np.where(np.isfinite(distance), index, -1).astype(np.int64)

    return nearest


def _known(
    nearest: Callable[[NDArray[np.float64]], NDArray[np.int64]],
    points: NDArray[np.float64],
    chosen: NDArray[np.intp],
    groups: NDArray[np.int64],
    radius: NDArray[np.float64],
) -> NDArray[np.int64]:
    known = nearest(points[chosen])
    # A curve of minima is a known one where it passes through it, wherever its representative lies.
    spread = (known < 0) & (radius > 1.0)
    none = np.iinfo(np.int64).max
    first = np.full(known.size, none)
    for part in blocks(groups.size) if spread.any() else ():
        some = part.start + np.flatnonzero(spread[groups[part]])
        hits = nearest(points[some])
        np.minimum.at(first, groups[some], np.where(hits < 0, none, hits))
    return np.where(first < none, first, known)
