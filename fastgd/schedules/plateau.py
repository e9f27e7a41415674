"""A rate that falls when a run's own value no longer does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from fastgd.boxes import real_array
from fastgd.jit.masks import select

from .base import Schedule, count, number, option

__all__ = ["ReduceOnPlateau"]


@dataclasses.dataclass(frozen=True, eq=False)
class ReduceOnPlateau(Schedule):
    r"""A rate that falls by a factor when the value has not improved for more than `patience` steps.

    Each run watches its own value :math:`f_t`, taken at the point that step t starts from; what it sees there counts
    from step t + 1 on.  A value is better than the best one :math:`f^*` seen so far if

    .. math:: f_t < f^* - \theta |f^*| \;(\text{"rel"}) \quad\text{or}\quad f_t < f^* - \theta \;(\text{"abs"}).

    A better value becomes the best one; any other counts as bad.  When more than `patience` bad ones have come in a
    row, the rate becomes :math:`\max(\gamma \eta, \eta_{\min})`, the count starts again, and for `cooldown` steps
    nothing is counted.

    Parameters
    ----------
    lr : float or array_like
        The rate to begin with, >= 0.
    factor : float or array_like, default 0.1
        The factor :math:`\gamma` in [0, 1).
    patience : int or array_like of int, default 10
        How many bad values in a row are let pass, >= 0.
    threshold : float or array_like, default 1e-4
        The improvement :math:`\theta` that counts: in [0, 1) where it is relative, else >= 0.
    threshold_mode : {"rel", "abs"}, default "rel"
        Whether `threshold` is relative to the best value.
    cooldown : int or array_like of int, default 0
        Steps after a reduction in which nothing is counted, >= 0.
    min_lr : float or array_like, default 0.0
        The smallest rate :math:`\eta_{\min}`, in [0, lr].

    Notes
    -----
    PyTorch's ``ReduceLROnPlateau`` with ``mode="min"`` and its defaults, with two differences.  PyTorch compares with
    :math:`f^* (1 - \theta)`, which is the same for :math:`f^* \ge 0`, but lies above :math:`f^*` where values are
    negative, so that worse values count as better.  And it leaves out reductions by 1e-8 or less (``eps``).  Keras'
    ``ReduceLROnPlateau`` reduces one bad value earlier and has an absolute threshold (``min_delta``); Optax's
    ``reduce_on_plateau`` has a relative and an absolute one, and reduces one bad value earlier too.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedule = schedules.ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> schedule.replay([3.0, 2.0, 2.0, 2.0, 1.0])
    array([0.1 , 0.1 , 0.1 , 0.1 , 0.05])
    """

    memory: ClassVar[int] = 4  # the rate, the best value, how many bad ones in a row, steps of cooldown left

    lr: Any = number()
    factor: Any = number(0.1, high=1.0, below=True)
    patience: Any = count(10, low=0)
    threshold: Any = number(1e-4)
    threshold_mode: str = option("rel")
    cooldown: Any = count(0, low=0)
    min_lr: Any = number(0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold_mode not in ("rel", "abs"):
            raise ValueError(f'ReduceOnPlateau: threshold_mode must be "rel" or "abs", got {self.threshold_mode!r}')
        if self.threshold_mode == "rel" and np.any(self.threshold >= 1):
            raise ValueError(f"ReduceOnPlateau: a relative threshold must be below 1, got {self.threshold!r}")

    @staticmethod
    def rate(p: Any, t: Any, m: Any) -> Any:  # type: ignore[override]
        return m[0]

    @staticmethod
    def start(p: Any) -> Any:
        return p[0], math.inf, 0.0, 0.0

    @property
    def observe(self) -> Callable[..., Any]:  # type: ignore[override]
        """The function ``observe(p, m, f)``: the memory after the value f was seen."""
        relative = self.threshold_mode == "rel"

        def observe(p, m, f):
            _, factor, patience, threshold, cooldown, low = p
            lr, best, bad, rest = m
            # as a product: an infinite `best` minus an infinite part of it would be NaN
            share = select(best < 0.0, 1.0 + threshold, 1.0 - threshold)
            better = f < select(relative, best * share, best - threshold)
            best = select(better, f, best)
            bad = select(better, 0.0, bad + 1.0)
            cooling = rest > 0.0
            rest = select(cooling, rest - 1.0, rest)
            bad = select(cooling, 0.0, bad)
            worn = bad > patience
            lr = select(worn, max(lr * factor, low), lr)
            return lr, best, select(worn, 0.0, bad), select(worn, cooldown, rest)

        return observe

    def __call__(self, step: Any) -> Any:
        """A rate that depends on values is no function of the step: see `replay`."""
        raise TypeError("ReduceOnPlateau depends on the values that a run sees; write schedule.replay(values)")

    def replay(self, values: Any) -> np.ndarray:
        """The rates that a run would have used, had it seen these values.

        Parameters
        ----------
        values : array_like, shape (*batch, steps)
            The value at the point that each step starts from.

        Returns
        -------
        ndarray, shape (*batch, steps)
            The rate of each step; array fields broadcast with the batch.
        """
        seen = real_array(values, "values")
        if seen.ndim == 0:
            raise ValueError("values must have shape (*batch, steps), got one number")
        numbers = self.parameters()
        shapes = {"values (without its last axis)": seen.shape[:-1]}
        shapes |= {name: np.shape(value) for name, value in numbers.items()}
        try:
            batch = np.broadcast_shapes(*shapes.values())
        except ValueError:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
            raise ValueError(f"ReduceOnPlateau.replay: the shapes do not broadcast: {listed}") from None
        runs = np.broadcast_to(seen, batch + seen.shape[-1:])
        rates = np.empty(runs.shape)
        columns = [np.broadcast_to(value, batch) for value in numbers.values()]
        observe = self.observe
        for run in np.ndindex(*batch):
            p = tuple(float(column[run]) for column in columns)
            m = self.start(p)
            for t, value in enumerate(runs[run].tolist()):
                rates[(*run, t)] = m[0]
                m = observe(p, m, value)
        return rates
