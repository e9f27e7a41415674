"""What compiled code will find on this machine."""

from __future__ import annotations

import llvmlite.binding as llvm

from .folder import described
from .vecmath import FUNCTIONS, LIBRARY, piece, vector_functions, vector_library

__all__ = ["info"]


def info() -> dict[str, str]:
    """The processor as LLVM sees it, its vectors, the vector mathematics found, and the cache folder and its size.

    Examples
    --------
    >>> from fastgd import jit
    >>> sorted(jit.info())
    ['cache folder', 'cache size', 'processor', 'vector mathematics', 'vector width']
    """
    _, bits = piece()
    found = vector_functions()
    missing = sorted(set(FUNCTIONS) - set(found))
    if vector_library() is None:
        mathematics = f"none: {LIBRARY} was not found, so sin, exp, ... are called once for each lane"
    else:
        mathematics = f"{LIBRARY}, {len(found)} functions" + (f" (not {', '.join(missing)})" if missing else "")
    return {
        "processor": llvm.get_host_cpu_name(),
        "vector width": f"{bits} bits, {bits // 64} float64 or {bits // 32} float32",
        "vector mathematics": mathematics,
        **described(),
    }
