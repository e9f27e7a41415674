"""Paths of descents over their landscape."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.calls import explain_calls
from fastgd.checks import is_whole, shown, true_or_false
from fastgd.plot import figures, style
from fastgd.plot.contours import check_plane, contour, draw_surface, lifted
from fastgd.plot.groups import groups
from fastgd.stopping import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_MOST_COLOURS = 7  # of the palette, Okabe and Ito's


@explain_calls()
def trajectories(
    runs: Any,
    ax: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    max_paths: int = 20,
    plane: tuple[int, int] = (0, 1),
    bounds: Any = None,
    on: str = "contour",
    log: bool = True,
    title: str | None = None,
) -> tuple[Figure, Any]:
    """Draw the paths of recorded runs over the landscape, with one parameter along the graph of the function.

    A path begins at a ring and ends at a dot where it converged, at a square where the step limit or a stall ended it,
    and at a cross where it diverged. With several results each has a colour; of one alone, each value of a
    hyperparameter, of the batch size or the noise that differs from run to run, up to seven values, and else each path.
    Where paths that the legend tells apart begin or end at one place, their marks lie within one another, and so do
    lines along one graph.

    Parameters
    ----------
    runs : Result, or mapping of str to Result
        What `minimize` returned with ``record=1`` or more; several under their names to compare optimizers.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    max_paths : int
        Most paths of each result, evenly chosen; the title says so where these are not all.
    plane : (int, int)
        The two parameters to draw; others are left out of sight.
    bounds : array_like, optional
        Sides of the picture, as for `fastgd.Problem.grid`; by default the box, or the paths where there is none.
    on : {"contour", "surface"}
        Whether to look from above or from the side.
    log : bool
        Whether the height of a surface is logarithmic.
    title : str, optional
        By default the problem, and the optimizer of a single result.

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
        If an argument does not fit, or a result has no trace.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem, x0 = gd.problems.himmelblau(), [[0.0, -5.0]]
    >>> optimizers = {"plain": gd.GradientDescent(lr=0.01), "Adam": gd.Adam(lr=0.1)}
    >>> runs = {name: gd.minimize(problem, x0, optimizer, record=1) for name, optimizer in optimizers.items()}
    >>> figure, ax = gd.plot.trajectories(runs)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['plain', 'Adam']
    """
    if not isinstance(on, str) or on not in ("contour", "surface"):
        raise ValueError(f'on must be "contour" or "surface", got {shown(on)}')
    log = true_or_false(log, "log")
    target = figures.target(out, tight=ax is None)
    named, paths = chosen_paths(runs, max_paths)
    problem = next(iter(named.values())).problem
    if on == "surface":
        check_plane(problem)
    sides = sides_of(problem, plane)
    box = box_around(problem, paths, sides) if bounds is None else bounds
    lowest = 0.0
    if on == "contour":
        figure, ax = draw_ground(problem, ax, box, sides)
    else:
        figure, ax, lowest = draw_surface(problem, ax, problem.grid((81, 81), plane, None, box), plane, log)
        ax.view_init(35.0, -60.0)
    limits = ax.get_xlim(), ax.get_ylim()
    of_each = looks(named, paths)
    drawn = [(line, *look) for line, look in zip(itertools.chain(*paths.values()), of_each, strict=True)]
    places = [place(problem, line, sides) for (line, _), *_ in drawn]
    if on == "surface":
        # A little above the ground, so that the surface does not swallow the lines
        above = 0.01 * np.ptp(ax.get_zlim())
        places = [
            (*at, lifted(problem.value(line), lowest, log) + above)
            for at, ((line, _), *_) in zip(places, drawn, strict=True)
        ]
    labels = [label for _, _, label, _ in drawn if label is not None]
    # Colours without a meaning need not be seen at every mark
    colours = [colour if labels else "" for _, colour, _, _ in drawn]
    near = 0.02 * np.ptp(limits, axis=1)
    first, last = (_later([np.array([part[k] for part in at[:2]]) for at in places], colours, near)
                   for k in (0, -1))  # fmt: skip
    rings = max(1, *first, *last)
    widths = line_widths(problem, of_each)
    for k, (_, colour, label, status) in enumerate(drawn):
        wider = min(5.0, 18.0 / rings) * first[k], min(7.0, 18.0 / rings) * last[k]
        draw_path(ax, places[k], colour, label, status, wider, widths[k])
    if on == "contour":
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])
    style.legend_below(ax)
    head = problem.name if len(named) > 1 else f"{problem.name}, {next(iter(named))}"
    ax.set_title(style.wrapped(f"{head}{_share_text(named, paths)}", 55) if title is None else title)
    return target.finish(figure, ax)


def chosen_paths(runs: Any, max_paths: int) -> tuple[dict[str, Any], dict[str, list[tuple[Array, int]]]]:
    """Return results by name, and of each some paths with the number of their run, cut where they end."""
    if not is_whole(max_paths):
        raise ValueError(f"max_paths must be an integer of at least 1, got {shown(max_paths)}")
    named = style.named_runs(runs)
    paths = {}
    for name, result in named.items():
        traces = style.traces(result, name)
        if result.problem is None:
            raise ValueError(f"runs must know their problem to be drawn over it; {name} does not")
        # Of each value of a hyperparameter as many, whichever axis of the runs it lies along
        alike = [group.runs for group in groups(result, _MOST_COLOURS)] if len(named) == 1 else []
        parts = alike or [np.arange(len(traces))]
        some = np.concatenate([style.evenly(part, max(1, int(max_paths) // len(parts))) for part in parts])
        ends = result.x.reshape(-1, result.x.shape[-1])
        # The last point falls between two recorded ones as a rule.
        paths[name] = [
            (np.concatenate([traces[k][np.isfinite(traces[k]).all(axis=1)], ends[k : k + 1]]), int(k)) for k in some
        ]
    return named, paths


def sides_of(problem: Any, plane: tuple[int, int]) -> tuple[int, ...]:
    """Return the parameters that run along the sides of the picture: those of the plane, or the only one."""
    return tuple(int(k) % problem.dim for k in plane) if problem.dim > 1 else (0,)


def box_around(problem: Any, paths: dict[str, list[tuple[Array, int]]], sides: tuple[int, ...]) -> Array:
    """Return the ends of the sides of the picture: the box, or around the paths where there is none."""
    if problem.bounds is not None:
        return problem.bounds[list(sides)]
    points = np.concatenate([line for lines in paths.values() for line, _ in lines])[:, list(sides)]
    low, high = points.min(axis=0), points.max(axis=0)
    side = np.maximum(high - low, 1e-3 * np.maximum(1.0, np.abs(high)))
    return np.stack([low - 0.15 * side, high + 0.15 * side], axis=1)


def draw_ground(
    problem: Any, ax: Any, box: Any, sides: tuple[int, ...], scale: bool = True
) -> tuple[Figure, Any]:
    """Draw what paths are drawn upon: the landscape from above, or the graph of a function of one parameter."""
    if problem.dim > 1:
        return contour(problem, ax, bounds=box, plane=(sides[0], sides[1]), scale=scale)
    figure, ax = figures.new_axes(ax, (6.4, 4.2))
    draw_graph(problem, ax, problem.grid(2, bounds=box)[:, 0])
    return figure, ax


def place(problem: Any, line: Array, sides: tuple[int, ...]) -> tuple[Array, ...]:
    """Return where the points of a path are drawn, upon what `draw_ground` draws."""
    return tuple(line[:, k] for k in sides) if problem.dim > 1 else (line[:, 0], problem.value(line))


def looks(named: dict[str, Any], paths: dict[str, list[tuple[Array, int]]]) -> list[tuple[str, str | None, int]]:
    """Return the colour of each path, its text in the legend, once for each colour with a meaning, and its status."""
    looks: list[tuple[str, str | None, int]] = []
    several = len(named) > 1
    for k, (name, result) in enumerate(named.items()):
        alike = [] if several else groups(result, _MOST_COLOURS)
        of_run = {int(run): (g, group.label) for g, group in enumerate(alike) for run in group.runs}
        told: set[str] = set()
        for m, (_, run) in enumerate(paths[name]):
            colour, label = (k, name) if several else of_run.get(run, (m, ""))
            looks.append((
                style.PALETTE[colour % _MOST_COLOURS], label if label and label not in told else None,
                int(result.status.reshape(-1)[run]),
            ))  # fmt: skip
            told.add(label)
    return looks


def drawn_after(of_each: list[tuple[str, str | None, int]]) -> NDArray[np.intp]:
    """Return how many other texts of the legend come after that of each path."""
    told = np.cumsum([label is not None for _, label, _ in of_each])
    return told[-1] - told


def line_widths(problem: Any, of_each: list[tuple[str, str | None, int]]) -> Array:
    """Return the width of each path: along the graph of a function all lie on one line, so earlier ones are wider."""
    after = drawn_after(of_each)
    return 1.5 + min(3.0, 9.0 / (after.max() + 1)) * after * (problem.dim == 1)


def _later(points: list[Array], colours: list[str], near: Array) -> list[int]:
    """Return how many other colours are drawn after each point and hide it."""
    ends = np.array(points)
    found = []
    for k, colour in enumerate(colours):
        hides = (np.abs(ends[k + 1 :] - ends[k]) < near).all(axis=1)
        found.append(len({colours[k + 1 + int(m)] for m in np.flatnonzero(hides)} - {colour}))
    return found


def _share_text(named: dict[str, Any], paths: dict[str, list[tuple[Array, int]]]) -> str:
    """Return of how many runs paths are drawn, where it is not all; nothing else."""
    counts = {(len(paths[name]), result.status.size) for name, result in named.items()}
    if all(some == every for some, every in counts):
        return ""
    if len(counts) > 1:
        return ", not all runs"
    some, every = counts.pop()
    return f", {some:,} of {every:,} runs{' each' if len(named) > 1 else ''}"


def draw_graph(problem: Any, ax: Any, box: Array) -> None:
    """Draw a function of one parameter between two ends, hatched where it has no finite value."""
    x = np.linspace(box[0], box[1], 401)
    values = problem.value(x[:, None])
    ax.plot(x, np.where(np.isfinite(values), values, np.nan), color="0.6", linewidth=1.2)
    ax.set_xlim(box)
    ax.set_ylim(ax.get_ylim())
    style.hatch_undefined(ax, x, values)
    ax.set_xlabel("x[0]")
    ax.set_ylabel("value")


def draw_path(
    ax: Any, line: tuple[Array, ...], colour: str, label: str | None, status: int,
    wider: tuple[float, float] = (0.0, 0.0), width: float = 1.5,
) -> None:  # fmt: skip
    """Draw one path, of a width in points, with its two ends, whose marks may be wider than usual by some."""
    end = {int(Status.CONVERGED): "o", int(Status.DIVERGED): "X"}.get(status, "s")
    last, first = ([part[k : k + 1] if k >= 0 else part[-1:] for part in line] for k in (-1, 0))
    ax.plot(
        *line, color=colour, linewidth=width, solid_joinstyle="round", zorder=4, label=label,
        path_effects=around_line(width),
    )  # fmt: skip
    ax.plot(
        *first, "o", markerfacecolor="white", markeredgecolor=colour, markersize=7 + wider[0], markeredgewidth=1.8,
        zorder=5, path_effects=style.edges((4.0, "black")),
    )  # fmt: skip
    ax.plot(
        *last, end, color=colour, markeredgecolor="black", markersize=8 + wider[1], markeredgewidth=0.9, zorder=5,
        path_effects=style.edges((2.6, "white")),
    )  # fmt: skip


def around_line(width: float) -> list[Any]:
    """Return the edges of a path: the black one keeps light colours apart from light grey, the white one dark ones."""
    return style.edges((width + 1.9, "white"), (width + 0.9, "black"))
