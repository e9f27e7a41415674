"""Cuts through a landscape of many parameters: planes, and the line between two points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.boxes import GridShape, as_array, grid_shape, positive_integer, real_array, whole_seed
from fastgd.calls import explain_calls
from fastgd.checks import INT64, real_number, shown
from fastgd.memory import check_memory, check_points
from fastgd.result import Result
from fastgd.texts import counted

if TYPE_CHECKING:
    from fastgd.problem import Problem


@dataclass(frozen=True, repr=False, eq=False)
class PlaneSlice:
    """Values on a plane: ``values[i, j]`` at ``centre + a[i] * directions[0] + b[j] * directions[1]``.

    Attributes
    ----------
    centre : ndarray, shape (n,)
        The point in the middle.
    directions : ndarray, shape (2, n)
        What the plane is spanned by.
    a, b : ndarray, shapes (na,) and (nb,)
        Coordinates along the directions.
    values : ndarray, shape (na, nb)
        Values of the problem.
    path : ndarray, shape (steps, 2), or None
        A path, projected onto the plane.
    explained : ndarray, shape (2,), or None
        Share of the path's variance along each direction.
    name : str
        Name of the problem.
    """

    centre: NDArray[np.float64]
    directions: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    values: NDArray[np.float64]
    path: NDArray[np.float64] | None = None
    explained: NDArray[np.float64] | None = None
    name: str = field(default="")

    def __repr__(self) -> str:
        na, nb = self.values.shape
        return f"<PlaneSlice of {self.name}: {na} x {nb} values, {counted(self.centre.size, 'parameter')}>"


@dataclass(frozen=True, repr=False, eq=False)
class LineSlice:
    """Values on a line: ``values[i]`` at ``(1 - t[i]) * start + t[i] * end``.

    Attributes
    ----------
    start, end : ndarray, shape (n,)
        The points at t = 0 and t = 1.
    t : ndarray, shape (m,)
        Where on the line; the points at 0 and 1 are among them.
    values : ndarray, shape (m,)
        Values of the problem.
    name : str
        Name of the problem.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    t: NDArray[np.float64]
    values: NDArray[np.float64]
    name: str = field(default="")

    @property
    def barrier(self) -> float:
        """How far the value rises above the straight line between both ends at most, 0 if it never does.

        An upper bound of what must be climbed, as a bent path may lie lower; see `find_critical_points` for that.
        """
        between = (self.t >= 0) & (self.t <= 1)
        t, values = self.t[between], self.values[between]
        return max(0.0, float(np.max(values - (1 - t) * values[0] - t * values[-1])))

    def __repr__(self) -> str:
        return f"<LineSlice of {self.name}: {self.t.size} values, barrier {self.barrier:.6g}>"


@explain_calls()
def random_slice(
    problem: Problem,
    centre: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    extent: float = 1.0,
    shape: GridShape = (101, 101),
    seed: int = 0,
) -> PlaneSlice:
    r"""Return values on a plane through a point, along two random directions of the scale of its parameters.

    Directions are drawn from the normal distribution, and each group of parameters is given the length that the same
    group has in the centre: :math:`d_g \leftarrow d_g \|\theta_g\| / \|d_g\|`. A network whose layers can be scaled
    against each other without changing what it computes then looks the same at every scale, so that the sharpness of
    minima can be compared.

    Parameters
    ----------
    problem : Problem
        The function.
    centre : array_like, shape (n,)
        The point in the middle, such as ``runs.x[runs.best]``.
    groups : array_like of int, shape (n,), optional
        To which group each parameter belongs: of a network, one for each filter or neuron. By default all are one
        group. Groups that are 0 in the centre stay as they are.
    extent : float
        The slice goes from -extent to extent along both directions.
    shape : int or (int, int)
        Values along each; one int for both.
    seed : int
        Seed of the directions.

    Returns
    -------
    PlaneSlice
        Draw it with ``gd.plot.plane``.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, Visualizing the loss landscape of neural nets, NeurIPS 31 (2018),
    arXiv:1712.09913.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.rosenbrock(dim=20)
    >>> found = gd.random_slice(problem, problem.minima[0], shape=(21, 21))
    >>> found.values.shape, float(found.values[10, 10])
    ((21, 21), 0.0)
    """
    point = one_point(problem, centre, "centre")
    group = np.zeros(problem.dim, dtype=np.int64) if groups is None else as_array(groups, "groups")
    if group.shape != (problem.dim,) or group.dtype.kind not in "iu":
        raise ValueError(f"groups must be integers of shape ({problem.dim},), got {shown(groups)}")
    _, group = np.unique(group, return_inverse=True)
    directions = np.random.default_rng(whole_seed(seed)).standard_normal((2, problem.dim))
    size = group_norms(point, group)
    for direction in directions:
        direction *= (size / group_norms(direction, group))[group]
    return plane_slice(problem, point, directions, extent, shape)


