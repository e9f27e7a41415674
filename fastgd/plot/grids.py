"""Several maps of basins in one picture, and how basins change with a hyperparameter."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinMap, BasinSweep
from fastgd.basins.clusters import group_points
from fastgd.optimizers import GradientDescent
from fastgd.plot import figures, style
from fastgd.plot.basins import draw_map, map_picture, step_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_IN_LEGEND = 12


def basins_grid(
    maps: Sequence[BasinMap] | Mapping[str, BasinMap],
    out: str | os.PathLike[str] | None = None,
    *,
    columns: int = 3,
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw maps of basins side by side, with one colour for each attractor in all of them.

    Parameters
    ----------
    maps : sequence of BasinMap, or mapping of str to BasinMap
        Maps of one problem, such as those of several optimizers, under their names or those of the optimizers.
    out : path, optional
        File to write the figure to; its extension says the format.
    columns : int
        How many stand side by side.
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
    names, listed = _named_maps(maps)
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns!r}")
    across = min(columns, len(listed))
    rows = -(-len(listed) // across)
    figure, axes = figures.new_grid(rows, across, (3.2 * across + 1.8, 3.2 * rows + 0.5))
    groups, places, values = _common_attractors(listed)
    colours = style.colours(_sizes(listed, groups, len(places)))
    low, high = step_range(listed)
    for k, ax in enumerate(axes.flat):
        if k >= len(listed):
            ax.set_visible(False)
            continue
        draw_map(listed[k], ax, colours[groups[k]], low, high)
        ax.set_title(names[k], fontsize="medium")
        ax.label_outer()
        if k + across >= len(listed):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(f"x[{listed[k].plane[0]}]")
    _legend(figure, listed, colours, places, values)
    first = listed[0]
    same = all(map.plane == first.plane and np.array_equal(map.at, first.at) for map in listed)
    held = style.held_text(first.at, first.plane) if same else ""
    figure.suptitle("; ".join(filter(None, (first.problem.name, held))) if title is None else title)
    target.save(figure)
    return figure, axes


def basins_stack(
    maps: Sequence[BasinMap] | Mapping[str, BasinMap],
    ax: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    along: int | None = None,
    view: tuple[float, float] = (18.0, -62.0),
    title: str | None = None,
) -> tuple[Figure, Any]:
    """Draw maps of one plane at several values of a third parameter, stacked in space.

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
    title : str, optional
        By default the problem and the optimizer.

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
    groups, places, values = _common_attractors(listed)
    colours = style.colours(_sizes(listed, groups, len(places)))
    low, high = step_range(listed)
    figure, ax = figures.new_space(ax, (7.6, 6.2))
    for k in np.argsort(at[:, along], kind="stable"):
        map = listed[k]
        # Surfaces in space are drawn cell by cell, which takes long for fine maps.
        stride = max(1, max(map.shape) // 96)
        picture = map_picture(map, colours[groups[k]], low, high)[::stride, ::stride] / 255.0
        x, y = np.meshgrid(map.axes[0][::stride], map.axes[1][::stride], indexing="ij")
        ax.plot_surface(
            x, y, np.full(x.shape, at[k, along]), facecolors=picture[:-1, :-1], rstride=1, cstride=1, shade=False,
            linewidth=0, antialiased=False, alpha=0.9,
        )  # fmt: skip
    ax.view_init(*view)
    style.name_sides(ax, first.plane)
    ax.set_zlabel(f"x[{along}]")
    _legend(figure, listed, colours, places, values)
    text = f"{first.problem.name}, {style.optimizer_text(first.optimizer)}"
    ax.set_title(text if title is None else title)
    target.save(figure)
    return figure, ax


def sweep(
    found: BasinSweep,
    axes: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    r"""Draw shares of basins and steps against a hyperparameter.

    Parameters
    ----------
    found : BasinSweep
        What `fastgd.sweep_basins` returned, over one hyperparameter.
    axes : array of two matplotlib.axes.Axes, optional
        Where to draw shares and steps. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    title : str, optional
        By default the problem and the optimizer.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of two Axes
        Those of shares and of steps. Over the learning rate of plain gradient descent, dotted lines in the colours of
        the attractors mark :math:`2 / \lambda_{max}`, the largest rate at which it stays there.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or the sweep is over several hyperparameters.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> rates = np.linspace(0.002, 0.03, 15)
    >>> found = gd.sweep_basins(gd.problems.himmelblau(), gd.GradientDescent(lr=0.1), {"lr": rates}, n_starts=100)
    >>> figure, axes = gd.plot.sweep(found)
    >>> axes[0].get_ylabel()
    'share of starts (%)'
    """
    if not isinstance(found, BasinSweep):
        raise TypeError(f"found must be what sweep_basins returns, got {type(found).__name__}")
    if len(found.over) != 1:
        raise ValueError(f"found must be over one hyperparameter to be drawn, got {', '.join(found.over)}")
    target = figures.target(out, tight=axes is None)
    figure, axes = figures.new_pair(axes, 2, 1, (7.2, 5.6), "for the shares and for the steps", sharex=True)
    ((name, values),) = found.over.items()
    order = np.argsort(values)
    values = values[order]
    shown = np.sort(np.argsort(-found.fractions.sum(axis=0), kind="stable")[:_MOST_IN_LEGEND])
    colours = style.colours(found.basins.counts)
    rate_of_descent = name == "lr" and isinstance(found.optimizer, GradientDescent)
    for k in shown:
        low, high = 100.0 * found.intervals[order, k].T
        axes[0].fill_between(values, low, high, color=colours[k], alpha=0.25, linewidth=0)
        place = _place(found.basins.points[k], found.basins.points)
        axes[0].plot(values, 100.0 * found.fractions[order, k], color=colours[k], label=place, linewidth=1.6)
        axes[1].plot(values, found.mean_nit[order, k], color=colours[k], linewidth=1.6)
        if rate_of_descent:
            for ax in axes:
                ax.axvline(found.limits[k], color=colours[k], linestyle=":", linewidth=1.4)
    for share, colour, text in (
        (found.unsettled, style.UNSETTLED_COLOUR, "not settled"), (found.diverged, style.DIVERGED_COLOUR, "diverged"),
    ):  # fmt: skip
        if share.any():
            axes[0].plot(values, 100.0 * share[order], color=colour, label=text, linewidth=1.6)
    axes[0].set_ylabel("share of starts (%)")
    axes[0].set_ylim(-2, 102)
    axes[1].set_ylabel("mean steps")
    axes[1].set_yscale("log")
    axes[1].set_xlabel("learning rate" if name == "lr" else name)
    if values[0] > 0 and values[-1] > 20 * values[0]:
        from matplotlib.ticker import LogLocator, NullFormatter

        for ax in axes:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
    for ax in axes:
        style.grid_lines(ax)
        ax.set_xlim(values[0], values[-1])
    style.plain_log_ticks(axes[1].yaxis)
    axes[0].legend(
        frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), title="the descent ends at", alignment="left"
    )
    limits = found.limits[shown]
    if rate_of_descent and np.any((limits >= values[0]) & (limits <= values[-1])):
        from matplotlib.lines import Line2D

        dotted = Line2D([], [], color="0.3", linestyle=":", linewidth=1.4)
        text = "largest rate at which descent\nstays at each, $2 / \\lambda_{\\max}$"
        axes[1].legend([dotted], [text], frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    rule = found.optimizer.label if name == "lr" else style.optimizer_text(found.optimizer)
    axes[0].set_title(f"{found.basins.name}, {rule}" if title is None else title)
    target.save(figure)
    return figure, axes


def _named_maps(maps: Any) -> tuple[list[str], list[BasinMap]]:
    given = maps if isinstance(maps, Mapping) else None
    listed = list(maps.values()) if given is not None else list(maps) if isinstance(maps, Sequence) else []
    if not listed or not all(isinstance(map, BasinMap) for map in listed):
        raise TypeError("maps must be one or more maps as map_basins returns them, in a list or under names")
    names = [str(n) for n in given] if given is not None else [style.optimizer_text(m.optimizer) for m in listed]
    if len({map.problem.dim for map in listed}) > 1:
        raise ValueError("maps must be of one problem, got problems with different numbers of parameters")
    return names, listed


def _common_attractors(
    maps: list[BasinMap],
) -> tuple[list[NDArray[np.int64]], NDArray[np.float64], NDArray[np.float64]]:
    """Number the attractors of all maps: of each map its numbers, and position and value of each, lowest first."""
    points = np.concatenate([map.basins.points for map in maps])
    fun = np.concatenate([map.basins.fun for map in maps])
    if not len(points):
        return [np.zeros(0, dtype=np.int64) for _ in maps], points, fun
    # Of several maps a few tolerances, as each attractor is known to about one
    width = 4.0 * np.max([map.basins.tol for map in maps], axis=0)
    groups, _ = group_points(points, width)
    first = np.array([np.flatnonzero(groups == g)[np.argmin(fun[groups == g])] for g in range(groups.max() + 1)])
    digits = np.round(fun[first], 6)
    order = np.lexsort([*points[first].round(3).T[::-1], digits])
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    ends = np.cumsum([len(map.basins) for map in maps])[:-1]
    return np.split(rank[groups], ends), points[first[order]], fun[first[order]]


def _sizes(maps: list[BasinMap], groups: list[NDArray[np.int64]], count: int) -> NDArray[np.int64]:
    """How many starts of all maps together lead to each attractor in the common numbers."""
    sizes = np.zeros(count, dtype=np.int64)
    for map, numbers in zip(maps, groups, strict=True):
        np.add.at(sizes, numbers, map.basins.counts)
    return sizes


def _legend(
    figure: Figure, maps: list[BasinMap], colours: NDArray[np.float64], places: NDArray[np.float64], values: Any
) -> None:
    from matplotlib.patches import Patch

    other = style.is_other(colours)
    named = np.flatnonzero(~other)
    handles = [
        Patch(facecolor=tuple(colours[k]), edgecolor="black", linewidth=0.5, label=_place(places[k], places, values[k]))
        for k in named[:_MOST_IN_LEGEND]
    ]
    if len(named) > _MOST_IN_LEGEND:
        handles.append(Patch(facecolor="none", label=f"{len(named) - _MOST_IN_LEGEND:,} more"))
    if other.any():
        others = f"other minima ({np.count_nonzero(other):,})"
        handles.append(Patch(facecolor=style.OTHER_COLOUR, edgecolor="black", linewidth=0.5, label=others))
    for label, colour, text in ((-1, style.UNSETTLED_COLOUR, "not settled"), (-2, style.DIVERGED_COLOUR, "diverged")):
        if any((map.labels == label).any() for map in maps):
            handles.append(Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=text))
    title = "the descent ends at"
    figure.legend(handles=handles, loc="outside right upper", frameon=False, title=title, alignment="left")


def _place(point: NDArray[np.float64], points: NDArray[np.float64], value: float | None = None) -> str:
    """Write a position to three digits of the largest coordinate of all, at most three coordinates."""
    size = float(np.abs(points).max(initial=0.0))
    digits = int(np.clip(2 - np.floor(np.log10(size)), 0, 12)) if size > 0 else 0
    shown = [f"{round(float(v), digits) + 0.0:.{digits}f}" for v in point[:3]]
    place = "(" + ", ".join(shown) + (", ...)" if point.size > 3 else ")")
    return place if value is None else f"{place}  f = {round(float(value), 9) + 0.0:.4g}"
