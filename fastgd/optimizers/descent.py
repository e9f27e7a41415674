"""Gradient descent, and its two classical accelerations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastgd.jit.masks import select
from fastgd.searches import LineSearch

from .base import Optimizer, Rule, Search, decayed_by, hyper
from .line_search import last_fall, steepest
from .stable_rate import StableRate

__all__ = ["GradientDescent", "Momentum", "Nesterov"]


@dataclass(frozen=True, eq=False)
class GradientDescent(Optimizer):
    r"""Gradient descent, :math:`x \leftarrow x - \eta\, g`.

    Parameters
    ----------
    lr : float, array_like, Schedule or LineSearch
        The learning rate :math:`\eta \ge 0`.  On a quadratic with largest curvature :math:`\lambda` the descent
        converges for :math:`0 < \eta < 2/\lambda`.  A line search such as ``fastgd.Backtracking()`` finds one for
        every step.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.

    Raises
    ------
    ValueError
        For weight decay or clipping together with a line search, which needs the true slope.

    References
    ----------
    A. Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées,
    Comptes Rendus 25 (1847) 536-538.

    Examples
    --------
    >>> import fastgd as gd
    >>> square = gd.Problem(lambda x: x[0] ** 2, dim=1)
    >>> print(gd.minimize(square, [10.0], gd.GradientDescent(lr=0.2), max_steps=10).x)
    [0.06046618]
    """

    name: ClassVar[str] = "gradient_descent"
    weight_decay: Any = hyper(0.0, kw_only=True)  # by name, as elsewhere a second number is the momentum

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.lr, LineSearch) and (np.any(self.weight_decay) or self.clips):
            raise ValueError("GradientDescent: a line search needs the true slope; leave out decay and clips")

    def takes(self, field: str, value: Any) -> bool:
        """A schedule or a line search may stand for the rate."""
        return super().takes(field, value) or (field == "lr" and isinstance(value, LineSearch))

    def hyperparameters(self) -> dict[str, Any]:
        """What may vary from run to run."""
        return self.lr.parameters() if isinstance(self.lr, LineSearch) else super().hyperparameters()

    def search(self, length: int) -> Search | None:
        """The line search along -g, if the rate is one."""
        return Search(self.lr, steepest(length), last_fall, restart=1) if isinstance(self.lr, LineSearch) else None

    def stable_rate(self) -> StableRate | None:
        return None if isinstance(self.lr, LineSearch) else StableRate(2.0, self.weight_decay, "2")

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)

        def coefficients(h, t):
            return h

        def update(x, g, s, c):
            lr, weight_decay = c
            return x - lr * decayed(g, x, weight_decay), s

        return Rule(coefficients, update, slots=0)


@dataclass(frozen=True, eq=False)
class Momentum(Optimizer):
    r"""Gradient descent with momentum, the heavy ball.

    .. math:: b \leftarrow \mu\, b + (1 - d)\, g, \qquad x \leftarrow x - \eta\, b

    with :math:`b = g` at the first step; or, with `averaged`, an exponentially weighted average of the gradients,

    .. math::

        b \leftarrow \mu\, b + (1 - \mu)\, g, \qquad x \leftarrow x - \eta\, \frac{b}{1 - \mu^t}, \qquad t = 1, 2, \dots

    from :math:`b = 0`, whose denominator is there with `bias_correction` only.

    Parameters
    ----------
    lr : float, array_like or Schedule
        The learning rate :math:`\eta \ge 0`.  It stands outside the buffer, as in PyTorch; in Keras it stands inside.
        The two part where the rate changes with the step.
    momentum : float or array_like, default 0.9
        :math:`\mu` in [0, 1).
    dampening : float or array_like, default 0
        :math:`d` in [0, 1].  The first gradient is not dampened, as in PyTorch.
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.
    averaged : bool, default False
        The textbooks' form, see above: steps of the size of gradient descent's, whatever :math:`\mu`.
    bias_correction : bool, default False
        Divide the average by the sum of its weights, which is below 1 in the first steps.

    Raises
    ------
    ValueError
        For `dampening` together with `averaged`, and for `bias_correction` without it.

    References
    ----------
    B. T. Polyak, Some methods of speeding up the convergence of iteration methods (1964),
    doi:10.1016/0041-5553(64)90137-5.

    Examples
    --------
    >>> import fastgd as gd
    >>> valley = gd.Problem(lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2, dim=2)
    >>> print(gd.minimize(valley, [-5.0, -2.0], gd.Momentum(lr=0.6, momentum=0.5), max_steps=20).x.round(6))
    [0.007188 0.002553]
    """

    name: ClassVar[str] = "momentum"
    momentum: Any = hyper(0.9, 0.0, 1.0, below=True)
    dampening: Any = hyper(0.0, 0.0, 1.0)
    weight_decay: Any = hyper(0.0)
    averaged: bool = False
    bias_correction: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.averaged and np.any(self.dampening):
            raise ValueError(
                f"Momentum: averaged=True dampens by 1 - momentum: leave dampening at 0, got {self.dampening!r}"
            )
        if self.bias_correction and not self.averaged:
            raise ValueError("Momentum: bias_correction=True is for the averaged form: write averaged=True too")

    def stable_rate(self) -> StableRate:
        # Along an eigenvector a step multiplies the error by the roots of z² - (1 + μ - η (1 - d) (λ + w)) z + μ.
        momentum, dampening = np.asarray(self.momentum), np.asarray(self.dampening)
        letters, below = {"momentum": r"\mu"}, ""
        if self.averaged:
            dampening, below = momentum, r"(1 - \mu)"
        elif dampening.any():
            letters["dampening"], below = "d", "(1 - d)"
        with np.errstate(divide="ignore"):
            product = 2.0 * (1.0 + momentum) / (1.0 - dampening)
        return StableRate(product, self.weight_decay, r"2\,(1 + \mu)", below, letters)

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)

        def coefficients(h, t):
            lr, momentum, dampening, weight_decay = h
            return lr, momentum, select(t == 0, 1.0, 1.0 - dampening), weight_decay

        def averaging(h, t):
            lr, momentum, dampening, weight_decay = h
            return lr, momentum, 1.0 - momentum, weight_decay

        def averaging_corrected(h, t):
            lr, momentum, dampening, weight_decay = h
            return lr / (1.0 - momentum ** (t + 1)), momentum, 1.0 - momentum, weight_decay

        def update(x, g, s, c):
            lr, momentum, fresh, weight_decay = c
            (b,) = s
            b = momentum * b + fresh * decayed(g, x, weight_decay)
            return x - lr * b, (b,)

        def as_given(h, t):
            return h

        def undampened(x, g, s, c):
            lr, momentum, dampening, weight_decay = c
            (b,) = s
            b = momentum * b + decayed(g, x, weight_decay)
            return x - lr * b, (b,)

        if self.averaged:
            return Rule(averaging_corrected if self.bias_correction else averaging, update, slots=1)
        if not np.any(self.dampening):
            return Rule(as_given, undampened, slots=1)
        return Rule(coefficients, update, slots=1)


@dataclass(frozen=True, eq=False)
class Nesterov(Optimizer):
    r"""Nesterov's accelerated gradient.

    The gradient is taken ahead, where the momentum is about to carry the point (``look_ahead=True``):

    .. math:: v \leftarrow \mu\, v - \eta\, \nabla f(x + \mu\, v), \qquad x \leftarrow x + v

    or, written for the point :math:`x + \mu v` itself, as PyTorch has it (the default):

    .. math:: b \leftarrow \mu\, b + g, \qquad x \leftarrow x - \eta\,(g + \mu\, b)

    At a constant rate the two are the same method seen at two points.

    Parameters
    ----------
    lr : float, array_like or Schedule
        The learning rate :math:`\eta \ge 0`.
    momentum : float or array_like, default 0.9
        :math:`\mu` in [0, 1).
    weight_decay : float or array_like, default 0
        Adds ``weight_decay * x`` to the gradient.
    look_ahead : bool, default False
        Whether `x` is the point that looks ahead or the one it looks ahead from.

    References
    ----------
    Y. Nesterov, A method for solving the convex programming problem with convergence rate O(1/k²),
    Dokl. Akad. Nauk SSSR 269 (1983) 543-547.  I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the importance of
    initialization and momentum in deep learning, ICML 2013, https://proceedings.mlr.press/v28/sutskever13.html.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], gd.Nesterov(lr=0.01))
    >>> runs.x.round(6)
    array([3., 2.])
    """

    name: ClassVar[str] = "nesterov"
    momentum: Any = hyper(0.9, 0.0, 1.0, below=True)
    weight_decay: Any = hyper(0.0)
    look_ahead: bool = False

    def stable_rate(self) -> StableRate:
        # Along an eigenvector by the roots of z² - (1 + μ) q z + μ q, with q = 1 - η (λ + w).
        momentum = np.asarray(self.momentum)
        product = 2.0 * (1.0 + momentum) / (1.0 + 2.0 * momentum)
        return StableRate(product, self.weight_decay, r"2\,(1 + \mu)", r"(1 + 2 \mu)", {"momentum": r"\mu"})

    def rule(self) -> Rule:
        decayed = decayed_by(self.weight_decay)

        def coefficients(h, t):
            return h

        def update(x, g, s, c):
            lr, momentum, weight_decay = c
            (b,) = s
            g = decayed(g, x, weight_decay)
            b = momentum * b + g
            return x - lr * (g + momentum * b), (b,)

        def probe(x, s, c):
            lr, momentum, weight_decay = c
            return x + momentum * s[0]

        def update_from_behind(x, g, s, c):
            lr, momentum, weight_decay = c
            ahead = x + momentum * s[0]
            v = momentum * s[0] - lr * decayed(g, ahead, weight_decay)
            return x + v, (v,)

        if self.look_ahead:
            return Rule(coefficients, update_from_behind, slots=1, probe=probe)
        return Rule(coefficients, update, slots=1)

