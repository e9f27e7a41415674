"""The kernels of a plan on a GPU: first states, coefficients, batches, a burst of steps, and what stands at the ends.

A thread takes one run.  While it steps, the run's numbers are arrays of the thread's own, which the compiler keeps in
registers where they are few and their indices known.  Between launches they lie in global memory, blocked like those of
the CPU's chunks with the 32 threads of a warp as the lanes, so that neighbouring threads read neighbouring numbers.
Where a run has many numbers it steps in place: they stay there, and so does its working memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numba
from numba import cuda

from fastgd.engine.chunk import CONTROL, make_end, make_sources
from fastgd.engine.descend import step_of
from fastgd.engine.draws import make_deal, make_table
from fastgd.engine.moves import average_row, counts_of, make_begin_run, make_keep_point, make_write_run, status_at_end
from fastgd.engine.stages import Parts, Shape, Views, make_memory, working_points
from fastgd.jit.options import inlined
from fastgd.jit.rows import lane_view, row_view
from fastgd.stopping import NFEV, NIT, RUN, RUNNING, STATUS, STEP_LIMIT, WAIT

__all__ = ["GONE", "WARP", "Layout", "Sources", "make_sources_of_kernels"]

WARP = 32
TAG_RUN, TAG_WAIT, TAG_NIT, TAG_NFEV = range(4)  # rows of a run's integers between launches; the last two if it counts
GONE = -1  # in the place of a run that has ended


class Layout(NamedTuple):
    """How many numbers a run has between launches."""

    rows: int  # of the runs' dtype: points, state, best value, average
    memory: int  # float64, of the schedule
    working: int  # of the runs' dtype, in global memory: none where threads have their own
    tags: int  # int32: which run, how many steps without progress; where runs count, steps and evaluations


class Sources(NamedTuple):
    """The kernels as plain Python functions, each to be compiled when it is first launched."""

    begin: Callable
    fill: Callable
    draw: Callable
    burst: Callable
    ends: Callable


def layout_of(parts: Parts, shape: Shape, in_place: bool) -> Layout:
    averages = shape.length if parts.weight is not None else 0
    working = (shape.working + 1) * shape.length if in_place else 0
    return Layout(average_row(shape) + averages, parts.memory, working, 4 if parts.own_steps else 2)


def make_sources_of_kernels(
    parts: Parts, shape: Shape, recorded: bool, in_place: bool = False
) -> tuple[Sources, Layout]:
    """Build the kernels of a plan, of its parts and a shape of width 1."""
    layout, memory = layout_of(parts, shape, in_place), memory_of(parts, shape, in_place)
    fill, coefficients_of = make_sources(parts, shape, memory.views)
    burst = make_burst_kernel(parts, shape, layout, memory, coefficients_of, recorded)
    begin, ends = make_begin(parts, shape, layout, recorded), make_ends_kernel(parts, shape, memory)
    return Sources(begin, make_fill(fill), make_draw(make_table(parts.draws)), burst, ends), layout


def controls_of(parts: Parts) -> int:
    """Rows of a thread's own integers: as in a chunk, but for the run's number where no seed stands behind it."""
    return CONTROL if parts.draws else RUN


class Memory(NamedTuple):
    """Where the numbers of a run lie while it steps."""

    in_place: bool  # in global memory; else in arrays of the thread's own
    views: Views
    pick: Callable  # ``pick(shared, own)``: the array of the two
    place: Callable  # ``place(i)``: which of its lanes is that of thread `i`


def memory_of(parts: Parts, shape: Shape, in_place: bool) -> Memory:
    """Rows of the one place of a thread's own arrays, or of its lane in those that all share."""
    length, states, places = shape.length, shape.states, shape.working + 1

    def rows(count: int, skip: int = 0) -> Callable:
        return lane_view(WARP, count, skip, shape.bare) if in_place else row_view(1, count, skip, shape.bare)

    def of_thread(count: int) -> Callable:
        view = row_view(1, count, 0, shape.bare)

        @inlined
        def first(array, b):
            return view(array, 0)

        return first if in_place else view

    if in_place:
        working = tuple(rows(length, k * length) for k in range(places))
    else:
        working = working_points(rows(length), places)
    views = Views(
        points=rows(length), state=rows(states, length), best=rows(1, length + states),
        control=of_thread(controls_of(parts)), hyper=of_thread(parts.hyperparameters + parts.memory),
        average=rows(length, average_row(shape)), working=working,
    )  # fmt: skip

    @inlined
    def first_of(shared, own):
        return shared

    @inlined
    def second_of(shared, own):
        return own

    @inlined
    def same(i):
        return i

    @inlined
    def zero(i):
        return 0

    return Memory(True, views, first_of, same) if in_place else Memory(False, views, second_of, zero)


