"""Forks of a process whose other threads compile.

The child of a fork has the forking thread alone: a lock that another one held stays locked, and what it was changing
stays half changed.  So a fork waits for a compilation to end, whoever's code is compiled.
"""

from __future__ import annotations

import contextlib
import os

from llvmlite.binding import ffi
from numba.core.compiler_lock import global_compiler_lock

__all__: list[str] = []

held = contextlib.ExitStack()


def take() -> None:
    """Wait for the locks of Numba and of LLVM, in the order in which compilations take them."""
    held.enter_context(global_compiler_lock)
    held.enter_context(getattr(ffi.lib, "_lock", contextlib.nullcontext()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=take, after_in_parent=held.close, after_in_child=held.close)
