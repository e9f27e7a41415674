"""What all pictures share: Matplotlib on demand, colours, saving by extension."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def matplotlib_figure() -> Any:
    """Return `matplotlib.figure`, or say how to install it.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError('pictures need Matplotlib: pip install "fastgd[plot]"') from error
    return matplotlib.figure


def new_axes(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return the figure and axes to draw on: those given, or a new figure that pyplot knows nothing of."""
    module = matplotlib_figure()
    if ax is not None:
        if not hasattr(ax, "imshow"):
            raise TypeError(f"ax must be Matplotlib axes, got {type(ax).__name__}")
        owner: Any = ax.figure
        # Of axes in a subfigure, this is the figure around it all.
        return owner.figure, ax
    figure = module.Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


def new_grid(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, NDArray[Any]]:
    """Return a new figure with axes of shape (rows, columns), that pyplot knows nothing of."""
    figure = matplotlib_figure().Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def new_space(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Any]:
    """Return the figure and three-dimensional axes to draw on."""
    module = matplotlib_figure()
    if ax is not None:
        if not hasattr(ax, "plot_surface"):
            raise TypeError(
                f"ax must be three-dimensional axes, figure.add_subplot(projection='3d'), got {type(ax).__name__}"
            )
        return ax.figure.figure, ax
    figure = module.Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot(projection="3d")


def save(figure: Figure, path: Path | None, own: bool) -> None:
    """Write the figure, cut to what is on it where it is a new one."""
    if path is not None:
        figure.savefig(path, dpi=SAVED_DPI, bbox_inches="tight" if own else None)


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


def checked_path(out: str | os.PathLike[str]) -> Path:
    """Return the path to save to, if its extension is one that Matplotlib writes.

    Raises
    ------
    ValueError
        If the extension is not supported, or the folder does not exist.
    """
    matplotlib_figure()
    from matplotlib.backend_bases import FigureCanvasBase

    path = Path(out)
    supported = sorted(FigureCanvasBase.get_supported_filetypes())
    kind = path.suffix.lower().removeprefix(".")
    if kind not in supported:
        raise ValueError(f"out must end in one of {', '.join('.' + s for s in supported)}, got {str(out)!r}")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"out must name a file in a folder that exists, got {str(out)!r}")
    return path


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
