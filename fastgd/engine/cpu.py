"""The CPU target: kernels for a plan, and chunks of runs over a pool of threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np

from fastgd.errors import Interrupted
from fastgd.jit.options import inlined, interpreted
from fastgd.jit.targets import aligned, lane_width, lanes_or_scalar, shared_kernel, vector_width
from fastgd.optimizers.base import Search
from fastgd.optimizers.coefficients import TABLE_WIDTH
from fastgd.sampling.batches import SEEDS
from fastgd.stopping import Status, count_ended

from .chunk import BURST, CONTROL, CONTROL_OF_PLAIN, make_chunk
from .draws import Draws
from .plan import Arrays, Plan
from .runge_kutta import behind_errors
from .scheduler import run_chunks
from .stages import Parts, Searching, Shape

__all__ = ["block_rows", "parts_of", "run", "shape_of"]

FIRST_CACHE = 32_768
CHUNK_BYTES = 400_000  # of state, to stay in the second-level cache
CHUNK_RUNS = 4096
OWN_BURST = 4  # passes between two looks at who has finished, where runs count their own steps and need some tens
TABLE_PLACES = 4096  # samples that a burst looks up in a table, where all runs see the same; one step's at least


def group_size(length: int, width: int, dtype: np.dtype) -> int:
    """Blocks that take turns: enough of them that one block's divisions overlap with the next one's gradient."""
    return max(1, 1024 // (length * width * dtype.itemsize))


def width_of(plan: Plan) -> int:
    """Runs abreast; for sums over samples, whose dot products are chains, twice as many if the cache allows."""
    if plan.search is not None:  # which keeps some tens of numbers in flight by itself: more lanes only spill
        return vector_width(plan.dtype)
    width = lane_width(plan.length, plan.dtype)
    if interpreted():
        return width
    row = width * plan.dtype.itemsize
    touched = 2 + (plan.working if plan.flow else 1)  # points in each pass; what `draws` keeps is rarely touched
    fits = touched * plan.length * 2 * row <= FIRST_CACHE
    return 2 * width if plan.sums and fits and row < 256 else width


def block_rows(plan: Plan) -> int:
    """Rows of a block: points, state, best value, and the average where there is one."""
    n = plan.length
    return n + plan.states + 1 + n * (plan.average is not None)


def chunk_runs(plan: Plan, width: int, threads: int) -> int:
    """Runs in a chunk: in cache, some chunks for each thread, whole blocks."""
    each = block_rows(plan) * plan.dtype.itemsize + 8 * len(plan.hyper) * plan.per_run + 32
    runs = min(CHUNK_RUNS, CHUNK_BYTES // each, -(-plan.runs // (4 * threads)))
    return max(4 * width, runs // width * width)


def table_shape(plan: Plan) -> tuple[int, int]:
    """Steps and samples of the table that all runs draw from; as many steps as a burst takes."""
    steps = OWN_BURST if plan.own_steps else BURST
    size = plan.sampling.numbers[1] if plan.sampling is not None and plan.seeds_repeat else plan.shared_size
    return max(1, min(steps, TABLE_PLACES // max(1, size))), size


def indices_shape(plan: Plan) -> tuple[int, int]:
    """Rows and columns of the table of samples; where blocks of one seed are looked for, the seed has a row."""
    steps, size = table_shape(plan)
    return (steps + 1, size) if plan.seeds_repeat else (steps, size)


class Workspace(threading.local):
    """Each thread's arrays, of one chunk's size."""

    def __init__(self, plan: Plan, width: int, runs: int) -> None:
        blocks, n, rows = -(-runs // width), plan.length, block_rows(plan)
        group = 1 if plan.seeds_repeat else group_size(n, width, plan.dtype)  # a table for each block
        if plan.per_run:
            hypers = aligned((blocks, len(plan.hyper) + plan.schedule.memory, width), np.float64)
        else:
            hypers = aligned((1, len(plan.hyper), 1 if width == 1 else TABLE_WIDTH), np.float64)
            hypers[0] = np.array(plan.hyper, dtype=np.float64)[:, None]
        self.arrays = (
            aligned((blocks, rows, width), plan.dtype),
            hypers,
            aligned((table_shape(plan)[0], plan.coefficients + len(plan.clips) + 1, 1), np.float64),
            aligned((blocks, CONTROL if plan.sampling else CONTROL_OF_PLAIN, width), np.int64),
            aligned((plan.working + group, n, width), plan.dtype),  # and the next points
            aligned((1, 2, width), plan.dtype),
            aligned(indices_shape(plan), np.int64),
        )


def searching(search: Search | None) -> Searching | None:
    """The compiled functions of a method with a line search."""
    if search is None:
        return None
    line = search.line
    begin, advance, turn, guess = (inlined(f) for f in (line.begin, line.advance, search.turn, search.guess))
    return Searching(begin, advance, line.memory, line.most, turn, guess, search.least, search.extra, search.restart)


def parts_of(plan: Plan, alike: bool = False) -> Parts:
    """The plan's functions, each to be inlined into the kernels of any target; `alike` as in `Draws`."""
    value, gradient, rule, schedule = inlined(plan.value), inlined(plan.gradient), plan.rule, plan.schedule
    if plan.flow:
        value, gradient = behind_errors(value, gradient)
    seen, stalled, moved, resting = map(inlined, plan.stop.functions(value))
    return Parts(
        value=value, gradient=gradient,
        coefficients=inlined(rule.coefficients), update=inlined(rule.update), slots=rule.slots,
        probe=inlined(rule.probe) if rule.probe else None,
        rates=tuple((inlined(part.rate_function()), len(part.parameters())) for part in schedule.members),
        rate_parameters=len(schedule.parameters()), memory=schedule.memory,
        start=inlined(schedule.start) if schedule.memory else None,
        observe=inlined(schedule.observe) if schedule.memory else None,
        hyperparameters=len(plan.hyper), clips=plan.clips,
        weight=inlined(plan.average.weight()) if plan.average else None,
        average_start=plan.average.start if plan.average else 0,
        seen=seen, stalled=stalled, moved=moved, resting=resting, search=searching(plan.search),
        draws=draws_of(plan, alike), flow=plan.flow,
    )  # fmt: skip


