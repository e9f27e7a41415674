"""Values, gradients and Hessians of plain scalar functions at many points, compiled like the descents themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types

from fastgd.jit.checked import checked
from fastgd.jit.options import inlined, interpreted, kernel
from fastgd.jit.rows import align_stack, row_view
from fastgd.jit.targets import aligned, lane_width, lanes_or_scalar, named, shared_kernel
from fastgd.verification import plain_gradient, plain_value, probes, shortened, verify

__all__ = ["gradient", "hessian", "scalar_at", "value", "vector_at"]


def value(fun: Callable[..., Any], x: np.ndarray, data: tuple[Any, ...]) -> np.ndarray:
    """Return ``fun`` at every point of ``x``, shape ``(*batch, n)`` to ``(*batch,)``."""
    return evaluated(fun, value_of, x, data, 1).reshape(x.shape[:-1])


def gradient(grad: Callable[..., Any], x: np.ndarray, data: tuple[Any, ...]) -> np.ndarray:
    """Return the gradient at every point of ``x``, shape ``(*batch, n)``."""
    return evaluated(grad, written_by, x, data, x.shape[-1]).reshape(x.shape)


def hessian(hess: Callable[..., Any], x: np.ndarray, data: tuple[Any, ...]) -> np.ndarray:
    """Return the Hessian at every point of ``x``, shape ``(*batch, n, n)``."""
    n = x.shape[-1]
    return evaluated(hess, written_by, x, data, n * n).reshape(*x.shape, n)


def value_of(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``write(x, out, *data)`` for a function that returns its value."""

    @inlined
    def write(x, out, *data):
        out[0] = fun(x, *data)

    return write


def written_by(fun: Callable[..., Any]) -> Callable[..., Any]:
    return fun


def make_evaluator(write: Callable[..., Any], length: int, rows: int, width: int) -> Any:
    """A kernel that has `write` fill `rows` numbers for every point, `width` points at once."""
    points_of, out_of = row_view(width, length), row_view(width, rows)

    @kernel
    def evaluate(points, data, scratch, filled, out):
        align_stack()
        count = points.shape[0]
        for start in range(0, count, width):
            for lane in range(width):
                for i in range(length):
                    scratch[0, i, lane] = points[min(start + lane, count - 1), i]
            write(points_of(scratch, 0), out_of(filled, 0), *data)
            for k in range(start, min(start + width, count)):
                for i in range(rows):
                    out[k, i] = filled[0, i, k - start]

    return evaluate


class Evaluation:
    """One function at many points."""

    def __init__(
        self, key: str, build: Callable[[int], Any], points: np.ndarray, data: Any, rows: int, width: int
    ) -> None:
        self.width, self.kernel = width, shared_kernel(key, width, functools.partial(build, width))
        self.out = np.empty((len(points), rows))
        scratch = aligned((1, points.shape[1], width), np.float64), aligned((1, rows, width), np.float64)
        self.arguments = (points, data, *scratch, self.out)

    def compile(self) -> None:
        if not interpreted() and not self.kernel.signatures:
            self.kernel.compile(tuple(numba.typeof(argument) for argument in self.arguments))


def evaluated(fun: Any, wrap: Any, x: np.ndarray, data: tuple[Any, ...], rows: int) -> np.ndarray:
    """What `fun`, wrapped as ``write(x, out, *data)``, writes at every point: an array of shape (points, rows)."""
    n = x.shape[-1]
    points = np.array(x, dtype=np.float64, order="C").reshape(-1, n)
    kinds = [str(numba.typeof(item)) for item in data]
    key = named((fun,), "evaluate", wrap.__name__, n, rows, kinds)

    def build(width: int) -> Any:
        return make_evaluator(wrap(checked(fun)), n, rows, width)

    def make(width: int) -> Evaluation:
        return Evaluation(key, build, points, data, rows, width)

    job = lanes_or_scalar(fun.__name__, key, lane_width(n, points.dtype), make, warn=False)

    def at(some: np.ndarray) -> np.ndarray:
        other = Evaluation(key, build, some, few, rows, job.width)
        other.kernel(*other.arguments)
        return other.out

    few = shortened(fun, data)
    whole = wrap is value_of
    plain = plain_value(fun, few) if whole else plain_gradient(fun, rows, few)
    what = "value" if whole else "gradient" if rows == n else "hessian"
    if len(points):
        verify(key, job.width, fun.__name__, (what,), plain, at, np.concatenate([points[:2], probes(n, None)]))
    job.kernel(*job.arguments)
    return job.out


class PointJob:
    """One function at one point after another; its points may be arrays of any stride, writable or not."""

    def __init__(self, key: str, build: Callable[[], Any], arguments: tuple[types.Type, ...]) -> None:
        self.kernel, self.arguments = shared_kernel(key, 1, build), arguments

    def compile(self) -> None:
        if not interpreted() and not self.kernel.signatures:
            self.kernel.compile(self.arguments)


POINT = types.Array(types.float64, 1, "A", readonly=True)


def scalar_at(fun: Callable[..., Any], n: int, data: tuple[Any, ...]) -> Callable[[np.ndarray], float]:
    """A compiled ``f(x)`` for loops in Python over single points: a fraction of a microsecond a call, and no checks.

    The point is a float64 array of shape (n,); the arithmetic is that of the scalar target.
    """
    key = named((fun,), "scalar at", n, [str(numba.typeof(item)) for item in data])

    def build() -> Any:
        value = checked(fun)

        @kernel
        def value_at(x, data):
            return value(x, *data)

        return value_at

    signature = POINT, numba.typeof(data)
    run = lanes_or_scalar(fun.__name__, key, 1, lambda _: PointJob(key, build, signature), warn=False).kernel
    few = shortened(fun, data)
    plain = plain_value(fun, few)
    verify(key, 1, fun.__name__, ("value",), plain, lambda x: np.array([[run(at, few)] for at in x]), probes(n, None))

    def at(x: np.ndarray) -> float:
        return run(x, data)

    return at


def vector_at(
    write: Callable[..., Any], n: int, rows: int, data: tuple[Any, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """Like `scalar_at`, for a function that writes `rows` numbers, such as a gradient: a new array each time."""
    key = named((write,), "vector at", n, rows, [str(numba.typeof(item)) for item in data])

    def build() -> Any:
        numbers = checked(write)

        @kernel
        def vector_at(x, out, data):
            numbers(x, out, *data)

        return vector_at

    signature = POINT, types.Array(types.float64, 1, "C"), numba.typeof(data)
    run = lanes_or_scalar(write.__name__, key, 1, lambda _: PointJob(key, build, signature), warn=False).kernel

    def at(x: np.ndarray, given: tuple[Any, ...] = data) -> np.ndarray:
        out = np.empty(rows)
        run(x, out, given)
        return out

    few, what = shortened(write, data), "gradient" if rows == n else "hessian"
    plain = plain_gradient(write, rows, few)
    verify(key, 1, write.__name__, (what,), plain, lambda x: np.array([at(p, few) for p in x]), probes(n, None))
    return at
