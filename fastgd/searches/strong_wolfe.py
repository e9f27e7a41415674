"""The line search of Moré and Thuente, as MINPACK-2 and SciPy have it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

from fastgd.jit.masks import select, without
from fastgd.jit.options import inlined
from fastgd.schedules.base import number

from .base import LARGEST_STEP, SMALLEST_STEP, LineSearch

__all__ = ["StrongWolfe"]

# MINPACK-2's constants
FARTHER_LOW, FARTHER_HIGH = 1.1, 4.0  # where the next step lies as long as no interval is known
SHRINKING = 0.66  # of an interval in two steps, or else it is halved
NARROWEST = 1e-14  # an interval, relative to its upper end


@inlined
def cubic_root(x, fx, gx, a, f, g):
    """The slope-like quantities ``theta`` and ``gamma >= 0`` of the cubic through two values and two slopes."""
    theta = 3.0 * (fx - f) / (a - x) + gx + g
    s = max(max(abs(theta), abs(gx)), abs(g))
    t, u = theta / s, (gx / s) * (g / s)
    return theta, s * math.sqrt(max(t * t - u, 0.0))


@inlined
def next_step(x, fx, gx, y, fy, gy, a, f, g, in_interval, low, high):
    """MINPACK-2's dcstep: the next step in [low, high], from the best one `x`, the other end `y`, the last one `a`."""
    higher = f > fx
    opposite = ((g > 0.0) & (gx < 0.0)) | ((g < 0.0) & (gx > 0.0))
    flatter = abs(g) < abs(gx)
    right = a > x
    farthest = select(right, high, low)
    theta, gamma = cubic_root(x, fx, gx, a, f, g)

    # the value rose: a minimum lies between; the cubic's, or halfway from there to the quadratic's
    root = select(right, gamma, -gamma)
    cubic = x + ((root - gx) + theta) / (((root - gx) + root) + g) * (a - x)
    quadratic = x + (gx / ((fx - f) / (a - x) + gx)) / 2.0 * (a - x)
    if_higher = select(abs(cubic - x) <= abs(quadratic - x), cubic, cubic + (quadratic - cubic) / 2.0)

    # the slope changed its sign: a minimum lies between; the cubic's or the secant's, whichever is farther from `a`
    root = select(right, -gamma, gamma)
    cubic = a + ((root - g) + theta) / (((root - g) + root) + gx) * (x - a)
    secant = a + g / (g - gx) * (x - a)
    if_opposite = select(abs(cubic - a) > abs(secant - a), cubic, secant)

    # the slope flattened: the cubic may have no minimum beyond `a`
    r = ((root - g) + theta) / ((root + (gx - g)) + root)
    beyond = select((r < 0.0) & (root != 0.0), a + r * (x - a), farthest)
    near, limit = abs(beyond - a) < abs(secant - a), a + SHRINKING * (y - a)
    inner = select(near, beyond, secant)
    inner = select(right, min(inner, limit), max(inner, limit))
    outer = min(max(select(near, secant, beyond), low), high)
    if_flatter = select(in_interval, inner, outer)

    # it did not: the cubic's minimum with the other end, or as far as it goes
    theta, gamma = cubic_root(y, fy, gy, a, f, g)
    root = select(a > y, -gamma, gamma)
    between = a + ((root - g) + theta) / (((root - g) + root) + gy) * (y - a)
    if_steeper = select(in_interval, between, farthest)

    step = select(higher, if_higher, select(opposite, if_opposite, select(flatter, if_flatter, if_steeper)))
    return step, higher, opposite


@dataclasses.dataclass(frozen=True, eq=False)
class StrongWolfe(LineSearch):
    r"""A step at which the value has fallen enough and the slope has flattened enough.

    .. math:: f(x + a d) \le f(x) + c_1\, a\, s, \qquad |d^T \nabla f(x + a d)| \le c_2\, |s|,
              \qquad s = d^T \nabla f(x),

    by the algorithm of Moré and Thuente, in the form of MINPACK-2's ``dcsrch``, which SciPy's CG and BFGS use too.

    Parameters
    ----------
    c1 : float or array_like, default 1e-4
        In (0, 1).
    c2 : float or array_like, default 0.4
        In (0, 1), and above `c1`.  A smaller one asks for steps closer to the minimum along the direction.

    References
    ----------
    J. J. Moré, D. J. Thuente, Line search algorithms with guaranteed sufficient decrease (1994),
    doi:10.1145/192115.192132.

    Examples
    --------
    >>> import fastgd as gd
    >>> search = gd.StrongWolfe(c2=0.1)
    >>> run = gd.minimize(gd.problems.rosenbrock(dim=2), [-1.2, 1.0], gd.ConjugateGradient(line_search=search))
    >>> run.x.round(6)
    array([1., 1.])
    """

    c1: Any = number(1e-4, 0.0, 1.0, above=True, below=True)
    c2: Any = number(0.4, 0.0, 1.0, above=True, below=True)

    memory: ClassVar[int] = 14

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_order("c1", "c2")

    @staticmethod
    def begin(p: Any, f: Any, slope: Any, a: Any) -> Any:
        ends = 0.0, f, slope, 0.0, f, slope
        return (*ends, 0.0, (1.0 + FARTHER_HIGH) * a, LARGEST_STEP, 2.0 * LARGEST_STEP, 0.0, 0.0, f, slope), a

    @staticmethod
    def advance(p: Any, m: Any, a: Any, f: Any, slope: Any) -> Any:
        c1, c2 = p
        x, fx, gx, y, fy, gy, low, high, width, width_before, found, second, f0, slope0 = m
        in_interval, g, promised = found > 0.5, slope, c1 * slope0
        limit = f0 + a * promised
        enough = f <= limit
        second = select(enough & (g >= 0.0), 1.0, second)
        accepted = enough & (abs(g) <= c2 * abs(slope0))
        stuck = in_interval & ((a <= low) | (a >= high) | (high - low <= NARROWEST * high))
        at_end = ((a >= LARGEST_STEP) & enough) | ((a <= SMALLEST_STEP) & ((f > limit) | (g >= promised)))

        # the first stage looks at the function less the promised fall, as long as that has a lower value
        tilt = select((second < 0.5) & (f <= fx) & (f > limit), promised, 0.0)
        step, higher, opposite = next_step(
            x, fx - x * tilt, gx - tilt, y, fy - y * tilt, gy - tilt, a, f - a * tilt, g - tilt, in_interval,
            low, high,
        )
        crossed = without(opposite, higher)
        y = select(higher, a, select(crossed, x, y))
        fy = select(higher, f, select(crossed, fx, fy))
        gy = select(higher, g, select(crossed, gx, gy))
        x, fx, gx = select(higher, x, a), select(higher, fx, f), select(higher, gx, g)
        in_interval = in_interval | higher | opposite

        wide = abs(y - x)
        step = select(in_interval & (wide >= SHRINKING * width_before), x + 0.5 * (y - x), step)
        width_before, width = select(in_interval, width, width_before), select(in_interval, wide, width)
        low = select(in_interval, min(x, y), step + FARTHER_LOW * (step - x))
        high = select(in_interval, max(x, y), step + FARTHER_HIGH * (step - x))
        step = min(max(step, SMALLEST_STEP), LARGEST_STEP)
        exhausted = (step <= low) | (step >= high) | (high - low <= NARROWEST * high)
        step = select(in_interval & exhausted, x, step)
        ends = x, fx, gx, y, fy, gy
        found = select(in_interval, 1.0, found)
        return (*ends, low, high, width, width_before, found, second, f0, slope0), step, accepted, stuck | at_end
