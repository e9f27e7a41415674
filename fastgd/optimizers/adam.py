"""Adam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from .base import Optimizer, Rule, decayed_by, hyper

__all__ = ["Adam"]


@dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    r"""Adam: momentum and a rate for each parameter from exponentially weighted averages.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
        x &\leftarrow x - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon},
        \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much of the averages is kept, in [0, 1).
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, added after the bias correction as in the paper's algorithm 1, PyTorch and Optax
        (Keras adds it before).
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient (PyTorch's ``Adam``; AdamW's is decoupled).
    amsgrad : bool, default False
        Divide by the root of the largest `v` so far, of the raw `v` as in PyTorch (Optax: of the corrected one).

    References
    ----------
    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, arXiv:1412.6980.
    S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, arXiv:1904.09237.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [[0.0, 0.0], [-4.0, -4.0]], gd.Adam(lr=0.05))
    >>> runs.x.round(6)
    array([[ 3.      ,  2.      ],
           [-3.77931 , -3.283186]])
    """

    name: ClassVar[str] = "adam"
    lr: Any = hyper(1e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)
    amsgrad: bool = False

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)

        def coefficients(h, t):
            lr, beta1, beta2, eps, weight_decay = h
            rate = lr / (1.0 - beta1 ** (t + 1))
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            return rate, scale, beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, weight_decay

        def update(x, g, s, c):
            rate, scale, beta1, fresh1, beta2, fresh2, eps, weight_decay = c
            m, v = s
            g = decayed(g, x, weight_decay)
            m = beta1 * m + fresh1 * g
            v = beta2 * v + fresh2 * (g * g)
            return x - rate * m / (math.sqrt(v) * scale + eps), (m, v)

        def update_amsgrad(x, g, s, c):
            rate, scale, beta1, fresh1, beta2, fresh2, eps, weight_decay = c
            m, v, top = s
            g = decayed(g, x, weight_decay)
            m = beta1 * m + fresh1 * g
            v = beta2 * v + fresh2 * (g * g)
            top = max(top, v)
            return x - rate * m / (math.sqrt(top) * scale + eps), (m, v, top)

        return Rule(coefficients, update_amsgrad, slots=3) if self.amsgrad else Rule(coefficients, update, slots=2)
