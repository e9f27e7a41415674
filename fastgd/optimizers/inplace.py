"""The same rules applied in place to arrays of the caller's: one pass over memory, by all threads."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numba
import numpy as np

from fastgd.checks import is_real, shown
from fastgd.jit.exchange import on_gpu
from fastgd.jit.pool import checked_threads, share_out
from fastgd.jit.targets import aligned, compile_once, first_cause, named, shared_kernel

from .base import Optimizer
from .coefficients import TABLE_WIDTH
from .passes import Sizes, make_limit, make_look, make_pass, make_prepare, make_squares, make_update
from .state import State, block_width

__all__ = ["init", "probe", "restore", "step"]

CHUNK = 1 << 17  # parameters in a piece, which is the least that a thread takes at a time


class Stepper:
    """The compiled step of one optimizer for arrays of one dtype."""

    def __init__(self, optimizer: Optimizer, dtype: np.dtype) -> None:
        if optimizer.search(1) is not None:
            raise TypeError(
                f"{type(optimizer).__name__}: lr must be a number or a schedule for a step in place, got "
                f"{optimizer.lr!r}; a line search asks for more values, which fastgd.minimize gives it"
            )
        self.name, rule, schedule = label(optimizer), optimizer.rule(), optimizer.schedule
        numbers = optimizer.hyperparameters()
        for name, value in numbers.items():
            if np.ndim(value):
                raise ValueError(
                    f"{type(optimizer).__name__}: {name} must be one number for a step in place, got an array of shape "
                    f"{np.shape(value)}; many runs with hyperparameters of their own are what fastgd.minimize is for"
                )
        rates = len(schedule.parameters())
        own = len(numbers) - rates - len(optimizer.clips)
        count = len(rule.coefficients((0.5,) * (1 + own), 0))
        self.sizes = Sizes(rates, len(numbers), schedule.memory, count, optimizer.clips)
        self.width, self.dtype, self.slots = block_width(dtype.itemsize), dtype, rule.slots
        self.count, self.numbers = count + len(optimizer.clips), tuple(numbers.values())

        functions = (*rule, schedule.rate_function(), *((schedule.start, schedule.observe) if schedule.memory else ()))
        key = named(functions, "in place", self.sizes, dtype.str)
        kind, limit = numba.from_dtype(dtype), make_limit(self.sizes)

        def compiled(what: str, build: Callable, *arguments: Any) -> Any:
            found = shared_kernel(f"{key} {what}", self.width, build)
            try:
                compile_once(found, lambda: tuple(map(numba.typeof, arguments)))
            except numba.errors.NumbaError as error:
                raise TypeError(
                    f"{self.name}: numba cannot compile the rule for vectors; in place of `if` use fastgd.select.  "
                    f"{first_cause(error)}"
                ) from error
            return found

        self.constant = self.hypers(np.zeros(schedule.memory))
        pieces, table = np.zeros((0, 4), np.int64), self.empty_table()
        first = self.constant, 0, 0.0, False, table
        self.prepare = compiled("prepare", lambda: make_prepare(optimizer, self.sizes), *first)
        body = make_update(rule, self.sizes, limit)
        self.update = compiled("update", lambda: make_pass(body, kind, rule.slots, self.count), pieces, table, 0)
        self.look: Any = None
        self.squares: Any = None
        if rule.probe is not None:
            ahead = make_look(rule.probe, rule.slots, self.sizes)
            self.look = compiled("probe", lambda: make_pass(ahead, kind, rule.slots, self.count), pieces, table, 0)
        if "clip_norm" in optimizer.clips:
            room = aligned((1, 1, self.width), np.float64), np.zeros(0)
            self.squares = compiled(
                "squares", lambda: make_squares(limit, kind, self.count), pieces, table, 0, 1.0, *room
            )

    def empty_table(self) -> np.ndarray:
        return np.empty((1, self.count, 1))

    def hypers(self, memory: np.ndarray) -> np.ndarray:
        """The kernels' view of the hyperparameters and a schedule's memory, which may be written to."""
        rows = aligned((1, len(self.numbers) + len(memory), TABLE_WIDTH), np.float64)
        rows[0] = np.array([*self.numbers, *memory], dtype=np.float64)[:, None]
        return rows

    def check(self, state: Any) -> None:
        """Raise unless the state is one of this optimizer's."""
        if not isinstance(state, State):
            raise TypeError(f"state must be what optimizer.init(x) returned, got {type(state).__name__}")
        if state.rule != self.name or state.slots != self.slots:
            raise ValueError(
                f"state is of {state.rule} with {state.slots} numbers for each parameter, and this optimizer is "
                f"{self.name} with {self.slots}; make it by this optimizer's init(x)"
            )
        if len(state.memory) != self.sizes.memory:
            raise ValueError(
                f"state remembers {len(state.memory)} numbers for its schedule, and this optimizer's needs "
                f"{self.sizes.memory}; make it by this optimizer's init(x)"
            )

    def check_value(self, value: float | None) -> None:
        if value is not None and not is_real(value):
            raise TypeError(f"{self.name}: value must be one number, f(x), got {shown(value)}")
        if self.sizes.memory and value is None:
            raise TypeError(f"{self.name}: its schedule watches the value: pass value=f(x) to step")

    def table(self, state: State, value: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The coefficients of the state's next step, and the schedule's memory after `value` was seen."""
        table, hypers = self.empty_table(), self.hypers(state.memory) if self.sizes.memory else self.constant
        self.prepare(hypers, state.t, 0.0 if value is None else value, value is not None, table)
        return table, hypers[0, len(self.numbers) :, 0].copy()

    def run(self, run: Any, pieces: np.ndarray, table: np.ndarray, threads: int) -> None:
        """A pass over all pieces."""

        def work(part: slice) -> None:
            pad = np.empty(2 * self.width, self.dtype)
            run(pieces[part], table, address(pad))

        each_task(work, pieces, threads)

    def clip_norm(self, pieces: np.ndarray, table: np.ndarray, threads: int) -> None:
        """Put the factor of the gradients in the place of the limit of their norm; no sum depends on the threads."""
        if self.squares is None:
            return
        squares, sums, scale = self.squares, np.empty(len(pieces)), 1.0

        def work(part: slice) -> None:
            pad, lanes = np.empty(self.width, self.dtype), aligned((1, 1, self.width), np.float64)
            squares(pieces[part], table, address(pad), scale, lanes, sums[part])

        each_task(work, pieces, threads)
        if np.isinf(sums).any():  # the squares of large finite numbers overflow
            scale = 2.0**-600
            each_task(work, pieces, threads)
        norm, limit = math.sqrt(sums.sum()) / scale, table[0, -1, 0]
        table[0, -1, 0] = limit / norm if norm > limit else 1.0


STEPPERS: weakref.WeakKeyDictionary[Optimizer, dict[np.dtype, Stepper]] = weakref.WeakKeyDictionary()


def stepper_of(optimizer: Optimizer, dtype: np.dtype) -> Stepper:
    """The compiled step, made at the first use of an optimizer, whose fields never change."""
    known = STEPPERS.setdefault(optimizer, {})
    if dtype not in known:
        known[dtype] = Stepper(optimizer, dtype)
    return known[dtype]


def label(optimizer: Optimizer) -> str:
    """The rule and those of its options that decide what its state means."""
    flags = [field.name for field in dataclasses.fields(optimizer) if "low" not in field.metadata]
    options = ", ".join(f"{name}={getattr(optimizer, name)!r}" for name in flags)
    return (optimizer.name or type(optimizer).__qualname__) + (f"({options})" if options else "")


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def each_task(work: Callable[[slice], None], pieces: np.ndarray, threads: int) -> None:
    """Call ``work(part)`` for neighbouring pieces: many at first, then fewer, so that all threads end together."""
    ends = list(itertools.accumulate(pieces[:, 3].tolist()))
    if threads == 1 or ends[-1] < 2 * CHUNK:
        work(slice(None))
        return
    threads = min(threads, -(-ends[-1] // CHUNK))
    share_out(work, parts_of(ends, threads), threads)


def parts_of(ends: list[int], threads: int) -> Iterator[slice]:
    """Cut the pieces, which end at these parameters, as they are asked for."""
    low, done = 0, 0
    while low < len(ends):
        share = max(CHUNK, (ends[-1] - done) // (2 * threads))
        high = min(bisect.bisect_left(ends, done + share) + 1, len(ends))
        yield slice(low, high)
        low, done = high, ends[high - 1]


def pieces_of(targets: list[np.ndarray], sources: list[np.ndarray], state: State) -> np.ndarray:
    """Addresses and counts of what the kernels work on, at most CHUNK parameters in a piece.

    The state keeps them for the next step, which is mostly one of the same arrays.
    """
    whole = tuple(
        (address(target), address(source), address(blocks), target.size)
        for target, source, blocks in zip(targets, sources, state.blocks, strict=True)
    )
    if state.pieces is None or state.pieces[0] != whole:
        state.pieces = whole, cut(whole, state)
    return state.pieces[1]


def cut(whole: tuple[tuple[int, int, int, int], ...], state: State) -> np.ndarray:
    """Arrays of more than CHUNK parameters, in rows as `make_pass` tells, cut; the small ones come first."""
    size, small, found = state.dtype.itemsize, [], []
    for row in whole:
        count = row[3]
        if count <= CHUNK:
            small.append(row)
            continue
        low = np.arange(0, count, CHUNK, dtype=np.int64)
        piece = np.array(row) + low[:, None] * (size, size, size * state.slots, -1)
        np.minimum(piece[:, 3], CHUNK, out=piece[:, 3])
        found.append(piece)
    return np.concatenate([np.array(small, np.int64).reshape(-1, 4), *found])


def listed(x: Any, name: str) -> tuple[list[np.ndarray], bool]:
    """The arrays of an argument that is an array or a list of them."""
    is_list = isinstance(x, (list, tuple))
    arrays = list(x) if is_list else [x]
    for k, array in enumerate(arrays):
        if not isinstance(array, np.ndarray):
            place, kind = place_of(name, k, is_list), type(array).__name__
            raise TypeError(f"{place} must be a NumPy array, got {kind}; {name} is an array or a list of arrays")
    return arrays, is_list


def place_of(name: str, k: int, is_list: bool) -> str:
    return f"{name}[{k}]" if is_list else name


def matched(x: Any, name: str, state: State) -> list[np.ndarray]:
    """The arrays of an argument, of the state's shapes and dtype."""
    arrays, is_list = listed(x, name)
    check_shapes(arrays, is_list, name, state)
    return arrays


def check_shapes(arrays: list[Any], is_list: bool, name: str, state: State) -> None:
    """Raise ValueError unless the arrays are of the state's shapes and dtype."""
    if is_list != state.is_list or len(arrays) != len(state.shapes):
        count = f"a list of {len(state.shapes)} arrays" if state.is_list else "one array"
        came = f"a list of {len(arrays)}" if is_list else "one array"
        raise ValueError(f"{name} must be {count}, as init was given, got {came}")
    for k, (array, shape) in enumerate(zip(arrays, state.shapes, strict=True)):
        place = place_of(name, k, is_list)
        if tuple(array.shape) != shape:
            raise ValueError(f"{place} must have shape {shape}, as in init, got {array.shape}")
        if array.dtype != state.dtype:
            raise ValueError(f"{place} must have dtype {state.dtype}, as in init, got {array.dtype}")


def check_writable(arrays: list[np.ndarray], name: str, is_list: bool) -> None:
    """Raise ValueError unless each array can be updated where it is."""
    for k, array in enumerate(arrays):
        place = place_of(name, k, is_list)
        if not array.flags.c_contiguous or not array.flags.aligned:
            raise ValueError(
                f"{place} must be C-contiguous to be updated in place in one pass, got shape {array.shape} with "
                f"strides {array.strides}; keep the parameters as np.ascontiguousarray({place})"
            )
        if not array.flags.writeable:
            raise ValueError(f"{place} must be writable to be updated in place, got a read-only array")
    if len(arrays) > 1:
        spans = sorted((address(array), address(array) + array.nbytes) for array in arrays if array.size)
        if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
            raise ValueError(f"{name}: its arrays must not overlap in memory, or parameters would be updated twice")


def check_apart(targets: list[np.ndarray], sources: list[np.ndarray], names: tuple[str, str]) -> None:
    for target, source in zip(targets, sources, strict=True):
        if np.may_share_memory(target, source):
            raise ValueError(f"{names[1]} must not share memory with {names[0]}; pass a copy")


def readable(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The arrays themselves, or copies of those that are not contiguous."""
    return [a if a.flags.c_contiguous and a.flags.aligned else np.array(a, order="C") for a in arrays]


def any_on_gpu(x: Any) -> bool:
    return any(on_gpu(array) for array in (x if isinstance(x, (list, tuple)) else [x]))


def init(optimizer: Optimizer, x: Any) -> State:
    """See `Optimizer.init`."""
    if any_on_gpu(x):
        from . import cuda

        return cuda.init(optimizer, x)
    arrays, is_list = listed(x, "x")
    check_dtypes(arrays, is_list)
    check_writable(arrays, "x", is_list)
    return new_state(optimizer, arrays, is_list)


def check_dtypes(arrays: list[Any], is_list: bool) -> None:
    """Raise ValueError unless these arrays of parameters share one of the dtypes that there are."""
    if not arrays:
        raise ValueError("x must hold at least one array, got an empty list")
    dtype = arrays[0].dtype
    for k, array in enumerate(arrays):
        if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"{place_of('x', k, is_list)} must have dtype float32 or float64, got {array.dtype}")
        if array.dtype != dtype:
            raise ValueError(f"x must hold arrays of one dtype, got {dtype} and {array.dtype}; make two states of them")


def new_state(optimizer: Optimizer, arrays: list[Any], is_list: bool) -> State:
    dtype = arrays[0].dtype
    stepper = stepper_of(optimizer, dtype)
    state = State(stepper.name, [tuple(array.shape) for array in arrays], dtype, stepper.slots, is_list)
    state.memory = np.zeros(stepper.sizes.memory)
    return state


def restore(optimizer: Optimizer, saved: Mapping[str, Any]) -> State:
    """See `Optimizer.restore`."""
    state = State.from_dict(saved)
    stepper_of(optimizer, state.dtype).check(state)
    return state


def to_host(state: State) -> None:
    """Bring a state that steps on a GPU have left there home."""
    if state.on_gpu:
        from . import cuda

        cuda.to_host(state)


def stepper_for(optimizer: Optimizer, state: Any) -> Stepper:
    dtype = state.dtype if isinstance(state, State) else np.dtype(np.float64)
    stepper = stepper_of(optimizer, dtype)
    stepper.check(state)
    return stepper


def step(optimizer: Optimizer, x: Any, grad: Any, state: State, value: float | None, threads: int | None) -> None:
    """See `Optimizer.step`."""
    if any_on_gpu(x):
        from . import cuda

        return cuda.step(optimizer, x, grad, state, value)
    stepper = stepper_for(optimizer, state)
    targets, sources = matched(x, "x", state), matched(grad, "grad", state)
    check_writable(targets, "x", state.is_list)
    sources = readable(sources)
    check_apart(targets, sources, ("x", "grad"))
    count = checked_threads(threads)
    stepper.check_value(value)
    to_host(state)
    table, memory = stepper.table(state, None if value is None else float(value))
    pieces = pieces_of(targets, sources, state)
    stepper.clip_norm(pieces, table, count)
    stepper.run(stepper.update, pieces, table, count)
    state.t += 1
    state.memory = memory


def probe(optimizer: Optimizer, x: Any, state: State, out: Any, threads: int | None) -> Any:
    """See `Optimizer.probe`."""
    if any_on_gpu(x):
        from . import cuda

        return cuda.probe(optimizer, x, state, out)
    stepper = stepper_for(optimizer, state)
    sources = matched(x, "x", state)
    count = checked_threads(threads)
    if stepper.look is None and out is None:
        return x
    if out is None:
        targets = [np.empty(array.shape, array.dtype) for array in sources]
    else:
        targets = matched(out, "out", state)
        check_writable(targets, "out", state.is_list)
        check_apart(targets, sources, ("out", "x"))
    if stepper.look is None:
        for target, source in zip(targets, sources, strict=True):
            np.copyto(target, source)
    else:
        to_host(state)
        table, _ = stepper.table(state)
        stepper.run(stepper.look, pieces_of(targets, readable(sources), state), table, count)
    if out is not None:
        return out
    return targets if state.is_list else targets[0]
