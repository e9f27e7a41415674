"""Moving pictures of descents."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from fastgd.calls import explain_calls
from fastgd.checks import is_whole, shown
from fastgd.minimize import reporter
from fastgd.plot import figures, style
from fastgd.plot.trajectories import (
    around_line,
    box_around,
    chosen_paths,
    draw_ground,
    drawn_after,
    line_widths,
    looks,
    place,
    sides_of,
)


@explain_calls()
def animation(
    runs: Any,
    out: str | os.PathLike[str],
    *,
    max_paths: int = 20,
    frames: int = 100,
    fps: int = 20,
    tail: int = 30,
    plane: tuple[int, int] = (0, 1),
    bounds: Any = None,
    progress: bool | Callable[[int, int], None] = False,
) -> Path:
    """Write a moving picture of recorded runs on their way down, with one parameter along the graph of the function.

    Parameters
    ----------
    runs : Result, or mapping of str to Result
        What `minimize` returned with ``record=1`` or more.
    out : path
        File to write: ``.gif``, or ``.mp4`` where the program ffmpeg is installed, at the path that Matplotlib's
        ``rcParams["animation.ffmpeg_path"]`` says.
    max_paths : int
        Most paths of each result, evenly chosen.
    frames : int
        Most frames, at least 2; runs with more points are shown at even distances.
    fps : int
        Frames for each second.
    tail : int
        How many points of its way each run trails behind it.
    plane, bounds
        As for `trajectories`.
    progress : bool or callable
        True shows a bar (needs the extra ``cli``); a callable is called as ``progress(done, total)``.

    Returns
    -------
    pathlib.Path
        Where the file is.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    RuntimeError
        If an ``.mp4`` is asked for and ffmpeg is not found.
    TypeError, ValueError
        If an argument does not fit, or a result has no trace.

    Examples
    --------
    >>> import tempfile
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> runs = gd.minimize(problem, problem.sample(5), gd.Momentum(lr=0.01), record=1, max_steps=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gd.plot.animation(runs, f"{folder}/way.gif").name
    'way.gif'
    """
    target = figures.path_of(out)
    if target.suffix.lower() not in (".gif", ".mp4"):
        raise ValueError(f"out must end in .gif or .mp4, in a folder that exists, got {str(out)!r}")
    figures.try_to_write(target)
    if not is_whole(frames, 2) or not is_whole(fps) or not is_whole(tail):
        got = f"{shown(frames)}, {shown(fps)} and {shown(tail)}"
        raise ValueError(f"frames must be an integer of at least 2, fps and tail of at least 1, got {got}")
    writer = movie_writer(target, fps)
    named, paths = chosen_paths(runs, max_paths)
    problem = next(iter(named.values())).problem
    sides = sides_of(problem, plane)
    box = box_around(problem, paths, sides) if bounds is None else bounds
    figure, ax = draw_ground(problem, None, box, sides, scale=False)
    figure.set_dpi(100)
    moving = []
    of_each = looks(named, paths)
    every = [int(named[name].record or 1) for name, lines in paths.items() for _ in lines]
    # Heads drawn later are smaller, so that none hides those below it
    after = drawn_after(of_each)
    sizes = 7 + 12 * after / (after.max() + 1)
    chosen = itertools.chain(*paths.values())
    for (line, _), (colour, label, _), width, size in zip(
        chosen, of_each, line_widths(problem, of_each), sizes, strict=True
    ):
        (trail,) = ax.plot([], [], color=colour, linewidth=width, label=label, path_effects=around_line(width))
        (head,) = ax.plot([], [], "o", color=colour, markeredgecolor="white", markersize=size)
        moving.append((place(problem, line, sides), trail, head))
    style.legend_below(ax)
    # Counted in steps, as each result may have been recorded at distances of its own
    last_step = max((x.size - 1) * apart for ((x, _), _, _), apart in zip(moving, every, strict=True))
    count = min(frames, last_step // min(every) + 1)
    drawn = np.unique(np.linspace(0, last_step // min(every), count).astype(int)) * min(every)
    with ExitStack() as stack:
        report = reporter(progress, len(drawn), stack)
        with writer.saving(figure, str(target), dpi=100):
            for done, step in enumerate(drawn, 1):
                for ((x, y), trail, head), apart in zip(moving, every, strict=True):
                    last = min(int(step) // apart, x.size - 1)
                    part = slice(max(0, last - tail), last + 1)
                    trail.set_data(x[part], y[part])
                    head.set_data(x[last : last + 1], y[last : last + 1])
                ax.set_title(f"{problem.name}, step {step:,}")
                writer.grab_frame()
                if report is not None:
                    report(done, len(drawn))
    return target


def movie_writer(target: Path, fps: int) -> Any:
    """Return what writes a file of this extension: Pillow, which Matplotlib brings along, for a GIF; ffmpeg for an MP4.

    Raises
    ------
    RuntimeError
        If ffmpeg is needed and not found.
    """
    figures.matplotlib_figure()
    from matplotlib import animation as movies

    if target.suffix.lower() == ".gif":
        return movies.PillowWriter(fps=fps)
    if not movies.FFMpegWriter.isAvailable():
        raise RuntimeError(
            f"an .mp4 needs the program ffmpeg, and {movies.FFMpegWriter.bin_path()!r} is not found: write a GIF, "
            f"out={str(target.with_suffix('.gif'))!r}; or install ffmpeg, or say where it is by "
            f'matplotlib.rcParams["animation.ffmpeg_path"]'
        )
    return movies.FFMpegWriter(fps=fps)
