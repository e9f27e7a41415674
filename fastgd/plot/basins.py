"""The picture of a map of basins."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinMap
from fastgd.basins.found import DIVERGED, UNSETTLED
from fastgd.boxes import positive_integer
from fastgd.calls import explain_calls
from fastgd.checks import true_or_false
from fastgd.plot import figures, style
from fastgd.plot.colouring import (
    Colouring,
    add_legend,
    attractor_entries,
    check_color_by,
    check_one_problem,
    coloured,
    coloured_like,
    known_places,
    outcome_entries,
    own_colours,
    value_scale,
)
from fastgd.plot.contours import KIND_MARKS
from fastgd.texts import decimals, position_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHADES = 64
_MOST_MARKS = 1000
_MARKED = ("saddle", "maximum")  # kinds with a mark of their own; of other doubts the title tells
_LINE = 0.45  # how much darker a line between basins is
DARKEST = 0.5  # how far the shades of a map go towards black
VALUE_LABEL = "value where the descent ends"


@explain_calls()
def basins(
    map: BasinMap,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
    legend: bool = True,
    max_legend: int = 12,
    color_by: str = "auto",
    colors_like: BasinMap | None = None,
) -> tuple[Figure, Axes]:
    """Draw which start leads to which attractor.

    Each attractor has a colour, light where few steps were needed and dark where many were, on a logarithmic
    scale from the 2 % to the 98 % quantile of the steps. Attractors in the plane are marked; of more than a thousand,
    those with a thousandth of the starts or more. Saddles and maxima, in which descents from a ridge or a summit end,
    have marks of their own, the cross and the triangle of `contour`; where telling all kinds would take long, those
    among the first twenty. The legend names position (with two parameters; else the number), value and share of each,
    and what is a saddle or a maximum; unsettled starts are grey and diverged ones black. The first seven colours are
    those of Okabe and Ito, the next nine Tol's muted set. Where there are more attractors, the sixteen with the largest
    shares have these colours, and all others one dark grey without shades. Shares count as equal down to four
    fifths of the largest that is left, and of equal ones the lower value comes first, then the smaller position.

    The known minima of a problem have places of their own in the order of colours, so each keeps its colour in a map of
    a part of the box. Other attractors have the colours that are left; where the map is of a part, the title then says
    that these may be others in the whole.

    Where the sixteen hold less than nine tenths of the starts that settled, colours tell the *value* at which the
    descent ends instead, dark for low ones, up to the value that 98 % of these starts reach. Basins then have no
    shades, and dark lines between them. Such lines there are too where more than eight colours tell basins, some of
    which are alike; shades then go less far.

    Parameters
    ----------
    map : BasinMap
        What `fastgd.map_basins` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure, which ``plt.show()`` shows.
    out : path, optional
        File to write the figure to; its extension (png, pdf, svg, ...) says the format.
    title : str, optional
        By default the problem and the optimizer, where parameters outside the plane are held, and how many attractors
        may be none or pieces of one, as `Basins.notes` says.
    legend : bool
        Whether to draw the legend and the scale of the steps.
    max_legend : int
        Most attractors in the legend, those with the largest shares, counted as above; the rest of those with a colour
        is one line. Where colours tell values, the lowest alone.
    color_by : {"auto", "basin", "value"}
        What colours tell: which attractor, or the value there. By default as above. Where all values are equal they
        tell nothing apart, and colours tell the attractor with "value" too.
    colors_like : BasinMap, optional
        A map of the same problem whose colours to keep, such as that of another optimizer: its attractors have the
        colours that they have in its own picture, and further ones what is left of the sixteen. Problems are the same
        if they have the same name or function, whatever their data.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    ax : matplotlib.axes.Axes
        The axes with the map.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError
        If `map` or `colors_like` is not a BasinMap or `ax` not axes.
    ValueError
        If the extension of `out` is not supported, its folder does not exist, `max_legend` < 1, `color_by` is
        unknown, or `colors_like` is of another problem or number of parameters.

    References
    ----------
    M. Okabe, K. Ito, Color universal design (2008), https://jfly.uni-koeln.de/color/. P. Tol, Colour schemes
    (2021), https://personal.sron.nl/~pault/. B. Ottosson, A perceptual color space for image processing
    (2020), https://bottosson.github.io/posts/oklab/.

    Examples
    --------
    >>> import fastgd as gd
    >>> map = gd.map_basins(gd.problems.make("himmelblau"), gd.Adam(lr=0.05), shape=(64, 64))
    >>> figure, ax = gd.plot.basins(map)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x[0]', 'x[1]')

    The same colours for another optimizer:

    >>> other = gd.map_basins(map.problem, gd.GradientDescent(lr=0.01), shape=(64, 64))
    >>> figure, ax = gd.plot.basins(other, colors_like=map)
    """
    if not isinstance(map, BasinMap):
        raise TypeError(f"map must be what map_basins returns, got {type(map).__name__}{style.drawn_by(map)}")
    max_legend, legend = positive_integer(max_legend, "max_legend"), true_or_false(legend, "legend")
    check_color_by(color_by)
    check_like(map, colors_like)
    target = figures.target(out, tight=ax is None)
    figure, ax = figures.new_axes(ax, (8.8, 6.0) if legend else (6.0, 6.0))

    if colors_like is None:
        colouring = coloured(map.basins.counts, map.basins.fun, color_by, known_places(map))
    else:
        colouring = coloured_like(map, colors_like, color_by)
    low, high = step_range([map])
    draw_map(map, ax, colouring, low, high)
    if title is None:
        lines = [f"{map.problem.name}, {style.optimizer_text(map.optimizer)}", style.held_text(map.at, map.plane)]
        if colors_like is None:
            lines.append(own_colours(map, colouring))
        title = "\n".join([*(style.wrapped(line, 60) for line in lines if line), *map.basins.notes()])
    ax.set_title(title)
    if legend:
        _add_legend(map, ax, colouring, max_legend)
        if colouring.limits is not None:
            mappable, extend = value_scale(colouring, map.basins.fun)
            figure.colorbar(mappable, cax=ax.inset_axes((1.03, 0.0, 0.04, 0.5)), label=VALUE_LABEL, extend=extend)
        elif high > low:
            _add_scale(figure, ax, low, high, _shade_range(colouring, DARKEST))
    return target.finish(figure, ax)


def check_like(map: BasinMap, like: Any) -> None:
    if like is not None and not isinstance(like, BasinMap):
        raise TypeError(f"colors_like must be what map_basins returns, got {type(like).__name__}")
    if like is not None and like.problem.dim != map.problem.dim:
        raise ValueError(
            f"colors_like must be a map of the same problem, with {map.problem.dim} parameters, got {like.problem.dim}"
        )
    if like is not None:
        check_one_problem([map, like], "colors_like must be a map of the same problem as map")


def draw_map(
    map: BasinMap, ax: Axes, colouring: Colouring, low: float, high: float, darkest: float = DARKEST
) -> None:
    """Fill the axes with a map, shaded from `low` to `high` steps."""
    picture = map_picture(map, colouring, low, high, darkest)
    (left, right), (bottom, top) = (pixel_edges(axis) for axis in map.axes)
    # The first axis of the map runs to the right, so the picture is its transpose.
    image = picture.transpose(1, 0, 2)
    extent = (left, right, bottom, top)
    ax.imshow(image, origin="lower", extent=extent, interpolation="nearest", aspect="auto")
    style.fit_aspect(ax, right - left, top - bottom)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    style.name_sides(ax, map.plane)
    _mark_attractors(map, ax, colouring.table)


def step_range(maps: list[BasinMap]) -> tuple[float, float]:
    """Return the 2 % and the 98 % quantile of the steps of all settled runs."""
    settled = np.concatenate([map.nit[map.labels >= 0] for map in maps])
    if settled.size == 0:
        return 1.0, 1.0
    low, high = np.quantile(np.maximum(settled, 1), [0.02, 0.98])
    return float(low), float(high)


def map_picture(
    map: BasinMap, colouring: Colouring, low: float, high: float, darkest: float = DARKEST
) -> NDArray[np.uint8]:
    """Return the colour of each start, shape (na, nb, 3)."""
    grey, black = ((255.0 * style.rgb(code)).round() for code in (style.UNSETTLED_COLOUR, style.DIVERGED_COLOUR))
    picture = np.empty((*map.shape, 3), dtype=np.uint8)
    picture[map.labels == UNSETTLED] = grey
    picture[map.labels == DIVERGED] = black
    settled = map.labels >= 0
    # Neighbours may have the same value or colours that are alike, so a line is between them.
    if colouring.limits is not None or colouring.crowded:
        line = _before_another(map.labels)[settled] & ~colouring.other[map.labels[settled]]
        darker = np.where(line, 1.0 - _LINE, 1.0)[:, None]
    else:
        darker = np.ones((1, 1))
    if colouring.limits is not None:
        picture[settled] = (255.0 * darker * colouring.table[map.labels[settled]]).round()
        return picture
    table = style.shades(colouring.table, _SHADES, *_shade_range(colouring, darkest))
    table[colouring.other] = style.rgb(style.OTHER_COLOUR)
    steps = np.maximum(map.nit[settled], 1)
    position = np.log(steps / low) / np.log(high / low) if high > low else np.full(steps.shape, 0.5)
    shade = np.rint(np.clip(position, 0.0, 1.0) * (_SHADES - 1)).astype(np.intp)
    picture[settled] = (255.0 * darker * table[map.labels[settled], shade]).round()
    return picture


def _shade_range(colouring: Colouring, darkest: float) -> tuple[float, float]:
    """How far shades go to white and to black: less where a light one would be the colour of another basin."""
    return (0.2, min(darkest, 0.3)) if colouring.crowded else (0.6, darkest)


def _before_another(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which starts have a start with another label to the right or above."""
    found = np.zeros(labels.shape, dtype=np.bool_)
    found[:-1] |= labels[:-1] != labels[1:]
    found[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return found


def pixel_edges(axis: NDArray[np.float64]) -> tuple[float, float]:
    """Return the outer edges of the pixels around evenly spaced starts."""
    half = 0.5 * (axis[-1] - axis[0]) / (axis.size - 1) if axis.size > 1 else 0.5
    return float(axis[0] - half), float(axis[-1] + half)


def _mark_attractors(map: BasinMap, ax: Axes, colours: NDArray[np.float64]) -> None:
    """Mark the attractors that lie in the plane of the map."""
    points = map.basins.x
    others = np.setdiff1d(np.arange(map.problem.dim), map.plane)
    if others.size:
        near = np.all(np.abs(points[:, others] - map.at[others]) <= map.basins.tol[others], axis=1)
    else:
        near = np.ones(len(points), dtype=bool)
    if np.count_nonzero(near) > _MOST_MARKS:
        near &= map.basins.fractions >= 1.0 / _MOST_MARKS
    i, j = map.plane
    count = np.count_nonzero(near)
    small, white, black = (7.0, 1.5, 3.0) if count <= 30 else (4.0, 1.5, 3.0) if count <= 150 else (2.5, 0.7, 1.4)
    marks = {kind: marker for kind, marker, _ in KIND_MARKS if kind in _MARKED}
    for k in np.flatnonzero(near):
        # A white ring inside a black one shows on every colour below it.
        marker = marks.get(_marked_kind(map, int(k)), "o")
        size = small if marker == "o" else 1.3 * small  # as a cross of the size of a dot has less of its colour
        ax.plot(
            points[k, i], points[k, j], marker, color=colours[k], markeredgecolor="white", markersize=size,
            markeredgewidth=white, clip_on=True, path_effects=style.edges((black + 1.0, "black")),
        )  # fmt: skip


def _marked_kind(map: BasinMap, k: int) -> str:
    """Return "saddle" or "maximum" where an attractor is known to be one, else ""."""
    kinds = map.basins.told_kinds
    kind = kinds[k].split()[0] if k < len(kinds) else ""  # without the index of a saddle
    return kind if kind in _MARKED else ""


def _add_legend(map: BasinMap, ax: Axes, colouring: Colouring, max_legend: int) -> None:
    found = map.basins

    def text(k: int) -> str:
        where = position_text(found.x, k, 3, found.shown_scale) if map.problem.dim == 2 else f"{k}:"
        where = f"{_marked_kind(map, k)} {where}".lstrip()
        return f"{where}   f = {_value(found.fun[k], found.fun)}   {_share(found.fractions[k])}"

    entries = attractor_entries(colouring, max_legend, text, lambda some: f"   {_share(found.fractions[some].sum())}")
    entries += outcome_entries([map], lambda basins, part: f"   {_share(getattr(basins, part))}")
    add_legend(ax, entries, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "< 0.1%"


def _value(value: float, all_values: NDArray[np.float64]) -> str:
    """Write a value to five digits of the largest, so that rounding error around zero reads as zero."""
    size = float(np.abs(all_values).max())
    digits = decimals(size if size > 1e-9 else 1.0, 5)
    return f"{round(float(value), digits) + 0.0:.6g}"


def _add_scale(figure: Figure, ax: Axes, low: float, high: float, ends: tuple[float, float]) -> None:
    """Add the scale of the steps, in grey."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.ticker import FixedLocator, NullLocator

    grey = style.shades(np.array([[0.5, 0.5, 0.5]]), _SHADES, *ends)[0]
    mappable = ScalarMappable(norm=LogNorm(low, high), cmap=ListedColormap(grey))
    inset = ax.inset_axes((1.03, 0.0, 0.04, 0.35))
    bar = figure.colorbar(mappable, cax=inset, label="steps", extend="both")  # the scale leaves out 2 % at each end
    ticks = np.unique(np.round(np.geomspace(low, high, 4)))
    bar.ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.set_yticklabels([f"{tick:,.0f}" for tick in ticks])
