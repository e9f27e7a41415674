"""Boxes, points in them, and the checks of the numbers that describe them."""

from __future__ import annotations

import math
import operator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastgd.points import described

GridShape: TypeAlias = int | tuple[int, int]  # points along both axes of a plane; one int for both


def positive_integer(value: Any, name: str) -> int:
    """Return `value` as an int of at least 1, or raise naming the argument."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a positive integer, not {described(value)}.") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a positive integer, not {value}.")
    if number < 1:
        raise ValueError(f"{name} must be at least 1; it is {number}.")
    return number


def whole_seed(seed: Any) -> int:
    """Return `seed` as an int that is not negative, or raise."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed must be an integer, not {described(seed)}.")
    if seed < 0:
        raise ValueError(f"seed must not be negative; it is {seed}.")
    return int(seed)


def check_unmasked(value: Any, name: str) -> None:
    """Raise ValueError where entries of a masked array, or of one in a list, are masked: NumPy would drop the mask.

    Examples
    --------
    >>> from fastgd.boxes import check_unmasked
    >>> check_unmasked(np.ma.array([1.0, 2.0], mask=[True, False]), "x0")
    Traceback (most recent call last):
    ValueError: x0 has 1 masked entry, whose value would be used: leave it out, as by x0.compressed(), or ...
    """
    parts = value if isinstance(value, (list, tuple)) else [value]
    if masked := sum(int(np.ma.count_masked(each)) for each in parts if isinstance(each, np.ma.MaskedArray)):
        entries, it = ("entry, whose value", "it") if masked == 1 else ("entries, whose values", "them")
        short = name.rpartition(": ")[2]
        short = short if isinstance(value, np.ndarray) else f"np.ma.array({short})"
        table = not isinstance(value, np.ndarray) or value.ndim == 2
        rows = f"np.ma.compress_rows({short})" if table else f"{short}.compressed()"
        raise ValueError(
            f"{name} has {masked} masked {entries} would be used: leave {it} out, as by {rows}, or give {it} a value, "
            f"as by {short}.filled(0.0)"
        )


def real_array(value: ArrayLike, name: str) -> np.ndarray:
    """Return `value` as a float64 array, or raise naming the argument: TypeError, or ValueError for masked entries."""
    check_unmasked(value, name)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is not a regular array of numbers: {error}.") from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers; it has dtype {array.dtype}.")
    return array.astype(np.float64)


def checked_bounds(bounds: Any, dim: int) -> np.ndarray:
    """Return `bounds` as a read-only array of shape ``(dim, 2)``, or raise.

    Two NumPy arrays in a tuple or list are low and high; nested lists of shape ``(dim, 2)`` are rows.
    """
    if isinstance(bounds, (str, bytes)) or not isinstance(bounds, (tuple, list, np.ndarray)):
        raise TypeError(
            f"bounds must be a pair (low, high) or an array of shape ({dim}, 2), not {described(bounds)}."
        )
    arrays = isinstance(bounds, (tuple, list)) and any(
        isinstance(side, np.ndarray) and side.ndim for side in bounds
    )
    mixed = isinstance(bounds, (tuple, list)) and len({np.ndim(side) for side in bounds}) > 1
    hint = ""
    if len(bounds) == 2 and (arrays or mixed):
        sides = [real_array(side, f"bounds[{k}]") for k, side in enumerate(bounds)]
        if any(side.shape not in ((), (dim,)) for side in sides):
            raise ValueError(
                f"bounds must be numbers or have shape ({dim},); they are {[s.shape for s in sides]}."
            )
        box = np.stack([np.broadcast_to(side, (dim,)) for side in sides], axis=1)
    else:
        array = real_array(bounds, "bounds")
        if array.shape == (2,):
            box = np.tile(array, (dim, 1))
        elif array.shape == (dim, 2):
            box = array
            hint = " Rows are (low, high) of one parameter each." if dim == 2 else ""
        elif array.shape == (2, dim):
            box = array.T.copy()
        else:
            raise ValueError(
                f"bounds must be a pair (low, high), or have shape ({dim}, 2); it has shape {array.shape}."
            )
    for k, (low, high) in enumerate(box.tolist()):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"bounds must be finite; parameter {k} has ({low:g}, {high:g}).")
        if low >= high:
            raise ValueError(f"bounds must have low < high; parameter {k} has ({low:g}, {high:g}).{hint}")
        if not math.isfinite(high - low):
            raise ValueError(f"bounds are too far apart; parameter {k} has ({low:g}, {high:g}).")
    box.flags.writeable = False
    return box


