"""What the second derivatives say about points: minimum, saddle, maximum, or none of them, and when that is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastgd.boxes import units_of
from fastgd.guards import unremarkable_points
from fastgd.landscape.curvature import checked_hessians, few_gradients, hessians, length_scale
from fastgd.landscape.eigen import eigh, eigvalsh
from fastgd.landscape.stationary import from_basis, in_basis

if TYPE_CHECKING:
    from fastgd.problem import Problem

KINDS = ("minimum", "saddle", "maximum", "degenerate", "flat", "not critical", "kink", "undecided", "undefined")
RTOL = {"derived": 1e-10, "differences": 1e-7}
_RESOLUTION = 1e-8
_NEAR = 1e-3
_CRITICAL = 1e-2
_ASIDE = 0.1
_UNSURE = 4.0  # times the error of differences
# So many steps aside, but not nearer than this part of the scale, slope and curvature at a pole have fallen to these
_STEPS_ASIDE, _LEAST_ASIDE = 100.0, 1e-6
_SLOPE_LEFT, _CURVATURE_LEFT = 0.25, 0.01


def symmetric_eigenvalues(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ascending eigenvalues of matrices of shape (m, n, n); NaN for those that are not finite."""
    finite = np.isfinite(matrices).all(axis=(1, 2))
    out = np.full(matrices.shape[:2], np.nan)
    out[finite] = eigvalsh(matrices[finite])
    return out


