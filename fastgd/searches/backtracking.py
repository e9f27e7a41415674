"""Steps that shrink until the value has fallen enough."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from fastgd.jit.masks import select
from fastgd.schedules.base import number

from .base import SMALLEST_STEP, LineSearch

__all__ = ["Backtracking"]


@dataclasses.dataclass(frozen=True, eq=False)
class Backtracking(LineSearch):
    r"""Armijo's rule: the first of :math:`a_0, \rho a_0, \rho^2 a_0, \dots` that makes the value fall enough.

    .. math:: f(x + a d) \le f(x) + c_1\, a\, d^T \nabla f(x).

    Parameters
    ----------
    initial : float or array_like, default 1
        The first step :math:`a_0` of every search, > 0.
    shrink : float or array_like, default 0.5
        The factor :math:`\rho` in (0, 1).
    c1 : float or array_like, default 1e-4
        The part of the fall that the slope promises which has to come true, in (0, 1).

    References
    ----------
    L. Armijo, Minimization of functions having Lipschitz continuous first partial derivatives (1966),
    doi:10.2140/pjm.1966.16.1; J. Nocedal, S. J. Wright, Numerical Optimization (2006), algorithm 3.1.

    Examples
    --------
    >>> import fastgd as gd
    >>> valley = gd.Problem(lambda x: x[0] ** 2 + 10 * x[1] ** 2, dim=2)
    >>> run = gd.minimize(valley, [5.0, 1.0], gd.GradientDescent(lr=gd.Backtracking()))
    >>> bool(run.success)
    True
    """

    initial: Any = number(1.0, above=True)
    shrink: Any = number(0.5, 0.0, 1.0, above=True, below=True)
    c1: Any = number(1e-4, 0.0, 1.0, above=True, below=True)

    memory: ClassVar[int] = 4
    most: ClassVar[int] = 1_000_000  # it ends by itself, at the smallest step

    @staticmethod
    def begin(p: Any, f: Any, slope: Any, a: Any) -> Any:
        initial, shrink, c1 = p
        return (0.0, f, f, slope), initial

    @staticmethod
    def advance(p: Any, m: Any, a: Any, f: Any, slope: Any) -> Any:
        initial, shrink, c1 = p
        best, f_best, f0, slope0 = m
        accepted = f <= f0 + c1 * a * slope0
        better = f < f_best
        best, f_best = select(better, a, best), select(better, f, f_best)
        return (best, f_best, f0, slope0), shrink * a, accepted, a * shrink <= SMALLEST_STEP
