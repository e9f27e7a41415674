"""Chunks of runs on a GPU: two are in flight, so that one's transfers hide behind the other's steps."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import cuda

from fastgd.engine.cpu import block_rows, parts_of, shape_of
from fastgd.engine.plan import Arrays, Plan
from fastgd.errors import DeviceError, Interrupted
from fastgd.jit.cuda import DeviceKernel, is_out_of_memory, on_device_of, require, simulated
from fastgd.jit.cuda_arrays import filled
from fastgd.jit.targets import lanes_or_scalar
from fastgd.stopping import Status, count_ended

from .compaction import make_count, make_place, make_scan
from .kernels import WARP, make_sources_of_kernels
from .memory import Buffers, allocate, device_array, device_data

__all__ = ["run"]

THREADS = 128  # in a block
SCAN_THREADS = 1024
OWN_STEPS = 16  # passes of a launch where runs count their own steps, of which they need some tens in all
STEPS = 64  # of a launch: reading and writing a run's numbers then costs a few of them
TABLE_PLACES = 1 << 20  # samples that the steps of a launch look up in a table, where all runs see the same
FULL = 7 / 8  # of the threads of a launch busy; with fewer the survivors are moved together
# Seconds of a launch from which the next ones take fewer steps: until it ends Ctrl-C has to wait, and so has the screen
# of a card that draws one, whose driver ends launches of several seconds
LONG = 0.2
IN_PLACE_BYTES = 16 << 10  # of a run: with more it steps in global memory. A default, no measurement

Part = tuple[int, int]  # a chunk: its first run, and the one after its last
KERNELS: dict[tuple[str, bool], Any] = {}


class Kernels:
    """The compiled kernels of a plan."""

    def __init__(self, plan: Plan, bare: bool) -> None:
        shape = shape_of(plan, 1, bare)
        in_place = steps_in_place(plan)
        sources, self.layout = make_sources_of_kernels(parts_of(plan), shape, plan.record is not None, in_place)
        key = f"{plan.key} cuda {'scalar' if bare else 'lane'} {plan.record is not None} {in_place}"
        self.begin, self.fill, self.draw, self.burst, self.ends = (
            DeviceKernel(source, f"{key} {name}") for name, source in sources._asdict().items()
        )


def steps_in_place(plan: Plan) -> bool:
    """Whether a run has too many numbers for a thread's own memory."""
    own = (block_rows(plan) + (plan.working + 1) * plan.length) * plan.dtype.itemsize
    return own > IN_PLACE_BYTES


def kernels_of(plan: Plan, bare: bool) -> Kernels:
    """The kernels of a plan, built once in this process."""
    marks = (" recorded" if plan.record is not None else "") + (" in place" if steps_in_place(plan) else "")
    key = plan.key + marks, bare
    if key not in KERNELS:
        KERNELS[key] = Kernels(plan, bare)
    return KERNELS[key]


class Flight:
    """A chunk in flight: its buffers, its runs, and the steps that remain."""

    def __init__(self, room: Buffers, part: Part, steps: Iterator[int]) -> None:
        self.room, self.part, self.steps = room, part, steps
        self.begun = False  # until then the room holds the results of the chunk before


