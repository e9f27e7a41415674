"""The picture of a comparison: where each optimizer leads, and at what cost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.found import DIVERGED, UNSETTLED
from fastgd.calls import explain_calls
from fastgd.checks import real_number
from fastgd.comparison import Comparison, Contestant
from fastgd.plot import figures, style
from fastgd.plot.basins import pixel_edges
from fastgd.texts import counted, position_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
_DASHES: tuple[Any, ...] = (
    "-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (10, 2)), (0, (8, 1.5, 3, 1.5)),
)  # fmt: skip
_GREYS = ("#000000", "#8A8A8A")


@explain_calls()
def compare(
    comparison: Comparison, out: str | os.PathLike[str] | None = None, *, max_factor: float | None = None
) -> tuple[Figure, NDArray[Any]]:
    """Draw the basins side by side, and the performance profile below them.

    Where the starts are a grid in a plane, with one run from each, there is a map for the reference and for each
    optimizer: an attractor of the reference has the same colour in all of them, which the legend tells, and under each
    name stands the share of starts that go elsewhere than by the reference.  Unsettled starts are grey and diverged
    ones black; attractors that the reference does not know, and past sixteen all but the largest basins, are dark grey.
    Without a reference each map has its own colours.

    The profile shows for each optimizer the share of runs that it brings to the global minimum with at most so many
    times the evaluations (values and gradients) of the best optimizer for that start; the reference takes no part. See
    `Comparison.profile`. Its axis ends at 100 %, or where all shares are small at the next round number; its lines
    differ by their dashes; below maps, where colours are attractors, they are black and grey.

    Parameters
    ----------
    comparison : Comparison
        What `fastgd.compare` returned.
    out : path, optional
        File to write the figure to; its extension (png, pdf, svg, ...) says the format.
    max_factor : float, optional
        Right end of the profile, above 1; by default where the last optimizer has solved all that it does.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of matplotlib.axes.Axes
        Those of the maps, row by row, and that of the profile at the end.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError
        If `comparison` is not what `fastgd.compare` returns.
    ValueError
        If the extension of `out` is not supported, its folder does not exist, or `max_factor` <= 1.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> found = gd.compare(problem, problem.grid((24, 24)), [gd.Adam(lr=0.05), gd.GradientDescent(lr=0.01)])
    >>> figure, axes = gd.plot.compare(found)
    >>> len(axes)
    4
    """
    if not isinstance(comparison, Comparison):
        raise TypeError(f"comparison must be what fastgd.compare returns, got {type(comparison).__name__}")
    if max_factor is not None:
        max_factor = real_number(max_factor, "max_factor", "above 1", 1.0, above=True)
    target = figures.target(out)
    one_each = comparison.contestants[0].found.shape == comparison.x0.shape[:-1]  # and not one for each of many seeds
    lines = _axes_of(comparison.x0) if one_each else None
    others = [each for each in comparison.contestants if each is not comparison.reference]
    shown = [*([comparison.reference] if comparison.reference else []), *others]
    maps = shown if lines is not None else []
    rows = -(-len(maps) // _COLUMNS)
    columns = -(-len(maps) // rows) if rows else 1  # as even as can be
    height = rows * (0.45 + 8.0 / columns) + 0.5 * (comparison.reference is not None)  # for the legend
    figure = figures.new_figure((8.8, height + 3.7))
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.09)
    figure.suptitle(_head(comparison, lines))
    # The legend beside the profile is not to take room from the maps.
    heights = [height, 3.4] if rows else [3.4]
    *above, below = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes = []
    if lines is not None:
        axes = list(above[0].subplots(rows, columns, squeeze=False).flat)
        for spare in axes[len(maps) :]:
            spare.remove()
        axes = axes[: len(maps)]
        plane, sides = lines
        table = _table(maps, comparison.reference)
        for k, (contestant, ax) in enumerate(zip(maps, axes, strict=True)):
            _draw_map(_labels(contestant), ax, table, sides)
            ax.set_title(_title(contestant, comparison), fontsize="medium")
            if k + columns >= len(maps):
                ax.set_xlabel(f"x[{plane[0]}]")
            if k % columns == 0:
                ax.set_ylabel(f"x[{plane[1]}]")
        if comparison.reference is not None:
            _add_legend(above[0], comparison.reference.basins.x, maps, table)
    axes.append(below.add_subplot())
    _draw_profile(comparison, axes[-1], max_factor, coloured=not maps)
    return target.finish(figure, np.array(axes, dtype=object))


def _axes_of(x0: NDArray[np.float64]) -> tuple[tuple[int, int], tuple[NDArray[np.float64], NDArray[np.float64]]] | None:
    """The plane of a grid of starts and its lines; None where the starts are no such grid."""
    if x0.ndim != 3 or min(x0.shape[:2]) < 2:
        return None
    along = [np.flatnonzero(np.ptp(x0, axis=k).max(axis=0)) for k in (0, 1)]
    if any(len(moved) != 1 for moved in along) or along[0][0] == along[1][0]:
        return None
    i, j = int(along[0][0]), int(along[1][0])
    return (i, j), (x0[:, 0, i], x0[0, :, j])


def _labels(contestant: Contestant) -> NDArray[np.int64]:
    """The attractor of each start, in the numbers common to all maps where there is a reference."""
    return contestant.basins.labels if contestant.agreement is None else contestant.agreement.labels


def _table(maps: list[Contestant], reference: Contestant | None) -> NDArray[np.float64]:
    """Colours by label; those of the labels -1 and -2 stand at the end."""
    count = max(1, max((each.agreement.attractors if each.agreement else len(each.basins)) for each in maps))
    known = count if reference is None else len(reference.basins)  # others bear the same number in maps of their own
    sizes = np.zeros(count, dtype=np.int64)
    for each in maps:
        labels = _labels(each)
        sizes += np.bincount(labels[labels >= 0], minlength=count)
    table = np.empty((count + 2, 3))
    table[:count] = style.rgb(style.OTHER_COLOUR)
    table[:known] = style.colours(sizes[:known])
    for label, code in ((UNSETTLED, style.UNSETTLED_COLOUR), (DIVERGED, style.DIVERGED_COLOUR)):
        table[label] = style.rgb(code)
    return table


def _add_legend(
    figure: Any, points: NDArray[np.float64], maps: list[Contestant], table: NDArray[np.float64]
) -> None:
    """Say below the maps which colour is which attractor of the reference."""
    from matplotlib.patches import Patch

    seen = np.unique(np.concatenate([np.unique(_labels(each)) for each in maps]))
    known = seen[(seen >= 0) & (seen < len(points))]
    named = known[~style.is_other(table[known])]
    entries: list[tuple[Any, str]] = [
        (tuple(table[k]), position_text(points, k, 3) if points.shape[1] <= 3 else f"attractor {k}") for k in named
    ]
    for there, colour, text in (
        (np.count_nonzero(seen >= 0) > len(named), style.OTHER_COLOUR, "other attractors"),
        (UNSETTLED in seen, style.UNSETTLED_COLOUR, "not settled"),
        (DIVERGED in seen, style.DIVERGED_COLOUR, "diverged"),
    ):
        if there:
            entries.append((colour, text))
    patches = [Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=text) for colour, text in entries]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 6), frameon=False)


def _draw_map(
    labels: NDArray[np.int64],
    ax: Axes,
    table: NDArray[np.float64],
    sides: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    (left, right), (bottom, top) = (pixel_edges(line) for line in sides)
    # The first axis of the grid runs to the right, so the picture is its transpose.
    image = table[labels].transpose(1, 0, 2)
    ax.imshow(image, origin="lower", extent=(left, right, bottom, top), interpolation="nearest", aspect="auto")
    style.fit_aspect(ax, right - left, top - bottom)


def _head(comparison: Comparison, lines: Any) -> str:
    """What was minimized, from how many starts, and where parameters outside the plane of the maps are held."""
    head = f"{comparison.problem.name} from {counted(comparison.x0[..., 0].size, 'start')}"
    held = "" if lines is None else style.held_text(comparison.x0[0, 0], lines[0])
    return "; ".join(filter(None, (head, held)))


def _title(contestant: Contestant, comparison: Comparison) -> str:
    if contestant is comparison.reference or contestant.agreement is None or np.isnan(contestant.agreement.share):
        return f"{contestant.name}\n"
    return f"{contestant.name}\n{contestant.agreement.share:.2%} elsewhere"


def _draw_profile(comparison: Comparison, ax: Axes, max_factor: float | None, coloured: bool) -> None:
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    costs = comparison.costs().reshape(len(comparison), -1)
    best = costs.min(axis=0)
    solved = np.isfinite(best)
    ratios = costs[:, solved] / best[solved]
    finite = ratios[np.isfinite(ratios)]
    right = max_factor or max(2.0, 1.05 * float(finite.max(initial=1.0)))
    factors = np.unique(np.concatenate([[1.0], finite[finite <= right], [right]]))
    if factors.size > 2000:
        factors = np.geomspace(1.0, right, 2000)
    shares = comparison.profile(factors)
    for k, (contestant, share) in enumerate(zip(comparison.contestants, shares, strict=True)):
        # Each colour or grey with dashes of its own, and then the same with other dashes
        colours = (*style.PALETTE[:6], "#000000") if coloured else _GREYS
        dashes = _DASHES[(k // 7 + k) % len(_DASHES)]
        ax.step(
            factors, share, where="post", color=colours[k % len(colours)], linestyle=dashes, linewidth=1.8,
            label=contestant.name,
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_xlim(1.0, right)
    ax.set_ylim(0.0, 0.0103 * style.end_of_shares(100.0 * float(shares.max(initial=0.0))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel("evaluations, in multiples of the best optimizer's for the same start")
    known = comparison.problem.minima is not None
    ax.set_ylabel(f"starts brought to the\n{'global minimum' if known else 'lowest value found'}")
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
