"""Boxes, points in them, and the checks of the numbers that describe them."""

from __future__ import annotations

import math
import operator
import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastgd.checks import AXES, check_axes, is_whole, past_int64, shown
from fastgd.memory import check_memory
from fastgd.points import described
from fastgd.texts import with_article

SHOWN = 4  # rows of bounds in a message
GridShape: TypeAlias = int | tuple[int, int]  # points along both axes of a plane; one int for both


def positive_integer(value: Any, name: str) -> int:
    """Return `value` as an int of at least 1, or raise naming the argument."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a positive integer, not {described(value)}.") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a positive integer, not {value}.")
    if not is_whole(number):
        raise ValueError(f"{name} must be at least 1; it is {shown(number)}{past_int64(number)}.")
    return number


def checked_dim(dim: Any) -> int:
    """Return the number of parameters, or raise, also where the points that checks are made at do not fit the memory.

    Examples
    --------
    >>> from fastgd.boxes import checked_dim
    >>> checked_dim(10**12)
    Traceback (most recent call last):
    ValueError: dim=1,000,000,000,000: points of so many parameters, their box and the checks would take 72.8 TiB, ...
    """
    dim = positive_integer(dim, "dim")
    check_memory(f"dim={dim:,}: points of so many parameters, their box and the checks", 80 * dim, "give fewer")
    return dim


def whole_seed(seed: Any) -> int:
    """Return `seed` as an int that is not negative, or raise."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed must be an integer, not {described(seed)}.")
    if seed < 0:
        raise ValueError(f"seed must not be negative; it is {shown(seed)}.")
    return int(seed)


def check_unmasked(value: Any, name: str, instead: str = "") -> None:
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
        instead = instead or f"leave {it} out, as by {rows}, or give {it} a value, as by {short}.filled(0.0)"
        raise ValueError(f"{name} has {masked} masked {entries} would be used: {instead}")


def real_array(value: ArrayLike, name: str) -> np.ndarray:
    """Return `value` as a float64 array, or raise naming the argument.

    TypeError for what is no real numbers; ValueError for masked entries and for numbers past the range of float64.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers; it has dtype {array.dtype}.")
    check_axes(name, array.shape, AXES + 1)
    return as_float64(array, name)


def as_array(value: Any, name: str, unmasked: str = "") -> np.ndarray:
    """Return `value` as an array of whatever dtype, or raise naming the argument.

    ValueError for masked entries and for integers past the range of int64; TypeError for what makes no array.
    `unmasked` is what to do about masked entries.
    """
    check_unmasked(value, name, unmasked)
    try:
        array = np.asarray(value)
    except ValueError as error:
        why = "its rows have different lengths" if "inhomogeneous" in str(error) else error
        raise TypeError(f"{name} is not a regular array of numbers: {why}.") from None
    except Exception as error:  # of an array of another library, such as a tensor that requires its gradient
        raise TypeError(f"{name} is {with_article(type(value).__name__)} that makes no array: {error}") from error
    if array.dtype.kind == "O" and array.size and all(isinstance(each, int) for each in array.flat):
        raise ValueError(
            f"{name} has an integer past the range of int64, {shown(max(array.flat, key=abs))}: numbers as large as "
            "that are floats."
        )
    return array


def as_float64(array: np.ndarray, name: str) -> np.ndarray:
    """Return an array of real numbers as float64, or raise ValueError where finite ones are too large for it."""
    with np.errstate(over="ignore"):
        converted = array.astype(np.float64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8 and np.any(np.isfinite(array) & ~np.isfinite(converted)):
        raise ValueError(f"{name} has numbers of dtype {array.dtype} past the range of float64: give it other units.")
    return converted


def checked_bounds(bounds: Any, dim: int) -> np.ndarray:
    """Return `bounds` as a read-only array of shape ``(dim, 2)``, or raise.

    A pair of numbers is for all parameters; an array of shape ``(dim, 2)`` has a row ``(low, high)`` for each; a
    `scipy.optimize.Bounds` has lows and highs.  A pair (lows, highs) is refused in every dimension, since that of two
    parameters has two readings.
    """
    if is_scipy_bounds(bounds):
        box = sides_of(bounds, dim)
    elif isinstance(bounds, (str, bytes)) or not isinstance(bounds, (tuple, list, np.ndarray)):
        raise TypeError(f"{expected_bounds(dim)}, not {described(bounds)}.")
    else:
        if is_lows_and_highs(bounds, dim):
            raise ValueError(f"{expected_bounds(dim)}, not a pair (lows, highs): {rows_instead(bounds, dim)}.")
        if any(each is None for row in bounds for each in (row if isinstance(row, (tuple, list)) else [row])):
            raise ValueError("bounds must be finite, and a side is None: give a number; starts are drawn from it.")
        array = real_array(bounds, "bounds")
        if array.shape not in ((2,), (dim, 2)):
            raise ValueError(f"{expected_bounds(dim)}; it has shape {array.shape}.")
        box = np.tile(array, (dim, 1)) if array.ndim == 1 else array
    lows, highs = box.T
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = np.flatnonzero(~(np.isfinite(highs - lows) & (lows < highs)))
    for k in wrong[:1].tolist():
        low, high = box[k].tolist()
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"bounds must be finite; parameter {k} has ({low:g}, {high:g}).")
        if low >= high:
            hint = "" if np.ndim(bounds) < 2 else " Rows are (low, high) of one parameter each."
            raise ValueError(f"bounds must have low < high; parameter {k} has ({low:g}, {high:g}).{hint}")
        if not math.isfinite(high - low):
            raise ValueError(f"bounds are too far apart; parameter {k} has ({low:g}, {high:g}).")
    box.flags.writeable = False
    return box


def expected_bounds(dim: int) -> str:
    rows = "one row (low, high)" if dim == 1 else f"{dim} rows (low, high), one for each parameter"
    return f"bounds must be a pair of numbers (low, high) or {rows}"


def is_scipy_bounds(bounds: Any) -> bool:
    """Whether this is a `scipy.optimize.Bounds`, told without the import of SciPy's part."""
    optimize = sys.modules.get("scipy.optimize")
    return optimize is not None and isinstance(bounds, optimize.Bounds)


