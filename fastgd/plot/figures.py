"""Where pictures are drawn, and where they are written: Matplotlib on demand, new axes, saving by extension."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.checks import real_number, shown
from fastgd.plot.style import SAVED_DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A = TypeVar("A")


class Picture(tuple[Any, ...]):
    """The figure and the axes of a picture: a tuple that notebooks show as the picture, and once."""

    __slots__ = ()

    def _ipython_display_(self) -> None:
        if "matplotlib.pyplot" in sys.modules:
            from matplotlib import pyplot

            if self[0] in map(pyplot.figure, pyplot.get_fignums()):
                return  # the notebook shows what is open when the cell ends
        from IPython.display import display

        display(self[0])


class Target(NamedTuple):
    """Where a picture goes: to a file, or to pyplot, or into axes that were given."""

    path: Path | None
    tight: bool  # whether to cut it to what is on the figure
    own: bool  # whether the figure is made for it

    def finish(self, figure: Figure, axes: A) -> tuple[Figure, A]:
        """Write the figure to its file, or else have pyplot show it if it is new; return figure and axes."""
        if self.path is not None:
            figure.savefig(self.path, dpi=SAVED_DPI, bbox_inches="tight" if self.tight else None)
        elif self.own and threading.current_thread() is threading.main_thread():  # as windows need it
            from matplotlib import pyplot

            # A class of figures that makes none but this one, so that pyplot numbers it and gives it a window
            pyplot.figure(FigureClass=lambda *_, **__: figure)  # type: ignore[arg-type]
        return Picture((figure, axes))


def target(out: str | os.PathLike[str] | None, tight: bool = True, own: bool | None = None) -> Target:
    """Return where a picture goes, before any work; only a figure of its own is cut to what is on it.

    `own` is by default `tight`.

    Raises
    ------
    ValueError
        If the extension is not one that Matplotlib writes, or the file cannot be written.
    """
    return Target(None if out is None else checked_path(out), tight, tight if own is None else own)


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
        raise ImportError(
            'pictures need Matplotlib: pip install matplotlib, or in a checkout pip install ".[plot]"'
        ) from error
    return matplotlib.figure


def new_figure(size: tuple[float, float]) -> Figure:
    """Return a new figure; pyplot knows nothing of it until it is drawn."""
    return matplotlib_figure().Figure(figsize=size, layout="constrained")


def new_axes(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return the figure and axes to draw on: those given, or new ones."""
    if ax is not None:
        if not hasattr(ax, "imshow"):
            raise TypeError(f"ax must be Matplotlib axes, got {type(ax).__name__}")
        owner: Any = ax.figure
        # Of axes in a subfigure, this is the figure around it all.
        return owner.figure, ax
    figure = new_figure(size)
    return figure, figure.add_subplot()


def new_grid(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, NDArray[Any]]:
    """Return a new figure with axes of shape (rows, columns)."""
    figure = new_figure(size)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def arrangement(count: int) -> tuple[int, int]:
    """Return rows and columns for so many panels: two or three side by side, with as few places empty as can be.

    Examples
    --------
    >>> from fastgd.plot.figures import arrangement
    >>> [arrangement(count) for count in (1, 2, 3, 4, 5, 9)]
    [(1, 1), (1, 2), (1, 3), (2, 2), (3, 2), (3, 3)]
    """
    columns = min((2, 3), key=lambda each: -count % each) if count > 1 else 1
    return -(-count // columns), columns


def new_space(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Any]:
    """Return the figure and three-dimensional axes to draw on: those given, or new ones."""
    if ax is not None:
        if not hasattr(ax, "plot_surface"):
            raise TypeError(
                f"ax must be three-dimensional axes, figure.add_subplot(projection='3d'), got {type(ax).__name__}"
            )
        return ax.figure.figure, ax
    figure = new_figure(size)
    return figure, figure.add_subplot(projection="3d")


def new_pair(
    axes: Any, rows: int, columns: int, size: tuple[float, float], meaning: str, **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """Return the figure and the two axes to draw on: those given, or new ones, side by side or above one another."""
    return new_several(axes, 2, (rows, columns), size, meaning, **options)


def new_several(
    axes: Any, count: int, grid: tuple[int, int], size: tuple[float, float], meaning: str, **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """Return the figure and so many axes to draw on: those given, or the first of a new grid of (rows, columns)."""
    if axes is None:
        figure, made = new_grid(*grid, size, **options)
        flat = made.reshape(-1)
        for spare in flat[count:]:
            spare.remove()
        return figure, flat[:count]
    given = np.asarray(axes, dtype=object).reshape(-1)
    if given.size != count or not all(hasattr(ax, "fill_between") for ax in given):
        number = "two" if count == 2 else str(count)
        raise TypeError(f"axes must be {number} Matplotlib axes, {meaning}")
    return given[0].figure.figure, given


def checked_path(out: str | os.PathLike[str]) -> Path:
    """Return the path to save to, if its extension is one that Matplotlib writes and the file can be written.

    Raises
    ------
    ValueError
        If the extension is not supported, the folder does not exist, or the file cannot be made or changed.
    """
    matplotlib_figure()
    from matplotlib.backend_bases import FigureCanvasBase

    path = path_of(out)
    supported = sorted(FigureCanvasBase.get_supported_filetypes())
    kind = path.suffix.lower().removeprefix(".")
    if kind not in supported:
        raise ValueError(f"out must end in one of {', '.join('.' + s for s in supported)}, got {str(out)!r}")
    try_to_write(path)
    return path


def try_to_write(path: Path) -> None:
    """Raise ValueError unless the file can be written; one that is there stays as it is, and none is left behind."""
    try:
        file = path.resolve()
        is_new = not os.path.exists(file)  # which a name too long is not
        with file.open("ab"):
            pass
        if is_new:
            file.unlink()
    except (OSError, ValueError) as error:  # the second of a name with a zero in it
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"out must name a file that can be written, got {shown(str(path))}: {why}") from None


def path_of(out: Any) -> Path:
    """Return the path of a file that can be written, or raise.

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If it is a folder, lies in none that exists and can be written to, or is no name of a file here.
    """
    try:
        path = Path(out)
        path.parent.stat()
    except TypeError:
        raise TypeError(f"out must be the path of a file to write, got {shown(out)}") from None
    except (OSError, ValueError) as error:  # such as a name that is too long, or has a zero in it
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            why = getattr(error, "strerror", None) or error
            raise ValueError(f"out must name a file that can be written, got {shown(str(out))}: {why}") from None
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        raise ValueError(f"out must name a file in a folder that exists, got {shown(str(out))}")
    return path


def checked_view(view: Any) -> tuple[float, float]:
    """Return from where space is seen, elevation and azimuth in degrees, or raise."""
    if not isinstance(view, (tuple, list)) or len(view) != 2:
        raise TypeError(f"view must be (elevation, azimuth) in degrees, got {shown(view)}")
    up, around = (real_number(angle, "view", "(elevation, azimuth) in degrees", -1e6, 1e6) for angle in view)
    return up, around
