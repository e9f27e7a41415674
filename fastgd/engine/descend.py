"""The loop: every descent of every optimizer on every target runs through `make_burst`.

It is plain scalar Python.  With a width of 1 its values are floats and bools; with more they are vectors and masks, and
W runs descend abreast.  ``x[i]`` is the i-th parameter of all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from fastgd.jit.attempt import attempting
from fastgd.jit.masks import any_lane, rarely_any, without
from fastgd.jit.masks import select as choose
from fastgd.jit.options import inlined
from fastgd.jit.rows import cast_lanes
from fastgd.jit.tuples import load_tuple, store_tuple
from fastgd.stopping import CONVERGED, DIVERGED, NIT, NO_PROGRESS, RAISED, RUNNING, STATUS

from .draws import make_looks, make_sampled
from .runge_kutta import make_flow_step
from .search import make_search_step
from .stages import (
    Parts,
    Shape,
    Views,
    make_average,
    make_clip,
    make_gradient,
    make_largest,
    make_look_ahead,
    make_memory,
    make_sweep,
)

__all__ = ["make_burst", "step_of"]


def make_step(parts: Parts, shape: Shape, views: Views) -> Callable:
    """Build ``step``, which takes block `b` of runs from the points `x` to the next points `y`.

    ``step(x, y, scratch, b, block, hypers, control, c, data, t, limits, k, table, drawn)`` returns whether any run of
    the block goes on.  A run that finishes is frozen there: its status and step count are set, and its point no longer
    changes.  `scratch` begins with ``shape.working`` points of working memory.
    """
    update, seen, stalled, moved, resting = parts.update, parts.seen, parts.stalled, parts.moved, parts.resting
    length, slots, count = shape.length, parts.slots, shape.coefficients
    load, store, lanes = load_tuple(slots), store_tuple(slots), cast_lanes(shape.dtype, shape.width, shape.bare)
    largest = make_largest(length)
    gradient_at, look_at, verified = make_gradient(parts, shape)
    looks, among = make_looks(parts.draws)
    sampled = make_sampled(parts.draws, length, make_look_ahead(parts, shape), count + len(parts.clips) - 1)
    clip = make_clip(parts, length, count)
    take = make_average(parts, length, count + len(parts.clips))
    _, watch = make_memory(parts, shape)
    state_of, best_of, control_of = views.state, views.best, views.control
    hyper_of, average_of, slope_of = views.hyper, views.average, views.working[0]
    kept_of = views.working[shape.working - 1]  # the gradient's own place, unless `Plan.working` has one more

    @inlined
    def finish(control, runs, status, t):
        control[STATUS] = choose(runs, status, control[STATUS])
        control[NIT] = choose(runs, t, control[NIT])

    @inlined
    def update_part(low, high, carried, c, on, x, y, g, s):
        size, change = carried
        for i in range(low, high):
            new, state = update(x[i], g[i], load(s, i * slots), c)
            size = size + abs(new)
            change = moved(change, x[i], new)
            y[i] = choose(on, new, x[i])
            store(s, i * slots, state)
        return size, change

    update_all = make_sweep(update_part, shape)

    @inlined
    def step(x, y, scratch, b, block, hypers, controls, c, data, t, limits, k, table, drawn):
        gtol, xtol, ftol, patience, bound = limits
        g, s, control = slope_of(scratch, b), state_of(block, b), control_of(controls, b)
        on = control[STATUS] == RUNNING
        gradient_at(x, y, g, s, c, data)

        if looks(on, t, control, drawn):
            look_at(x, y, g, s, c, data)
            seen_now = among(on, t, control)
            done = seen_now & (largest(g) <= gtol)
            if rarely_any(done):
                done = verified(done, x, y, g, s, c, data, gtol)
                finish(control, done, CONVERGED, t)
                on, seen_now = without(on, done), without(seen_now, done)
            stuck = stalled(seen_now, seen(x, *data), control, best_of(block, b), ftol, patience)
            if rarely_any(stuck):
                finish(control, stuck, NO_PROGRESS, t)
                on = without(on, stuck)
            watch(seen_now, x, hyper_of(hypers, b), data)

        sampled(x, y, g, kept_of(scratch, b), s, c, on, control, t, k, table, drawn, data)
        clip(g, c)
        size, change = update_all((lanes(0.0), lanes(0.0)), c, on, x, y, g, s)

        if rarely_any(without(on, size <= bound)):  # a sum within the bound is one of numbers within it
            inside = on
            for i in range(length):
                inside = inside & (abs(y[i]) <= bound)
            lost = without(on, inside)
            for i in range(length):  # back to the last finite point
                y[i] = choose(lost, x[i], y[i])
            finish(control, lost, DIVERGED, t)
            on = inside
        take(average_of(block, b), y, on, c)
        still = resting(on, change, xtol)
        if rarely_any(still):
            finish(control, still, NO_PROGRESS, t + 1)
            on = without(on, still)
        return any_lane(on)

    return step


def step_of(parts: Parts, shape: Shape, views: Views) -> Callable:
    """The step that the parts ask for: by an update rule, along a line, or with the gradient flow."""
    make = make_flow_step if parts.flow else make_step if parts.search is None else make_search_step
    return make(parts, shape, views)


def make_burst(parts: Parts, shape: Shape, views: Views, coefficients_of: Callable) -> Callable:
    """Build ``burst``, which takes the blocks from `low` up to `high` from step `first` to step `last`, or to `cancel`.

    The blocks take turns, step by step: while one waits for its divisions, the next one's gradient is computed.
    """
    attempt, points_of = attempting(step_of(parts, shape, views)), views.points
    length, working = shape.length, shape.working
    control_of, own_steps = views.control, parts.own_steps

    @inlined
    def burst(
        low, high, block, hypers, table, control, scratch, data, first, last, limits, indices, drawn, cancel, met
    ):
        t, going = first, True
        while t < last and going:
            if not t & 7 and cancel[0]:
                break
            going = False
            for b in range(low, high):
                here, there = points_of(block, b), points_of(scratch, working + b - low)
                if (t - first) & 1:
                    here, there = there, here
                k = t - first
                c = coefficients_of(table, hypers, b, k, t)
                error, more = attempt(
                    (here, there, scratch, b, block, hypers, control, c, data, t, limits, k, indices, drawn)
                )
                going |= more
                if error != 0:  # the runs of the block end where they stand
                    met[0] = error if met[0] == 0 else met[0]
                    of_block = control_of(control, b)
                    on = of_block[STATUS] == RUNNING
                    of_block[STATUS] = choose(on, RAISED, of_block[STATUS])
                    if not own_steps:
                        of_block[NIT] = choose(on, t, of_block[NIT])
                    for i in range(length):
                        there[i] = here[i]
            t += 1
        if (t - first) & 1:
            for b in range(low, high):
                home, away = points_of(block, b), points_of(scratch, working + b - low)
                for i in range(length):
                    home[i] = away[i]

    return burst
