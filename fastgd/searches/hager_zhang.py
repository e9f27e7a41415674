"""The line search of Hager and Zhang's CG_DESCENT."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from fastgd.jit.masks import select, without
from fastgd.jit.options import inlined
from fastgd.schedules.base import number

from .base import LARGEST_STEP, LineSearch

__all__ = ["HagerZhang"]

# The paper's constants
FARTHER = 5.0  # rho, the factor of steps as long as no interval is known
SHRINKING = 0.66  # gamma, of an interval in two secant steps, or else it is halved
BRACKETING, FIRST_SECANT, SECOND_SECANT, HALF = 0.0, 1.0, 2.0, 3.0  # what the step that is being tried was chosen by


@inlined
def secant(a, ga, b, gb):
    """Where the line through the slopes at `a` and `b` is zero."""
    return (a * gb - b * ga) / (gb - ga)


@dataclasses.dataclass(frozen=True, eq=False)
class HagerZhang(LineSearch):
    r"""A step that meets the Wolfe conditions, or the approximate ones, which rounding does not hide near a minimum.

    With :math:`\phi(a) = f(x + a d)`, a step is taken if

    .. math:: \phi(a) - \phi(0) \le \delta\, a\, \phi'(0), \qquad \phi'(a) \ge \sigma\, \phi'(0),

    or if

    .. math:: (2 \delta - 1)\, \phi'(0) \ge \phi'(a) \ge \sigma\, \phi'(0),
              \qquad \phi(a) \le \phi(0) + \epsilon\, |\phi(0)|.

    The first inequality compares two values whose difference is lost once it is below the rounding of :math:`f`; the
    third compares slopes, which are still right there.  So a descent can come about as close as the gradient is
    exact, where `StrongWolfe` stops at about the square root of the rounding.  The interval is narrowed by pairs of
    secant steps.

    Parameters
    ----------
    delta : float or array_like, default 0.1
        In (0, 0.5).
    sigma : float or array_like, default 0.9
        In (0, 1), and above `delta`.
    epsilon : float or array_like, default 1e-6
        How much the value may rise, relative to its size, >= 0.

    References
    ----------
    W. W. Hager, H. Zhang, A new conjugate gradient method with guaranteed descent and an efficient line search (2005),
    doi:10.1137/030601880; Algorithm 851: CG_DESCENT (2006), doi:10.1145/1132973.1132979.

    Examples
    --------
    >>> import fastgd as gd
    >>> optimizer = gd.ConjugateGradient("HZ", line_search=gd.HagerZhang())
    >>> run = gd.minimize(gd.problems.rosenbrock(dim=2), [-1.2, 1.0], optimizer, gtol=1e-12)
    >>> bool(run.success)
    True
    """

    delta: Any = number(0.1, 0.0, 0.5, above=True, below=True)
    sigma: Any = number(0.9, 0.0, 1.0, above=True, below=True)
    epsilon: Any = number(1e-6)

    memory: ClassVar[int] = 14

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_order("delta", "sigma")

    @staticmethod
    def begin(p: Any, f: Any, slope: Any, a: Any) -> Any:
        interval = 0.0, slope, 0.0, slope
        return (0.0, f, *interval, *interval, BRACKETING, 0.0, f, slope), a

    @staticmethod
    def advance(p: Any, m: Any, a: Any, f: Any, slope: Any) -> Any:
        delta, sigma, epsilon = p
        best, f_best, low, g_low, high, g_high, low0, g_low0, high0, g_high0, stage, halving, f0, slope0 = m
        limit, steep = f0 + epsilon * abs(f0), slope >= sigma * slope0
        wolfe = f - f0 <= delta * a * slope0
        approximately = (f <= limit) & (slope <= (2.0 * delta - 1.0) * slope0)
        accepted = steep & (wolfe | approximately)
        better = f < f_best
        best, f_best = select(better, a, best), select(better, f, f_best)

        # the paper's "update": the lower end goes on falling at a low value, the upper one rises
        rises, searching = slope >= 0.0, halving > 0.5
        low_enough = without(f <= limit, rises)
        too_high = without(f > limit, rises)
        low, g_low = select(low_enough, a, low), select(low_enough, slope, g_low)
        high, g_high = select(low_enough, high, a), select(low_enough, g_high, slope)
        farther = without((stage == BRACKETING) & low_enough, searching)
        settled = rises | without(without(low_enough, searching), farther)
        halving = select(too_high, 1.0, select(rises, 0.0, halving))

        # "secant squared": a second secant step from the end that the first one moved
        first = (stage == FIRST_SECANT) & settled
        moved_high, moved_low = without(first & rises, searching), without(first & low_enough, searching)
        again = select(moved_high, secant(high0, g_high0, high, g_high), secant(low0, g_low0, low, g_low))
        second = (moved_high | moved_low) & (again > low) & (again < high)
        slow = (stage == FIRST_SECANT) | (stage == SECOND_SECANT)
        middle = without(settled & slow & (high - low > SHRINKING * (high0 - low0)), second)
        anew = without(without(settled, second), middle)
        low0, g_low0 = select(anew, low, low0), select(anew, g_low, g_low0)
        high0, g_high0 = select(anew, high, high0), select(anew, g_high, g_high0)
        stage = select(anew, FIRST_SECANT, select(middle, HALF, select(second, SECOND_SECANT, stage)))

        half, between = 0.5 * (low + high), secant(low, g_low, high, g_high)
        between = select((between > low) & (between < high), between, half)
        step = select(anew, between, select(second, again, half))
        step = select(farther, FARTHER * a, step)
        interval = low, g_low, high, g_high, low0, g_low0, high0, g_high0
        exhausted = without((half <= low) | (half >= high), farther) | (step >= LARGEST_STEP)
        return (best, f_best, *interval, stage, halving, f0, slope0), step, accepted, exhausted
