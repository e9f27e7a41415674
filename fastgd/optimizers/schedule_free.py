"""Schedule-free rules: the average of the iterates is the point that is returned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from fastgd.jit.masks import select
from fastgd.jit.options import inlined
from fastgd.schedules import Constant, Schedule

from .base import Optimizer, Rule, decayed_by, hyper

__all__ = ["ScheduleFreeAdamW", "ScheduleFreeSGD"]


def sharing(lr: Any) -> tuple[Callable, int]:
    """``share(s, even, lr) -> (share, s)``: the newest point's part of the average, and the slots that it needs.

    The weights are the squares of the largest rate so far.  At a constant rate they are even, and nothing is kept.
    """

    def share_by_rate(s, even, lr):
        total, top = s
        top = max(top, lr)
        weight = top * top
        total = total + weight
        return select(total > 0.0, weight / total, 0.0), (total, top)

    def share_evenly(s, even, lr):
        return even, s

    steady = isinstance(lr, Constant) or not isinstance(lr, Schedule)
    return (inlined(share_evenly), 0) if steady else (inlined(share_by_rate), 2)


@inlined
def between(z, x, beta):
    """The point (1 - beta) z + beta x, which is x exactly where z is."""
    return z + beta * (x - z)


@dataclass(frozen=True, eq=False)
class ScheduleFreeSGD(Optimizer):
    r"""Schedule-free gradient descent: the gradient is taken between the iterate `z` and the average `x`.

    .. math::

        y &= (1 - \beta)\, z + \beta\, x \\
        z &\leftarrow z - \eta\, (\nabla f(y) + \lambda\, y) \\
        x &\leftarrow (1 - c_t)\, x + c_t\, z, \qquad c_t = w_t / (w_1 + \dots + w_t), \; w_t = \max_{i \le t} \eta_i^2

    from :math:`z = x`; at a constant rate :math:`c_t = 1/t`.  The result and the stop tests are about `x`.

    Parameters
    ----------
    lr : float, array_like or Schedule
        The learning rate :math:`\eta \ge 0`.  A schedule is for warming up; there is no need to let the rate fall.
    beta : float or array_like, default 0.9
        :math:`\beta` in [0, 1]: 0 is Polyak's averaging, 1 primal averaging.
    weight_decay : float or array_like, default 0
        :math:`\lambda \ge 0`, at the point `y`.

    Notes
    -----
    These are the weights of the authors' program and of Optax; in the paper :math:`w_t = \eta_t^2`.  The three are one
    where the rate never falls.  Those two keep `y` as the parameters and work out `x` when asked.

    References
    ----------
    A. Defazio et al., The road less scheduled, arXiv:2405.15682.

    Examples
    --------
    >>> import fastgd as gd
    >>> slope = gd.Problem(lambda x: 2 * x[0], dim=1)
    >>> print(gd.minimize(slope, [0.0], gd.ScheduleFreeSGD(lr=0.5), max_steps=3).x)  # the mean of -1, -2 and -3
    [-2.]
    """

    name: ClassVar[str] = "schedule_free_sgd"
    beta: Any = hyper(0.9, 0.0, 1.0)
    weight_decay: Any = hyper(0.0)

    def rule(self) -> Rule:
        (share, slots), pulled = sharing(self.lr), decayed_by(self.weight_decay)

        def coefficients(h, t):
            lr, beta, weight_decay = h
            return select(t == 0, 1.0, 0.0), 1.0 / (t + 1), lr, beta, lr * weight_decay

        def probe(x, s, c):
            first, even, lr, beta, decay = c
            return between(s[0] + first * x, x, beta)

        def update(x, g, s, c):
            first, even, lr, beta, decay = c
            z = s[0] + first * x
            z = pulled(z - lr * g, between(z, x, beta), -decay)
            part, sums = share(s[1:], even, lr)
            return x + part * (z - x), (z, *sums)

        return Rule(coefficients, update, slots=1 + slots, probe=probe)


@dataclass(frozen=True, eq=False)
class ScheduleFreeAdamW(Optimizer):
    r"""Schedule-free AdamW: `beta1` mixes the iterate and the average, where Adam has its momentum.

    .. math::

        y &= (1 - \beta_1)\, z + \beta_1 x, \qquad g = \nabla f(y) \\
        v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
        z &\leftarrow z - \eta\, \frac{g}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon} - \eta\, \lambda\, y \\
        x &\leftarrow (1 - c_t)\, x + c_t\, z, \qquad c_t = w_t / (w_1 + \dots + w_t), \; w_t = \max_{i \le t} \eta_i^2

    from :math:`z = x`; at a constant rate :math:`c_t = 1/t`.  The result and the stop tests are about `x`.

    Parameters
    ----------
    lr : float, array_like or Schedule, default 2.5e-3
        The learning rate :math:`\eta \ge 0`.  A schedule is for warming up; there is no need to let the rate fall.
    beta1 : float or array_like, default 0.9
        In [0, 1].
    beta2 : float or array_like, default 0.999
        How much of the second moment is kept, in [0, 1).
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, added after the bias correction.
    weight_decay : float or array_like, default 0
        :math:`\lambda \ge 0`, decoupled, at the point `y`.

    Notes
    -----
    The bias correction and the weights are those of the authors' program, version 1.4; the paper multiplies the rate
    by :math:`\sqrt{1 - \beta_2^t}`, which then also enters the weights.

    References
    ----------
    A. Defazio et al., The road less scheduled, arXiv:2405.15682.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.ScheduleFreeAdamW(lr=0.3), max_steps=5000)
    >>> runs.x.round(4)
    array([3., 2.])
    """

    name: ClassVar[str] = "schedule_free_adamw"
    lr: Any = hyper(2.5e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)

    def rule(self) -> Rule:
        (share, slots), pulled = sharing(self.lr), decayed_by(self.weight_decay)

        def coefficients(h, t):
            lr, beta1, beta2, eps, weight_decay = h
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            return (
                select(t == 0, 1.0, 0.0), 1.0 / (t + 1), lr, beta1, scale, beta2, 1.0 - beta2, eps, lr * weight_decay,
            )  # fmt: skip

        def probe(x, s, c):
            return between(s[0] + c[0] * x, x, c[3])

        def update(x, g, s, c):
            first, even, lr, beta1, scale, beta2, fresh, eps, decay = c
            z = s[0] + first * x
            v = beta2 * s[1] + fresh * (g * g)
            y = between(z, x, beta1)
            z = pulled(z - lr * g / (math.sqrt(v) * scale + eps), y, -decay)
            part, sums = share(s[2:], even, lr)
            return x + part * (z - x), (z, v, *sums)

        return Rule(coefficients, update, slots=2 + slots, probe=probe)
