"""Every Numba option of the project, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core import config
from numba.core.registry import CPUDispatcher

from .pipeline import InlinedCompiler, KernelCompiler

__all__ = ["inlined", "interpreted", "kernel"]

# numpy: a division by zero gives inf or NaN, which the loop turns into a status, and no exception to unwind
FLAGS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "fastmath": False}


class InlinedFunction(CPUDispatcher):
    """A function for compiled code; called from Python it runs as Python."""

    def __call__(self, *args: Any) -> Any:
        return self.py_func(*args)


def inlined(function: Callable) -> Any:
    """Compile a scalar function that kernels call once for each step or parameter: always inlined into its caller."""
    if interpreted() or isinstance(function, InlinedFunction):
        return function
    options = {"nopython": True, "forceinline": True, **FLAGS}
    return InlinedFunction(function, targetoptions=options, pipeline_class=InlinedCompiler)


def kernel(function: Callable) -> Any:
    """Compile an entry point that Python calls with arrays; it releases the interpreter lock."""
    return numba.njit(function, nogil=True, pipeline_class=KernelCompiler, **FLAGS)


def interpreted() -> bool:
    """Whether Numba is told to compile nothing (``NUMBA_DISABLE_JIT``), so that all of this runs in plain Python."""
    return bool(config.DISABLE_JIT)
