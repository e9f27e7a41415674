"""How basins change with one hyperparameter, or with two."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinSweep
from fastgd.calls import explain_calls
from fastgd.plot import figures, style
from fastgd.plot.grids import place_text
from fastgd.plot.heat_maps import check_panels, draw_heat_maps
from fastgd.plot.sides import Side
from fastgd.texts import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_FEW = 15  # values that are marked, each by a point
_MOST_IN_LEGEND = 12
_MOST_INTERVALS = 7  # more of them would lie on top of each other
_BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
SHOWN = ("lowest", "entropy", "steps", "diverged")


@explain_calls()
def sweep(
    found: BasinSweep,
    axes: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    show: Sequence[str | int] | None = None,
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    r"""Draw how the outcome changes with one hyperparameter, or with two.

    Over one, lines show the share of starts that come to each attractor, with its 95 % interval where there are up to
    seven, and the mean steps to it. Of more than twelve attractors, those with the largest shares have lines; the
    shares of the others together are one line, whose range the legend tells, as it may lie above the axis. Up to
    fifteen values are marked by points, and of one value alone these stand side by side. Over two, heat maps show what
    `show` names, the first hyperparameter to the right and the second one up; an axis is logarithmic where its values
    are spaced so.

    Over the learning rate, dotted lines mark the largest rate at which the optimizer stays at an attractor, where that
    is known (`fastgd.BasinSweep.limits`, for `GradientDescent`, `Momentum` and `Nesterov`): over one hyperparameter for
    each attractor in its colour, over two for the lowest minimum. Over the weight decay there is none, as it moves the
    minima.

    Parameters
    ----------
    found : BasinSweep
        What `fastgd.sweep_basins` returned, over one or two hyperparameters.
    axes : array of matplotlib.axes.Axes, optional
        Where to draw: two, for shares and steps, or over two hyperparameters one for each of `show`. By default on a
        new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    show : sequence of str or int, optional
        Over two hyperparameters, what to show. "lowest": the share of starts that come to the lowest value found,
        which may be that of all attractors; "entropy": the entropy of the outcome, 0 where all lead to the same;
        "steps": the mean steps of the starts that settled; "diverged" and "unsettled": their shares; a number k: the
        share of attractor k. By default the lowest, the entropy, the steps and the diverged; the last not on a new
        figure where none diverged. Scales of shares end at the next round number above the largest, and say so where
        that is below 100 %.
    title : str, optional
        By default the problem and the optimizer.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of Axes
        Those of shares and of steps, or of the heat maps.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or the sweep is over more than two hyperparameters.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> rates, problem = np.linspace(0.002, 0.03, 15), gd.problems.himmelblau()
    >>> found = gd.sweep_basins(problem, gd.GradientDescent(lr=0.1), {"lr": rates}, n_starts=100)
    >>> figure, axes = gd.plot.sweep(found)
    >>> axes[0].get_ylabel()
    'share of starts (%)'

    Two hyperparameters:

    >>> over = {"lr": np.geomspace(1e-3, 0.1, 7), "momentum": np.linspace(0, 0.9, 4)}
    >>> found = gd.sweep_basins(problem, gd.Momentum(lr=0.1), over, n_starts=100, max_steps=2000)
    >>> figure, axes = gd.plot.sweep(found, show=["lowest", "steps"])
    >>> [ax.get_title() for ax in axes]
    ['any attractor reached', 'mean steps']
    """
    if not isinstance(found, BasinSweep):
        raise TypeError(
            f"found must be what sweep_basins returns, got {type(found).__name__}{style.drawn_by(found)}"
        )
    if len(found.over) > 2:
        raise ValueError(
            f"found must be over one or two hyperparameters to be drawn, got {', '.join(found.over)}: leave out one of "
            "them in sweep_basins(over=...), and make a sweep for each of its values"
        )
    if show is not None and len(found.over) == 1:
        raise ValueError("show is for two hyperparameters: leave it out, over one the shares and the steps are drawn")
    if show is None:
        show = [name for name in SHOWN if name != "diverged" or axes is not None or found.diverged.any()]
    panels = check_panels(found, show) if len(found.over) == 2 else []
    target = figures.target(out, tight=axes is None)
    if panels:
        figure, axes = draw_heat_maps(found, axes, panels)
    else:
        figure, axes = _draw_lines(found, axes)
    rule = style.optimizer_text(found.optimizer, without=found.over)
    head = style.wrapped(f"{found.basins.name}, {rule}", 70) if title is None else title
    if panels:
        figure.suptitle(head)
    else:
        axes[0].set_title(head)
    return target.finish(figure, axes)


class Series(NamedTuple):
    """What is drawn in one colour: its text in the legend, shares in percent with their intervals, and mean steps."""

    text: str
    look: dict[str, Any]
    share: Array
    interval: Array | None = None
    steps: Array | None = None
    pooled: bool = False

    @property
    def largest(self) -> float:
        return float(np.max(self.share if self.interval is None else self.interval))


def _draw_lines(found: BasinSweep, axes: Any) -> tuple[Figure, NDArray[Any]]:
    new = axes is None
    figure, axes = figures.new_pair(axes, 2, 1, (7.2, 5.6), "for the shares and for the steps", sharex=True)
    ((name, values),) = found.over.items()
    side = Side(name, values)
    shown = np.sort(style.ranked(found.basins.counts)[:_MOST_IN_LEGEND])
    all_series = _series(found, shown, side.order)
    interval = (_draw_points if side.values.size == 1 else _draw_curves)(axes, side, all_series)
    axes[0].set_ylabel("share of starts (%)")
    # The many small ones together would press each of them flat
    top = style.end_of_shares(max((each.largest for each in all_series if not each.pooled), default=0.0))
    axes[0].set_ylim(-0.02 * top, 1.02 * top)
    axes[1].set_ylabel("mean steps")
    axes[1].set_yscale("log")
    for ax in axes:
        style.grid_lines(ax)
        side.write_on(ax, "x", side.ends)
    axes[0].set_xlabel("")
    style.plain_log_ticks(axes[1].yaxis)
    handles, texts = axes[0].get_legend_handles_labels()
    if shown.size and shown.size <= _MOST_INTERVALS:
        handles, texts = [*handles, interval], [*texts, "95 % intervals"]
    # On a new figure beside both axes, as a long legend would push them apart
    where: dict[str, Any] = {"loc": "outside right upper"} if new else _BESIDE
    (figure if new else axes[0]).legend(
        handles, texts, frameon=False, title="the descent ends at", alignment="left", **where
    )
    if name == "lr" and found.limits is not None and side.values.size > 1:
        _mark_limits(figure, axes, side, found, shown, new)
    return figure, axes


def _series(found: BasinSweep, shown: NDArray[np.intp], order: NDArray[np.intp]) -> list[Series]:
    """Return what to draw of a sweep over one hyperparameter, with its values in order."""
    colours = style.colours(found.basins.counts)
    series = []
    for rank, k in enumerate(shown):
        # Colours after the first seven are like some of these
        look = {"color": colours[k], "linestyle": "-" if rank < 7 else "--"}
        interval = 100.0 * found.intervals[order, k] if shown.size <= _MOST_INTERVALS else None
        place = place_text(found.basins.x[k], found.basins.x)
        series.append(Series(place, look, 100.0 * found.fractions[order, k], interval, found.mean_nit[order, k]))
    others = np.setdiff1d(np.arange(len(found.basins)), shown)
    if others.size:
        share = 100.0 * found.fractions[order][:, others].sum(axis=1)
        low, high = f"{share.min():.3g}", f"{share.max():.3g}"
        text = f"{counted(others.size, 'other')}: {low if low == high else f'{low} to {high}'} %"
        # Dashed, as the colour is close to that of what has not settled
        series.append(Series(text, {"color": style.OTHER_COLOUR, "linestyle": "-."}, share, pooled=True))
    for share, colour, text in (
        (found.unsettled, style.UNSETTLED_COLOUR, "not settled"), (found.diverged, style.DIVERGED_COLOUR, "diverged"),
    ):  # fmt: skip
        if share.any():
            series.append(Series(text, {"color": colour, "linestyle": "-"}, 100.0 * share[order]))
    return series


def _draw_curves(axes: NDArray[Any], side: Side, all_series: list[Series]) -> Any:
    """Draw shares and steps against the values; returns what stands for the intervals in a legend."""
    from matplotlib.patches import Patch

    # Between few values a line is a guess, so they are marked
    mark = {"marker": "o", "markersize": 4} if side.values.size <= _FEW else {}
    for each in all_series:
        if each.interval is not None:
            axes[0].fill_between(side.values, *each.interval.T, color=each.look["color"], alpha=0.25, linewidth=0)
        axes[0].plot(side.values, each.share, label=each.text, linewidth=1.6, **each.look, **mark)
        if each.steps is not None:
            axes[1].plot(side.values, each.steps, linewidth=1.6, **each.look, **mark)
    return Patch(color="0.5", alpha=0.25, linewidth=0)


def _draw_points(axes: NDArray[Any], side: Side, all_series: list[Series]) -> Any:
    """Draw what comes of one value, side by side around it, as points at one place would hide each other."""
    from matplotlib.lines import Line2D

    low, high = side.ends
    places = low + (high - low) * (np.arange(len(all_series)) + 1.0) / (len(all_series) + 1.0)
    for at, each in zip(places, all_series, strict=True):
        look = {"color": each.look["color"], "marker": "o", "linestyle": "none"}
        beyond = None if each.interval is None else np.abs(each.interval - each.share[:, None]).T
        axes[0].errorbar(at, each.share, beyond, capsize=3, label=each.text, **look)
        if each.steps is not None:
            axes[1].plot(at, each.steps, **look)
    return Line2D([], [], color="0.5", marker="|", markersize=12, linestyle="none")


def _mark_limits(
    figure: Figure, axes: NDArray[Any], side: Side, found: BasinSweep, shown: NDArray[np.intp], new: bool
) -> None:
    """Mark the largest stable rate of each attractor, and say what the dotted lines are where one is in sight."""
    from matplotlib.lines import Line2D

    limits, colours = found.limits, style.colours(found.basins.counts)
    assert limits is not None
    low, high = side.ends
    for k in shown:
        for ax in axes:
            ax.axvline(limits[k], color=colours[k], linestyle=":", linewidth=1.4)
            ax.set_xlim(low, high)
    if np.any((limits[shown] >= low) & (limits[shown] <= high)):
        dotted = Line2D([], [], color="0.3", linestyle=":", linewidth=1.4)
        formula = found.optimizer.stable_rate().text.replace(" with ", "\nwith ")
        text = f"largest rate that\nstays at each:\n{formula}"
        where: dict[str, Any] = {"loc": "outside right lower"} if new else _BESIDE
        (figure if new else axes[1]).legend([dotted], [text], frameon=False, **where)
