"""Learning rates: what too small, good, too large and divergent ones look like, and schedules."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_kinds, check_single
from fastgd.boxes import positive_integer, real_array
from fastgd.calls import explain_calls
from fastgd.checks import shown, true_or_false
from fastgd.minimize import minimize
from fastgd.optimizers import Optimizer
from fastgd.plot import figures, style
from fastgd.plot.contours import bands
from fastgd.plot.convergence import lowest_value
from fastgd.plot.trajectories import draw_graph, draw_path
from fastgd.schedules import Schedule
from fastgd.stopping import Status
from fastgd.texts import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastgd.problem import Problem


@explain_calls()
def learning_rates(
    problem: Problem,
    x0: ArrayLike,
    optimizer: Optimizer,
    lr: ArrayLike,
    *,
    max_steps: int = 50,
    gtol: float = 1e-6,
    bounds: Any = None,
    out: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw descents from one start with several learning rates: a path each, and the values along all.

    Values that grow more than ten thousand times leave the picture at the top. Above each path stands how it went: in
    how many steps it was there or diverged, that it is moving away, or not there at the end. It is moving away where it
    ends higher than it began and outside the sides of the picture, and each third of its steps goes farther out than
    the one before.

    Parameters
    ----------
    problem : Problem
        One parameter, where paths are drawn on the graph of the function, or two, where they are drawn over contours.
    x0 : array_like, shape (n,)
        The start.
    optimizer : Optimizer
        The rule; its learning rate is replaced, its other hyperparameters are single numbers.
    lr : array_like, shape (k,)
        The learning rates, from 2 to 6: for teaching, one too small, a good one, one too large and one that diverges.
    max_steps : int
        Steps of each.
    gtol : float
        Where a run has converged, see `fastgd.minimize`.
    bounds : array_like, optional
        Sides of the pictures; by default the box.
    out : path, optional
        File to write the figure to; its extension says the format.
    title : str, optional
        By default the problem and the optimizer.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of Axes, shape (k + 1,)
        One for each learning rate, and that of the values.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import fastgd as gd
    >>> bowl = gd.Problem(lambda x: x[0] ** 2, dim=1, bounds=(-11, 11), name="square")
    >>> figure, axes = gd.plot.learning_rates(bowl, [10.0], gd.GradientDescent(lr=0.1), [0.01, 0.3, 0.95, 1.1])
    >>> axes[3].get_title()
    'lr 1.1: moving away'
    """
    check_kinds(problem, optimizer, Optimizer)
    target = figures.target(out)
    if problem.dim > 2:
        raise ValueError(f"problem must have one or two parameters for this picture, got {problem.dim}")
    rates = real_array(lr, "lr")
    if rates.ndim != 1 or not 2 <= rates.size <= 6:
        raise ValueError(f"lr must be 2 to 6 learning rates, got {shown(lr)}")
    steps = positive_integer(max_steps, "max_steps")
    start = problem._points(x0)
    if start.shape != (problem.dim,):
        raise ValueError(f"x0 must be one start of shape ({problem.dim},), got shape {start.shape}")
    rated = dataclasses.replace(optimizer, lr=rates)
    others = {name: value for name, value in rated.hyperparameters().items() if name != "lr"}
    check_single(others, "beside the learning rates", "draw one picture for each of its values")
    box = np.asarray(problem.grid(2, bounds=bounds)[[0, -1]].T if problem.dim == 1 else
                     problem.grid((2, 2), bounds=bounds)[[0, -1], [0, -1]].T)  # fmt: skip
    # What moves away shows best with its last points in the picture, so no run ends for being far out.
    runs = minimize(problem, start, rated, max_steps=steps, gtol=gtol, record=1, bound=1e12)
    trace = style.traces(runs, "runs")
    figure, axes = _panels(rates.size)
    for k, (ax, rate) in enumerate(zip(axes, rates, strict=False)):
        line = trace[k][np.isfinite(trace[k]).all(axis=1)]
        colour = style.PALETTE[k]
        if problem.dim == 1:
            draw_graph(problem, ax, box[0])
            draw_path(ax, (line[:, 0], problem.value(line)), colour, None, int(runs.status[k]))
        else:
            grid = problem.grid((101, 101), bounds=bounds)
            bands(figure, ax, grid[:, 0, 0], grid[0, :, 1], problem.value(grid), False)
            limits = ax.get_xlim(), ax.get_ylim()
            draw_path(ax, (line[:, 0], line[:, 1]), colour, None, int(runs.status[k]))
            ax.set_xlim(limits[0])
            ax.set_ylim(limits[1])
            style.name_sides(ax, (0, 1))
        ax.set_title(f"lr {rate:g}: {_verdict(problem, runs, k, line, steps, box)}", fontsize="medium")
    last = axes[-1]
    lowest = lowest_value(problem, trace[np.isfinite(trace).all(axis=-1)])
    for k, rate in enumerate(rates):
        line = trace[k][np.isfinite(trace[k]).all(axis=1)]
        with np.errstate(over="ignore", invalid="ignore"):
            above = np.maximum(problem.value(line) - lowest, 1e-16)
        last.plot(np.arange(len(line)), above, color=style.PALETTE[k], label=f"lr {rate:g}", linewidth=1.6)
    last.set_yscale("log")
    style.cut_high(last, float(problem.value(start)) - lowest)
    last.set_xlabel("step")
    last.set_ylabel("value above the lowest")
    last.grid(True, color="0.9", linewidth=0.6)
    # With what the ground of the other panels has a text for
    handles = [handle for ax in (last, axes[0]) for handle in ax.get_legend_handles_labels()[0]]
    last.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    rule = style.optimizer_text(optimizer, without=["lr"])
    figure.suptitle(style.wrapped(f"{problem.name}, {rule}", 70) if title is None else title)
    return target.finish(figure, axes)


