"""Copies of a user's function, and of what it calls, in which ``math`` and ``np`` work on symbols.

The originals are not touched: a copy has the same bytecode, and its own globals and closure.
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastgd.constants import NUMERICAL, nested
from fastgd.jit.outside import FORMULA, OTHERS, can_be_compiled, has_no_derivative, write_instead
from fastgd.texts import listed

from .functions import shims
from .trace import KIND, TRACED, NotCompiled, Refused, Traced, TracedData, TracedPoint, WholeArray

TELLING = (type, isinstance, issubclass, hasattr, getattr, callable, id, dir, vars)


def contains_traced(values: Iterable[Any]) -> bool:
    """Whether a traced value is among `values`, or in a list or tuple of them."""
    return any(
        type(v) in TRACED
        or (isinstance(v, (tuple, list)) and contains_traced(v))
        or (isinstance(v, np.ndarray) and v.dtype == object)
        for v in values
    )


def telling(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a builtin function, such as ``type``, that refuses to tell a traced value from a number."""

    @functools.wraps(original, assigned=("__name__", "__doc__"), updated=())
    def call(*args: Any) -> Any:
        if contains_traced(args):
            raise Refused(KIND)
        return original(*args)

    return call


def handles_errors(code: types.CodeType) -> bool:
    """Whether a code object has a ``try`` or ``with`` statement, so that it goes on where something fails."""
    operations = ("PUSH_EXC_INFO", "SETUP_FINALLY", "SETUP_WITH")
    return any(i.opname in operations for each in nested(code) for i in dis.get_instructions(each))


