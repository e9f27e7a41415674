"""AdEMAMix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from .base import Optimizer, Rule, hyper

__all__ = ["AdEMAMix"]


@dataclass(frozen=True, eq=False)
class AdEMAMix(Optimizer):
    r"""AdEMAMix: AdamW with a second, much slower average of the gradients.

    .. math::

        m_1 &\leftarrow \beta_1 m_1 + (1 - \beta_1)\, g \\
        m_2 &\leftarrow \beta_3 m_2 + (1 - \beta_3)\, g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
        x &\leftarrow x - \eta\, \frac{m_1 / (1 - \beta_1^t) + \alpha\, m_2}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}
        - \eta\, \lambda\, x, \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2, beta3 : float or array_like, default 0.9, 0.999 and 0.9999
        How much of the averages is kept, in [0, 1).
    alpha : float or array_like, default 5
        The weight :math:`\alpha \ge 0` of the slow average.
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, outside the root.
    weight_decay : float or array_like, default 0
        :math:`\lambda \ge 0`, decoupled.

    Notes
    -----
    The paper lets `alpha` and `beta3` grow to their values over the first steps; here, as by default in Optax, they are
    constant.  PyTorch and Keras have no AdEMAMix.

    References
    ----------
    M. Pagliardini, P. Ablin, D. Grangier, The AdEMAMix optimizer: better, faster, older, arXiv:2409.03137.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.AdEMAMix(lr=0.05, beta3=0.99))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "ademamix"
    lr: Any = hyper(1e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    beta3: Any = hyper(0.9999, 0.0, 1.0, below=True)
    alpha: Any = hyper(5.0)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)

    def rule(self) -> Rule:
        def coefficients(h, t):
            lr, beta1, beta2, beta3, alpha, eps, weight_decay = h
            rate = lr / (1.0 - beta1 ** (t + 1))
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            kept = beta1, 1.0 - beta1, beta2, 1.0 - beta2, beta3, 1.0 - beta3
            return rate, lr * alpha, scale, *kept, eps, lr * weight_decay

        def update(x, g, s, c):
            rate, rate_slow, scale, beta1, fresh1, beta2, fresh2, beta3, fresh3, eps, decay = c
            fast, slow, v = s
            fast = beta1 * fast + fresh1 * g
            slow = beta3 * slow + fresh3 * g
            v = beta2 * v + fresh2 * (g * g)
            step = (rate * fast + rate_slow * slow) / (math.sqrt(v) * scale + eps)
            return x - decay * x - step, (fast, slow, v)

        return Rule(coefficients, update, slots=3)
