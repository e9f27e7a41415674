"""The optimizers, by class and by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastgd.errors import nearest

from .adam import Adam
from .base import Optimizer, Rule
from .descent import GradientDescent, Momentum, Nesterov

__all__ = ["Adam", "GradientDescent", "Momentum", "Nesterov", "Optimizer", "Rule", "make", "names"]

REGISTRY: dict[str, type[Optimizer]] = {kind.name: kind for kind in (Adam, GradientDescent, Momentum, Nesterov)}


def names() -> list[str]:
    """Names that `make` knows, sorted.

    Examples
    --------
    >>> from fastgd import optimizers
    >>> optimizers.names()
    ['adam', 'gradient_descent', 'momentum', 'nesterov']
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
