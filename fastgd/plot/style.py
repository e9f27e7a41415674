"""How all pictures look: colours, resolution, lines of a grid, names of axes and of runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.texts import decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours without black, then Tol's muted set: each is safe for the common kinds of colour
# blindness.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442",
    "#332288", "#DDCC77", "#117733", "#882255", "#88CCEE", "#CC6677", "#44AA99", "#AA4499", "#999933",
)  # fmt: skip
OTHER_COLOUR = "#666666"  # of all attractors past the palette; its shades would look like what has not settled
UNSETTLED_COLOUR = "#BBBBBB"
DIVERGED_COLOUR = "#000000"
SAVED_DPI = 200
_ALIKE = 0.8  # basins down to this part of the largest count as equally large
_LETTER, _HANDLE = 0.083, 0.62  # inches that a letter of a legend takes, and the line or mark before a text
_HIGHEST = 1e4  # times the first values, to where an axis follows what diverges
_HELD = 3  # parameters outside a plane that are named one by one, at most

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def grid_lines(ax: Axes) -> None:
    ax.grid(True, color="0.9", linewidth=0.6)


def name_sides(ax: Axes, plane: tuple[int, ...]) -> None:
    """Write which parameters run to the right and up."""
    away = 8.0 if hasattr(ax, "zaxis") else None  # from the numbers, which in space do not push the names away
    ax.set_xlabel(f"x[{plane[0]}]", labelpad=away)
    ax.set_ylabel(f"x[{plane[1]}]", labelpad=away)


def held_text(at: NDArray[np.float64], plane: tuple[int, ...]) -> str:
    """Return where the parameters outside a plane are held; nothing where there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.style import held_text
    >>> held_text(np.array([0.0, 0.0, -2.903534, 1.0]), (0, 1))
    'x[2] = -2.90, x[3] = 1.00'
    >>> held_text(np.full(20, -2.903534), (0, 1))
    'the 18 others = -2.90'
    """
    others = [k for k in range(len(at)) if k not in plane]
    values = np.asarray(at, dtype=np.float64)[others]
    digits = decimals(float(np.abs(values).max(initial=0.0)), 3)
    texts = [f"{round(float(value), digits) + 0.0:.{digits}f}" for value in values]
    if len(others) <= _HELD:
        return ", ".join(f"x[{k}] = {text}" for k, text in zip(others, texts, strict=True))
    return f"the {len(others):,} others {f'= {texts[0]}' if np.ptp(values) == 0 else 'at a fixed point'}"


def plain_log_ticks(axis: Any, narrow: bool = False) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, once everything is drawn; fewer where it is narrow."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    # Numbers side by side take more room than those one above the other
    across = axis.axis_name == "x"
    most = 20.0 if narrow else 100.0 if across else 1e3
    if high < 3.0 * low:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
    elif high < most * low:
        few = high < 10.0 * low and not narrow
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0) if few else (1.0, 2.0, 5.0)))
    elif across and not narrow and high < 2e3 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    axis.set_minor_formatter("")


def cut_high(ax: Axes, first: float) -> None:
    """Let a logarithmic axis of values go up to ten thousand times the first ones, as what diverges has no end."""
    low, high = ax.get_ylim()
    if np.isfinite(first) and high > _HIGHEST * first > low:
        ax.set_ylim(low, _HIGHEST * first)


def end_of_shares(largest: float) -> float:
    """Return where an axis of shares in percent ends: at all of it, or where all are small at the next round one.

    Examples
    --------
    >>> from fastgd.plot.style import end_of_shares
    >>> end_of_shares(71.0), end_of_shares(17.3), end_of_shares(0.2)
    (100.0, 20.0, 1.0)
    """
    ends = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0)
    return next((end for end in ends if largest <= end), 100.0)


def tick_text(value: float) -> str:
    """Return a positive number as it stands beside a logarithmic axis.

    Examples
    --------
    >>> from fastgd.plot.style import tick_text
    >>> [tick_text(value) for value in (1e-5, 0.0002, 0.5, 20.0, 100_000.0)]
    ['1e\u22125', '0.0002', '0.5', '20', '100,000']
    """
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:g}" if value >= 1e-4 else f"{value:.0e}".replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def fit_aspect(ax: Axes, width: float, height: float) -> None:
    """Show a box to scale, unless one side is so long that little would be seen."""
    ax.set_aspect("equal" if 0.4 <= height / width <= 2.5 else "auto")


def undefined_look(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return how to draw where a function has no finite value, and the text for it in a legend.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.style import undefined_look
    >>> [undefined_look(np.array([1.0, other]))["label"] for other in (np.nan, np.inf)]
    ['not defined', 'infinite']
    """
    # At the end of where a function is defined it may be infinite
    infinite = np.count_nonzero(np.isinf(values)) > np.count_nonzero(np.isnan(values))
    look = {"facecolor": "white", "edgecolor": "0.55", "hatch": "////", "linewidth": 0.0}
    return {**look, "label": "infinite" if infinite else "not defined"}