def box_scale(bounds: np.ndarray) -> np.ndarray:
    """Return the distance over which each parameter changes something, shape ``(dim,)``: a tenth of the box's side."""
    return 0.1 * (bounds[:, 1] - bounds[:, 0])


def units_of(scale: np.ndarray) -> np.ndarray:
    """Return the powers of two next to lengths: numbers in such units have the digits that they had before.

    Examples
    --------
    >>> from fastgd.boxes import units_of
    >>> units_of(np.array([1.2, 3.0, 1e-10])).tolist()
    [1.0, 4.0, 1.1641532182693481e-10]
    """
    return np.exp2(np.clip(np.round(np.log2(scale)), -400, 400))  # whose squares are numbers too


def checked_minima(minima: ArrayLike, dim: int) -> np.ndarray:
    """Return `minima` as a read-only array of shape ``(k, dim)``, or raise; one point may be 1-D."""
    array = real_array(minima, "minima")
    if array.ndim == 1 and (array.size == dim or dim == 1):
        array = array.reshape(-1, dim)
    if array.ndim != 2 or array.shape[1] != dim or not array.size:
        raise ValueError(f"minima must have shape (k, {dim}), one row a minimum; it has shape {array.shape}.")
    if not np.all(np.isfinite(array)):
        raise ValueError(
            f"minima must be finite; row {int(np.argmin(np.isfinite(array).all(axis=1)))} is not."
        )
    array.flags.writeable = False
    return array


def axis_points(count: int, low: float, high: float) -> np.ndarray:
    """Return `count` even steps from `low` to `high`, both included; one alone is in the middle."""
    return np.array([0.5 * (low + high)]) if count == 1 else np.linspace(low, high, count)


