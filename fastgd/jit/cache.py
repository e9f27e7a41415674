"""Kernels on disk, found again by what they were made from.

Numba's own cache never hits for closures over other compiled functions.  Here an entry is named by a fingerprint of
everything that the machine code depends on: the user's functions down to their bytecode, constants and captured values,
our own sources, the versions of Numba and LLVM, Numba's settings, and the processor.
"""

from __future__ import annotations

import functools
import hashlib
import io
import pathlib
import pickle
import sys
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.environment import Environment, _rebuild_env
from numba.core.serialize import NumbaPickler

from .fingerprint import fingerprint
from .folder import cache_folder, load, store
from .vecmath import FUNCTIONS, piece, vector_symbol
from .verdicts import passed_through

__all__ = [
    "KernelCache", "cache_folder", "environment", "fingerprint", "is_unreadable", "load", "settings", "store",
    "unpickled",
]  # fmt: skip

# Numba's settings that decide on machine code; processor and features are in the names of entries besides
SETTINGS = (
    "BOUNDSCHECK", "OPT", "CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "DISABLE_INTEL_SVML", "USING_SVML",
    "LOOP_VECTORIZE", "SLP_VECTORIZE", "LLVM_REFPRUNE_PASS", "LLVM_REFPRUNE_FLAGS", "PARFOR_MAX_TUPLE_SIZE",
    "EXTEND_VARIABLE_LIFETIMES",
    "DEBUGINFO_DEFAULT", "ENABLE_PROFILING", "JIT_COVERAGE", "DEBUG_NRT", "CUDA_DEBUGINFO_DEFAULT",
)  # fmt: skip
PACKAGES = {"builtins", "numba", "numba_cuda", "llvmlite", "numpy", "fastgd"}  # that entries may have imported
READERS = ("fastgd", "pickle", "importlib", "numba", "llvmlite", "cuda")


def settings() -> tuple[str, ...]:
    """Numba's settings that decide on machine code, as they are now: programs may change them while they run."""
    return tuple(f"{name}={getattr(config, name, None)!s}" for name in SETTINGS)


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


class Pickler(NumbaPickler):
    """The pickler of entries, which name no module of the user's for what compiled code never asks for."""

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, Environment):
            return _rebuild_env, ("builtins", thing.consts, thing.env_name)
        return super().reducer_override(thing)


class Unpickler(pickle.Unpickler):
    """The unpickler of entries, which imports no module of the user's."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "subimport" or (module not in sys.modules and module.partition(".")[0] not in PACKAGES):
            raise ImportError(f"the entry asks for {module}.{name}, and nothing is imported for an entry")
        return super().find_class(module, name)


def pickled(thing: Any) -> bytes:
    with io.BytesIO() as file:
        Pickler(file, protocol=4).dump(thing)
        return file.getvalue()


def unpickled(content: bytes) -> Any:
    return Unpickler(io.BytesIO(content)).load()


def is_unreadable(error: Exception) -> bool:
    """Whether an error says that an entry cannot be read, so that its kernel is to be compiled anew."""
    return not isinstance(error, (MemoryError, RecursionError)) and passed_through(error, READERS)


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
            return CompileResult._rebuild(target_context, *unpickled(content))
        except Exception as error:  # those of a pickle are of many classes
            if is_unreadable(error):
                return None
            raise

    def save_overload(self, sig: Any, data: Any) -> None:
        if self._enabled and not data.lifted and not data.library.has_dynamic_globals:
            store(self.name(sig, data.codegen), "kernel", pickled(data._reduce()))
