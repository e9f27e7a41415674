"""One chunk: some thousand runs, all at the same step, advanced in bursts until every one has finished."""

from __future__ import annotations

import math
from collections.abc import Callable

import numba

from fastgd.jit.attempt import attempting
from fastgd.jit.masks import any_lane, select
from fastgd.jit.options import inlined, kernel
from fastgd.jit.rows import align_stack, cast_lanes, first_lane, row_view
from fastgd.jit.tuples import load_tuple, map_tuple, store_tuple
from fastgd.optimizers.coefficients import TABLE_WIDTH
from fastgd.stopping import DIVERGED, EVERY, NFEV, NIT, NOT_RUN, RAISED, RUN, RUNNING, STATUS, STEP_LIMIT, WAIT

from .descend import make_burst
from .draws import make_alike, make_deal, make_order, make_table
from .moves import average_row, counts_of, make_begin_run, make_keep_point, make_write_run, status_at_end
from .stages import Parts, Shape, Views, make_coefficients, make_largest, make_memory, working_points

__all__ = ["BURST", "CONTROL", "CONTROL_OF_PLAIN", "NO_ROOM", "make_chunk", "make_end", "make_sources"]

CONTROL_OF_PLAIN, CONTROL = RUN + 1, EVERY + 1  # rows of integers for each run, without and with what `make_deal` adds
BURST = 32  # steps between two looks at who has finished
NO_ROOM = 2  # what a chunk sets the flag to, to stop all of them, where a run has more points than the trace


def make_sources(parts: Parts, shape: Shape, views: Views) -> tuple[Callable, Callable]:
    """Where the loop gets its coefficients: ``fill``, of step t to row k of a table, and ``coefficients_of`` a step."""
    at_step, hyper_of = make_coefficients(parts), views.hyper
    count = shape.coefficients + len(parts.clips) + (parts.weight is not None)
    cast = map_tuple(cast_lanes(shape.dtype, shape.width, shape.bare), count)

    if shape.per_run:

        @inlined
        def fill(hypers, table, k, t):
            return None

        @inlined
        def each_run(table, hypers, b, k, t):
            return cast(at_step(hyper_of(hypers, b), t))

        return fill, each_run

    width = 1 if shape.width == 1 else TABLE_WIDTH
    hyper_rows, table_row = row_view(width, parts.hyperparameters, bare=shape.bare), row_view(1, count)
    load, store, first_lanes = load_tuple(count), store_tuple(count), map_tuple(first_lane, count)

    @inlined
    def fill_table(hypers, table, k, t):
        store(table_row(table, k), 0, first_lanes(at_step(hyper_rows(hypers, 0), t)))

    @inlined
    def from_table(table, hypers, b, k, t):
        return cast(load(table_row(table, k), 0))

    return fill_table, from_table


