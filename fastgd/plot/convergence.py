"""How fast many runs descend, and where they end."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.calls import explain_calls
from fastgd.checks import real_number, true_or_false
from fastgd.comparison import as_low_as
from fastgd.landscape.curvature import hessians
from fastgd.landscape.stationary import Derivatives, polish
from fastgd.plot import figures, style
from fastgd.plot.groups import groups, varied
from fastgd.stopping import Status
from fastgd.texts import counted, decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FEW = 10  # runs that are drawn one by one
_MOST_GROUPS = 8
_MOST_WIDE = 4  # series up to which the band of 90 % is drawn too
_MOST_POINTS = 400
_MOST_RUNS = 20_000
_RESOLVED = 2000
_FLOOR = 1e-16
_SQUEEZED = 10  # times the steps with a trend, from where on these are too narrow to be read
_VISIBLE = 0.1  # decades
_DASHES = ("-", "--", "-.", ":")
_REACHED = 1e-10  # of the spread of all values, or of the value where they are all equal


@explain_calls()
def convergence(
    runs: Any,
    axes: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    best: float | None = None,
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw value and gradient norm against the step, for many runs as quantile bands.

    The line is the median; the bands hold 50 % and 90 % of the runs, with more than four lines 50 % alone. A run that
    has ended keeps its last value, so that no band is of the slow ones alone. Up to ten runs of each result are drawn
    one by one, a line each. What grows more than ten thousand times leaves the picture at the top. Where no line or
    band has a trend in more than nine tenths of the steps, as where most runs are soon at rest and others go around a
    minimum up to the step limit, the axis ends earlier and says so.

    Of one result alone whose hyperparameters, batch size or noise differ from run to run, each value has a colour and
    bands of its own, up to eight values; with more, or of several results, the title says that they are drawn together.

    Parameters
    ----------
    runs : Result, or mapping of str to Result
        What `minimize` returned with ``record=1`` or more, several to compare. Of more than 20,000 runs, so many
        are drawn from, evenly chosen.
    axes : array of two matplotlib.axes.Axes, optional
        Where to draw value and gradient norm. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    best : float, optional
        Values are drawn as their distance from this: by default the value of the first known minimum, or that of the
        minimum beside the best end point.
    title : str, optional
        By default the problem, and the optimizer of a single result.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of two Axes
        Those with the value and with the gradient norm.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or a result has no trace.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> runs = gd.minimize(problem, problem.sample(100), gd.Adam(lr=0.05), record=10)
    >>> figure, axes = gd.plot.convergence(runs)
    >>> axes[0].get_ylabel()
    'value above the lowest'
    """
    target = figures.target(out, tight=axes is None)
    best = None if best is None else real_number(best, "best", "a finite number", -math.inf)
    named = style.named_runs(runs)
    figure, axes = figures.new_pair(axes, 1, 2, (9.0, 3.8), "for the value and for the gradient norm")
    series = split(named)
    problem = next(iter(named.values())).problem
    if best is None:
        best = lowest_value(problem, np.concatenate([result.x.reshape(-1, problem.dim) for result in named.values()]))
    count = max(result.status.size for result in named.values())
    apart = len(series) > len(named)
    each = count // len(series) if apart else count
    many = len(series) > _MOST_WIDE
    whole = last_step(series)
    curves = _curves(series, best, each)
    while (level := max(curve.level for curve in curves.values())) < last_step(series) / _SQUEEZED:
        series = split(named, 2 * level)
        curves = _curves(series, best, each)
    first = np.zeros(2)
    for k, (name, curve) in enumerate(curves.items()):
        colour, steps = style.PALETTE[k % len(style.PALETTE)], curve.steps
        first = np.fmax(first, curve.first)
        for ax, rows in zip(axes, curve.rows, strict=True):
            if each <= _FEW:
                lines = ax.plot(steps, rows.T, color=colour, linewidth=1.2, alpha=0.8)
                lines[0].set_label(name)
                continue
            low, quarter, middle, three_quarters, high = rows
            if not many:
                ax.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
            ax.fill_between(steps, quarter, three_quarters, color=colour, alpha=0.3, linewidth=0)
            # One median may lie on another
            ax.plot(steps, middle, _DASHES[k % len(_DASHES)], color=colour, linewidth=1.6, label=name)
    for ax, label, start in zip(axes, ("value above the lowest", "largest gradient component"), first, strict=True):
        ax.set_yscale("log")
        style.cut_high(ax, float(start))
        ax.set_xlabel("step" if last_step(series) == whole else f"step (no trend from there to {whole:,})")
        ax.set_ylabel(label)
        ax.margins(x=0)
        style.grid_lines(ax)
    several = len(named) > 1
    if apart:
        axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    elif several:
        axes[0].legend(frameon=False)
    head = f"{getattr(problem, 'name', '')}{'' if several else ', ' + next(iter(named))}"
    runs_text = f"{counted(each, 'run')} each" if apart else counted(count, "run")
    bands = "median and 50 %" if many else "median, 50 % and 90 %"
    words = runs_text if each <= _FEW else f"{bands} of {runs_text}"
    pooled = [] if apart else list(dict.fromkeys(name for result in named.values() for name in varied(result)))
    if pooled:
        words += f" with every {' and '.join(pooled)} together"
    text = f"{head}: {words}" if len(head) + len(words) < 88 else f"{style.wrapped(head, 90)}:\n{words}"
    figure.suptitle(text if title is None else title, fontsize="medium")
    return target.finish(figure, axes)


