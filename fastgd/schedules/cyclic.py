"""Cosines, triangles and the one cycle.

The waves are written in terms of the distance to their lowest point, in which nothing cancels: the rates are right to
some units in the last place down to 0, at every step.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgd.boxes import positive_integer
from fastgd.jit.masks import select

from .base import Schedule, count, number, option

__all__ = ["Cosine", "CosineWarmRestarts", "ExpRange", "OneCycle", "Triangular", "Triangular2"]

QUARTER = 0.5 * math.pi  # a quarter of a turn: (1 - cos(pi x)) / 2 = sin(QUARTER x)^2


@dataclasses.dataclass(frozen=True, eq=False)
class Cosine(Schedule):
    r"""Half a cosine from `lr` to `min_lr` in `period` steps, and, after it, up and down again.

    .. math:: \eta_t = \eta_{\min} + \frac{\eta_0 - \eta_{\min}}{2} \left(1 + \cos\frac{\pi t}{T}\right)

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of step 0, >= 0.
    period : int or array_like of int
        The number :math:`T` >= 1 of steps down to `min_lr`.
    min_lr : float or array_like, default 0.0
        The lowest rate :math:`\eta_{\min}`, in [0, lr].

    Notes
    -----
    PyTorch's ``CosineAnnealingLR``, which computes each rate from the last one and so collects rounding errors.  Keras'
    ``CosineDecay`` and Optax's ``cosine_decay_schedule`` stay at the lowest rate after `period` steps, as does
    ``sequence(Cosine(lr, period, min_lr), Constant(min_lr), at=period)``; they give it as a fraction of `lr`.

    References
    ----------
    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.Cosine(0.1, period=4)(range(6)).round(4)
    array([0.1   , 0.0854, 0.05  , 0.0146, 0.    , 0.0146])
    """

    lr: Any = number()
    period: Any = count()
    min_lr: Any = number(0.0)

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        lr, period, low = p
        turn = 2.0 * period
        away = abs(t - turn * np.floor(t / turn) - period)
        wave = np.sin(QUARTER * (away / period))
        return low + (lr - low) * (wave * wave)


@dataclasses.dataclass(frozen=True, eq=False)
class CosineWarmRestarts(Schedule):
    r"""Half a cosine from `lr` down to `min_lr`, again and again, each longer and lower than the last if so wished.

    .. math::
        \eta_t = \eta_{\min} + \frac{\eta_0 - \eta_{\min}}{2}\, d^{\,i} \left(1 + \cos\frac{\pi (t - t_i)}{T_i}\right),
        \qquad T_i = T_0\, m^i, \quad t_i = T_0 + \dots + T_{i-1}

    where :math:`i` counts the restarts up to step t.

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of step 0, >= 0.
    period : int or array_like of int
        The number :math:`T_0` >= 1 of steps before the first restart.
    t_mult : int, default 1
        By what each period is longer than the last, :math:`m` >= 1; the same for all runs.
    min_lr : float or array_like, default 0.0
        The rate :math:`\eta_{\min}` that each period falls to, in [0, lr].
    decay : float or array_like, default 1.0
        By what factor :math:`d` in [0, 1] the peak comes closer to `min_lr` at each restart.

    Notes
    -----
    PyTorch's ``CosineAnnealingWarmRestarts``, which has no `decay`.  Keras' ``CosineDecayRestarts`` has it as
    ``m_mul``, and ``t_mul`` = 2 by default; Optax's ``sgdr_schedule`` is given every period by itself.

    References
    ----------
    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.CosineWarmRestarts(0.1, period=2, t_mult=2, decay=0.5)(range(7)).round(4)
    array([0.1   , 0.05  , 0.05  , 0.0427, 0.025 , 0.0073, 0.025 ])
    """

    lr: Any = number()
    period: Any = count()
    t_mult: int = option(1)
    min_lr: Any = number(0.0)
    decay: Any = number(1.0, high=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "t_mult", positive_integer(self.t_mult, "CosineWarmRestarts: t_mult"))

    def rate_function(self) -> Callable[..., Any]:
        t_mult = self.t_mult

        def even(p, t):
            lr, period, low, decay = p
            restarts = np.floor(t / period)
            left = period - (t - period * restarts)
            wave = np.sin(QUARTER * (left / period))
            return low + (lr - low) * decay**restarts * (wave * wave)

        def longer(p, t):
            lr, period, low, decay = p
            height, since, length = lr - low, t + 0.0 * period, period
            begin = 1  # of the k-th period if the first one had one step: no later one has begun by step t
            while begin <= t:
                over = since >= length
                height = select(over, height * decay, height)
                since = select(over, since - length, since)
                length = select(over, length * t_mult, length)
                begin = begin * t_mult + 1
            wave = np.sin(QUARTER * ((length - since) / length))
            return low + height * (wave * wave)

        return even if t_mult == 1 else longer


@dataclasses.dataclass(frozen=True, eq=False)
class Triangular(Schedule):
    r"""A rate that rises from `min_lr` to `lr` along a straight line, and falls back along another, again and again.

    .. math:: \eta_t = \eta_{\min} + (\eta_{\max} - \eta_{\min})\, w_t, \qquad
        w_t = \begin{cases} u / a & u \le a \\ (a + b - u) / b & u > a \end{cases}, \qquad u = t \bmod (a + b)

    Parameters
    ----------
    lr : float or array_like
        The highest rate :math:`\eta_{\max}`, >= 0.
    min_lr : float or array_like
        The lowest rate :math:`\eta_{\min}`, in [0, lr].
    up : int or array_like of int
        The number :math:`a` >= 1 of steps up.
    down : int or array_like of int, optional
        The number :math:`b` >= 1 of steps down; `up` by default.

    Notes
    -----
    PyTorch's ``CyclicLR`` with ``mode="triangular"`` and without its cycled momentum.  Keras and Optax have no such
    schedule.

    References
    ----------
    L. N. Smith, Cyclical learning rates for training neural networks, arXiv:1506.01186.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.Triangular(0.5, min_lr=0.1, up=2, down=4)(range(8))
    array([0.1, 0.3, 0.5, 0.4, 0.3, 0.2, 0.1, 0.3])
    """

    lr: Any = number()
    min_lr: Any = number()
    up: Any = count()
    down: Any = count(None)

    def __post_init__(self) -> None:
        if self.down is None:
            object.__setattr__(self, "down", self.up)
        super().__post_init__()

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        lr, low, up, down = p
        turn = up + down
        since = t - turn * np.floor(t / turn)
        return low + (lr - low) * select(since <= up, since / up, (turn - since) / down)


@dataclasses.dataclass(frozen=True, eq=False)
class Triangular2(Triangular):
    r"""Triangles of which each is half as high as the last: `Triangular` with :math:`w_t / 2^i` in its i-th cycle.

    Parameters
    ----------
    lr, min_lr, up, down
        As for `Triangular`; `lr` is the peak of the first cycle.

    Notes
    -----
    PyTorch's ``CyclicLR`` with ``mode="triangular2"``.

    References
    ----------
    L. N. Smith, Cyclical learning rates for training neural networks, arXiv:1506.01186.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.Triangular2(0.5, min_lr=0.1, up=2)(range(8))
    array([0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2])
    """

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        lr, low, up, down = p
        turn = up + down
        cycle = np.floor(t / turn)
        since = t - turn * cycle
        return low + (lr - low) * 0.5**cycle * select(since <= up, since / up, (turn - since) / down)


@dataclasses.dataclass(frozen=True, eq=False)
class ExpRange(Triangular):
    r"""Triangles under an exponential: `Triangular` with :math:`w_t \gamma^t`.

    Parameters
    ----------
    lr, min_lr, up, down
        As for `Triangular`.
    gamma : float or array_like, default 1.0
        The factor :math:`\gamma` >= 0 of each step, below 1 for a decay.

    Notes
    -----
    PyTorch's ``CyclicLR`` with ``mode="exp_range"``.

    References
    ----------
    L. N. Smith, Cyclical learning rates for training neural networks, arXiv:1506.01186.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.ExpRange(0.5, min_lr=0.1, up=2, gamma=0.5)(range(5))
    array([0.1  , 0.2  , 0.2  , 0.125, 0.1  ])
    """

    gamma: Any = number(1.0)

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        lr, low, up, down, gamma = p
        turn = up + down
        since = t - turn * np.floor(t / turn)
        return low + (lr - low) * gamma**t * select(since <= up, since / up, (turn - since) / down)


@dataclasses.dataclass(frozen=True, eq=False)
class OneCycle(Schedule):
    r"""One rise to `lr` and one long fall, to far below where it began.

    The rate goes from :math:`\eta / D` to :math:`\eta` up to step :math:`s T - 1`, and from there to
    :math:`\eta / (D F)` at step :math:`T - 1`, where it stays.  With `three_phase` it first falls back to
    :math:`\eta / D`, up to step :math:`2 s T - 2`.  Between two such rates it follows half a cosine, or a line.

    Parameters
    ----------
    lr : float or array_like
        The peak :math:`\eta` >= 0.
    steps : int or array_like of int
        The number :math:`T` >= 1 of steps of the whole cycle.
    pct_start : float or array_like, default 0.3
        The fraction :math:`s` of the steps that go up, in [0, 1]; at most 0.5 with `three_phase`.
    div_factor : float or array_like, default 25.0
        What the peak is divided by for the first rate, :math:`D` > 0.
    final_div_factor : float or array_like, default 1e4
        What the first rate is divided by for the last, :math:`F` > 0.
    anneal_strategy : {"cos", "linear"}, default "cos"
        The shape of the rise and the fall.
    three_phase : bool, default False
        Whether the fall mirrors the rise first, as in the paper.

    Notes
    -----
    PyTorch's ``OneCycleLR``, with its defaults, without its cycled momentum; there a step after the last one is an
    error.  Optax's ``cosine_onecycle_schedule`` and ``linear_onecycle_schedule`` round the ends of the phases to whole
    steps and reach the last rate at step T.  Keras has no such schedule.

    References
    ----------
    L. N. Smith, N. Topin, Super-convergence: very fast training of neural networks using large learning rates,
    arXiv:1708.07120.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.OneCycle(1.0, steps=8, pct_start=0.5, div_factor=4.0, anneal_strategy="linear")(range(9)).round(4)
    array([0.25, 0.5 , 0.75, 1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
    """

    lr: Any = number()
    steps: Any = count()
    pct_start: Any = number(0.3, high=1.0)
    div_factor: Any = number(25.0, above=True)
    final_div_factor: Any = number(1e4, above=True)
    anneal_strategy: str = option("cos")
    three_phase: bool = option(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(f'OneCycle: anneal_strategy must be "cos" or "linear", got {self.anneal_strategy!r}')
        if not isinstance(self.three_phase, bool):
            raise TypeError(f"OneCycle: three_phase must be True or False, got {self.three_phase!r}")
        if self.three_phase and np.any(self.pct_start > 0.5):
            raise ValueError(f"OneCycle: pct_start must be <= 0.5 with three_phase, got {self.pct_start!r}")

    def rate_function(self) -> Callable[..., Any]:
        cosine = self.anneal_strategy == "cos"

        def two_phases(p, t):
            peak, steps, fraction, divisor, last_divisor = p
            first = peak / divisor
            last = first / last_divisor
            top, end = fraction * steps - 1.0, steps - 1.0
            at = min(t, end)
            rising = (at <= top) & (top > 0.0)
            low = select(rising, first, last)
            way = select(rising, at / top, (end - at) / max(end - top, 1.0))  # of the distance from `low` to `peak`
            wave = np.sin(QUARTER * way)
            return low + (peak - low) * select(cosine, wave * wave, way)

        def three_phases(p, t):
            peak, steps, fraction, divisor, last_divisor = p
            first = peak / divisor
            last = first / last_divisor
            top, end = fraction * steps - 1.0, steps - 1.0
            at = min(t, end)
            rising, mirrored = (at <= top) & (top > 0.0), at < 2.0 * top
            low, high = select(mirrored, first, last), select(mirrored, peak, first)
            falling = select(mirrored, (2.0 * top - at) / top, (end - at) / (end - 2.0 * top))
            way = select(rising, at / top, falling)
            wave = np.sin(QUARTER * way)
            return low + (high - low) * select(cosine, wave * wave, way)

        return three_phases if self.three_phase else two_phases
