"""The optimizers, by class and by name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from fastgd.calls import explain_calls, explain_construction
from fastgd.errors import nearest, suggesting
from fastgd.keywords import unknown_keyword
from fastgd.texts import brief

from .adam import Adam, Adamax, AdamW
from .adam_variants import AdaBelief, Adan, NAdam, RAdam, Yogi
from .adaptive import Adadelta, AdaGrad, RMSprop
from .ademamix import AdEMAMix
from .base import Engine, Method, Optimizer, Rule, Search
from .conjugate import ConjugateGradient
from .descent import GradientDescent, Momentum, Nesterov
from .lbfgs import LBFGS
from .schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from .sign import Lion, Rprop
from .state import State

__all__ = [
    "LBFGS", "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan", "ConjugateGradient",
    "Engine", "GradientDescent", "Lion", "Method", "Momentum", "NAdam", "Nesterov", "Optimizer", "RAdam", "RMSprop",
    "Rprop", "Rule", "ScheduleFreeAdamW", "ScheduleFreeSGD", "Search", "State", "Yogi", "make", "names", "register",
    "rules",
]  # fmt: skip

M = TypeVar("M", bound=type[Method])
REGISTRY: dict[str, type[Method]] = {}


def __dir__() -> list[str]:
    return list(__all__)


if not TYPE_CHECKING:  # which would take any name then
    __getattr__ = suggesting(__name__, __all__)


def register(kind: M) -> M:
    """Make a method known by its name to `make` and to the command line; a decorator of its class, a dataclass."""
    REGISTRY[kind.name] = brief(explain_construction(kind))
    return kind


for _kind in list(globals().values()):
    if isinstance(_kind, type) and issubclass(_kind, Method) and _kind not in (Method, Optimizer):
        register(_kind)


def rules() -> list[str]:
    """Names of the methods that are update rules, sorted."""
    return sorted(name for name, kind in REGISTRY.items() if issubclass(kind, Optimizer))


def names() -> list[str]:
    """Names that `make` knows, sorted.

    Examples
    --------
    >>> from fastgd import optimizers
    >>> optimizers.names()[:5]
    ['adabelief', 'adadelta', 'adagrad', 'adam', 'adamax']
    """
    return sorted(REGISTRY)


@explain_calls(own_options=True)
def make(name: str, **options: Any) -> Any:
    """Make an optimizer by its name.

    Parameters
    ----------
    name : str
        One of `names`.
    **options
        Its fields, such as ``lr=0.05``.

    Returns
    -------
    Method
        The optimizer.

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
    if not isinstance(name, str) or name not in REGISTRY:
        raise ValueError(f"unknown optimizer {name!r}.{nearest(name, names())} Known: {', '.join(names())}")
    kind: Any = REGISTRY[name]
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    for option in options:
        if option not in fields:
            raise ValueError(unknown_keyword(name, option, fields, what="option"))
    missing = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.name not in options]
    if missing:
        raise ValueError(f"{name} needs {', '.join(missing)}")
    return kind(**options)