def make_begin(parts: Parts, shape: Shape, layout: Layout, recorded: bool) -> Callable:
    """``begin(starts, hyper, new, identity, out, runs)``: the numbers of every run before its first step."""
    length, memory, tag_rows = shape.length, layout.memory, layout.tags
    hypers, count = parts.hyperparameters, max(1, parts.hyperparameters + parts.memory)
    per_run, own_steps = shape.per_run, parts.own_steps
    begin_run, (first_memory, _) = make_begin_run(shape), make_memory(parts, shape)
    hyper_of = row_view(1, count, 0, shape.bare)

    def begin(starts, hyper, new, identity, out, runs):
        numbers, memories, tags = new
        run = cuda.grid(1)
        if run < runs:
            b, lane = run // WARP, run % WARP
            begin_run(b, lane, run, starts, numbers)
            for i in range(length):
                out[0][run, i] = starts[run, i]
            own = cuda.local.array((1, count, 1), numba.float64)
            for i in range(hypers if per_run else 0):
                own[0, i, 0] = hyper[i, run]
            first_memory(hyper_of(own, 0))
            for i in range(memory):
                memories[b, i, lane] = own[0, hypers + i, 0]
            for i in range(tag_rows):
                tags[b, i, lane] = run if i == TAG_RUN else 0
            identity[run] = run
            if recorded:
                for place in range(out[4].shape[1]):
                    for i in range(length):
                        out[4][run, place, i] = math.nan
            out[1][run] = 0
            out[2][run] = RUNNING
            if own_steps:
                out[5][run] = 0

    return begin


def make_fill(fill: Callable) -> Callable:
    """``kernel(hypers, table, first, last)``: the shared coefficients of some steps, a thread a step."""

    def kernel(hypers, table, first, last):
        k = cuda.grid(1)
        if k < last - first:
            fill(hypers, table, k, first + k)

    return kernel


def make_draw(fill: Callable) -> Callable:
    """``kernel(indices, first, drawn)``: the samples that all runs see at some steps, a block of threads a step."""

    def kernel(indices, first, drawn):
        k = cuda.blockIdx.x
        fill(indices, k, first + k, cuda.threadIdx.x, cuda.blockDim.x, drawn)

    return kernel


