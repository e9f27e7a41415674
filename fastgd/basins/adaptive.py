"""Descents from a grid only where labels change; the inside of a basin is filled in.

The grid is crossed by lines 2**k points apart, and a descent is made from every crossing. Where the four corners of a
cell have one label, what lies between is taken to have it too; any other cell is halved along both axes, and descents
are made from its new crossings. A crossing on the side of a filled cell that turns out to have another label opens that
cell after all, so a boundary is followed wherever it goes; only what lies inside one cell and touches none of its sides
is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import PER_RUN
from fastgd.basins.attractors import find_basins
from fastgd.result import Result

_FIELDS = ("x", "fun", "grad_norm", "nit", "status")


@dataclass
class Filled:
    """A grid of runs, some of them made and the others filled in from a neighbour."""

    shape: tuple[int, int]
    descend: Callable[[NDArray[np.intp]], Result]
    tol: Any
    made: NDArray[np.bool_]
    ends: dict[str, NDArray[Any]]
    drawn: dict[str, Any] = field(default_factory=dict)

    def run(self, where: NDArray[np.intp]) -> None:
        """Descend from points of the grid, by flat number, that no descent was made from yet."""
        new = np.unique(where[~self.made[where]])
        if new.size == 0:
            return
        result = self.descend(new)
        for name in _FIELDS:
            values = getattr(result, name)
            if name not in self.ends:
                self.ends[name] = np.zeros((self.made.size, *values.shape[1:]), values.dtype)
            self.ends[name][new] = values
        self.drawn = {name: getattr(result, name) for name in PER_RUN}
        self.made[new] = True

    def labels(self, problem: Any) -> NDArray[np.int64]:
        """Return a label for every point that a descent was made from, over the flat grid."""
        where = np.flatnonzero(self.made)
        ends: dict[str, Any] = {name: values[where] for name, values in self.ends.items()}
        out = np.full(self.made.size, np.iinfo(np.int64).min)
        out[where] = find_basins(Result(**ends, problem=problem), self.tol).labels
        return out


def refined_runs(
    problem: Any, shape: tuple[int, int], levels: int, descend: Callable[[NDArray[np.intp]], Result], tol: Any
) -> tuple[Result, NDArray[np.bool_]]:
    """Return runs over the whole grid, and which of them were made.

    Parameters
    ----------
    problem : Problem
        For the result.
    shape : (int, int)
        Points of the grid.
    levels : int
        How often a cell may be halved.
    descend : callable
        Descends from points of the grid, given by flat number.
    tol
        Tells attractors apart, see `find_basins`.
    """
    grid = Filled(shape, descend, tol, np.zeros(shape[0] * shape[1], dtype=bool), {})
    rows, columns = (lines(length, 2**levels) for length in shape)
    source = rows[:, None] * shape[1] + columns
    grid.run(source.ravel())
    steps = grid.ends["nit"][source].astype(np.float64)
    for level in range(levels - 1, -1, -1):
        finer = tuple(lines(length, 2**level) for length in shape)
        source, steps = halved(grid, problem, (rows, columns), finer, source, steps)
        rows, columns = finer
    whole = {name: grid.ends[name][source] for name in _FIELDS}
    made = grid.made.reshape(shape)
    whole["nit"] = np.where(made, whole["nit"], np.rint(steps)).astype(whole["nit"].dtype)
    return Result(**whole, problem=problem, **grid.drawn), made


def lines(length: int, stride: int) -> NDArray[np.intp]:
    """Return every stride-th point and the last."""
    return np.unique(np.append(np.arange(0, length, stride), length - 1))


def halved(
    grid: Filled,
    problem: Any,
    coarse: tuple[NDArray[np.intp], NDArray[np.intp]],
    fine: tuple[NDArray[np.intp], ...],
    source: NDArray[np.intp],
    steps: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return on finer lines which run stands for each crossing, and how many steps it takes there."""
    # The coarse lines before and after each finer one; on a coarse line both are that.
    below, above = zip(*(neighbours(*pair) for pair in zip(coarse, fine, strict=True)), strict=True)
    flat = fine[0][:, None] * grid.shape[1] + fine[1]
    # Of a cell with one label, any corner stands for what lies inside.
    filled = source[np.ix_(*below)]
    between = np.mean([steps[np.ix_(i, j)] for i in (below[0], above[0]) for j in (below[1], above[1])], axis=0)

    labels = grid.labels(problem)
    names = labels[source]
    cells = tuple(len(line) - 1 for line in coarse)
    open_cells = np.zeros(cells, dtype=bool)
    first = names[:-1, :-1]
    for other in (names[1:, :-1], names[:-1, 1:], names[1:, 1:]):
        open_cells |= other != first
    # The cells around each crossing: two along an axis where it lies on a coarse line, else one twice
    around = tuple(cells_around(*pair) for pair in zip(coarse, fine, strict=True))
    while True:
        wanted = np.zeros(flat.shape, dtype=bool)
        for i in around[0]:
            for j in around[1]:
                wanted |= open_cells[np.ix_(i, j)]
        grid.run(flat[wanted])
        labels = grid.labels(problem)
        here = labels[np.where(grid.made[flat], flat, filled)]
        name = labels[source][:-1, :-1]
        opened = open_cells.copy()
        for i in around[0]:
            for j in around[1]:
                odd = here != name[np.ix_(i, j)]
                a, b = np.broadcast_arrays(i[:, None], j)
                np.logical_or.at(opened, (a[odd], b[odd]), True)
        if np.array_equal(opened, open_cells):
            break
        open_cells = opened
    made = grid.made[flat]
    return np.where(made, flat, filled), np.where(made, grid.ends["nit"][flat], between)


def neighbours(coarse: NDArray[np.intp], fine: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the numbers of the coarse lines at or before, and at or after, each fine line."""
    return np.searchsorted(coarse, fine, side="right") - 1, np.searchsorted(coarse, fine, side="left")


def cells_around(coarse: NDArray[np.intp], fine: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the numbers of the cells that a fine line touches on either side."""
    last = len(coarse) - 2
    below, above = neighbours(coarse, fine)
    return np.clip(above - 1, 0, last), np.clip(below, 0, last)
