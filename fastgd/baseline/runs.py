"""A batch of runs that someone else's method takes one by one: the task, checked, and the arrays it fills."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastgd.engine.starts import (
    checked_batch,
    checked_dtype,
    checked_starts,
    lie_on_gpu,
    range_of,
    settled,
    starts_between,
)
from fastgd.errors import Interrupted
from fastgd.finite_sum import FiniteSum
from fastgd.jit.exchange import as_like, on_gpu
from fastgd.memory import check_memory
from fastgd.optimizers import Method
from fastgd.problem import Problem
from fastgd.result import Result
from fastgd.sampling import checked_seed, make_sampling
from fastgd.stopping import Status, StopTests, take_raised

__all__ = ["Ends", "Task", "is_good", "make_task", "result_of"]

LARGEST = float(np.finfo(np.float64).max)


class Ends(NamedTuple):
    """A result's arrays over all runs in a row: x of shape (runs, n), the others of shape (runs,).

    Those of a flow on a GPU lie there.
    """

    x: np.ndarray
    fun: np.ndarray
    grad_norm: np.ndarray
    nit: np.ndarray
    status: np.ndarray
    nfev: np.ndarray
    njev: np.ndarray

    @classmethod
    def empty(cls, runs: int, n: int) -> Ends:
        """No run is done yet."""
        nit, nfev, njev = np.empty((3, runs), np.int64)
        fun, norm = np.empty((2, runs))
        ends = cls(np.empty((runs, n)), fun, norm, nit, np.empty(runs, np.int8), nfev, njev)
        ends.forget(slice(None))
        return ends

    def forget(self, where: Any) -> None:
        """Take these for runs that are not done."""
        self.put(where, (np.nan, np.nan, np.nan, 0, Status.NOT_RUN, 0, 0))

    def interrupted(self) -> Interrupted:
        """What to raise on Ctrl-C."""
        done = int(np.count_nonzero(self.status >= 0))
        return Interrupted(f"interrupted after {done} of {len(self.status)} runs", partial=self)

    def part(self, low: int, high: int) -> Ends:
        return Ends(*(array[low:high] for array in self))

    def put(self, where: Any, values: Any) -> None:
        """Set every array at `where`."""
        for array, value in zip(self, values, strict=True):
            array[where] = value


@dataclass(frozen=True, eq=False)
class Task:
    """Starts, and what to do with each."""

    problem: Problem
    optimizer: Any
    starts: Any  # broadcasts with batch + (n,): of NumPy, or of the shape batch + (n,) and a grid, or on a GPU
    batch: tuple[int, ...]
    stop: StopTests
    errors: dict[int, str] = field(default_factory=dict)  # by the run, what its functions raised
    origin: Any = None  # what was given as starts, whose library's arrays the result's are to be if it lies on a GPU

    @property
    def on_gpu(self) -> bool:
        """Whether the starts lie on a GPU, and the results are to lie there too."""
        return lie_on_gpu(self.starts)

    @property
    def runs(self) -> int:
        return int(np.prod(self.batch, dtype=np.int64))

    def take(self, ends: Ends, run: int, values: tuple[Any, ...]) -> None:
        """Put what a runner returned into the arrays, and keep what the functions raised."""
        ends.put(run, values[: len(ends)])
        if len(values) > len(ends):
            self.errors[run] = values[len(ends)]

    def starts_of(self, low: int, high: int) -> np.ndarray:
        return starts_between(self.starts, self.batch, self.problem.dim, low, high)


def make_task(
    problem: Any, x0: Any, optimizer: Method, stop: StopTests, seed: Any, dtype: Any, record: Any, average: Any,
    draws: Mapping[str, Any], *, takes_gpu: bool = False,
) -> Task:  # fmt: skip
    """Check the arguments of `fastgd.minimize`, and refuse those that only the loop over update rules honours.

    Starts on a GPU are refused unless the method `takes_gpu`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what came and what was expected.
    """
    name = type(optimizer).__name__
    refused = {
        "xtol": stop.xtol, "ftol": stop.ftol, "patience": stop.patience, "record": record, "average": average,
    }  # fmt: skip
    for argument, value in refused.items():
        if value is not None:
            raise ValueError(f"{argument}={value!r} cannot be honoured by {name}: leave it out; it is for update rules")
    if checked_dtype(dtype) != np.dtype(np.float64):
        raise ValueError(f"dtype must be float64 for {name}, which computes in no other, got {np.dtype(dtype)}")
    if on_gpu(x0) and not takes_gpu:
        raise TypeError(f"x0 must lie in the host's memory for {name}, got an array on a GPU: copy it there first")
    starts = checked_starts(x0, problem.dim, np.dtype(np.float64))
    samples = problem.samples if isinstance(problem, FiniteSum) else None
    if make_sampling(samples, seed=seed, **draws) is not None:
        given = ", ".join(key for key, value in draws.items() if key != "shuffle" and np.any(value))
        raise ValueError(f"{name} cannot honour {given}: leave it out; draws are for update rules")
    shapes = {key: np.shape(value) for key, value in optimizer.hyperparameters().items()}
    batch = checked_batch(starts, shapes | {"seed": checked_seed(seed).shape})
    task = Task(problem, optimizer, settled(starts, batch, problem.dim), batch, stop, origin=x0)
    if not task.on_gpu:
        runs = math.prod(batch)
        what = f"x0, hyperparameters and seeds make a batch of shape {batch}, whose result"
        check_memory(what, runs * (8 * problem.dim + 5 * 8 + 1), "give fewer starts or values at a time")
    return task


def is_good(x: np.ndarray, bound: float) -> bool:
    """Whether a point is finite and inside the bound, so that a run may stand there."""
    return float(np.abs(x).max()) <= min(bound, LARGEST)  # a NaN is the maximum, and compares as false


def there(task: Task, ends: Ends) -> Iterator[Any]:
    """The arrays on the GPU that the starts lie on; some runs may have come to their ends on the CPU."""
    from fastgd.jit.cuda_arrays import sent

    for array in ends:
        yield sent(array, task.starts) if isinstance(array, np.ndarray) else array


def result_of(task: Task, ends: Ends) -> Result:
    """The arrays in the batch's shape, and on the GPU if the starts lie there."""
    if task.on_gpu:
        ends = Ends(*there(task, ends))
    shaped: dict[str, Any] = {
        name: array.reshape((*task.batch, *array.shape[1:])) for name, array in zip(Ends._fields, ends, strict=True)
    }
    if task.on_gpu:
        shaped = {name: as_like(array, task.origin) for name, array in shaped.items()}
    failed = {} if task.on_gpu else take_raised(shaped["status"], task.errors)
    start_range = range_of(task.starts, task.problem)
    return Result(**shaped, **failed, problem=task.problem, optimizer=task.optimizer, start_range=start_range)
