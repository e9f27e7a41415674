"""Which errors are the compiler's word on a function, and which came in between and say nothing of it."""

from __future__ import annotations

import signal
import types
from collections.abc import Iterator
from typing import Any

from numba.core.errors import NumbaError, UnsupportedBytecodeError

__all__ = ["is_verdict", "passed_through"]

COMPILERS = ("numba", "llvmlite")
# What compilers raise of Python's own classes where a function is none that they foresaw
UNFORESEEN = (AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError)


def is_verdict(error: BaseException) -> bool:
    """Whether an error says that a function cannot be compiled, and would come again.

    No verdict is what a signal's handler raises in the middle of a compilation, a lack of memory or of stack, a file
    that cannot be read, a warning that is an error, or a GPU that does not answer.
    """
    if isinstance(error, (NumbaError, UnsupportedBytecodeError)):
        return "recursion depth exceeded" not in str(error)  # Numba quotes in its own what a method's typing met
    kind = type(error)
    if kind.__name__ == "NvvmError" and kind.__module__.startswith("numba.cuda"):
        return True
    if kind is RuntimeError:  # LLVM's, of code that it does not take
        return passed_through(error, ("llvmlite",))
    return kind in UNFORESEEN and passed_through(error, COMPILERS)


def passed_through(error: BaseException, packages: tuple[str, ...]) -> bool:
    """Whether an error came out of one of these packages, and not out of the handler of a signal."""
    frames = list(frames_of(error))
    if any(frame.f_code in handlers() for frame in frames):
        return False
    return any(str(frame.f_globals.get("__name__")).partition(".")[0] in packages for frame in frames)


def frames_of(error: BaseException) -> Iterator[types.FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def handlers() -> set[Any]:
    """The code of the functions that signals are handled by."""
    found = (signal.getsignal(number) for number in signal.valid_signals())
    called = (getattr(handler, "func", handler) for handler in found if callable(handler))
    methods = (f if hasattr(f, "__code__") or hasattr(f, "__func__") else type(f).__call__ for f in called)
    return {getattr(function, "__code__", None) for function in methods}