class Curves(NamedTuple):
    """What is drawn in one colour: runs or quantiles of shape (m, k) of the value and of the gradient norm.

    `first` has the largest of both at the first step, and after the step `level` nothing has a trend any more.
    """

    steps: NDArray[np.int64]
    rows: tuple[Array, Array]
    first: Array
    level: int


def _curves(series: dict[str, tuple[NDArray[np.int64], Array, Array]], best: float, each: int) -> dict[str, Curves]:
    curves = {}
    for name, (steps, value, norm) in series.items():
        with np.errstate(invalid="ignore"):
            both = np.maximum(value - best, _FLOOR), np.maximum(norm, _FLOOR)
        first = np.array([np.fmax.reduce(numbers[:, 0]) for numbers in both])
        value_rows, norm_rows = both if each <= _FEW else (np.nanquantile(n, _QUANTILES, axis=0) for n in both)
        level = steps[max(level_from(rows) for rows in (value_rows, norm_rows))]
        curves[name] = Curves(steps, (value_rows, norm_rows), first, int(level))
    return curves


def level_from(rows: Array) -> int:
    """Return from which column on lines, shape (m, k), have no trend on a logarithmic axis; at the latest the last.

    A line has none where the mean of its third quarter is that of its fourth, to a tenth of a decade or to half the
    standard deviation in both, and from there on where it does not leave what it covers in these two.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.convergence import level_from
    >>> steps = np.arange(400.0)
    >>> level_from(np.array([10 ** -np.minimum(steps, 15.0)])), level_from(np.array([10 ** (-steps / 100)]))
    (15, 399)
    """
    with np.errstate(invalid="ignore"):
        logs = np.log10(np.clip(rows, _FLOOR, 1.0 / np.finfo(float).tiny))
    count, latest = logs.shape[1], 0
    for line in logs[np.isfinite(logs).all(axis=1)]:
        end = line[count // 2 :]
        drift = abs(np.mean(end[: end.size // 2 + 1]) - np.mean(end[end.size // 2 :]))
        if drift > max(_VISIBLE, 0.5 * float(np.std(end))):
            return count - 1
        outside = np.flatnonzero((line < end.min() - _VISIBLE) | (line > end.max() + _VISIBLE))
        latest = max(latest, int(outside[-1]) + 1 if outside.size else 0)
    return max(1, latest) if count > 1 else 0


def last_step(series: dict[str, tuple[NDArray[np.int64], Array, Array]]) -> int:
    return max(int(steps[-1]) for steps, _, _ in series.values())


def split(named: dict[str, Any], last: int | None = None) -> dict[str, tuple[NDArray[np.int64], Array, Array]]:
    """Return what to draw by name: each result, or of one alone each value of what differs from run to run.

    Up to the step `last`, or up to the end.
    """
    ((name, result), *more) = named.items()
    parts = [] if more else groups(result, _MOST_GROUPS)
    if parts:
        return {part.label: along(result, name, part.runs, last) for part in parts}
    return {name: along(result, name, last=last) for name, result in named.items()}


def along(
    result: Any, name: str, runs: NDArray[np.intp] | None = None, last: int | None = None
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return steps of shape (k,), and values and gradient norms of shape (runs, k), ended runs with their last.

    Of all runs, or of those given, at most so many as can be told apart are taken; of the steps those up to `last`.
    """
    traces = style.traces(result, name)
    if result.problem is None:
        raise ValueError(f"runs must know their problem for values along the way; {name} does not")
    some = style.evenly(np.arange(len(traces)) if runs is None else runs, _MOST_RUNS)
    stride = int(result.record or 1)
    count = traces.shape[1] if last is None else min(traces.shape[1], 1 + -(-last // stride))
    at = np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int))
    points = traces[np.ix_(some, at)]
    problem = result.problem
    there = np.isfinite(points).all(axis=-1)
    value, norm = np.full(there.shape, np.nan), np.full(there.shape, np.nan)
    value[there] = problem.value(points[there])
    norm[there] = np.abs(problem.gradient(points[there])).max(axis=1)
    for numbers, final in ((value, result.fun), (norm, result.grad_norm)):
        ended = np.broadcast_to(final.reshape(-1)[some, None], there.shape)
        numbers[~there] = ended[~there]
    return at * stride, value, norm


def lowest_value(problem: Any, points: Array) -> float:
    """Return the value that descents head for: of the known minimum, or of the critical point by the best point."""
    values = problem.value(points)
    best = points[np.nanargmin(values)]
    candidates = best[None] if problem.minima is None else np.stack([best, problem.minima[0]])
    derivatives = Derivatives(problem.gradient, partial(hessians, problem, method="differences"), 1e-7)
    with np.errstate(all="ignore"):
        candidates = np.concatenate([candidates, polish(derivatives, best[None])[0]])
        return float(np.nanmin(problem.value(candidates)))


@explain_calls()
def waterfall(
    runs: Any,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    best: float | None = None,
    log: bool = False,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw the final values of all runs in ascending order.

    A flat step is a minimum, and its width is the share of runs that found it. As the axis is the share and not the
    number, and only points that a printed page can tell apart are drawn, a million runs read like a hundred. Where all
    values are equal, to a millionth of the larger of 1 and their size, they are a level line, and the title says so.
    Runs that diverged or have no finite value are left out, though not of the shares, and the title counts them.

    Parameters
    ----------
    runs : Result, or mapping of str to Result
        What `minimize` returned, several to compare.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    best : float, optional
        The lowest value, from which a logarithmic axis counts; by default the lowest of all runs.
    log : bool
        Whether to draw the distance from `best` on a logarithmic axis, where what is closer than ten digits of the
        spread, or of the value where all are equal, counts as reached; else the values themselves.
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
        If an argument does not fit, or every run diverged or ended without a finite value.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.rastrigin(dim=2)
    >>> runs = gd.minimize(problem, problem.sample(10_000), gd.GradientDescent(lr=0.001))
    >>> figure, ax = gd.plot.waterfall(runs)
    >>> ax.get_xlabel()
    'runs in ascending order (%)'
    """
    target = figures.target(out, tight=ax is None)
    named = style.named_runs(runs)
    figure, ax = figures.new_axes(ax, (6.4, 4.2))
    log = true_or_false(log, "log")
    best = None if best is None else real_number(best, "best", "a finite number", -math.inf)
    apart = {name: result.status == Status.DIVERGED for name, result in named.items()}
    drawn = {name: np.isfinite(result.fun) & ~apart[name] for name, result in named.items()}
    finals = {name: np.sort(result.fun[drawn[name]].astype(float)) for name, result in named.items()}
    if not any(values.size for values in finals.values()):
        raise ValueError("runs has no final value to draw: every run diverged or ended without a finite value")
    lowest = min(values[0] for values in finals.values() if values.size)
    highest = max(values[-1] for values in finals.values() if values.size)
    reference = lowest if best is None else best
    flat = bool(as_low_as(highest, lowest))
    size = max(abs(lowest), 1.0)
    floor = _REACHED * max(highest - reference, size if flat else 1e-300)
    for k, (name, result) in enumerate(named.items()):
        values, total = finals[name], result.fun.size
        if not values.size:
            continue
        pick = resolved(values)
        shown = np.maximum(values[pick] - reference, floor) if log else values[pick]
        share = 100.0 * (pick + 1) / total
        colour = style.PALETTE[k % len(style.PALETTE)]
        # The first run takes its share too
        steps = np.concatenate([[0.0], share]), np.concatenate([shown[:1], shown])
        ax.plot(*steps, drawstyle="steps-pre", color=colour, linewidth=1.6, label=name)
        if total <= 200:
            ax.plot(share, shown, ".", color=colour, markersize=4)
    if log:
        ax.set_yscale("log")
        ax.set_ylim(0.3 * floor, 1e4 * floor if as_low_as(highest, reference) else None)
        ax.set_ylabel("final value above the lowest")
    else:
        ax.set_ylabel("final value")
        ax.ticklabel_format(axis="y", useOffset=False)
        if flat:  # or rounding would fill the axis
            ax.set_ylim(lowest - 0.5 * size, lowest + 0.5 * size)
    ax.set_xlim(0, 100)
    ax.set_xlabel("runs in ascending order (%)")
    style.grid_lines(ax)
    if len(named) > 1:
        ax.legend(frameon=False, loc="upper left")
    first = next(iter(named.values()))
    text = f"{getattr(first.problem, 'name', '')}, {counted(max(each.fun.size for each in named.values()), 'run')}"
    diverged = sum(int(np.count_nonzero(mask)) for mask in apart.values())
    missing = sum(result.fun.size - finals[name].size for name, result in named.items()) - diverged
    for left_out, words in ((diverged, "diverged"), (missing, "without a finite value")):
        if left_out:
            text += f", {f'{left_out:,}' if len(named) == 1 else 'some'} {words}"
    if flat and not diverged + missing:
        text += f", all at {round(lowest, decimals(size, 6)) + 0.0:.6g}"
    ax.set_title(text.strip(", ") if title is None else title)
    return target.finish(figure, ax)


def resolved(ordered: Array) -> NDArray[np.intp]:
    """Return which of many ascending values to draw: evenly spaced ones, and both sides of the largest jumps."""
    if ordered.size <= 2 * _RESOLVED:
        return np.arange(ordered.size)
    even = np.linspace(0, ordered.size - 1, _RESOLVED).astype(np.intp)
    jump = np.argpartition(np.diff(ordered), -_RESOLVED // 4)[-_RESOLVED // 4 :]
    return np.unique(np.concatenate([even, jump, jump + 1]))
