"""The optimizers, by class and by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastgd.errors import nearest

from .adam import Adam, Adamax, AdamW
from .adam_variants import AdaBelief, Adan, NAdam, RAdam, Yogi
from .adaptive import Adadelta, AdaGrad, RMSprop
from .ademamix import AdEMAMix
from .base import Optimizer, Rule
from .descent import GradientDescent, Momentum, Nesterov
from .schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from .sign import Lion, Rprop
from .state import State

__all__ = [
    "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan", "GradientDescent", "Lion",
    "Momentum", "NAdam", "Nesterov", "Optimizer", "RAdam", "RMSprop", "Rprop", "Rule", "ScheduleFreeAdamW",
    "ScheduleFreeSGD", "State", "Yogi", "make", "names",
]  # fmt: skip

REGISTRY: dict[str, type[Optimizer]] = {
    kind.name: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
}


def names() -> list[str]:
    """Names that `make` knows, sorted.

    Examples
    --------
    >>> from fastgd import optimizers
    >>> optimizers.names()[:5]
    ['adabelief', 'adadelta', 'adagrad', 'adam', 'adamax']
    """
    return sorted(REGISTRY)


def make(name: str, **options: Any) -> Optimizer:
    """Make an optimizer by its name.

    Parameters
    ----------
    name : str
        One of `names`.
    **options
        Its fields, such as ``lr=0.05``.

    Raises
    ------
    ValueError
        If the name or an option is unknown; the message suggests the nearest one.

    Examples
    --------
    >>> from fastgd import optimizers
    >>> optimizers.make("momentum", lr=0.1).momentum
    0.9
    """
    if name not in REGISTRY:
        raise ValueError(f"unknown optimizer {name!r}.{nearest(name, names())} Known: {', '.join(names())}")
    kind = REGISTRY[name]
    fields = [field.name for field in dataclasses.fields(kind)]
    for option in options:
        if option not in fields:
            hint = nearest(option, fields)
            raise ValueError(f"{name} has no option {option!r}.{hint} Its options: {', '.join(fields)}")
    missing = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.name not in options]
    if missing:
        raise ValueError(f"{name} needs {', '.join(missing)}")
    return kind(**options)
