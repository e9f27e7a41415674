"""Rates for each parameter from the sizes of its gradients: AdaGrad, RMSprop and Adadelta."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastgd.jit.masks import select
from fastgd.jit.options import inlined

from .base import Optimizer, Rule, decayed_by, hyper

__all__ = ["AdaGrad", "Adadelta", "RMSprop"]


@inlined
def eps_outside(v, eps):
    return math.sqrt(v) + eps


@inlined
def eps_inside(v, eps):
    return math.sqrt(v + eps)


@inlined
def with_momentum(buffer, step, momentum):
    b = momentum * buffer[0] + step
    return b, (b,)


@inlined
def without_momentum(buffer, step, momentum):
    return step, buffer


@dataclass(frozen=True, eq=False)
class AdaGrad(Optimizer):
    r"""AdaGrad: a rate for each parameter that shrinks with the sum of its squared gradients.

    .. math::

        v &\leftarrow v + g^2 \\
        x &\leftarrow x - \frac{\eta}{1 + (t - 1)\, d}\, \frac{g}{\sqrt{v} + \varepsilon}, \qquad t = 1, 2, \dots

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-2
        The learning rate :math:`\eta \ge 0`.
    lr_decay : float or array_like, default 0
        :math:`d \ge 0`.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.
    initial_accumulator_value : float or array_like, default 0
        Where :math:`v` starts, >= 0: 0 in PyTorch, 0.1 in Keras and Optax.
    eps : float or array_like, default 1e-10
        :math:`\varepsilon \ge 0`.
    eps_inside_root : bool, default False
        Divide by :math:`\sqrt{v + \varepsilon}`, as the textbooks, Keras and Optax do; PyTorch adds it to the root.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods for online learning and stochastic optimization,
    J. Mach. Learn. Res. 12 (2011) 2121-2159, https://jmlr.org/papers/v12/duchi11a.html.

    Examples
    --------
    >>> import fastgd as gd
    >>> valley = gd.Problem(lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2, dim=2)
    >>> textbook = gd.AdaGrad(lr=0.4, eps=1e-6, eps_inside_root=True)
    >>> print(gd.minimize(valley, [-5.0, -2.0], textbook, max_steps=20).x.round(6))
    [-2.382563 -0.158591]
    """

    name: ClassVar[str] = "adagrad"
    lr: Any = hyper(1e-2)
    lr_decay: Any = hyper(0.0)
    weight_decay: Any = hyper(0.0)
    initial_accumulator_value: Any = hyper(0.0)
    eps: Any = hyper(1e-10)
    eps_inside_root: bool = False

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)
        root = eps_inside if self.eps_inside_root else eps_outside

        def coefficients(h, t):
            lr, lr_decay, weight_decay, initial, eps = h
            return lr / (1.0 + t * lr_decay), weight_decay, select(t == 0, initial, 0.0), eps

        def update(x, g, s, c):
            rate, weight_decay, initial, eps = c
            (v,) = s
            g = decayed(g, x, weight_decay)
            v = g * g + (v + initial)
            return x - rate * g / root(v, eps), (v,)

        return Rule(coefficients, update, slots=1)


@dataclass(frozen=True, eq=False)
class RMSprop(Optimizer):
    r"""RMSprop: the gradient over the root of an exponentially weighted average of its square.

    .. math::

        v &\leftarrow \alpha\, v + (1 - \alpha)\, g^2 \\
        b &\leftarrow \mu\, b + \frac{g}{\sqrt{v} + \varepsilon} \\
        x &\leftarrow x - \eta\, b

    With `centered`, the average's own square is taken off, so that an estimate of the variance stands under the root:

    .. math:: m \leftarrow \alpha\, m + (1 - \alpha)\, g, \qquad v - m^2 \text{ in the place of } v

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1e-2
        The learning rate :math:`\eta \ge 0`.  It stands outside the buffer, as in PyTorch; in Keras and Optax inside.
    alpha : float or array_like, default 0.99
        How much of the averages is kept, in [0, 1); 0.9 in Keras and Optax.
    eps : float or array_like, default 1e-8
        :math:`\varepsilon \ge 0`.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.
    momentum : float or array_like, default 0
        :math:`\mu` in [0, 1).
    centered : bool, default False
        See above.
    eps_inside_root : bool, default False
        Divide by :math:`\sqrt{v + \varepsilon}`, as the textbooks, Keras and Optax do; PyTorch adds it to the root.

    References
    ----------
    T. Tieleman, G. Hinton, Neural networks for machine learning (2012), lecture 6.5.
    A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850 (the centered form).

    Examples
    --------
    >>> import fastgd as gd
    >>> valley = gd.Problem(lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2, dim=2)
    >>> textbook = gd.RMSprop(lr=0.4, alpha=0.9, eps=1e-6, eps_inside_root=True)
    >>> print(gd.minimize(valley, [-5.0, -2.0], textbook, max_steps=20).x[0].round(6))
    -0.010599
    """

    name: ClassVar[str] = "rmsprop"
    lr: Any = hyper(1e-2)
    alpha: Any = hyper(0.99, 0.0, 1.0, below=True)
    eps: Any = hyper(1e-8)
    weight_decay: Any = hyper(0.0)
    momentum: Any = hyper(0.0, 0.0, 1.0, below=True)
    centered: bool = False
    eps_inside_root: bool = False

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)
        root = eps_inside if self.eps_inside_root else eps_outside
        heavy = bool(np.any(self.momentum))
        carried = with_momentum if heavy else without_momentum

        def coefficients(h, t):
            lr, alpha, eps, weight_decay, momentum = h
            return lr, alpha, 1.0 - alpha, eps, weight_decay, momentum

        def update(x, g, s, c):
            lr, alpha, fresh, eps, weight_decay, momentum = c
            g = decayed(g, x, weight_decay)
            v = alpha * s[0] + fresh * (g * g)
            b, buffer = carried(s[1:], g / root(v, eps), momentum)
            return x - lr * b, (v, *buffer)

        def update_centered(x, g, s, c):
            lr, alpha, fresh, eps, weight_decay, momentum = c
            g = decayed(g, x, weight_decay)
            v = alpha * s[0] + fresh * (g * g)
            m = alpha * s[1] + fresh * g
            # Rounding can take v below m² where the gradient hardly changes, and its root is then not a number
            b, buffer = carried(s[2:], g / root(max(v - m * m, 0.0), eps), momentum)
            return x - lr * b, (v, m, *buffer)

        if self.centered:
            return Rule(coefficients, update_centered, slots=2 + heavy)
        return Rule(coefficients, update, slots=1 + heavy)


@dataclass(frozen=True, eq=False)
class Adadelta(Optimizer):
    r"""Adadelta: steps in the units of `x`, from the sizes of past steps over those of past gradients.

    .. math::

        v &\leftarrow \rho\, v + (1 - \rho)\, g^2 \\
        \Delta &= \sqrt{\frac{u + \varepsilon}{v + \varepsilon}}\; g \\
        u &\leftarrow \rho\, u + (1 - \rho)\, \Delta^2 \\
        x &\leftarrow x - \eta\, \Delta

    Parameters
    ----------
    lr : float, array_like or Schedule, default 1
        The learning rate :math:`\eta \ge 0`; the paper has none, Keras 1e-3.
    rho : float or array_like, default 0.9
        How much of the averages is kept, in [0, 1]; 0.95 in the paper and in Keras.
    eps : float or array_like, default 1e-6
        :math:`\varepsilon \ge 0`, inside both roots everywhere; it sets the size of the first steps.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.

    References
    ----------
    M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701.

    Examples
    --------
    >>> import fastgd as gd
    >>> slope = gd.Problem(lambda x: 3 * x[0], dim=1)
    >>> print(gd.minimize(slope, [0.0], gd.Adadelta(rho=0.75, eps=1e-6), max_steps=1).x)  # -sqrt(eps / (1 - rho))
    [-0.0019999]
    """

    name: ClassVar[str] = "adadelta"
    lr: Any = hyper(1.0)
    rho: Any = hyper(0.9, 0.0, 1.0)
    eps: Any = hyper(1e-6)
    weight_decay: Any = hyper(0.0)

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)

        def coefficients(h, t):
            lr, rho, eps, weight_decay = h
            return lr, rho, 1.0 - rho, eps, weight_decay

        def update(x, g, s, c):
            lr, rho, fresh, eps, weight_decay = c
            v, u = s
            g = decayed(g, x, weight_decay)
            v = rho * v + fresh * (g * g)
            delta = math.sqrt((u + eps) / (v + eps)) * g
            u = rho * u + fresh * (delta * delta)
            return x - lr * delta, (v, u)

        return Rule(coefficients, update, slots=2)
