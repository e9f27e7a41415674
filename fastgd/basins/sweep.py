"""How basins change with a hyperparameter: the same starts for each of its values, in one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.attractors import check_grouping, find_basins
from fastgd.basins.found import DIVERGED, UNSETTLED, Basins
from fastgd.basins.intervals import wilson
from fastgd.boxes import positive_integer, real_array
from fastgd.calls import explain_calls
from fastgd.errors import keeping, nearest
from fastgd.keywords import HYPERPARAMETERS, called_here
from fastgd.memory import check_points
from fastgd.texts import Summarized, counted, position_text, table_lines

if TYPE_CHECKING:
    from fastgd.problem import Problem


SHOWN = 6  # attractors with a column of their own in the table


@dataclass(frozen=True, repr=False, eq=False)
class BasinSweep(Summarized):
    """Basins for each value of a hyperparameter, or each combination of several; prints as a table.

    The first axes are those of `over`, in its order; k is the number of attractors of all values together.

    Attributes
    ----------
    over : dict of str to ndarray
        The hyperparameters and their values.
    basins : Basins
        The attractors, over all runs; labels of shape (*values, starts).
    fractions : ndarray, shape (*values, k)
        Share of the starts that lead to each attractor.
    intervals : ndarray, shape (*values, k, 2)
        95 % Wilson intervals, for starts drawn at random.
    unsettled, diverged : ndarray, shape (*values,)
        Share of the starts that ended in no attractor.
    entropy : ndarray, shape (*values,)
        Entropy of the outcome in nats, without attractor being two outcomes more: 0 where all starts lead to the same.
    mean_nit : ndarray, shape (*values, k)
        Mean steps to each attractor; NaN where no start leads there.
    starts : ndarray, shape (starts, n)
        The starts.
    optimizer : Optimizer
        By what, as given.
    """

    over: dict[str, NDArray[np.float64]]
    basins: Basins
    fractions: NDArray[np.float64]
    intervals: NDArray[np.float64]
    unsettled: NDArray[np.float64]
    diverged: NDArray[np.float64]
    entropy: NDArray[np.float64]
    mean_nit: NDArray[np.float64]
    starts: NDArray[np.float64]
    optimizer: Any

    @property
    def limits(self) -> NDArray[np.float64] | None:
        r"""Largest rate at which the optimizer stays at each attractor, shape (k,); None where no formula is known.

        That is :math:`2 / \lambda_{max}` for plain gradient descent, and for others their `largest_stable_rate`. NaN
        where an attractor is no minimum, as a step aside goes down from there. Where hyperparameters besides the rate
        are swept, the shape is (*values, k), the same for every rate. None also where the weight decay is swept, which
        moves the minima.
        """
        rule = swept_rule(self)
        if rule is None:
            return None
        curvature = self.basins.curvature
        limits = np.where(curvature.index == 0, rule.largest_stable_rate(curvature.sharpness), np.nan)
        besides = any(not is_rate(name) for name in self.over)
        return np.broadcast_to(limits, (*self.entropy.shape, len(self.basins))).copy() if besides else limits

    def last(self, name: str | None = None) -> NDArray[np.float64]:
        """Return the largest value at which each attractor was still reached, shape (k,).

        Parameters
        ----------
        name : str, optional
            The hyperparameter; not needed where there is one.

        Returns
        -------
        ndarray, shape (k,)
            For the learning rate, compare with `limits`.

        Raises
        ------
        ValueError
            If there is no such hyperparameter, or there are several and none is named.
        """
        if name is None and len(self.over) == 1:
            name = next(iter(self.over))
        if name not in self.over:
            raise ValueError(f"name must be one of {', '.join(self.over)}, got {name!r}")
        axis = list(self.over).index(name)
        values = np.moveaxis(self.fractions, axis, 0) > 0
        reached = values.reshape(len(values), -1, values.shape[-1]).any(axis=1)
        return np.where(reached, self.over[name][:, None], -np.inf).max(axis=0)

    def __repr__(self) -> str:
        over = ", ".join(f"{counted(values.size, 'value')} of {name}" for name, values in self.over.items())
        found = f"{counted(len(self.starts), 'start')}, {counted(len(self.basins), 'attractor')}"
        return f"<BasinSweep of {self.basins.name or 'a problem'}: {over}, {found}>"

    def summary(self, limit: int = 20) -> str:
        """Return a table of the values and the shares of the attractors, as plain text.

        Parameters
        ----------
        limit : int
            Most rows to show. Of more values the first and the last are shown, those beside a change of which
            attractors are reached or of the most frequent outcome from one value to the next larger one, and of the
            others some at equal distances.

        Returns
        -------
        str
            One line for each value, or each combination of several: the shares of the first attractors, of all others,
            of runs that did not settle or diverged, and the entropy of the outcome; then where the attractors are.
        """
        limit, shape = positive_integer(limit, "limit"), self.entropy.shape
        beside = self._beside_changes()
        rows = telling_rows(beside, limit)
        shown = min(SHOWN, len(self.basins))
        shares = self.fractions.reshape(self.entropy.size, len(self.basins))
        ended = {
            "others": shares[:, shown:].sum(axis=1), "not settled": self.unsettled.reshape(-1),
            "diverged": self.diverged.reshape(-1),
        }  # fmt: skip
        ended = {name: share for name, share in ended.items() if share.any()}
        table = [[*self.over, *(f"to {k}" for k in range(shown)), *ended, "entropy"]]
        for row in rows:
            place = np.unravel_index(row, shape)
            values = [f"{v[k]:.6g}" for v, k in zip(self.over.values(), place, strict=True)]
            parts = [*shares[row, :shown], *(share[row] for share in ended.values())]
            table.append([*values, *(f"{part:.2%}" for part in parts), f"{self.entropy[place]:.3f}"])
        lines = [repr(self)[1:-1], *table_lines(table, left=())]
        if left_out := self.entropy.size - len(rows):
            hidden = int(beside.sum() - beside[rows].sum())
            which = f"{hidden:,} of them" if hidden else "none"
            change = "beside a change of the attractors reached or of the most frequent outcome"
            lines.append(f"{counted(left_out, 'row')} left out, {which} {change}; summary(limit=) shows more")
        lines += [f"{k}: {position_text(self.basins.x, k, scale=self.basins.shown_scale)}" for k in range(shown)]
        return "\n".join(lines)

    def _beside_changes(self) -> NDArray[np.bool_]:
        """Tell which rows have a neighbour with other attractors or another most frequent outcome.

        Neighbours are the next values along any axis, in whatever order the values are given.
        """
        outcomes = np.concatenate([self.fractions, self.unsettled[..., None], self.diverged[..., None]], axis=-1)
        told = np.concatenate([self.fractions > 0, outcomes.argmax(axis=-1)[..., None]], axis=-1)
        beside = np.zeros(self.entropy.shape, dtype=bool)
        for axis, values in enumerate(self.over.values()):
            order = np.argsort(values, kind="stable")
            along, marked = np.moveaxis(told, axis, 0)[order], np.moveaxis(beside, axis, 0)
            changes = (along[1:] != along[:-1]).any(axis=-1)
            marked[order[1:]] |= changes
            marked[order[:-1]] |= changes
        return beside.reshape(-1)


def is_rate(name: str) -> bool:
    """Tell whether a hyperparameter is the learning rate, or one of its schedule's."""
    return name == "lr" or name.startswith("lr.")