def eigensystems(matrices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what `symmetric_eigenvalues` returns, and the eigenvectors as columns."""
    finite = np.isfinite(matrices).all(axis=(1, 2))
    values, vectors = np.full(matrices.shape[:2], np.nan), np.full(matrices.shape, np.nan)
    values[finite], vectors[finite] = eigh(matrices[finite])
    return values, vectors


def without_smallest(eigenvalues: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Leave out of each row the `count` eigenvalues smallest in absolute value, and keep the order."""
    if count == 0:
        return eigenvalues
    kept = np.sort(np.argsort(np.abs(eigenvalues), axis=-1, kind="stable")[..., count:], axis=-1)
    return np.take_along_axis(eigenvalues, kept, axis=-1)


def judged(
    problem: Problem,
    points: NDArray[np.float64],
    gradient: NDArray[np.float64],
    source: str,
    zero_modes: int,
    rtol: float,
    given: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]]:
    """Return all eigenvalues at points of shape (m, n), and kind, index and nullity.

    Both are judged in units of the scale, that of `length_scale`, for a problem without a box the one `given`, so that
    kinds do not depend on what the parameters are measured in; the eigenvalues are those in the parameters themselves.

    A point is not quite where the gradient is zero, and is known to about a hundred-millionth of its scale at best.
    Where the Hessian changes by as much as an eigenvalue over that distance, the eigenvalue may as well be zero: in the
    middle of a monkey saddle, or along a curve of minima that a descent has nearly reached.
    """
    scale = length_scale(problem, points, given)
    units = units_of(scale)
    here, error, part = checked_hessians(problem, points, source, scale)
    eigenvalues, vectors = eigensystems(here)
    top = largest(eigenvalues)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = gradient * units
        way = np.nan_to_num(np.clip(slope / top, -_NEAR * scale / units, _NEAR * scale / units)) * units
    # The cosines are a direction along which no simple function is symmetric.
    aside = points - way + np.cos(np.arange(problem.dim)) * _RESOLUTION * scale
    square = units[:, :, None] * units[:, None, :]
    sure = error <= rtol * top
    change = np.zeros_like(error)
    if sure.any():
        with np.errstate(invalid="ignore", over="ignore"):
            there = hessians(problem, aside, source, part * scale) * square
            change = np.linalg.norm(np.nan_to_num(there - here, posinf=0.0, neginf=0.0), axis=(1, 2))[:, None]
    kept = without_smallest(eigenvalues, zero_modes)
    limit = np.maximum(rtol * largest(kept), np.where(sure, change, 0.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # A slope where the curvature is as good as none is rounding, or there is no critical point in its reach
        least = np.maximum(np.abs(eigenvalues), np.maximum(limit, np.nan_to_num(error)))
        components = in_basis(vectors, slope)
        components = np.where(components == 0.0, 0.0, components / least)
        endless = np.isinf(components)
        step = from_basis(vectors, np.where(endless, 0.0, components)) * units
    far = is_far(step, scale) | np.any(endless, axis=1)
    far |= is_beside_pole(problem, points, step, gradient, here, source, scale)
    kinds = kinds_of(kept, kept, limit, far, is_flat(problem, points, slope, top, given))
    with np.errstate(invalid="ignore"):
        doubtful: NDArray[np.bool_] = ~sure[:, 0] & (np.abs(kept) <= _UNSURE * error).any(axis=1)
    kinds[0][doubtful & ~np.isin(kinds[0], ("undefined", "flat"))] = "undecided"
    here = here / square
    return without_smallest(symmetric_eigenvalues(here), zero_modes), kinds


def is_beside_pole(
    problem: Problem,
    points: NDArray[np.float64],
    step: NDArray[np.float64],
    gradient: NDArray[np.float64],
    here: NDArray[np.float64],
    source: str,
    scale: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether the slope becomes infinite next to points, shape (m, n), as that of a square root at 0.

    There Newton's step is as short as the way to the pole, as if a zero of the gradient were near; but slope and
    curvature, `here` of shape (m, n, n) in units of `scale`, fall on all sides where they are defined, and beside a
    zero the slope rises.
    """
    units = units_of(scale)
    square = units[:, :, None] * units[:, None, :]
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.nan_to_num(np.abs(step / scale).max(axis=1, keepdims=True))
        aside = np.clip(_STEPS_ASIDE * steps, _LEAST_ASIDE, 1.0) * np.cos(np.arange(problem.dim)) * scale
        sides = (points - aside, points + aside)
        slope, curvature = np.linalg.norm(gradient * units, axis=1), np.linalg.norm(here, axis=(1, 2))
        around = np.array([np.linalg.norm(few_gradients(problem, side) * units, axis=1) for side in sides])
        known = np.isfinite(around)
        pole = known.any(axis=0) & np.all(~known | (around < _SLOPE_LEFT * slope), axis=0)
        asked = np.flatnonzero(pole)
        if asked.size:
            beside = [hessians(problem, side[asked], source, scale[asked]) * square[asked] for side in sides]
            curved = np.array([np.linalg.norm(each, axis=(1, 2)) for each in beside])
            pole[asked] = np.all(~known[:, asked] | ~(curved > _CURVATURE_LEFT * curvature[asked]), axis=0)
    return pole


def is_far(step: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether steps, shape (m, n), lead farther than attractors are told apart by."""
    with np.errstate(invalid="ignore"):
        return np.any(np.abs(step) > _CRITICAL * scale, axis=1)


def is_flat(
    problem: Problem,
    points: NDArray[np.float64],
    slope: NDArray[np.float64],
    top: NDArray[np.float64],
    given: NDArray[np.float64] | None = None,
) -> NDArray[np.bool_]:
    """Whether slope and curvature around points, shape (m, n), change the value by no more than rounding.

    `slope`, shape (m, n), and `top`, shape (m, 1), the largest absolute eigenvalue, are those in units of `scale`. The
    rounding is that of 1, as the tolerances of `minimize` are made for values of that size, or of the largest change at
    these points and at a typical place, if less.
    """
    scale = length_scale(problem, points, given)
    units = units_of(scale)

    def change(slopes: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(slopes * lengths).max(axis=1)

    with np.errstate(invalid="ignore", over="ignore"):
        around = change(slope, scale / units) + 0.5 * top[:, 0] * (scale / units).max(axis=1) ** 2
        # Many places have a larger one than any end of a descent, and some are near a pole
        typical = typical_change(problem, points.mean(axis=0) if len(points) else None, given)
        size = np.max(around, initial=typical, where=np.isfinite(around))
        rounding = float(np.finfo(np.float64).eps) * min(1.0, size)
        flat = around <= rounding
        # Where slope and curvature are zero, as at the minimum of a fourth power, a step aside tells
        asked = np.flatnonzero(flat)
        aside = _ASIDE * np.cos(np.arange(problem.dim)) * scale[asked]
        for beside in (points[asked] - aside, points[asked] + aside):
            flat[asked] &= change(few_gradients(problem, beside), scale[asked]) <= rounding
    return flat


def typical_change(
    problem: Problem, middle: NDArray[np.float64] | None, given: NDArray[np.float64] | None
) -> float:
    """Return by how much the value changes over a tenth of the side of the box, or over what is `given`, (n,), in it.

    Without a box it is in one around `middle` with ten times the sides that are given.
    """
    box = problem.bounds
    if box is None and given is not None and middle is not None and np.all(given > 0):
        box = np.stack([middle - 5.0 * given, middle + 5.0 * given], axis=1)
    places = np.array(unremarkable_points(problem.dim, box, 9, spread=1.0))
    with np.errstate(invalid="ignore", over="ignore"):
        slopes = few_gradients(problem, places) * length_scale(problem, places, given)
    return float(np.median(np.nan_to_num(np.abs(slopes).max(axis=1))))


def largest(eigenvalues: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest absolute eigenvalue of each point, shape (m, 1)."""
    return np.abs(eigenvalues).max(axis=-1, keepdims=True, initial=0.0)


def kinds_of(
    lowest: NDArray[np.float64],
    eigenvalues: NDArray[np.float64],
    limit: NDArray[np.float64],
    far: NDArray[np.bool_],
    flat: NDArray[np.bool_],
) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
    """Return kind, index and nullity, each of shape (m,); up to `limit`, shape (m, 1), eigenvalues count as zero.

    Points that are `far` from a zero of the gradient, shape (m,), are not critical, and others may be `flat`.
    `lowest` holds all eigenvalues up to the first positive one; `eigenvalues` may leave out a middle.
    """
    with np.errstate(invalid="ignore"):
        index = np.count_nonzero(lowest < -limit, axis=-1)
        nullity = np.count_nonzero(np.abs(lowest) <= limit, axis=-1)
        rising = (eigenvalues > limit).any(axis=-1)
    kind = np.select(
        [
            np.isnan(eigenvalues).any(axis=-1),
            flat,
            far,
            (index > 0) & rising,
            nullity > 0,
            index > 0,
        ],
        ["undefined", "flat", "not critical", "saddle", "degenerate", "maximum"],
        "minimum",
    )
    return kind.astype("<U12"), index.astype(np.int64), nullity.astype(np.int64)
