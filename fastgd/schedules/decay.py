"""Schedules that only fall."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgd.checks import INT64, is_whole, shown
from fastgd.jit.masks import select

from .base import Schedule, checked, count, number, option

__all__ = ["Exponential", "InverseTime", "PiecewiseConstant", "Polynomial", "StepDecay"]


@dataclasses.dataclass(frozen=True, eq=False)
class InverseTime(Schedule):
    r"""A rate that falls like the inverse of the step, :math:`\eta_t = \eta_0 / (1 + k t)`.

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of step 0, >= 0.
    decay : float or array_like
        The factor :math:`k` >= 0; after :math:`1 / k` steps the rate has halved.

    Notes
    -----
    The rates add up to infinity and their squares do not, as stochastic approximation asks for.  Keras'
    ``InverseTimeDecay`` has :math:`k` = ``decay_rate / decay_steps``, and with ``staircase`` rounds the step down to a
    multiple of ``decay_steps``.  PyTorch and Optax have no such schedule.

    References
    ----------
    H. Robbins, S. Monro, A stochastic approximation method, Ann. Math. Statist. 22 (1951) 400-407,
    doi:10.1214/aoms/1177729586.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.InverseTime(0.1, decay=0.5)([0, 2, 8])
    array([0.1 , 0.05, 0.02])
    """

    lr: Any = number()
    decay: Any = number()

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return p[0] / (1.0 + p[1] * t)


@dataclasses.dataclass(frozen=True, eq=False)
class Exponential(Schedule):
    r"""A rate that changes by the same factor at every step, :math:`\eta_t = \eta_0 \gamma^t`.

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of step 0, >= 0.
    gamma : float or array_like
        The factor :math:`\gamma` >= 0, below 1 for a decay.  For a decay by :math:`e^{-k t}` take
        ``gamma=math.exp(-k)``; for one by :math:`10^{-t/r}` see `decade`.

    Notes
    -----
    PyTorch's ``ExponentialLR`` is the same.  Keras' ``ExponentialDecay`` and Optax's ``exponential_decay`` have
    :math:`\gamma` = ``decay_rate ** (1 / decay_steps)``; their ``staircase`` is `StepDecay`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import schedules
    >>> schedules.Exponential(0.1, gamma=0.5)(np.arange(4))
    array([0.1   , 0.05  , 0.025 , 0.0125])
    """

    lr: Any = number()
    gamma: Any = number()

    @classmethod
    def decade(cls, lr: Any, steps: Any) -> Exponential:
        r"""The rate :math:`\eta_t = \eta_0\, 10^{-t/r}`, which falls to a tenth every `steps` = :math:`r` > 0 steps.

        Examples
        --------
        >>> from fastgd import schedules
        >>> schedules.Exponential.decade(1.0, steps=100)([0, 100, 200]).round(12)
        array([1.  , 0.1 , 0.01])
        """
        return cls(lr, 10.0 ** (-1.0 / np.asarray(checked("Exponential.decade: steps", steps, above=True))))

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return p[0] * p[1] ** t


@dataclasses.dataclass(frozen=True, eq=False)
class StepDecay(Schedule):
    r"""A rate that changes by a factor every `period` steps, :math:`\eta_t = \eta_0 \gamma^{\lfloor t / T \rfloor}`.

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of the first `period` steps, >= 0.
    period : int or array_like of int
        The number :math:`T` >= 1 of steps at one rate.
    gamma : float or array_like, default 0.1
        The factor :math:`\gamma` >= 0.

    Notes
    -----
    PyTorch's ``StepLR``, with its default; Keras' ``ExponentialDecay`` and Optax's ``exponential_decay`` with
    ``staircase=True``.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.StepDecay(0.1, period=10, gamma=0.5)([0, 9, 10, 20])
    array([0.1  , 0.1  , 0.05 , 0.025])
    """

    lr: Any = number()
    period: Any = count()
    gamma: Any = number(0.1)

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return p[0] * p[2] ** np.floor(t / p[1])


@dataclasses.dataclass(frozen=True, eq=False)
class PiecewiseConstant(Schedule):
    r"""A given rate for each stretch of steps: :math:`\eta_t = v_k` for :math:`b_{k-1} \le t < b_k`.

    Parameters
    ----------
    boundaries : sequence of int
        The steps :math:`1 \le b_0 < b_1 < \dots` at which the next value begins; the same for all runs.
    values : sequence
        One value more than there are boundaries, each >= 0 and a float or array_like.

    Notes
    -----
    PyTorch's ``MultiStepLR`` and Optax's ``piecewise_constant_schedule`` change at the same steps and are given factors
    in place of values.  Keras' ``PiecewiseConstantDecay`` is given values and changes one step later, at
    :math:`t = b_k + 1`.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.PiecewiseConstant([3, 5], [0.1, 0.01, 0.002])(range(7))
    array([0.1  , 0.1  , 0.1  , 0.01 , 0.01 , 0.002, 0.002])
    """

    boundaries: Any = option()
    values: Any = option()

    def __post_init__(self) -> None:
        sequences = (tuple, list, np.ndarray)
        if not isinstance(self.boundaries, sequences) or not all(is_whole(b, -INT64) for b in self.boundaries):
            raise TypeError(
                f"PiecewiseConstant: boundaries must be a sequence of integers, got {shown(self.boundaries)}"
            )
        boundaries = tuple(int(b) for b in self.boundaries)
        if any(high <= low for low, high in zip((0, *boundaries), boundaries, strict=False)):
            raise ValueError(f"PiecewiseConstant: boundaries must be >= 1 and increase, got {self.boundaries!r}")
        if not isinstance(self.values, sequences) or (isinstance(self.values, np.ndarray) and not self.values.ndim):
            raise TypeError(f"PiecewiseConstant: values must be a sequence, got {shown(self.values)}")
        values = tuple(self.values)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstant: {len(boundaries)} boundaries need {len(boundaries) + 1} values, got {len(values)}"
            )
        values = tuple(checked(f"PiecewiseConstant: values[{k}]", value) for k, value in enumerate(values))
        object.__setattr__(self, "boundaries", boundaries)
        object.__setattr__(self, "values", values)
        self.check_shapes()

    def parameters(self) -> dict[str, Any]:
        return {f"values[{k}]": value for k, value in enumerate(self.values)}

    def rate_function(self) -> Callable[..., Any]:
        if not self.boundaries:
            return lambda p, t: p[0]
        boundaries = self.boundaries

        def rate(p, t):
            value = p[0]
            for k in range(len(boundaries)):
                value = select(t >= boundaries[k], p[k + 1], value)
            return value

        return rate


@dataclasses.dataclass(frozen=True, eq=False)
class Polynomial(Schedule):
    r"""A rate that falls by a power of the steps left, and then stays.

    .. math:: \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min}) \left(1 - \frac{\min(t, T)}{T}\right)^q

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of step 0, >= 0.
    steps : int or array_like of int
        The number :math:`T` >= 1 of steps down to `min_lr`.
    power : float or array_like, default 1.0
        The power :math:`q` > 0; 1 is a straight line.
    min_lr : float or array_like, default 0.0
        The rate :math:`\eta_{\min}` at the end, in [0, lr].

    Notes
    -----
    PyTorch's ``PolynomialLR`` ends at 0.  Keras' ``PolynomialDecay`` ends at ``end_learning_rate``, 1e-4 by default,
    and can start again (``cycle``).  Optax's ``polynomial_schedule`` can wait at first (``transition_begin``), which
    `sequence` does here.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.Polynomial(0.4, steps=4, power=2.0)(range(6))
    array([0.4  , 0.225, 0.1  , 0.025, 0.   , 0.   ])
    """

    lr: Any = number()
    steps: Any = count()
    power: Any = number(1.0, above=True)
    min_lr: Any = number(0.0)

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        lr, steps, power, low = p
        return low + (lr - low) * ((steps - min(t, steps)) / steps) ** power
