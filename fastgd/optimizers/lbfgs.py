"""The quasi-Newton method of limited memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from fastgd.checks import is_whole, past_int64, shown
from fastgd.jit.masks import select, without
from fastgd.searches import LineSearch, StrongWolfe

from .base import Search
from .line_search import LineSearchMethod, whole_step

__all__ = ["LBFGS"]

CURVED = 2.2e-16  # a pair is kept if y's > CURVED * y'y, as in L-BFGS-B


LOOSE = StrongWolfe(c2=0.9)


def make_turn(length: int, memory: int) -> Callable:
    """``turn(new, fresh, x, y, g, s)``: d becomes -H g by the two loops over the pairs that `s` keeps, newest first.

    Pair k is ``s_k = x_{k+1} - x_k``, ``y_k = g_{k+1} - g_k`` and ``rho_k = 1 / y_k's_k``; a rho of 0 stands for none.
    """
    n = length
    steps, changes = 2 * n, (2 + memory) * n
    rhos, scale = changes + memory * n, changes + memory * n + memory
    alphas, q = scale + 1, scale + 1 + memory

    def turn(new, fresh, x, y, g, s):
        sy, yy = (y[0] - x[0]) * (g[0] - s[0]), (g[0] - s[0]) * (g[0] - s[0])
        for i in range(1, n):
            sy = sy + (y[i] - x[i]) * (g[i] - s[i])
            yy = yy + (g[i] - s[i]) * (g[i] - s[i])
        kept = without(new & (sy > CURVED * yy), fresh)
        for k in range(memory - 1, 0, -1):
            for i in range(n):
                s[steps + k * n + i] = select(kept, s[steps + (k - 1) * n + i], s[steps + k * n + i])
                s[changes + k * n + i] = select(kept, s[changes + (k - 1) * n + i], s[changes + k * n + i])
            s[rhos + k] = select(new & fresh, 0.0, select(kept, s[rhos + k - 1], s[rhos + k]))
        for i in range(n):
            s[steps + i] = select(kept, y[i] - x[i], s[steps + i])
            s[changes + i] = select(kept, g[i] - s[i], s[changes + i])
        s[rhos] = select(new & fresh, 0.0, select(kept, 1.0 / sy, s[rhos]))
        s[scale] = select(new & fresh, 1.0, select(kept, sy / yy, s[scale]))

        for i in range(n):
            s[q + i] = g[i]
        for k in range(memory):
            dot = s[steps + k * n] * s[q]
            for i in range(1, n):
                dot = dot + s[steps + k * n + i] * s[q + i]
            s[alphas + k] = s[rhos + k] * dot
            for i in range(n):
                s[q + i] = s[q + i] - s[alphas + k] * s[changes + k * n + i]
        for i in range(n):
            s[q + i] = s[scale] * s[q + i]
        for k in range(memory - 1, -1, -1):
            dot = s[changes + k * n] * s[q]
            for i in range(1, n):
                dot = dot + s[changes + k * n + i] * s[q + i]
            factor = s[alphas + k] - s[rhos + k] * dot
            for i in range(n):
                s[q + i] = s[q + i] + factor * s[steps + k * n + i]
        for i in range(n):
            s[n + i] = select(new, -s[q + i], s[n + i])

    return turn


@dataclass(frozen=True, eq=False)
class LBFGS(LineSearchMethod):
    r"""L-BFGS: the direction :math:`d_k = -H_k g_k`.

    :math:`H_k` is the inverse Hessian as the last steps tell it: made from the last `memory` pairs
    :math:`s_i = x_{i+1} - x_i`, :math:`y_i = g_{i+1} - g_i` by the formula of Broyden, Fletcher, Goldfarb and Shanno,
    beginning with :math:`s_i^T y_i / y_i^T y_i` of the newest pair times the identity.  It is never written out; two
    loops over the pairs multiply by it.

    Parameters
    ----------
    memory : int, default 10
        How many pairs are kept.
    line_search : LineSearch
        By default ``StrongWolfe(c1=1e-4, c2=0.9)``.

    Notes
    -----
    The first step that is tried is 1, and :math:`\min(1, 1/\|g\|)` where d = -g.  What happens where a line search
    fails is told in `ConjugateGradient`; a direction that is not downhill is replaced by -g.  A pair without
    curvature, :math:`s^T y` not above :math:`\epsilon\, y^T y`, is left out.  A run keeps ``2 * memory * (n + 1)``
    numbers.

    References
    ----------
    D. C. Liu, J. Nocedal, On the limited memory BFGS method for large scale optimization (1989),
    doi:10.1007/BF01589116.

    Examples
    --------
    >>> import fastgd as gd
    >>> run = gd.minimize(gd.problems.rosenbrock(dim=2), [-1.2, 1.0], gd.LBFGS())
    >>> run.x.round(6), bool(run.success)
    (array([1., 1.]), True)
    """

    name: ClassVar[str] = "lbfgs"
    memory: int = 10
    line_search: LineSearch = LOOSE

    def __post_init__(self) -> None:
        super().__post_init__()
        memory: Any = self.memory
        if not is_whole(memory):
            raise ValueError(f"LBFGS: memory must be an integer >= 1, got {shown(memory)}{past_int64(memory)}")

    def search(self, length: int) -> Search:
        """The line search and the directions in so many parameters."""
        memory = int(self.memory)
        extra = 2 * memory * length + 2 * memory + 1 + length
        return Search(self.line_search, make_turn(length, memory), whole_step, extra=extra)
