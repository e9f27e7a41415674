"""Hashes of functions and values by content, so that equal code is found again and other code is not taken for it."""

from __future__ import annotations

import enum
import functools
import hashlib
import sys
import types
from typing import Any

import numpy as np
from numba.core import types as numba_types
from numba.core.extending import _Intrinsic
from numba.core.registry import CPUDispatcher
from numba.core.typing.templates import builtin_registry

__all__ = ["fingerprint"]

LIBRARIES = {"math", "numba", "numpy", "builtins"}  # their contents are told by the versions
OURS = {"numba", "fastgd"}  # whose implementations of callables are told by versions and sources
KNOWN = {*sys.stdlib_module_names, *LIBRARIES, *OURS} - {"__main__"}
PLAIN = (bool, int, float, complex, str, bytes)
CODES = 4096  # functions whose bytecode is hashed once

Seen = dict[int, int]  # the place of each function that was met, by its identity


def fingerprint(*things: Any) -> str:
    """A hash of values and functions by content: bytecode, constants, captured values, and the globals they name.

    Raises
    ------
    TypeError
        If a value is met whose content cannot be told, such as an object of an unknown class.
    """
    digest = hashlib.sha256()
    write(digest, things, {})
    return digest.hexdigest()


def put(digest: Any, tag: str, *contents: bytes) -> None:
    for content in (tag.encode(), *contents):
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)


def write(digest: Any, thing: Any, seen: Seen) -> None:
    if not (write_value(digest, thing, seen) or write_code(digest, thing, seen)):
        raise TypeError(f"cannot tell the content of {thing!r} of type {type(thing).__name__}")


def write_value(digest: Any, thing: Any, seen: Seen) -> bool:
    """Write a number, text, array or container; False of anything else."""
    name = type(thing).__name__
    if thing is None or thing is ...:
        put(digest, name)
    elif isinstance(thing, enum.Enum):  # some are numbers too, and compiled code may ask a member for the others
        put(digest, "member", thing.name.encode())
        write(digest, type(thing), seen)
    elif isinstance(thing, (np.ndarray, np.generic)):
        array = np.asarray(thing)
        if array.dtype.hasobject:
            raise TypeError(f"cannot tell the content of an array of dtype {array.dtype}")
        shape = repr(array.dtype).encode(), repr(array.shape).encode()
        put(digest, name, *shape, np.ascontiguousarray(array).tobytes())
    elif isinstance(thing, np.dtype):
        put(digest, "dtype", repr(thing).encode())
    elif isinstance(thing, numba_types.Number):
        put(digest, "type", thing.name.encode())
    elif isinstance(thing, PLAIN):
        put(digest, next(kind.__name__ for kind in PLAIN if isinstance(thing, kind)), plain_content(thing))
    elif isinstance(thing, (tuple, list)):
        put(digest, name, str(len(thing)).encode())
        if hasattr(thing, "_fields"):
            write(digest, type(thing), seen)
        for item in thing:
            write(digest, item, seen)
    elif isinstance(thing, frozenset):
        put(digest, "frozenset", *sorted(fingerprint(item).encode() for item in thing))
    elif isinstance(thing, dict):
        put(digest, "dict", str(len(thing)).encode())
        for key, value in thing.items():
            write(digest, (key, value), seen)
    elif isinstance(thing, (range, slice)):
        put(digest, name)
        write(digest, (thing.start, thing.stop, thing.step), seen)
    else:
        return False
    return True


def plain_content(thing: Any) -> bytes:
    """The content of a number or text, whatever its class says of it when it is printed."""
    if isinstance(thing, int):
        return format(int(thing), "x").encode()
    if isinstance(thing, float):
        return float.hex(thing).encode()
    if isinstance(thing, complex):
        return f"{thing.real.hex()} {thing.imag.hex()}".encode()
    return thing.encode("utf-8", "surrogatepass") if isinstance(thing, str) else bytes(thing)


def write_code(digest: Any, thing: Any, seen: Seen) -> bool:
    """Write a function, class or module; False of anything else."""
    registered = [] if id(thing) in seen or isinstance(thing, _Intrinsic) else REGISTERED.update().of.get(id(thing), [])
    if isinstance(thing, types.CodeType):
        put(digest, "code", code_digest(thing))
    elif where := library_of(thing):
        put(digest, "named", where.encode(), thing.__name__.encode())
    elif isinstance(thing, enum.EnumMeta):
        put(digest, "enum", thing.__qualname__.encode())
        members: dict[str, Any] = dict(thing.__members__)
        write(digest, [(name, member.value) for name, member in members.items()], seen)
    elif isinstance(thing, type) and issubclass(thing, tuple) and hasattr(thing, "_fields"):
        put(digest, "named tuple", thing.__qualname__.encode())
        write(digest, (thing._fields, getattr(thing, "_field_defaults", None)), seen)
    elif isinstance(thing, CPUDispatcher):
        write_compiled(digest, thing, seen)
    elif isinstance(thing, _Intrinsic):
        put(digest, "intrinsic", repr(thing._prefer_literal).encode())
        write(digest, thing._defn, seen)
    elif isinstance(thing, types.FunctionType):
        write_function(digest, thing, seen)
    elif isinstance(thing, functools._lru_cache_wrapper):
        write(digest, thing.__wrapped__, seen)
    else:
        return False
    if registered:
        seen.setdefault(id(thing), len(seen))
    for template in registered:
        write_implementation(digest, thing, template, seen)
    return True


