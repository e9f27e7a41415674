"""Landscapes from above and from the side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.landscape import Classification, CriticalPoints
from fastgd.plot import figures, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastgd.boxes import GridShape
    from fastgd.problem import Problem

_LEVELS = 16
MOST_NUMBERS = 30  # points up to which they are numbered
KIND_MARKS = (
    ("minimum", "o", style.PALETTE[0]), ("saddle", "X", style.PALETTE[5]), ("maximum", "^", style.PALETTE[2]),
    ("degenerate", "s", style.PALETTE[3]), ("undefined", "P", style.OTHER_COLOUR),
)  # fmt: skip


def contour(
    problem: Problem,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    bounds: Any = None,
    plane: tuple[int, int] = (0, 1),
    at: ArrayLike | None = None,
    shape: GridShape = (201, 201),
    minima: bool = True,
    points: CriticalPoints | Classification | None = None,
    scale: bool = True,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw a landscape from above, in bands that each cover the same area.

    Bands of equal area show valley floors and high walls alike, where values span many powers of ten. The bands are
    shades of grey, the lowest darkest, so that colours are free for what is drawn on top.

    Parameters
    ----------
    problem : Problem
        At least two parameters.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    bounds, plane, at, shape
        Which part of the landscape, see `fastgd.Problem.grid`.
    minima : bool
        Whether to mark known minima that lie in the plane, where no `points` are given.
    points : CriticalPoints or Classification, optional
        Points to mark with their kinds, as `fastgd.find_critical_points` or `fastgd.classify` tells them; those outside
        the plane are left out. Up to thirty are numbered, as in their table.
    scale : bool
        Whether to draw the scale of the values.
    title : str, optional
        By default the name of the problem.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    ax : matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or no value in the plane is finite.

    Examples
    --------
    >>> import fastgd as gd
    >>> figure, ax = gd.plot.contour(gd.problems.himmelblau(), shape=(51, 51))
    >>> ax.get_xlabel()
    'x[0]'
    """
    check_plane(problem)
    if points is not None and not isinstance(points, (CriticalPoints, Classification)):
        raise TypeError(
            "points must be what fastgd.find_critical_points or fastgd.classify returns, got "
            f"{type(points).__name__}; for others draw on the axes: ax.plot(*x.T, 'o')"
        )
    target = figures.target(out, tight=ax is None)
    grid = problem.grid(shape, plane, at, bounds)
    figure, ax = figures.new_axes(ax, (6.6, 5.4) if scale else (5.8, 5.4))
    i, j = (int(k) % problem.dim for k in plane)
    a, b = grid[:, 0, i], grid[0, :, j]
    bands(figure, ax, a, b, problem.value(grid), scale)
    if points is not None:
        mark_kinds(ax, points, (i, j), grid)
    elif minima and problem.minima is not None:
        known = problem.minima[in_plane(problem.minima, (i, j), grid)]
        ax.plot(known[:, i], known[:, j], "+", color="white", markersize=9, markeredgewidth=1.6)
    style.name_sides(ax, (i, j))
    ax.set_title(problem.name if title is None else title)
    target.save(figure)
    return figure, ax


def surface(
    problem: Problem,
    ax: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    bounds: Any = None,
    plane: tuple[int, int] = (0, 1),
    at: ArrayLike | None = None,
    shape: GridShape = (81, 81),
    log: bool = False,
    view: tuple[float, float] = (35.0, -60.0),
    title: str | None = None,
) -> tuple[Figure, Any]:
    """Draw a landscape from the side.

    Parameters
    ----------
    problem : Problem
        At least two parameters.
    ax : mpl_toolkits.mplot3d.axes3d.Axes3D, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to.
    bounds, plane, at, shape
        Which part of the landscape, see `fastgd.Problem.grid`.
    log : bool
        Whether to draw log10(1 + f - lowest), which shows valleys between high walls.
    view : (float, float)
        Elevation and azimuth of the eye, in degrees.
    title : str, optional
        By default the name of the problem.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    ax : Axes3D
        The axes.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or no value in the plane is finite.

    Examples
    --------
    >>> import fastgd as gd
    >>> figure, ax = gd.plot.surface(gd.problems.himmelblau(), shape=(21, 21), log=True)
    >>> ax.get_zlabel()
    'log10(1 + f - lowest)'
    """
    check_plane(problem)
    target = figures.target(out, tight=ax is None)
    figure, ax, _ = draw_surface(problem, ax, problem.grid(shape, plane, at, bounds), plane, log)
    ax.view_init(*view)
    ax.set_title(problem.name if title is None else title)
    target.save(figure)
    return figure, ax


