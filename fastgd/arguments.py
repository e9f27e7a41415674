"""Checks of the arguments that most functions have: a problem, starts and an optimizer, each in its place."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgd.optimizers import REGISTRY, Method
from fastgd.points import described
from fastgd.problem import Problem

__all__ = ["PER_RUN", "check_kinds", "check_order", "check_problem", "check_single"]

# Arguments of `fastgd.minimize` that may be arrays, with a number for each run, as hyperparameters may
PER_RUN = ("batch_size", "noise")


def check_problem(problem: Any) -> None:
    """Raise TypeError unless this is a problem.

    Examples
    --------
    >>> from fastgd.arguments import check_problem
    >>> check_problem(abs)
    Traceback (most recent call last):
    TypeError: problem must be a fastgd.Problem, got the function abs; write fastgd.Problem(abs, dim=...)
    """
    if isinstance(problem, Problem):
        return
    if isinstance(problem, type) and issubclass(problem, Problem):
        raise TypeError(f"problem must be an instance: write {problem.__name__}(fun, dim=...), not {problem.__name__}")
    if not isinstance(problem, (types.FunctionType, types.BuiltinFunctionType)):
        got = described(problem)
        raise TypeError(f"problem must be a fastgd.Problem, got {got}; write fastgd.Problem(fun, dim=...)")
    name = problem.__name__
    if (getattr(problem, "__module__", None) or "").startswith("fastgd.problems"):
        raise TypeError(f"problem must be a fastgd.Problem, got the function that makes one: write {name}()")
    fun = "fun" if name == "<lambda>" else name
    got = "a lambda" if name == "<lambda>" else f"the function {name}"
    raise TypeError(f"problem must be a fastgd.Problem, got {got}; write fastgd.Problem({fun}, dim=...)")


def check_kinds(problem: Any, optimizer: Any, kind: type[Method]) -> None:
    """Raise TypeError unless these are a problem and an optimizer of this kind."""
    if isinstance(problem, Method) and isinstance(optimizer, Problem):
        raise TypeError("problem and optimizer are swapped: the problem comes first")
    check_problem(problem)
    if isinstance(optimizer, type) and issubclass(optimizer, Method):
        raise TypeError(f"optimizer must be an instance: write {optimizer.__name__}(...), not {optimizer.__name__}")
    if not isinstance(optimizer, kind):
        such = example_of(optimizer)
        raise TypeError(f"optimizer must be an optimizer such as {such}, got {described(optimizer)}")


def example_of(name: Any) -> str:
    """How one writes the optimizer of this name, or any where the name is none.

    Examples
    --------
    >>> from fastgd.arguments import example_of
    >>> example_of("Momentum"), example_of(3)
    ('fastgd.Momentum(...)', 'fastgd.Adam(lr=0.05)')
    """
    if not isinstance(name, str):
        return "fastgd.Adam(lr=0.05)"
    if kind := {known.lower(): kind for known, kind in REGISTRY.items()}.get(name.lower().replace(" ", "_")):
        return f"fastgd.{kind.__name__}(...)"
    return "fastgd.Adam(lr=0.05), or fastgd.SciPy('BFGS') for a method of SciPy's"


def check_order(x0: Any, optimizer: Any, call: str) -> None:
    """Raise TypeError where optimizers came as the starts, and the starts as optimizers.

    Examples
    --------
    >>> import fastgd as gd
    >>> from fastgd.arguments import check_order
    >>> check_order(gd.Adam(lr=0.1), [0.0, 0.0], "minimize(problem, x0, optimizer)")
    Traceback (most recent call last):
    TypeError: x0 and optimizer are swapped: write minimize(problem, x0, optimizer)
    """
    if has_optimizers(x0) and not has_optimizers(optimizer):
        names = call.partition("(")[2].rstrip(")").split(", ")
        raise TypeError(f"{names[1]} and {names[2]} are swapped: write {call}")


def check_single(varied: Mapping[str, Any], purpose: str, instead: str) -> None:
    """Raise ValueError where one of these may be one number only, and is an array.

    Examples
    --------
    >>> from fastgd.arguments import check_single
    >>> check_single({"lr": [0.1, 0.2]}, "for a map", "draw one map for each of its values")
    Traceback (most recent call last):
    ValueError: lr must be one number for a map, got an array of shape (2,); draw one map for each of its values
    """
    for name, value in varied.items():
        if np.ndim(value):
            raise ValueError(f"{name} must be one number {purpose}, got an array of shape {np.shape(value)}; {instead}")


def has_optimizers(value: Any) -> bool:
    """Whether a value is an optimizer, the class of one, or a list or mapping of them."""
    if isinstance(value, type):
        return issubclass(value, Method)
    if isinstance(value, (Mapping, list, tuple)):
        return any(isinstance(each, Method) for each in (value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, Method)