def swept_rule(found: BasinSweep) -> Any:
    """Return the optimizer of a sweep with the values swept, each along its axis, and one more for the attractors.

    None where it has no known `largest_stable_rate` at the attractors.
    """
    optimizer = found.optimizer
    if optimizer.stable_rate() is None:
        return None
    # The curvature of an attractor is that found at one of the values, but a decay moves the minimum itself.
    if "weight_decay" in found.over:
        return None
    names = list(found.over)
    swept = {
        name: values.reshape([-1 if name == other else 1 for other in names] + [1])
        for name, values in found.over.items()
        if not is_rate(name)
    }
    return dataclasses.replace(optimizer, lr=1.0, **swept)


def telling_rows(beside: NDArray[np.bool_], limit: int) -> NDArray[np.intp]:
    """Return at most `limit` rows: the first and the last, then those beside a change, then some of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.basins.sweep import telling_rows
    >>> telling_rows(np.arange(100) // 2 == 33, 6)
    array([ 0, 25, 66, 67, 75, 99])
    """
    kept = np.zeros(beside.size, dtype=bool)
    ends = np.zeros(beside.size, dtype=bool)
    ends[[0, -1]] = True
    for wanted in (ends, beside, ~kept):
        new = np.flatnonzero(wanted & ~kept)
        room = min(limit - int(np.count_nonzero(kept)), new.size)
        kept[new[((np.arange(room) + 0.5) * new.size / max(room, 1)).astype(np.intp)]] = True
    return np.flatnonzero(kept)


