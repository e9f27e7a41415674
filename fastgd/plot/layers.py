"""The picture of the gradients in the layers of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd.boxes import real_array
from fastgd.calls import explain_calls
from fastgd.plot import figures, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@explain_calls()
def layer_gradients(
    norms: Mapping[str, Any],
    steps: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw the gradient of each layer, over the depth or over the training, one panel for each network.

    A line is the median over the runs, the band around it goes from the lower to the upper quartile. Gradients below
    1e-300, such as those of dead nodes, are left out.

    Parameters
    ----------
    norms : mapping from str to ndarray
        Titles of the panels, and what `fastgd.layer_gradients` returned: for starts, shape (runs, layers), which is
        drawn over the layers; or for traces, shape (runs, points, layers), drawn over the steps with one line for each
        layer.
    steps : array_like, shape (points,), optional
        The steps of the points of traces; by default 0, 1, ...
    out : path, optional
        File to write the figure to; its extension says the format.
    title : str, optional
        Of the whole figure.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of Axes, shape (rows, columns)
        The panels, row by row in the order of `norms`; those without a network are not visible.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError, ValueError
        If the arrays are not as described, or the extension of `out` is not supported.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.iris()
    >>> network = gd.problems.mlp(X, y, hidden=(5,) * 4, activation="sigmoid")
    >>> norms = {"sigmoid": gd.layer_gradients(network, network.sample(50, seed=0))}
    >>> network = gd.problems.mlp(X, y, hidden=(5,) * 4, activation="relu")
    >>> norms["relu"] = gd.layer_gradients(network, network.sample(50, seed=0))
    >>> figure, axes = gd.plot.layer_gradients(norms)
    >>> [ax.get_title() for ax in axes[0]]
    ['sigmoid', 'relu']
    """
    arrays = checked(norms)
    dimensions = {array.ndim for array in arrays.values()}
    over_steps = dimensions == {3}
    target = figures.target(out, tight=False, own=True)
    rows, columns = figures.arrangement(len(arrays))
    size = 4.2 * columns + (0.9 if over_steps else 0), 3.1 * rows + 0.3
    figure, panels = figures.new_grid(rows, columns, size, sharex=True, sharey=True)
    for ax in panels.flat[len(arrays) :]:
        ax.set_visible(False)
    for (name, array), ax in zip(arrays.items(), panels.flat, strict=False):
        usable = np.where(array > 1e-300, array, np.nan)
        if over_steps:
            draw_steps(ax, usable, steps)
        else:
            draw_depth(ax, usable)
        ax.set_title(name, fontsize="medium")
        ax.set_yscale("log")
        ax.grid(alpha=0.3, linewidth=0.6)
    for ax in panels[:, 0]:
        ax.set_ylabel("gradient (rms)")
    # Of each column the last panel, which may have an empty place below
    for ax in panels.flat[max(0, len(arrays) - columns) : len(arrays)]:
        ax.set_xlabel("step" if over_steps else "layer, from the input")
        ax.tick_params(labelbottom=True)
    if over_steps:
        add_scale(figure, panels, next(iter(arrays.values())).shape[-1])
    if title is not None:
        figure.suptitle(title)
    return target.finish(figure, panels)


def checked(norms: Any) -> dict[str, np.ndarray]:
    if not isinstance(norms, Mapping) or not norms:
        raise TypeError(f"norms must be a mapping from titles to arrays of layer_gradients, got {type(norms).__name__}")
    arrays = {str(name): np.asarray(array, dtype=float) for name, array in norms.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len({len(shape) for shape in shapes.values()}) != 1 or len(next(iter(shapes.values()))) not in (2, 3):
        raise ValueError(f"norms must all have shape (runs, layers), or all (runs, points, layers); got {shapes}")
    return arrays


def quartiles(array: np.ndarray) -> np.ndarray:
    """The quartiles over the runs; NaN where no run has a number."""
    full = np.isfinite(array).any(axis=0)
    found = np.full((3, *array.shape[1:]), np.nan)
    if full.any():
        found[:, full] = np.nanquantile(array[:, full], [0.25, 0.5, 0.75], axis=0)
    return found


def draw_depth(ax: Any, array: np.ndarray) -> None:
    low, middle, high = quartiles(array)
    layers = np.arange(1, array.shape[-1] + 1)
    ax.fill_between(layers, low, high, color=style.PALETTE[0], alpha=0.25, linewidth=0)
    ax.plot(layers, middle, color=style.PALETTE[0], marker="o", markersize=4)
    ax.set_xticks(layers)


def draw_steps(ax: Any, array: np.ndarray, steps: Any) -> None:
    points, count = array.shape[1:]
    at = np.arange(points) if steps is None else real_array(steps, "steps")
    if at.shape != (points,):
        raise ValueError(f"steps must have one entry for each of the {points} points, got shape {at.shape}")
    for layer in range(count):
        low, middle, high = quartiles(array[..., layer])
        colour = depth_colour(layer, count)
        ax.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(at, middle, color=colour, linewidth=1.4)


def depth_colour(layer: int, count: int) -> Any:
    """From dark, near the input, to light."""
    from matplotlib import colormaps

    return colormaps["viridis"](0.8 * layer / max(count - 1, 1))


def add_scale(figure: Figure, panels: Any, count: int) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    shades = ListedColormap([depth_colour(layer, count) for layer in range(count)])
    scale = ScalarMappable(BoundaryNorm(np.arange(count + 1) + 0.5, count), shades)
    figure.colorbar(scale, ax=panels, ticks=range(1, count + 1), label="layer, from the input", shrink=0.9)
