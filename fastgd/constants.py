"""Constants of a user's functions: what they read from around them, noted once and compared at each call."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgd.jit.cache import fingerprint

__all__ = ["NUMERICAL", "Constants"]

NUMERICAL = ("math", "cmath", "numpy", "scipy", "numba", "random")  # libraries, which stay as they are
ABSENT = type("Absent", (), {"__repr__": lambda self: "not there"})()
TOLD = (
    bool, int, float, complex, str, bytes, types.NoneType, types.FunctionType, types.BuiltinFunctionType, np.generic,
    np.ndarray, np.ufunc, tuple, list, dict, frozenset, functools.partial,
)  # fmt: skip
MOST_SHOWN = 40  # letters of a value in a message


@dataclass(slots=True)
class Read:
    """One value that a function reads: where it stands, and what stood there."""

    name: str
    holder: Any  # the globals, a cell, or what has the attribute
    key: str
    attributes: tuple[str, ...]
    value: Any
    fixed: bool  # cannot change in place
    content: Any

    def now(self) -> Any:
        """Return what stands there now."""
        try:
            return found(self.holder, self.key, self.attributes)
        except (AttributeError, ValueError):  # the second of an empty cell
            return ABSENT

    def changed(self) -> bool:
        """Whether something else stands there now."""
        now = self.now()
        if now is self.value and self.fixed:
            return False
        if isinstance(plain(self.value), types.FunctionType):  # what it reads is noted by itself
            return plain(now) is not plain(self.value) and content_of(now) != content_of(self.value)
        return bool(content_of(now) != self.content)

    def told(self) -> str:
        """Return words for the change."""
        now = self.now()
        then, later = (shown(value) for value in (self.value, now))
        if now is self.value or not (then and later) or then == later:
            return f"{self.name} has changed since the problem was made"
        return f"{self.name} was {then} when the problem was made, and is {later} now"


class Constants:
    """The values that functions read from around them: globals, captured values, defaults, attributes.

    A number or an array counts by its content, a function by its code and by what it reads in turn. What is neither,
    such as an object of a class, counts by its attributes that the functions name, else by being the same object.

    Parameters
    ----------
    functions : iterable of callable
        The functions of a problem; None is passed over.

    Examples
    --------
    >>> from fastgd.constants import Constants
    >>> def around():
    ...     a = 1.0
    ...     def later():
    ...         nonlocal a
    ...         a = 2.0
    ...     return (lambda x: a * x[0]), later
    >>> fun, later = around()
    >>> constants = Constants([fun])
    >>> constants.check()
    >>> later()
    >>> constants.check()
    Traceback (most recent call last):
    ValueError: a was 1.0 when the problem was made, and is 2.0 now; a problem reads its constants once: make it ...
    """

    def __init__(self, functions: Iterable[Callable[..., Any] | None]) -> None:
        self.reads: list[Read] = []
        seen: set[int] = set()
        for function in functions:
            if function is not None:
                self._follow(plain(function), seen)

    def check(self) -> None:
        """Raise ValueError where one of them has changed."""
        for read in self.reads:
            if read.changed():
                name = read.name.rpartition(".")[2]
                argument = name if name.isidentifier() else "a"
                raise ValueError(
                    f"{read.told()}; a problem reads its constants once: make it anew, or give what changes in data, "
                    f"as in data=({argument},), which comes as another argument of its functions."
                )

    def _follow(self, function: types.FunctionType, seen: set[int]) -> None:
        """Note what a function reads, and what the functions read that it reads."""
        if id(function) in seen or (function.__module__ or "").partition(".")[0] in NUMERICAL:
            return
        seen.add(id(function))
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name, attributes in names_read(function.__code__):
            if name in cells:
                self._note(cells[name], "cell_contents", name, attributes, seen)
            elif name in function.__globals__:
                self._note(function.__globals__, name, name, attributes, seen)
        for which in ("__defaults__", "__kwdefaults__"):
            if getattr(function, which):
                self._note(function, which, f"a default of {function.__name__}", (), seen)

    def _note(self, holder: Any, key: str, name: str, attributes: tuple[str, ...], seen: set[int]) -> None:
        """Note one value, by the attributes of it that are read where its own content cannot be told."""
        used = 0
        try:
            value = found(holder, key, ())
            while used < len(attributes) and not isinstance(plain(value), TOLD):
                if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] in NUMERICAL:
                    return
                value = getattr(value, attributes[used])
                used += 1
        except (AttributeError, ValueError):
            value = ABSENT
        if isinstance(value, types.ModuleType):
            return
        path = attributes[:used]
        content = None if isinstance(plain(value), types.FunctionType) else content_of(value)
        read = Read(".".join((name, *path)), holder, key, path, value, is_fixed(value), content)
        if not any(read.holder is r.holder and (read.key, path) == (r.key, r.attributes) for r in self.reads):
            self.reads.append(read)
        for each in functions_in(value):
            self._follow(each, seen)


def plain(value: Any) -> Any:
    """Return the Python function of one compiled by Numba or bound to an object; another value is itself."""
    return getattr(value, "py_func", getattr(value, "__func__", value)) if callable(value) else value


def functions_in(value: Any) -> Iterator[types.FunctionType]:
    """Yield the functions in a value: itself, those of a partial function, and those in a tuple or list."""
    value = plain(value)
    if isinstance(value, types.FunctionType):
        yield value
    elif isinstance(value, functools.partial):
        yield from functions_in(value.func)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from functions_in(item)


def found(holder: Any, key: str, attributes: tuple[str, ...]) -> Any:
    """Return what stands in a dictionary under a key, or else an attribute, or the attributes of that."""
    value = holder.get(key, ABSENT) if type(holder) is dict else getattr(holder, key)
    for attribute in attributes:
        value = getattr(value, attribute)
    return value


def is_fixed(value: Any) -> bool:
    """Whether a value cannot change in place: a number, a word, a function, or a tuple of such."""
    if isinstance(value, tuple):
        return all(map(is_fixed, value))
    return isinstance(value, TOLD) and not isinstance(value, (np.ndarray, list, dict, functools.partial))


def content_of(value: Any) -> Any:
    """Return what tells the content of a value; where that cannot be told, what tells it from other objects."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, functools.partial):
        return plain(value.func), content_of(value.args), content_of(value.keywords)  # the function is noted by itself
    try:
        return fingerprint(value)
    except (TypeError, ValueError):  # the second of a cell that is not bound yet
        return "object", id(value)


