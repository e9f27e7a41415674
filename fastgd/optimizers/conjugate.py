"""Nonlinear conjugate gradients: five formulas for one number, and the directions that it makes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from fastgd.errors import nearest
from fastgd.jit.masks import select
from fastgd.jit.options import inlined
from fastgd.searches import LineSearch, StrongWolfe

from .base import Search
from .line_search import LineSearchMethod, last_fall

__all__ = ["BETAS", "ConjugateGradient"]


DOWNHILL = 0.01  # as in SciPy


class Products(NamedTuple):
    """What the formulas are made from: g is the new gradient, h the old one, y = g - h, and d the old direction."""

    gg: Any
    hh: Any
    gy: Any
    yy: Any
    dy: Any
    dg: Any
    dd: Any


def fletcher_reeves(p):
    return p.gg / p.hh


def polak_ribiere_plus(p):
    return max(p.gy / p.hh, 0.0)


def hestenes_stiefel(p):
    return p.gy / p.dy


def dai_yuan(p):
    return p.gg / p.dy


def hager_zhang(p):
    beta = (p.gy - 2.0 * p.yy / p.dy * p.dg) / p.dy
    return max(beta, -math.sqrt(1.0 / (p.dd * min(p.hh, 1e-4))))


BETAS: dict[str, Callable] = {
    "PR+": polak_ribiere_plus, "FR": fletcher_reeves, "HS": hestenes_stiefel, "DY": dai_yuan, "HZ": hager_zhang,
}  # fmt: skip


STRONG_WOLFE = StrongWolfe()


def make_turn(formula: Callable, length: int) -> Callable:
    """``turn(new, fresh, x, y, g, s)``: d becomes -g + beta d, as `Search` tells."""
    beta = inlined(formula)

    def turn(new, fresh, x, y, g, s):
        h, d, z = s[0], s[length], g[0] - s[0]
        gg, hh, gy, yy, dy, dg, dd = g[0] * g[0], h * h, g[0] * z, z * z, d * z, d * g[0], d * d
        for i in range(1, length):
            h, d, z = s[i], s[length + i], g[i] - s[i]
            gg, hh, gy, yy = gg + g[i] * g[i], hh + h * h, gy + g[i] * z, yy + z * z
            dy, dg, dd = dy + d * z, dg + d * g[i], dd + d * d
        b = select(fresh, 0.0, beta(Products(gg, hh, gy, yy, dy, dg, dd)))
        for i in range(length):
            d = s[length + i]
            s[length + i] = select(new, b * d - g[i], d)

    return turn


@dataclass(frozen=True, eq=False)
class ConjugateGradient(LineSearchMethod):
    r"""Nonlinear conjugate gradients.

    .. math:: x_{k+1} = x_k + a_k d_k, \qquad d_{k+1} = -g_{k+1} + \beta_k d_k, \qquad d_0 = -g_0,

    with the step :math:`a_k` of a line search.  With :math:`y_k = g_{k+1} - g_k`, the formulas are

    ======  ===========================================================================================================
    "PR+"   :math:`\max(g_{k+1}^T y_k / g_k^T g_k,\ 0)`, Polak and Ribière, the usual choice and SciPy's
    "FR"    :math:`g_{k+1}^T g_{k+1} / g_k^T g_k`, Fletcher and Reeves
    "HS"    :math:`g_{k+1}^T y_k / d_k^T y_k`, Hestenes and Stiefel
    "DY"    :math:`g_{k+1}^T g_{k+1} / d_k^T y_k`, Dai and Yuan
    "HZ"    :math:`(y_k - 2 d_k \|y_k\|^2 / d_k^T y_k)^T g_{k+1} / d_k^T y_k`, at least
            :math:`-1 / (\|d_k\| \min(\|g_k\|, 0.01))`, Hager and Zhang
    ======  ===========================================================================================================

    On a quadratic with exact line searches all of them are the same, and n steps lead to the minimum.

    Parameters
    ----------
    beta : {"PR+", "FR", "HS", "DY", "HZ"}
        The formula.
    line_search : LineSearch
        By default ``StrongWolfe(c1=1e-4, c2=0.4)``, as SciPy's.
    restart : int, optional
        Take d = -g anew after so many steps; n is a usual number for n parameters.  By default only where it has to be.

    Notes
    -----
    A direction that falls less than :math:`-d^T g \ge 0.01\, \|g\|^2` is replaced by -g, so that every step is
    downhill. Where a line search fails, the best point that it saw is taken, and the next direction is -g; if it
    fails along -g and saw nothing better, the run ends with status 4.  The first step that is tried is
    :math:`\min(1,\, 2.02\, (f_k - f_{k-1}) / d_k^T g_k)`, as in SciPy, with :math:`f_{-1} = f_0 + \|g_0\| / 2`.

    SciPy's CG is PR+ with the same search.  It looks at the next direction before it accepts a step, and here the
    direction is replaced instead, so that the numbers of evaluations can differ.

    References
    ----------
    J. Nocedal, S. J. Wright, Numerical Optimization (2006), chapter 5; W. W. Hager, H. Zhang, A survey of nonlinear
    conjugate gradient methods, Pacific J. Optim. 2 (2006) 35-58; and of the formulas: doi:10.1093/comjnl/7.2.149 (FR),
    doi:10.1051/m2an/196903R100351 (PR), doi:10.6028/jres.049.044 (HS), doi:10.1137/S1052623497318992 (DY),
    doi:10.1137/030601880 (HZ).

    Examples
    --------
    >>> import fastgd as gd
    >>> run = gd.minimize(gd.problems.rosenbrock(dim=2), [-1.2, 1.0], gd.ConjugateGradient())
    >>> run.x.round(5), bool(run.success)
    (array([1., 1.]), True)
    """

    name: ClassVar[str] = "cg"
    beta: str = "PR+"
    line_search: LineSearch = STRONG_WOLFE
    restart: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.beta, str) or self.beta not in BETAS:
            hint = nearest(str(self.beta), BETAS)
            raise ValueError(f"ConjugateGradient: beta must be one of {', '.join(BETAS)}, got {self.beta!r}.{hint}")

    def search(self, length: int) -> Search:
        """The line search and the directions in so many parameters."""
        turn = make_turn(BETAS[self.beta], length)
        return Search(self.line_search, turn, last_fall, DOWNHILL, restart=self.restart or 0)
