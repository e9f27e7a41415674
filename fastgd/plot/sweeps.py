"""How basins change with one hyperparameter, or with two."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinSweep
from fastgd.calls import explain_calls
from fastgd.plot import figures, style
from fastgd.plot.grids import place_text
from fastgd.plot.heat_maps import check_panels, draw_heat_maps, limit_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    seven, and the mean steps to it. Over two, heat maps show what `show` names, the first hyperparameter to the right
    and the second one up; an axis is logarithmic where its values are spaced so.

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
        Over two hyperparameters, what to show. "lowest": the share of starts that come to the lowest value found;
        "entropy": the entropy of the outcome, 0 where all starts lead to the same; "steps": the mean steps of the
        starts that settled; "diverged" and "unsettled": their shares; a number k: the share of attractor k. By default
        the lowest, the entropy, the steps and the diverged; the last not on a new figure where none diverged.
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
    ['lowest value reached', 'mean steps']
    """
    if not isinstance(found, BasinSweep):
        raise TypeError(f"found must be what sweep_basins returns, got {type(found).__name__}")
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
    target.save(figure)
    return figure, axes


def _draw_lines(found: BasinSweep, axes: Any) -> tuple[Figure, NDArray[Any]]:
    new = axes is None
    figure, axes = figures.new_pair(axes, 2, 1, (7.2, 5.6), "for the shares and for the steps", sharex=True)
    ((name, values),) = found.over.items()
    order = np.argsort(values)
    values = values[order]
    shown = np.sort(style.ranked(found.basins.counts)[:_MOST_IN_LEGEND])
    colours = style.colours(found.basins.counts)
    limits = found.limits if name == "lr" else None
    for rank, k in enumerate(shown):
        if shown.size <= _MOST_INTERVALS:
            low, high = 100.0 * found.intervals[order, k].T
            axes[0].fill_between(values, low, high, color=colours[k], alpha=0.25, linewidth=0)
        # Colours after the first seven are like some of these
        look: dict[str, Any] = {"color": colours[k], "linestyle": "-" if rank < 7 else "--", "linewidth": 1.6}
        place = place_text(found.basins.x[k], found.basins.x)
        axes[0].plot(values, 100.0 * found.fractions[order, k], label=place, **look)
        axes[1].plot(values, found.mean_nit[order, k], **look)
        if limits is not None:
            for ax in axes:
                ax.axvline(limits[k], color=colours[k], linestyle=":", linewidth=1.4)
    for share, colour, text in (
        (found.unsettled, style.UNSETTLED_COLOUR, "not settled"), (found.diverged, style.DIVERGED_COLOUR, "diverged"),
    ):  # fmt: skip
        if share.any():
            axes[0].plot(values, 100.0 * share[order], color=colour, label=text, linewidth=1.6)
    axes[0].set_ylabel("share of starts (%)")
    top = _end_of_shares(axes[0].dataLim.y1)
    axes[0].set_ylim(-0.02 * top, 1.02 * top)
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
    handles, texts = axes[0].get_legend_handles_labels()
    # On a new figure beside both axes, as a long legend would push them apart
    where: dict[str, Any] = {"loc": "outside right upper"} if new else _BESIDE
    (figure if new else axes[0]).legend(
        handles, texts, frameon=False, title="the descent ends at", alignment="left", **where
    )
    if limits is not None and np.any((limits[shown] >= values[0]) & (limits[shown] <= values[-1])):
        from matplotlib.lines import Line2D

        dotted = Line2D([], [], color="0.3", linestyle=":", linewidth=1.4)
        text = "largest rate that\nstays at each:\n" + limit_text(found.optimizer).replace(" with ", "\nwith ")
        where = {"loc": "outside right lower"} if new else _BESIDE
        (figure if new else axes[1]).legend([dotted], [text], frameon=False, **where)
    return figure, axes


def _end_of_shares(largest: float) -> float:
    """Return the upper end of an axis of shares in percent: all of it, or where all are small the next round one.

    Examples
    --------
    >>> from fastgd.plot.sweeps import _end_of_shares
    >>> _end_of_shares(71.0), _end_of_shares(17.3), _end_of_shares(0.2)
    (100.0, 20.0, 1.0)
    """
    ends = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0)
    return next((end for end in ends if largest <= end), 100.0)