class Job:
    """A plan in execution on the GPU.

    Parameters
    ----------
    plan : Plan
        What is run.
    width : int
        1 for plain numbers, more for vectors of one lane each, which round as the CPU's.
    """

    def __init__(self, plan: Plan, width: int) -> None:
        self.plan = plan
        self.kernels = kernels_of(plan, bare=width == 1)
        self.data = device_data(plan)
        self.limits = tuple(float(v) if isinstance(v, float) else int(v) for v in plan.stop.limits(plan.dtype))
        self.most, self.record = int(plan.stop.max_steps), plan.record or 0
        self.threads = THREADS
        self.steps = max(1, min(STEPS, TABLE_PLACES // max(1, plan.shared_size)))
        if plan.own_steps:  # a pass of the loop is an evaluation, or an attempt, and none is the last
            self.limits, self.most, self.steps = (*self.limits, self.most), sys.maxsize, min(STEPS, OWN_STEPS)
        self.arrays: Any = None if plan.on_gpu else plan.empty_arrays()

    def room(self, runs: int) -> Buffers:
        """What a chunk of so many runs has."""
        results = self.arrays if self.plan.on_gpu else None
        return Buffers(self.plan, self.kernels.layout, runs, self.threads, self.steps, results)

    def compile(self) -> None:
        """Compile all kernels, or raise Numba's error."""
        runs, results = 1, results_on_gpu(self.plan, 1) if self.plan.on_gpu else None
        room = Buffers(self.plan, self.kernels.layout, WARP, self.threads, self.steps, results)
        out = room.targets(0, runs)
        old, new = room.states
        starts = room.starts.device if room.starts else self.starts_on_gpu(0, runs)
        self.kernels.begin.compile((starts, room.hyper_device, new, room.identity, self.written(out), runs))
        if room.shared is not None:
            self.kernels.fill.compile((room.shared, room.table, 0, 1))
        if self.plan.shared_size:
            self.kernels.draw.compile((room.indices, 0, room.drawn))
        self.kernels.burst.compile(self.burst_arguments(room, old, new, room.order, runs, (0, 1), out))
        self.kernels.ends.compile(self.ends_arguments(room, runs, out))
        make_count().compile((new[2], runs, room.survivors))
        make_scan(self.scan_threads).compile((room.survivors, runs, room.offsets, room.total.device))
        make_place(self.threads).compile((new[2], runs, room.offsets, room.order))

    def written(self, out: Arrays) -> tuple[Any, ...]:
        """What a burst writes of a result: x, nit, status, average, trace, evaluations."""
        return out.x, out.nit, out.status, out.x_avg, out.trace, out.nfev

    def values(self, out: Arrays) -> tuple[Any, ...]:
        return out.fun, out.grad_norm, out.fun_avg

    def burst_arguments(
        self, room: Buffers, old: Any, new: Any, order: Any, slots: int, span: tuple[int, int], out: Arrays
    ) -> tuple[Any, ...]:
        return (
            old, new, order, slots, room.table, room.hyper_device, self.data, (*span, self.most), self.record,
            self.limits, self.written(out), (room.indices, room.drawn), room.working,
        )  # fmt: skip

    def ends_arguments(self, room: Buffers, runs: int, out: Arrays) -> tuple[Any, ...]:
        return runs, self.data, self.limits[0], self.written(out), self.values(out), room.working

    def descend(self, room: Buffers, low: int, high: int) -> Iterator[int]:
        """Take the runs from `low` to `high` to their ends; yields how many have newly ended, and waits after that."""
        kernels, stream, threads, runs = self.kernels, room.stream, self.threads, high - low
        out = room.targets(low, high)
        old, new = room.states
        blocks = -(-runs // threads)
        starts = self.put(room, low, high)
        kernels.begin.launch(
            blocks, threads, stream, starts, room.hyper_device, new, room.identity, self.written(out), runs
        )
        t, alive, slots, order = 0, runs, runs, room.identity
        pace = 1 if self.plan.sums else self.steps  # a sum over many samples may take long
        while t < self.most and alive:
            last = min(t + pace, self.most)
            old, new = new, old
            launched = time.perf_counter()
            if room.shared is not None:
                kernels.fill.launch(-(-self.steps // threads), threads, stream, room.shared, room.table, t, last)
            if self.plan.shared_size:
                kernels.draw.launch(last - t, threads, stream, room.indices, t, room.drawn)
            blocks = -(-slots // threads)
            kernels.burst.launch(
                blocks, threads, stream, *self.burst_arguments(room, old, new, order, slots, (t, last), out)
            )
            make_count().launch(blocks, threads, stream, new[2], slots, room.survivors)
            make_scan(self.scan_threads).launch(
                1, self.scan_threads, stream, room.survivors, blocks, room.offsets, room.total.device
            )
            room.total.fetch(1, stream)
            room.event.record(stream)
            yield 0
            room.event.synchronize()
            took = time.perf_counter() - launched
            if took > LONG:
                pace = max(1, pace // 2)
            elif took < LONG / 4:
                pace = min(self.steps, 2 * pace)
            ended = alive - int(room.total.host[0])
            alive, t, order = alive - ended, last, room.identity
            if 0 < alive <= FULL * slots:
                make_place(threads).launch(blocks, threads, stream, new[2], slots, room.offsets, room.order)
                slots, order = alive, room.order
            yield 0 if self.plan.flow else ended  # of which some may be stiff, and go on elsewhere
        yield from self.finish(room, low, high)

    @property
    def scan_threads(self) -> int:
        return self.threads if simulated() else SCAN_THREADS

    def put(self, room: Buffers, low: int, high: int) -> Any:
        """Send the chunk's starts, hyperparameters, seeds and batch sizes; return the starts on the GPU."""
        if room.hyper is not None:
            own = self.plan.hyper_of(low, high)
            room.hyper.host[:, : high - low] = own.T
            room.hyper.device.copy_to_device(room.hyper.host, stream=room.stream)
        for pair, numbers in zip(room.seeds_and_sizes, self.plan.drawn_of(low, high)[-2:], strict=True):
            pair.put(numbers, room.stream)
        if room.starts is None:
            return self.starts_on_gpu(low, high)
        room.starts.put(self.plan.starts_of(low, high), room.stream)
        return room.starts.device

    def starts_on_gpu(self, low: int, high: int) -> Any:
        """The caller's own starts, for the runs from `low` to `high`."""
        return self.plan.starts.reshape(self.plan.runs, self.plan.length)[low:high]

    def finish(self, room: Buffers, low: int, high: int) -> Iterator[int]:
        """Evaluate the ends, and bring the results home."""
        runs, out = high - low, room.targets(low, high)
        blocks = -(-runs // self.threads)
        self.kernels.ends.launch(blocks, self.threads, room.stream, *self.ends_arguments(room, runs, out))
        wanted = [] if room.own is None else [
            (pair, target) for pair, target in zip(room.own, self.arrays.part(low, high), strict=True) if target.size
        ]  # fmt: skip
        for pair, _ in wanted:
            pair.fetch(runs, room.stream)
        room.event.record(room.stream)
        yield 0
        room.event.synchronize()
        for pair, target in wanted:
            if target.ndim == 3:
                self.write_trace(pair.host[:runs], target, low, high)
            else:
                target[...] = pair.host[:runs]
        if self.plan.flow:
            yield self.ended(low, high)

    def write_trace(self, points: np.ndarray, target: np.ndarray, low: int, high: int) -> None:
        """Write the points of a chunk, whose steps are known, up to its longest run's last."""
        count = int(self.arrays.nit[low:high].max()) // self.record + 1
        if count > target.shape[1]:
            raise self.plan.no_room(self.arrays)
        target[:, :count] = points[:, :count]

    def ended(self, low: int, high: int) -> int:
        """How many of the runs from `low` to `high` have come to an end."""
        status = self.arrays.status[low:high]
        return count_ended(status.copy_to_host() if self.plan.on_gpu else status)

    def run(self, report: Callable[[int, int], None] | None) -> Arrays:
        """Run all chunks, and return the results; where the memory does not suffice, smaller chunks take what is left.

        Raises
        ------
        MemoryError
            If the GPU's memory does not suffice for the smallest chunk, or for the threads' own arrays.
        DeviceError
            If the problem's functions raise exceptions.
        """
        plan, size, told = self.plan, self.plan.runs, 0
        if plan.on_gpu:
            self.arrays = results_on_gpu(plan, plan.runs)
        each, reserved = Buffers.bytes_a_run(plan, self.kernels.layout), self.reserved()
        left = [(0, plan.runs)]

        def heard(done: int) -> None:
            nonlocal told
            if report is not None and done > told:  # runs that have to be run again have been told of
                told = done
                report(done, plan.runs)

        while True:
            rooms, size = allocate(self.room, plan.runs, each, reserved, size)
            parts = deque((k, min(k + size, high)) for low, high in left for k in range(low, high, size))
            try:
                self.all_chunks(rooms, parts, left, heard)
                self.check_all_ended()
                return self.arrays
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if size <= WARP:
                    many = plan.length
                    raise MemoryError(f"the GPU's memory does not suffice for {many} parameters: {error}") from error
            cuda.synchronize()
            del rooms
            size = max(WARP, size // 2)

    def check_all_ended(self) -> None:
        """Raise DeviceError if runs have no status: their threads ended by an exception, which a GPU cannot tell of."""
        status = self.arrays.status
        lost = np.count_nonzero((status.copy_to_host() if self.plan.on_gpu else status) == Status.NOT_RUN)
        if lost:
            raise DeviceError(
                f"{self.plan.problem.name}: its functions raised an exception in {lost} of {self.plan.runs} runs; "
                'device="cpu" tells which, and on a GPU a function should return math.nan instead'
            )

    def reserved(self) -> int:
        """Bytes of local memory that CUDA reserves for all threads that the GPU can hold at a time."""
        if not (each := max(kernel.local_bytes() for kernel in (self.kernels.burst, self.kernels.ends))):
            return 0
        device = cuda.get_current_device()
        return int(each * device.MULTIPROCESSOR_COUNT * device.MAX_THREADS_PER_MULTIPROCESSOR)

    def all_chunks(
        self, rooms: list[Buffers], parts: deque[Part], left: list[Part], heard: Callable[[int], None]
    ) -> None:
        """Take all parts to their ends; `left` becomes those that have not come there, also where an error ends it."""
        active: deque[Flight] = deque()
        done = self.plan.runs - sum(high - low for low, high in parts)
        try:
            for room in rooms:
                if parts:
                    part = parts.popleft()
                    active.append(Flight(room, part, self.descend(room, *part)))
            while active:
                flight = active[0]
                ended = next(flight.steps, None)
                flight.begun = True
                active.rotate(-1)
                if ended is None:
                    active.pop()
                    if parts:
                        part = parts.popleft()
                        active.append(Flight(flight.room, part, self.descend(flight.room, *part)))
                if ended:
                    done += ended
                    heard(done)
        except KeyboardInterrupt:
            for flight in active:
                if flight.begun:
                    deque(self.finish(flight.room, *flight.part), maxlen=0)
            done = self.ended(0, self.plan.runs)
            raise Interrupted(f"interrupted after {done} of {self.plan.runs} runs", partial=self.arrays) from None
        finally:
            left[:] = [*(flight.part for flight in active), *parts]


def results_on_gpu(plan: Plan, runs: int) -> Any:
    """A result's arrays on the GPU over so many runs, which have the status NOT_RUN."""
    made: Any = Arrays(*(device_array(shape, kind) for shape, kind in plan.layout(runs)))
    filled(made.status, int(Status.NOT_RUN))
    for array in (made.nit, made.nfev):
        filled(array, 0)
    for array in (made.x, made.fun, made.grad_norm, made.trace, made.x_avg, made.fun_avg):
        filled(array, np.nan)  # of runs that an interruption leaves out
    return made


def run(plan: Plan, report: Callable[[int, int], None] | None = None) -> Arrays:
    """Run a plan on the GPU that its starts lie on, or on the current one.

    ``report(done, total)`` hears of runs that have ended, some at a time.

    Raises
    ------
    DeviceError
        If there is no GPU to use.
    MemoryError
        If its memory does not suffice.
    Interrupted
        On Ctrl-C, with the arrays in `partial`; runs that had not ended keep the status NOT_RUN.
    """
    require()
    with on_device_of(plan.starts):
        try:
            name, key = plan.problem.name, plan.key + " cuda"
            return lanes_or_scalar(name, key, WARP, lambda width: Job(plan, width), warn=False).run(report)
        except Exception as error:
            if is_out_of_memory(error) and not isinstance(error, MemoryError):
                raise MemoryError(f"the GPU's memory does not suffice: {error}") from error
            raise
        finally:
            cuda.synchronize()
