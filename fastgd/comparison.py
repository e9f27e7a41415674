"""Several optimizers from the same starts, side by side with the gradient flow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import PER_RUN, check_order, check_problem, check_single
from fastgd.baseline import GradientFlow
from fastgd.basins import Agreement, Basins, basin_agreement, find_basins, wilson
from fastgd.basins.attractors import check_grouping
from fastgd.boxes import as_array, real_array
from fastgd.calls import explain_calls
from fastgd.checks import shown
from fastgd.errors import Interrupted, keeping
from fastgd.minimize import minimize
from fastgd.optimizers import Method
from fastgd.points import described
from fastgd.problem import Problem
from fastgd.result import Result
from fastgd.stopping import StopTests
from fastgd.texts import counted, table_lines

__all__ = ["Comparison", "Contestant", "compare"]

FLOW = GradientFlow()
ACCURACY = 1e-6  # of a minimum's value, relative to max(|value|, 1)
COLUMNS = (
    ("optimizer", "optimizer"), ("global", "global"), ("global_interval", "95 % interval"), ("elsewhere", "elsewhere"),
    ("elsewhere_interval", "95 % interval"), ("settled", "settled"), ("values", "values/run"),
    ("gradients", "gradients/run"), ("steps", "steps/run"), ("seconds", "seconds"),
)  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Contestant:
    """One optimizer of a comparison.

    Attributes
    ----------
    name : str
        What it is called there.
    optimizer : Method
        The optimizer.
    result : Result
        Its runs.
    basins : Basins
        Where they ended.
    agreement : Agreement or None
        Against the reference.
    found : ndarray of bool, shape (*batch,)
        Whether a run came to the global minimum.
    values, gradients : ndarray of int, shape (*batch,)
        Evaluations of each run.
    seconds : float
        Time of all runs; the kernel had been compiled before.
    """

    name: str
    optimizer: Any
    result: Result
    basins: Basins
    agreement: Agreement | None
    found: NDArray[np.bool_]
    seconds: float

    @property
    def values(self) -> NDArray[np.int64]:
        """Values computed by each run; 0 for rules that use gradients alone."""
        counted = self.result.nfev
        return np.zeros(self.result.status.shape, np.int64) if counted is None else counted

    @property
    def gradients(self) -> NDArray[np.int64]:
        """Gradients computed by each run; where they are not counted, one for each step and one at the end."""
        return self.result.nit + 1 if self.result.njev is None else self.result.njev

    def row(self) -> dict[str, Any]:
        """The numbers of the table, as built-in types; None where there is no reference."""
        runs, found = self.found.size, int(np.count_nonzero(self.found))
        met = self.agreement
        return {
            "optimizer": self.name,
            "global": found / runs,
            "global_interval": tuple(wilson(found, runs).tolist()),
            "elsewhere": None if met is None else met.share,
            "elsewhere_interval": None if met is None else tuple(met.interval.tolist()),
            "settled": float(np.mean(self.basins.labels >= 0)),
            "values": float(np.mean(self.values)),
            "gradients": float(np.mean(self.gradients)),
            "steps": float(np.mean(self.result.nit)),
            "seconds": self.seconds,
        }


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """What `compare` found; prints as a table.

    Attributes
    ----------
    problem : Problem
        What was minimized.
    x0 : ndarray, shape (*batch, n)
        The starts.
    contestants : tuple of Contestant
        The optimizers, in the order given.
    reference : Contestant or None
        The reference; it may be one of the contestants.
    global_value : float
        The value that counts as the global minimum: the lowest known one, or the lowest that any of them found.
    """

    problem: Problem
    x0: NDArray[np.float64]
    contestants: tuple[Contestant, ...]
    reference: Contestant | None
    global_value: float

    def __len__(self) -> int:
        return len(self.contestants)

    def __getitem__(self, key: int | str) -> Contestant:
        """A contestant by its place or its name."""
        if isinstance(key, str):
            names = [each.name for each in self.contestants]
            if key not in names:
                raise KeyError(f"{key!r} is not among {', '.join(names)}")
            key = names.index(key)
        if not isinstance(key, (int, np.integer)) or isinstance(key, bool):
            raise TypeError(f"a contestant is found by its place or its name, got {shown(key)}")
        return self.contestants[key]

    @property
    def all(self) -> tuple[Contestant, ...]:
        """The contestants, and the reference at the end where it is none of them."""
        others = () if self.reference is None or self.reference in self.contestants else (self.reference,)
        return (*self.contestants, *others)

    @property
    def runs(self) -> int:
        """How many runs each optimizer made: one from each start, or for each seed and start."""
        return self.contestants[0].found.size

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary for each line of the table, the reference last.

        ``optimizer``; ``global``, the share of runs that came to the global minimum, and its interval; ``elsewhere``,
        the share that the reference sends elsewhere, and its interval; ``settled``, the share that came to rest at all;
        means over the runs of ``values``, ``gradients`` and ``steps``; ``seconds`` for all of them together.  There is
        one run from each start, or one for each of the seeds where these are an array.
        """
        return [each.row() for each in self.all]

    def to_dict(self) -> dict[str, Any]:
        """Everything in the table as built-in numbers, lists and strings, ready for JSON."""
        return {
            "problem": self.problem.name,
            "starts": int(np.prod(self.x0.shape[:-1], dtype=np.int64)),
            "runs": self.runs,
            "global_value": number_or_none(self.global_value),
            "reference": None if self.reference is None else self.reference.name,
            "rows": [{k: number_or_none(v) for k, v in row.items()} for row in self.rows()],
        }

    def to_frame(self) -> Any:
        """The table as a pandas frame, one row for each optimizer.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas; rows() gives plain dictionaries") from error
        frame = pd.DataFrame(self.rows()).set_index("optimizer")
        for name in ("global", "elsewhere"):
            ends = frame.pop(f"{name}_interval")
            for k, side in enumerate(("low", "high")):
                place = int(frame.columns.get_loc(name)) + 1 + k
                frame.insert(place, f"{name}_{side}", [np.nan if pair is None else pair[k] for pair in ends])
        return frame

    def costs(self) -> NDArray[np.float64]:
        """Values and gradients together of each run by each contestant, an array of shape ``(len(self), *batch)``.

        Infinite where the contestant did not come to the global minimum.
        """
        return np.stack([np.where(each.found, each.values + each.gradients, np.inf) for each in self.contestants])

    def profile(self, factors: ArrayLike) -> NDArray[np.float64]:
        r"""The performance profile.

        For each contestant s the share of starts that it solves with at most so many times the evaluations of the best
        one,

        .. math:: \rho_s(\tau) = \frac{1}{|P|} \left|\{p \in P: t_{p,s} \le \tau \min_{s'} t_{p,s'}\}\right|,

        where t counts values and gradients, and a start that does not lead to the global minimum is not solved.

        Parameters
        ----------
        factors : array_like, shape (k,)
            The factors :math:`\tau \ge 1`.

        Returns
        -------
        ndarray, shape (len(self), k)
            The shares.

        References
        ----------
        E. D. Dolan, J. J. Moré, Benchmarking optimization software with performance profiles,
        Mathematical Programming 91 (2002) 201-213, doi:10.1007/s101070100263.
        """
        costs = self.costs().reshape(len(self), -1)
        best = costs.min(axis=0)
        ratios = np.where(np.isfinite(costs), costs / np.where(np.isfinite(best), best, 1.0), np.inf)
        limits = real_array(factors, "factors")
        if limits.ndim != 1:
            raise ValueError(f"factors must have shape (k,), got shape {limits.shape}")
        ordered = np.sort(ratios, axis=1)
        return np.stack([np.searchsorted(row, limits, side="right") for row in ordered]) / costs.shape[1]

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self.contestants)
        return f"<Comparison on {self.problem.name}: {names}>"

    def __str__(self) -> str:
        starts = int(np.prod(self.x0.shape[:-1], dtype=np.int64))
        against = "" if self.reference is None else f"; elsewhere: than {self.reference.name}"
        many = f": {counted(self.runs, 'run')}" if self.runs != starts else ""
        title = f"{self.problem.name}{many} from {counted(starts, 'start')}"
        best = "-" if np.isnan(self.global_value) else f"{self.global_value:.6g}"
        # What is the lowest seen need not be the global minimum
        known = self.problem.minima is not None
        column, to = ("global", "global: to f =") if known else ("lowest", "lowest: to the lowest value found, f =")
        lines = [f"{title}; {to} {best}{against}"]
        cells = [[column if key == "global" else title for key, title in COLUMNS]]
        cells += [[text(key, row[key]) for key, _ in COLUMNS] for row in self.rows()]
        kept = [j for j in range(len(COLUMNS)) if self.reference is not None or "elsewhere" not in COLUMNS[j][0]]
        return "\n".join([*lines, *table_lines([[line[j] for j in kept] for line in cells])])


def number_or_none(cell: Any) -> Any:
    """A cell as JSON knows it: a list in the place of a tuple, and None in that of NaN."""
    if isinstance(cell, tuple):
        return [number_or_none(each) for each in cell]
    return None if isinstance(cell, float) and np.isnan(cell) else cell


def text(key: str, cell: Any) -> str:
    """A cell of the table: shares as percentages, the rest in four digits."""
    if isinstance(cell, str):
        return cell
    if number_or_none(cell) is None or (isinstance(cell, tuple) and np.isnan(cell).any()):
        return "-"
    if key in ("global", "elsewhere", "settled"):
        return f"{cell:.2%}"
    if isinstance(cell, tuple):
        return f"{100 * cell[0]:.2f} - {100 * cell[1]:.2f} %"
    return f"{cell:.4g}"


@explain_calls()
def compare(
    problem: Problem,
    x0: ArrayLike,
    optimizers: Sequence[Method] | Mapping[str, Method],
    reference: Method | None = FLOW,
    *,
    tol: ArrayLike | None = None,
    **minimize_options: Any,
) -> Comparison:
    """Run several optimizers from the same starts, and compare what they find, and at what cost.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    x0 : array_like, shape (*batch, n)
        The starts.  A grid of shape (a, b, n), as `Problem.grid` gives it, makes `fastgd.plot.compare` draw maps, but
        where there is one run for each of several seeds.
    optimizers : sequence of Method, or mapping of names to them
        At least one, each with one value of every hyperparameter.  Without names they bear those of their classes,
        numbered where one comes twice.
    reference : Method or None, default ``GradientFlow()``
        What decides where a start belongs; None to leave that question out.  One of the `optimizers` may be it, which
        then runs once: where `reference` is left out, the first `GradientFlow` among them is.
    tol : float or array_like of shape (n,), optional
        Tells attractors apart, see `find_basins`.
    **minimize_options
        Further arguments of `minimize` for all of them, the reference included, such as ``gtol=1e-8``.

    Returns
    -------
    Comparison
        One line for each optimizer: how many runs came to the global minimum, how many went elsewhere than by the
        reference, how many values, gradients and steps a run took in the mean, and how long all of them took.

    Raises
    ------
    TypeError, ValueError
        Before any work, for what is no optimizer, for hyperparameters that are arrays, and for whatever `minimize`
        refuses.
    Interrupted
        On Ctrl-C: a `KeyboardInterrupt` whose `partial` has the `Result` of each optimizer that was done, by its name,
        and that of the one under way as the last.

    Notes
    -----
    A run has come to the global minimum where it has settled at an attractor whose value is at most ``1e-6
    * max(|f|, 1)`` above the lowest known one; of a problem without known minima, above the lowest that any of them
    found.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.styblinski_tang(dim=2)
    >>> found = gd.compare(problem, problem.sample(2000, seed=0), [gd.Adam(lr=0.05), gd.GradientDescent(lr=0.01)])
    >>> found["GradientDescent"].row()["elsewhere"]
    0.0
    >>> [each.name for each in found.all]
    ['Adam', 'GradientDescent', 'GradientFlow']
    """
    check_problem(problem)
    check_order(x0, optimizers, "compare(problem, x0, optimizers)")
    named = named_optimizers(optimizers)
    if reference is not None and not isinstance(reference, Method):
        raise TypeError(f"reference must be an optimizer such as fastgd.GradientFlow(), or None, got {reference!r}")
    for argument in ("record", "average"):
        if argument in minimize_options:
            raise TypeError(f"{argument} is not an option of compare for minimize; leave {argument}= out")
    judge = judge_of(named, reference)
    every = dict(named)
    if reference is not None and judge == "reference":
        every[judge] = reference
    for name, optimizer in every.items():
        varied = {f"{name}: {number}": value for number, value in optimizer.hyperparameters().items()}
        check_single(varied, "for a comparison", "give one optimizer for each of its values")
    drawn = {name: minimize_options.get(name) for name in PER_RUN}
    check_single(drawn, "for a comparison", "make one comparison for each of its values")
    check_grouping(tol, None, problem.dim)
    StopTests(**{each.name: minimize_options[each.name] for each in fields(StopTests) if each.name in minimize_options})
    starts = as_array(x0, "x0")
    first = starts.reshape(-1, starts.shape[-1])[:1] if starts.ndim and starts.size else starts
    quiet = {**minimize_options, "progress": False, "max_steps": 1}
    for name, optimizer in every.items():  # what is refused is refused now, and compiled outside the clock
        try:  # a kernel may depend on how many runs there are, but for methods that go from start to start
            with keeping(None, "no run had begun"):
                minimize(problem, starts if optimizer.engine is None else first, optimizer, **quiet)
        except ValueError as error:
            if name != "reference":
                raise
            raise ValueError(f"reference: {error}; or give reference=None, to compare without one") from None

    results: dict[str, Result] = {}
    seconds = {}
    for name, optimizer in every.items():
        began = time.perf_counter()
        try:
            results[name] = minimize(problem, starts, optimizer, **minimize_options)
        except KeyboardInterrupt as error:
            under_way = {name: error.partial} if isinstance(error, Interrupted) else {}
            said = f"interrupted; {len(results)} of {len(every)} optimizers were done"
            raise Interrupted(said, partial={**results, **under_way}) from None
        seconds[name] = time.perf_counter() - began
    with keeping(results, "all runs were done"):
        return compared(problem, starts, every, results, seconds, tol, judge)


def compared(
    problem: Problem,
    starts: NDArray[np.float64],
    every: Mapping[str, Method],
    results: Mapping[str, Result],
    seconds: Mapping[str, float],
    tol: ArrayLike | None,
    judge: str | None,
) -> Comparison:
    """Compare runs by their optimizers' names; `judge` is that of the reference, "reference" if it is none of them."""
    basins = {name: find_basins(result, tol) for name, result in results.items()}
    lowest = lowest_value(problem, basins)

    def contestant(key: str, name: str) -> Contestant:
        own = basins[key]
        at_global = as_low_as(own.fun, lowest)
        settled = own.labels >= 0
        found = settled & (at_global[np.where(settled, own.labels, 0)] if len(own) else False)
        met = None if judge is None else basin_agreement(own, basins[judge])
        return Contestant(name, every[key], results[key], own, met, found, seconds[key])

    contestants = {name: contestant(name, name) for name in every if name != "reference"}
    against = contestants.get(judge) if judge is not None else None
    if judge == "reference":
        label = every[judge].label
        against = contestant(judge, f"{label} (reference)" if label in contestants else label)
    return Comparison(problem, starts, tuple(contestants.values()), against, lowest)


