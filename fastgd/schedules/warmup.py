"""The way in: a rising rate, and one schedule after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgd.calls import explain_calls
from fastgd.checks import is_whole, past_int64, shown
from fastgd.jit.masks import select
from fastgd.jit.options import inlined

from .base import Schedule, checked_steps, count, number, option

__all__ = ["LinearWarmup", "Sequence", "sequence"]


@dataclasses.dataclass(frozen=True, eq=False)
class LinearWarmup(Schedule):
    r"""A rate that moves along a straight line from one multiple of `lr` to another, and then stays.

    .. math:: \eta_t = \eta \left(a + (b - a) \frac{\min(t, T)}{T}\right)

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta` >= 0.
    steps : int or array_like of int
        The number :math:`T` >= 1 of steps until the rate stays.
    start_factor : float or array_like, default 1/3
        The factor :math:`a` >= 0 of step 0.  With 0 the first step does not move, which `xtol` takes for no progress.
    end_factor : float or array_like, default 1.0
        The factor :math:`b` >= 0 at the end.

    Notes
    -----
    PyTorch's ``LinearLR`` (there `steps` is ``total_iters``, 5 by default, and the factors are at most 1).  The warm-up
    of Keras' ``CosineDecay`` and of Optax's ``warmup_cosine_decay_schedule`` is a line too, followed by a cosine:
    ``sequence(LinearWarmup(lr, steps), Cosine(lr, period), at=steps)``.

    References
    ----------
    P. Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, arXiv:1706.02677.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.LinearWarmup(0.4, steps=4, start_factor=0.5)(range(6))
    array([0.2 , 0.25, 0.3 , 0.35, 0.4 , 0.4 ])
    """

    lr: Any = number()
    steps: Any = count()
    start_factor: Any = number(1.0 / 3.0)
    end_factor: Any = number(1.0)

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        lr, steps, first, last = p
        return lr * (first + (last - first) * (min(t, steps) / steps))


@dataclasses.dataclass(frozen=True, eq=False)
class Sequence(Schedule):
    """Two schedules, one after the other; see `sequence`."""

    first: Schedule = option()
    then: Schedule = option()
    at: int = option()

    def __post_init__(self) -> None:
        for name in ("first", "then"):
            schedule = getattr(self, name)
            if not isinstance(schedule, Schedule):
                raise TypeError(f"sequence: {name} must be a schedule, such as Constant(lr), got {schedule!r}")
            if schedule.memory:
                kind = type(schedule).__name__
                raise TypeError(f"sequence: {name} must depend on the step alone; {kind} needs the values too")
        if isinstance(self.at, bool) or not isinstance(self.at, (int, np.integer)):
            raise TypeError(f"sequence: at must be an integer, got {shown(self.at)}")
        if not is_whole(self.at):
            raise ValueError(f"sequence: at must be >= 1, got {shown(self.at)}{past_int64(self.at)}")
        at = int(self.at)
        object.__setattr__(self, "at", at)
        self.check_shapes()

    def parameters(self) -> dict[str, Any]:
        parts = {"first": self.first.parameters(), "then": self.then.parameters()}
        return {f"{part}.{name}": value for part, numbers in parts.items() for name, value in numbers.items()}

    def rate_function(self) -> Callable[..., Any]:
        first, then, at = inlined(self.first.rate_function()), inlined(self.then.rate_function()), self.at
        count = len(self.first.parameters())

        def rate(p, t):
            return select(t < at, first(p[:count], t), then(p[count:], max(t - at, 0)))

        return rate

    def __call__(self, step: Any) -> Any:
        steps = checked_steps(step)
        rates = np.where(steps < self.at, self.first(steps), self.then(np.maximum(steps - self.at, 0)))
        return float(rates) if rates.ndim == 0 else rates


@explain_calls()
def sequence(first: Schedule, then: Schedule, at: int) -> Sequence:
    """`first` for `at` steps, and `then` from its own step 0 on.

    Parameters
    ----------
    first, then : Schedule
        Any schedules but `ReduceOnPlateau`; sequences too.
    at : int
        The step >= 1 at which `then` begins; the same for all runs.

    Returns
    -------
    Schedule
        Its parameters are those of both, named ``first.lr``, ``then.lr`` and so on.

    Raises
    ------
    TypeError, ValueError
        For other arguments.

    Notes
    -----
    PyTorch's ``SequentialLR`` with one milestone; Optax's ``join_schedules`` with one boundary.

    Examples
    --------
    >>> from fastgd import schedules
    >>> warm = schedules.LinearWarmup(0.4, steps=4, start_factor=0.25)
    >>> schedules.sequence(warm, schedules.Exponential(0.4, gamma=0.5), at=4)(range(7))
    array([0.1  , 0.175, 0.25 , 0.325, 0.4  , 0.2  , 0.1  ])
    """
    return Sequence(first, then, at)
