"""The kernels of a plan on a GPU: first states, coefficients, batches, a burst of steps, and what stands at the ends.

A thread takes one run.  While it steps, the run's numbers are arrays of the thread's own, which the compiler keeps in
registers where they are few and their indices known.  Between launches they lie in global memory, blocked like those of
the CPU's chunks with the 32 threads of a warp as the lanes, so that neighbouring threads read neighbouring numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numba
from numba import cuda

from fastgd.engine.chunk import CONTROL, make_end, make_sources
from fastgd.engine.descend import make_step
from fastgd.engine.draws import make_deal, make_table
from fastgd.engine.moves import average_row, make_begin_run, make_record_point, make_write_run
from fastgd.engine.search import make_search_step
from fastgd.engine.stages import Parts, Shape, Views, make_memory
from fastgd.jit.rows import row_view
from fastgd.stopping import CONVERGED, NFEV, NIT, RUN, RUNNING, STATUS, STEP_LIMIT, WAIT

__all__ = ["GONE", "WARP", "Layout", "Sources", "make_sources_of_kernels"]

WARP = 32
TAG_RUN, TAG_WAIT, TAG_NIT, TAG_NFEV = range(4)  # rows of a run's integers between launches, the last two in a search
GONE = -1  # in the place of a run that has ended


class Layout(NamedTuple):
    """How many numbers a run has between launches."""

    rows: int  # of the runs' dtype: points, state, best value, average
    memory: int  # float64, of the schedule
    tags: int  # int32: which run, how many steps without progress; in a search how many steps and evaluations


class Sources(NamedTuple):
    """The kernels as plain Python functions, each to be compiled when it is first launched."""

    begin: Callable
    fill: Callable
    draw: Callable
    burst: Callable
    ends: Callable


def layout_of(parts: Parts, shape: Shape) -> Layout:
    averages = shape.length if parts.weight is not None else 0
    return Layout(average_row(shape) + averages, parts.memory, 2 if parts.search is None else 4)


def make_sources_of_kernels(parts: Parts, shape: Shape, recorded: bool) -> tuple[Sources, Layout]:
    """Build the kernels of a plan, of its parts and a shape of width 1."""
    layout = layout_of(parts, shape)
    fill, coefficients_of = make_sources(parts, shape, views_of(parts, shape))
    burst = make_burst_kernel(parts, shape, layout, coefficients_of, recorded)
    begin, ends = make_begin(parts, shape, layout, recorded), make_ends_kernel(parts, shape)
    return Sources(begin, make_fill(fill), make_draw(make_table(parts.draws)), burst, ends), layout


def controls_of(parts: Parts) -> int:
    """Rows of a thread's own integers: as in a chunk, but for the run's number where no seed stands behind it."""
    return CONTROL if parts.draws else RUN


def views_of(parts: Parts, shape: Shape) -> Views:
    """Rows of a thread's own arrays, all of one block."""
    length, states = shape.length, shape.states

    def rows(count: int, skip: int = 0) -> Callable:
        return row_view(1, count, skip, shape.bare)

    return Views(
        points=rows(length), state=rows(states, length), best=rows(1, length + states),
        control=rows(controls_of(parts)), hyper=rows(parts.hyperparameters + parts.memory),
        average=rows(length, average_row(shape)),
    )  # fmt: skip