def draw_surface(
    problem: Problem, ax: Any, grid: NDArray[np.float64], plane: tuple[int, int], log: bool
) -> tuple[Figure, Any, float]:
    """Draw a surface; returns the lowest value as well, from which a logarithmic height counts."""
    figure, ax = figures.new_space(ax, (6.8, 5.6))
    i, j = (int(k) % problem.dim for k in plane)
    values = problem.value(grid)
    lowest = lowest_of(values)
    ax.plot_surface(
        grid[..., i], grid[..., j], lifted(values, lowest, log), cmap="cividis", rstride=1, cstride=1, linewidth=0,
        antialiased=True, alpha=0.85,
    )  # fmt: skip
    style.name_sides(ax, (i, j))
    ax.set_zlabel("log10(1 + f - lowest)" if log else "value")
    return figure, ax, lowest


def lifted(values: NDArray[np.float64], lowest: float, log: bool) -> NDArray[np.float64]:
    """Return the heights of values on a surface."""
    if not log:
        return values
    with np.errstate(invalid="ignore"):
        return np.log10(1.0 + np.maximum(values - lowest, 0.0))


def in_plane(points: NDArray[np.float64], plane: tuple[int, int], grid: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points, shape (k, n), lie in the part of a plane that a grid covers."""
    inside = (points >= grid[0, 0]) & (points <= grid[-1, -1])
    others = np.setdiff1d(np.arange(points.shape[1]), plane)
    inside[:, others] = np.abs(points[:, others] - grid[0, 0, others]) < 1e-6
    return inside.all(axis=1)


def mark_kinds(
    ax: Axes, points: CriticalPoints | Classification, plane: tuple[int, int], grid: NDArray[np.float64]
) -> None:
    """Mark points by their kinds, with a legend, and with their numbers where they are few."""
    x = points.x.reshape(-1, points.x.shape[-1])
    shown, kinds = in_plane(x, plane, grid), points.kind.reshape(-1)
    for kind, marker, colour in KIND_MARKS:
        some = x[shown & (kinds == kind)][:, plane]
        if len(some):
            ax.plot(*some.T, marker, color=colour, markeredgecolor="white", markersize=9, linestyle="none", label=kind)
    if np.count_nonzero(shown) <= MOST_NUMBERS:
        for k in np.flatnonzero(shown):
            ax.annotate(str(k), (x[k, plane[0]], x[k, plane[1]]), (7, 4), textcoords="offset points", fontsize=9)
    if shown.any():
        ax.legend(loc="best")


def check_plane(problem: Any) -> None:
    if getattr(problem, "dim", 0) < 2:
        raise ValueError(f"problem must have at least two parameters to be seen from above, got {problem!r}")


def lowest_of(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError("no value in the plane is finite, so there is nothing to draw; choose other bounds")
    return float(finite.min())


def bands(
    figure: Figure, ax: Axes, a: NDArray[np.float64], b: NDArray[np.float64], values: NDArray[np.float64], scale: bool
) -> None:
    """Fill the axes with bands of equal area between levels of a function, ``values[i, j]`` at (a[i], b[j])."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    lowest_of(values)
    finite = values[np.isfinite(values)]
    levels = np.unique(np.quantile(finite, np.linspace(0.0, 1.0, _LEVELS)))
    if levels.size < 2:
        levels = np.array([levels[0] - 0.5, levels[0] + 0.5])
    greys = ListedColormap([str(g) for g in np.linspace(0.5, 0.97, levels.size - 1)])
    norm = BoundaryNorm(levels, levels.size - 1)
    shown = np.ma.masked_invalid(np.clip(values, levels[0], levels[-1])).T
    filled = ax.contourf(a, b, shown, levels=levels, cmap=greys, norm=norm)
    ax.contour(a, b, shown, levels=levels[1:-1], colors="0.35", linewidths=0.4)
    if scale:
        # As high as the axes, whatever their aspect
        beside = ax.inset_axes((1.03, 0.0, 0.045, 1.0))
        bar = figure.colorbar(filled, cax=beside, label="value", ticks=levels[:: max(1, levels.size // 8)])
        bar.ax.set_yticklabels([f"{level:.3g}" for level in bar.get_ticks()])
    style.fit_aspect(ax, float(a[-1] - a[0]), float(b[-1] - b[0]))
    ax.set_xlim(a[0], a[-1])
    ax.set_ylim(b[0], b[-1])
