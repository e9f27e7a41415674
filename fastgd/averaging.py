"""Averages of the iterates, taken while the runs descend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from .calls import explain_construction
from .checks import is_real, is_whole, past_int64, shown
from .jit.masks import select

__all__ = ["EMA", "SWA", "Average"]


@dataclasses.dataclass(frozen=True)
class Average:
    """Base of the averages: after step t = 1, 2, ... the average moves to the new point by a weight, which may be 0."""

    @property
    def start(self) -> int:
        """The first step whose point is averaged."""
        raise NotImplementedError

    def weight(self) -> Callable[[Any], Any]:
        """The plain scalar function ``weight(t)``, in [0, 1]; it is 1 at the first point."""
        raise NotImplementedError


@explain_construction
@dataclasses.dataclass(frozen=True)
class SWA(Average):
    r"""Stochastic weight averaging: the mean of the points after steps `start`, `start` + `every`, ...

    .. math:: \bar x_k = \bar x_{k-1} + \frac{x_{t_k} - \bar x_{k-1}}{k}, \qquad t_k = t_1 + (k - 1)\, c

    Parameters
    ----------
    start : int
        The first step whose point is taken, :math:`t_1 \ge 1`.
    every : int, default 1
        The distance :math:`c \ge 1` between them.  With a cyclic schedule take its period, and for `start` a step at
        which the rate is lowest, to average at the low points as the paper does.

    References
    ----------
    P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. G. Wilson, Averaging weights leads to wider optima and better
    generalization, arXiv:1803.05407.

    Examples
    --------
    >>> import fastgd as gd
    >>> square = gd.Problem(lambda x: x[0] ** 2, dim=1)
    >>> run = gd.minimize(square, [1.0], gd.GradientDescent(lr=1.0), max_steps=10, average=gd.SWA(start=1))
    >>> bool(run.x == 1), bool(abs(run.x_avg) < 1e-12)  # this rate jumps between 1 and -1
    (True, True)
    """

    start: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("start", "every"):
            value = getattr(self, name)
            if not is_whole(value):
                raise ValueError(f"SWA: {name} must be an integer >= 1, got {shown(value)}{past_int64(value)}")

    def weight(self) -> Callable[[Any], Any]:
        start, every = int(self.start), int(self.every)

        def weight(t):
            past = t - start
            return select((past >= 0) & (past % every == 0), 1.0 / (max(past, 0) // every + 1.0), 0.0)

        return weight


@explain_construction
@dataclasses.dataclass(frozen=True)
class EMA(Average):
    r"""An exponential moving average of the points.

    .. math:: \bar x_t = \beta\, \bar x_{t-1} + (1 - \beta)\, x_t, \qquad \bar x_{t_1} = x_{t_1}

    Parameters
    ----------
    beta : float, default 0.999
        How much of the average is kept, in [0, 1).
    start : int, default 1
        The step :math:`t_1 \ge 1` whose point begins the average.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging,
    doi:10.1137/0330046, on averages of the iterates.

    Examples
    --------
    >>> import fastgd as gd
    >>> square = gd.Problem(lambda x: x[0] ** 2, dim=1)
    >>> run = gd.minimize(square, [1.0], gd.GradientDescent(lr=0.25), max_steps=2, average=gd.EMA(beta=0.5))
    >>> run.x, run.x_avg  # 0.5, then 0.25
    (array([0.25]), array([0.375]))
    """

    beta: float = 0.999
    start: int = 1

    def __post_init__(self) -> None:
        if not is_real(self.beta) or not 0 <= self.beta < 1:
            raise ValueError(f"EMA: beta must be a number in [0, 1), got {shown(self.beta)}")
        if not is_whole(self.start):
            raise ValueError(f"EMA: start must be an integer >= 1, got {shown(self.start)}{past_int64(self.start)}")

    def weight(self) -> Callable[[Any], Any]:
        start, fresh = int(self.start), 1.0 - float(self.beta)

        def weight(t):
            return select(t > start, fresh, select(t == start, 1.0, 0.0))

        return weight
