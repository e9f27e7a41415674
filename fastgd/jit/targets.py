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
from fastgd.errors import DeviceError

from .cache import KernelCache, environment, fingerprint, load, store
from .options import interpreted, kernel
from .outside import FORMULA, OTHERS, for_several, name_outside, write_instead

__all__ = ["KERNELS", "aligned", "lane_width", "lanes_or_scalar", "named", "shared_kernel", "stored", "vector_width"]

KERNELS: dict[tuple[str, int], Any] = {}
TAKEN: set[tuple[str, int]] = set()  # keys and widths that were compiled
REFUSED: dict[str, str] = {}  # why a key cannot be compiled for lanes
KEPT: dict[int, Any] = {}  # functions that count by identity, kept so that no other comes to have theirs
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARIES = (PACKAGE + os.sep, os.path.dirname(os.path.abspath(numba.__file__)) + os.sep)  # no code of the user's
WARNED: set[tuple[str, str]] = set()  # names and reasons that the user has heard of


# Numba refuses functions by errors of many classes; these are none, and another try may go well
TRANSIENT = (MemoryError, OSError, Warning, DeviceError)


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


def stored(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that is compiled at its first call, and kept on disk."""

    @functools.cache
    def compiled() -> Any:
        return shared_kernel(named((function,), "stored"), 1, lambda: kernel(function))

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return compiled()(*arguments)

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
    return unnamed + fingerprint(*parts, rest)


def lanes_or_scalar(name: str, key: str, width: int, make: Callable[[int], J], warn: bool) -> J:
    """A compiled job of this width, or of width 1 where its functions cannot take lanes.

    Raises
    ------
    TypeError
        If Numba can compile the functions for neither.
    """
    marker, reason = fingerprint(key, environment()), ""
    if (key, width) not in TAKEN:
        reason = REFUSED.get(marker) or (load(marker, "scalar") or b"").decode()
    if not reason:
        job = make(width)
        try:
            job.compile()
            TAKEN.add((key, width))
            return job
        except TRANSIENT:
            raise
        except Exception as error:
            reason = first_cause(error)
    job = make(1)
    try:
        job.compile()
    except TRANSIENT:
        raise
    except Exception as error:
        cause = first_cause(error)
        raise TypeError(f"{name}: numba cannot compile the problem's functions; {way_out(cause)}.  {cause}") from error
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