def shown(value: Any) -> str:
    """Return a short text for a number or a word; empty for another value."""
    if value is ABSENT:
        return repr(value)
    told = isinstance(value, (bool, int, float, complex, str, np.generic, tuple)) and is_fixed(value)
    text = repr(value.item() if isinstance(value, np.generic) else value) if told else ""
    return text if len(text) <= MOST_SHOWN else ""


@functools.lru_cache(4096)
def names_read(code: types.CodeType) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the names from around it that a code object reads, each with the attributes that follow it.

    Examples
    --------
    >>> from fastgd.constants import names_read
    >>> names_read((lambda x: math.sin(x[0]) + settings.model.rate).__code__)
    (('math', ('sin',)), ('settings', ('model', 'rate')))
    """
    outer = set(code.co_freevars)
    names: dict[tuple[str, tuple[str, ...]], None] = {}
    for each in nested(code):
        name, attributes = "", []
        for instruction in dis.get_instructions(each):  # the last one returns
            operation = instruction.opname
            if operation == "EXTENDED_ARG":
                continue
            if name and operation in ("LOAD_ATTR", "LOAD_METHOD"):
                attributes.append(instruction.argval)
                continue
            if name:
                names[name, tuple(attributes)] = None
            captured = operation in ("LOAD_DEREF", "LOAD_CLASSDEREF") and instruction.argval in outer
            name = instruction.argval if captured or operation in ("LOAD_GLOBAL", "LOAD_NAME") else ""
            attributes = []
    return tuple(names)


def nested(code: types.CodeType) -> Iterable[types.CodeType]:
    """Yield a code object and those of the functions and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)
