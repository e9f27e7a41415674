"""Copies of functions in which the helpers that Numba compiles are plain Python again."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any

from numba.core.registry import CPUDispatcher

__all__ = ["in_plain_python"]

# None for a function that needs no copy, as an entry must not keep its own key
COPIES: weakref.WeakKeyDictionary[Any, Callable[..., Any] | None] = weakref.WeakKeyDictionary()


def in_plain_python(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs in plain Python to the last helper; itself where it calls no compiled one.

    A helper by ``numba.njit`` that Python calls is compiled by Numba's rules: its integers wrap, and its indices are
    not checked.
    """
    if function not in COPIES:
        copies: dict[int, Any] = {}
        copy = plain_copy(function, copies)
        COPIES[function] = copy if any(isinstance(each, CPUDispatcher) for each, _ in copies.values()) else None
    return COPIES[function] or function


def plain_copy(function: Any, copies: dict[int, Any]) -> Any:
    """Return the copy of a function, made once so that recursion ends; `copies` keeps each with its original."""
    if id(function) in copies:
        return copies[id(function)][1]
    source = getattr(function, "py_func", function)
    if not isinstance(source, types.FunctionType):
        return function
    cells = tuple(types.CellType() for _ in source.__closure__ or ())
    space = {**source.__globals__}
    copy = types.FunctionType(source.__code__, space, source.__name__, source.__defaults__, cells or None)
    copy.__kwdefaults__ = source.__kwdefaults__
    copy.__module__, copy.__qualname__ = source.__module__, source.__qualname__
    copies[id(function)] = function, copy
    for name in names_of(source.__code__):
        if name in copy.__globals__:
            copy.__globals__[name] = plain_value(copy.__globals__[name], copies)
    for cell, new in zip(source.__closure__ or (), cells, strict=True):
        try:
            new.cell_contents = plain_value(cell.cell_contents, copies)
        except ValueError:  # not yet bound
            continue
    return copy


def plain_value(value: Any, copies: dict[int, Any]) -> Any:
    """Return what a copy has in the place of a global or captured value."""
    own = isinstance(value, types.FunctionType) and not (value.__module__ or "").startswith(("numpy", "scipy", "math"))
    return plain_copy(value, copies) if own or isinstance(value, CPUDispatcher) else value


def names_of(code: types.CodeType) -> set[str]:
    """Return the names of globals in a function and in those within it."""
    nested = [names_of(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*nested)