@explain_calls()
def schedules(
    named: Mapping[str, Schedule],
    steps: int,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    log: bool = False,
    title: str = "",
) -> tuple[Figure, Axes]:
    """Draw learning rates against the step.

    Parameters
    ----------
    named : mapping of str to Schedule
        The schedules, with plain numbers as parameters, by the names for the legend.
    steps : int
        How many steps to draw, at least 2.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    log : bool
        Whether the axis of the rates is logarithmic.
    title : str
        The title.

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
        If an argument does not fit, such as a schedule that depends on what the run meets.

    Examples
    --------
    >>> import fastgd as gd
    >>> figure, ax = gd.plot.schedules({"cosine": gd.schedules.Cosine(0.1, period=100)}, 100)
    >>> ax.get_ylabel()
    'learning rate'
    """
    target = figures.target(out, tight=ax is None)
    if not isinstance(named, Mapping) or not named:
        raise TypeError(f"named must map names to schedules, got {named!r}")
    count, log = positive_integer(steps, "steps"), true_or_false(log, "log")
    if count < 2:
        raise ValueError(f"steps must be at least 2, got {count}")
    at = np.unique(np.linspace(0, count - 1, min(count, 4000)).astype(int))
    lines = {}
    for name, schedule in named.items():
        if not isinstance(schedule, Schedule):
            raise TypeError(f"named must map names to schedules, got {type(schedule).__name__} for {name!r}")
        if schedule.memory:
            raise ValueError(f"{name!r} depends on the values that a run meets, and has no curve of its own")
        lines[name] = np.asarray(schedule(at))
        if lines[name].shape != at.shape:
            raise ValueError(f"{name!r} must have plain numbers as parameters, got arrays; draw them one by one")
    figure, ax = figures.new_axes(ax, (6.8, 3.8))
    for k, (name, rate) in enumerate(lines.items()):
        dashes = ("-", "--", "-.", ":")[k // len(style.PALETTE) % 4]
        ax.plot(at, rate, dashes, color=style.PALETTE[k % len(style.PALETTE)], label=name, linewidth=1.6)
    if log:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlim(0, count - 1)
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    ax.set_title(title)
    style.grid_lines(ax)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return target.finish(figure, ax)


def _panels(count: int) -> tuple[Figure, NDArray[Any]]:
    """Return a figure with `count` panels above one that is as wide as all."""
    columns = count if count <= 4 else 3
    rows = -(-count // columns)
    figure = figures.new_figure((2.7 * columns, 2.8 * rows + 2.8))
    grid = figure.add_gridspec(rows + 1, columns)
    axes = [figure.add_subplot(grid[k // columns, k % columns]) for k in range(count)]
    return figure, np.array([*axes, figure.add_subplot(grid[rows, :])], dtype=object)


def _verdict(
    problem: Any, runs: Any, k: int, line: NDArray[np.float64], steps: int, box: NDArray[np.float64]
) -> str:
    """Say in a few words how a run went."""
    if runs.status[k] == Status.CONVERGED:
        return f"there in {counted(int(runs.nit[k]), 'step')}"
    if runs.status[k] == Status.DIVERGED:
        return f"diverged in {counted(int(runs.nit[k]), 'step')}"
    with np.errstate(over="ignore", invalid="ignore"):
        rises = not problem.value(line[-1]) <= problem.value(line[0])
    return "moving away" if rises and _grows(line, box) else f"not there in {counted(steps, 'step')}"


def _grows(line: NDArray[np.float64], box: NDArray[np.float64]) -> bool:
    """Tell whether points leave a box, of shape (n, 2), and are farther off in each third of the way than before.

    Farther from the middle of the box, with its sides as units, so that jumps from side to side count as they should.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.rates import _grows
    >>> box, steps = np.array([[-2.0, 2.0]]), np.arange(30)
    >>> _grows((-1.1) ** steps[:, None], box)
    True
    >>> _grows(1.9 * np.cos(steps[:, None]), box)
    False
    """
    middle, half = box.mean(axis=1), 0.5 * (box[:, 1] - box[:, 0])
    off = np.abs((line - middle) / half).max(axis=1)
    farthest = [float(third.max()) for third in np.array_split(off, 3) if third.size]
    return bool(off[-1] > 1.0) and all(before < after for before, after in itertools.pairwise(farthest))