def hatch_undefined(ax: Axes, x: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Hatch the part of a graph over x where its values are not finite, and give it a text for a legend."""
    there = np.isfinite(values)
    if not there.all():
        look = undefined_look(values)
        ax.fill_between(x, 0.0, 1.0, where=~there, transform=ax.get_xaxis_transform(), zorder=0.5, **look)


def legend_below(ax: Any) -> None:
    """Add a legend of what has a text, if anything has, below the axes and what is written along them."""
    from matplotlib.transforms import ScaledTranslation

    texts = ax.get_legend_handles_labels()[1]
    if not texts:
        return
    width = ax.get_position().width * ax.figure.figure.get_figwidth()
    columns = legend_columns(texts, width)
    # In inches and not in parts of the axes, as the text along small axes is as large as along large ones
    lower = ax.transAxes + ScaledTranslation(0.0, -0.42, ax.figure.dpi_scale_trans)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=lower, ncols=columns, frameon=False)


def legend_columns(texts: Sequence[str], width: float) -> int:
    """Return in how many columns texts stand below axes of a width in inches, as a wider legend would shrink the axes.

    Examples
    --------
    >>> from fastgd.plot.style import legend_columns
    >>> legend_columns(["minimum", "saddle", "maximum"], 5.0), legend_columns(["minimum", "saddle", "maximum"], 2.0)
    (3, 1)
    """
    for columns in range(len(texts), 1, -1):
        rows = -(-len(texts) // columns)
        longest = [max(map(len, texts[k : k + rows])) for k in range(0, len(texts), rows)]
        if sum(_LETTER * count + _HANDLE for count in longest) <= width:
            return columns
    return 1


# What to do with what is no result, where runs are drawn
DRAWN_BY = {
    "Basins": ": draw it by fastgd.plot.contour(problem, points=basins); runs are of minimize, maps of map_basins",
    "Result": ": draw it by fastgd.plot.convergence, trajectories or waterfall",
    "BasinMap": ": draw it by fastgd.plot.basins",
    "BasinSweep": ": draw it by fastgd.plot.sweep", "Comparison": ": draw it by fastgd.plot.compare",
}  # fmt: skip


def drawn_by(thing: Any) -> str:
    """What to add to an error about something that another picture shows; nothing where there is none."""
    return DRAWN_BY.get(type(thing).__name__, "")


def named_runs(runs: Any) -> dict[str, Any]:
    """Return results by name: one alone under that of its optimizer, or a mapping as it is.

    Raises
    ------
    TypeError
        If they are no results.
    """
    given = runs if isinstance(runs, Mapping) else {optimizer_text(getattr(runs, "optimizer", None)): runs}
    if not given:
        raise TypeError("runs must be what minimize returns, or a mapping of names to that, got an empty one")
    for value in given.values():
        if not all(hasattr(value, name) for name in ("x", "fun", "grad_norm", "trace")):
            raise TypeError(
                f"runs must be what minimize returns, or a mapping of names to that, got {type(value).__name__}"
                f"{drawn_by(value)}"
            )
    return {str(name): value for name, value in given.items()}


def optimizer_text(optimizer: Any, without: Collection[str] = ()) -> str:
    """Return an optimizer's name, its learning rate, and the hyperparameters that are not at their defaults.

    Parameters
    ----------
    optimizer : Method, or None
        Where it is not known the text is "runs".
    without : collection of str
        Fields to leave out, such as those that a picture has along an axis.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> from fastgd.plot.style import optimizer_text
    >>> optimizer_text(gd.Momentum(lr=0.01, momentum=0.9))
    'Momentum, lr 0.01'
    >>> optimizer_text(gd.Momentum(lr=0.01, momentum=0.5, averaged=True))
    'Momentum, lr 0.01, momentum 0.5, averaged'
    >>> optimizer_text(gd.Adam(lr=gd.schedules.Cosine(0.1, period=100), beta1=np.array([0.5, 0.9])), without=["eps"])
    'Adam, lr Cosine(0.1), beta1 0.5 to 0.9'
    """
    if optimizer is None:
        return "runs"
    label = getattr(optimizer, "label", type(optimizer).__name__)
    parts = [label]
    for field in dataclasses.fields(optimizer) if dataclasses.is_dataclass(optimizer) else ():
        value = getattr(optimizer, field.name)
        # The learning rate is always told, and what the name tells already is not told again
        default = isinstance(value, (bool, int, float, str)) and value == field.default
        told = value is not None and (field.name == "lr" or not default)
        if told and field.name not in without and not (isinstance(value, str) and value in label):
            parts.append(_setting_text(field.name, value))
    return ", ".join(parts)


def _setting_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, (int, float)):
        return f"{name} {value:g}"
    if isinstance(value, np.ndarray):
        low, high = float(value.min()), float(value.max())
        return f"{name} {low:g}" if low == high else f"{name} {low:g} to {high:g}"
    if isinstance(value, Mapping):
        return ", ".join(_setting_text(str(key), part) for key, part in value.items())
    if isinstance(value, str):
        return f"{name} {value}"
    rate = getattr(value, "lr", None)  # of a schedule, its first or largest rate
    return f"{name} {type(value).__name__}" + (f"({rate:g})" if isinstance(rate, (int, float)) else "")


def edges(*around: tuple[float, str]) -> list[Any]:
    """Return the path effects that draw lines, marks or text with edges of these widths and colours, widest first."""
    from matplotlib.patheffects import Normal, Stroke

    return [*(Stroke(linewidth=width, foreground=colour) for width, colour in around), Normal()]


def wrapped(text: str, width: int) -> str:
    """Return a text of parts with commas between in lines of at most `width` characters, broken at the commas.

    Examples
    --------
    >>> from fastgd.plot.style import wrapped
    >>> print(wrapped("Momentum, lr 0.01, momentum 0.5, averaged", 20))
    Momentum, lr 0.01,
    momentum 0.5,
    averaged
    """
    lines: list[str] = []
    for part in text.split(", "):
        if lines and len(lines[-1]) + 2 + len(part) < width:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return ",\n".join(lines)


def evenly(numbers: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most so many of these numbers, evenly chosen, the first and the last among them."""
    return numbers[np.unique(np.linspace(0, numbers.size - 1, min(most, numbers.size)).astype(int))]


def traces(result: Any, name: str) -> NDArray[np.float64]:
    """Return the recorded points of a result, shape (runs, points, n).

    Raises
    ------
    ValueError
        If there are none.
    """
    if result.trace is None:
        raise ValueError(f"runs must have a trace to draw ({name} has none): minimize(..., record=1)")
    return np.asarray(result.trace, dtype=np.float64).reshape(-1, *result.trace.shape[-2:])


def rgb(code: str) -> NDArray[np.float64]:
    """Return the colour of a hexadecimal code in sRGB, from 0 to 1."""
    return np.array([int(code[k : k + 2], 16) / 255.0 for k in (1, 3, 5)])


def ranked(sizes: NDArray[Any]) -> NDArray[np.intp]:
    """Return the numbers of basins of these sizes, the largest first; of about equal ones, the lowest number first.

    Sizes are about equal to the largest that is left down to four fifths of it: on a grid, basins that are the same by
    symmetry differ by a few starts. As attractors are numbered by their values and then by position, the lower value
    comes first.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.style import ranked
    >>> ranked(np.array([10, 95, 100, 11, 40]))
    array([1, 2, 4, 0, 3])
    """
    descending = np.argsort(-np.asarray(sizes), kind="stable")
    ordered = np.asarray(sizes)[descending]
    begin, groups = 0, []
    while begin < ordered.size:
        end = begin + max(1, int(np.count_nonzero(ordered[begin:] >= _ALIKE * ordered[begin])))
        groups.append(np.sort(descending[begin:end]))
        begin = end
    return np.concatenate(groups) if groups else descending


def colours(sizes: NDArray[Any]) -> NDArray[np.float64]:
    """Return a colour for each basin of these sizes, shape (k, 3) in sRGB from 0 to 1.

    The first ones, see `ranked`, have the colours of the palette, in the order of their numbers, and the rest one
    neutral colour.
    """
    found = np.tile(rgb(OTHER_COLOUR), (len(sizes), 1))
    first = np.sort(ranked(sizes)[: len(PALETTE)])
    found[first] = np.array([rgb(code) for code in PALETTE])[: len(first)]
    return found


def is_other(colours: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of these colours, shape (k, 3), is the neutral one."""
    return (colours == rgb(OTHER_COLOUR)).all(axis=1)


def shades(
    rgb: NDArray[np.float64], count: int, lightest: float = 0.6, darkest: float = 0.5
) -> NDArray[np.float64]:
    """Return each colour from a tint over itself to a shade, in steps that look equal.

    The two halves are straight lines in Ottosson's OKLab: from the colour moved towards white by `lightest`
    to the colour, and on to the colour moved towards black by `darkest`.

    Parameters
    ----------
    rgb : ndarray, shape (k, 3)
        Colours in sRGB, from 0 to 1.
    count : int
        Number of steps.
    lightest, darkest : float
        How far to go to white and to black, from 0 to 1.

    Returns
    -------
    ndarray, shape (k, count, 3)
        In sRGB, the lightest first.
    """
    lab = _oklab(rgb)[:, None, :]
    white = np.array([1.0, 0.0, 0.0])
    position = np.linspace(-1.0, 1.0, count)[None, :, None]
    tint = np.maximum(-position, 0.0) * lightest
    shade = np.maximum(position, 0.0) * darkest
    return _srgb((lab + tint * (white - lab)) * (1.0 - shade))


def _oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_OKLAB.T


def _srgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = (lab @ np.linalg.inv(_TO_OKLAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).clip(0.0, 1.0)
