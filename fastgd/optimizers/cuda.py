"""The step in place on arrays that lie on a GPU: one launch for each array, one pass over memory."""

from __future__ import annotations

import functools
import itertools
import math
import weakref
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import cuda

from fastgd.jit.cuda import DeviceKernel, on_device_of, simulated
from fastgd.jit.cuda_arrays import adopt, common_stream, settle
from fastgd.jit.exchange import as_like, device_of, library_of, on_gpu
from fastgd.jit.options import inlined
from fastgd.jit.rows import cast_lanes, row_view
from fastgd.jit.targets import named
from fastgd.jit.tuples import map_tuple

from .base import Optimizer
from .inplace import Stepper, check_dtypes, check_shapes, new_state, place_of, stepper_for
from .passes import make_limit, make_look, make_update
from .state import State

__all__ = ["init", "probe", "step", "to_host"]

THREADS = 256
EACH = 4  # parameters of a thread, all read before the first is written: more reads under way
SUMS = 1024  # blocks of threads, and partial sums, of the norm of the gradients


def make_device_pass(body: Callable, dtype: numba.types.Float, slots: int, count: int, threads: int) -> Callable:
    """``run(target, source, state, size, c)`` that calls ``body(target, source, state, c)`` for every parameter."""
    rows, bare = 2 + max(1, slots), simulated()
    target_of, source_of, state_of = (row_view(1, n, k, bare) for n, k in ((1, 0), (1, 1), (max(1, slots), 2)))
    cast = map_tuple(cast_lanes(dtype, 1, bare), count)

    def run(target, source, state, size, c):
        first = cuda.blockIdx.x * threads * EACH + cuda.threadIdx.x
        block = cuda.local.array((EACH, rows, 1), dtype)
        for k in range(EACH):
            i = first + k * threads
            if i < size:
                block[k, 0, 0] = target[i]
                block[k, 1, 0] = source[i]
                for s in range(slots):
                    block[k, 2 + s, 0] = state[s, i]
        lanes = cast(c)
        for k in range(EACH):
            body(target_of(block, k), source_of(block, k), state_of(block, k), lanes)
        for k in range(EACH):
            i = first + k * threads
            if i < size:
                target[i] = block[k, 0, 0]
                for s in range(slots):
                    state[s, i] = block[k, 2 + s, 0]

    return run


def make_device_squares(limit: Callable, dtype: numba.types.Float, count: int, threads: int) -> Callable:
    """``squares(source, size, c, scale, sums)``: the sum of ``(scale g)**2`` of each block of threads, in float64.

    The order of the additions depends on the size alone.
    """
    bare = simulated()
    lane, cast = cast_lanes(dtype, 1, bare), map_tuple(cast_lanes(dtype, 1, bare), count)
    row = row_view(1, 1, 0, bare)

    @inlined
    def limited(block, c):
        row(block, 0)[0] = limit(lane(row(block, 0)[0]), cast(c))

    def squares(source, size, c, scale, sums):
        shared = cuda.shared.array(threads, numba.float64)
        block = cuda.local.array((1, 1, 1), dtype)
        me, step = cuda.threadIdx.x, cuda.gridDim.x * threads
        total = 0.0
        for i in range(cuda.blockIdx.x * threads + me, size, step):
            block[0, 0, 0] = source[i]
            limited(block, c)
            g = numba.float64(block[0, 0, 0]) * scale
            total += g * g
        shared[me] = total
        cuda.syncthreads()
        reach = threads // 2
        while reach > 0:
            if me < reach:
                shared[me] += shared[me + reach]
            cuda.syncthreads()
            reach //= 2
        if me == 0:
            sums[cuda.blockIdx.x] = shared[0]

    return squares


