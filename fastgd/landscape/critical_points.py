"""All points where the gradient is zero: found from many starts, told apart, and saddles linked to minima."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.basins.attractors import check_grouping
from fastgd.basins.found import UNSETTLED, doubt_lines
from fastgd.boxes import box_scale, positive_integer, units_of
from fastgd.calls import explain_calls
from fastgd.errors import check_choice
from fastgd.landscape.classification import Classification, checked_zero_modes, classify
from fastgd.landscape.curvature import METHODS, checked_method, hessians, length_scale
from fastgd.landscape.kinds import KINDS, RTOL
from fastgd.landscape.search import Search
from fastgd.landscape.stationary import Array, Derivatives, minimize_gradient
from fastgd.landscape.tree import DisconnectivityTree, disconnectivity_tree
from fastgd.memory import check_points
from fastgd.texts import Summarized, counted, first_lines, position_text

if TYPE_CHECKING:
    from fastgd.problem import Problem

_MOST_STARTS = 2**30
_FROM_ENDS = "start where descents end, x0=minimize(problem, problem.sample(1000), LBFGS()).x"
# Why a start led to no point, and what to try
REASONS = {
    "not finite": "came to where value or derivatives are not finite: other starts, as x0=",
    "on the way": f"came to no zero of the gradient, but to where its size is lowest nearby: {_FROM_ENDS}",
    "outside": f"left the box, as where the gradient also falls far away: {_FROM_ENDS}; or a larger box",
    "not critical": f"came to where Newton's step still leads away: {_FROM_ENDS}",
}
_FEW_FOUND = 0.1  # of the starts led to a point, and the table says why the others did not


@dataclass(frozen=True, repr=False, eq=False)
class CriticalPoints(Summarized):
    """Points where the gradient is zero, lowest value first.

    Attributes
    ----------
    x : ndarray, shape (k, n)
        The points.
    fun : ndarray, shape (k,)
        Their values.
    error : ndarray, shape (k,)
        Largest component of the Newton step that is left at each: how accurate `x` is.
    shape : Classification
        Second derivatives: eigenvalues, sharpness, the largest rate at which descent stays.
    counts : ndarray of int64, shape (k,)
        Starts that led to each; 0 for minima that were met on the way down from a saddle only.
    links : ndarray of int64, shape (k, 2)
        For each saddle of index 1 the two minima that it joins, as numbers into `x`; -1 where the way down left the
        box or ended in another saddle, and for all other points.
    n_starts : int
        How many starts there were. Those that `counts` does not tell of left the box or came to no end.
    boxed : bool
        Whether points outside a box were left out.
    lost : dict of str to int
        Why starts led to no point, and how many: a key of `REASONS`.
    """

    x: NDArray[np.float64]
    fun: NDArray[np.float64]
    error: NDArray[np.float64]
    shape: Classification
    counts: NDArray[np.int64]
    links: NDArray[np.int64]
    n_starts: int
    name: str = field(default="")
    boxed: bool = field(default=False)
    lost: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.fun)

    @property
    def kind(self) -> NDArray[np.str_]:
        """Kind of each, shape (k,), see `Classification`."""
        return self.shape.kind

    @property
    def index(self) -> NDArray[np.int64]:
        """Number of directions in which each is a maximum, shape (k,)."""
        return self.shape.index

    @property
    def minima(self) -> NDArray[np.int64]:
        """Numbers of the minima."""
        return np.flatnonzero(self.kind == "minimum")

    @property
    def saddles(self) -> NDArray[np.int64]:
        """Numbers of the passes between minima: the saddles of index 1, and the maxima in one dimension."""
        return np.flatnonzero(is_pass(self.kind, self.index))

    @property
    def barriers(self) -> NDArray[np.float64]:
        """How far each saddle of index 1 lies above its two minima, shape (k, 2); NaN where `links` is -1."""
        known = self.links >= 0
        return np.where(known, self.fun[:, None] - self.fun[np.where(known, self.links, 0)], np.nan)

    def tree(self) -> DisconnectivityTree:
        """Return which minima are joined below which value."""
        minima, saddles = self.minima, self.saddles
        return disconnectivity_tree(minima, self.fun[minima], saddles, self.fun[saddles], self.links[saddles])

    def __repr__(self) -> str:
        counts = {kind: int(np.count_nonzero(self.kind == kind)) for kind in KINDS}
        parts = [counted(count, kind) for kind, count in counts.items() if count]
        return f"<CriticalPoints of {self.name or 'a problem'}: {', '.join(parts) or 'none'}>"

    def summary(self, limit: int = 30) -> str:
        """Return a table of the points, as plain text.

        Parameters
        ----------
        limit : int
            Most rows to show.

        Returns
        -------
        str
            One line per point: number, kind with index, value, position, starts, and for saddles of index 1 what they
            join and the heights above that; below it whether points may be pieces of a curve, and what part of further
            starts would find a new point, by Good and Turing's estimate (see `fastgd.measures.unseen`), which is too
            high for evenly spread starts.
        """
        columns = ("", "kind", "value", "position", "starts", "joins", "barriers")
        rows = [self._row(k) for k in range(min(positive_integer(limit, "limit"), len(self)))]
        inside = " inside the box" if self.boxed else ""
        head = f"{repr(self)[1:-1]}{inside}, from {counted(self.n_starts, 'start')}"
        table = first_lines(columns, rows, len(self), left=(1, 3, 5, 6), rest="; summary(limit=) shows more")
        doubts = doubt_lines(self.kind.tolist(), len(self), "find_critical_points")
        most = self.counts.sum() < _FEW_FOUND * self.n_starts
        lost = [f"{counted(count, 'start')} {REASONS[why]}" for why, count in self.lost.items() if most]
        return "\n".join([head, *table, *doubts, *lost, *self._unseen_lines()])

    def _unseen_lines(self) -> list[str]:
        """Say how far from complete the table is, where starts still found points of their own."""
        from fastgd.basins.measures import unseen

        once = int(np.count_nonzero(self.counts == 1))
        if not once:
            return []
        found = np.repeat(np.arange(len(self)), self.counts)
        labels = np.concatenate([found, np.full(self.n_starts - len(found), UNSETTLED)])
        which = f"{counted(once, 'point')} {'was' if once == 1 else 'were'} found by one start only"
        # From above: Sobol' points find more than random ones do, and some points are known from saddles alone
        share = f"{100 * unseen(labels).share:.2g} %"
        return [f"{which}: up to {share} of further starts would find a new one; more n_starts"]

    def _row(self, k: int) -> tuple[str, ...]:
        kind = str(self.kind[k])
        joins, barriers = "", ""
        if kind == "saddle":
            kind += f" {self.index[k]}"
            if self.index[k] == 1:
                joins = " - ".join("?" if end < 0 else f"{end}" for end in self.links[k])
                barriers = ", ".join("?" if np.isnan(b) else f"{b:.6g}" for b in self.barriers[k])
        value = f"{round(float(self.fun[k]), 12) + 0.0:.9g}"
        where = position_text(self.x, k, scale=self.shape.scale)
        return str(k), kind, value, where, f"{self.counts[k]:,}", joins, barriers


def is_pass(kind: NDArray[Any], index: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the value falls along one line, both ways, and rises along all others."""
    return (index == 1) & np.isin(kind, ("saddle", "maximum"))