@explain_calls(places={'over, as in over={"{name}": [0.01, 0.1]}': HYPERPARAMETERS})
def sweep_basins(
    problem: Problem,
    optimizer: Any,
    over: Mapping[str, ArrayLike],
    *,
    n_starts: int = 1000,
    x0: ArrayLike | None = None,
    seed: int = 0,
    tol: ArrayLike | None = None,
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    **minimize_options: Any,
) -> BasinSweep:
    """Find basins for each value of one or more hyperparameters, from the same starts, in one batch.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    optimizer : Optimizer
        By what; the hyperparameters in `over` are replaced, the others are single numbers.
    over : mapping of str to array_like
        Values of each hyperparameter, one-dimensional, such as ``{"lr": np.geomspace(1e-3, 1, 100)}``. With several,
        all combinations are run. A parameter of a schedule is named as in ``"lr.lr"`` or ``"lr.period"``.
    n_starts : int
        Starts, drawn from the box.
    x0 : array_like, shape (m, n), optional
        Starts of your own in place of these.
    seed : int
        Seed of the draw.
    tol, coordinates
        Tell attractors apart, see `find_basins`.
    **minimize_options
        Further arguments of `minimize`, such as ``max_steps=100_000``.

    Returns
    -------
    BasinSweep
        Fractions, entropy and steps against the values.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, before any work.

    Examples
    --------
    The minimum of x² holds up to a rate of 1, which is 2 over its curvature:

    >>> import fastgd as gd
    >>> problem = gd.Problem(lambda x: x[0] ** 2, dim=1, bounds=(-1, 1))
    >>> sweep = gd.sweep_basins(problem, gd.GradientDescent(lr=0.1), {"lr": [0.1, 0.5, 0.99, 1.01]}, n_starts=100)
    >>> sweep.fractions[:, 0]
    array([1., 1., 1., 0.])
    >>> sweep.last(), sweep.limits
    (array([0.99]), array([1.]))
    """
    from fastgd.arguments import PER_RUN, check_kinds, check_single
    from fastgd.minimize import minimize
    from fastgd.optimizers import Method

    check_kinds(problem, optimizer, Method)
    if not isinstance(over, Mapping) or not over:
        raise TypeError(f'over must map hyperparameters to their values, as in {{"lr": [0.1, 0.2]}}, got {over!r}')
    known = list(dict.fromkeys(["lr", *optimizer.hyperparameters()]))
    values: dict[str, NDArray[np.float64]] = {}
    for name, given in over.items():
        if name not in known:
            here = called_here(str(name), known)
            hint = f" Here it is called {' or '.join(here)}." if here else nearest(str(name), known)
            raise ValueError(
                f"over must name hyperparameters of {type(optimizer).__name__}, {', '.join(known)}, got {name!r}.{hint}"
            )
        values[name] = real_array(given, f"over[{name!r}]")
        if values[name].ndim != 1 or values[name].size == 0:
            raise ValueError(f"over[{name!r}] must be a one-dimensional array, got shape {values[name].shape}")
    if x0 is None:
        n_starts = positive_integer(n_starts, "n_starts")
        check_points("n_starts", n_starts, problem.dim)
        starts = problem.sample(n_starts, seed)
    else:
        starts = problem._points(x0).reshape(-1, problem.dim)
    check_grouping(tol, coordinates, problem.dim)
    axes = len(values)
    shaped = {
        name: array.reshape([-1 if axis == k else 1 for k in range(axes)] + [1])
        for axis, (name, array) in enumerate(values.items())
    }
    swept = _with_values(optimizer, shaped)
    # An array as long as the starts would be dealt out to them one by one, and not be run from each
    others = {name: value for name, value in swept.hyperparameters().items() if name not in values}
    check_single(others, "beside those in over", "sweep it too: give its values in over")
    drawn = {name: minimize_options.get(name) for name in PER_RUN}
    check_single(drawn, "in a sweep", "make one sweep for each of its values")
    runs = minimize(problem, starts, swept, **minimize_options)
    with keeping(runs, "all runs were done"):
        basins = find_basins(runs, tol, coordinates=coordinates)
    count, steps = _per_value(basins, runs.nit)
    none = [np.mean(basins.labels == label, axis=-1) for label in (UNSETTLED, DIVERGED)]
    return BasinSweep(
        over=values,
        basins=basins,
        fractions=count / len(starts),
        intervals=wilson(count, len(starts)),
        unsettled=none[0],
        diverged=none[1],
        entropy=_entropy(np.concatenate([count / len(starts), np.stack(none, axis=-1)], axis=-1)),
        mean_nit=steps,
        starts=starts,
        optimizer=optimizer,
    )


def _with_values(optimizer: Any, values: Mapping[str, NDArray[np.float64]]) -> Any:
    """Replace hyperparameters, those of the schedule as well."""
    inner = {name.removeprefix("lr."): value for name, value in values.items() if name.startswith("lr.")}
    outer: dict[str, Any] = {name: value for name, value in values.items() if not name.startswith("lr.")}
    if inner:
        outer.setdefault("lr", dataclasses.replace(optimizer.lr, **inner))
    return dataclasses.replace(optimizer, **outer)


def _per_value(basins: Basins, nit: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how many runs of each value end in each attractor, and their mean steps, each of shape (*values, k)."""
    shape, k = basins.labels.shape[:-1], len(basins)
    settled = basins.labels >= 0
    value = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(*shape, 1), settled.shape)[settled]
    cell = value * k + basins.labels[settled]
    size = int(np.prod(shape)) * k
    count = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore"):
        steps = np.bincount(cell, weights=nit[settled], minlength=size) / count
    return count.reshape(*shape, k), steps.reshape(*shape, k)


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(shares > 0, shares * np.log(1.0 / shares), 0.0).sum(axis=-1)
