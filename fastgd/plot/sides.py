"""The axes of sweeps: their values in order, their names, and whether they are logarithmic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.plot import style

__all__ = ["Side", "geometric"]

Array = NDArray[np.float64]
_MARGIN = 0.03  # of the axis, beyond the first and the last value


class Side:
    """One axis of a sweep: its values in order, the cells around them, and whether it is logarithmic."""

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

    @property
    def ends(self) -> tuple[float, float]:
        """A little beyond the first and the last value, or of one value alone far enough around it."""
        if self.values.size == 1:
            return float(self.edges[0]), float(self.edges[-1])
        low, high = np.log(self.values[[0, -1]]) if self.log else self.values[[0, -1]]
        low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
        return (float(np.exp(low)), float(np.exp(high))) if self.log else (float(low), float(high))

    def write_on(self, ax: Any, along: str, ends: tuple[float, float], narrow: bool = False) -> None:
        """Give the axes their name, ends, scale and ticks along "x" or "y"; fewer ticks where they are narrow."""
        from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

        axis = getattr(ax, f"{along}axis")
        getattr(ax, f"set_{along}label")(self.label)
        if self.log:
            getattr(ax, f"set_{along}scale")("log")
        getattr(ax, f"set_{along}lim")(*ends)
        if self.log:
            style.plain_log_ticks(axis, narrow)
            return
        few = MaxNLocator(5 if narrow else 7, steps=[1, 2, 2.5, 5, 10])
        axis.set_major_locator(FixedLocator(self.values.tolist()) if self.values.size == 1 else few)
        axis.set_minor_locator(NullLocator())


def geometric(values: Array) -> bool:
    """Tell whether ascending values are spaced by ratios rather than by differences.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.sides import geometric
    >>> geometric(np.geomspace(1e-3, 1, 10)), geometric(np.linspace(0.001, 1, 10)), geometric(np.array([0.1, 0.3, 1.0]))
    (True, False, True)
    """
    if values.size < 3 or values[0] <= 0:
        return bool(values.size == 2 and values[0] > 0 and values[1] > 20 * values[0])
    differences, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.std(ratios) / np.mean(ratios) < np.std(differences) / np.mean(differences))