class DeviceStepper:
    """The kernels of one optimizer for arrays of one dtype on the GPU."""

    def __init__(self, optimizer: Optimizer, stepper: Stepper) -> None:
        rule, sizes, dtype = optimizer.rule(), stepper.sizes, numba.from_dtype(stepper.dtype)
        self.stepper, self.threads = stepper, 4 if simulated() else THREADS
        key = named((rule.update, rule.probe), "in place on the gpu", sizes, rule.slots, stepper.dtype.str)
        limit = make_limit(sizes)
        build = functools.partial(
            make_device_pass, dtype=dtype, slots=rule.slots, count=stepper.count, threads=self.threads
        )
        self.update = DeviceKernel(build(make_update(rule, sizes, limit)), f"{key} update")
        self.look = self.squares = None
        if rule.probe is not None:
            self.look = DeviceKernel(build(make_look(rule.probe, rule.slots, sizes)), f"{key} probe")
        if "clip_norm" in optimizer.clips:
            squares = make_device_squares(limit, dtype, stepper.count, self.threads)
            self.squares = DeviceKernel(squares, f"{key} squares")

    def run(
        self, kernel: DeviceKernel, target: Any, source: Any, state: Any, c: tuple[float, ...], stream: Any
    ) -> None:
        size = target.size
        if size:
            blocks = -(-size // (self.threads * EACH))
            kernel.launch(blocks, self.threads, stream, flat(target), flat(source), state, size, c)

    def factor(self, sources: list[Any], c: tuple[float, ...], stream: Any) -> float:
        """What the gradients are multiplied by, for their norm to be within the limit at the end of `c`."""
        assert self.squares is not None
        for scale in (1.0, 2.0**-600):  # the squares of large finite numbers overflow
            total = 0.0
            for source in sources:
                blocks = min(SUMS, max(1, -(-source.size // self.threads)))
                sums = cuda.device_array((blocks,), np.float64)
                self.squares.launch(blocks, self.threads, stream, flat(source), source.size, c, scale, sums)
                total += float(fetched(sums, stream).sum()) if source.size else 0.0
            if not math.isinf(total):
                break
        norm, limit = math.sqrt(total) / scale, c[-1]
        return limit / norm if norm > limit else 1.0


STEPPERS: weakref.WeakKeyDictionary[Optimizer, dict[np.dtype, DeviceStepper]] = weakref.WeakKeyDictionary()


def device_stepper(optimizer: Optimizer, state: State) -> DeviceStepper:
    stepper, known = stepper_for(optimizer, state), STEPPERS.setdefault(optimizer, {})
    if stepper.dtype not in known:
        known[stepper.dtype] = DeviceStepper(optimizer, stepper)
    return known[stepper.dtype]


def flat(array: Any) -> Any:
    return array.reshape(array.size)


def fetched(array: Any, stream: Any) -> np.ndarray:
    """The numbers of an array that a kernel in this stream writes."""
    if stream:
        stream.synchronize()
    return array.copy_to_host()


def first_of(x: Any) -> Any:
    """The array that tells on which GPU the others have to lie."""
    return next(iter(x), None) if isinstance(x, (list, tuple)) else x


def listed(x: Any, name: str, written: bool = False, beside: Any = None) -> tuple[list[Any], bool]:
    """The arrays of an argument, as Numba's; TypeError where they cannot be what is `written` to.

    They have to lie on the GPU that the array `beside` lies on.
    """
    is_list = isinstance(x, (list, tuple))
    arrays = list(x) if is_list else [x]
    here = None if beside is None or simulated() else device_of(beside)
    for k, array in enumerate(arrays):
        if written and library_of(array) == "jax":
            raise TypeError(f"{place_of(name, k, is_list)} must be writable, and arrays of JAX never change; use optax")
        if not on_gpu(array):
            kind = type(array).__name__
            raise TypeError(f"{place_of(name, k, is_list)} must lie on the GPU, as x does, got {kind} of the host")
        there = None if here is None else device_of(array)
        if there is not None and there != here:
            raise ValueError(f"{place_of(name, k, is_list)} must lie on GPU {here}, as x does, got one on GPU {there}")
    return [adopt(array, place_of(name, k, is_list), written) for k, array in enumerate(arrays)], is_list


def matched(x: Any, name: str, state: State, beside: Any, written: bool = False) -> list[Any]:
    arrays, is_list = listed(x, name, written, beside)
    check_shapes(arrays, is_list, name, state)
    return arrays


def span(array: Any) -> tuple[int, int]:
    """The addresses that an array lies between."""
    interface = array.__array_interface__ if simulated() else array.__cuda_array_interface__
    start = interface["data"][0]
    return start, start + array.size * array.dtype.itemsize


def check_apart(arrays: list[Any], message: str) -> None:
    spans = sorted(span(array) for array in arrays if array.size)
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        raise ValueError(message)


def init(optimizer: Optimizer, x: Any) -> State:
    """See `Optimizer.init`."""
    with on_device_of(first_of(x)):
        arrays, is_list = listed(x, "x", written=True, beside=first_of(x))
        check_dtypes(arrays, is_list)
        state = new_state(optimizer, arrays, is_list)
        to_gpu(state)
    return state


def to_gpu(state: State) -> None:
    """Bring the state to where the parameters are."""
    if not state.on_gpu:
        rows = [state.apart(k) for k in range(len(state.shapes))]
        nothing = np.zeros((1, 1), state.dtype)  # no array without numbers can be made on a GPU
        state.blocks = [cuda.to_device(np.ascontiguousarray(row) if row.size else nothing) for row in rows]
        state.on_gpu = True
        cuda.synchronize()  # the last bytes may be under way, and other libraries' streams do not wait for them


def to_host(state: State) -> None:
    """The reverse of `to_gpu`."""
    rows = [state.apart(k)[:, : math.prod(shape)] for k, shape in enumerate(state.shapes)]
    home = State(state.rule, state.shapes, state.dtype, state.slots, state.is_list)
    state.blocks, state.on_gpu = home.blocks, False
    for k, row in enumerate(rows):
        if state.slots:
            state.put(k, row)


def fetched_block(block: Any) -> np.ndarray:
    """The numbers of an array of state; the step that writes them may be under way, in any stream."""
    with on_device_of(block):
        cuda.synchronize()
        return block.copy_to_host()


def step(optimizer: Optimizer, x: Any, grad: Any, state: State, value: float | None) -> None:
    """See `Optimizer.step`."""
    kernels, beside = device_stepper(optimizer, state), first_of(x)
    with on_device_of(beside):
        targets, sources = matched(x, "x", state, beside, written=True), matched(grad, "grad", state, beside)
        check_apart(targets, "x: its arrays must not overlap in memory, or parameters would be updated twice")
        for target, source in zip(targets, sources, strict=True):
            check_apart([target, source], "grad must not share memory with x; pass a copy")
        kernels.stepper.check_value(value)
        to_gpu(state)
        table, memory = kernels.stepper.table(state, None if value is None else float(value))
        c, stream = tuple(table[0, :, 0].tolist()), common_stream([*targets, *sources])
        if kernels.squares is not None:
            c = (*c[:-1], kernels.factor(sources, c, stream))
        for target, source, blocks in zip(targets, sources, state.blocks, strict=True):
            kernels.run(kernels.update, target, source, blocks, c, stream)
        settle(beside)
    state.t += 1
    state.memory = memory


def probe(optimizer: Optimizer, x: Any, state: State, out: Any) -> Any:
    """See `Optimizer.probe`."""
    kernels, beside = device_stepper(optimizer, state), first_of(x)
    with on_device_of(beside):
        sources = matched(x, "x", state, beside)
        if kernels.look is None and out is None:
            return x
        if out is None:
            targets = [cuda.device_array(array.shape, array.dtype, stream=array.stream) for array in sources]
        else:
            targets = matched(out, "out", state, beside, written=True)
            for target, source in zip(targets, sources, strict=True):
                check_apart([target, source], "out must not share memory with x; pass a copy")
        to_gpu(state)
        table, _ = kernels.stepper.table(state)
        c, stream = tuple(table[0, :, 0].tolist()), common_stream([*targets, *sources])
        for target, source, blocks in zip(targets, sources, state.blocks, strict=True):
            if kernels.look is None:
                target.copy_to_device(source, stream=stream)
            else:
                kernels.run(kernels.look, target, source, blocks, c, stream)
        settle(beside)
    if out is not None:
        return out
    given = list(x) if state.is_list else [x]
    found = [as_like(target, like) for target, like in zip(targets, given, strict=True)]
    return found if state.is_list else found[0]
