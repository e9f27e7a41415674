"""What a chunk of runs has on the GPU, and how large a chunk may be."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastgd.engine.plan import Arrays, Plan
from fastgd.jit.cuda import device_number, free_memory, is_out_of_memory
from fastgd.memory import memory_limit

from .kernels import WARP, Layout

__all__ = ["Buffers", "allocate", "device_array", "device_data"]

CHUNK_RUNS = 1 << 20  # enough to fill any GPU several times; one chunk's transfers hide behind the other's work
SHARE = 0.8  # of the free memory
HOST_SHARE = 0.125  # of the host's memory, page-locked for one chunk
DATA: weakref.WeakKeyDictionary[Any, dict[tuple[Any, ...], tuple[Any, ...]]] = weakref.WeakKeyDictionary()


def device_data(plan: Plan) -> tuple[Any, ...]:
    """The problem's data with its arrays on the current GPU, where they stay as long as the problem lives."""
    errors = None if plan.errors is None else plan.errors.tobytes()  # a flow's, before the data
    known, key = DATA.setdefault(plan.problem, {}), (plan.dtype.str, device_number(), errors)
    if key not in known:
        known[key] = tuple(
            cuda.to_device(np.array(item)) if isinstance(item, np.ndarray) else item for item in plan.data
        )
    return known[key]


class Pair(NamedTuple):
    """An array on the GPU and page-locked memory of the same shape, between which transfers do not wait."""

    device: Any
    host: np.ndarray

    @staticmethod
    def of(shape: tuple[int, ...], dtype: Any) -> Pair:
        return Pair(device_array(shape, dtype), cuda.pinned_array(whole(shape), dtype))

    def put(self, content: np.ndarray, stream: Any) -> None:
        self.host[: len(content)] = content
        self.device[: len(content)].copy_to_device(self.host[: len(content)], stream=stream)

    def fetch(self, count: int, stream: Any) -> None:
        """Ask for the first rows; they are there when the stream has come that far."""
        self.device[:count].copy_to_host(self.host[:count], stream=stream)


def whole(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without zeros, of which no array can be made on a GPU."""
    return tuple(max(1, size) for size in shape)


def device_array(shape: tuple[int, ...], dtype: Any) -> Any:
    return cuda.device_array(whole(shape), dtype)


class Buffers:
    """What one of the chunks in flight has: its stream, its arrays, the number that it waits for.

    Parameters
    ----------
    plan : Plan
        What is run.
    layout : Layout
        The numbers of a run between launches.
    runs : int
        Runs in a chunk.
    threads : int
        Threads in a block.
    steps : int
        Steps of a launch.
    results : Arrays, optional
        Arrays on the GPU over all runs, which the results are written to; else the chunk has its own.
    """

    def __init__(
        self, plan: Plan, layout: Layout, runs: int, threads: int, steps: int, results: Arrays | None = None
    ) -> None:
        n, blocks, dtype = plan.length, -(-runs // WARP), plan.dtype
        self.stream, self.event = cuda.stream(), cuda.event()
        self.starts = Pair.of((runs, n), dtype) if results is None else None
        self.hyper = Pair.of((len(plan.hyper), runs), np.float64) if plan.per_run else None
        self.hyper_device = self.hyper.device if self.hyper else device_array((1, 1), np.float64)
        self.shared = None if plan.per_run else cuda.to_device(np.array(plan.hyper, np.float64).reshape(1, -1, 1))
        count = plan.coefficients + len(plan.clips) + (plan.average is not None)
        self.table = device_array((1 if plan.per_run else steps, count, 1), np.float64)
        self.indices = device_array((steps, plan.shared_size), np.int64)
        self.seeds_and_sizes: tuple[Pair, ...] = ()
        self.drawn: tuple[Any, ...] = ()  # as `Plan.drawn_of` has it
        if plan.sampling is not None:
            sizes = runs if plan.sampling.own_sizes else 1
            self.seeds_and_sizes = tuple(Pair.of((size,), np.int64) for size in (runs, sizes))
            self.drawn = *plan.sampling.numbers, *(pair.device for pair in self.seeds_and_sizes)
        self.states = [
            (
                device_array((blocks, layout.rows, WARP), dtype),
                device_array((blocks, layout.memory, WARP), np.float64),
                device_array((blocks, layout.tags, WARP), np.int32),
            )
            for _ in range(2)
        ]
        self.working = device_array((blocks, layout.working, WARP) if layout.working else (1, 1, 1), dtype)
        self.identity, self.order = (device_array((runs,), np.int32) for _ in range(2))
        counted = -(-runs // threads)
        self.survivors, self.offsets = (device_array((counted,), np.int64) for _ in range(2))
        self.total = Pair.of((1,), np.int64)
        self.results = results
        self.own: tuple[Pair, ...] | None = None
        if results is None:
            self.own = tuple(Pair.of(shape, kind) for shape, kind in plan.layout(runs))

    def targets(self, low: int, high: int) -> Arrays:
        """The arrays on the GPU that the runs from `low` to `high` write to."""
        if self.results is None:
            return Arrays(*(pair.device for pair in self.own or ()))
        runs = len(self.results.x)
        return Arrays(*(array[low:high] if len(array) == runs else array for array in self.results))

    @staticmethod
    def bytes_a_run(plan: Plan, layout: Layout) -> tuple[int, int]:
        """Memory of the GPU that each run of a chunk takes, and of the host, where it is page-locked."""
        item = plan.dtype.itemsize
        state = 2 * (layout.rows * item + 8 * layout.memory + 4 * layout.tags) + layout.working * item + 8 + 1
        sent = 8 * len(plan.hyper) * plan.per_run
        if plan.sampling is not None:
            sent += 8 + 8 * plan.sampling.own_sizes
        if not plan.on_gpu:
            results = sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in plan.layout(1))
            sent += plan.length * item + results
        return state + sent, sent


def allocate(
    make: Callable[[int], Buffers], runs: int, each: tuple[int, int], reserved: int = 0, most: int | None = None,
    rooms: int = 2,
) -> tuple[list[Buffers], int]:  # fmt: skip
    """Chunks in flight, of a size that the free memory allows; halved while the memory does not suffice.

    Parameters
    ----------
    make : callable
        ``make(size)`` gives the buffers of a chunk.
    runs : int
        Runs in all.
    each : (int, int)
        Bytes that a run takes of the GPU's memory, and of the host's.
    reserved : int
        Bytes of the GPU's memory that are to stay free, for the threads' own arrays.
    most : int, optional
        The largest size to try.
    rooms : int, default 2
        How many chunks are in flight.

    Raises
    ------
    MemoryError
        If there is no room for a single warp of runs.
    """
    there, here = each
    fits = min(SHARE * (free_memory() - reserved) / (rooms * there), HOST_SHARE * memory_limit() / max(1, here))
    size = int(min(CHUNK_RUNS, runs, runs if most is None else most, max(WARP, fits)))
    while True:
        made: list[Buffers] = []
        try:
            while len(made) < min(rooms, -(-runs // size)):
                made.append(make(size))
            return made, size
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            made.clear()
            if size <= WARP:
                raise MemoryError(f"the GPU has no memory for {WARP} runs of {there} bytes each") from error
            size = max(WARP, size // 2)
        free_memory()  # so that what was made in vain is given back
