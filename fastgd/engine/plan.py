"""What is to be run: everything that `minimize` was given, checked, broadcast and put into the engine's terms."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numba import typeof

from fastgd.averaging import Average
from fastgd.finite_sum import FiniteSum
from fastgd.jit.targets import named
from fastgd.optimizers.base import Optimizer, Rule
from fastgd.problem import Problem
from fastgd.sampling import Sampling, checked_seed, make_sampling, spawned
from fastgd.schedules import Groups, Schedule
from fastgd.stopping import StopTests

__all__ = ["Arrays", "Plan", "make_plan"]


class Arrays(NamedTuple):
    """A result's arrays over all runs in a row: x (runs, n), fun, grad_norm, nit, status, trace (runs, points, n).

    Traces and averages that were not asked for have no rows.
    """

    x: np.ndarray
    fun: np.ndarray
    grad_norm: np.ndarray
    nit: np.ndarray
    status: np.ndarray
    trace: np.ndarray
    x_avg: np.ndarray
    fun_avg: np.ndarray

    def part(self, low: int, high: int) -> Arrays:
        return Arrays(*(array[low:high] for array in self))


@dataclass(frozen=True, eq=False)
class Plan:
    """A batch of descents."""

    problem: Problem
    starts: np.ndarray  # broadcasts with batch + (n,)
    batch: tuple[int, ...]
    rule: Rule
    schedule: Schedule
    clips: tuple[str, ...]
    average: Average | None
    hyper: tuple[Any, ...]  # the schedule's, the rule's, the clips': numbers, or arrays that broadcast with batch
    stop: StopTests
    dtype: np.dtype
    record: int | None
    seed: np.ndarray = field(default_factory=lambda: np.asarray(0))  # one, or one for each run
    sampling: Sampling | None = None

    @property
    def length(self) -> int:
        return self.problem.dim

    @functools.cached_property
    def runs(self) -> int:
        return int(np.prod(self.batch, dtype=np.int64))

    @property
    def value(self) -> Callable:
        return self.problem.fun

    @property
    def gradient(self) -> Callable:
        return self.problem.grad

    @property
    def sums(self) -> bool:
        """Whether value and gradient are means over samples."""
        return isinstance(self.problem, FiniteSum)

    @property
    def sample_gradient(self) -> Callable | None:
        """The gradient of one sample, where steps take that of a batch."""
        batches = self.sampling is not None and self.sampling.batch_size is not None
        return self.problem.sample_grad if batches and isinstance(self.problem, FiniteSum) else None

    @property
    def draws_for_all(self) -> bool:
        """Whether all runs see the same batches."""
        return self.sampling is not None and self.sampling.features[4]

    def drawn_of(self, low: int, high: int) -> tuple[Any, ...]:
        """What the kernel draws by: the numbers of `Sampling`, then seeds and batch sizes of the runs [low, high)."""
        if self.sampling is None:
            return ()
        if self.seed.ndim:
            seeds = np.broadcast_to(self.seed, self.batch).flat[low:high]
        else:
            seeds = spawned(int(self.seed), low, high)
        sizes = np.zeros(1, np.int64)
        if isinstance(self.sampling.batch_size, np.ndarray):
            sizes = np.broadcast_to(self.sampling.batch_size, self.batch).flat[low:high]
        return *self.sampling.numbers, seeds, sizes

    @property
    def per_run(self) -> bool:
        """Whether any hyperparameter differs from run to run, or comes to differ by a schedule's memory."""
        return self.schedule.memory > 0 or any(np.ndim(value) for value in self.hyper)

    @functools.cached_property
    def coefficients(self) -> int:
        """How many coefficients the rule has, told by calling it."""
        own = len(self.hyper) - len(self.schedule.parameters()) - len(self.clips)
        ones = (0.5,) * own
        return len(self.rule.coefficients((0.5, *ones), 0)) * len(self.schedule.members)

    @functools.cached_property
    def bounds(self) -> tuple[int, ...]:
        """Where the groups of parameters with learning rates of their own begin, and the end."""
        if isinstance(self.schedule, Groups):
            return self.schedule.bounds(self.length, self.problem.layers)
        return 0, self.length

    @functools.cached_property
    def data(self) -> tuple[Any, ...]:
        """The problem's data, its floats in the dtype of the runs."""
        return tuple(
            np.asarray(item, dtype=self.dtype) if isinstance(item, np.ndarray) and item.dtype.kind == "f" else item
            for item in self.problem.data
        )

    @functools.cached_property
    def key(self) -> str:
        """Equal for plans that one kernel serves."""
        schedule, average = self.schedule, self.average
        functions = [self.value, self.gradient, self.sample_gradient, *self.rule]
        functions += [member.rate_function() for member in schedule.members]
        if schedule.memory:
            functions += [schedule.start, schedule.observe]
        if average is not None:
            functions += [average.weight(), average.start]
        rates = [len(member.parameters()) for member in schedule.members]
        sizes = (rates, self.bounds, len(self.hyper), schedule.memory, self.clips, self.per_run, self.length)
        tests = (self.stop.watches_value, self.stop.xtol is not None)
        drawn = None if self.sampling is None else self.sampling.features
        kinds = [self.dtype.str, *(str(typeof(item)) for item in self.data)]
        return named(tuple(functions), self.rule.slots, sizes, tests, kinds, drawn)

    def starts_of(self, low: int, high: int) -> np.ndarray:
        n = self.length
        whole = (*self.batch, n)
        if self.starts.shape == whole and self.starts.flags.c_contiguous:
            part = self.starts.reshape(-1, n)[low:high]
        else:
            part = np.broadcast_to(self.starts, whole).flat[low * n : high * n].reshape(-1, n)
        return np.array(part, dtype=self.dtype, order="C")

    def hyper_of(self, low: int, high: int) -> np.ndarray:
        """The hyperparameters of the runs [low, high), of shape (runs, h); one unused row where all runs share them."""
        if not self.per_run:
            return np.zeros((1, len(self.hyper)))
        columns = [np.broadcast_to(np.asarray(value), self.batch).flat[low:high] for value in self.hyper]
        return np.stack(columns, axis=1)

    def empty_arrays(self) -> Arrays:
        """The result's arrays; every run has the status NOT_RUN."""
        runs, n = self.runs, self.length
        points = 0 if self.record is None else self.stop.max_steps // self.record + 1
        averages = 0 if self.average is None else runs
        size = runs * points * n * self.dtype.itemsize
        if size > (limit := memory_limit()):
            raise ValueError(
                f"record={self.record} would keep {points} points of {runs} runs, {size / 2**30:.0f} GiB of "
                f"{limit / 2**30:.0f} GiB of memory; record fewer points, runs or steps"
            )
        return Arrays(
            np.empty((runs, n), self.dtype), np.empty(runs, self.dtype), np.empty(runs, self.dtype),
            np.zeros(runs, np.int64), np.full(runs, -1, np.int8),
            np.empty((runs if points else 0, points, n), self.dtype),
            np.empty((averages, n), self.dtype), np.empty(averages, self.dtype),
        )  # fmt: skip


