"""Adam with another momentum or another second moment: NAdam, RAdam, AdaBelief, Yogi and Adan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from fastgd.jit.masks import select

from .adam import decays
from .base import Optimizer, Rule, hyper
from .sign import sign

__all__ = ["AdaBelief", "Adan", "NAdam", "RAdam", "Yogi"]


@dataclass(frozen=True, eq=False)
class NAdam(Optimizer):
    r"""NAdam: Adam with Nesterov's momentum, which is warmed up.

    .. math::

        \mu_t &= \beta_1 (1 - \tfrac12\, 0.96^{t \psi}), \qquad P_t = \mu_1 \mu_2 \cdots \mu_t \\
        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
        x &\leftarrow x - \eta\, \left(\frac{(1 - \mu_t)\, g}{1 - P_t} + \frac{\mu_{t+1}\, m}{1 - P_{t+1}}\right)
        \Big/ \left(\sqrt{v / (1 - \beta_2^t)} + \varepsilon\right), \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 2e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much of the averages is kept, in [0, 1).
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient, or takes ``lr * weight_decay * x`` off `x` where it is decoupled.
    momentum_decay : float or array_like, default 4e-3
        :math:`\psi \ge 0`: 4e-3 in PyTorch and the paper, 1 in Keras; Optax's ``nadam`` has no warm-up.
    decoupled_weight_decay : bool, default False
        See `weight_decay`.

    References
    ----------
    T. Dozat, Incorporating Nesterov momentum into Adam, ICLR 2016 workshop,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.NAdam(lr=0.05))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "nadam"
    lr: Any = hyper(2e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)
    momentum_decay: Any = hyper(4e-3)
    decoupled_weight_decay: bool = False

    def rule(self) -> Rule:
        decoupled = self.decoupled_weight_decay
        decayed, shrunk = decays(self.weight_decay, decoupled)

        def coefficients(h, t):
            lr, beta1, beta2, eps, weight_decay, momentum_decay = h
            fall = 0.96**momentum_decay
            power = fall ** (t + 1)
            mu, mu_next = beta1 * (1.0 - 0.5 * power), beta1 * (1.0 - 0.5 * (power * fall))
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            decay = lr * weight_decay if decoupled else weight_decay
            return lr, mu, 1.0 - mu, mu_next, 1.0 - mu_next, beta1, 1.0 - beta1, beta2, 1.0 - beta2, scale, eps, decay

        def update(x, g, s, c):
            lr, mu, rest, mu_next, rest_next, beta1, fresh1, beta2, fresh2, scale, eps, decay = c
            m, v, q = s
            g = decayed(g, x, decay)
            m = beta1 * m + fresh1 * g
            v = beta2 * v + fresh2 * (g * g)
            q = mu * q + rest  # 1 - P_t, which starts at 0; the slot is needed since P_t has no closed form
            q_next = mu_next * q + rest_next
            # The two fractions on one denominator: a division costs more than all the rest
            ahead = rest * g * q_next + mu_next * m * q
            return shrunk(x, decay) - lr * ahead / (q * q_next * (math.sqrt(v) * scale + eps)), (m, v, q)

        return Rule(coefficients, update, slots=3)


