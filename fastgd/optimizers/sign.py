"""Rules that ask the gradient for its sign: Rprop and Lion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastgd.jit.masks import select
from fastgd.jit.options import inlined

from .base import Optimizer, Rule, hyper

__all__ = ["Lion", "Rprop", "sign"]


@inlined
def sign(value):
    """1, -1, or the value itself: a zero, or a NaN that has to be seen."""
    return select(abs(value) > 0.0, math.copysign(1.0, value), value)


@dataclass(frozen=True, eq=False)
class Rprop(Optimizer):
    r"""Resilient backpropagation: a step for each parameter that grows until the gradient changes its sign.

    .. math::

        s &\leftarrow \min(\max(\eta_\pm\, s, s_{\min}), s_{\max}), \qquad
        \eta_\pm = \begin{cases}\eta_+ & g g' > 0\\ \eta_- & g g' < 0\\ 1 & g g' = 0\end{cases} \\
        g &\leftarrow 0 \text{ where } g g' < 0 \\
        x &\leftarrow x - s \operatorname{sign}(g), \qquad g' \leftarrow g

    with :math:`s = \eta` and :math:`g' = 0` at the start.

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-2
        The first step :math:`\eta \ge 0`.  The rates of later steps have no effect.
    eta_minus, eta_plus : float or array_like, default 0.5 and 1.2
        By how much a step shrinks, in [0, 1), and grows, >= 1.
    min_step, max_step : float or array_like, default 1e-6 and 50
        Bounds of the steps, >= 0.

    Notes
    -----
    PyTorch and Optax skip the step after a change of sign, as here; the paper takes the last one back.

    References
    ----------
    M. Riedmiller, H. Braun, A direct adaptive method for faster backpropagation learning: the RPROP algorithm,
    ICNN 1993, doi:10.1109/ICNN.1993.298623.

    Examples
    --------
    >>> import fastgd as gd
    >>> slope = gd.Problem(lambda x: 3 * x[0], dim=1)
    >>> print(gd.minimize(slope, [0.0], gd.Rprop(lr=0.1), max_steps=3).x)  # -0.1 (1 + 1.2 + 1.44)
    [-0.364]
    """

    name: ClassVar[str] = "rprop"
    lr: Any = hyper(1e-2)
    eta_minus: Any = hyper(0.5, 0.0, 1.0, below=True)
    eta_plus: Any = hyper(1.2, 1.0)
    min_step: Any = hyper(1e-6)
    max_step: Any = hyper(50.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            upside_down = np.any(np.greater(self.min_step, self.max_step))
        except ValueError:  # the shapes do not broadcast, which `fastgd.minimize` tells
            return
        if upside_down:
            got = f"min_step={self.min_step!r} and max_step={self.max_step!r}"
            raise ValueError(f"Rprop: min_step must be <= max_step, got {got}")

    def rule(self) -> Rule:
        def coefficients(h, t):
            lr, eta_minus, eta_plus, min_step, max_step = h
            return select(t == 0, lr, 0.0), eta_minus, eta_plus, min_step, max_step

        def update(x, g, s, c):
            first, eta_minus, eta_plus, min_step, max_step = c
            step, last = s
            turn = g * last
            factor = select(turn > 0.0, eta_plus, select(turn < 0.0, eta_minus, 1.0))
            step = min(max((step + first) * factor, min_step), max_step)
            g = select(turn < 0.0, 0.0, g)
            return x - step * sign(g), (step, g)

        return Rule(coefficients, update, slots=2)


@dataclass(frozen=True, eq=False)
class Lion(Optimizer):
    r"""Lion: steps of one size, in the direction of the sign of a momentum.

    .. math::

        c &= \beta_1 m + (1 - \beta_1)\, g \\
        x &\leftarrow x - \eta\, (\operatorname{sign}(c) + \lambda\, x) \\
        m &\leftarrow \beta_2 m + (1 - \beta_2)\, g

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-4
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.99
        How much of the momentum is kept, in [0, 1), for the step and for the next one.
    weight_decay : float or array_like, default 0
        :math:`\lambda \ge 0`, decoupled; its default is 0 in the authors' program and 1e-3 in Optax.

    References
    ----------
    X. Chen et al., Symbolic discovery of optimization algorithms, arXiv:2302.06675.

    Examples
    --------
    >>> import fastgd as gd
    >>> slope = gd.Problem(lambda x: 3 * x[0] - 0.2 * x[1], dim=2)
    >>> print(gd.minimize(slope, [0.0, 0.0], gd.Lion(lr=0.01), max_steps=10).x)
    [-0.1  0.1]
    """

    name: ClassVar[str] = "lion"
    lr: Any = hyper(1e-4)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.99, 0.0, 1.0, below=True)
    weight_decay: Any = hyper(0.0)

    def rule(self) -> Rule:
        def coefficients(h, t):
            lr, beta1, beta2, weight_decay = h
            return lr, lr * weight_decay, beta1, 1.0 - beta1, beta2, 1.0 - beta2

        def update(x, g, s, c):
            lr, decay, beta1, fresh1, beta2, fresh2 = c
            (m,) = s
            x = x - decay * x - lr * sign(beta1 * m + fresh1 * g)
            return x, (beta2 * m + fresh2 * g,)

        return Rule(coefficients, update, slots=1)
