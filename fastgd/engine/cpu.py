"""The CPU target: kernels for a plan, and chunks of runs over a pool of threads."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np

from fastgd.errors import Interrupted
from fastgd.jit.attempt import message_at
from fastgd.jit.checked import checked
from fastgd.jit.options import inlined, interpreted
from fastgd.jit.pool import available_threads
from fastgd.jit.targets import aligned, compile_once, lane_width, lanes_or_scalar, shared_kernel, vector_width
from fastgd.optimizers.base import Search
from fastgd.optimizers.coefficients import TABLE_WIDTH
from fastgd.sampling.batches import SEEDS
from fastgd.stopping import RAISED, Status, count_ended
from fastgd.texts import counted
from fastgd.verification import plain_gradient, plain_value, probes, shortened, verify

from .chunk import BURST, CONTROL, CONTROL_OF_PLAIN, NO_ROOM, make_chunk
from .draws import Draws
from .plan import Arrays, Plan
from .runge_kutta import behind_errors
from .scheduler import run_chunks
from .stages import Parts, Searching, Shape

__all__ = ["block_rows", "parts_of", "run", "shape_of"]

FIRST_CACHE = 32_768
CHUNK_BYTES = 400_000  # of state, to stay in the second-level cache
CHUNK_RUNS = 4096
SCRATCH = 4  # the place of working memory among a workspace's arrays
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
    runs = min(CHUNK_RUNS, CHUNK_BYTES // each, -(-plan.runs // (4 * min(threads, available_threads()))))
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


def workspace_bytes(plan: Plan, width: int, runs: int) -> int:
    """About what a thread's `Workspace` takes, and the starts of its chunk."""
    group = 1 if plan.seeds_repeat else group_size(plan.length, width, plan.dtype)
    blocks, rows = -(-runs // width), plan.working + group
    numbers = width * (blocks * block_rows(plan) + rows * plan.length) + runs * plan.length
    return numbers * plan.dtype.itemsize + 8 * math.prod(indices_shape(plan))


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
    value, gradient, rule, schedule = checked(plan.value), checked(plan.gradient), plan.rule, plan.schedule
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
    add, four = (None if f is None else checked(f) for f in (plan.sample_gradient, plan.gradient_of_four))
    return Draws(add, *plan.sampling.features)._replace(add_four=four, alike=alike)


class Job:
    """A plan in execution: its kernel, its arrays and the flag that stops it."""

    def __init__(self, plan: Plan, threads: int, width: int) -> None:
        self.plan, self.width = plan, width
        self.size = chunk_runs(plan, width, threads)
        at_once = min(self.size, plan.runs)
        busy, keeps = min(threads, -(-plan.runs // at_once)), block_rows(plan)
        what = f"{plan.optimizer.label} keeps {keeps:,} numbers of each run, and on {counted(busy, 'thread')} these"
        plan.check_memory(busy * workspace_bytes(plan, width, at_once), what)
        self.arrays = plan.empty_arrays()
        self.workspace = Workspace(plan, width, at_once)
        self.cancel = np.zeros(1, np.uint8)
        self.begun: set[tuple[int, int]] = set()  # chunks that a thread is at
        self.kernel = shared_kernel(plan.key, width, functools.partial(build, plan, width))
        self.limits = plan.stop.limits(plan.dtype)

    def arguments(self, low: int, high: int) -> tuple[Any, ...]:
        plan = self.plan
        chosen = plan.starts_of(low, high), plan.hyper_of(low, high), plan.drawn_of(low, high)
        out = self.arrays.part(low, high)._replace(trace=self.arrays.trace)
        return self.arguments_for(*chosen, out, first=low)

    def arguments_for(
        self, starts: np.ndarray, hyper: np.ndarray, drawn: tuple[Any, ...], out: Arrays, steps: int | None = None,
        data: tuple[Any, ...] | None = None, first: int = 0,
    ) -> tuple[Any, ...]:  # fmt: skip
        """The kernel's arguments for any runs, the first of which has this place in the trace.

        Other steps than the plan's record nothing.
        """
        plan = self.plan
        if plan.seeds_repeat:
            drawn = (*drawn, np.argsort(drawn[SEEDS], kind="stable"))
        record = (plan.record or 0) if steps is None else 0
        numbers = self.limits, drawn, int(plan.stop.max_steps) if steps is None else steps, (record, first)
        out = out._replace(trace=out.trace.swapaxes(0, 1))
        given = starts, hyper, plan.data if data is None else data
        return *given, self.workspace.arrays, tuple(out), *numbers, self.cancel, np.zeros(1, np.int64)

    def do(self, low: int, high: int) -> bool:
        """Run a chunk; return whether it finished."""
        self.begun.add((low, high))
        arguments = self.arguments(low, high)
        finished = bool(self.kernel(*arguments)) and self.part_raised(low, high)
        if error := int(arguments[-1][0]):
            self.plan.raised[low] = message_at(error)
        if not finished:
            self.forget(low, high)
        self.begun.remove((low, high))
        return finished

    def verify(self) -> None:
        """Compare the kernel's values and gradients with plain Python's; see `fastgd.verification`."""
        plan = self.plan
        fun, grad, n = plan.value, plan.gradient, plan.length
        before = () if plan.errors is None else (plan.errors,)
        few = shortened(fun, plan.data[len(before) :])
        value, gradient, data = plain_value(fun, few), plain_gradient(grad, n, few), (*before, *few)

        def plain(x: np.ndarray) -> np.ndarray:
            return np.concatenate([value(x), gradient(x)])

        def compiled(points: np.ndarray) -> np.ndarray:
            found = [self.ends_at(part, data) for part in np.array_split(points, -(-len(points) // self.width))]
            return np.concatenate(found)

        points = probes(n, plan.problem.bounds)
        verify(plan.key, self.width, plan.problem.name, ("value", "gradient"), plain, compiled, points, plan.dtype)

    def ends_at(self, points: np.ndarray, data: tuple[Any, ...]) -> np.ndarray:
        """Return the kernel's value and gradient at the points of one block, by a descent of no steps from there.

        Raises
        ------
        ValueError
            With what the problem's functions raise at one of them.
        """
        plan, count = self.plan, len(points)
        which = np.arange(count) % min(plan.runs, self.size)
        high, out = int(which.max()) + 1, plan.empty_arrays(count, points=0)
        hyper = plan.hyper_of(0, high)[which] if plan.per_run else plan.hyper_of(0, 1)
        drawn = tuple(each[which] if np.shape(each) == (high,) else each for each in plan.drawn_of(0, high))
        given = self.arguments_for(points.astype(plan.dtype), hyper, drawn, out, steps=0, data=data)
        self.kernel(*given)
        if error := int(given[-1][0]):
            raise ValueError(message_at(error))
        gradients = self.workspace.arrays[SCRATCH][1, :, :count].T  # where the chunk leaves that of its last block
        return np.column_stack([out.fun, gradients]).astype(np.float64)

    def part_raised(self, low: int, high: int) -> bool:
        """Run those of a chunk alone that shared a block with one that raised; return whether they finished.

        Alone is a run that has all lanes of its block, so that its bits are those that it has beside any others.
        """
        width, status = self.width, self.arrays.status[low:high]
        again = np.flatnonzero(status == RAISED)
        if width == 1 or not again.size:
            return True
        part, plan = self.arrays.part(low, high), self.plan
        most = max(1, min(self.size, plan.runs) // width)  # blocks of the workspace
        starts, hyper, drawn = plan.starts_of(low, high), plan.hyper_of(low, high), plan.drawn_of(low, high)
        for first in range(0, again.size, most):
            which = again[first : first + most]
            lanes = np.repeat(which, width)
            out = plan.empty_arrays(len(lanes), self.arrays.trace.shape[1])
            own = tuple(each[lanes] if np.shape(each) == (high - low,) else each for each in drawn)
            rates = hyper[lanes] if plan.per_run else hyper
            if not self.kernel(*self.arguments_for(starts[lanes], rates, own, out)):
                return False
            points = 0 if plan.record is None else int(out.nit.max()) // plan.record + 1
            out = out._replace(trace=out.trace[:, :points])
            for array, found in zip(part._replace(trace=part.trace[:, :points]), out, strict=True):
                if len(array):
                    array[which] = found[::width]
        return True

    def compile(self) -> None:
        compile_once(self.kernel, lambda: tuple(map(numba.typeof, self.arguments(0, min(1, self.plan.runs)))))

    def forget(self, low: int, high: int) -> None:
        """Blank the runs of a chunk that was stopped before they had ended."""
        part = self.arrays.part(low, high)
        if self.width > 1:  # of these it is not known which of their block raised
            part.status[part.status == RAISED] = Status.NOT_RUN
        left = part.status == Status.NOT_RUN
        part.nit[left] = 0
        part.nfev[left[: len(part.nfev)]] = 0

    def so_far(self) -> Arrays:
        """The arrays with the runs that have ended; a copy without those chunks that a thread is still at."""
        if not self.begun:
            return self.arrays
        arrays = Arrays(*(array.copy() for array in self.arrays._replace(trace=self.arrays.trace[:0])))
        arrays = arrays._replace(trace=self.arrays.trace)  # most of which holds nothing yet
        for low, high in self.begun:
            arrays.status[low:high] = Status.NOT_RUN
            arrays.nit[low:high] = arrays.nfev[low:high] = 0
        return arrays

    def chunks(self) -> Iterator[tuple[int, int]]:
        for low in range(0, self.plan.runs, self.size):
            yield low, min(low + self.size, self.plan.runs)


def run(plan: Plan, threads: int, report: Callable[[int, int], None] | None = None) -> Arrays:
    """Run a plan on `threads` threads; `report(done, total)` hears of every finished chunk.

    Raises
    ------
    Interrupted
        On Ctrl-C, with the arrays in `partial`; runs that had not ended keep the status NOT_RUN.
    ValueError
        If the trace grows past the memory.
    """
    job: Job | None = None

    def heard(done: int, total: int) -> None:
        assert job is not None
        if report is not None:  # stiff runs of a flow have not ended
            report(count_ended(job.arrays.status) if plan.flow else done, total)

    try:
        make = functools.partial(Job, plan, threads)
        job = lanes_or_scalar(plan.problem.name, plan.key, width_of(plan), make, warn=True)
        job.verify()
        run_chunks(job.do, job.chunks(), threads, job.cancel, heard, plan.runs)
    except KeyboardInterrupt:
        arrays = plan.empty_arrays() if job is None else job.so_far()
        done = count_ended(arrays.status)
        raise Interrupted(f"interrupted after {done} of {plan.runs} runs", partial=arrays) from None
    if job.cancel[0] == NO_ROOM:
        raise plan.no_room(job.arrays)
    return job.arrays
