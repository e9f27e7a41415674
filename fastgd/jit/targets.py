"""Which target a kernel is compiled for: lanes, or scalars where its functions do not take vectors."""

from __future__ import annotations

import functools
import linecache
import os
import re
import warnings
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numba
import numpy as np

from fastgd.calls import levels_to_caller

from .cache import KernelCache, environment, fingerprint, load, settings, store
from .options import interpreted, kernel
from .outside import FORMULA, OTHERS, for_several, name_outside, write_instead
from .pool import interruptible
from .verdicts import is_verdict

__all__ = [
    "KERNELS", "aligned", "compile_once", "lane_width", "lanes_or_scalar", "named", "shared_kernel", "stored",
    "vector_width",
]  # fmt: skip

KERNELS: dict[tuple[str, int], Any] = {}
TAKEN: set[tuple[str, int]] = set()  # keys and widths that were compiled
REFUSED: dict[str, str] = {}  # why a key cannot be compiled for lanes
HOPELESS: dict[str, str] = {}  # why a key cannot be compiled at all
KEPT: dict[int, Any] = {}  # functions that count by identity, kept so that no other comes to have theirs
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARIES = (PACKAGE + os.sep, os.path.dirname(os.path.abspath(numba.__file__)) + os.sep)  # no code of the user's
WARNED: set[tuple[str, str]] = set()  # names and reasons that the user has heard of


LONG = 1_000_000  # numbers from which a pass over arrays may take a tenth of a second


class Job(Protocol):
    def compile(self) -> None: ...


J = TypeVar("J", bound=Job)


def vector_width(dtype: np.dtype) -> int:
    """Runs abreast in 64 bytes, the widest vector that processors have; one at a time in plain Python."""
    return 1 if interpreted() else 64 // dtype.itemsize


def lane_width(length: int, dtype: np.dtype) -> int:
    """Runs abreast: enough independent arithmetic to hide its latency, and no more than that for the cache's sake."""
    width = smallest = vector_width(dtype)
    if interpreted():
        return 1
    while width < 4 * smallest and width * length < 8 * smallest:
        width *= 2
    return width


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialized array that begins at a multiple of 64 bytes, as the vector loads expect."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


def shared_kernel(key: str, width: int, build: Callable[[], Any]) -> Any:
    """The kernel of a key and width, built once in this process and stored on disk; see `named`."""
    if (found := KERNELS.get((key, width))) is None:
        found = KERNELS[key, width] = build()
        if not key.startswith("unnamed") and not interpreted():
            found._cache = KernelCache(f"{key} {width}")
    return found


def compile_once(kernel: Any, kinds: Callable[[], tuple[Any, ...]]) -> None:
    """Have a kernel compiled for the types ``kinds()``, if it is not; Ctrl-C is heard, and the compilation goes on.

    An exception out of a signal's handler would come in the middle of Numba or LLVM, which takes it for its own.
    """
    if not interpreted() and not kernel.signatures:
        interruptible(kernel.compile, kinds())


