"""How all pictures look: colours, resolution, lines of a grid, names of axes and of runs."""

from __future__ import annotations

from collections.abc import Mapping
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
    ax.set_xlabel(f"x[{plane[0]}]")
    ax.set_ylabel(f"x[{plane[1]}]")


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


def plain_log_ticks(axis: Any) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, once everything is drawn."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    if high < 3.0 * low:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
    elif high < 1e3 * low:
        few = high < 10.0 * low
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0) if few else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}"))
    axis.set_minor_formatter("")


def fit_aspect(ax: Axes, width: float, height: float) -> None:
    """Show a box to scale, unless one side is so long that little would be seen."""
    ax.set_aspect("equal" if 0.4 <= height / width <= 2.5 else "auto")


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
            )
    return {str(name): value for name, value in given.items()}


def optimizer_text(optimizer: Any) -> str:
    """Return an optimizer's name with its learning rate where that is a number."""
    lr = getattr(optimizer, "lr", None)
    name = getattr(optimizer, "label", type(optimizer).__name__) if optimizer is not None else "runs"
    return f"{name}, lr {lr:g}" if isinstance(lr, (int, float)) else name


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


def colours(sizes: NDArray[Any]) -> NDArray[np.float64]:
    """Return a colour for each basin of these sizes, shape (k, 3) in sRGB from 0 to 1.

    The largest ones have the colours of the palette, in the order of their numbers, and the rest one neutral colour.
    """
    found = np.tile(rgb(OTHER_COLOUR), (len(sizes), 1))
    largest = np.sort(np.argsort(-np.asarray(sizes), kind="stable")[: len(PALETTE)])
    found[largest] = np.array([rgb(code) for code in PALETTE])[: len(largest)]
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
