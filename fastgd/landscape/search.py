"""The steps of one search for critical points: to zeros of the gradient, told apart, and down from saddles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.clusters import group_points, split_at_gaps
from fastgd.boxes import box_scale, real_array
from fastgd.landscape.curvature import few_values, length_scale
from fastgd.landscape.kinds import judged, typical_change
from fastgd.landscape.stationary import Array, Derivatives, descend, polish

# What is left of Newton's step, in the scale of the parameters, where a point counts as found
_FOUND = 1e-8
_FLAT_GRADIENT = 1e-8
_RELATIVE_TOL = 1e-5
_FIRST_STEP = 1e-3
_FAR = 1e10


@dataclass(frozen=True)
class Pool:
    """Stationary points, merged or not: where, how exact, of which kind, and from which start."""

    x: Array
    error: Array
    kind: NDArray[np.str_]
    index: NDArray[np.int64]
    source: NDArray[np.intp]

    def with_more(self, other: Pool) -> Pool:
        return Pool(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__))


@dataclass(frozen=True)
class Search:
    """What all steps of one search share."""

    problem: Any
    derivatives: Derivatives
    method: str
    zero_modes: int
    coordinates: Callable[[Array], Array] | None
    tol: ArrayLike | None
    units: Array  # of the derivatives
    scale: Array | None  # of a problem without a box

    def kept(self, ends: Array) -> tuple[Pool, dict[str, int]]:
        """Polish points and keep those that are stationary, inside the box and finite; and count why others are not."""
        with np.errstate(all="ignore"):
            z, error, slope, values = polish(self.derivatives, ends / self.units)
            x, g = z * self.units, slope / self.units
            scale = (length_scale(self.problem, x, self.scale) / self.units).max(axis=1)
            top = np.abs(values).max(axis=1, initial=0.0)
            # Where the Hessian is singular along the gradient, Newton's step is zero and the gradient need not be.
            zero = (error <= _FOUND * scale) & (np.abs(slope).max(axis=1) <= _FLAT_GRADIENT * top * scale)
        finite: NDArray[np.bool_] = np.isfinite(np.concatenate([x, g], axis=1)).all(axis=1)
        inside = np.ones(len(x), dtype=bool)
        if self.problem.bounds is not None:
            low, high = self.problem.bounds.T
            inside = np.all((x >= low - 1e-9 * (high - low)) & (x <= high + 1e-9 * (high - low)), axis=1)
        # A derivative may go on where the function does not, as that of a logarithm does.
        asked = np.flatnonzero(finite & zero & inside)
        finite[asked] = np.isfinite(few_values(self.problem, x[asked]))
        source = np.flatnonzero(finite & zero & inside)
        _, (kind, index, _) = judged(
            self.problem, x[source], g[source], self.method, self.zero_modes, self.derivatives.rtol, self.scale
        )
        critical = kind != "not critical"
        counts = {
            "not finite": ~finite, "outside": finite & ~inside, "on the way": finite & inside & ~zero,
            "not critical": ~critical,
        }  # fmt: skip
        lost = {why: int(np.count_nonzero(which)) for why, which in counts.items() if which.any()}
        source, kind, index = source[critical], kind[critical], index[critical]
        error = (error[:, None] * self.units).max(axis=1)
        return Pool(x[source], error[source], kind, index, source), lost

    def grouped(self, pool: Pool) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Return the group of each point and the most exact point of each group."""
        compared = pool.x if self.coordinates is None else np.asarray(self.coordinates(pool.x), dtype=np.float64)
        if compared.ndim != 2 or len(compared) != len(pool.x) or not np.isfinite(compared).all():
            raise ValueError(
                f"coordinates must map points of shape {pool.x.shape} to finite numbers of shape "
                f"({len(pool.x)}, d), got shape {compared.shape}"
            )
        width = self.width(compared)
        apart = np.column_stack([compared, 2.0 * pool.index])
        groups, _ = group_points(apart, np.append(width, 1.0))
        order = np.lexsort((np.arange(len(groups)), pool.error, groups))
        first = np.searchsorted(groups[order], np.arange(groups.max(initial=-1) + 1))
        return groups, order[first]

    def width(self, compared: Array) -> Array:
        d = compared.shape[1]
        if self.tol is not None:
            given = real_array(self.tol, "tol")
            if given.shape not in ((), (d,)) or not bool(np.all(np.isfinite(given) & (given > 0))):
                raise ValueError(f"tol must be positive and finite, a number or of shape ({d},), got {self.tol!r}")
            return np.broadcast_to(given, (d,))
        if self.coordinates is None:
            side = self.scale if self.problem.bounds is None else box_scale(self.problem.bounds)
            assert side is not None
            return 10.0 * _RELATIVE_TOL * side
        size = np.median(np.abs(compared), axis=0) if len(compared) else np.zeros(d)
        return _RELATIVE_TOL * np.maximum(1.0, size)

    def below(self, pool: Pool, saddles: NDArray[np.intp]) -> Array:
        """Return where the two lines of steepest descent from each saddle end, one side after the other."""
        x = pool.x[saddles] / self.units
        _, values, vectors = self.derivatives.at(x)
        lowest = vectors[:, :, 0]
        scale = length_scale(self.problem, pool.x[saddles], self.scale) / self.units
        reach = _FIRST_STEP * scale.min(axis=1, initial=np.inf)
        starts = np.concatenate([x + reach[:, None] * lowest, x - reach[:, None] * lowest])
        with np.errstate(all="ignore"):
            return descend(self.derivatives, starts, np.tile(10.0 * reach, 2), self.gone) * self.units

    def gone(self, z: Array) -> NDArray[np.bool_]:
        """Tell which points have left the box by more than its width, from where a descent seldom comes back."""
        if self.problem.bounds is None:
            return np.abs(z).max(axis=1) > _FAR
        x, (low, high) = z * self.units, self.problem.bounds.T
        return np.any((x < 2.0 * low - high) | (x > 2.0 * high - low), axis=1)

    def sorted(self, pool: Pool, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the order of groups by value, and by position where values agree within rounding."""
        x = pool.x[chosen]
        fun = self.problem.value(x)
        change = typical_change(self.problem, None, self.scale) if self.problem.bounds is not None else np.inf
        noise = 1e-10 * max(min(1.0, change), float(np.abs(fun).max(initial=0.0)))
        columns = np.concatenate([fun[None], x.T])
        tol = np.concatenate([[noise], 1e-9 * self.units])
        return np.argsort(split_at_gaps(columns, tol)[0], kind="stable") if len(x) else np.zeros(0, dtype=np.intp)
