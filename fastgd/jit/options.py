"""Every Numba option of the project, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from .pipeline import InlinedCompiler, KernelCompiler

__all__ = ["inlined", "kernel"]

# numpy: a division by zero gives inf or NaN, which the loop turns into a status, and no exception to unwind
FLAGS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "fastmath": False}


def inlined(function: Callable) -> Any:
    """Compile a scalar function that kernels call once for each step or parameter: always inlined into its caller."""
    return numba.njit(function, forceinline=True, pipeline_class=InlinedCompiler, **FLAGS)


def kernel(function: Callable) -> Any:
    """Compile an entry point that Python calls with arrays; it releases the interpreter lock."""
    return numba.njit(function, nogil=True, pipeline_class=KernelCompiler, **FLAGS)