def make_begin(parts: Parts, shape: Shape, layout: Layout, recorded: bool) -> Callable:
    """``begin(starts, hyper, new, identity, out, runs)``: the numbers of every run before its first step."""
    length, memory, tag_rows = shape.length, layout.memory, layout.tags
    hypers, count = parts.hyperparameters, max(1, parts.hyperparameters + parts.memory)
    per_run, searches = shape.per_run, parts.search is not None
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
            if searches:
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
    parts: Parts, shape: Shape, layout: Layout, coefficients_of: Callable, recorded: bool
) -> Callable:
    """``burst(old, new, order, slots, table, hyper, data, span, record, limits, out, survivors, indices, drawn)``.

    Takes the runs in the places `order` of `old` from step ``span[0]`` to ``span[1]``, of ``span[2]`` in all, to the
    first places of `new`.  Of those that have ended the results are written out.  Each block of threads counts its
    survivors.
    """
    views = views_of(parts, shape)
    searches = parts.search is not None
    make = make_search_step if searches else make_step
    step, points_of = make(parts, shape, views), views.points
    length, rows, memory, dtype = shape.length, layout.rows, layout.memory, shape.dtype
    hypers, count = parts.hyperparameters, max(1, parts.hyperparameters + parts.memory)
    per_run, controls, deal = shape.per_run, controls_of(parts), make_deal(parts.draws)
    write_run, record_point = make_write_run(parts, shape), make_record_point(shape)

    def burst(old, new, order, slots, table, hyper, data, span, record, limits, out, survivors, indices, drawn):
        i = cuda.grid(1)
        goes_on = False
        if i < slots:
            numbers, memories, tags = old
            j = order[i]
            b, lane = j // WARP, j % WARP
            run = tags[b, TAG_RUN, lane]
            if run >= 0:
                first, last, most = span
                ends, nit, status, averages, trace, nfev = out
                block = cuda.local.array((1, rows, 1), dtype)
                scratch = cuda.local.array((2, length, 1), dtype)
                own = cuda.local.array((1, count, 1), numba.float64)
                control = cuda.local.array((1, controls, 1), numba.int64)
                for k in range(rows):
                    block[0, k, 0] = numbers[b, k, lane]
                for k in range(hypers if per_run else 0):
                    own[0, k, 0] = hyper[k, run]
                for k in range(memory):
                    own[0, hypers + k, 0] = memories[b, k, lane]
                control[0, STATUS, 0] = RUNNING
                control[0, WAIT, 0] = tags[b, TAG_WAIT, lane]
                control[0, NIT, 0] = tags[b, TAG_NIT, lane] if searches else last
                control[0, NFEV, 0] = tags[b, TAG_NFEV, lane] if searches else 0
                deal(control, 0, 0, run, drawn)

                x, g, y = points_of(block, 0), points_of(scratch, 0), points_of(scratch, 1)
                t, going = first, True
                while going and t < last:
                    if recorded:
                        steps = control[0, NIT, 0] if searches else t  # which are not evaluations in a search
                        record_point(0, 0, run, steps, record, block, trace)
                    k = t - first
                    c = coefficients_of(table, own, 0, k, t)
                    going = step(x, y, g, 0, block, own, control, c, data, t, limits, k, indices, drawn)
                    for k in range(length):
                        x[k] = y[k]
                    t += 1

                goes_on = going and last < most
                if not goes_on:
                    if going:
                        control[0, STATUS, 0] = STEP_LIMIT
                    write_run(0, 0, run, block, control, ends, nit, status, averages, nfev)
                    if recorded:
                        record_point(0, 0, run, control[0, NIT, 0], record, block, trace)
                numbers, memories, tags = new
                b, lane = i // WARP, i % WARP
                for k in range(rows):
                    numbers[b, k, lane] = block[0, k, 0]
                for k in range(memory):
                    memories[b, k, lane] = own[0, hypers + k, 0]
                tags[b, TAG_WAIT, lane] = control[0, WAIT, 0]
                tags[b, TAG_RUN, lane] = run if goes_on else GONE
                if searches:
                    tags[b, TAG_NIT, lane] = control[0, NIT, 0]
                    tags[b, TAG_NFEV, lane] = control[0, NFEV, 0]
            else:
                new[2][i // WARP, TAG_RUN, i % WARP] = GONE
        total = cuda.syncthreads_count(numba.int32(goes_on))
        if cuda.threadIdx.x == 0:
            survivors[cuda.blockIdx.x] = total

    return burst


def make_ends_kernel(parts: Parts, shape: Shape) -> Callable:
    """``ends(runs, data, gtol, out, values)``: value and gradient norm where the runs ended, the value at averages."""
    length, dtype, averaged = shape.length, shape.dtype, parts.weight is not None
    value, end_of = parts.value, make_end(parts, length)
    points_of, results_of = row_view(1, length, 0, shape.bare), row_view(1, 2, 0, shape.bare)

    def ends(runs, data, gtol, out, values):
        run = cuda.grid(1)
        if run < runs:
            scratch = cuda.local.array((2, length, 1), dtype)
            results = cuda.local.array((1, 2, 1), dtype)
            x, g, written = points_of(scratch, 0), points_of(scratch, 1), results_of(results, 0)
            if averaged:
                for k in range(length):
                    scratch[0, k, 0] = out[3][run, k]
                written[0] = value(x, *data)
                values[2][run] = results[0, 0, 0]
            for k in range(length):
                scratch[0, k, 0] = out[0][run, k]
            end_of(x, g, written, data)
            values[0][run] = results[0, 0, 0]
            values[1][run] = results[0, 1, 0]
            if out[2][run] == STEP_LIMIT and results[0, 1, 0] <= gtol:
                out[2][run] = CONVERGED

    return ends
