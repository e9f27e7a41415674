"""Adam and its nearest kin: AdamW and Adamax."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastgd.jit.options import inlined

from .base import Optimizer, Rule, decayed_by, hyper

__all__ = ["Adam", "AdamW", "Adamax", "decays"]


def decays(weight_decay: Any, decoupled: bool) -> tuple[Callable, Callable]:
    """``decayed(g, x, decay)`` and ``shrunk(x, decay)``: one of them acts, the other gives `g` or `x` as it is.

    `decay` is the `weight_decay`, times the learning rate where it is decoupled.
    """

    def shrunk(x, decay):
        return x - decay * x

    def as_it_is(x, decay):
        return x

    decoupled = decoupled and bool(np.any(weight_decay))
    return decayed_by(0.0 if decoupled else weight_decay), inlined(shrunk if decoupled else as_it_is)


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

    decoupled: ClassVar[bool] = False

    def rule(self) -> Rule:
        decoupled = self.decoupled
        decayed, shrunk = decays(self.weight_decay, decoupled)

        def coefficients(h, t):
            lr, beta1, beta2, eps, weight_decay = h
            rate = lr / (1.0 - beta1 ** (t + 1))
            scale = 1.0 / math.sqrt(1.0 - beta2 ** (t + 1))
            decay = lr * weight_decay if decoupled else weight_decay
            return rate, scale, beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, decay

        def update(x, g, s, c):
            rate, scale, beta1, fresh1, beta2, fresh2, eps, decay = c
            m, v = s
            g = decayed(g, x, decay)
            m = beta1 * m + fresh1 * g
            v = beta2 * v + fresh2 * (g * g)
            return shrunk(x, decay) - rate * m / (math.sqrt(v) * scale + eps), (m, v)

        def update_amsgrad(x, g, s, c):
            rate, scale, beta1, fresh1, beta2, fresh2, eps, decay = c
            m, v, top = s
            g = decayed(g, x, decay)
            m = beta1 * m + fresh1 * g
            v = beta2 * v + fresh2 * (g * g)
            top = max(top, v)
            return shrunk(x, decay) - rate * m / (math.sqrt(top) * scale + eps), (m, v, top)

        return Rule(coefficients, update_amsgrad, slots=3) if self.amsgrad else Rule(coefficients, update, slots=2)


@dataclass(frozen=True, eq=False)
class AdamW(Adam):
    r"""Adam with decoupled weight decay: `x` shrinks by itself, and the averages do not see it.

    .. math::

        x \leftarrow (1 - \eta\, \lambda)\, x
        - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon},
        \qquad m, v \text{ as in Adam}

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much of the averages is kept, in [0, 1).
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, added after the bias correction.
    weight_decay : float or array_like, default 1e-2
        :math:`\lambda \ge 0`, times the learning rate as in PyTorch, Optax (whose default is 1e-4) and Keras (4e-3);
        in the paper times the schedule alone.
    amsgrad : bool, default False
        Divide by the root of the largest `v` so far, as `Adam` does.

    References
    ----------
    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, arXiv:1711.05101.

    Examples
    --------
    >>> import fastgd as gd
    >>> plane = gd.Problem(lambda x: 0 * x[0], dim=1)  # the decay alone: x (1 - lr weight_decay)**20
    >>> print(gd.minimize(plane, [1.0], gd.AdamW(lr=0.1, weight_decay=0.5), max_steps=20, gtol=None).x)
    [0.35848592]
    """

    name: ClassVar[str] = "adamw"
    weight_decay: Any = hyper(1e-2)

    decoupled: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Adamax(Optimizer):
    r"""Adamax: Adam with the largest gradient, slowly forgotten, in the place of the root of the second moment.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1)\, g \\
        u &\leftarrow \max(\beta_2 u, |g| + \varepsilon) \\
        x &\leftarrow x - \frac{\eta}{1 - \beta_1^t}\, \frac{m}{u}, \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 2e-3
        The learning rate :math:`\eta \ge 0`.
    beta1, beta2 : float or array_like, default 0.9 and 0.999
        How much is kept, in [0, 1).
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`, inside the maximum as in PyTorch and Optax; Keras divides by :math:`u + \varepsilon`.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.

    References
    ----------
    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, section 7.1, arXiv:1412.6980.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.Adamax(lr=0.05))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "adamax"
    lr: Any = hyper(2e-3)
    beta1: Any = hyper(0.9, 0.0, 1.0, below=True)
    beta2: Any = hyper(0.999, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)

        def coefficients(h, t):
            lr, beta1, beta2, eps, weight_decay = h
            return lr / (1.0 - beta1 ** (t + 1)), beta1, 1.0 - beta1, beta2, eps, weight_decay

        def update(x, g, s, c):
            rate, beta1, fresh, beta2, eps, weight_decay = c
            m, u = s
            g = decayed(g, x, weight_decay)
            m = beta1 * m + fresh * g
            u = max(beta2 * u, abs(g) + eps)
            return x - rate * m / u, (m, u)

        return Rule(coefficients, update, slots=2)
