"""Several maps of basins in one picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinMap
from fastgd.boxes import positive_integer
from fastgd.calls import explain_calls
from fastgd.plot import figures, style
from fastgd.plot.basins import VALUE_LABEL, draw_map, map_picture, step_range
from fastgd.plot.colouring import (
    Colouring,
    add_legend,
    attractor_entries,
    check_color_by,
    check_one_problem,
    coloured,
    common_attractors,
    common_sizes,
    outcome_entries,
    value_scale,
)
from fastgd.texts import counted, decimals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_IN_LEGEND = 12
_DARKEST = 0.3  # of the shades: less than in a map alone, as a slow rule is not to hide its colours
_LEAST_RANGE = 2.0  # of the steps that the shades go over
_TITLE_WIDTH = 42  # characters above a panel
_NOTE_HEIGHT = 13  # points that a line of small letters below a title takes
_GREYS = [tuple(grey) for grey in style.shades(np.full((1, 3), 0.5), 5, darkest=_DARKEST)[0]]


@explain_calls()
def basins_grid(
    maps: Sequence[BasinMap] | Mapping[str, BasinMap],
    out: str | os.PathLike[str] | None = None,
    *,
    columns: int = 3,
    color_by: str = "auto",
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw maps of basins side by side, with one colour for each attractor in all of them.

    Shades go from light to dark with the steps, on a logarithmic scale of its own for each map: the line below its
    name tells the 2 % and the 98 % quantile of its steps, where the scale begins and ends; one that spans less than a
    factor of two uses a part of the shades. So the basins of a slow rule are as easy to tell apart as those of a fast
    one. Below stands how many attractors may be none or pieces of one, as `Basins.notes` says. Colours are chosen as in
    `basins`, by the shares in all maps together.

    Parameters
    ----------
    maps : sequence of BasinMap, or mapping of str to BasinMap
        Maps of one problem, such as those of several optimizers, under their names or those of the optimizers. Problems
        are the same if they have the same name or function, whatever their data.
    out : path, optional
        File to write the figure to; its extension says the format.
    columns : int
        How many stand side by side.
    color_by : {"auto", "basin", "value"}
        What colours tell: which attractor, or the value there. By default the value where there are many
        attractors, see `basins`. Where all values are equal, the attractor with "value" too.
    title : str, optional
        By default the name of the problem, and where parameters outside the plane are held, if in all maps at the same
        place.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of Axes, shape (rows, columns)
        The axes; those without a map are not visible.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> optimizers = [gd.GradientDescent(lr=0.01), gd.Adam(lr=0.05)]
    >>> maps = [gd.map_basins(problem, optimizer, (64, 64)) for optimizer in optimizers]
    >>> figure, axes = gd.plot.basins_grid(maps)
    >>> [ax.get_title() for ax in axes[0]]
    ['GradientDescent, lr 0.01', 'Adam, lr 0.05']
    """
    target = figures.target(out)
    figures.matplotlib_figure()
    from matplotlib.ticker import MaxNLocator

    names, listed = _named_maps(maps)
    check_color_by(color_by)
    columns = positive_integer(columns, "columns")
    across = min(columns, len(listed))
    rows = -(-len(listed) // across)
    groups, places, values = common_attractors(listed)
    colouring = coloured(common_sizes(listed, groups, len(places)), values, color_by)
    beside = 2.4 if colouring.limits is None else 3.6  # with the scale of values as well, or the panels would shrink
    figure, axes = figures.new_grid(rows, across, (3.2 * across + beside, 3.5 * rows + 0.5))
    for k, ax in enumerate(axes.flat):
        if k >= len(listed):
            ax.set_visible(False)
            continue
        low, high = step_range([listed[k]])
        # A full range of shades for a few steps more or less would look like noise.
        spread = max(1.0, (_LEAST_RANGE * low / high) ** 0.5)
        draw_map(listed[k], ax, colouring.of(groups[k]), low / spread, high * spread, _DARKEST)
        shaded = colouring.limits is None and bool((listed[k].labels >= 0).any())
        notes = ([_steps_text(low, high)] if shaded else []) + listed[k].basins.notes(reasons=False)
        pad = 4 + _NOTE_HEIGHT * len(notes) if notes else None
        ax.set_title(style.wrapped(names[k], _TITLE_WIDTH), fontsize="medium", pad=pad)
        if notes:
            ax.annotate(
                "\n".join(notes), (0.5, 1.0), (0, 4), xycoords="axes fraction", textcoords="offset points",
                ha="center", va="bottom", fontsize="small", color="0.25",
            )  # fmt: skip
        ax.label_outer()
        # Ticks at the ends would run into those of the next panel.
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], prune="both"))
        if k + across >= len(listed):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(f"x[{listed[k].plane[0]}]")
    if colouring.limits is not None:
        mappable, extend = value_scale(colouring, values)
        figure.colorbar(mappable, ax=list(axes.flat), label=VALUE_LABEL, extend=extend, shrink=0.7)
    _legend(figure, listed, colouring, places, values, "steps, few to many,\non a scale for each map")
    first = listed[0]
    same = all(map.plane == first.plane and np.array_equal(map.at, first.at) for map in listed)
    held = style.held_text(first.at, first.plane) if same else ""
    figure.suptitle("; ".join(filter(None, (first.problem.name, held))) if title is None else title)
    return target.finish(figure, axes)


