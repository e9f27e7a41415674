"""Minima at kinks, where the gradient jumps and does not vanish, as that of |x| at 0.

At such a point no gradient is zero, but their convex hull over any small ball holds zero, and their size does not fall
with the ball's, as it does beside a smooth minimum (gradient sampling: J. V. Burke, A. S. Lewis, M. L. Overton, SIAM
Journal on Optimization 15 (2005) 751, doi:10.1137/030601296). A descent that goes to and fro across the kink is first
led closer to it by BFGS, which also goes on to the minimum where there is a smooth one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastgd.landscape.curvature import few_gradients, few_values

if TYPE_CHECKING:
    from fastgd.problem import Problem

Array = NDArray[np.float64]

MOST_PARAMETERS = 64
# Radii of the balls, in units of the scale of the parameters, and how much the gradient may fall from one to the next
_RADII = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
_FALLS = 2.0
_RISES = 0.05  # of the value over the radius, in parts of the gradients' size
_HOLDS_ZERO = 0.2  # distance of the hull from zero, in parts of the gradients' size
_MOST_STEPS, _BISECTIONS, _FIRST_STEP = 200, 40, 1e-3


def kinks_near(problem: Problem, points: Array, scale: Array, reach: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the minimum at a kink near each of some points, shape (m, n), and whether there is one, shape (m,).

    `scale` has the shape of the points; `reach`, shape (n,), is how far away the kink may lie.
    """
    found, known = points.copy(), np.zeros(len(points), dtype=bool)
    if problem.dim > MOST_PARAMETERS:
        return found, known
    for k, (point, unit) in enumerate(zip(points, scale, strict=True)):
        closer = descended(problem, point, unit)
        if np.all(np.abs(closer - point) <= reach) and is_kink(problem, closer, unit):
            found[k], known[k] = closer, True
    return found, known


def descended(problem: Problem, point: Array, unit: Array) -> Array:
    """Return where BFGS leads from a point, which with a weak line search works at kinks too.

    A. S. Lewis, M. L. Overton, Mathematical Programming 141 (2013) 135, doi:10.1007/s10107-012-0514-2.
    """

    def at(z: Array) -> tuple[float, Array]:
        place = (point + unit * z)[None]
        return float(few_values(problem, place)[0]), few_gradients(problem, place)[0] * unit

    z, inverse = np.zeros(len(point)), np.eye(len(point))
    with np.errstate(all="ignore"):
        f, g = at(z)
        for k in range(_MOST_STEPS):
            way = -inverse @ g
            fall = float(way @ g)
            if not fall < 0.0:
                break
            low, high, t = 0.0, np.inf, 1.0 if k else _FIRST_STEP / float(np.linalg.norm(g))
            for _ in range(_BISECTIONS):
                value, slope = at(z + t * way)
                if not value < f + 1e-4 * t * fall:
                    high = t
                elif float(slope @ way) < 0.9 * fall:
                    low = t
                else:
                    break
                t = 0.5 * (low + high) if high < np.inf else 2.0 * low
            else:
                break
            step, turn = t * way, slope - g
            z, f, g = z + step, value, slope
            along = float(step @ turn)
            if not along > 0.0:
                break
            mixed = np.eye(len(z)) - np.outer(step, turn) / along
            inverse = mixed @ inverse @ mixed.T + np.outer(step, step) / along
    return point + unit * z


def is_kink(problem: Problem, point: Array, unit: Array) -> bool:
    """Whether gradients around a point balance each other, are as large nearby as farther away, and values rise."""
    n = len(point)
    directions = np.random.default_rng(0).uniform(-1.0, 1.0, (4 * n + 16, n))
    sizes = []
    for radius in _RADII:
        around = point + radius * unit * directions
        slopes = few_gradients(problem, around) * unit
        slopes = slopes[np.isfinite(slopes).all(axis=1)]
        if len(slopes) <= n:
            return False
        sizes.append(float(np.median(np.linalg.norm(slopes, axis=1))))
        if len(sizes) < 2 or not 0.0 < sizes[-2] <= _FALLS * sizes[-1] or distance_of_hull(slopes) > _HOLDS_ZERO:
            continue
        with np.errstate(invalid="ignore"):
            rise = few_values(problem, around) - few_values(problem, point[None])
        if float(np.nanmedian(rise)) >= _RISES * radius * sizes[-1]:
            return True
    return False


def distance_of_hull(vectors: Array) -> float:
    """Return how far the convex hull of vectors, shape (m, n), is from zero, in units of their median length."""
    from scipy.optimize import nnls

    unit = vectors / np.median(np.linalg.norm(vectors, axis=1))
    # Weights that are not negative and sum to one, by a row that outweighs the others
    weights, _ = nnls(np.vstack([unit.T, np.full(len(unit), 1e3)]), np.append(np.zeros(unit.shape[1]), 1e3))
    return float(np.linalg.norm(weights @ unit))
