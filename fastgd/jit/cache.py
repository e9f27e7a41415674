"""Compiled code and derived sources on disk, found again by what they were made from.

Numba's own cache never hits for closures over other compiled functions.  Here an entry is named by a fingerprint of
everything that the machine code depends on: the user's functions down to their bytecode, constants and captured values,
our own sources, the versions of Numba and LLVM, and the processor.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import os
import pathlib
import pickle
import sys
import tempfile
import types
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps

from .vecmath import FUNCTIONS, piece, vector_symbol

__all__ = ["KernelCache", "cache_folder", "fingerprint", "load", "store"]

SKIPPED_MODULES = {"math", "numba", "numpy", "builtins"}  # their contents are told by the versions
CODES = 4096  # functions whose bytecode is hashed once


def cache_folder() -> pathlib.Path:
    """Where compiled kernels are kept: ``FASTGD_CACHE_DIR``, or ``fastgd`` in the user's cache folder."""
    if chosen := os.environ.get("FASTGD_CACHE_DIR"):
        return pathlib.Path(chosen)
    if sys.platform == "darwin":
        base = pathlib.Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA", pathlib.Path.home()))
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    return base / "fastgd"


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


def write(digest: Any, thing: Any, seen: dict[int, int]) -> None:
    def put(tag: str, *contents: bytes) -> None:
        for content in (tag.encode(), *contents):
            digest.update(len(content).to_bytes(8, "little"))
            digest.update(content)

    if isinstance(thing, CPUDispatcher):
        put("compiled")
        write(digest, sorted(thing.targetoptions.items()), seen)
        write(digest, sorted((name, str(kind)) for name, kind in thing.locals.items()), seen)
        thing = thing.py_func
    if thing is None or isinstance(thing, (bool, int, float, complex, str, bytes, type(Ellipsis))):
        put(type(thing).__name__, repr(thing).encode())
    elif isinstance(thing, (np.ndarray, np.generic)):
        array = np.asarray(thing)
        if array.dtype.hasobject:
            raise TypeError(f"cannot tell the content of an array of dtype {array.dtype}")
        put("array", repr(array.dtype).encode(), repr(array.shape).encode(), np.ascontiguousarray(array).tobytes())
    elif isinstance(thing, (tuple, list)):
        put(type(thing).__name__, str(len(thing)).encode())
        for item in thing:
            write(digest, item, seen)
    elif isinstance(thing, frozenset):
        put("frozenset", *sorted(repr(item).encode() for item in thing))
    elif isinstance(thing, dict):
        put("dict", str(len(thing)).encode())
        for key, value in thing.items():
            write(digest, (key, value), seen)
    elif isinstance(thing, types.ModuleType):
        put("module", thing.__name__.encode())
    elif isinstance(thing, (types.BuiltinFunctionType, np.ufunc)) or is_library_class(thing):
        put("named", str(getattr(thing, "__module__", "")).encode(), thing.__name__.encode())
    elif isinstance(thing, enum.EnumMeta):
        put("enum", thing.__qualname__.encode())
        members: dict[str, Any] = dict(thing.__members__)
        write(digest, [(name, member.value) for name, member in members.items()], seen)
    elif isinstance(thing, type) and issubclass(thing, tuple) and hasattr(thing, "_fields"):
        put("named tuple", thing.__qualname__.encode())
        write(digest, (thing._fields, thing._field_defaults), seen)  # type: ignore[attr-defined]
    elif isinstance(thing, types.CodeType):
        put("code", code_digest(thing))
    elif isinstance(thing, types.FunctionType):
        if id(thing) in seen:
            put("again", str(seen[id(thing)]).encode())
            return
        seen[id(thing)] = len(seen)
        put("function", b"within bounds" if getattr(thing, "within_bounds", False) else b"")
        write(digest, thing.__code__, seen)
        write(digest, (thing.__defaults__, thing.__kwdefaults__), seen)
        names = names_in(thing.__code__)
        for cell in thing.__closure__ or ():
            write_named(digest, cell.cell_contents, names, seen)
        for name in names:
            if name in thing.__globals__:
                write(digest, name, seen)
                write_named(digest, thing.__globals__[name], names, seen)
    elif hasattr(thing, "__wrapped__"):
        write(digest, thing.__wrapped__, seen)
    else:
        raise TypeError(f"cannot tell the content of {thing!r} of type {type(thing).__name__}")


