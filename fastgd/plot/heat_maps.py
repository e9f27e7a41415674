"""Heat maps over two hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.basins import BasinSweep
from fastgd.basins.sweep import swept_rule
from fastgd.comparison import ACCURACY
from fastgd.optimizers import GradientDescent, Momentum, Nesterov
from fastgd.plot import figures, style
from fastgd.plot.grids import place_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
PANELS = ("lowest", "entropy", "steps", "diverged", "unsettled")
_COLOURS = "cividis"  # of the same order in lightness to every eye, and in print


class Panel(NamedTuple):
    """What one heat map shows: its title, its unit, its numbers, and the end of their scale where it is fixed."""

    title: str
    unit: str
    values: Array
    most: float | None = None


class Stable(NamedTuple):
    """The largest rates that stay at the lowest minimum: their line, and the rule with the values swept."""

    line: tuple[Array, Array]
    rule: Any


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
        return Panel(f"at {name}: {place}", "starts (%)", 100.0 * found.fractions[..., name], 100.0)
    if name == "lowest":
        share = found.fractions[..., lowest_attractors(found)].sum(axis=-1)
        return Panel("lowest value reached", "starts (%)", 100.0 * share, 100.0)
    if name == "entropy":
        return Panel("entropy of the outcome", "nats", found.entropy)
    if name == "steps":
        share = found.fractions.sum(axis=-1)
        with np.errstate(invalid="ignore"):
            steps = np.where(found.fractions > 0, found.fractions * found.mean_nit, 0.0).sum(axis=-1) / share
        return Panel("mean steps", "steps", steps)
    if name == "diverged":
        return Panel("diverged", "starts (%)", 100.0 * found.diverged, 100.0)
    if name == "unsettled":
        return Panel("not settled", "starts (%)", 100.0 * found.unsettled, 100.0)
    raise ValueError(f"show must name some of {', '.join(PANELS)}, or numbers of attractors, got {name!r}")


def lowest_attractors(found: BasinSweep) -> NDArray[np.intp]:
    """Return the numbers of the attractors at the lowest value found."""
    fun = found.basins.fun
    return np.flatnonzero(fun <= fun[0] + ACCURACY * max(abs(fun[0]), 1.0)) if fun.size else np.zeros(0, dtype=np.intp)


def draw_heat_maps(found: BasinSweep, axes: Any, panels: list[Panel]) -> tuple[Figure, NDArray[Any]]:
    """Draw a heat map for each panel."""
    count = len(panels)
    columns = min(2, count)
    rows = -(-count // columns)
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
    formula = limit_text(stable.rule) if stable is not None else ""
    _add_legend(figure, formula, any(np.isnan(panel.values).any() for panel in panels))
    return figure, axes


class Side:
    """One axis of the heat maps: its values in order, their cells, and whether it is logarithmic."""

    def __init__(self, name: str, values: Array) -> None:
        self.label = "learning rate" if name == "lr" else name
        self.values, self.order = np.unique(values, return_index=True)
        self.log = geometric(self.values)
        at = np.log(self.values) if self.log else self.values
        middle = 0.5 * (at[1:] + at[:-1])
        alone = 0.1 if self.log else 0.5 * abs(float(at[0])) or 0.5
        low, high = (2 * at[0] - middle[0], 2 * at[-1] - middle[-1]) if middle.size else (at[0] - alone, at[0] + alone)
        edges = np.concatenate([[low], middle, [high]])
        self.edges = np.exp(edges) if self.log else edges


def geometric(values: Array) -> bool:
    """Tell whether ascending values are spaced by ratios rather than by differences.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.heat_maps import geometric
    >>> geometric(np.geomspace(1e-3, 1, 10)), geometric(np.linspace(0.001, 1, 10)), geometric(np.array([0.1, 0.3, 1.0]))
    (True, False, True)
    """
    if values.size < 3 or values[0] <= 0:
        return bool(values.size == 2 and values[0] > 0 and values[1] > 20 * values[0])
    differences, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.std(ratios) / np.mean(ratios) < np.std(differences) / np.mean(differences))


def _draw(figure: Figure, ax: Any, panel: Panel, sides: list[Side]) -> None:
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import MaxNLocator, NullLocator

    x, y = sides
    shown = np.ma.masked_invalid(panel.values[np.ix_(x.order, y.order)]).T
    log = panel.unit == "steps" and shown.count() > 0 and shown.max() > 10 * max(shown.min(), 1)
    if log:
        norm: Any = LogNorm(max(shown.min(), 1.0), shown.max())
    else:
        top = panel.most if panel.most is not None else float(shown.max()) if shown.count() else 1.0
        norm = Normalize(0.0, top or 1.0)
    ax.set_facecolor(style.UNSETTLED_COLOUR)
    mesh = ax.pcolormesh(x.edges, y.edges, shown, cmap=_COLOURS, norm=norm, rasterized=True)
    bar = figure.colorbar(mesh, ax=ax, label=panel.unit)
    if log:
        style.plain_log_ticks(bar.ax.yaxis)
    for side, axis in ((x, "x"), (y, "y")):
        getattr(ax, f"set_{axis}label")(side.label)
        if side.log:
            getattr(ax, f"set_{axis}scale")("log")
        getattr(ax, f"set_{axis}lim")(side.edges[0], side.edges[-1])
        if side.log:
            style.plain_log_ticks(getattr(ax, f"{axis}axis"), narrow=True)
        else:
            getattr(ax, f"{axis}axis").set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            getattr(ax, f"{axis}axis").set_minor_locator(NullLocator())
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
    return Stable((line, along[order]) if side == 0 else (along[order], line), swept_rule(found))


def _in_sight(line: tuple[Array, Array], sides: list[Side]) -> bool:
    """Tell whether a line, which goes on along one side from end to end, passes through the heat maps."""
    return all(
        bool(np.nanmin(part) <= side.edges[-1] and np.nanmax(part) >= side.edges[0])
        for part, side in zip(line, sides, strict=True)
    )


def limit_text(rule: Any) -> str:
    r"""Write the largest stable rate as a formula, and what its letters are.

    Examples
    --------
    >>> import fastgd as gd
    >>> from fastgd.plot.heat_maps import limit_text
    >>> print(limit_text(gd.GradientDescent(lr=1)))
    $2 / \lambda_{\max}$
    >>> print(limit_text(gd.Momentum(lr=1)))
    $2\,(1 + \mu) / \lambda_{\max}$ with momentum $\mu$
    """
    curvature = r"(\lambda_{\max} + w)" if np.any(rule.weight_decay) else r"\lambda_{\max}"
    decay = ["weight decay $w$"] if np.any(rule.weight_decay) else []
    if isinstance(rule, GradientDescent):
        return f"$2 / {curvature}$" + (f" with {decay[0]}" if decay else "")
    part, letters = "", [r"momentum $\mu$"]
    if isinstance(rule, Nesterov):
        part = r"(1 + 2 \mu)"
    elif isinstance(rule, Momentum) and rule.averaged:
        part = r"(1 - \mu)"
    elif isinstance(rule, Momentum) and np.any(rule.dampening):
        part, letters = "(1 - d)", [*letters, "dampening $d$"]
    below = rf"({part}\,{curvature})" if part else curvature
    return rf"$2\,(1 + \mu) / {below}$ with {', '.join(letters + decay)}"


def _add_legend(figure: Figure, formula: str, empty: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if formula:
        text = f"largest rate that stays at the lowest minimum: {formula}"
        effects = style.edges((3.4, "black"))
        handles.append(Line2D([], [], color="white", linestyle=":", linewidth=2.0, path_effects=effects, label=text))
    if empty:
        handles.append(Patch(facecolor=style.UNSETTLED_COLOUR, label="no start settled"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", frameon=False)
