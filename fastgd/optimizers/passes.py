"""The kernels of a step in place: coefficients, a pass over memory, the sum of squares.

Every parameter passes through the same lanes, those at the end of an array through a padded block, so that its result
depends neither on where it stands nor on how the work is divided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba

from fastgd.jit.masks import select
from fastgd.jit.options import inlined, kernel
from fastgd.jit.rows import align_stack, cast_lanes, first_lane, row_view, rows_at
from fastgd.jit.tuples import first_items, load_tuple, map_tuple, store_tuple

from .base import Optimizer, Rule
from .coefficients import TABLE_WIDTH, make_at_step
from .state import block_width

__all__ = ["Sizes", "make_limit", "make_look", "make_pass", "make_prepare", "make_squares", "make_update"]


class Sizes(NamedTuple):
    """How many numbers of each kind there are."""

    rates: int  # parameters of the schedule
    hypers: int  # these, the rule's and the clips'
    memory: int  # of the schedule
    coefficients: int  # of the rule
    clips: tuple[str, ...]


def make_prepare(optimizer: Optimizer, sizes: Sizes) -> Any:
    """The kernel that computes a step's coefficients and the clips' limits, and then shows the schedule the value."""
    rule, schedule, count = optimizer.rule(), optimizer.schedule, sizes.coefficients + len(sizes.clips)
    rates, hypers, memory = sizes.rates, sizes.hypers, sizes.memory
    rate = inlined(schedule.rate_function()), rates
    at_step = make_at_step(inlined(rule.coefficients), (rate,), hypers, len(sizes.clips), memory)
    hyper_rows, table_row = row_view(TABLE_WIDTH, hypers + memory), row_view(1, count)
    first_lanes, store = map_tuple(first_lane, count), store_tuple(count)

    if not memory:

        @kernel
        def prepare(numbers, t, value, watch, table):
            align_stack()
            store(table_row(table, 0), 0, first_lanes(at_step(hyper_rows(numbers, 0), t)))

        return prepare

    start, observe = inlined(schedule.start), inlined(schedule.observe)
    load_rate, load_memory = load_tuple(rates), load_tuple(memory, skip=hypers)
    wide, store_memory = cast_lanes(numba.float64, TABLE_WIDTH), store_tuple(memory)
    after = map_tuple(wide, memory)

    @kernel
    def prepare_and_watch(numbers, t, value, watch, table):
        align_stack()
        h = hyper_rows(numbers, 0)
        if t == 0:
            store_memory(h, hypers, after(start(load_rate(h, 0))))
        store(table_row(table, 0), 0, first_lanes(at_step(h, t)))
        if watch:
            store_memory(h, hypers, after(observe(load_rate(h, 0), load_memory(h, 0), wide(value))))

    return prepare_and_watch


def make_limit(sizes: Sizes) -> Callable:
    """``limit(g, c)``: the gradient clipped by value; the limit stands in `c` behind the rule's coefficients."""
    place = sizes.coefficients

    @inlined
    def untouched(g, c):
        return g

    @inlined
    def limited(g, c):
        return select(abs(g) > c[place], math.copysign(c[place], g), g)

    return limited if "clip_value" in sizes.clips else untouched


def make_pass(body: Callable, dtype: numba.types.Float, slots: int, count: int) -> Any:
    """Build a kernel ``run(pieces, table, pad)`` that calls ``body(target, source, state, c)`` for every block.

    A piece is a row of three addresses and a count: the array that is written, the one that is read, the state, and how
    many parameters.  Those at the end that fill no block go through `pad`, the address of room for two blocks.
    """
    size = dtype.bitwidth // 8
    width = block_width(size)
    rows, states, numbers = rows_at(dtype, width), rows_at(dtype, width, slots, aligned=True), rows_at(dtype, 1)
    table_row, load, cast = row_view(1, count), load_tuple(count), map_tuple(cast_lanes(dtype, width), count)

    @inlined
    def copy(target, source, numbers_to_copy):
        for i in range(numbers_to_copy):
            numbers(target, i)[0] = numbers(source, i)[0]

    @kernel
    def run(pieces, table, pad):
        align_stack()
        c = cast(load(table_row(table, 0), 0))
        for k in range(pieces.shape[0]):
            target, source, state, whole = pieces[k, 0], pieces[k, 1], pieces[k, 2], pieces[k, 3] // width
            for b in range(whole):
                body(rows(target, b), rows(source, b), states(state, b), c)
            rest = pieces[k, 3] - whole * width
            if rest > 0:
                target, source = target + whole * width * size, source + whole * width * size
                copy(pad, target, rest)
                copy(pad + width * size, source, rest)
                body(rows(pad, 0), rows(pad, 1), states(state, whole), c)
                copy(target, pad, rest)

    return run


def make_squares(limit: Callable, dtype: numba.types.Float, count: int) -> Any:
    """Build a kernel ``squares(pieces, table, pad, scale, lanes, sums)``: the sum over each piece of ``(scale g)**2``.

    The sums are taken in float64, lane by lane.
    """
    size = dtype.bitwidth // 8
    width = block_width(size)
    rows, numbers, lanes_row = rows_at(dtype, width), rows_at(dtype, 1), row_view(width, 1)
    table_row, load, cast = row_view(1, count), load_tuple(count), map_tuple(cast_lanes(dtype, width), count)
    wide = cast_lanes(numba.float64, width)

    @kernel
    def squares(pieces, table, pad, scale, lanes, sums):
        align_stack()
        c = cast(load(table_row(table, 0), 0))
        for k in range(pieces.shape[0]):
            source, whole = pieces[k, 1], pieces[k, 3] // width
            total = wide(0.0)
            for b in range(whole):
                g = wide(limit(rows(source, b)[0], c)) * scale
                total = total + g * g
            rest = pieces[k, 3] - whole * width
            if rest > 0:
                rows(pad, 0)[0] = 0.0
                for i in range(rest):
                    numbers(pad, i)[0] = numbers(source + whole * width * size, i)[0]
                g = wide(limit(rows(pad, 0)[0], c)) * scale
                total = total + g * g
            lanes_row(lanes, 0)[0] = total
            sums[k] = 0.0
            for lane in range(width):
                sums[k] += lanes[0, 0, lane]

    return squares


def make_update(rule: Rule, sizes: Sizes, limit: Callable) -> Callable:
    """``body(x, g, s, c)``: the rule's update of one block."""
    update, own = inlined(rule.update), first_items(sizes.coefficients)
    load, store = load_tuple(rule.slots), store_tuple(rule.slots)
    factor = sizes.coefficients + len(sizes.clips) - 1

    @inlined
    def body(x, g, s, c):
        new, values = update(x[0], limit(g[0], c), load(s, 0), own(c))
        x[0] = new
        store(s, 0, values)

    @inlined
    def body_within_norm(x, g, s, c):
        new, values = update(x[0], limit(g[0], c) * c[factor], load(s, 0), own(c))
        x[0] = new
        store(s, 0, values)

    return body_within_norm if "clip_norm" in sizes.clips else body


def make_look(probe: Callable, slots: int, sizes: Sizes) -> Callable:
    """``body(out, x, s, c)``: where the rule takes the gradient."""
    ahead, load, own = inlined(probe), load_tuple(slots), first_items(sizes.coefficients)

    @inlined
    def body(out, x, s, c):
        out[0] = ahead(x[0], load(s, 0), own(c))

    return body