def untried(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses traced values, as where it fails and goes on they need not fail."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if contains_traced([*args, *kwargs.values()]):
            raise Refused(f"a try or with statement in {function.__name__}, which goes on where something fails")
        return function(*args, **kwargs)

    return call


def stand_in(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a function that calls `original` on plain numbers, and its shim (or a refusal) on symbols."""
    shim = shims().get(id(original))

    @functools.wraps(original, assigned=("__name__", "__doc__"), updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        values = [list(a) if type(a) is types.GeneratorType else a for a in args]
        if not contains_traced([*values, *kwargs.values()]):
            return original(*values, **kwargs)
        sequences = (TracedData, TracedPoint, np.ndarray, *(() if shim is not None else (list, tuple)))
        whole = any(issubclass(type(v), sequences) for v in values)
        if shim is None or whole or kwargs:
            what = f"the function {name}{' of a whole array' if whole else ''}, which cannot be derived here"
            instead = write_instead(name)
            if name.startswith("scipy."):
                what += ", and cannot be compiled: of functions outside math and numpy none can"
                raise NotCompiled(f"{what}; {instead or FORMULA}", by_hand=has_no_derivative(name))
            if whole:
                raise WholeArray(f"{what}; {instead}" if instead else what)
            if shim is not None:
                raise Refused(f"{what} with {listed(list(kwargs))} given by name: give it by position, or leave it out")
            numbers = [1.0 if type(v) is Traced else v for v in args]
            named = {k: 1.0 if type(v) is Traced else v for k, v in kwargs.items()}
            if can_be_compiled(original, numbers, named):
                raise Refused(what)
            raise NotCompiled(f"{what}, nor compiled; {instead or OTHERS}", by_hand=has_no_derivative(name))
        return shim(*values)

    return call


def whole_name(function: Any, name: str) -> str:
    """The name of a function of NumPy, SciPy, ... with its module, as `name` where that has one."""
    if "." in name:
        return name
    own = getattr(function, "__name__", name)
    module = getattr(function, "__module__", None)
    if module is None:  # ufuncs do not know theirs
        places = (each for each in ("numpy", "scipy.special") if hasattr(sys.modules.get(each), own))
        module = next((each for each in places if getattr(sys.modules[each], own) is function), "numpy")
    return f"{module}.{own}"


class Outside:
    """An object of SciPy as the copies see it, such as a distribution: what is called of it may meet a symbol."""

    def __init__(self, original: Any, name: str) -> None:
        self._original, self._name = original, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = stand_in(self._original, self._name)(*args, **kwargs)
        return Outside(found, self._name) if of_scipy(found) else found  # a distribution with its parameters

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._original, name)
        return stand_in(found, f"{self._name}.{name}") if callable(found) else found


def of_scipy(value: Any) -> bool:
    """Whether a value is something of SciPy's to call, or a distribution; sparse arrays and others stay as they are."""
    module = type(value).__module__ or ""  # None of a class that was made without one
    return module.startswith("scipy.") and (callable(value) or module.startswith("scipy.stats."))


class Namespace:
    """A module as the copies see it: what is taken from it is rebound first."""

    def __init__(self, module: types.ModuleType, rebinding: Rebinding) -> None:
        self._module, self._rebinding = module, rebinding

    def __getattr__(self, name: str) -> Any:
        return self._rebinding.value(getattr(self._module, name), f"{self._module.__name__}.{name}")


class Rebinding:
    """One consistent set of copies.

    Attributes
    ----------
    codes : set
        The code objects of all functions that were copied, with those nested in them.
    """

    def __init__(self) -> None:
        self.codes: set[types.CodeType] = set()
        self._copies: dict[int, Callable[..., Any]] = {}
        self._kept: list[Any] = []
        self.builtins = {**vars(builtins), "__import__": self.imported}
        self.builtins |= {each.__name__: telling(each) for each in TELLING}

    def imported(self, *args: Any, **kwargs: Any) -> Any:
        """What an import in the body of a function gives: a module as the copies see it."""
        return self.value(__import__(*args, **kwargs), "an import")

    def value(self, value: Any, name: str) -> Any:
        """Return what a copy gets in the place of a global, captured or default value."""
        value = getattr(value, "py_func", value)
        if isinstance(value, types.ModuleType):
            return Namespace(value, self)
        if of_scipy(value):
            kind = getattr(getattr(value, "dist", value), "name", name)
            return Outside(value, f"{'.'.join(type(value).__module__.split('.')[:2])}.{kind}")
        module = getattr(value, "__module__", None) or ""
        numerical = isinstance(value, np.ufunc) or module.partition(".")[0] in NUMERICAL
        if isinstance(value, types.FunctionType) and not numerical:
            return self.function(value)
        if numerical and callable(value):
            return stand_in(value, whole_name(value, name))
        if isinstance(value, functools.partial):
            args = [self.value(a, name) for a in value.args]
            return functools.partial(
                self.value(value.func, name),
                *args,
                **{k: self.value(v, k) for k, v in value.keywords.items()},
            )
        if type(value) in (tuple, list):
            return type(value)(self.value(item, name) for item in value)
        return value

    def function(self, function: types.FunctionType) -> Callable[..., Any]:
        """Return the copy of a function; it is made once, so recursion ends."""
        if id(function) in self._copies:
            return self._copies[id(function)]
        codes = list(nested(function.__code__))
        self.codes.update(codes)
        namespace: dict[str, Any] = {"__builtins__": self.builtins, "__name__": function.__module__}
        closure = tuple(types.CellType() for _ in function.__closure__ or ())
        copy = types.FunctionType(function.__code__, namespace, function.__name__, None, closure or None)
        self._copies[id(function)] = untried(copy) if handles_errors(function.__code__) else copy
        self._kept.append(function)
        for name in {n for code in codes for n in code.co_names}:
            if name in function.__globals__:
                namespace[name] = self.value(function.__globals__[name], name)
        for name, cell, new in zip(
            function.__code__.co_freevars, function.__closure__ or (), closure, strict=True
        ):
            try:
                content = cell.cell_contents
            except ValueError:  # not yet bound, as in a function that is called while it is defined
                continue
            new.cell_contents = self.value(content, name)
        if function.__defaults__:
            copy.__defaults__ = tuple(self.value(v, "a default") for v in function.__defaults__)
        if function.__kwdefaults__:
            copy.__kwdefaults__ = {k: self.value(v, k) for k, v in function.__kwdefaults__.items()}
        return self._copies[id(function)]