def memory_limit() -> float:
    """The machine's memory in bytes; infinite where it cannot be told."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" not in names or "SC_PHYS_PAGES" not in names:
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def make_plan(
    problem: Problem,
    x0: Any,
    optimizer: Optimizer,
    stop: StopTests,
    seed: Any,
    dtype: Any,
    record: int | None,
    average: Average | None,
    draws: Mapping[str, Any] | None = None,
) -> Plan:
    """Check the arguments of `fastgd.minimize` and broadcast them.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what came and what was expected.
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a fastgd.Problem, got {problem!r}; write fastgd.Problem(fun, dim=...)")
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an instance: write {optimizer.__name__}(...), not {optimizer.__name__}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an optimizer such as fastgd.Adam(lr=0.05), got {optimizer!r}")
    kind = checked_dtype(dtype)
    starts = checked_starts(x0, problem.dim, kind)
    seeds = checked_seed(seed)
    if record is not None and (isinstance(record, bool) or not isinstance(record, (int, np.integer)) or record < 1):
        raise ValueError(f"record must be None or an integer >= 1 (keep every record-th point), got {record!r}")
    numbers = optimizer.hyperparameters()
    if average is not None and not isinstance(average, Average):
        raise TypeError(f"average must be None or an average such as fastgd.SWA(start=1000), got {average!r}")
    samples = problem.samples if isinstance(problem, FiniteSum) else None
    sampling = make_sampling(samples, seed=seed, **draws) if draws else None
    clips = optimizer.clips
    if sampling is not None and sampling.noise is not None:
        numbers, clips = {**numbers, "noise": sampling.noise}, (*clips, "noise")
    shapes = {name: np.shape(value) for name, value in numbers.items()} | {"seed": seeds.shape}
    if sampling is not None:
        shapes["batch_size"] = np.shape(sampling.batch_size) if sampling.own_sizes else ()  # type: ignore[arg-type]
    batch = checked_batch(starts, shapes)
    plan = Plan(
        problem, starts, batch, optimizer.rule(), optimizer.schedule, clips, average, tuple(numbers.values()), stop,
        kind, None if record is None else int(record), seeds, sampling,
    )  # fmt: skip
    _ = plan.bounds  # raises where the groups are not those of the problem
    return plan


def checked_dtype(dtype: Any) -> np.dtype:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be float64 or float32, got {dtype!r}") from None
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"dtype must be float64 or float32, got {kind}")
    return kind


def checked_starts(x0: Any, dim: int, kind: np.dtype) -> np.ndarray:
    try:
        starts = np.asarray(x0)
        with np.errstate(over="ignore"):  # a start too large for the dtype becomes infinite, an error below
            starts = starts if starts.dtype == kind else starts.astype(np.float64, casting="safe").astype(kind)
    except (TypeError, ValueError):
        raise TypeError(
            f"x0 must be an array of real numbers of shape (*batch, {dim}), got {type(x0).__name__}"
        ) from None
    if starts.ndim == 0 or starts.shape[-1] != dim:
        column = dim == 1 and starts.ndim == 1
        hint = f"; write x0[:, None] for {starts.shape[0]} starts in one dimension" if column else ""
        raise ValueError(f"x0 must have shape (*batch, {dim}) for this problem, got shape {starts.shape}{hint}")
    if starts.size == 0:
        raise ValueError(f"x0 is empty: it has shape {starts.shape}")
    if not np.isfinite(np.min(starts)) or not np.isfinite(np.max(starts)):
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(starts))[0])
        raise ValueError(f"x0 must be finite (in {kind}), got {starts[place]} at index {place}")
    return starts


def checked_batch(starts: np.ndarray, others: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    shapes = {"x0 (without its last axis)": starts.shape[:-1]} | others
    for name, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"{name} is empty: it has shape {shape}")
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise ValueError(
            f"the shapes of starts, hyperparameters and seeds do not broadcast: {listed}; for every start with every "
            "value give one of them a further axis, such as lr[:, None]"
        ) from None