@dataclass(frozen=True, eq=False)
class RAdam(Optimizer):
    r"""Rectified Adam: plain momentum until the second moment is known well enough, then Adam, warmed up.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
        \rho_t &= \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \qquad \rho_\infty = \frac{2}{1 - \beta_2} - 1 \\
        x &\leftarrow x - \eta\, \frac{m}{1 - \beta_1^t} \begin{cases}
        r_t \sqrt{1 - \beta_2^t}\, / (\sqrt{v} + \varepsilon) & \rho_t > 5 \\ 1 & \text{otherwise} \end{cases} \\
        r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\, \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\, \rho_t}}

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much of the averages is kept, in [0, 1).
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, added before the bias correction as in PyTorch; Optax adds it after.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient, or takes ``lr * weight_decay * x`` off `x` where it is decoupled.
    decoupled_weight_decay : bool, default False
        See `weight_decay`.

    Notes
    -----
    Optax is adaptive for :math:`\rho_t \ge 5`, the paper for :math:`\rho_t > 4`.

    References
    ----------
    L. Liu et al., On the variance of the adaptive learning rate and beyond, arXiv:1908.03265.

    Examples
    --------
    >>> import fastgd as gd
    >>> slope = gd.Problem(lambda x: 3 * x[0], dim=1)
    >>> print(gd.minimize(slope, [0.0], gd.RAdam(lr=0.1), max_steps=5).x)  # rho is below 5: steps of lr * g
    [-1.5]
    """

    name: ClassVar[str] = "radam"
    lr: Any = hyper(1e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)
    decoupled_weight_decay: bool = False

    def rule(self) -> Rule:
        decoupled = self.decoupled_weight_decay
        decayed, shrunk = decays(self.weight_decay, decoupled)

        def coefficients(h, t):
            lr, beta1, beta2, eps, weight_decay = h
            power = beta2 ** (t + 1)
            top = 2.0 / (1.0 - beta2) - 1.0
            rho = top - 2.0 * (t + 1) * power / (1.0 - power)
            adaptive = rho > 5.0
            square = (rho - 4.0) * (rho - 2.0) * top / ((top - 4.0) * (top - 2.0) * rho) * (1.0 - power)
            rate = lr / (1.0 - beta1 ** (t + 1)) * select(adaptive, math.sqrt(max(square, 0.0)), 1.0)
            decay = lr * weight_decay if decoupled else weight_decay
            # rate m / (weight sqrt(v) + floor) is either of the two steps
            weight, floor = select(adaptive, 1.0, 0.0), select(adaptive, eps, 1.0)
            return rate, weight, floor, beta1, 1.0 - beta1, beta2, 1.0 - beta2, decay

        def update(x, g, s, c):
            rate, weight, floor, beta1, fresh1, beta2, fresh2, decay = c
            m, v = s
            g = decayed(g, x, decay)
            m = beta1 * m + fresh1 * g
            v = beta2 * v + fresh2 * (g * g)
            return shrunk(x, decay) - rate * m / (weight * math.sqrt(v) + floor), (m, v)

        return Rule(coefficients, update, slots=2)


@dataclass(frozen=True, eq=False)
class AdaBelief(Optimizer):
    r"""AdaBelief: Adam with the spread of the gradient about its average in the place of its square.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        s &\leftarrow \beta_2 s + (1 - \beta_2)\, (g - m)^2 + \varepsilon_0 \\
        x &\leftarrow x - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{s / (1 - \beta_2^t)} + \varepsilon},
        \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much of the averages is kept, in [0, 1).
    eps : float or array_like, default 1e-16
        :math:`\varepsilon \ge 0`, outside the root.
    eps_root : float or array_like, default 1e-16
        :math:`\varepsilon_0 \ge 0`, added to `s` at every step, inside the root and kept, as in the paper and in Optax.

    References
    ----------
    J. Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed gradients, arXiv:2010.07468.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.AdaBelief(lr=0.05))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "adabelief"
    lr: Any = hyper(1e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-16)
    eps_root: Any = hyper(1e-16)

    def rule(self) -> Rule:
        def coefficients(h, t):
            lr, beta1, beta2, eps, eps_root = h
            rate = lr / (1.0 - beta1 ** (t + 1))
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            return rate, scale, beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, eps_root

        def update(x, g, s, c):
            rate, scale, beta1, fresh1, beta2, fresh2, eps, eps_root = c
            m, v = s
            m = beta1 * m + fresh1 * g
            v = beta2 * v + (fresh2 * ((g - m) * (g - m)) + eps_root)
            return x - rate * m / (math.sqrt(v) * scale + eps), (m, v)

        return Rule(coefficients, update, slots=2)


@dataclass(frozen=True, eq=False)
class Yogi(Optimizer):
    r"""Yogi: Adam whose second moment moves towards the squared gradient by an amount that its distance does not set.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        v &\leftarrow v - (1 - \beta_2) \operatorname{sign}(v - g^2)\, g^2 \\
        x &\leftarrow x - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon},
        \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-2
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much of the averages is kept, in [0, 1).
    eps : float or array_like, default 1e-3
        :math:`\varepsilon \ge 0`, outside the root.
    initial_accumulator_value : float or array_like, default 1e-6
        Where both `m` and `v` start, >= 0, as in Optax.  The paper starts `v` at the square of a first gradient.

    References
    ----------
    M. Zaheer et al., Adaptive methods for nonconvex optimization, NeurIPS 2018,
    https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.Yogi(lr=0.05))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "yogi"
    lr: Any = hyper(1e-2)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-3)
    initial_accumulator_value: Any = hyper(1e-6)

    def rule(self) -> Rule:
        def coefficients(h, t):
            lr, beta1, beta2, eps, initial = h
            rate = lr / (1.0 - beta1 ** (t + 1))
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            return rate, scale, beta1, 1.0 - beta1, 1.0 - beta2, eps, select(t == 0, initial, 0.0)

        def update(x, g, s, c):
            rate, scale, beta1, fresh1, fresh2, eps, initial = c
            m, v = s[0] + initial, s[1] + initial
            m = beta1 * m + fresh1 * g
            v = v - fresh2 * (sign(v - g * g) * (g * g))
            return x - rate * m / (math.sqrt(v) * scale + eps), (m, v)

        return Rule(coefficients, update, slots=2)