def write_compiled(digest: Any, thing: CPUDispatcher, seen: Seen) -> None:
    """Write a function of Numba's: its source, its options, and its types where they are fixed."""
    options = {k: frozenset(v) if isinstance(v, set) else v for k, v in thing.targetoptions.items()}
    kinds = sorted((name, str(kind)) for name, kind in thing.locals.items())
    fixed = None if thing._can_compile else [str(made.signature) for made in thing.overloads.values()]
    put(digest, "compiled", thing._compiler.pipeline_class.__qualname__.encode())
    write(digest, (sorted(options.items()), kinds, fixed), seen)
    write(digest, thing.py_func, seen)


def write_function(digest: Any, thing: types.FunctionType, seen: Seen) -> None:
    if id(thing) in seen:
        put(digest, "again", str(seen[id(thing)]).encode())
        return
    seen[id(thing)] = len(seen)
    put(digest, "function", b"within bounds" if getattr(thing, "within_bounds", False) else b"")
    write(digest, thing.__code__, seen)
    write(digest, (thing.__defaults__, thing.__kwdefaults__), seen)
    names = names_in(thing.__code__)
    for cell in thing.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:
            put(digest, "empty")
        else:
            write_named(digest, content, names, seen)
    for name in names:
        if name in thing.__globals__:
            write(digest, name, seen)
            write_named(digest, thing.__globals__[name], names, seen)
        for template in REGISTERED.methods.get(name, ()):
            write_implementation(digest, name, template, seen)


def write_named(digest: Any, thing: Any, names: tuple[str, ...], seen: Seen, above: tuple[Any, ...] = ()) -> None:
    """A global or captured value, and for a module of the user's what the function may take from it."""
    if not isinstance(thing, types.ModuleType):
        write(digest, thing, seen)
        return
    put(digest, "module", thing.__name__.encode())
    if root(thing.__name__) in LIBRARIES:
        return
    for name in names:
        if name in vars(thing) and not any(vars(thing)[name] is outer for outer in (*above, thing)):
            write(digest, name, seen)
            write_named(digest, vars(thing)[name], names, seen, (*above, thing))


@functools.lru_cache(CODES)
def root(module: Any) -> str:
    return str(module).partition(".")[0]


def library_of(thing: Any) -> str:
    """The library that a module, class or function is of, where its name leads to it; empty where none does."""
    if isinstance(thing, types.ModuleType):
        return "module" if root(thing.__name__) in LIBRARIES else ""
    name = getattr(thing, "__name__", None)
    if not isinstance(name, str):
        return ""
    own = getattr(thing, "__module__", None)
    if isinstance(thing, types.BuiltinFunctionType) and isinstance(thing.__self__, (types.ModuleType, type(None))):
        return str(own)
    # ufuncs and the functions of random numbers do not say where they are
    for module in (own, "numpy", "numpy.random", "scipy.special"):
        is_library = root(module) in LIBRARIES or isinstance(thing, np.ufunc)
        if is_library and getattr(sys.modules.get(str(module)), name, None) is thing:
            return str(module)
    return ""


@functools.lru_cache(CODES)
def code_digest(code: types.CodeType) -> bytes:
    """A hash of bytecode, which cannot change, and of its constants."""
    digest = hashlib.sha256()
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    handlers = getattr(code, "co_exceptiontable", b"")
    write(digest, (code.co_code, code.co_names, code.co_varnames, shape, handlers, code.co_consts), {})
    return digest.digest()


@functools.lru_cache(CODES)
def names_in(code: types.CodeType) -> tuple[str, ...]:
    """The names of globals and attributes in a function and those within it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(names_in(constant))
    return tuple(sorted(names))


class Implementations:
    """What was registered with Numba to be compiled in place of callables, by whomever but Numba and us."""

    def __init__(self) -> None:
        self.read = 0, 0  # entries of Numba's lists, which only grow
        self.of: dict[int, list[Any]] = {}  # templates by the identity of the callable, which Numba keeps
        self.methods: dict[str, list[Any]] = {}  # and of attributes, by name

    def update(self) -> Implementations:
        callables, attributes = builtin_registry.globals, builtin_registry.attributes
        for thing, kind in callables[self.read[0] :]:
            for template in kind.templates if isinstance(kind, numba_types.Function) else ():
                if is_of_user(thing) or is_of_user(body_of(template)):
                    self.of.setdefault(id(thing), []).append(template)
        for template in attributes[self.read[1] :]:
            if (name := vars(template).get("_attr")) and is_of_user(body_of(template)):
                self.methods.setdefault(name, []).append(template)
        self.read = len(callables), len(attributes)
        return self


REGISTERED = Implementations()


def is_of_user(thing: Any) -> bool:
    return root(getattr(thing, "__module__", None) or "builtins") not in KNOWN


def body_of(template: Any) -> Any:
    """The function that gives the code of an implementation; of one of another kind itself."""
    body = vars(template).get("_overload_func")
    return template if body is None else body.__func__


def write_implementation(digest: Any, of: Any, template: Any, seen: Seen) -> None:
    body = body_of(template)
    if body is template:
        raise TypeError(f"cannot tell how {of!r} is compiled, whose types and code were registered with Numba")
    inline = getattr(getattr(template, "_inline", None), "_inline", None)
    options = dict(getattr(template, "_jit_options", {}))
    put(digest, "implementation", repr(getattr(template, "prefer_literal", False)).encode())
    write(digest, (inline, sorted(options.items()), body), seen)
