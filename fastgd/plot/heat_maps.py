"""Heat maps over two hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinSweep
from fastgd.basins.sweep import swept_rule
from fastgd.comparison import as_low_as
from fastgd.plot import figures, style
from fastgd.plot.grids import place_text
from fastgd.plot.sides import Side

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
PANELS = ("lowest", "entropy", "steps", "diverged", "unsettled")
_SHARE = "starts (%)"
_COLOURS = "cividis"  # of the same order in lightness to every eye, and in print


class Panel(NamedTuple):
    """What one heat map shows: its title, its unit, and its numbers."""

    title: str
    unit: str
    values: Array

    @property
    def end(self) -> float:
        """The upper end of the scale: of shares a round one."""
        largest = float(np.nanmax(self.values, initial=0.0))
        return style.end_of_shares(largest) if self.unit == _SHARE else largest or 1.0

    @property
    def label(self) -> str:
        """The text along the scale, which says where shares are told by colours of less than the whole."""
        return f"{self.unit}, scale up to {self.end:g} %" if self.unit == _SHARE and self.end < 100 else self.unit


class Stable(NamedTuple):
    """The largest rates that stay at the lowest minimum: their line, and their formula."""

    line: tuple[Array, Array]
    formula: str


def check_panels(found: BasinSweep, show: Any) -> list[Panel]:
    """Return the panels that `show` names.

    Raises
    ------
    TypeError, ValueError
        If one is unknown.
    """
    if isinstance(show, str) or not isinstance(show, Sequence) or not show:
        raise TypeError(f'show must be a list of what to show, such as ["lowest", "steps"], got {show!r}')
    return [_panel(found, name) for name in show]


def _panel(found: BasinSweep, name: Any) -> Panel:
    count = len(found.basins)
    if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
        if not 0 <= name < count:
            raise ValueError(f"show: attractors are numbered from 0 to {count - 1}, got {name}")
        place = place_text(found.basins.x[int(name)], found.basins.x)
        return Panel(f"at {name}: {place}", _SHARE, 100.0 * found.fractions[..., name])
    if name == "lowest":
        share = found.fractions[..., lowest_attractors(found)].sum(axis=-1)
        return Panel(_reached(found), _SHARE, 100.0 * share)
    if name == "entropy":
        return Panel("entropy of the outcome", "nats", found.entropy)
    if name == "steps":
        share = found.fractions.sum(axis=-1)
        with np.errstate(invalid="ignore"):
            steps = np.where(found.fractions > 0, found.fractions * found.mean_nit, 0.0).sum(axis=-1) / share
        return Panel("mean steps", "steps", steps)
    if name == "diverged":
        return Panel("diverged", _SHARE, 100.0 * found.diverged)
    if name == "unsettled":
        return Panel("not settled", _SHARE, 100.0 * found.unsettled)
    raise ValueError(f"show must name some of {', '.join(PANELS)}, or numbers of attractors, got {name!r}")


def lowest_attractors(found: BasinSweep) -> NDArray[np.intp]:
    """Return the numbers of the attractors at the lowest value found."""
    fun = found.basins.fun
    return np.flatnonzero(as_low_as(fun, fun[0])) if fun.size else np.zeros(0, dtype=np.intp)


def _reached(found: BasinSweep) -> str:
    """Say what the runs that come to the lowest value reach: of several attractors it may be that of all."""
    count, lowest = len(found.basins), len(lowest_attractors(found))
    return "any attractor reached" if count > 1 and lowest == count else "lowest value reached"


def _stays_at(found: BasinSweep) -> str:
    """Name the minimum that the largest rates stay at: of several with the lowest value, the one that holds longest."""
    fun = found.basins.fun[found.basins.curvature.index == 0]
    lowest = int(np.count_nonzero(as_low_as(fun, fun[0]))) if fun.size else 0
    if lowest <= 1:
        return "the lowest minimum"
    return "any of the minima" if lowest == len(fun) else "any of the lowest minima"


def draw_heat_maps(found: BasinSweep, axes: Any, panels: list[Panel]) -> tuple[Figure, NDArray[Any]]:
    """Draw a heat map for each panel."""
    count = len(panels)
    rows, columns = figures.arrangement(count)
    meaning = f"one for each of show, {count} here"
    figure, axes = figures.new_several(axes, count, (rows, columns), (4.4 * columns, 3.3 * rows + 0.6), meaning)
    sides = [Side(name, values) for name, values in found.over.items()]
    stable = _largest_stable(found)
    if stable is not None and not _in_sight(stable.line, sides):
        stable = None
    for ax, panel in zip(axes, panels, strict=True):
        _draw(figure, ax, panel, sides)
        if stable is not None:
            ax.plot(*stable.line, color="white", linestyle=":", linewidth=2.0, path_effects=style.edges((3.4, "black")))
    formula = stable.formula if stable is not None else ""
    place = _stays_at(found) if stable is not None else ""
    _add_legend(figure, formula, place, any(np.isnan(panel.values).any() for panel in panels))
    return figure, axes


def _draw(figure: Figure, ax: Any, panel: Panel, sides: list[Side]) -> None:
    from matplotlib.colors import LogNorm, Normalize

    x, y = sides
    shown = np.ma.masked_invalid(panel.values[np.ix_(x.order, y.order)]).T
    log = panel.unit == "steps" and shown.count() > 0 and shown.max() > 10 * max(shown.min(), 1)
    if log:
        norm: Any = LogNorm(max(shown.min(), 1.0), shown.max())
    else:
        norm = Normalize(0.0, panel.end)
    ax.set_facecolor(style.UNSETTLED_COLOUR)
    mesh = ax.pcolormesh(x.edges, y.edges, shown, cmap=_COLOURS, norm=norm, rasterized=True)
    bar = figure.colorbar(mesh, ax=ax, label=panel.label)
    if log:
        style.plain_log_ticks(bar.ax.yaxis)
    for side, along in ((x, "x"), (y, "y")):
        side.write_on(ax, along, (side.edges[0], side.edges[-1]), narrow=True)
    ax.set_title(panel.title, fontsize="medium")


def _largest_stable(found: BasinSweep) -> Stable | None:
    """Return the line of the largest rates that stay at the lowest minimum; None where none is known.

    None over the weight decay as well: it moves the minimum, whose curvature is known at one of the values only.
    """
    names = list(found.over)
    if "lr" not in names or any(name.startswith("lr.") for name in names):
        return None
    limits, lowest = found.limits, lowest_attractors(found)
    if limits is None:
        return None
    side = names.index("lr")
    # The limits are the same for every rate.
    rates = np.moveaxis(limits, side, 0)[0][:, lowest]
    if not lowest.size or np.isnan(rates).all():
        return None
    along = found.over[names[1 - side]]
    order = np.argsort(along)
    # Of several lowest minima, the one that holds longest
    line = np.fmax.reduce(rates, axis=1)[order]
    formula = swept_rule(found).stable_rate().text
    return Stable((line, along[order]) if side == 0 else (along[order], line), formula)


def _in_sight(line: tuple[Array, Array], sides: list[Side]) -> bool:
    """Tell whether a line, which goes on along one side from end to end, passes through the heat maps."""
    return all(
        bool(np.nanmin(part) <= side.edges[-1] and np.nanmax(part) >= side.edges[0])
        for part, side in zip(line, sides, strict=True)
    )


def _add_legend(figure: Figure, formula: str, place: str, empty: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if formula:
        text = f"largest rate that stays at {place}: {formula}"
        effects = style.edges((3.4, "black"))
        handles.append(Line2D([], [], color="white", linestyle=":", linewidth=2.0, path_effects=effects, label=text))
    if empty:
        handles.append(Patch(facecolor=style.UNSETTLED_COLOUR, label="no start settled"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", frameon=False)
