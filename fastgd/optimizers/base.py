"""The contract of an update rule, and what every optimizer shares."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fastgd.boxes import real_array
from fastgd.jit.options import inlined
from fastgd.schedules import Constant, Schedule

__all__ = ["Optimizer", "Rule", "decayed_by", "hyper"]


CLIPS = ("clip_value", "clip_norm")


class Rule(NamedTuple):
    """An update rule as plain scalar functions, compiled for every target from this one source.

    Attributes
    ----------
    coefficients : callable
        ``coefficients(h, t) -> tuple``: what depends on the step alone, such as bias corrections.  `h` holds the
        hyperparameters in the order of the optimizer's fields, the learning rate being that of step t = 0, 1, ...
    update : callable
        ``update(x, g, s, c) -> (x, s)``: the new parameter and its new state.
    slots : int
        How many numbers of state each parameter has; all are 0 before the first step.
    probe : callable, optional
        ``probe(x, s, c) -> x``: where the gradient is taken, if not at `x`.

    Notes
    -----
    A NaN in `g` has to reach the new `x`: the loop looks there for divergence.
    """

    coefficients: Callable
    update: Callable
    slots: int
    probe: Callable | None = None


def hyper(
    default: Any = dataclasses.MISSING,
    low: float = 0.0,
    high: float = math.inf,
    *,
    below: bool = False,
    kw_only: bool = False,
) -> Any:
    """A numeric hyperparameter in [low, high], or in [low, high) where `below` is set; None if that is the default."""
    range_of = {"low": low, "high": high, "below": below}
    return dataclasses.field(default=default, kw_only=kw_only, metadata=range_of)


@dataclasses.dataclass(frozen=True, eq=False)
class Optimizer:
    """Base of all optimizers: frozen dataclasses whose numeric fields may be arrays that broadcast with the starts.

    Parameters
    ----------
    lr : float, array_like or Schedule
        The learning rate.
    clip_value : float or array_like, optional
        Keyword only, for every optimizer: each component of the gradient is cut to [-clip_value, clip_value].
    clip_norm : float or array_like, optional
        Keyword only, for every optimizer: a gradient with a larger Euclidean norm is scaled down to this one (as Optax
        does; PyTorch divides by the norm plus 1e-6).  With both, the value's limit comes first.  The stop test looks at
        the gradient before it is cut.
    """

    lr: float | np.ndarray | Schedule = hyper()
    clip_value: Any = hyper(None, kw_only=True)
    clip_norm: Any = hyper(None, kw_only=True)

    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            name = f"{type(self).__name__}: {field.name}"
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
            if "low" not in field.metadata or (field.name == "lr" and isinstance(value, Schedule)):
                continue
            if value is None and field.default is None:
                continue
            object.__setattr__(self, field.name, checked(name, value, **field.metadata))

    def rule(self) -> Rule:
        """The update rule of these settings."""
        raise NotImplementedError

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule."""
        return self.lr if isinstance(self.lr, Schedule) else Constant(self.lr)

    def hyperparameters(self) -> dict[str, Any]:
        """What may vary from run to run: the schedule's parameters, then the rule's numbers, then the clips in use."""
        numbers = dict(self.schedule.parameters())
        for field in dataclasses.fields(self):
            if field.name not in ("lr", *CLIPS) and "low" in field.metadata:
                numbers[field.name] = getattr(self, field.name)
        return numbers | {name: getattr(self, name) for name in self.clips}

    @property
    def clips(self) -> tuple[str, ...]:
        """Which of `clip_value` and `clip_norm` are in use."""
        return tuple(name for name in CLIPS if getattr(self, name) is not None)


def decayed_by(weight_decay: Any) -> Callable:
    """``decayed(g, x, weight_decay)``: the gradient with the decay's part added, which costs nothing where it is 0."""

    def decayed(g, x, weight_decay):
        return g + weight_decay * x

    def as_it_is(g, x, weight_decay):
        return g

    return inlined(decayed if np.any(weight_decay) else as_it_is)


def checked(name: str, value: Any, low: float, high: float, below: bool) -> Any:
    """`value` as a float, or as a read-only array of floats, inside its range."""
    if isinstance(value, Schedule):
        raise TypeError(f"{name} must be a number or an array of numbers; only lr may be a schedule, got {value!r}")
    numbers = real_array(value, name)
    good = np.isfinite(numbers) & (numbers >= low) & ((numbers < high) if below else (numbers <= high))
    if not good.all():
        interval = f"[{low:g}, {high:g}{')' if below or math.isinf(high) else ']'}"
        raise ValueError(f"{name} must be finite and in {interval}, got {numbers[~good].flat[0]:g}")
    if numbers.ndim == 0:
        return float(numbers)
    numbers.flags.writeable = False
    return numbers
