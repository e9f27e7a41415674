"""Landscapes from above and from the side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.basins import BasinMap, Basins
from fastgd.boxes import real_array
from fastgd.calls import explain_calls
from fastgd.checks import true_or_false
from fastgd.landscape import Classification, CriticalPoints
from fastgd.plot import figures, style
from fastgd.plot.levels import level_texts, round_levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastgd.boxes import GridShape
    from fastgd.problem import Problem

_BANDS = 12
_SHADES = (0.34, 0.98)  # greys of the lowest and the highest band
MOST_NUMBERS = 30  # points up to which they are numbered
KIND_MARKS = (
    ("minimum", "o", style.PALETTE[0]), ("saddle", "X", style.PALETTE[5]), ("maximum", "^", style.PALETTE[2]),
    ("degenerate", "s", style.PALETTE[3]), ("undefined", "P", style.OTHER_COLOUR),
    ("flat", "p", style.OTHER_COLOUR), ("not critical", "D", style.OTHER_COLOUR), ("", "o", style.PALETTE[1]),
)  # fmt: skip


@explain_calls()
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
    points: CriticalPoints | Classification | Basins | ArrayLike | None = None,
    scale: bool = True,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw a landscape from above, in bands between round values that each cover about the same area.

    Bands of equal area show valley floors and high walls alike, where values span many powers of ten; further bands go
    down into narrow minima. The bands are shades of grey, the lowest darkest, so that colours are free for what is
    drawn on top; the first and the last one go on below and above the scale. Where the function has no finite value, as
    beyond the logarithm of a negative number, lines are hatched, and a legend says so.

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
    points : CriticalPoints, Classification, Basins or array_like of shape (*batch, n), optional
        Points to mark: those of an array all alike, and what `fastgd.find_critical_points`, `fastgd.classify` or
        `fastgd.find_basins` returned by their kinds. Those outside the plane are left out. Up to thirty are numbered,
        as in their table.
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
    scale, minima = true_or_false(scale, "scale"), true_or_false(minima, "minima")
    marked = None if points is None else points_and_kinds(problem, points)
    target = figures.target(out, tight=ax is None)
    grid = problem.grid(shape, plane, at, bounds)
    figure, ax = figures.new_axes(ax, (6.6, 5.4) if scale else (5.8, 5.4))
    i, j = (int(k) % problem.dim for k in plane)
    a, b = grid[:, 0, i], grid[0, :, j]
    bands(figure, ax, a, b, problem.value(grid), scale)
    if marked is not None:
        mark_kinds(ax, *marked, (i, j), grid)
    elif minima and problem.minima is not None:
        known = problem.minima[in_plane(problem.minima, (i, j), grid)]
        ax.plot(
            known[:, i], known[:, j], "+", color="white", markersize=10, markeredgewidth=1.8,
            path_effects=style.edges((4.2, "black")),
        )  # fmt: skip
    style.legend_below(ax)
    style.name_sides(ax, (i, j))
    ax.set_title(problem.name if title is None else title)
    return target.finish(figure, ax)


@explain_calls()
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
    """Draw a landscape from the side; below where the function has no finite value the floor is grey.

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
    log, view = true_or_false(log, "log"), figures.checked_view(view)
    target = figures.target(out, tight=ax is None)
    figure, ax, _ = draw_surface(problem, ax, problem.grid(shape, plane, at, bounds), plane, log)
    ax.view_init(*view)
    style.legend_below(ax)
    ax.set_title(problem.name if title is None else title)
    return target.finish(figure, ax)


def draw_surface(
    problem: Problem, ax: Any, grid: NDArray[np.float64], plane: tuple[int, int], log: bool
) -> tuple[Figure, Any, float]:
    """Draw a surface; returns the lowest value as well, from which a logarithmic height counts."""
    figure, ax = figures.new_space(ax, (6.8, 5.6))
    i, j = (int(k) % problem.dim for k in plane)
    values = problem.value(grid)
    lowest, finite = lowest_of(values), np.isfinite(values)
    height = np.where(finite, lifted(values, lowest, log), np.nan)
    ax.plot_surface(
        grid[..., i], grid[..., j], height, cmap="cividis", rstride=1, cstride=1, linewidth=0, antialiased=True,
        alpha=0.85,
    )  # fmt: skip
    if not finite.all():
        _shade_floor(ax, grid[..., i], grid[..., j], values)
    style.name_sides(ax, (i, j))
    ax.set_zlabel("log10(1 + f - lowest)" if log else "value", labelpad=8.0)
    return figure, ax, lowest


