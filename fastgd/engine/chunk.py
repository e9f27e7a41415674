"""One chunk: some thousand runs, all at the same step, advanced in bursts until every one has finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba

from fastgd.jit.options import inlined, kernel
from fastgd.jit.rows import cast_lanes, first_lane, row_view
from fastgd.stopping import CONVERGED, RUNNING, STEP_LIMIT

from .descend import NIT, STATUS, Parts, make_burst, make_coefficients, make_largest
from .tuples import load_tuple, map_tuple, store_tuple

__all__ = ["BURST", "TABLE_WIDTH", "Shape", "make_chunk"]

BURST = 32  # steps between two looks at who has finished
TABLE_WIDTH = 8  # lanes in which the shared coefficients of a burst are computed, for the vector functions' sake


class Shape(NamedTuple):
    """What the sizes of a kernel depend on."""

    length: int  # parameters
    width: int  # runs abreast, 1 for the scalar target
    coefficients: int  # numbers that the rule derives for each step
    per_run: bool  # whether hyperparameters differ from run to run
    dtype: numba.types.Float


def make_sources(parts: Parts, shape: Shape) -> tuple[Callable, Callable]:
    """Where the loop gets its coefficients: ``fill`` once for each burst, and ``coefficients_of`` at each step."""
    at_step, count = make_coefficients(parts), shape.coefficients
    cast = map_tuple(cast_lanes(shape.dtype, shape.width), count)

    if shape.per_run:

        @inlined
        def fill(hyper, table, first, last):
            return None

        @inlined
        def each_run(source, k, t):
            return cast(at_step(source[1], t))

        return fill, each_run

    width = 1 if shape.width == 1 else TABLE_WIDTH
    hyper_rows, table_row = row_view(width, parts.hyperparameters), row_view(1, count)
    load, store, first_lanes = load_tuple(count), store_tuple(count), map_tuple(first_lane, count)

    @inlined
    def fill_table(hyper, table, first, last):
        for t in range(first, last):
            store(table_row(table, t - first), 0, first_lanes(at_step(hyper_rows(hyper, 0), t)))

    @inlined
    def from_table(source, k, t):
        return cast(load(table_row(source[0], k), 0))

    return fill_table, from_table


def make_chunk(parts: Parts, shape: Shape) -> Callable:
    """Build the kernel of one chunk.

    It is called with the starts (runs, n), the hyperparameters (runs or 1, h), the data, a `Workspace`'s arrays, the
    result's arrays, the limits of the stop tests and a flag that asks it to stop early.  It returns whether it finished.
    """
    length, width, slots, per_run = shape.length, shape.width, parts.slots, shape.per_run
    hypers = parts.hyperparameters
    value, gradient, largest = parts.value, parts.gradient, make_largest(length)
    fill, coefficients_of = make_sources(parts, shape)
    burst = make_burst(parts, coefficients_of, length)
    points_of, state_of = row_view(width, length), row_view(width, max(1, length * slots))
    control_of, best_of, hyper_of = row_view(width, 3), row_view(width, 1), row_view(width, hypers)
    results_of = row_view(width, 2)

    @inlined
    def load_run(j, run, starts, hyper, points, state, hypers_of_runs, control, best, ids):
        b, lane = j // width, j % width
        for i in range(length):
            points[b, i, lane] = starts[run, i]
        for i in range(length * slots):
            state[b, i, lane] = 0.0
        if per_run:
            for i in range(hypers):
                hypers_of_runs[b, i, lane] = hyper[run, i]
        control[b, STATUS, lane] = RUNNING
        control[b, NIT, lane] = 0
        control[b, 2, lane] = 0
        best[b, 0, lane] = numba.float64(1e400)
        ids[b, 0, lane] = run

    @inlined
    def move_run(j, k, points, state, hypers_of_runs, control, best, ids):
        b, lane, c, other = j // width, j % width, k // width, k % width
        for i in range(length):
            points[b, i, lane] = points[c, i, other]
        for i in range(length * slots):
            state[b, i, lane] = state[c, i, other]
        if per_run:
            for i in range(hypers):
                hypers_of_runs[b, i, lane] = hypers_of_runs[c, i, other]
        for i in range(3):
            control[b, i, lane] = control[c, i, other]
        best[b, 0, lane] = best[c, 0, other]
        ids[b, 0, lane] = ids[c, 0, other]

    @inlined
    def write_run(j, points, control, ids, x, nit, status):
        b, lane = j // width, j % width
        run = ids[b, 0, lane]
        for i in range(length):
            x[run, i] = points[b, i, lane]
        nit[run] = control[b, NIT, lane]
        status[run] = control[b, STATUS, lane]

    @inlined
    def record_points(alive, points, ids, trace, place):
        for j in range(alive):
            run = ids[j // width, 0, j % width]
            for i in range(length):
                trace[run, place, i] = points[j // width, i, j % width]

    @inlined
    def evaluate_ends(x, fun, norm, status, data, scratch, results, gtol):
        at, g, out = points_of(scratch, 0), points_of(scratch, 1), results_of(results, 0)
        runs = x.shape[0]
        for start in range(0, runs, width):
            for lane in range(width):
                run = min(start + lane, runs - 1)
                for i in range(length):
                    scratch[0, i, lane] = x[run, i]
            out[0] = value(at, *data)
            gradient(at, g, *data)
            out[1] = largest(g)
            for lane in range(min(width, runs - start)):
                run = start + lane
                fun[run], norm[run] = results[0, 0, lane], results[0, 1, lane]
                for i in range(length):  # `largest` passes over NaN
                    if scratch[1, i, lane] != scratch[1, i, lane]:
                        norm[run] = scratch[1, i, lane]
                if status[run] == STEP_LIMIT and norm[run] <= gtol:
                    status[run] = CONVERGED

    @kernel
    def chunk(starts, hyper, data, work, out, limits, max_steps, record, cancel):
        points, state, hypers_of_runs, table, control, best, ids, scratch, results = work
        x, fun, norm, nit, status, trace = out
        y, g = points_of(scratch, 0), points_of(scratch, 1)
        alive = starts.shape[0]
        for j in range((alive + width - 1) // width * width):
            load_run(j, min(j, alive - 1), starts, hyper, points, state, hypers_of_runs, control, best, ids)
        t = 0
        while alive > 0 and t < max_steps:
            if cancel[0]:
                return False
            last = min(t + table.shape[0], max_steps)
            if record > 0:
                if t % record == 0:
                    record_points(alive, points, ids, trace, t // record)
                last = min(last, (t // record + 1) * record)
            fill(hyper, table, t, last)
            for b in range((alive + width - 1) // width):
                source = (table, hyper_of(hypers_of_runs, b))
                burst(
                    points_of(points, b), y, g, state_of(state, b), control_of(control, b), best_of(best, b),
                    source, data, t, last, limits,
                )  # fmt: skip
            t = last
            j = 0
            while j < alive:  # write the finished runs out, and close each gap with the last survivor
                if control[j // width, STATUS, j % width] == RUNNING:
                    j += 1
                    continue
                write_run(j, points, control, ids, x, nit, status)
                alive -= 1
                if j < alive:
                    move_run(j, alive, points, state, hypers_of_runs, control, best, ids)
                control[alive // width, STATUS, alive % width] = STEP_LIMIT
        for j in range(alive):
            control[j // width, STATUS, j % width] = STEP_LIMIT
            control[j // width, NIT, j % width] = t
            write_run(j, points, control, ids, x, nit, status)
        if record > 0 and t % record == 0:
            record_points(alive, points, ids, trace, t // record)
        evaluate_ends(x, fun, norm, status, data, scratch, results, limits[0])
        return True

    return chunk
