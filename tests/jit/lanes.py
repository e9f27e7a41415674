"""Running one plain function over columns of numbers, as lanes of any width or as scalars."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from fastgd.jit.options import inlined, kernel
from fastgd.jit.rows import align_stack, row_view
from fastgd.jit.targets import aligned

FLOATS = [np.float64, np.float32]
WIDTHS = [1, 8, 16, 32, 64]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, math.inf, -math.inf, math.nan, 1e-30, -1e30]


@functools.cache
def compiled(function: Callable[..., None], length: int, rows: int, width: int) -> Any:
    """A kernel that calls ``function(x, out, *extra)`` for every block of `width` columns."""
    points_of, out_of, body = row_view(width, length), row_view(width, rows), inlined(function)

    @kernel
    def blocks(points, out, extra):
        align_stack()
        for block in range(points.shape[0]):
            body(points_of(points, block), out_of(out, block), *extra)

    return blocks


def run(
    function: Callable[..., None],
    columns: Any,
    rows: int,
    width: int,
    dtype: Any = np.float64,
    extra: tuple[Any, ...] = (),
) -> np.ndarray:
    """What `function` writes for columns of the shape (length, count): an array of the shape (rows, count)."""
    columns = np.asarray(columns, dtype=dtype)
    length, count = columns.shape
    blocks = -(-count // width)
    points, out = aligned((blocks, length, width), dtype), aligned((blocks, rows, width), dtype)
    padded = np.pad(columns, ((0, 0), (0, blocks * width - count)), mode="edge")
    points[...] = padded.reshape(length, blocks, width).swapaxes(0, 1)
    out[...] = np.nan if np.issubdtype(dtype, np.floating) else 0
    compiled(function, length, rows, width)(points, out, extra)
    return out.swapaxes(0, 1).reshape(rows, blocks * width)[:, :count].copy()


def assert_same_bits(found: np.ndarray, expected: Any) -> None:
    """Equal to the last bit and the sign of zero; all NaNs count as one."""
    expected = np.asarray(expected, dtype=found.dtype)
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(found)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])


def ulps(found: np.ndarray, exact: list[Any]) -> np.ndarray:
    """Distance from numbers of many digits, in units in the last place of the exact value."""
    info = np.finfo(found.dtype)
    errors = []
    for value, true in zip(found.tolist(), exact, strict=True):
        exponent = mpmath.frexp(true)[1] if true else info.minexp + 1
        unit = mpmath.ldexp(1, max(exponent - 1, info.minexp) - info.nmant)
        errors.append(float(abs(mpmath.mpf(value) - true) / unit) if np.isfinite(value) else np.inf)
    return np.array(errors)


def numbers(count: int, seed: int, low: float = -10.0, high: float = 10.0, rows: int = 1) -> np.ndarray:
    """Uniform columns of the shape (rows, count)."""
    return np.random.default_rng(seed).uniform(low, high, (rows, count))


def pairs(dtype: Any, count: int = 77) -> np.ndarray:
    """Every pair of special values, then random ones; the last block is not full."""
    first, second = np.meshgrid(SPECIAL, SPECIAL)
    drawn = numbers(count, seed=3, rows=2)
    return np.hstack([[first.ravel(), second.ravel()], drawn]).astype(dtype)