@explain_calls()
def path_slice(
    problem: Problem,
    path: ArrayLike | Result,
    *,
    margin: float = 0.2,
    shape: GridShape = (101, 101),
) -> PlaneSlice:
    """Return values on the plane in which a path moves most: its two principal directions.

    The directions are those in which the points of the path, seen from its end, spread most. Random directions show
    next to nothing of a path in many dimensions, as they are nearly orthogonal to it.

    Parameters
    ----------
    problem : Problem
        The function.
    path : array_like, shape (steps, n), or Result
        The points, or the result of one run with ``record``. NaN past its end is left out.
    margin : float
        How far the slice goes beyond the path, as a part of its size.
    shape : int or (int, int)
        Values along each direction; one int for both.

    Returns
    -------
    PlaneSlice
        With `path` and the share of its variance that the plane shows in `explained`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the path has fewer than three points or stays where it is.

    References
    ----------
    As for `random_slice`, section 7.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.rosenbrock(dim=20)
    >>> run = gd.minimize(problem, problem.sample(1)[0], gd.Adam(lr=0.05), record=10)
    >>> found = gd.path_slice(problem, run, shape=(21, 21))
    >>> bool(found.explained.sum() > 0.7)
    True
    """
    check_problem(problem)
    trace: Any = path.trace if isinstance(path, Result) else path
    if trace is None:
        raise ValueError("path is a result without a trace; run minimize(..., record=1)")
    points = real_array(trace, "path")
    if points.ndim != 2 or points.shape[1] != problem.dim:
        raise ValueError(f"path must have shape (steps, {problem.dim}), one run, got {points.shape}")
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        raise ValueError(f"path must have at least three finite points, got {len(points)}")
    if problem.dim < 2:
        raise ValueError("path must have at least two parameters, got one")
    margin = real_number(margin, "margin", "a number >= 0", 0.0)
    end = points[-1]
    _, spread, rows = np.linalg.svd(points - end, full_matrices=False)
    if spread[0] == 0:
        raise ValueError("path must move; all its points are the same")
    directions = rows[:2]
    along = (points - end) @ directions.T
    low, high = along.min(axis=0), along.max(axis=0)
    # A path that is nearly straight still needs a plane with two sides.
    side = np.maximum(high - low, 0.1 * np.max(high - low))
    middle = 0.5 * (low + high)
    box = [middle - (0.5 + margin) * side, middle + (0.5 + margin) * side]
    sizes = grid_shape(shape)
    check_points("shape", sizes, problem.dim, "give fewer along each axis")
    a, b = (np.linspace(box[0][k], box[1][k], count) for k, count in enumerate(sizes))
    values = on_plane(problem, end, directions, a, b)
    explained = spread[:2] ** 2 / np.sum(spread**2)
    return PlaneSlice(end, directions, a, b, values, along, explained, problem.name)


@explain_calls()
def line_slice(
    problem: Problem, start: ArrayLike, end: ArrayLike, n_points: int = 201, *, beyond: float = 0.25
) -> LineSlice:
    """Return values on the straight line between two points, such as two minima, with the barrier between them.

    Parameters
    ----------
    problem : Problem
        The function.
    start, end : array_like, shape (n,)
        The points.
    n_points : int
        Values between them, ends included, at least 3.
    beyond : float
        How far to go on past both ends, as a part of their distance.

    Returns
    -------
    LineSlice
        Draw it with ``gd.plot.line``.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    References
    ----------
    I. J. Goodfellow, O. Vinyals, A. M. Saxe, Qualitatively characterizing neural network optimization problems, ICLR
    (2015), arXiv:1412.6544.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2, dim=1)
    >>> round(gd.line_slice(problem, [-1.0], [1.0]).barrier, 12)
    1.0
    """
    one, other = one_point(problem, start, "start"), one_point(problem, end, "end")
    count = positive_integer(n_points, "n_points")
    if count < 3:
        raise ValueError(f"n_points must be at least 3, got {count}")
    beyond = real_number(beyond, "beyond", "a number >= 0", 0.0)
    step = 1.0 / (count - 1)
    extra = round(min(beyond / step, float(INT64)))
    whole = count + 2 * extra
    check_memory(f"n_points={count:,}, beyond={beyond:g}: {whole:,} points", 8 * problem.dim * whole, "give fewer")
    past = step * np.arange(1, extra + 1)
    t = np.concatenate([-past[::-1], np.linspace(0.0, 1.0, count), 1.0 + past])
    points = (1.0 - t)[:, None] * one + t[:, None] * other
    return LineSlice(one, other, t, problem.value(points), problem.name)


def one_point(problem: Any, point: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return one finite point, or raise naming the argument."""
    check_problem(problem)
    array = real_array(point, name)
    if array.shape != (problem.dim,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be one finite point of shape ({problem.dim},), got {point!r}")
    return array


def group_norms(vector: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.sqrt(np.bincount(group, weights=vector**2))


def plane_slice(
    problem: Any, centre: NDArray[np.float64], directions: NDArray[np.float64], extent: float, shape: GridShape
) -> PlaneSlice:
    """Return values on the plane spanned by two directions, from -extent to extent along both."""
    extent = real_number(extent, "extent", "a positive number", 0.0, above=True)
    sizes = grid_shape(shape)
    check_points("shape", sizes, problem.dim, "give fewer along each axis")
    a, b = (np.linspace(-extent, extent, count) for count in sizes)
    return PlaneSlice(centre, directions, a, b, on_plane(problem, centre, directions, a, b), name=problem.name)


def on_plane(
    problem: Any, centre: NDArray[np.float64], directions: NDArray[np.float64], a: Any, b: Any
) -> NDArray[np.float64]:
    # A row at a time, as all points of a plane in many dimensions would take much memory.
    rows = (problem.value(centre + u * directions[0] + b[:, None] * directions[1]) for u in a)
    return np.stack(list(rows))
