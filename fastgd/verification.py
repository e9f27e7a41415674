"""Compare compiled functions with plain Python, once for each kernel: what is compiled is what was written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgd.guards import unremarkable_points
from fastgd.jit.cache import environment, fingerprint, load, store
from fastgd.jit.options import interpreted
from fastgd.jit.plain import in_plain_python

__all__ = ["plain_gradient", "plain_value", "probes", "shortened", "verify"]

VERIFIED: set[tuple[str, int]] = set()
SECONDS = 0.05  # of plain Python for each kernel, after the first point
SAMPLES = 64  # of a sum over samples, which plain Python would take too long for
SHOWN = 6  # coordinates of a point in an error


def probes(dim: int, bounds: np.ndarray | None) -> np.ndarray:
    """Return points all over the box, at its middle and near its sides, and some with whole coordinates."""
    middle, wide = unremarkable_points(dim, bounds), unremarkable_points(dim, bounds, 2, spread=0.98)
    # A zero without a sign, as a search that begins by a step of 0 has no other
    return np.array([middle[0], wide[0], np.rint(middle[1]), middle[2], np.rint(wide[1]), middle[3]]) + 0.0


def shortened(function: Callable[..., Any], data: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the data of a mean over many samples with the first few samples alone; other data as they are."""
    if not getattr(function, "over_samples", False) or len(data[0]) <= SAMPLES:
        return data
    count = len(data[0])
    return tuple(d[:SAMPLES] if isinstance(d, np.ndarray) and len(d) == count else d for d in data)


def plain_value(fun: Callable[..., Any], data: tuple[Any, ...]) -> Callable[[np.ndarray], np.ndarray]:
    plain = in_plain_python(fun)
    return lambda x: np.array([plain(x, *data)], dtype=np.float64)


def plain_gradient(grad: Callable[..., Any], rows: int, data: tuple[Any, ...]) -> Callable[[np.ndarray], np.ndarray]:
    plain = in_plain_python(grad)

    def at(x: np.ndarray) -> np.ndarray:
        out = np.full(rows, np.nan)
        plain(x, out, *data)
        return out

    return at


def called(plain: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray | None:
    """Return what plain Python computes at a point; None where it raises, or gives no real number.

    Compiled code has inf and NaN where Python's floats raise, as in 1 / (1 + exp(1000)), and may be right to.
    """
    try:
        with np.errstate(all="ignore"):
            return plain(x)
    except (ArithmeticError, ValueError, TypeError, IndexError):
        return None


def verify(
    key: str,
    width: int,
    name: str,
    what: tuple[str, ...],
    plain: Callable[[np.ndarray], np.ndarray],
    compiled: Callable[[np.ndarray], np.ndarray],
    points: np.ndarray,
    dtype: Any = np.float64,
) -> None:
    """Compare a kernel's numbers with plain Python's, unless it has been done before.

    Parameters
    ----------
    key, width : str, int
        Name the kernel, in this process and on disk.
    name : str
        Of the problem.
    what : tuple of str
        What the numbers of a point are: one name for all of them, or another for the first alone.
    plain : callable
        ``plain(x)``, the numbers at one point.
    compiled : callable
        ``compiled(points)``, one row for each point of shape (k, n).  It may raise what the functions raise.
    points : ndarray of shape (k, n)
        Where to compare.
    dtype : dtype
        The arithmetic of the kernel.

    Raises
    ------
    ValueError
        Where the two differ by more than rounding.
    """
    if interpreted() or (key, width) in VERIFIED:
        return
    marker = fingerprint(key, width, environment())
    if key.startswith("unnamed") or load(marker, "verified") is None:
        expected, began = [], time.perf_counter()
        for x in points.astype(dtype).astype(np.float64):
            expected.append(called(plain, x))
            if time.perf_counter() - began > SECONDS:
                break
        compare(name, what, plain, compiled, points[: len(expected)], expected, dtype)
        if not key.startswith("unnamed"):
            store(marker, "verified", b"1")
    VERIFIED.add((key, width))


def compare(
    name: str, what: tuple[str, ...], plain: Any, compiled: Any, points: np.ndarray, expected: list[Any], dtype: Any
) -> None:
    """Raise ValueError where compiled numbers are not those that plain Python gave."""
    known = [k for k, numbers in enumerate(expected) if numbers is not None and np.all(np.isfinite(numbers))]
    if not known:
        return
    eps = float(np.finfo(dtype).eps)
    scale = max(float(np.max(np.abs(expected[k]), initial=0.0)) for k in known)
    for k, got in zip(known, numbers_at(compiled, points[known]), strict=True):
        x, numbers = points[k], expected[k]
        if isinstance(got, str):
            wrong, came = np.arange(len(numbers)) == 0, f"raises {got}"
        else:
            if dtype != np.float64 and not np.all(np.isfinite(got)):  # past the range of single precision
                continue
            wrong = differs(plain, x, numbers, got, eps, scale)
        if not np.any(wrong):
            continue
        i = int(np.argmax(wrong))
        if not isinstance(got, str):
            came = f"is {float(got[i])!r}"
        first = i == 0 and (len(what) > 1 or len(numbers) == 1)
        raise ValueError(
            f"{name}: compiled code and plain Python disagree at x = {shown(x)}: compiled, the "
            f"{what[0] if first else f'{what[-1]}[{i - len(what) + 1}]'} {came}; in plain Python it is "
            f"{float(numbers[i])!r}.  {reason(got)}"
        )


def numbers_at(compiled: Any, points: np.ndarray) -> list[np.ndarray | str]:
    """Return the compiled numbers at each point, or what the functions raise there."""
    try:
        return list(compiled(points))
    except (ArithmeticError, ValueError, TypeError, IndexError) as error:
        if len(points) == 1:
            return [str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"]
    return [numbers_at(compiled, points[k : k + 1])[0] for k in range(len(points))]


def differs(plain: Any, x: np.ndarray, numbers: np.ndarray, got: np.ndarray, eps: float, scale: float) -> Any:
    """Return where two rows of numbers differ by more than rounding explains."""
    with np.errstate(all="ignore"):
        error = np.abs(got - numbers)
        near = error <= 1e6 * eps * np.maximum(np.abs(numbers), np.abs(got)) + 1e4 * eps * scale
        if np.all(near):
            return ~near
        noise = np.max([np.abs(v - numbers) for v in shaken(plain, x, numbers, eps)], axis=0)
        return ~(near | (error <= 1e3 * noise))


def shaken(plain: Any, x: np.ndarray, numbers: np.ndarray, eps: float) -> Iterator[np.ndarray]:
    """Yield the numbers at points next to `x`: how far they are apart is how far rounding may take them."""
    draw = np.random.default_rng(0)
    for direction in (1.0, -1.0, *draw.uniform(-1.0, 1.0, (4, len(x)))):
        found = called(plain, x * (1.0 + 4.0 * eps * direction))
        yield numbers if found is None else np.where(np.isfinite(found), found, np.inf)


def shown(x: np.ndarray) -> str:
    first = ", ".join(f"{v:.6g}" for v in x[:SHOWN])
    return f"({first}{', ...' if len(x) > SHOWN else ''})"


def reason(got: Any) -> str:
    """Name the likely reason of a disagreement."""
    if isinstance(got, str) and "OverflowError" in got:
        return "Python's integers have no limit: begin with a float, as in `s = 1.0` in place of `s = 1`."
    return (
        "Compiled code has floats and integers of 64 bits: look for constants of smaller types such as np.int8 or "
        "np.float32, for tests of a number's type, and for helpers that remember earlier calls."
    )
