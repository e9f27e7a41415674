r"""Kinks within the steps of a gradient check, told from wrong gradients by one-sided differences.

Central differences across a kink converge to the mean of the slopes on both sides, which is no gradient. Their second
difference :math:`f(x + h) - 2 f(x) + f(x - h)` then falls like h, where a smooth function's falls like :math:`h^2`. So
steps are halved further, until they lie on one side of the kink or the two sides' slopes stay apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["closer_look", "is_vertical", "noise_of"]

_EPS = float(np.finfo(np.float64).eps)
_LEVELS = 44  # halvings of the first step
_LAST = 6  # levels that tell the noise of the function
# Second differences of a smooth function fall to 1/1024 with five halvings, across a kink to 1/32; noise stays
_FALL = 1 / 180
# The difference of the slopes over three halvings: 1/8 where the function is smooth, near 1 across a kink
_APART = 0.2


def noise_of(second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the size of what is not smooth in values at the last steps, from second differences (levels, m, n).

    It is 0 where second differences fall as a smooth function's do, and not less than at half of all places.
    """
    with np.errstate(invalid="ignore"):
        before, last = (np.fmax.reduce(np.abs(part)) for part in (second[-8:-5], second[-3:]))
        noise = np.where(last > _FALL * before, np.fmax.reduce(np.abs(second[-_LAST:])), 0.0)
    return np.maximum(noise, np.percentile(noise, 50, method="lower"))


def is_vertical(quotient: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where a gradient is infinite and central differences (levels, ...) grow towards it as the step shrinks."""
    with np.errstate(invalid="ignore"):
        grows = np.all(np.abs(quotient[1:]) > 1.05 * np.abs(quotient[:-1]), axis=0)
        return np.isinf(gradient) & grows & (np.sign(quotient[-1]) == np.sign(gradient))


class Slopes(NamedTuple):
    """The slopes on both sides of a point, equal where no kink is seen."""

    low: float
    high: float
    uncertainty: float
    steady: bool  # the slopes' difference does not grow as the step shrinks, as it does where values are noisy

    def allow(self, slope: float) -> bool:
        """Tell whether a gradient is one of the slopes or between; NaN is where they differ."""
        if np.isnan(slope):
            return self.low < self.high
        return self.low - self.uncertainty <= slope <= self.high + self.uncertainty


def closer_look(
    problem: Any, point: NDArray[np.float64], part: int, first: float, error: float, rtol: float
) -> Slopes | None:
    """Return the slopes on both sides by steps far smaller than those of the central differences.

    Parameters
    ----------
    problem : Problem
        Its `value` is asked.
    point : ndarray, shape (n,)
        The point.
    part : int
        The component.
    first : float
        The first step.
    error : float
        What has to be told: how far the gradient is from central differences. NaN or 0 for the difference of the
        slopes at coarse steps.
    rtol : float
        Relative error that passes.

    Returns
    -------
    Slopes or None
        None where rounding or noise leaves it open.
    """
    right, left, steps, middle = _both_sides(problem, point, part, first)
    with np.errstate(invalid="ignore", over="ignore"):
        above, below = (right - middle) / steps[0], (middle - left) / steps[1]
        jump = np.abs(above - below)
        size = np.maximum(abs(middle), np.maximum(np.abs(right), np.abs(left)))
    # Values that do not change at all are those of a staircase, as of float32
    if not np.isfinite(jump).all() or np.all((right == middle)[-9:] & (left == middle)[-9:]):
        return None
    rounding = 4.0 * _EPS * size / steps.min(axis=0)
    coarse = float(np.median(jump[:8]))
    wanted = error if np.isfinite(error) and error > 0.0 else coarse
    resolved = np.flatnonzero(rounding <= 0.1 * wanted)
    resolved = resolved[resolved >= 3]
    if resolved.size == 0:
        return None
    steady = bool(jump[resolved].max() <= 4.0 * coarse)
    k = _balanced(jump + rounding, int(resolved[0]), int(resolved[-1]))
    if jump[k] > max(_APART * jump[k - 3], 4.0 * rounding[k]):  # the slopes of both sides stay apart
        # As close to the kink as rounding and noise allow
        close = resolved[(rounding[resolved] <= 1e-3 * jump[k]) & (jump[resolved] <= 1.1 * jump[k])]
        k = int(max(close, default=k))
        low, high = sorted((float(above[k]), float(below[k])))
        blur = 2.0 * rounding[k]
    else:
        if jump[k] + rounding[k] > 0.2 * wanted:
            return None
        low = high = 0.5 * float(above[k] + below[k])
        blur = 2.0 * rounding[k] + 0.5 * jump[k]
    return Slopes(low, high, float(blur + rtol * max(abs(low), abs(high))), steady)


def _balanced(cost: NDArray[np.float64], first: int, k: int) -> int:
    """Return the level at which the cost stops falling, from the finest one to coarser ones."""
    while k > first:
        coarser = np.arange(max(first, k - 3), k)
        best = int(coarser[np.argmin(cost[coarser])])
        if cost[best] >= cost[k]:
            break
        k = best
    return k


def _both_sides(
    problem: Any, point: NDArray[np.float64], part: int, first: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Return values to the right and left at halved steps, these steps of both sides, and the value at the point."""
    steps = first * 0.5 ** np.arange(_LEVELS)
    steps = steps[steps > 64.0 * _EPS * abs(point[part])]
    count = steps.size
    stencil = np.repeat(point[None], 2 * count + 1, axis=0)
    stencil[:count, part] += steps
    stencil[count:-1, part] -= steps
    value = np.asarray(problem.value(stencil), dtype=np.float64)
    # As the point has only so many digits, the steps taken differ from those asked for
    taken = np.abs(stencil[:-1, part] - point[part]).reshape(2, count)
    return value[:count], value[count:-1], taken, float(value[-1])
