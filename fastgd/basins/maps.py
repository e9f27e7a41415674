"""Maps of basins: a grid of starts on a plane, and where the descent from each ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.adaptive import refined_runs
from fastgd.basins.attractors import check_grouping, gathered
from fastgd.basins.found import Basins
from fastgd.boxes import GridShape
from fastgd.calls import explain_calls
from fastgd.checks import shown
from fastgd.texts import counted

if TYPE_CHECKING:
    from fastgd.problem import Problem


@dataclass(frozen=True, repr=False, eq=False)
class BasinMap:
    """Where the descents from a grid of starts ended.

    Arrays over the starts have the axes of `Problem.grid`: element ``[a, b]`` belongs to the start with
    ``x[plane[0]] == axes[0][a]`` and ``x[plane[1]] == axes[1][b]``. A picture with ``x[plane[0]]`` to the
    right shows their transpose.

    Attributes
    ----------
    basins : Basins
        The attractors; shares and intervals are over the starts of the grid.
    nit : ndarray, shape (na, nb)
        Steps of each run.
    status : ndarray, shape (na, nb)
        Status of each run.
    axes : tuple of two ndarrays, shapes (na,) and (nb,)
        Coordinates of the starts along the plane.
    plane : tuple of two ints
        Which parameters the axes are.
    at : ndarray, shape (n,)
        Where the other parameters started.
    problem : Problem
        What was minimized.
    optimizer : Optimizer
        By what.
    made : ndarray of bool, shape (na, nb), or None
        Where a descent was made from, in a map with `refine`; elsewhere labels are filled in and steps interpolated.
    """

    basins: Basins
    nit: NDArray[np.integer]
    status: NDArray[np.integer]
    axes: tuple[NDArray[np.float64], NDArray[np.float64]]
    plane: tuple[int, int]
    at: NDArray[np.float64]
    problem: Problem
    optimizer: Any
    made: NDArray[np.bool_] | None = None

    @property
    def runs(self) -> int:
        """How many descents were made."""
        return self.labels.size if self.made is None else int(np.count_nonzero(self.made))

    @property
    def saving(self) -> float:
        """Share of the starts that no descent was made from; 0 without `refine`."""
        return 1.0 - self.runs / self.labels.size

    @property
    def labels(self) -> NDArray[np.int64]:
        """Attractor of each start, shape (na, nb); -1 not settled, -2 diverged."""
        return self.basins.labels

    @property
    def shape(self) -> tuple[int, int]:
        """Number of starts along the two axes."""
        return self.axes[0].size, self.axes[1].size

    def __getattr__(self, name: str) -> NoReturn:
        # Asked of the class, as a map that is being unpickled has no basins yet
        there = not name.startswith("_") and (name in Basins.__dataclass_fields__ or hasattr(Basins, name))
        hint = f": the attractors have it, write map.basins.{name}" if there else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def __repr__(self) -> str:
        na, nb = self.shape
        i, j = self.plane
        starts = f"{na} x {nb} starts in x[{i}], x[{j}]"
        made = "" if self.made is None else f" ({counted(self.runs, 'descent')}, {self.saving:.1%} saved)"
        return f"<BasinMap of {self.problem.name}: {starts}{made}, {counted(len(self.basins), 'attractor')}>"

    def __str__(self) -> str:
        return f"{self!r}\n{self.basins.summary()}"


@explain_calls(places={"fastgd.minimize; the starts of a map are a grid of its shape and bounds": ("x0",)})
def map_basins(
    problem: Problem,
    optimizer: Any,
    shape: GridShape = (256, 256),
    bounds: Any = None,
    plane: tuple[int, int] = (0, 1),
    at: ArrayLike | None = None,
    tol: ArrayLike | None = None,
    refine: int = 0,
    **minimize_options: Any,
) -> BasinMap:
    """Descend from every point of a grid and tell which attractor each start leads to.

    Parameters
    ----------
    problem : Problem
        What to minimize; at least two parameters.
    optimizer : Optimizer
        By what, with one value of each hyperparameter.
    shape : int or (int, int)
        Starts along ``plane[0]`` and ``plane[1]``; one int for both.
    bounds : array_like, optional
        Sides of the grid: a pair ``(low, high)`` for both axes, or one for each. By default the sides of the
        problem's box.
    plane : (int, int)
        The two parameters that vary.
    at : array_like of shape (n,), optional
        Where the others start; by default at the first known minimum, else in the middle of the box.
    tol : float or array_like of shape (n,), optional
        Tells attractors apart, see `find_basins`.
    refine : int
        Spend descents where labels change: begin with every ``2**refine``-th start along both axes, and halve the
        cells whose corners differ, that often. The picture is the same but for specks smaller than the first cells
        that touch none of their sides, for a fraction of the descents; `BasinMap.saving` tells how many were saved.
        Of fractal boundaries little is saved, and where descents are cheap, as on most functions of two parameters,
        the bookkeeping may take longer than what it saves.
    **minimize_options
        Further arguments of `minimize`, such as ``gtol=1e-8`` or ``max_steps=100_000``.

    Returns
    -------
    BasinMap
        Labels, steps and statuses over the grid, and the attractors.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, before any work: one-parameter problem, hyperparameters or seeds that are
        arrays, and whatever `Problem.grid` and `minimize` refuse.

    Examples
    --------
    >>> import fastgd as gd
    >>> map = gd.map_basins(gd.problems.make("himmelblau"), gd.Adam(lr=0.05), shape=(32, 24))
    >>> map.labels.shape, len(map.basins)
    ((32, 24), 4)

    Three of four descents saved:

    >>> problem = gd.problems.make("styblinski_tang", dim=2)
    >>> map = gd.map_basins(problem, gd.GradientDescent(lr=0.005), shape=(128, 128), refine=4)
    >>> map.saving > 0.75
    True
    """
    from fastgd.arguments import PER_RUN, check_kinds, check_single
    from fastgd.minimize import minimize
    from fastgd.optimizers import Method

    check_kinds(problem, optimizer, Method)
    if problem.dim < 2:
        raise ValueError(
            f"problem must have at least two parameters for a map, got {problem.name} with {problem.dim}; "
            "for a line of starts write find_basins(minimize(problem, problem.grid(1000), optimizer))"
        )
    if "record" in minimize_options:
        raise TypeError("record is not an option of map_basins for minimize; leave record= out")
    drawn = {name: minimize_options.get(name) for name in ("seed", *PER_RUN)}
    varied = {**drawn, **optimizer.hyperparameters()}
    check_single(varied, "for a map", "draw one map for each of its values")
    check_grouping(tol, None, problem.dim)
    # Ends, what is known of them, and what tells attractors apart
    starts = problem._grid(shape, plane, at, bounds, 8 * problem.dim + 44)
    i, j = (int(k) % problem.dim for k in plane)
    if isinstance(refine, bool) or not isinstance(refine, (int, np.integer)):
        raise TypeError(f"refine must be an integer, got {refine!r}")
    sides = starts.shape[:2]
    if refine < 0 or (refine and refine >= (min(sides) - 1).bit_length()):
        raise ValueError(f"refine must be at least 0, and 2**refine less than the sides {sides}, got {shown(refine)}")
    made = None
    if refine:
        runs, made = refined_runs(
            problem,
            starts.shape[:2],  # type: ignore[arg-type]
            int(refine),
            lambda where: minimize(problem, starts.points(where), optimizer, **minimize_options),
            tol,
        )
    else:
        runs = minimize(problem, starts, optimizer, **minimize_options)
    nit, status, found = runs.nit, runs.status, [runs]
    del runs  # whose ends are given up when they are gathered
    return BasinMap(
        basins=gathered(found, tol, own=True),
        nit=nit,
        status=status,
        axes=(starts.lines[0], starts.lines[1]),
        plane=(i, j),
        at=starts.points(np.array([0]))[0],
        problem=problem,
        optimizer=optimizer,
        made=made,
    )