def make_lane_moves(parts: Parts, shape: Shape) -> tuple[Callable, Callable]:
    """How runs get into the lanes of the blocks, and from one lane to another; lane j is run j of the chunk."""
    width, per_run = shape.width, shape.per_run
    begin_run, deal = make_begin_run(shape), make_deal(parts.draws)

    @inlined
    def load_run(j, run, starts, hyper, block, hypers, control, drawn):
        b, lane = j // width, j % width
        begin_run(b, lane, run, starts, block)
        for i in range(hyper.shape[1] if per_run else 0):
            hypers[b, i, lane] = hyper[run, i]
        control[b, STATUS, lane] = RUNNING
        control[b, NIT, lane] = 0
        control[b, WAIT, lane] = 0
        control[b, NFEV, lane] = 0
        control[b, RUN, lane] = run
        deal(control, b, lane, run, drawn)

    @inlined
    def move(array, j, k):
        for i in range(array.shape[1]):
            array[j // width, i, j % width] = array[k // width, i, k % width]

    return load_run, move


def make_end(parts: Parts, length: int) -> Callable:
    """``end_of(x, g, out, data)``: the value and the gradient norm at `x` into `out`."""
    value, gradient, largest = parts.value, parts.gradient, make_largest(length)

    @inlined
    def end_of(x, g, out, data):
        out[0] = value(x, *data)
        gradient(x, g, *data)
        out[1] = largest(g)
        for i in range(length):  # `largest` passes over NaN
            out[1] = select(g[i] == g[i], out[1], g[i])

    return end_of


def make_ends(parts: Parts, shape: Shape) -> tuple[Callable, Callable]:
    """Value and gradient norm at the points where the runs of a chunk ended, and the value at their averages."""
    length, width, value = shape.length, shape.width, parts.value
    points_of, results_of = row_view(width, length), row_view(width, 2)

    @inlined
    def value_of(x, g, out, data):
        out[0] = value(x, *data)
        out[1] = 0.0

    def make_evaluate(function: Callable, ends: bool) -> Callable:
        """``evaluate(x, fun, norm, status, data, scratch, results, gtol, met)``, at the points of runs that have ended.

        Where the function raises it writes NaN, and at their ends RAISED.
        """
        attempt = attempting(function)

        @inlined
        def evaluate(x, fun, norm, status, data, scratch, results, gtol, met):
            at, g, out = points_of(scratch, 0), points_of(scratch, 1), results_of(results, 0)
            start, alone_until, runs = 0, 0, x.shape[0]
            while start < runs:
                alone = start < alone_until
                stop, ended = start + 1 if alone else min(start + width, runs), 0
                for run in range(start, stop):
                    ended += status[run] >= 0
                if ended == 0:
                    start = stop
                    continue
                for lane in range(width):
                    for i in range(length):
                        scratch[0, i, lane] = x[start if alone else min(start + lane, runs - 1), i]
                error, _ = attempt((at, g, out, data))
                if error != 0 and not alone and width > 1:  # one of them raised, and which shows when each is alone
                    alone_until = start + width
                    continue
                for run in range(start, stop):
                    fun[run] = math.nan if error != 0 else results[0, 0, run - start]
                    if ends:
                        norm[run] = math.nan if error != 0 else results[0, 1, run - start]
                        if error != 0 and status[run] >= 0 and status[run] != DIVERGED:
                            status[run] = RAISED
                        status[run] = status_at_end(status[run], fun[run], norm[run], gtol)
                    if error != 0 and met[0] == 0:
                        met[0] = error
                start = stop

        return evaluate

    @inlined
    def no_averages(x, fun, norm, status, data, scratch, results, gtol, met):
        return None

    evaluate_ends = make_evaluate(make_end(parts, length), True)
    evaluate_averages = no_averages if parts.weight is None else make_evaluate(value_of, False)
    return evaluate_ends, evaluate_averages



def make_chunk(parts: Parts, shape: Shape) -> Callable:
    """Build the kernel of one chunk.

    It is called with the starts (runs, n), the hyperparameters (runs, h) where they differ, the data, a `Workspace`'s
    arrays, the result's arrays, the limits of the stop tests, what `Plan.drawn_of` gives, the steps from one recorded
    point to the next (0: none) with the place of its first run in the trace (points, runs, n), a flag that asks it to
    stop early, and a place for the error that it meets.  It returns whether it finished; if not, the runs that had not
    ended are left with the status NOT_RUN.

    Where a step raises, the runs of its block end as RAISED; of several lanes that is said of all, and
    `fastgd.engine.cpu` finds out which it was.
    """
    length, width = shape.length, shape.width
    states, own_steps, working = shape.states, parts.own_steps, shape.working
    views = Views(
        points=row_view(width, length), state=row_view(width, states, length), best=row_view(width, 1, length + states),
        control=row_view(width, CONTROL if parts.draws else CONTROL_OF_PLAIN),
        hyper=row_view(width, parts.hyperparameters + parts.memory),
        average=row_view(width, length, average_row(shape)), working=working_points(row_view(width, length), working),
    )  # fmt: skip
    fill, coefficients_of = make_sources(parts, shape, views)
    fill_indices = make_table(parts.draws)
    forget, hold = make_alike(parts.draws, width, views.control)
    place_of = make_order(parts.draws)
    burst = make_burst(parts, shape, views, coefficients_of)
    load_run, move = make_lane_moves(parts, shape)
    write_run, keep_point = make_write_run(parts, shape), make_keep_point(shape)
    evaluate_ends, evaluate_averages = make_ends(parts, shape)
    begin, _ = make_memory(parts, shape)
    hyper_of, control_of, per_run = views.hyper, views.control, shape.per_run

    @inlined
    def record_point(b, lane, run, steps, place, block, trace, cancel):
        every, first = place
        if steps % every == 0:
            if steps // every < trace.shape[0]:
                keep_point(b, lane, block, trace, steps // every, first + run)
            else:
                cancel[0] = NO_ROOM

    @inlined
    def record_points(alive, block, control, trace, t, place, cancel):
        for j in range(alive):
            b, lane = j // width, j % width
            steps = control[b, NIT, lane] if own_steps else t  # which are not passes of the loop
            record_point(b, lane, control[b, RUN, lane], steps, place, block, trace, cancel)

    @inlined
    def tests_of(limits, max_steps):
        return (*limits, max_steps) if own_steps else limits

    @kernel
    def chunk(starts, hyper, data, work, out, limits, drawn, max_steps, place, cancel, met):
        align_stack()
        record = place[0]
        block, hypers, table, control, scratch, results, indices = work
        x, fun, norm, nit, status, trace, x_avg, fun_avg, nfev = out
        tests = tests_of(limits, max_steps)
        alive = starts.shape[0]
        for j in range((alive + width - 1) // width * width):
            load_run(j, place_of(min(j, alive - 1), drawn), starts, hyper, block, hypers, control, drawn)
        for b in range((alive + width - 1) // width):
            begin(hyper_of(hypers, b))
        t = numba.int64(0)
        finished = True
        while alive > 0 and finished and (own_steps or t < max_steps):
            last = t + table.shape[0] if own_steps else min(t + table.shape[0], max_steps)
            if record > 0:
                if own_steps or t % record == 0:
                    record_points(alive, block, control, trace, t, place, cancel)
                last = t + 1 if own_steps else min(last, (t // record + 1) * record)
            for s in range(t, last):
                fill(hypers, table, s - t, s)
                fill_indices(indices, s - t, s, 0, 1, drawn)
            forget(indices)
            blocks, group = (alive + width - 1) // width, scratch.shape[0] - working
            for low in range(0, blocks, group):
                high = min(low + group, blocks)
                hold(indices, low, alive, control, t, last, drawn)  # where it does, a group is one block
                burst(
                    low, high, block, hypers, table, control, scratch, data, t, last, tests, indices, drawn, cancel, met
                )
            t, finished = last, cancel[0] == 0
            j = numba.int64(0)
            while j < alive:  # write the finished runs out, and close each gap with the last survivor
                b, lane = j // width, j % width
                if lane == 0 and not any_lane(control_of(control, b)[STATUS] != RUNNING):
                    j += width
                    continue
                if control[b, STATUS, lane] == RUNNING:
                    j += 1
                    continue
                run = control[b, RUN, lane]
                write_run(b, lane, run, block, counts_of(control, b, lane), x, nit, status, x_avg, nfev)
                if record > 0:  # a run that `xtol` ends has just come to its last point
                    record_point(b, lane, run, control[b, NIT, lane], place, block, trace, cancel)
                alive -= 1
                if j < alive:
                    move(block, j, alive)
                    move(control, j, alive)
                    if per_run:
                        move(hypers, j, alive)
                control[alive // width, STATUS, alive % width] = STEP_LIMIT
        if record > 0:
            record_points(alive, block, control, trace, t, place, cancel)
        for j in range(alive):
            b, lane = j // width, j % width
            control[b, STATUS, lane] = STEP_LIMIT if finished else NOT_RUN
            control[b, NIT, lane] = t
            run = control[b, RUN, lane]
            write_run(b, lane, run, block, counts_of(control, b, lane), x, nit, status, x_avg, nfev)
        evaluate_ends(x, fun, norm, status, data, scratch, results, limits[0], met)
        evaluate_averages(x_avg, fun_avg, fun_avg, status, data, scratch, results, limits[0], met)
        return finished

    return chunk