def stored(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that is compiled at its first call, and kept on disk."""

    @functools.cache
    def compiled() -> Any:
        return shared_kernel(named((function,), "stored"), 1, lambda: kernel(function))

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        run = compiled()
        few = sum(np.size(argument) for argument in arguments) < LONG
        return run(*arguments) if few and (interpreted() or run.signatures) else interruptible(run, *arguments)

    return call


def named(functions: tuple[Any, ...], *rest: Any) -> str:
    """A key equal for equal content; functions whose content cannot be told count by identity and are not stored."""
    parts, unnamed = [], ""
    for function in functions:
        try:
            parts.append(fingerprint(function))
        except TypeError:
            unnamed = "unnamed "
            parts.append(str(id(KEPT.setdefault(id(function), function))))
    return unnamed + fingerprint(*parts, rest, settings())


def lanes_or_scalar(name: str, key: str, width: int, make: Callable[[int], J], warn: bool) -> J:
    """A compiled job of this width, or of width 1 where its functions cannot take lanes.

    Raises
    ------
    TypeError
        If Numba can compile the functions for neither.
    RecursionError
        If it is called from so deep that Numba has not enough of Python's stack left.
    """
    marker, reason = fingerprint(key, environment()), ""
    if marker in HOPELESS:
        raise hopeless(name, HOPELESS[marker])
    if (key, width) not in TAKEN:
        reason = REFUSED.get(marker) or (load(marker, "scalar") or b"").decode()
    if not reason:
        job = make(width)
        try:
            compile_job(name, job, key, width)
            TAKEN.add((key, width))
            return job
        except Exception as error:
            if not is_verdict(error):
                raise
            reason = first_cause(error)
    job = make(1)
    try:
        compile_job(name, job, key, 1)
    except Exception as error:
        if not is_verdict(error):
            raise
        HOPELESS[marker] = first_cause(error)
        raise hopeless(name, HOPELESS[marker]) from error
    if warn and (name, reason) not in WARNED:
        WARNED.add((name, reason))
        warnings.warn(
            f"{name}: its functions cannot take several runs at once, so each descent runs alone, several times slower "
            f"({reason}).  {for_several(reason)}.",
            stacklevel=levels_to_caller(),
        )
    if marker not in REFUSED:
        REFUSED[marker] = reason
        if not key.startswith("unnamed"):
            store(marker, "scalar", reason.encode())
    return job


def compile_job(name: str, job: Job, key: str, width: int) -> None:
    """Compile a job; where that fails nothing of it is kept, so that the next call begins anew."""
    try:
        job.compile()
    except Exception as error:
        KERNELS.pop((key, width), None)
        if isinstance(error, RecursionError):
            raise RecursionError(
                f"{name}: to compile its functions takes some hundred levels of Python's stack, and fewer are left "
                "where this is called: call it once from less deep, or raise the limit by sys.setrecursionlimit"
            ) from error
        raise


def hopeless(name: str, cause: str) -> TypeError:
    return TypeError(f"{name}: numba cannot compile the problem's functions; {way_out(cause)}.  {cause}")


def way_out(cause: str) -> str:
    """What to write in place of what Numba could not compile."""
    if called := re.search(r"Untyped global name '(\w+)':.*<class 'function'>", cause):
        helper = called[1]
        return f"{helper!r} is a plain function: put @numba.njit above its def (or {helper} = numba.njit({helper}))"
    if name := name_outside(cause):
        if not name.startswith("scipy."):
            return f"{name} cannot be compiled, or not for these arguments: {write_instead(name) or OTHERS}"
        instead = write_instead(name) or FORMULA
        last = name.rpartition(".")[2]
        return f"{last!r} is none of math or numpy, and of others none can be compiled: {instead}"
    if re.search(r"reflected list|<class '(list|dict|set)'>|\b(List|Set)\(", cause):
        named = re.search(r"(?:variable|name) '(\w+)'", cause)
        which = f", as {named[1]!r} is" if named else ""
        return (
            f"lists, dictionaries and sets from around the functions cannot be{which}: put the numbers into an array "
            "and pass it in data=, as another argument; a tuple of numbers may stay"
        )
    if "built-in function setitem" in cause:
        return (
            "they write to what cannot be written to: the point x and the data are read only; write to a variable, to "
            "out, or to fastgd.scratch(x, n)"
        )
    if "cannot be determined" in cause:
        return "where a name gets its value inside an expression, by :=, give it in a line of its own, as in y = x[0]"
    if "Cannot bind" in cause and re.search(r"signature '\([^']*\*, ", cause):
        return "arguments that come by name only, behind a *, cannot be: take the * out, and give them by position"
    if "IMPORT_NAME" in cause:
        return "they cannot import anything: put their imports at the top of the file"
    return (
        "they may use plain arithmetic, loops, math.*, scalar np.* and functions by numba.njit only: write x[i] and "
        "loops over range(len(x))"
    )


def first_cause(error: Exception) -> str:
    """The line of a Numba error that says what was met, and where."""
    lines = [line.strip().removeprefix("TypingError: ") for line in str(error).splitlines() if line.strip()]
    lines = lines or [type(error).__name__]
    telling = ("No implementation", "Unknown attribute", "Cannot unify", "Invalid use", "Untyped global", "Use of")
    framing = ("Failed in", "During", "File ")
    said = [line for line in lines if not line.startswith(framing)] or lines
    causes = [line for line in lines if line.startswith(telling)] or said[:1]
    # Intrinsics are ours: what was met is within the functions that they call
    cause = next((line for line in causes if "<intrinsic " not in line), causes[0])
    met = cause.rstrip(":")
    if met.endswith("for signature"):
        after = lines[lines.index(cause) :]
        met += next((f" {line.removeprefix('>>> ')}" for line in after if line.startswith(">>> ")), "")
    return " ".join(["they branch on x" if "<class 'bool'>" in met else met, *place_of(lines)])


def place_of(lines: list[str]) -> list[str]:
    """The first place in a Numba error that is the user's, with the text of that line; empty where there is none."""
    met = [re.match(r'File "(.+)", line (\d+)', line) for line in lines]
    places = [(found[1], int(found[2])) for found in met if found]
    own = [place for place in places if not os.path.abspath(place[0]).startswith(LIBRARIES)]
    for file, number in (own or places)[:1]:
        text = linecache.getline(file, number).strip()
        return [f'File "{file}", line {number}{": " if text else ""}{text}']
    return []
