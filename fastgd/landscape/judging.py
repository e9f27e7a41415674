"""Kinds of points by all eigenvalues or by those at both ends of the spectrum, and minima at kinks among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.boxes import units_of
from fastgd.landscape.curvature import extreme_eigenvalues, few_gradients, few_values, hessians, length_scale
from fastgd.landscape.kinds import is_far, is_flat, judged, kinds_of, largest, symmetric_eigenvalues, without_smallest
from fastgd.landscape.kinks import kinks_near

if TYPE_CHECKING:
    from fastgd.problem import Problem

_KINKS_ASKED = 50
_KINK_REACH = 1e-2  # of the scale: a thousandth of the side of the box


def judged_everywhere(
    problem: Problem, x: NDArray[np.float64], source: str, zero_modes: int, rtol: float,
    scale: NDArray[np.float64] | None, ends: int | None,
) -> tuple[NDArray[Any], ...]:  # fmt: skip
    """Return eigenvalues, norm of the gradient, kind, index and nullity at points of shape (m, n).

    With `ends` the eigenvalues are so many at each end of the spectrum.
    """
    gradient = few_gradients(problem, x)
    if ends is None:
        eigenvalues, (kind, index, nullity) = judged(problem, x, gradient, source, zero_modes, rtol, scale)
    else:
        units = units_of(length_scale(problem, x, scale))
        eigenvalues, lowest = _both_ends(problem, x, ends, zero_modes, rtol)
        seen = eigenvalues * units[:, :1] ** 2
        lowest = lowest * units[:, :1] ** 2
        if (units != units[:, :1]).any():
            seen, lowest = _both_ends(problem, x, ends, zero_modes, rtol, units)
        top, slope = largest(seen), gradient * units
        step = np.divide(slope, top, where=top > 0, out=np.zeros_like(slope)) * units
        far, flat = is_far(step, length_scale(problem, x, scale)), is_flat(problem, x, slope, top, scale)
        kind, index, nullity = kinds_of(lowest, seen, rtol * top, far, flat)
    with np.errstate(invalid="ignore"):
        grad_norm = np.abs(gradient).max(axis=1)
    value = few_values(problem, x)
    kind[~(np.isfinite(value) & np.isfinite(grad_norm))] = "undefined"
    sides = length_scale(problem, x, scale)
    asked = np.flatnonzero(np.isfinite(value) & np.isin(kind, ("undefined", "not critical", "undecided")))
    asked = asked[:_KINKS_ASKED]
    if asked.size:
        at_kink = kinks_near(problem, x[asked], sides[asked], _KINK_REACH * sides[asked].max(axis=0))[1]
        kind[asked[at_kink]] = "kink"
    if problem.bounds is None and scale is None:
        clear = ("minimum", "saddle", "maximum")
        vague = np.flatnonzero(np.isin(kind, ("degenerate", "undecided", "flat")))
        size = np.abs(x).max(axis=0, initial=0.0, where=np.isfinite(x))
        if vague.size and ends is None and ((size > 0) & (size < 1.0)).any():
            own = np.where(size > 0, size, 1.0)
            again = judged_everywhere(problem, x[vague], source, zero_modes, rtol, own, None)
            better = np.isin(again[2], clear)
            for whole, part in zip((eigenvalues, grad_norm, kind, index, nullity), again, strict=True):
                whole[vague[better]] = part[better]
    return eigenvalues, grad_norm, kind, index, nullity


def _both_ends(
    problem: Any,
    points: NDArray[np.float64],
    ends: int,
    zero_modes: int,
    rtol: float,
    units: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues at both ends, and all up to the first positive one (padded by it) at the lower end.

    With `units`, shape (m, n), they are those of the function of the parameters in these units.
    """
    n = problem.dim
    count = ends + zero_modes
    shown, lower = [], []
    for k, point in enumerate(points):
        own = None if units is None else units[k]
        more = count if np.isfinite(problem.gradient(point)).all() else n
        while True:
            if 2 * more >= n:
                square = 1.0 if own is None else own[:, None] * own
                every = symmetric_eigenvalues(hessians(problem, point[None], "differences") * square)
                low = without_smallest(every, zero_modes)[0]
                high = low[-ends:]
                break
            low, high = extreme_eigenvalues(problem, point, more, rtol, own)
            limit = rtol * max(abs(low[0]), abs(high[-1]))
            if np.count_nonzero(low > limit) or not np.isfinite(low).all():
                zeros = int(np.count_nonzero(np.abs(low) <= limit))
                low = without_smallest(low[None], min(zero_modes, zeros))[0]
                break
            more *= 2
        shown.append(np.concatenate([low[:ends], high[-ends:]]))
        lower.append(low)
    width = max((len(low) for low in lower), default=0)
    padded = [np.concatenate([low, np.full(width - len(low), np.inf)]) for low in lower]
    return np.array(shown).reshape(-1, 2 * ends), np.array(padded).reshape(-1, width)
