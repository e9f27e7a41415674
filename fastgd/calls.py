"""Errors for calls that do not fit the function: what is missing, too much or unknown, and what to write instead."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from .examples import shown_arguments
from .keywords import PLACES, unknown_keyword
from .texts import listed, with_article

__all__ = ["explain_calls", "explain_construction", "levels_to_caller"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)

PASSED_ON: list[str] = []  # names of the options that functions hand on to another
BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
SHOWN = 5  # names in a sentence


def explain_calls(
    *, passed_on: bool = False, own_options: bool = False, places: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a decorator: where a call does not fit the function, its TypeError says what to write instead.

    A call that fits pays nothing for it: the words are sought after Python has refused the call. A function with
    ``**options`` takes the keyword-only arguments of the one that is decorated with `passed_on`, which is
    `fastgd.minimize`; with `own_options` it takes any, and looks at them itself. `places` are named before those of
    `unknown_keyword`. How an argument may look that is missing is taken from the example in the docstring.

    Examples
    --------
    >>> from fastgd.calls import explain_calls
    >>> @explain_calls()
    ... def descend(problem, optimizer, *, steps=10):
    ...     '''>>> descend(problem, gd.Adam(lr=0.05))'''
    ...     return steps
    >>> descend(1, 2)
    10
    >>> descend(1)
    Traceback (most recent call last):
    TypeError: descend needs optimizer: write descend(problem, optimizer=fastgd.Adam(lr=0.05)). It got an int as ...
    >>> descend(1, 2, 3)
    Traceback (most recent call last):
    TypeError: descend takes 2 arguments by position, problem and optimizer, and got 3: give others by name, as in ...
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        code = inspect.unwrap(function).__code__
        own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        passes_on = bool(code.co_flags & inspect.CO_VARKEYWORDS) and not own_options
        owner = function.__qualname__.removesuffix(".__init__").rpartition("<locals>.")[2]
        if passed_on:
            PASSED_ON.extend(own[code.co_argcount :])

        def words(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
            parameters = list(inspect.signature(function).parameters.values())
            documented: Any = function
            if parameters and parameters[0].name == "self":
                documented = type(args[0]) if function.__name__ == "__init__" else function
                parameters, args = parameters[1:], args[1:]
            return misfit(
                owner, parameters, args, kwargs, PASSED_ON if passes_on else list(kwargs) if own_options else (),
                {**(places or {}), **PLACES},
                shown_arguments(function, owner.rpartition(".")[2], documented),
            )  # fmt: skip

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            # What is handed on would be refused in the name of the function that it is handed to
            foreign = passes_on and any(name not in own and name not in PASSED_ON for name in kwargs)
            if foreign and (said := words(args, kwargs)):
                raise TypeError(said)
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                # A traceback that ends here is that of a call which the function never saw
                entered = error.__traceback__ is None or error.__traceback__.tb_next is not None
                said = None if entered else words(args, kwargs)
                if said is None:
                    raise
            raise TypeError(said)

        return call

    return decorate


def explain_construction(kind: C) -> C:
    """Explain the calls of a class whose ``__init__`` is its own, as that of a dataclass; a decorator."""
    if "__init__" in vars(kind):
        kind.__init__ = explain_calls()(kind.__init__)  # type: ignore[misc]
    return kind


def misfit(
    owner: str,
    parameters: Sequence[inspect.Parameter],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Sequence[str] = (),
    places: Mapping[str, tuple[str, ...]] = PLACES,
    examples: Mapping[str, str] | None = None,
) -> str | None:
    """What does not fit in a call with these arguments, and what to write instead; None where all fits.

    `examples` are how arguments that have to be given may look.
    """
    named = [p.name for p in parameters if p.kind not in VARIADIC]
    known = [*named, *options]
    for name in kwargs:
        if name not in known:
            return unknown_keyword(owner, name, known, places=places)
    ordered = [p.name for p in parameters if p.kind in BY_POSITION]
    if len(args) > len(ordered) and not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        takes = f"{len(ordered)} argument{'' if len(ordered) == 1 else 's'} by position" if ordered else "no arguments"
        which = f", {listed(ordered)}," if ordered else ""
        others = [f"{p.name}=" for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name not in kwargs]
        any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        by_name = f": give others by name, as in {', '.join(others[:SHOWN])}" if others else ""
        by_name = ": give others by name" if any_name and not others else by_name
        return f"{owner} takes {takes}{which} and got {len(args)}{by_name}."
    given = dict(zip(ordered, args, strict=False))
    for name, value in given.items():
        if name in kwargs:
            return f"{owner} got {name} twice: {with_article(type(value).__name__)} by position, and by name."
    required = [p.name for p in parameters if p.default is p.empty and p.kind not in VARIADIC]
    missing = [name for name in required if name not in given and name not in kwargs]
    if not missing:
        return None
    parts = list(given)
    shown = examples or {}
    parts += [f"{n}={shown.get(n, '...') if n in missing else '...'}" for n in named if n in missing or n in kwargs]
    came = listed([f"{with_article(type(value).__name__)} as {name}" for name, value in given.items()])
    written = owner[0].lower() + owner[1:] if "." in owner else owner  # problem.sample, a method of Problem
    return f"{owner} needs {listed(missing)}: write {written}({', '.join(parts)}).{f' It got {came}.' if came else ''}"


def levels_to_caller() -> int:
    """How many frames above the one that asks the first is that is not this package's: what a warning should show."""
    package = os.path.dirname(os.path.abspath(__file__)) + os.sep
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(package):
        frame, level = frame.f_back, level + 1
    return level
