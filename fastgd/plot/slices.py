"""Pictures of cuts through landscapes: planes and lines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from fastgd.calls import explain_calls
from fastgd.landscape import LineSlice, PlaneSlice
from fastgd.plot import figures, style
from fastgd.plot.contours import bands
from fastgd.plot.trajectories import draw_path
from fastgd.stopping import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@explain_calls()
def plane(
    cut: PlaneSlice,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw the values on a plane, and the path in it.

    Parameters
    ----------
    cut : PlaneSlice
        What `fastgd.random_slice` or `fastgd.path_slice` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
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
        If an argument does not fit.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.rosenbrock(dim=20)
    >>> figure, ax = gd.plot.plane(gd.random_slice(problem, problem.minima[0], shape=(31, 31)))
    >>> ax.get_xlabel()
    'first direction'
    """
    if not isinstance(cut, PlaneSlice):
        raise TypeError(f"cut must be what random_slice or path_slice returns, got {type(cut).__name__}")
    target = figures.target(out, tight=ax is None)
    figure, ax = figures.new_axes(ax, (6.6, 5.4))
    bands(figure, ax, cut.a, cut.b, cut.values, True)
    if cut.path is not None:
        draw_path(ax, (cut.path[:, 0], cut.path[:, 1]), style.PALETTE[5], None, int(Status.CONVERGED))
    else:
        ax.plot(0, 0, "o", color=style.PALETTE[5], markeredgecolor="white", markersize=7)
    style.legend_below(ax)
    names = ["first direction", "second direction"]
    if cut.explained is not None:
        names = [f"{name} ({share:.1%} of the path)" for name, share in zip(names, cut.explained, strict=True)]
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.set_title(f"{cut.name}, {cut.centre.size} parameters" if title is None else title)
    return target.finish(figure, ax)


@explain_calls()
def line(
    cut: LineSlice,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw the values on the line between two points, with the barrier between them.

    Parameters
    ----------
    cut : LineSlice
        What `fastgd.line_slice` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
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
        If an argument does not fit.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> figure, ax = gd.plot.line(gd.line_slice(problem, *problem.minima[:2]))
    >>> ax.get_ylabel()
    'value'
    """
    if not isinstance(cut, LineSlice):
        raise TypeError(f"cut must be what line_slice returns, got {type(cut).__name__}")
    target = figures.target(out, tight=ax is None)
    figure, ax = figures.new_axes(ax, (6.4, 3.8))
    ax.plot(cut.t, np.where(np.isfinite(cut.values), cut.values, np.nan), color=style.PALETTE[0], linewidth=1.8)
    ends = [float(cut.values[np.argmin(np.abs(cut.t - t))]) for t in (0.0, 1.0)]
    ax.plot([0, 1], ends, "--", color="0.5", linewidth=1.0)
    ax.plot([0, 1], ends, "o", color=style.PALETTE[0], markeredgecolor="white", markersize=8)
    if cut.barrier > 0:
        between = (cut.t >= 0) & (cut.t <= 1)
        base = ends[0] + (ends[1] - ends[0]) * cut.t
        top = int(np.argmax(np.where(between, cut.values - base, -np.inf)))
        tip, foot = (cut.t[top], cut.values[top]), (cut.t[top], base[top])
        red = style.PALETTE[5]
        ax.annotate("", tip, foot, arrowprops={"arrowstyle": "<->", "color": red, "shrinkA": 0, "shrinkB": 0})
        white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        ax.annotate(
            f"barrier {cut.barrier:.4g}", (tip[0], 0.5 * (tip[1] + foot[1])), (6, 0), textcoords="offset points",
            color=red, va="center", bbox=white,
        )  # fmt: skip
    ax.set_xlabel("t, from start (0) to end (1)")
    ax.set_ylabel("value")
    edge = 0.01 * (cut.t[-1] - cut.t[0])
    ax.set_xlim(cut.t[0] - edge, cut.t[-1] + edge)
    ax.set_ylim(ax.get_ylim())
    style.grid_lines(ax)
    style.hatch_undefined(ax, cut.t, cut.values)
    style.legend_below(ax)
    ax.set_title(cut.name if title is None else title)
    return target.finish(figure, ax)