def _shade_floor(ax: Any, a: NDArray[np.float64], b: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Shade the floor below where a function has no finite value, with a text for a legend."""
    bottom, finite = ax.get_zlim()[0], np.isfinite(values)
    # The surface leaves out the cells of which a corner is missing
    there = finite[1:, 1:] & finite[:-1, 1:] & finite[1:, :-1] & finite[:-1, :-1]
    colours = np.where(there[..., None], 0.0, [0.75, 0.75, 0.75, 1.0])
    ax.plot_surface(
        a, b, np.full(a.shape, bottom), facecolors=colours, rstride=1, cstride=1, linewidth=0, antialiased=False,
        shade=False, zorder=0.5,
    )  # fmt: skip
    ax.computed_zorder = False  # Matplotlib orders whole surfaces by their middle, and would draw the floor on top
    ax.set_zlim(bottom=bottom)
    ax.plot([], [], [], "s", color="0.75", markersize=9, label=style.undefined_look(values)["label"])


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


def points_and_kinds(problem: Problem, points: Any) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return what is to be marked: points of shape (k, n), and the kind of each, "" where it is not known.

    Raises
    ------
    TypeError, ValueError
        If they are no points of the problem.
    """
    if isinstance(points, BasinMap):
        points = points.basins
    if isinstance(points, Basins):
        known = points.problem is not None
        return points.x, points.kind if known else np.full(len(points), "")
    if isinstance(points, (CriticalPoints, Classification)):
        return points.x.reshape(-1, points.x.shape[-1]), points.kind.reshape(-1)
    try:
        x = real_array(points, "points")
    except TypeError:
        raise TypeError(
            "points must be an array, or what fastgd.find_critical_points, fastgd.classify or fastgd.find_basins "
            f"returns, got {type(points).__name__}; of the ends of runs give runs.x"
        ) from None
    if x.ndim == 0 or x.shape[-1] != problem.dim:
        raise ValueError(f"points must have shape (*batch, {problem.dim}) for {problem.name}, got shape {x.shape}")
    x = x.reshape(-1, problem.dim)
    return x, np.full(len(x), "")


def mark_kinds(
    ax: Axes, x: NDArray[np.float64], kinds: NDArray[np.str_], plane: tuple[int, int], grid: NDArray[np.float64]
) -> None:
    """Mark points by their kinds, and with their numbers where they are few."""
    shown = in_plane(x, plane, grid)
    for kind, marker, colour in KIND_MARKS:
        some = x[shown & (kinds == kind)][:, plane]
        if len(some):
            ax.plot(
                *some.T, marker, color=colour, markeredgecolor="white", markersize=10, markeredgewidth=1.2,
                linestyle="none", label=kind or None, path_effects=style.edges((3.0, "black")),
            )  # fmt: skip
    if np.count_nonzero(shown) <= MOST_NUMBERS:
        for k in np.flatnonzero(shown):
            ax.annotate(
                str(k), (x[k, plane[0]], x[k, plane[1]]), (7, 4), textcoords="offset points", fontsize=10,
                path_effects=style.edges((2.5, "white")),
            )  # fmt: skip


def check_plane(problem: Any) -> None:
    check_problem(problem)
    if problem.dim < 2:
        raise ValueError(f"problem must have at least two parameters to be seen from above, got {problem!r}")


def lowest_of(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError("no value in the plane is finite, so there is nothing to draw; choose other bounds")
    return float(finite.min())


def bands(
    figure: Figure, ax: Axes, a: NDArray[np.float64], b: NDArray[np.float64], values: NDArray[np.float64], scale: bool
) -> None:
    """Fill the axes with bands between round levels of ``values[i, j]`` at (a[i], b[j]); hatched if not finite."""
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Rectangle

    lowest_of(values)
    finite = values[np.isfinite(values)]
    levels = round_levels(finite, _BANDS)
    greys = ListedColormap([str(grey) for grey in np.linspace(*_SHADES, levels.size + 1)])
    shown = np.ma.masked_invalid(values).T
    if finite.size < values.size:
        # Below the bands, which leave out what touches such a point
        below = style.undefined_look(values)
        ax.add_patch(Rectangle((a[0], b[0]), a[-1] - a[0], b[-1] - b[0], zorder=0.5, **below))
    norm = BoundaryNorm(levels, greys.N, extend="both")
    filled = ax.contourf(a, b, shown, levels=levels, cmap=greys, norm=norm, extend="both")
    ax.contour(a, b, shown, levels=levels, colors="0.2", linewidths=0.35, linestyles="solid")
    if scale:
        # As high as the axes, whatever their aspect
        beside = ax.inset_axes((1.03, 0.0, 0.045, 1.0))
        bar = figure.colorbar(filled, cax=beside, label="value", ticks=levels, spacing="uniform")
        bar.ax.minorticks_off()
        bar.ax.set_yticklabels(level_texts(levels))
    style.fit_aspect(ax, float(a[-1] - a[0]), float(b[-1] - b[0]))
    ax.set_xlim(a[0], a[-1])
    ax.set_ylim(b[0], b[-1])
