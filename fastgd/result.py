"""What a batch of descents found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import attribute_of
from .stopping import MESSAGES, Status
from .texts import counted

if TYPE_CHECKING:
    from .optimizers import Method
    from .problem import Problem

__all__ = ["Result"]

# What SciPy and scikit-learn call our attributes
MEANT = {"message": "messages", "jac": "grad_norm", "n_iter_": "nit", "loss": "fun", "value": "fun", "history": "trace"}


@dataclass(frozen=True, eq=False)
class Result:
    """End points of a batch of runs, and how each got there.

    Attributes
    ----------
    x : ndarray, shape (*batch, n)
        Where each run ended; for a diverged run the last point that was finite and inside the bound.
    fun : ndarray, shape (*batch,)
        The value at `x`.
    grad_norm : ndarray, shape (*batch,)
        The largest absolute component of the gradient at `x`.
    nit : ndarray of int, shape (*batch,)
        Steps taken.
    status : ndarray of int, shape (*batch,)
        How each run ended, see `fastgd.Status`: 0 gradient below ``gtol``; 1 no progress; 2 step limit; 3 diverged;
        4 line search failed; -1 not run (only in the partial result of an interrupted call).
    trace : ndarray, shape (*batch, points, n), or None
        Where ``record=k`` was asked for: the points after 0, k, 2k, ... steps, NaN past the end of a run.
    x_avg, fun_avg : ndarray, shapes (*batch, n) and (*batch,), or None
        Where an average was asked for: the averaged points and the values there.  A run that ended before its average
        began has its end point here.
    nfev, njev : ndarray of int, shape (*batch,), or None
        How many values and gradients a run computed, where its method counts them: line searches, SciPy's methods and
        the gradient flow.  A step of an update rule takes one gradient.
    raised : ndarray of bool, shape (*batch,), or None
        Which runs ended, with status 3, because the problem's functions raised an exception: at `x`, or on the way from
        there.  None where none did.
    error : str, or None
        What the first of them raised, as in ``"ValueError: outside"``.
    start_range : ndarray, shape (n, 2), or None
        The smallest box that holds all starts, of a problem without a box: it says what size its parameters have.
    record : int, or None
        Steps from one point of `trace` to the next.
    batch_size, noise : number or ndarray, or None
        As `minimize` was given them: an array where they differ from run to run, None where nothing is drawn.
    problem, optimizer
        What was run.

    Examples
    --------
    >>> import fastgd as gd
    >>> runs = gd.minimize(gd.problems.himmelblau(), [[0.0, 0.0], [-4.0, -4.0]], gd.Adam(lr=0.05))
    >>> runs.success
    array([ True,  True])
    >>> runs.fun.round(9)
    array([0., 0.])
    >>> runs.best, runs.x_best.round(6)
    ((0,), array([3., 2.]))
    """

    x: np.ndarray
    fun: np.ndarray
    grad_norm: np.ndarray
    nit: np.ndarray
    status: np.ndarray
    trace: np.ndarray | None = None
    problem: Problem | None = field(default=None, repr=False)
    optimizer: Method | None = field(default=None, repr=False)
    x_avg: np.ndarray | None = None
    fun_avg: np.ndarray | None = None
    nfev: np.ndarray | None = None
    njev: np.ndarray | None = None
    start_range: np.ndarray | None = field(default=None, repr=False)
    record: int | None = None
    batch_size: int | np.ndarray | None = None
    noise: float | np.ndarray | None = None
    raised: np.ndarray | None = None
    error: str | None = None

    if not TYPE_CHECKING:  # which would take any name then

        def __getattr__(self, name: str) -> Any:
            return attribute_of(self, name, MEANT)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the array of runs."""
        return self.status.shape

    @property
    def success(self) -> np.ndarray:
        """Whether each run met ``gtol``, of shape (*batch,)."""
        return self.status == Status.CONVERGED

    @property
    def messages(self) -> dict[int, str]:
        """What each status means, for those that occur; of diverged runs, also how many had nowhere to go from."""
        said = {int(code): MESSAGES[Status(code)] for code in np.unique(self.status)}
        if lost := self._lost_at_start:
            said[int(Status.DIVERGED)] += f" At {counted(lost, 'start')} the value or the gradient is not finite."
        if self.raised is not None:
            said[int(Status.DIVERGED)] += f" {self._told_raised}."
        return said

    @property
    def _told_raised(self) -> str:
        """How many runs raised, and what."""
        count = 0 if self.raised is None else int(np.count_nonzero(self.raised))
        return f"{counted(count, 'run')} raised {self.error or 'an exception'}"

    @property
    def _lost_at_start(self) -> int:
        """How many runs started where the value or the gradient is not finite."""
        undefined = ~(np.isfinite(self.fun) & np.isfinite(self.grad_norm))
        return int(np.count_nonzero((self.status == Status.DIVERGED) & (self.nit == 0) & undefined))

    @property
    def best(self) -> tuple[int, ...]:
        """The index of the run with the lowest value among those that did not diverge.

        It is a tuple, one number for each axis of the batch, for all arrays over the runs: ``runs.nit[runs.best]``.
        `x_best` and `fun_best` are where that run ended.

        Raises
        ------
        ValueError
            If every run diverged.
        """
        usable = self._usable
        if not usable.any():
            raise ValueError("no run is left to choose from: all of them diverged")
        values = np.where(usable, self.fun, math.inf)
        return tuple(int(k) for k in np.unravel_index(np.argmin(values), values.shape))

    @property
    def x_best(self) -> np.ndarray:
        """Where the run with the lowest value ended, shape (n,): ``x[best]``."""
        return self.x[self.best]

    @property
    def fun_best(self) -> float:
        """The lowest value that a run ended with, ``fun[best]``."""
        return float(self.fun[self.best])

    @property
    def _usable(self) -> np.ndarray:
        """Whether each run ended with a finite value and did not diverge, of shape (*batch,)."""
        return np.isfinite(self.fun) & (self.status != Status.DIVERGED) & (self.status != Status.NOT_RUN)

    def summary(self) -> dict[str, Any]:
        """Counts by status, and the range of values and steps, as plain numbers.

        The values are those of the runs that did not diverge, or of all where every run did.
        """
        codes, numbers = np.unique(self.status, return_counts=True)
        counts = {Status(code).name.lower(): int(n) for code, n in zip(codes, numbers, strict=True)}
        ended = self.status >= 0
        finite = self.fun[self._usable if self._usable.any() else ended & np.isfinite(self.fun)]
        steps = self.nit[ended]
        return {
            "runs": int(self.status.size),
            "counts": counts,
            "success_rate": float(np.mean(self.success)),
            "fun_min": float(finite.min()) if finite.size else math.nan,
            "fun_median": float(np.median(finite)) if finite.size else math.nan,
            "nit_mean": float(steps.mean()) if steps.size else math.nan,
            "nit_max": int(steps.max()) if steps.size else 0,
            **{
                f"{name}_mean": float(counts[ended].mean()) if steps.size else math.nan
                for name, counts in (("nfev", self.nfev), ("njev", self.njev))
                if counts is not None
            },
        }

    def __str__(self) -> str:
        facts = self.summary()
        shape = f"batch shape {self.batch_shape}, " if len(self.batch_shape) > 1 else ""
        name = f" on {self.problem.name}" if self.problem is not None else ""
        how = f" by {self.optimizer.label}" if self.optimizer is not None else ""
        lines = [f"{counted(facts['runs'], 'run')}{name}{how} ({shape}dimension {self.x.shape[-1]})"]
        for code, count in facts["counts"].items():
            lines.append(f"  {code.replace('_', ' '):<18} {count:>10}  {count / facts['runs']:8.2%}")
            if code == "diverged" and (lost := self._lost_at_start):
                lines.append(f"    {lost:,} of them at the start: value or gradient not finite there")
            if code == "diverged" and self.raised is not None:
                lines.append(f"    {self._told_raised}")
        if not math.isnan(facts["fun_min"]):
            lines.append(f"  lowest value       {facts['fun_min']:.6g}, median {facts['fun_median']:.6g}")
        if not math.isnan(facts["nit_mean"]):
            lines.append(f"  steps              mean {facts['nit_mean']:.1f}, most {facts['nit_max']}")
        for name, text in (("nfev_mean", "values"), ("njev_mean", "gradients")):
            if not math.isnan(facts.get(name, math.nan)):
                lines.append(f"  {text:<18} mean {facts[name]:.1f}")
        return "\n".join(lines)

    __repr__ = __str__