def make_burst_kernel(
    parts: Parts, shape: Shape, layout: Layout, memory: Memory, coefficients_of: Callable, recorded: bool
) -> Callable:
    """``burst(old, new, order, slots, table, hyper, data, span, record, limits, out, draws, working)``.

    Takes the runs in the places `order` of `old` from step ``span[0]`` to ``span[1]``, of ``span[2]`` in all, to the
    first places of `new`.  Of those that have ended the results are written out.  `draws` are the table of samples and
    what more is needed to draw some.

    A function of the caller's that raises an exception ends its thread on the spot.  So there is no barrier here, and
    the run's new place is marked as empty first.
    """
    own_steps, places, in_place = parts.own_steps, shape.working + 1, memory.in_place
    step, points_of, next_of = step_of(parts, shape, memory.views), memory.views.points, memory.views.working[-1]
    pick, place_of, turns, lanes = memory.pick, memory.place, in_place and not recorded, WARP if in_place else 1
    length, rows, remembered, dtype = shape.length, layout.rows, layout.memory, shape.dtype
    own_rows, own_length = (1, 1) if in_place else (rows, length)
    hypers, count = parts.hyperparameters, max(1, parts.hyperparameters + parts.memory)
    per_run, controls, deal = shape.per_run, controls_of(parts), make_deal(parts.draws)
    write_run, keep_point = make_write_run(parts, shape), make_keep_point(shape)

    def burst(old, new, order, slots, table, hyper, data, span, record, limits, out, draws, working):
        i = cuda.grid(1)
        if i < slots:
            new[2][i // WARP, TAG_RUN, i % WARP] = GONE
            numbers, memories, tags = old
            j = order[i]
            b, lane = j // WARP, j % WARP
            run = tags[b, TAG_RUN, lane]
            if run >= 0:
                first, last, most = span
                ends, nit, status, averages, trace, nfev = out
                indices, drawn = draws
                block = pick(new[0], cuda.local.array((1, own_rows, 1), dtype))
                scratch = pick(working, cuda.local.array((places, own_length, 1), dtype))
                at = place_of(i)
                home, seat = at // lanes, at % lanes
                own = cuda.local.array((1, count, 1), numba.float64)
                control = cuda.local.array((1, controls, 1), numba.int64)
                for k in range(rows):
                    block[home, k, seat] = numbers[b, k, lane]
                for k in range(hypers if per_run else 0):
                    own[0, k, 0] = hyper[k, run]
                for k in range(remembered):
                    own[0, hypers + k, 0] = memories[b, k, lane]
                control[0, STATUS, 0] = RUNNING
                control[0, WAIT, 0] = tags[b, TAG_WAIT, lane]
                control[0, NIT, 0] = tags[b, TAG_NIT, lane] if own_steps else last
                control[0, NFEV, 0] = tags[b, TAG_NFEV, lane] if own_steps else 0
                deal(control, 0, 0, run, drawn)

                x, y = points_of(block, at), next_of(scratch, at)
                t, going = first, True
                while going and t < last:
                    if recorded:
                        steps = control[0, NIT, 0] if own_steps else t  # which are not passes of the loop
                        if steps % record == 0:
                            keep_point(home, seat, block, trace, run, steps // record)
                    k = t - first
                    c = coefficients_of(table, own, at, k, t)
                    going = step(x, y, scratch, at, block, own, control, c, data, t, limits, k, indices, drawn)
                    if turns:
                        x, y = y, x
                    else:
                        for n in range(length):
                            x[n] = y[n]
                    t += 1
                if turns and (t - first) & 1:
                    for k in range(length):
                        y[k] = x[k]

                goes_on = going and last < most
                if not goes_on:
                    if going:
                        control[0, STATUS, 0] = STEP_LIMIT
                    write_run(home, seat, run, block, counts_of(control, 0, 0), ends, nit, status, averages, nfev)
                    if recorded and control[0, NIT, 0] % record == 0:
                        keep_point(home, seat, block, trace, run, control[0, NIT, 0] // record)
                numbers, memories, tags = new
                b, lane = i // WARP, i % WARP
                for k in range(0 if in_place else rows):
                    numbers[b, k, lane] = block[home, k, seat]
                for k in range(remembered):
                    memories[b, k, lane] = own[0, hypers + k, 0]
                tags[b, TAG_WAIT, lane] = control[0, WAIT, 0]
                if own_steps:
                    tags[b, TAG_NIT, lane] = control[0, NIT, 0]
                    tags[b, TAG_NFEV, lane] = control[0, NFEV, 0]
                if goes_on:
                    tags[b, TAG_RUN, lane] = run

    return burst


def make_ends_kernel(parts: Parts, shape: Shape, memory: Memory) -> Callable:
    """``ends(runs, data, gtol, out, values, working)``: value and gradient norm at the ends, the value at averages.

    The status comes last, so that a run keeps none whose functions raise an exception.
    """
    length, dtype, averaged = shape.length, shape.dtype, parts.weight is not None
    value, end_of = parts.value, make_end(parts, length)
    (point_of, slope_of), results_of = memory.views.working[:2], row_view(1, 2, 0, shape.bare)
    pick, place_of, own_length = memory.pick, memory.place, 1 if memory.in_place else length

    def ends(runs, data, gtol, out, values, working):
        run = cuda.grid(1)
        if run < runs:
            scratch = pick(working, cuda.local.array((2, own_length, 1), dtype))
            results = cuda.local.array((1, 2, 1), dtype)
            at, status = place_of(run), out[2][run]
            out[2][run] = RUNNING
            x, g, written = point_of(scratch, at), slope_of(scratch, at), results_of(results, 0)
            if averaged:
                for k in range(length):
                    x[k] = out[3][run, k]
                written[0] = value(x, *data)
                values[2][run] = results[0, 0, 0]
            for k in range(length):
                x[k] = out[0][run, k]
            end_of(x, g, written, data)
            values[0][run] = results[0, 0, 0]
            values[1][run] = results[0, 1, 0]
            out[2][run] = status_at_end(status, results[0, 0, 0], results[0, 1, 0], gtol)

    return ends
