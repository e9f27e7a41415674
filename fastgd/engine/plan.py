"""What is to be run: everything that `minimize` was given, checked, broadcast and put into the engine's terms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numba import typeof

from fastgd.arguments import check_kinds
from fastgd.averaging import Average
from fastgd.checks import is_whole, past_int64, shown
from fastgd.finite_sum import FiniteSum
from fastgd.jit.targets import named
from fastgd.memory import amount, available_memory, check_memory
from fastgd.optimizers.base import Method, Optimizer, Rule, Search
from fastgd.problem import Problem
from fastgd.sampling import Sampling, checked_seed, make_sampling, spawned
from fastgd.schedules import Groups, Schedule
from fastgd.stopping import Status, StopTests

from .runge_kutta import FLOW_POINTS, flow_rows
from .search import search_rows
from .starts import checked_batch, checked_dtype, checked_starts, lie_on_gpu, settled, starts_between

__all__ = ["Arrays", "Plan", "make_plan"]


ALIKE = 16  # runs for each seed from which it pays to look for blocks of runs with one seed
TRACE_SHARE = 0.9  # of the free memory, for the points that are recorded


class Arrays(NamedTuple):
    """A result's arrays over all runs in a row: x (runs, n), fun, grad_norm, nit, status, trace (runs, points, n).

    On the host the trace lies in memory point by point, the points of all runs after k steps side by side, so that what
    is beyond the longest run is never touched and takes no memory.  Traces and averages that were not asked for have no
    rows, nor has `nfev` where it follows from `nit`; of the gradient flow it counts gradients.
    """

    x: np.ndarray
    fun: np.ndarray
    grad_norm: np.ndarray
    nit: np.ndarray
    status: np.ndarray
    trace: np.ndarray
    x_avg: np.ndarray
    fun_avg: np.ndarray
    nfev: np.ndarray

    def part(self, low: int, high: int) -> Arrays:
        return Arrays(*(array[low:high] for array in self))


@dataclass(frozen=True, eq=False)
class Plan:
    """A batch of descents."""

    problem: Problem
    optimizer: Method
    starts: Any  # broadcasts with batch + (n,): of NumPy, or of the shape batch + (n,) and a grid, or on a GPU
    batch: tuple[int, ...]
    rule: Rule
    search: Search | None  # in place of the rule
    schedule: Schedule
    clips: tuple[str, ...]
    average: Average | None
    hyper: tuple[Any, ...]  # the schedule's, the rule's, the clips': numbers, or arrays that broadcast with batch
    stop: StopTests
    dtype: np.dtype
    record: int | None
    seed: np.ndarray = field(default_factory=lambda: np.asarray(0))  # one, or one for each run
    sampling: Sampling | None = None
    flow: bool = False  # the gradient flow in place of a rule, its tolerances the hyperparameters
    raised: dict[int, str] = field(default_factory=dict)  # by the first run of a chunk, what one of its runs raised
    errors: np.ndarray | None = None  # the absolute error of each parameter in a step of the flow

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
    def shared_size(self) -> int:
        """Samples in the batch that all runs see; 0 where each has its own, or none."""
        return 0 if self.sampling is None or not self.sampling.for_all else self.sampling.numbers[1]

    @functools.cached_property
    def seeds_repeat(self) -> bool:
        """Whether runs have their seeds in common, so many to each that whole blocks of runs do."""
        sampling = self.sampling
        if sampling is None or sampling.batch_size is None or sampling.own_sizes or sampling.for_all:
            return False
        return self.seed.ndim > 0 and self.runs >= ALIKE * len(np.unique(self.seed))

    @property
    def gradient_of_four(self) -> Callable | None:
        """The gradient of four samples, where steps take that of a batch and the problem has it."""
        return self.problem.grad_of_four if self.sample_gradient and isinstance(self.problem, FiniteSum) else None

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

    @property
    def states(self) -> int:
        """How many numbers each run keeps between two steps."""
        if self.flow:
            return flow_rows(self.length)
        if self.search is None:
            return max(1, self.length * self.rule.slots)
        return search_rows(self.length, self.search.line.memory, self.search.extra)

    @property
    def working(self) -> int:
        """Points of working memory that a step takes besides the next one.

        The first is the gradient.  Where batch sizes differ from run to run, another keeps what `draws` puts back.
        """
        if self.flow:
            return FLOW_POINTS
        return 1 if self.sampling is None or not self.sampling.own_sizes else 2

    @property
    def own_steps(self) -> bool:
        """Whether each run counts its own steps, and gradients or evaluations beside them."""
        return self.search is not None or self.flow

    @functools.cached_property
    def data(self) -> tuple[Any, ...]:
        """The problem's data, its floats in the dtype of the runs; of a flow, its errors come before them."""
        errors = () if self.errors is None else (self.errors,)
        return errors + tuple(
            np.asarray(item, dtype=self.dtype) if isinstance(item, np.ndarray) and item.dtype.kind == "f" else item
            for item in self.problem.data
        )

    @functools.cached_property
    def key(self) -> str:
        """Equal for plans that one kernel serves."""
        schedule, average = self.schedule, self.average
        functions = [self.value, self.gradient, self.sample_gradient, self.gradient_of_four, *self.rule]
        functions += [member.rate_function() for member in schedule.members]
        if schedule.memory:
            functions += [schedule.start, schedule.observe]
        if average is not None:
            functions += [average.weight(), average.start]
        search = None
        if self.search is not None:
            line, turn, guess, *search = self.search
            functions += [line.begin, line.advance, turn, guess]
            search += [line.memory, line.most]
        rates = [len(member.parameters()) for member in schedule.members]
        sizes = (rates, self.bounds, len(self.hyper), schedule.memory, self.clips, self.per_run, self.length, self.flow)
        tests = (self.stop.watches_value, self.stop.xtol is not None)
        drawn = None if self.sampling is None else (*self.sampling.features, self.seeds_repeat)
        kinds = [self.dtype.str, *(str(typeof(item)) for item in self.data)]
        return named(tuple(functions), self.rule.slots, self.states, search, sizes, tests, kinds, drawn)

    @property
    def on_gpu(self) -> bool:
        """Whether the starts lie on a GPU, and the results are to lie there too."""
        return lie_on_gpu(self.starts)

    def starts_of(self, low: int, high: int) -> np.ndarray:
        part = starts_between(self.starts, self.batch, self.length, low, high)
        return np.array(part, dtype=self.dtype, order="C")

    def hyper_of(self, low: int, high: int) -> np.ndarray:
        """The hyperparameters of the runs [low, high), of shape (runs, h); one unused row where all runs share them."""
        if not self.per_run:
            return np.zeros((1, len(self.hyper)))
        columns = [np.broadcast_to(np.asarray(value), self.batch).flat[low:high] for value in self.hyper]
        return np.stack(columns, axis=1)

    @property
    def points(self) -> int:
        """How many points of each run are recorded at most."""
        return 0 if self.record is None else self.stop.max_steps // self.record + 1

    def layout(self, runs: int, points: int | None = None) -> list[tuple[tuple[int, ...], Any]]:
        """Shape and dtype of each of the result's arrays for so many runs, with room for all points or so many."""
        n, dtype, points = self.length, self.dtype, self.points if points is None else points
        averages = 0 if self.average is None else runs
        return [
            ((runs, n), dtype), ((runs,), dtype), ((runs,), dtype), ((runs,), np.int64), ((runs,), np.int8),
            ((runs if points else 0, points, n), dtype), ((averages, n), dtype), ((averages,), dtype),
            ((runs if self.own_steps else 0,), np.int64),
        ]  # fmt: skip

    @property
    def bytes_besides(self) -> int:
        """What the result's arrays take but for the trace; evaluations are told twice."""
        runs = math.prod(self.batch)
        sizes = [math.prod(shape) * np.dtype(kind).itemsize for shape, kind in self.layout(runs, points=0)]
        return sum(sizes) + sizes[-1]

    @property
    def bytes_a_point(self) -> int:
        """What one recorded point of every run takes."""
        return math.prod(self.batch) * self.length * self.dtype.itemsize

    def check_memory(self, working: int = 0, of_what: str = "") -> None:
        """Raise ValueError where the result's arrays and so much working memory of something do not fit the memory.

        Of the points that are recorded those count that are sure to come: all of them where no test ends a run.
        """
        stop, besides = self.stop, self.bytes_besides
        batch = f"x0, hyperparameters and seeds make a batch of shape {self.batch}, whose result"
        check_memory(batch, besides, "give fewer starts or values at a time")
        if working:
            besides += working
            smaller = ", or a smaller memory" if hasattr(self.optimizer, "memory") else ""
            check_memory(f"{of_what}, with the result,", besides, f"give fewer parameters or threads{smaller}")
        if self.record is not None:
            endless = stop.gtol is None and stop.xtol is None and not stop.watches_value
            points = self.points if endless else 1
            what = f"record={self.record}, {points:,} points of {math.prod(self.batch):,} runs,"
            check_memory(what, besides + points * self.bytes_a_point, "record fewer points, runs or steps")

    def empty_arrays(self, runs: int | None = None, points: int | None = None) -> Arrays:
        """The result's arrays, for all runs or for so many; every run has the status NOT_RUN.

        The trace has as many points as there is memory for, or as are asked for.
        """
        if points is None and (points := self.points):
            left = TRACE_SHARE * available_memory() - self.bytes_besides
            points = int(max(1, min(points, left // self.bytes_a_point)))
        runs = self.runs if runs is None else runs
        trace = np.empty((points, runs if points else 0, self.length), self.dtype).swapaxes(0, 1)
        arrays = Arrays(*(np.empty(shape, dtype) for shape, dtype in self.layout(runs, points=0)))
        arrays.nit[:], arrays.nfev[:], arrays.status[:] = 0, 0, Status.NOT_RUN
        return arrays._replace(trace=trace)

    def no_room(self, arrays: Arrays) -> ValueError:
        """What to raise where runs come to more points than the trace has room for."""
        points = arrays.trace.shape[1]
        return ValueError(
            f"record={self.record} keeps the points of {self.runs:,} runs, and of the {self.points:,} points that each "
            f"may come to no more than {points:,} fit the memory, as {amount(points * self.bytes_a_point)}: record "
            "fewer points, runs or steps"
        )


def make_plan(
    problem: Problem,
    x0: Any,
    optimizer: Method,
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
    kind = checked_dtype(dtype)
    starts = checked_starts(x0, problem.dim, kind)
    seeds = checked_seed(seed)
    if record is not None and not is_whole(record):
        got = f"{shown(record)}{past_int64(record)}"
        raise ValueError(f"record must be None or an integer >= 1 (keep every record-th point), got {got}")
    numbers = optimizer.hyperparameters()
    if average is not None and not isinstance(average, Average):
        raise TypeError(f"average must be None or an average such as fastgd.SWA(start=1000), got {average!r}")
    if average is not None and average.start > stop.max_steps:
        raise ValueError(
            f"average would never begin: {type(average).__name__} starts at step {average.start:,}, and max_steps is "
            f"{stop.max_steps:,}; give an earlier start or more max_steps"
        )
    search = optimizer.search(problem.dim)
    if search is None:
        check_kinds(problem, optimizer, Optimizer)
    samples = problem.samples if isinstance(problem, FiniteSum) else None
    sampling = make_sampling(samples, seed=seed, **draws) if draws else None
    rule: Rule = Rule(all_but_the_rate, stays, slots=0)
    schedule: Schedule = Unscheduled()
    clips: tuple[str, ...] = ()
    if isinstance(optimizer, Optimizer) and search is None:
        rule, schedule, clips = optimizer.rule(), optimizer.schedule, optimizer.clips
    elif average is not None:
        raise ValueError(
            f"average must be None with a line search, whose last point is its best, got {average!r}; averages are for "
            "the update rules"
        )
    elif sampling is not None:
        raise ValueError(
            f"batch_size, noise and check_every must be left out for {optimizer.label}: "
            "a line search needs exact values and slopes"
        )
    if sampling is not None and sampling.noise is not None:
        numbers, clips = {**numbers, "noise": sampling.noise}, (*clips, "noise")
    shapes = {name: np.shape(value) for name, value in numbers.items()} | {"seed": seeds.shape}
    if sampling is not None:
        shapes["batch_size"] = np.shape(sampling.batch_size) if sampling.own_sizes else ()  # type: ignore[arg-type]
    batch = checked_batch(starts, shapes)
    starts = settled(starts, batch, problem.dim)
    plan = Plan(
        problem, optimizer, starts, batch, rule, search, schedule, clips, average, tuple(numbers.values()), stop, kind,
        None if record is None else int(record), seeds, sampling,
    )  # fmt: skip
    _ = plan.bounds  # raises where the groups are not those of the problem
    if not plan.on_gpu:
        plan.check_memory()
    return plan


class Unscheduled(Schedule):
    """A line search finds its steps: there is no rate, and it has no parameters."""

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return 0.0


def all_but_the_rate(h, t):
    return h[1:]


def stays(x, g, s, c):
    return x, s
