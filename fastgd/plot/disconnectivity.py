"""The picture of a disconnectivity tree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.calls import explain_calls
from fastgd.checks import is_whole, shown
from fastgd.landscape import CriticalPoints, DisconnectivityTree
from fastgd.plot import figures, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@explain_calls()
def disconnectivity(
    points: CriticalPoints | DisconnectivityTree,
    ax: Axes | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
    max_labels: int = 30,
) -> tuple[Figure, Axes]:
    """Draw which minima are joined below which value.

    Each line that ends at the bottom is a minimum, at its value; lines meet at the value of the lowest pass between
    them. A short line to a deep branch is a minimum that is easily left; a long branch on its own is a funnel that is
    not. What lies beside what has no meaning, and neither has the width.

    Parameters
    ----------
    points : CriticalPoints or DisconnectivityTree
        What `fastgd.find_critical_points` returned, or its `tree()`.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure.
    out : path, optional
        File to write the figure to; its extension says the format.
    title : str, optional
        By default the name of the problem.
    max_labels : int
        Up to so many minima are numbered, and the passes marked and numbered too, as in the table of `points`; where
        there is no room for a number, it is left out. Of more, the lowest alone is marked.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    ax : matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    TypeError
        If `points` is neither, or `ax` not axes.
    ValueError
        If there is no minimum, or `out` cannot be written.

    References
    ----------
    O. M. Becker, M. Karplus, The topology of multidimensional potential energy surfaces, Journal of Chemical Physics
    106 (1997) 1495-1517, doi:10.1063/1.473299. D. J. Wales, M. A. Miller, T. R. Walsh, Archetypal energy landscapes,
    Nature 394 (1998) 758-760, doi:10.1038/29487.

    Examples
    --------
    >>> import fastgd as gd
    >>> found = gd.find_critical_points(gd.problems.mueller_brown(), 200)
    >>> figure, ax = gd.plot.disconnectivity(found)
    >>> ax.get_ylabel()
    'value'
    """
    if isinstance(points, CriticalPoints):
        tree, name = points.tree(), points.name
    elif isinstance(points, DisconnectivityTree):
        tree, name = points, ""
    else:
        raise TypeError(
            f"points must be what find_critical_points returns, or its tree(), got {type(points).__name__}"
        )
    if not is_whole(max_labels, 0):
        raise ValueError(f"max_labels must be an integer of at least 0, got {shown(max_labels)}")
    count = tree.minima.size
    if count == 0:
        raise ValueError("points has no minimum, so there is no tree to draw")
    target = figures.target(out, tight=ax is None)
    figure, ax = figures.new_axes(ax, (6.0, 4.5))
    across = _positions(tree)
    labelled = count <= max_labels
    top = float(tree.fun.max())
    span = top - float(tree.fun.min()) or 1.0
    line: dict[str, Any] = {"color": "#333333", "linewidth": 1.4 if count <= 100 else 0.7, "solid_capstyle": "round"}
    for node, above in enumerate(tree.parent):
        if above >= 0:
            # Straight up to the level of the pass, then across: lines of different branches never cross.
            xs = (across[node], across[node], across[above])
            ax.plot(xs, (tree.fun[node], tree.fun[above], tree.fun[above]), **line)
        else:
            ax.plot((across[node],) * 2, (tree.fun[node], top + 0.06 * span), **line)
    best = int(np.argmin(tree.fun[:count]))
    if labelled:
        ax.plot(across[:count], tree.fun[:count], "o", color=style.PALETTE[0], markersize=6, label="minimum")
        if tree.saddles.size:
            # As wide as the step from one minimum to the next at most, so that neighbours do not merge
            wide = min(12.0, 250.0 / count)
            ax.plot(across[count:], tree.fun[count:], "_", color=style.PALETTE[5], markersize=wide, markeredgewidth=2.5,
                    label="pass")  # fmt: skip
        leaves = [
            ax.annotate(
                str(number), (across[leaf], tree.fun[leaf]), (0, -7), textcoords="offset points", ha="center", va="top",
                fontsize=9,
            )
            for leaf, number in enumerate(tree.minima)
        ]  # fmt: skip
        passes = []
        for node, number in enumerate(tree.saddles, count):
            above = tree.parent[node]
            free = above >= 0 and tree.fun[above] - tree.fun[node] < 0.04 * span
            # Above the line across, and beside the one that goes on upwards where there is one.
            passes.append(
                ax.annotate(
                    str(number), (across[node], tree.fun[node]), (0 if free else 3, 2), textcoords="offset points",
                    ha="center" if free else "left", va="bottom", fontsize=9, color=style.PALETTE[5],
                    path_effects=style.edges((1.5, "white")),
                )
            )  # fmt: skip
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    else:
        # Dots at all would hide how deep the lines go
        ax.plot(across[best], tree.fun[best], "o", color=style.PALETTE[0], markersize=5)
    beside = max(0.6, 0.02 * count)  # of many too, room between the first and the axis
    ax.set_xlim(-beside, count - 1 + beside)
    ax.set_ylim(float(tree.fun.min()) - 0.1 * span, top + 0.06 * span)
    ax.set_xticks([])
    ax.set_ylabel("value")
    ax.set_xlabel(("one minimum" if count == 1 else f"{count:,} minima") + ("" if labelled else ", the lowest marked"))
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_title(name if title is None else title)
    if labelled:
        _keep_apart(figure, leaves, passes)
    return target.finish(figure, ax)


def _keep_apart(figure: Figure, leaves: list[Any], passes: list[Any]) -> None:
    """Turn and shrink numbers that run into one another, and take away those that still do, minima last."""
    figure.draw_without_rendering()  # places the axes, so that the room beside each number is known
    if len(_apart(leaves)) < len(leaves):
        for number in leaves:
            number.set(rotation=90, fontsize=8)
        for number in passes:
            number.set(fontsize=7)
    kept = _apart(leaves + passes)
    for number in leaves + passes:
        number.set_visible(number in kept)


def _apart(numbers: list[Any]) -> list[Any]:
    """Return the numbers that have room beside all before them that have."""
    kept: list[Any] = []
    boxes: list[Any] = []
    for number in numbers:
        box = number.get_window_extent()
        # A little room between two numbers, or they read as one
        if not any(box.padded(1.5).overlaps(other) for other in boxes):
            kept.append(number)
            boxes.append(box)
    return kept


def _positions(tree: DisconnectivityTree) -> NDArray[np.float64]:
    """Return where each node stands across: leaves side by side, a pass above the middle of its two branches."""
    nodes = len(tree.fun)
    below: list[list[int]] = [[] for _ in range(nodes)]
    for node, above in enumerate(tree.parent):
        if above >= 0:
            below[above].append(node)
    size = np.ones(nodes)
    lowest = tree.fun.copy()
    for node in range(tree.minima.size, nodes):
        size[node] = sum(size[k] for k in below[node])
        lowest[node] = min(lowest[k] for k in below[node])
    across = np.zeros(nodes)
    place = 0
    # The deepest branch first; a stack, as a tree of thousands is deeper than Python recurses.
    stack = sorted(tree.roots.tolist(), key=lambda k: -lowest[k])
    while stack:
        node = stack.pop()
        if not below[node]:
            across[node] = place
            place += 1
        stack += sorted(below[node], key=lambda k: -lowest[k])
    for node in range(tree.minima.size, nodes):
        across[node] = np.mean([across[k] for k in below[node]])
    return across
