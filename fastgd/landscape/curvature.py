"""Second derivatives at many points: the matrices, and eigenvalues at both ends of the spectrum of large ones.

Where the second derivatives cannot be derived, or would be long, they are differences of the gradient over four
points, with an error that falls with the fourth power of the step:

    H v = (8 (g(x + h v) - g(x - h v)) - (g(x + 2 h v) - g(x - 2 h v))) / 12 h
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.boxes import box_scale, units_of
from fastgd.errors import DerivationError, check_choice

if TYPE_CHECKING:
    from fastgd.problem import Problem

METHODS = ("auto", "derived", "differences")
_DERIVED_UP_TO = 12
# The step that balances an error of h**4 with rounding, eps / h
_STEP = float(np.finfo(np.float64).eps) ** 0.2
_OFFSETS = np.array([1.0, -1.0, 2.0, -2.0])
_WEIGHTS = np.array([8.0, -8.0, -1.0, 1.0]) / 12.0
# Steps are halved until two Hessians agree to this part of their norm, or so often
_AGREE, _HALVINGS = 1e-7, 24
# How many numbers one call of the gradient is given at most
_BLOCK = 4_000_000
# Fewer gradients than take this many seconds in plain Python are not worth a compilation.
_PATIENCE = 0.2
# Nor is a loop over more numbers than that left to plain Python.
_MOST_DATA = 20_000


def checked_method(problem: Problem, method: str) -> str:
    """Return "derived" or "differences", whichever is meant for this problem."""
    check_choice("method", method, METHODS)
    if method != "auto":
        return method
    return "derived" if can_derive(problem) else "differences"


def can_derive(problem: Problem, most_data: float = np.inf) -> bool:
    """Whether second derivatives can be derived, of a function of few parameters and numbers of data."""
    if problem.dim > _DERIVED_UP_TO or sum(np.size(item) for item in problem.data) > most_data:
        return False
    try:
        return problem.hess is not None
    except (DerivationError, TypeError):
        return False


def hessians(
    problem: Problem, points: NDArray[np.float64], method: str, scale: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the Hessians at points of shape (m, n), of shape (m, n, n), by a method that `checked_method` gave.

    Differences are taken over a part of `scale`, shape (m, n), by default that of `length_scale`.
    """
    if method == "derived":
        return few_hessians(problem, points)
    m, n = points.shape
    step = _STEP * (length_scale(problem, points) if scale is None else scale)
    out = np.empty((m, n, n))
    at_once = max(1, _BLOCK // (4 * n * n))
    for first in range(0, m, at_once):
        part = slice(first, first + at_once)
        stencil = np.empty((len(points[part]), n, 4, n))
        stencil[:] = points[part, None, None, :]
        moved = points[part, :, None] + step[part, :, None] * _OFFSETS
        stencil[:, np.arange(n), :, np.arange(n)] = moved.transpose(1, 0, 2)
        slopes = few_gradients(problem, stencil.reshape(-1, n)).reshape(stencil.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            out[part] = np.einsum("q,mjqi->mji", _WEIGHTS, slopes) / step[part, :, None]
    return 0.5 * (out + out.transpose(0, 2, 1))


def checked_hessians(
    problem: Problem, points: NDArray[np.float64], method: str, scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return Hessians in units of `scale`, the norm of the error that each may have, and the part of `scale` to use.

    Error and part have the shape (m, 1).

    Differences are checked by halving the step. Where two disagree, as near a kink or in a box that is much larger than
    what is in it, the step is halved on, and the Hessian is the middle one of the three that agree best; how far these
    are apart is the error.
    """
    units = units_of(scale)
    square = units[:, :, None] * units[:, None, :]
    with np.errstate(invalid="ignore", over="ignore"):
        found = hessians(problem, points, method, scale) * square
    error, part = np.zeros((len(points), 1)), np.ones((len(points), 1))
    if method == "derived":
        return found, error, part
    error[:], before, last = np.inf, found.copy(), np.full(len(points), np.inf)
    active = np.arange(len(points))
    for k in range(1, _HALVINGS + 1):
        with np.errstate(invalid="ignore", over="ignore"):
            finer = hessians(problem, points[active], method, 0.5**k * scale[active]) * square[active]
            apart = np.linalg.norm(finer - before[active], axis=(1, 2))
            agree = apart <= _AGREE * np.linalg.norm(finer, axis=(1, 2))
            # Two that agree by chance have a third that does not
            doubt = np.where(agree, apart, np.maximum(apart, last[active]))
            better = doubt < error[active, 0]
        chosen = active[better]
        error[chosen, 0], found[chosen], part[chosen] = doubt[better], before[chosen], 0.5 ** (k - 1)
        before[active], last[active] = finer, apart
        active = active[~agree & np.isfinite(finer).all(axis=(1, 2))]
        if not active.size:
            break
    return found, error, part


def length_scale(
    problem: Problem, points: NDArray[np.float64], scale: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return over what distance each parameter changes something, shape (m, n): a tenth of the box.

    Without a box it is `scale`, shape (n,), such as a tenth of the spread of starts, or else the size of the parameter.
    """
    if problem.bounds is not None:
        scale = box_scale(problem.bounds)
    size = np.abs(np.where(np.isfinite(points), points, 0.0))
    if scale is None:
        return np.maximum(1.0, size)
    # A descent may have left the box; then the coordinate itself says what can be told apart.
    return np.maximum(scale, 1e-3 * size)


def few_gradients(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gradients at points of shape (m, n), in plain Python where that takes less than to compile."""

    def gradient(point: list[float]) -> NDArray[np.float64]:
        row = np.empty(problem.dim)
        problem.grad(point, row, *problem.data)
        return row

    return _few(problem, points, gradient, problem.gradient, np.empty(points.shape))


def few_hessians(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derived Hessians at points of shape (m, n), likewise."""
    write = problem.hess  # raises where it cannot be derived

    def hessian(point: list[float]) -> NDArray[np.float64]:
        matrix = np.empty(problem.dim**2)
        write(point, matrix, *problem.data)
        return matrix.reshape(problem.dim, problem.dim)

    return _few(problem, points, hessian, problem.hessian, np.empty((*points.shape, problem.dim)))


def few_values(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values at points of shape (m, n), likewise."""
    return _few(problem, points, lambda point: problem.fun(point, *problem.data), problem.value, np.empty(len(points)))


def _few(
    problem: Problem,
    points: NDArray[np.float64],
    plain: Callable[[list[float]], Any],
    compiled: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    out: NDArray[np.float64],
) -> NDArray[np.float64]:
    if len(points) > 4096 or sum(np.size(item) for item in problem.data) > _MOST_DATA:
        return compiled(points)
    started = time.perf_counter()
    for k, point in enumerate(points.tolist()):
        try:
            out[k] = plain(point)
        except (ArithmeticError, ValueError):  # compiled code has NaN or inf where plain Python raises
            out[k] = np.nan
        except TypeError:  # a root of a negative number is complex in plain Python
            return compiled(points)
        if (time.perf_counter() - started) * len(points) > _PATIENCE * (k + 1):
            return compiled(points)
    return out


def extreme_eigenvalues(
    problem: Problem, point: NDArray[np.float64], count: int, rtol: float, units: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the `count` smallest and largest eigenvalues of the Hessian at a point, each ascending, by Lanczos.

    The matrix is never formed: a product with a vector takes four gradients. With `units`, shape (n,), it is that of
    the function of the parameters in these units.
    """
    from scipy.sparse.linalg import LinearOperator, eigsh

    n = problem.dim
    step = _STEP * (1.0 if units is not None else float(length_scale(problem, point[None]).min()))
    sides = np.ones(n) if units is None else units

    def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        v = np.asarray(vector, dtype=np.float64).reshape(-1)
        size = float(np.linalg.norm(v))
        if size == 0.0:
            return np.zeros(n)
        slopes = problem.gradient(point + _OFFSETS[:, None] * (step / size) * (sides * v))
        return sides * (_WEIGHTS @ slopes) * (size / step)

    operator: Any = LinearOperator((n, n), matvec=product, dtype=np.float64)
    # A fixed start makes the result repeatable.
    start = np.random.default_rng(0).standard_normal(n)
    options = {
        "k": count, "v0": start, "tol": 0.01 * rtol, "ncv": min(n, max(2 * count + 1, 40)), "maxiter": 20 * n,
        "return_eigenvectors": False,
    }  # fmt: skip
    smallest, largest = (np.sort(eigsh(operator, which=which, **options)) for which in ("SA", "LA"))
    return smallest, largest
