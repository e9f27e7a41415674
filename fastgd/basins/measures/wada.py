"""Wada's property: boundaries that all basins share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.measures.labels import neighbours
from fastgd.boxes import as_array, positive_integer
from fastgd.calls import explain_calls
from fastgd.checks import shown
from fastgd.texts import counted

_SIDES = 8  # radii along the shortest side of a map, at least


@dataclass(frozen=True, repr=False)
class WadaTest:
    """What `wada_test` found; prints the verdict with its reason.

    Attributes
    ----------
    labels : ndarray of int, shape (k,)
        The labels compared.
    shares : ndarray, shape (max_radius + 1,)
        Share of the boundary points that have the boundary of every basin within 0, 1, 2, ... points. It ends where 1
        is reached.
    max_radius : int
        Where the test gave up.
    side : int
        Points along the shortest side of the map.
    """

    labels: NDArray[np.integer]
    shares: NDArray[np.float64]
    max_radius: int
    side: int

    @property
    def radius(self) -> int | None:
        """The smallest thickness at which all boundaries cover each other, None if there is none up to the limit."""
        return len(self.shares) - 1 if self.shares.size and self.shares[-1] == 1.0 else None

    @property
    def resolved(self) -> bool:
        """Whether there is a verdict: the radius, if there is one, is small against the map.

        That is an eighth of its shortest side at most, which is a choice and no theory.
        """
        return self.labels.size < 3 or self.radius is None or _SIDES * self.radius <= self.side

    @property
    def wada(self) -> bool:
        """Whether at least three basins share their boundary, to within the radius; False where not `resolved`."""
        return self.labels.size >= 3 and self.radius is not None and self.resolved

    def __repr__(self) -> str:
        basins = counted(self.labels.size, "basin")
        if self.labels.size < 3:
            why = f"{basins}, and it takes at least three"
        elif not self.shares.size:
            why = f"{basins}, and no boundary between them"
        elif self.radius is None:
            why = f"{self.shares[-1]:.1%} of the boundary is within {counted(self.max_radius, 'point')} of all {basins}"
        else:
            why = f"all of the boundary is within {counted(self.radius, 'point')} of all {basins}"
        if not self.resolved:
            return f"<WadaTest: Wada: undecided ({why}, much of a map {self.side} points wide: a finer one)>"
        return f"<WadaTest: Wada: {'yes' if self.wada else 'no'} ({why})>"


@explain_calls()
def wada_test(labels: Any, max_radius: int = 8, *, ignore: tuple[int, ...] = (-1, -2)) -> WadaTest:
    """Test whether three or more basins share one boundary, by merging.

    The boundary of a basin is what is left between it and all others merged into one. If every point of the boundary
    of any basin is also on that of all others, changing nothing but which basins are merged changes no boundary: they
    are Wada. On a grid, boundaries are fattened point by point until each covers all others; for Wada basins, a few
    points suffice, however fine the grid, where for others the fattening must reach as far as the basins do.

    Parameters
    ----------
    labels : array_like of int, two or more dimensions, or Basins or BasinMap
        Labels on a regular grid.
    max_radius : int
        Thickness at which to give up.
    ignore : tuple of int
        Labels that are no basins: by default those of runs that did not settle or diverged. Points with these labels
        belong to no basin, and bound none.

    Returns
    -------
    WadaTest
        The verdict in `wada`, the thickness in `radius`, and how much of the boundary was covered on the way.

    Raises
    ------
    TypeError, ValueError
        If `labels` are no integers on a grid, or there are more than 64 of them.

    References
    ----------
    A. Daza, A. Wagemakers, M. A. F. Sanjuán, Ascertaining when a basin is Wada: the merging method, Scientific Reports
    8, 9954 (2018), doi:10.1038/s41598-018-28119-0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.basins.measures import wada_test
    >>> sectors = np.digitize(np.arctan2(*np.mgrid[-1:1:200j, -1:1:200j]), [-1.0, 1.0])
    >>> found = wada_test(sectors)
    >>> found.wada, round(float(found.shares[-1]), 2)
    (False, 0.09)
    >>> print(found)
    <WadaTest: Wada: no (8.7% of the boundary is within 8 points of all 3 basins)>
    """
    limit = positive_integer(max_radius, "max_radius")
    ignored = left_out(ignore)
    codes, values = neighbours(labels, least=2)
    basins = np.flatnonzero(~np.isin(values, ignored))
    if basins.size > 64:
        raise ValueError(f"labels must name at most 64 basins, got {basins.size}; leave small ones out by ignore=")
    dtype = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if np.iinfo(kind).bits >= basins.size)
    bit_of = np.zeros(values.size, dtype=dtype)
    bit_of[basins] = np.left_shift(np.ones(basins.size, dtype), np.arange(basins.size, dtype=dtype))
    # One bit for each basin, so that all boundaries are found and fattened at once
    near = widened(bit_of[codes])
    boundary = np.where((near & (near - dtype(1))) != 0, near, dtype(0))
    every = np.bitwise_or.reduce(bit_of, initial=dtype(0))
    on_boundary = boundary != 0
    total = int(np.count_nonzero(on_boundary))
    shares = []
    for radius in range(limit + 1 if total else 0):
        if radius:
            boundary = widened(boundary)
        shares.append(np.count_nonzero((boundary == every) & on_boundary) / total)
        if shares[-1] == 1.0:
            break
    return WadaTest(labels=values[basins], shares=np.array(shares), max_radius=limit, side=min(codes.shape))


def left_out(ignore: Any) -> NDArray[np.integer]:
    """Return the labels that are no basins as an array, or raise."""
    if not isinstance(ignore, (tuple, list, np.ndarray)):
        raise TypeError(f"ignore must be a tuple of integer labels, such as (-1, -2), got {shown(ignore)}")
    labels = as_array(ignore, "ignore") if len(ignore) else np.empty(0, np.int64)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"ignore must be a tuple of integer labels, such as (-1, -2), got {shown(ignore)}")
    return labels


def widened(bits: NDArray[Any]) -> NDArray[Any]:
    """Return for each point the bits of it and all its neighbours, those across corners included."""
    for axis in range(bits.ndim):
        source = np.moveaxis(bits, axis, 0)
        bits = bits.copy()
        target = np.moveaxis(bits, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
    return bits
