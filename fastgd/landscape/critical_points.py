"""All points where the gradient is zero: found from many starts, told apart, and saddles linked to minima."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.basins.attractors import check_grouping
from fastgd.basins.clusters import group_points, split_at_gaps
from fastgd.basins.found import UNSETTLED, doubt_lines
from fastgd.boxes import positive_integer, real_array
from fastgd.calls import explain_calls
from fastgd.errors import check_choice
from fastgd.landscape.classification import Classification, checked_zero_modes, classify
from fastgd.landscape.curvature import METHODS, checked_method, few_values, hessians, length_scale
from fastgd.landscape.kinds import KINDS, RTOL, judged
from fastgd.landscape.stationary import Array, Derivatives, descend, minimize_gradient, polish
from fastgd.landscape.tree import DisconnectivityTree, disconnectivity_tree
from fastgd.memory import check_points
from fastgd.texts import Summarized, counted, first_lines, position_text

if TYPE_CHECKING:
    from fastgd.problem import Problem

# What is left of Newton's step, in the scale of the parameters, where a point counts as found
_FOUND = 1e-8
_MOST_STARTS = 2**30
_FLAT_GRADIENT = 1e-8
_RELATIVE_TOL = 1e-5
_FIRST_STEP = 1e-3
_FAR = 1e10


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
        return "\n".join([head, *table, *doubts, *self._unseen_lines()])

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
        return str(k), kind, value, position_text(self.x, k), f"{self.counts[k]:,}", joins, barriers


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

    with np.errstate(all="ignore"):
        ends = minimize_gradient(derivatives, starts, length_scale(problem, starts))
    search = _Search(problem, derivatives, source, zero_modes, coordinates, tol)
    pool = search.kept(ends)
    groups, chosen = search.grouped(pool)
    saddles = chosen[is_pass(pool.kind[chosen], pool.index[chosen])]
    below = search.below(pool, saddles)

    together = pool.with_more(search.kept(below))
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
        shape=classify(problem, x, zero_modes=zero_modes, method=source),
        counts=np.bincount(groups[: len(pool.x)], minlength=len(chosen)),
        links=links,
        n_starts=len(starts),
        name=problem.name,
        boxed=problem.bounds is not None,
    )


@dataclass(frozen=True)
class _Pool:
    """Stationary points, merged or not: where, how exact, of which kind, and from which start."""

    x: Array
    error: Array
    kind: NDArray[np.str_]
    index: NDArray[np.int64]
    source: NDArray[np.intp]

    def with_more(self, other: _Pool) -> _Pool:
        return _Pool(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Search:
    """What all steps of one search share."""

    problem: Any
    derivatives: Derivatives
    method: str
    zero_modes: int
    coordinates: Callable[[Array], Array] | None
    tol: ArrayLike | None

    def kept(self, ends: Array) -> _Pool:
        """Polish points and keep those that are stationary, inside the box and finite."""
        with np.errstate(all="ignore"):
            x, error, g, values = polish(self.derivatives, ends)
        scale = length_scale(self.problem, x)
        top = np.abs(values).max(axis=1, initial=0.0)
        good = np.isfinite(x).all(axis=1) & np.isfinite(g).all(axis=1)
        good &= error <= _FOUND * scale.max(axis=1)
        # Where the Hessian is singular along the gradient, Newton's step is zero and the gradient need not be.
        good &= np.abs(g).max(axis=1) <= _FLAT_GRADIENT * top * scale.max(axis=1)
        if self.problem.bounds is not None:
            low, high = self.problem.bounds.T
            good &= np.all((x >= low - 1e-9 * (high - low)) & (x <= high + 1e-9 * (high - low)), axis=1)
        # A derivative may go on where the function does not, as that of a logarithm does.
        good[good] = np.isfinite(few_values(self.problem, x[good]))
        source = np.flatnonzero(good)
        _, (kind, index, _) = judged(
            self.problem, x[source], g[source], self.method, self.zero_modes, self.derivatives.rtol
        )
        critical = kind != "not critical"
        source, kind, index = source[critical], kind[critical], index[critical]
        return _Pool(x[source], error[source], kind, index, source)

    def grouped(self, pool: _Pool) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Return the group of each point and the most exact point of each group."""
        compared = pool.x
        if self.coordinates is not None:
            compared = real_array(self.coordinates(pool.x), "what coordinates returned")
        fits = compared.ndim == 2 and len(compared) == len(pool.x) and compared.shape[1]
        if not fits or not np.isfinite(compared).all():
            raise ValueError(
                f"coordinates must map points of shape {pool.x.shape} to finite numbers of shape "
                f"({len(pool.x)}, d), got shape {compared.shape}"
            )
        width = self.width(compared)
        apart = np.column_stack([compared, 2.0 * pool.index])
        groups, _ = group_points(apart, np.append(width, 1.0))
        order = np.lexsort((np.arange(len(groups)), pool.error, groups))
        first = np.searchsorted(groups[order], np.arange(groups.max(initial=-1) + 1))
        return groups, order[first]

    def width(self, compared: Array) -> Array:
        d = compared.shape[1]
        if self.tol is not None:
            given = real_array(self.tol, "tol")
            if given.shape not in ((), (d,)) or not bool(np.all(np.isfinite(given) & (given > 0))):
                raise ValueError(f"tol must be positive and finite, a number or of shape ({d},), got {self.tol!r}")
            return np.broadcast_to(given, (d,))
        if self.coordinates is None and self.problem.bounds is not None:
            return _RELATIVE_TOL * (self.problem.bounds[:, 1] - self.problem.bounds[:, 0])
        size = np.median(np.abs(compared), axis=0) if len(compared) else np.zeros(d)
        return _RELATIVE_TOL * np.maximum(1.0, size)

    def below(self, pool: _Pool, saddles: NDArray[np.intp]) -> Array:
        """Return where the two lines of steepest descent from each saddle end, one side after the other."""
        x = pool.x[saddles]
        _, values, vectors = self.derivatives.at(x)
        lowest = vectors[:, :, 0]
        reach = _FIRST_STEP * length_scale(self.problem, x).min(axis=1, initial=np.inf)
        starts = np.concatenate([x + reach[:, None] * lowest, x - reach[:, None] * lowest])
        with np.errstate(all="ignore"):
            return descend(self.derivatives, starts, np.tile(10.0 * reach, 2), self.gone)

    def gone(self, x: Array) -> NDArray[np.bool_]:
        """Tell which points have left the box by more than its width, from where a descent seldom comes back."""
        if self.problem.bounds is None:
            return np.abs(x).max(axis=1) > _FAR
        low, high = self.problem.bounds.T
        return np.any((x < 2.0 * low - high) | (x > 2.0 * high - low), axis=1)

    def sorted(self, pool: _Pool, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the order of groups by value, and by position where values agree within rounding."""
        x = pool.x[chosen]
        fun = self.problem.value(x)
        noise = 1e-10 * max(1.0, float(np.abs(fun).max(initial=0.0)))
        columns = np.concatenate([fun[None], x.T])
        tol = np.concatenate([[noise], np.full(x.shape[1], 1e-9)])
        return np.argsort(split_at_gaps(columns, tol)[0], kind="stable") if len(x) else np.zeros(0, dtype=np.intp)