@explain_calls()
def basins_stack(
    maps: Sequence[BasinMap] | Mapping[str, BasinMap],
    ax: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    along: int | None = None,
    view: tuple[float, float] = (18.0, -62.0),
    color_by: str = "auto",
    title: str | None = None,
) -> tuple[Figure, Any]:
    """Draw maps of one plane at several values of a third parameter, stacked in space.

    Colours are chosen as in `basins`, by the shares in all maps together; shades go from light to dark with the steps,
    on one logarithmic scale for all.

    Parameters
    ----------
    maps : sequence of BasinMap
        Maps of one problem and plane, made with different `at`.
    ax : mpl_toolkits.mplot3d.axes3d.Axes3D, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to.
    along : int, optional
        The parameter that differs; by default the only one that does.
    view : (float, float)
        Elevation and azimuth of the eye, in degrees.
    color_by : {"auto", "basin", "value"}
        What colours tell, see `basins`. Where all values are equal, the attractor with "value" too.
    title : str, optional
        By default the problem and the optimizer, and how many attractors of which map may be none or pieces of one,
        as `Basins.notes` says.

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
        If an argument does not fit, or the maps do not differ in one parameter.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem, optimizer = gd.problems.styblinski_tang(dim=3), gd.GradientDescent(lr=0.005)
    >>> maps = [gd.map_basins(problem, optimizer, (32, 32), at=[0, 0, z]) for z in (-3, 0, 3)]
    >>> figure, ax = gd.plot.basins_stack(maps)
    >>> ax.get_zlabel()
    'x[2]'
    """
    target = figures.target(out, tight=ax is None)
    check_color_by(color_by)
    view = figures.checked_view(view)
    _, listed = _named_maps(maps)
    first = listed[0]
    if any(map.plane != first.plane for map in listed):
        raise ValueError("maps must all be of the same plane")
    at = np.stack([map.at for map in listed])
    free = [k for k in range(first.problem.dim) if k not in first.plane and np.ptp(at[:, k]) > 0]
    if along is None:
        if len(free) != 1:
            raise ValueError(
                f"maps must differ in one parameter outside the plane, got {len(free)}; say which by along="
            )
        along = free[0]
    elif along not in free:
        raise ValueError(f"along must be a parameter in which the maps differ, one of {free}, got {along!r}")
    groups, places, values = common_attractors(listed)
    colouring = coloured(common_sizes(listed, groups, len(places)), values, color_by)
    low, high = step_range(listed)
    figure, ax = figures.new_space(ax, (8.2, 6.2))
    for k in np.argsort(at[:, along], kind="stable"):
        map = listed[k]
        # Surfaces in space are drawn cell by cell, which takes long for fine maps.
        stride = max(1, max(map.shape) // 96)
        picture = map_picture(map, colouring.of(groups[k]), low, high, _DARKEST)[::stride, ::stride] / 255.0
        x, y = np.meshgrid(map.axes[0][::stride], map.axes[1][::stride], indexing="ij")
        ax.plot_surface(
            x, y, np.full(x.shape, at[k, along]), facecolors=picture[:-1, :-1], rstride=1, cstride=1, shade=False,
            linewidth=0, antialiased=False, alpha=0.9,
        )  # fmt: skip
    ax.view_init(*view)
    style.name_sides(ax, first.plane)
    ax.set_zlabel(f"x[{along}]")
    if colouring.limits is not None:
        mappable, extend = value_scale(colouring, values)
        figure.colorbar(mappable, ax=ax, label=VALUE_LABEL, extend=extend, shrink=0.6, pad=0.12)
    _legend(figure, listed, colouring, places, values, f"{_steps_text(low, high)},\nlight to dark")
    text = f"{first.problem.name}, {style.optimizer_text(first.optimizer)}"
    notes = [f"x[{along}] = {map.at[along]:.3g}: {note}" for map in listed for note in map.basins.notes(reasons=False)]
    ax.set_title("\n".join([style.wrapped(text, 70), *notes]) if title is None else title)
    return target.finish(figure, ax)


def _named_maps(maps: Any) -> tuple[list[str], list[BasinMap]]:
    given = maps if isinstance(maps, Mapping) else None
    listed = list(maps.values()) if given is not None else list(maps) if isinstance(maps, Sequence) else []
    if not listed or not all(isinstance(map, BasinMap) for map in listed):
        raise TypeError("maps must be one or more maps as map_basins returns them, in a list or under names")
    names = [str(n) for n in given] if given is not None else [style.optimizer_text(m.optimizer) for m in listed]
    if len({map.problem.dim for map in listed}) > 1:
        raise ValueError("maps must be of one problem, got problems with different numbers of parameters")
    check_one_problem(listed, "maps must be of one problem")
    return names, listed


def _legend(
    figure: Figure, maps: list[BasinMap], colouring: Colouring, places: NDArray[np.float64], values: Any, steps: str
) -> None:
    def text(k: int) -> str:
        return place_text(places[k], places, values[k])

    entries = attractor_entries(colouring, _MOST_IN_LEGEND, text, _nothing)
    entries += outcome_entries(maps, _nothing)
    if colouring.limits is None and any((map.labels >= 0).any() for map in maps):
        entries.append((list(_GREYS), steps))
    add_legend(figure, entries, loc="outside right upper")


def _nothing(*of: Any) -> str:
    return ""


def _steps_text(low: float, high: float) -> str:
    """Write from how many steps to how many a scale goes.

    Examples
    --------
    >>> from fastgd.plot.grids import _steps_text
    >>> _steps_text(12.0, 1432.6), _steps_text(1.0, 1.0)
    ('12 to 1,433 steps', '1 step')
    """
    low, high = round(low), round(high)
    return f"{low:,} to {counted(high, 'step')}" if low < high else counted(high, "step")


def place_text(point: NDArray[np.float64], points: NDArray[np.float64], value: float | None = None) -> str:
    """Write a position to three digits of the largest coordinate of all, at most three coordinates."""
    digits = decimals(float(np.abs(points).max(initial=0.0)), 3)
    shown = [f"{round(float(v), digits) + 0.0:.{digits}f}" for v in point[:3]]
    place = "(" + ", ".join(shown) + (", ...)" if point.size > 3 else ")")
    return place if value is None else f"{place}  f = {round(float(value), 9) + 0.0:.4g}"