@explain_calls()
def find_critical_points(
    problem: Problem,
    n_starts: int = 1000,
    *,
    x0: ArrayLike | None = None,
    seed: int = 0,
    zero_modes: int = 0,
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    tol: ArrayLike | None = None,
    method: str = "auto",
) -> CriticalPoints:
    r"""Find minima, saddles and maxima alike, from many starts.

    Each start is led to a zero of the gradient by minimizing :math:`\|\nabla f\|^2 / 2` (Levenberg-Marquardt), which
    does not care about the kind, and polished by Newton's method until rounding. Points that agree are merged. From
    each saddle of index 1 the steepest descent lines on both sides are followed to the minima it joins; a minimum that
    only these reach is added. That all points were found is certain for no number of starts; compare two seeds. The
    table says how likely the next start is to find a new one.

    Parameters
    ----------
    problem : Problem
        The function. Points outside its box are left out, and those whose value or gradient is not finite.
    n_starts : int
        Starts, drawn from the box by a Sobol' sequence.
    x0 : array_like, shape (m, n), optional
        Starts of your own in place of these, such as ``runs.x``.
    seed : int
        Seed of the draw.
    zero_modes : int
        How many zero eigenvalues belong to a symmetry, see `classify`.
    coordinates : callable, optional
        Maps points of shape (m, n) to what tells them apart, of shape (m, d), where a symmetry makes each a continuum:
        ``lambda x: problem.value(x)[:, None]`` tells clusters of atoms apart by energy. Points of different index are
        never merged.
    tol : float or array_like, optional
        Points closer than this in every coordinate are one; by default 1e-5 of the side of the box, or without a box
        or with `coordinates` 1e-5 of their size.
    method : {"auto", "derived", "differences"}
        Where second derivatives come from, see `classify`.

    Returns
    -------
    CriticalPoints
        Points, kinds, links, barriers; prints as a table.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the problem has neither a box nor `x0`.

    References
    ----------
    D. J. Wales, Energy Landscapes, Cambridge University Press (2003), doi:10.1017/CBO9780511721724, chapter 6.

    Examples
    --------
    >>> import fastgd as gd
    >>> found = gd.find_critical_points(gd.problems.himmelblau(), 200)
    >>> found
    <CriticalPoints of himmelblau: 4 minima, 4 saddles, 1 maximum>
    >>> found.fun[found.saddles].round(4)
    array([ 13.3119,  67.7192, 104.0152, 178.3372])
    """
    check_problem(problem)
    check_choice("method", method, METHODS)
    zero_modes = checked_zero_modes(zero_modes, problem.dim)
    check_grouping(tol, coordinates, problem.dim)
    if x0 is None and problem.bounds is None:
        raise ValueError(f"x0 must be given: {problem.name} has no box to draw starts from; or Problem(..., bounds=)")
    if x0 is None:
        n_starts = positive_integer(n_starts, "n_starts")
        check_points("n_starts", n_starts, problem.dim)
        if n_starts > _MOST_STARTS:
            raise ValueError(f"n_starts must be at most {_MOST_STARTS:,}, got {n_starts:,}: Sobol' sequences end there")
        starts = problem.sample(n_starts, seed, "sobol")
    else:
        starts = problem._points(x0).reshape(-1, problem.dim)
        if not len(starts) or not np.isfinite(starts).all():
            raise ValueError("x0 must hold at least one start, all of them finite")
    source = checked_method(problem, method)
    rtol = RTOL[source]
    derivatives = Derivatives(problem.gradient, lambda x: hessians(problem, x, source), rtol)

    given = None if problem.bounds is not None else spread_of(starts)
    scale = length_scale(problem, starts, given).max(axis=0)
    units = units_of(box_scale(problem.bounds) if problem.bounds is not None else scale)
    derivatives = derivatives.in_units(units)
    search = Search(problem, derivatives, source, zero_modes, coordinates, tol, units, given)

    with np.errstate(all="ignore"):
        ends = minimize_gradient(derivatives, starts / units, length_scale(problem, starts, given) / units) * units
    pool, lost = search.kept(ends)
    groups, chosen = search.grouped(pool)
    saddles = chosen[is_pass(pool.kind[chosen], pool.index[chosen])]
    below = search.below(pool, saddles)

    together = pool.with_more(search.kept(below)[0])
    groups, chosen = search.grouped(together)
    order = search.sorted(together, chosen)
    rank = np.empty(len(chosen), dtype=np.int64)
    rank[order] = np.arange(len(chosen))
    groups, chosen = rank[groups], chosen[order]
    links = np.full((len(chosen), 2), -1, dtype=np.int64)
    reached = np.full(len(below), -1, dtype=np.int64)
    is_minimum = together.kind[chosen] == "minimum"
    added = groups[len(pool.x) :]
    reached[together.source[len(pool.x) :]] = np.where(is_minimum[added], added, -1)
    links[groups[saddles]] = np.sort(reached.reshape(2, -1).T, axis=1)
    x = together.x[chosen]
    return CriticalPoints(
        x=x,
        fun=problem.value(x),
        error=together.error[chosen],
        shape=classify(problem, x, zero_modes=zero_modes, method=source, scale=given),
        counts=np.bincount(groups[: len(pool.x)], minlength=len(chosen)),
        links=links,
        n_starts=len(starts),
        name=problem.name,
        boxed=problem.bounds is not None,
        lost=lost,
    )


def spread_of(starts: Array) -> Array:
    """Return a tenth of the sides of the box of starts, shape (n,), or their size where they do not differ."""
    side, size = np.ptp(starts, axis=0), np.abs(starts).max(axis=0)
    return 0.1 * np.where(side > 1e-12 * size, side, np.maximum(1.0, size))