def judge_of(named: Mapping[str, Method], reference: Method | None) -> str | None:
    """Return the name of the reference among the optimizers; "reference" where it is none of them, None without one."""
    if reference is None:
        return None
    if reference is FLOW:
        same = [name for name, optimizer in named.items() if isinstance(optimizer, GradientFlow)]
    else:
        same = [name for name, optimizer in named.items() if optimizer is reference]
    return same[0] if same else "reference"


def lowest_value(problem: Problem, basins: Mapping[str, Basins]) -> float:
    """The value of the global minimum, as far as it is known."""
    if problem.minima is not None:
        return float(np.min(problem.value(problem.minima)))
    values = [float(each.fun.min()) for each in basins.values() if len(each)]
    return min(values, default=float("nan"))


def as_low_as(values: Any, lowest: float) -> Any:
    """Tell which values count as equal to the lowest.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.comparison import as_low_as
    >>> as_low_as(np.array([-70.0, -69.99995, -69.9]), -70.0)
    array([ True,  True, False])
    """
    return values <= lowest + ACCURACY * max(abs(lowest), 1.0)


def named_optimizers(optimizers: Any) -> dict[str, Method]:
    """The optimizers by name."""
    if isinstance(optimizers, Mapping):
        named = dict(optimizers)
    elif isinstance(optimizers, (list, tuple)):
        kinds = [each.label if isinstance(each, Method) else repr(each) for each in optimizers]
        names = [f"{k} {kinds[: i + 1].count(k)}" if kinds.count(k) > 1 else k for i, k in enumerate(kinds)]
        named = dict(zip(names, optimizers, strict=True))
    else:
        got = described(optimizers)
        raise TypeError(f"optimizers must be a list of optimizers or a mapping of names to them, got {got}")
    if not named:
        raise ValueError("optimizers is empty: give at least one, such as [fastgd.Adam(lr=0.05)]")
    for name, optimizer in named.items():
        if not isinstance(name, str) or name == "reference":
            raise ValueError(f"optimizers: a name must be a string other than 'reference', got {name!r}")
        if not isinstance(optimizer, Method):
            raise TypeError(f"optimizers: {name} must be an optimizer such as fastgd.Adam(lr=0.05), got {optimizer!r}")
    return named