def sides_of(bounds: Any, dim: int) -> np.ndarray:
    """The box of a `scipy.optimize.Bounds`, whose sides broadcast."""
    if np.any(bounds.keep_feasible):
        raise ValueError(
            "bounds has keep_feasible=True, and descents may leave the box, which says where starts are drawn."
        )
    sides = real_array(bounds.lb, "bounds.lb"), real_array(bounds.ub, "bounds.ub")
    if any(side.shape not in ((), (1,), (dim,)) for side in sides):
        shapes = " and ".join(str(side.shape) for side in sides)
        raise ValueError(f"bounds.lb and bounds.ub must be numbers or have shape ({dim},); they have {shapes}.")
    return np.stack([np.broadcast_to(side, (dim,)) for side in sides], axis=1)


def is_lows_and_highs(bounds: Any, dim: int) -> bool:
    """Whether these are two sides, and not rows; of two parameters, whether they might be."""
    try:
        shapes = [np.shape(side) for side in bounds]
    except ValueError:  # ragged, for which there is another error
        return False
    if len(shapes) != 2 or shapes == [(), ()]:
        return False
    if isinstance(bounds, np.ndarray):
        return dim != 2 and bounds.shape == (2, dim)
    if dim == 2 and shapes == [(2,), (2,)]:
        kinds = [type(side) for side in bounds]
        return np.ndarray in kinds or (isinstance(bounds, tuple) and list in kinds)
    return all(shape in ((), (dim,)) for shape in shapes)


def rows_instead(bounds: Any, dim: int) -> str:
    """What to write in place of a pair (lows, highs)."""
    either = "scipy.optimize.Bounds(lows, highs)"
    if dim > SHOWN:
        return f"write list(zip(lows, highs)) or {either}"
    sides = np.array([np.broadcast_to(np.asarray(side), (dim,)) for side in bounds])
    if dim == 2 and all(np.ndim(side) for side in bounds):
        return f"for lows and highs write {rows_text(sides.T)} or {either}, for rows {rows_text(sides)}"
    return f"write {rows_text(sides.T)} or {either}"


def rows_text(rows: np.ndarray) -> str:
    return "[" + ", ".join(f"({low!r}, {high!r})" for low, high in rows.tolist()) + "]"
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


class PlaneGrid:
    """A regular grid over a box in the plane of some axes, through a point; its points are made when asked for.

    Parameters
    ----------
    sizes : tuple of int
        Points along each axis.
    axes : tuple of int
        The parameters that vary.
    box : ndarray of shape (len(axes), 2)
        The sides.
    through : ndarray of shape (n,)
        Where the other parameters stay.
    """

    def __init__(self, sizes: tuple[int, ...], axes: tuple[int, ...], box: np.ndarray, through: np.ndarray) -> None:
        self.shape = (*sizes, len(through))
        self.axes, self.through = axes, through
        self.lines = [axis_points(m, low, high) for m, (low, high) in zip(sizes, box, strict=True)]

    def points(self, where: np.ndarray | None = None) -> np.ndarray:
        """Return the points of these flat numbers, shape ``(len(where), n)``, or all in the shape of the grid."""
        sizes = self.shape[:-1]
        steps = np.ogrid[tuple(slice(m) for m in sizes)] if where is None else np.unravel_index(where, sizes)
        points = np.empty((*(sizes if where is None else np.shape(where)), len(self.through)))
        points[...] = self.through
        for axis, line, step in zip(self.axes, self.lines, steps, strict=True):
            points[..., axis] = line[step]
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
