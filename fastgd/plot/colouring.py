"""Which colour an attractor has in maps of basins, in one or in several, and the legend that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinMap
from fastgd.basins.clusters import group_points
from fastgd.comparison import as_low_as
from fastgd.plot import style

if TYPE_CHECKING:
    from fastgd.basins import Basins

COLOUR_BY = ("auto", "basin", "value")
_MOST = 0.9  # share of the settled starts that the colours of the palette are to tell apart
_FEW_COLOURS = 8  # that are told apart at a glance, whatever their shades
_SAMPLES = 4  # colours in a swatch that stands for several
VALUES = "viridis"
_DARKEST = 0.12  # of the map of colours, as the very first would look like what has diverged

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Colouring:
    """Colours of attractors.

    Attributes
    ----------
    table : ndarray, shape (k, 3)
        The colour of each, in sRGB from 0 to 1.
    limits : (float, float) or None
        The values at the ends of the scale, where colours tell values.
    order : ndarray, shape (k,)
        The attractors in the order in which legends name them.
    crowded : bool
        Whether there are so many colours that some are alike, so that basins need lines between them.
    """

    table: Array
    limits: tuple[float, float] | None
    order: NDArray[np.intp]
    crowded: bool = False

    @property
    def other(self) -> NDArray[np.bool_]:
        """Which attractors share the neutral colour."""
        return style.is_other(self.table) & (self.limits is None)

    def of(self, numbers: NDArray[np.int64]) -> Colouring:
        """Return the colours of some of the attractors, in an order of their own."""
        return replace(self, table=self.table[numbers], order=np.argsort(np.argsort(self.order)[numbers]))


def check_color_by(color_by: str) -> None:
    if color_by not in COLOUR_BY:
        raise ValueError(f"color_by must be one of {', '.join(map(repr, COLOUR_BY))}, got {color_by!r}")


def check_one_problem(maps: Sequence[BasinMap], rule: str) -> None:
    """Refuse maps of different problems.

    Problems count as the same if they have the same name or the same function. A problem may be made anew for each
    map, and other data move the minima only, so that neither identity nor data are asked for.

    Raises
    ------
    ValueError
        With `rule` as its beginning, if the problem of one map is another than that of the first.
    """
    first = maps[0].problem
    for map in maps[1:]:
        if map.problem.name != first.name and map.problem.fun is not first.fun:
            raise ValueError(
                f"{rule}, got {first.name} and {map.problem.name}: draw each in a picture of its own, or give them "
                "the same name= in Problem(...) if they are one"
            )


def coloured(
    counts: NDArray[np.int64], fun: Array, color_by: str, places: NDArray[np.int64] | None = None
) -> Colouring:
    """Choose the colours of attractors, from the starts that lead to each and their values.

    `places` says which of them are known minima, and the place of each among these in the order of colours; -1 is not
    known. See `known_places`.
    """
    order = style.ranked(counts)
    limits = _limits(counts, fun) if fun.size else None
    if limits is not None and color_by != "basin":
        first = counts[order[: len(style.PALETTE)]].sum()
        if color_by == "value" or first < _MOST * counts.sum():
            return Colouring(_of_values(fun, limits), limits, np.argsort(fun, kind="stable"))
    if places is None or not (places >= 0).any():
        return _of_basins(style.colours(counts), order)
    return _of_basins(_at_places(order, places), order)


def known_places(map: BasinMap) -> NDArray[np.int64]:
    """Return the place of each attractor among the known minima, by value and position, or -1 where it is none.

    A known minimum has the same place in every map of its problem, in whatever part of the box.
    """
    known = np.asarray(map.basins.known, dtype=np.int64)
    minima = map.problem.minima
    if minima is None or not (known >= 0).any():
        return np.full(known.size, -1, dtype=np.int64)
    found, first = np.unique(known[known >= 0], return_index=True)
    if found.size == len(minima):  # as the attractors are numbered
        order = found[np.argsort(first)]
    else:
        points = np.asarray(minima, dtype=np.float64)
        order = np.lexsort([*points.round(3).T[::-1], np.round(map.problem.value(points), 6)])
    place = np.empty(len(minima), dtype=np.int64)
    place[order] = np.arange(order.size)
    return np.where(known >= 0, place[known], -1)


def _at_places(order: NDArray[np.intp], places: NDArray[np.int64]) -> Array:
    """Return colours for the first of `order`: those of their places, and to the others those of no known minimum."""
    palette = np.array([style.rgb(code) for code in style.PALETTE])
    table = np.tile(style.rgb(style.OTHER_COLOUR), (places.size, 1))
    kept = places.max() + 1
    taken: set[int] = set()
    others = []
    for k in np.sort(order[: len(palette)]):
        place = int(places[k])
        if 0 <= place < len(palette) and place not in taken:
            table[k] = palette[place]
            taken.add(place)
        else:
            others.append(k)
    free = sorted(set(range(len(palette))) - taken, key=lambda place: (place < kept, place))
    table[others] = palette[free[: len(others)]]
    return table


def own_colours(map: BasinMap, colouring: Colouring) -> str:
    """Return a line for a picture of a part of the box whose colours may be others in the whole; else an empty one."""
    box = map.problem.bounds
    if box is None or colouring.limits is not None:
        return ""
    part = any(
        axis.min() > low or axis.max() < high
        for axis, (low, high) in zip(map.axes, box[list(map.plane)], strict=True)
    )
    strange = (np.asarray(map.basins.known) < 0) & ~colouring.other
    return "colours of this part alone; see colors_like" if part and strange.any() else ""


def coloured_like(drawn: BasinMap, like: BasinMap, color_by: str) -> Colouring:
    """Choose colours for a map: those of another where its attractors are the same."""
    base = coloured(like.basins.counts, like.basins.fun, color_by, known_places(like))
    if base.limits is not None:
        fun = drawn.basins.fun
        return Colouring(_of_values(fun, base.limits), base.limits, np.argsort(fun, kind="stable"))
    own, (theirs, mine) = drawn.basins, common_attractors([like, drawn])[0]
    of_group = dict(zip(theirs.tolist()[::-1], base.table[::-1], strict=True))
    table = np.tile(style.rgb(style.OTHER_COLOUR), (len(own), 1))
    used = {tuple(colour) for colour in base.table}
    left = [rgb for rgb in map(style.rgb, style.PALETTE) if tuple(rgb) not in used]
    order = style.ranked(own.counts)
    for k in order:
        group = int(mine[k])
        if group in of_group:
            table[k] = of_group[group]
        elif left:
            table[k] = left.pop(0)
    return _of_basins(table, order)


def _of_basins(table: Array, order: NDArray[np.intp]) -> Colouring:
    return Colouring(table, None, order, bool(np.count_nonzero(~style.is_other(table)) > _FEW_COLOURS))


def common_attractors(maps: Sequence[BasinMap]) -> tuple[list[NDArray[np.int64]], Array, Array]:
    """Number the attractors of all maps: of each map its numbers, and position and value of each, lowest first."""
    points = np.concatenate([map.basins.x for map in maps])
    fun = np.concatenate([map.basins.fun for map in maps])
    if not len(points):
        return [np.zeros(0, dtype=np.int64) for _ in maps], points, fun
    # Of several maps a few tolerances, as each attractor is known to about one
    width = 4.0 * np.min([map.basins.tol for map in maps], axis=0)
    groups, _ = group_points(points, width)
    first = np.array([np.flatnonzero(groups == g)[np.argmin(fun[groups == g])] for g in range(groups.max() + 1)])
    digits = np.round(fun[first], 6)
    order = np.lexsort([*points[first].round(3).T[::-1], digits])
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    ends = np.cumsum([len(map.basins) for map in maps])[:-1]
    return np.split(rank[groups], ends), points[first[order]], fun[first[order]]


def common_sizes(maps: Sequence[BasinMap], groups: list[NDArray[np.int64]], count: int) -> NDArray[np.int64]:
    """How many starts of all maps together lead to each attractor in the common numbers."""
    sizes = np.zeros(count, dtype=np.int64)
    for map, numbers in zip(maps, groups, strict=True):
        np.add.at(sizes, numbers, map.basins.counts)
    return sizes


def attractor_entries(
    colouring: Colouring, most: int, text: Callable[[int], str], ending: Callable[[NDArray[np.bool_]], str]
) -> list[tuple[list[Any], str]]:
    """Return the lines of a legend: colours and text of the first attractors, and of the rest together.

    Parameters
    ----------
    colouring : Colouring
        The colours.
    most : int
        Most attractors to name. Where colours tell values, the lowest alone, as the next ones look like it.
    text : callable
        What to say of one.
    ending : callable
        What to add of several, of a mask over the attractors.
    """
    other = colouring.other
    named = colouring.order[~other[colouring.order]]
    shown = np.sort(named[: most if colouring.limits is None else 1])
    entries: list[tuple[list[Any], str]] = [([colouring.table[k]], text(int(k))) for k in shown]
    more = ~other
    more[shown] = False
    if more.any():
        rest = np.setdiff1d(named, shown)
        some = rest[np.unique(np.linspace(0, rest.size - 1, min(rest.size, _SAMPLES)).astype(int))]
        entries.append((list(colouring.table[some]), f"{np.count_nonzero(more):,} more{ending(more)}"))
    if other.any():
        entries.append(([style.OTHER_COLOUR], f"others ({np.count_nonzero(other):,}){ending(other)}"))
    return entries


def outcome_entries(maps: Sequence[BasinMap], ending: Callable[[Basins, str], str]) -> list[tuple[list[Any], str]]:
    """Return the lines of a legend for what ended in no attractor."""
    entries: list[tuple[list[Any], str]] = []
    for part, colour, text in (
        ("unsettled", style.UNSETTLED_COLOUR, "not settled"), ("diverged", style.DIVERGED_COLOUR, "diverged"),
    ):  # fmt: skip
        if any(getattr(map.basins, part) for map in maps):
            entries.append(([colour], f"{text}{ending(maps[0].basins, part)}"))
    return entries


def add_legend(owner: Any, entries: Sequence[tuple[Sequence[Any], str]], **where: Any) -> Any:
    """Add a legend to axes or a figure; a swatch of several colours has them side by side."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for colours, _ in entries:
        plain = [colour if isinstance(colour, str) else tuple(colour) for colour in colours]
        if len(plain) == 1:
            handles.append(Patch(facecolor=plain[0], edgecolor="black", linewidth=0.5))
        else:
            handles.append(tuple(Patch(facecolor=colour, edgecolor="none") for colour in plain))
    return owner.legend(
        handles, [text for _, text in entries], frameon=False, title="the descent ends at", alignment="left",
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.0)}, **where,
    )  # fmt: skip


def value_scale(colouring: Colouring, fun: Array) -> tuple[Any, str]:
    """Return what a colour bar of values is made of, and which of its ends go on."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    assert colouring.limits is not None
    low, high = colouring.limits
    beyond = (bool((fun < low).any()), bool((fun > high).any()))
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]
    return ScalarMappable(norm=Normalize(low, high), cmap=_map_of_values()), extend


def _limits(counts: NDArray[np.int64], fun: Array) -> tuple[float, float] | None:
    """The lowest value and that which 98 % of the settled starts come below; None where all are equal."""
    order = np.argsort(fun, kind="stable")
    reached = np.cumsum(counts[order]) >= 0.98 * counts.sum()
    low, high = float(fun[order[0]]), float(fun[order[int(np.argmax(reached))]])
    return None if as_low_as(high, low) else (low, high)


def _map_of_values() -> Any:
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[VALUES](np.linspace(_DARKEST, 1.0, 256)))


def _of_values(fun: Array, limits: tuple[float, float]) -> Array:
    low, high = limits
    return np.asarray(_map_of_values()(np.clip((fun - low) / (high - low), 0.0, 1.0))[:, :3], dtype=np.float64)