def is_library_class(thing: Any) -> bool:
    return isinstance(thing, type) and thing.__module__.partition(".")[0] in SKIPPED_MODULES


@functools.lru_cache(CODES)
def code_digest(code: types.CodeType) -> bytes:
    """A hash of bytecode, which cannot change, and of its constants."""
    digest = hashlib.sha256()
    shape = (code.co_argcount, code.co_kwonlyargcount, code.co_flags)
    write(digest, (code.co_code, code.co_names, code.co_varnames, shape, code.co_consts), {})
    return digest.digest()


@functools.lru_cache(CODES)
def names_in(code: types.CodeType) -> tuple[str, ...]:
    """The names of globals and attributes in a function and those within it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(names_in(constant))
    return tuple(sorted(names))


def write_named(
    digest: Any, thing: Any, names: tuple[str, ...], seen: dict[int, int], above: tuple[Any, ...] = ()
) -> None:
    """A global or captured value, and for a module of the user's what the function may take from it."""
    write(digest, thing, seen)
    if isinstance(thing, types.ModuleType) and thing.__name__.partition(".")[0] not in SKIPPED_MODULES:
        for name in names:
            if name in vars(thing) and not any(vars(thing)[name] is outer for outer in (*above, thing)):
                write(digest, name, seen)
                write_named(digest, vars(thing)[name], names, seen, (*above, thing))


@functools.cache
def environment() -> str:
    """What all entries depend on: our sources, the versions, the processor and its vector functions."""
    package = pathlib.Path(__file__).parent.parent
    digest = hashlib.sha256()
    alone = ("stopping.py", "evaluate.py", "optimizers/coefficients.py", "optimizers/passes.py", "optimizers/cuda.py")
    sources = [package / name for name in alone]
    for folder in ("jit", "engine", "sampling", "symbolic"):
        sources += sorted((package / folder).rglob("*.py"))
    for source in sources:
        digest.update(str(source.relative_to(package)).encode() + b"\0" + source.read_bytes())
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    vectors = [vector_symbol(name, count, bits) for name, (_, count) in FUNCTIONS.items() for bits in (32, 64)]
    machine = (*piece(), vectors)
    digest.update(repr((versions, machine)).encode())
    return digest.hexdigest()


def entry(key: str, suffix: str) -> pathlib.Path:
    return cache_folder() / key[:2] / f"{key[2:]}.{suffix}"


def load(key: str, suffix: str) -> bytes | None:
    """The stored bytes; None where there are none, or not those that were stored."""
    try:
        found = entry(key, suffix).read_bytes()
    except OSError:
        return None
    digest, _, content = found.partition(b"\n")
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None


def store(key: str, suffix: str, content: bytes) -> bool:
    """Keep bytes under a key, at once or not at all; a folder that cannot be written to is no error."""
    path, temporary = entry(key, suffix), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            pathlib.Path(temporary).unlink(missing_ok=True)
        return False
    return True


class KernelCache(_Cache):
    """A dispatcher's cache whose entries are named by a key of ours, the signature and the processor."""

    def __init__(self, key: str) -> None:
        self._key, self._enabled = key, True

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Nothing is held back."""

    def name(self, sig: Any, codegen: Any) -> str:
        return fingerprint(self._key, environment(), str(sig), repr(codegen.magic_tuple()))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        content = load(self.name(sig, target_context.codegen()), "kernel") if self._enabled else None
        if content is None:
            return None
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(content))
        except ImportError:  # the module of the user's function is not there to be imported: compile anew
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if self._enabled and not data.lifted and not data.library.has_dynamic_globals:
            store(self.name(sig, data.codegen), "kernel", dumps(data._reduce()))