def build(plan: Plan, width: int) -> Any:
    """The kernel of a plan."""
    return make_chunk(parts_of(plan, plan.seeds_repeat), shape_of(plan, width))


def shape_of(plan: Plan, width: int, bare: bool = True) -> Shape:
    """The sizes that a kernel of this width depends on."""
    kind = numba.from_dtype(plan.dtype)
    sizes = plan.length, plan.states, width, plan.coefficients
    return Shape(*sizes, plan.per_run, kind, plan.bounds, bare, plan.working)


def draws_of(plan: Plan, alike: bool) -> Draws | None:
    """What the kernel of a plan draws."""
    if plan.sampling is None:
        return None
    add, four = (None if f is None else inlined(f) for f in (plan.sample_gradient, plan.gradient_of_four))
    return Draws(add, *plan.sampling.features)._replace(add_four=four, alike=alike)


class Job:
    """A plan in execution: its kernel, its arrays and the flag that stops it."""

    def __init__(self, plan: Plan, threads: int, width: int) -> None:
        self.plan, self.width = plan, width
        self.size = chunk_runs(plan, width, threads)
        self.arrays = plan.empty_arrays()
        self.workspace = Workspace(plan, width, min(self.size, plan.runs))
        self.cancel = np.zeros(1, np.uint8)
        self.kernel = shared_kernel(plan.key, width, functools.partial(build, plan, width))
        self.limits = plan.stop.limits(plan.dtype)

    def arguments(self, low: int, high: int) -> tuple[Any, ...]:
        plan = self.plan
        given = plan.starts_of(low, high), plan.hyper_of(low, high), plan.data
        memory = self.workspace.arrays, tuple(self.arrays.part(low, high))
        drawn = plan.drawn_of(low, high)
        if plan.seeds_repeat:
            drawn = (*drawn, np.argsort(drawn[SEEDS], kind="stable"))
        limits = self.limits, drawn
        return *given, *memory, *limits, int(plan.stop.max_steps), plan.record or 0, self.cancel

    def compile(self) -> None:
        if not interpreted() and not self.kernel.signatures:
            self.kernel.compile(tuple(numba.typeof(argument) for argument in self.arguments(0, min(1, self.plan.runs))))

    def forget(self, low: int, high: int) -> None:
        """Take a chunk that was stopped early for not run: its values and gradients are still to come."""
        self.arrays.status[low:high], self.arrays.nit[low:high] = Status.NOT_RUN, 0
        self.arrays.nfev[low:high] = 0

    def chunks(self) -> Iterator[tuple[int, int]]:
        for low in range(0, self.plan.runs, self.size):
            yield low, min(low + self.size, self.plan.runs)


def run(plan: Plan, threads: int, report: Callable[[int, int], None] | None = None) -> Arrays:
    """Run a plan on `threads` threads; `report(done, total)` hears of every finished chunk.

    Raises
    ------
    Interrupted
        On Ctrl-C, with the arrays in `partial`; runs of unfinished chunks keep the status NOT_RUN.
    """
    width = width_of(plan)
    job = lanes_or_scalar(plan.problem.name, plan.key, width, functools.partial(Job, plan, threads), warn=True)

    def work(low: int, high: int) -> bool:
        finished = bool(job.kernel(*job.arguments(low, high)))
        if not finished:
            job.forget(low, high)
        return finished

    def heard(done: int, total: int) -> None:
        if report is not None:  # stiff runs of a flow have not ended
            report(count_ended(job.arrays.status) if plan.flow else done, total)

    try:
        run_chunks(work, job.chunks(), threads, job.cancel, heard, plan.runs)
    except Interrupted:
        done = count_ended(job.arrays.status)
        raise Interrupted(f"interrupted after {done} of {plan.runs} runs", partial=job.arrays) from None
    return job.arrays