@dataclass(frozen=True, eq=False)
class Adan(Optimizer):
    r"""Adan: Nesterov's momentum for adaptive rates, from the gradient and its change since the last step.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        d &\leftarrow \beta_2 d + (1 - \beta_2)\, (g - g') \\
        n &\leftarrow \beta_3 n + (1 - \beta_3)\, (g + \alpha (g - g'))^2 \\
        x &\leftarrow x - \eta\, \frac{m / (1 - \beta_1^t) + \alpha\, d / (1 - \beta_2^t)}
        {\sqrt{n / (1 - \beta_3^t) + \varepsilon_0} + \varepsilon} - \eta\, \lambda\, x, \qquad g' \leftarrow g

    where the first :math:`g - g'` is 0 and :math:`\alpha = 1 - \beta_2`, as in Optax.

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2, beta3 : float or array_like, default 0.98, 0.92 and 0.99
        How much of the averages is kept, in [0, 1), as Optax and the authors' program count them; the paper's are 1
        minus these.
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, outside the root.
    eps_root : float or array_like, default 1e-8
        :math:`\varepsilon_0 \ge 0`, inside the root, as in Optax; the paper has none.
    weight_decay : float or array_like, default 0
        :math:`\lambda \ge 0`, decoupled as in Optax; the paper divides `x` by :math:`1 + \eta \lambda` after the step.
    as_published : bool, default False
        Take :math:`\alpha = \beta_2`, as the paper and the authors' program do.

    References
    ----------
    X. Xie et al., Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models, arXiv:2208.06677.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.Adan(lr=0.05))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "adan"
    lr: Any = hyper(1e-3)
    beta1: Any = hyper(0.98, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.92, 0.0, 1.0, below=True)
    beta3: Any = hyper(0.99, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    eps_root: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)
    as_published: bool = False

    def rule(self) -> Rule:
        as_published = self.as_published

        def coefficients(h, t):
            lr, beta1, beta2, beta3, eps, eps_root, weight_decay = h
            alpha = beta2 if as_published else 1.0 - beta2
            rate = lr / (1.0 - beta1 ** (t + 1))
            rate_d = lr * alpha / (1.0 - beta2 ** (t + 1))
            scale = 1.0 / (1.0 - beta3 ** (t + 1))
            later, decay = select(t == 0, 0.0, 1.0), lr * weight_decay
            kept = beta1, 1.0 - beta1, beta2, 1.0 - beta2, beta3, 1.0 - beta3
            return rate, rate_d, scale, later, *kept, alpha, eps, eps_root, decay

        def update(x, g, s, c):
            rate, rate_d, scale, later, beta1, fresh1, beta2, fresh2, beta3, fresh3, alpha, eps, eps_root, decay = c
            m, d, n, last = s
            change = later * (g - last)
            m = beta1 * m + fresh1 * g
            d = beta2 * d + fresh2 * change
            ahead = g + alpha * change
            n = beta3 * n + fresh3 * (ahead * ahead)
            step = (rate * m + rate_d * d) / (math.sqrt(n * scale + eps_root) + eps)
            return x - decay * x - step, (m, d, n, g)

        return Rule(coefficients, update, slots=4)