def regular_grid(n: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the `n` points of a regular grid over a box, shape ``(n, dim)``; `n` must be ``k**dim``."""
    dim = len(low)
    below = round(n ** (1.0 / dim))
    while below**dim > n:
        below -= 1
    while (below + 1) ** dim <= n:
        below += 1
    if below**dim != n:
        raise ValueError(
            f'n must be k**{dim} for method="grid", k points along each axis; it is {n}. '
            f"The nearest are {below**dim} and {(below + 1) ** dim}."
        )
    lines = [axis_points(below, *side) for side in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(n, dim)


def unit_points(n: int, dim: int, seed: int, method: str) -> np.ndarray:
    """Return `n` points in the unit cube, shape ``(n, dim)``, by the method "uniform", "sobol" or "latin"."""
    generator = np.random.default_rng(seed)
    if method == "uniform":
        return generator.random((n, dim))
    from scipy.stats import qmc

    if method == "latin":
        return qmc.LatinHypercube(d=dim, rng=generator).random(n)
    if dim > qmc.Sobol.MAXDIM:
        raise ValueError(f'method="sobol" goes up to {qmc.Sobol.MAXDIM} parameters; dim is {dim}.')
    exponent = max(n - 1, 0).bit_length()
    if exponent > 30:
        raise ValueError(f'n must be at most 2**30 for method="sobol"; it is {n}.')
    # A whole power of two is drawn, since SciPy warns of any other count, and its first n points are kept.
    return qmc.Sobol(d=dim, scramble=True, rng=generator).random_base2(exponent)[:n]


def box_points(n: int, bounds: np.ndarray, seed: int, method: str) -> np.ndarray:
    """Return `n` points in a box, shape ``(n, dim)``, by a method of `unit_points` or on a regular grid."""
    low, high = bounds.T
    if method == "grid":
        return regular_grid(n, low, high)
    return low + (high - low) * unit_points(n, len(bounds), seed, method)


def normal_points(n: int, dim: int, seed: int, bounds: np.ndarray | None) -> np.ndarray:
    """Return `n` normal points around the middle of a box, shape ``(n, dim)``, or standard ones without a box."""
    points = np.random.default_rng(seed).standard_normal((n, dim))
    if bounds is None:
        return points
    low, high = bounds.T
    return 0.5 * (low + high) + 0.25 * (high - low) * points


def grid_shape(shape: GridShape, axes: int = 2) -> tuple[int, ...]:
    """Return the number of points along each of one axis or two, or raise.

    Examples
    --------
    >>> from fastgd.boxes import grid_shape
    >>> grid_shape(5), grid_shape((3, 5)), grid_shape(5, axes=1)
    ((5, 5), (3, 5), (5,))
    """
    sizes: Any = (shape,) * axes if isinstance(shape, (int, np.integer)) else shape
    if not isinstance(sizes, (tuple, list)) or len(sizes) != axes:
        expected = "one int" if axes == 1 else "one int or two, (m, k)"
        raise TypeError(f"shape must be {expected}, the points along each axis; it is {shape!r}.")
    return tuple(positive_integer(m, f"shape[{k}]") for k, m in enumerate(sizes))


def plane_axes(plane: tuple[int, int], dim: int) -> tuple[int, ...]:
    """Return the parameters that vary in a plane, counted from the front; of one parameter, that one."""
    if dim == 1:
        return (0,)
    if not isinstance(plane, (tuple, list)) or len(plane) != 2:
        raise TypeError(f"plane must be a pair (i, j) of parameters, not {described(plane)}.")
    for k in plane:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not -dim <= k < dim:
            raise ValueError(f"plane must name parameters 0 to {dim - 1}; it is {plane!r}.")
    i, j = (int(k) % dim for k in plane)
    if i == j:
        raise ValueError(f"plane must name two different parameters; it is {plane!r}.")
    return i, j


def plane_grid(sizes: tuple[int, ...], axes: tuple[int, ...], box: np.ndarray, through: np.ndarray) -> np.ndarray:
    """Return the points of a regular grid over a box in the plane of some axes, through a point."""
    points = np.empty((*sizes, len(through)))
    points[...] = through
    lines = [axis_points(m, low, high) for m, (low, high) in zip(sizes, box, strict=True)]
    for axis, values in zip(axes, np.meshgrid(*lines, indexing="ij"), strict=True):
        points[..., axis] = values
    return points


def point_through(
    at: Any, axes: tuple[int, ...], dim: int, minima: np.ndarray | None, bounds: np.ndarray | None, name: str
) -> np.ndarray:
    """Return the point whose coordinates outside a plane all points of its grid share: `at`, or what is known."""
    if at is not None:
        point = real_array(at, "at")
        if point.shape != (dim,) or not np.all(np.isfinite(point)):
            raise ValueError(f"at must be one finite point of shape ({dim},); it is {at!r}.")
        return point
    if minima is not None:
        return minima[0]
    if bounds is not None:
        return bounds.mean(axis=1)
    if len(axes) < dim:
        raise ValueError(
            f"at must be given, one point of shape ({dim},): {name} has neither known minima nor a box."
        )
    return np.zeros(dim)


def box_text(bounds: np.ndarray) -> str:
    """Return a box in few words: one pair where all sides are the same."""
    if np.all(bounds == bounds[0]):
        low, high = bounds[0]
        return f"({low:g}, {high:g})"
    if len(bounds) <= 3:
        return "[" + ", ".join(f"({low:g}, {high:g})" for low, high in bounds) + "]"
    return f"<{len(bounds)} pairs>"
