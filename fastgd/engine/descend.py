"""The loop: every descent of every optimizer on every target runs through `make_burst`.

It is plain scalar Python.  With a width of 1 its values are floats and bools; with more they are vectors and masks, and
W runs descend abreast.  ``x[i]`` is the i-th parameter of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastgd.jit.masks import any_lane, without
from fastgd.jit.masks import select as choose
from fastgd.jit.options import inlined
from fastgd.jit.tuples import load_tuple, store_tuple
from fastgd.stopping import CONVERGED, DIVERGED, NO_PROGRESS, RUNNING

__all__ = ["NIT", "RUN", "STATUS", "WAIT", "Parts", "Views", "make_burst", "make_coefficients", "make_largest"]

STATUS, NIT, WAIT, RUN = range(4)  # rows of `control`, one integer for each run


class Parts(NamedTuple):
    """The compiled functions that the loop is put together from."""

    value: Callable
    gradient: Callable
    coefficients: Callable
    update: Callable
    probe: Callable | None
    slots: int
    rate: Callable
    rate_parameters: int
    hyperparameters: int
    stalled: Callable
    moved: Callable
    resting: Callable


class Views(NamedTuple):
    """How the loop sees a block's memory: functions ``view(array, block)`` that give rows."""

    points: Callable
    state: Callable
    best: Callable
    control: Callable
    hyper: Callable


def make_coefficients(parts: Parts) -> Callable:
    """``at_step(h, t)``: the rule's coefficients, the scheduled rate taking the place of the schedule's parameters."""
    rate, coefficients = parts.rate, parts.coefficients
    load_rate = load_tuple(parts.rate_parameters)
    load_rest = load_tuple(parts.hyperparameters - parts.rate_parameters, skip=parts.rate_parameters)

    @inlined
    def at_step(h, t):
        lr = rate(load_rate(h, 0), t)
        return coefficients((lr, *load_rest(h, 0)), t)

    return at_step


def make_largest(length: int) -> Callable:
    """``largest(g)``: the greatest absolute component."""

    @inlined
    def largest(g):
        top = abs(g[0])
        for i in range(1, length):
            top = max(top, abs(g[i]))
        return top

    return largest


def make_gradient(parts: Parts, length: int) -> tuple[Callable, Callable]:
    """Where the gradient is taken, and whether a small one there is one at ``x`` as well."""
    gradient, probe = parts.gradient, parts.probe
    load, slots = load_tuple(parts.slots), parts.slots

    @inlined
    def everywhere(done, g, gtol):  # `largest` passes over NaN
        for i in range(length):
            done = done & (abs(g[i]) <= gtol)
        return done

    if probe is None:

        @inlined
        def at_x(x, y, g, s, c, data):
            gradient(x, g, *data)

        @inlined
        def no_component_is_nan(done, x, y, g, s, c, data, gtol):
            return everywhere(done, g, gtol)

        return at_x, no_component_is_nan

    @inlined
    def at_probe(x, y, g, s, c, data):
        for i in range(length):
            y[i] = probe(x[i], load(s, i * slots), c)
        gradient(y, g, *data)

    @inlined
    def at_x_too(done, x, y, g, s, c, data, gtol):
        gradient(x, g, *data)
        done = everywhere(done, g, gtol)
        at_probe(x, y, g, s, c, data)
        return done

    return at_probe, at_x_too


def make_step(parts: Parts, length: int) -> Callable:
    """Build ``step``, which takes one block of runs from the points `x` to the next points `y`.

    ``step(x, y, g, s, c, control, best, data, t, limits)`` returns whether any run of the block goes on.  A run that
    finishes is frozen there: its status and step count are set, and its point no longer changes.
    """
    update, stalled, moved, resting = parts.update, parts.stalled, parts.moved, parts.resting
    slots = parts.slots
    load, store = load_tuple(slots), store_tuple(slots)
    largest = make_largest(length)
    gradient_at, verified = make_gradient(parts, length)

    @inlined
    def finish(control, runs, status, t):
        control[STATUS] = choose(runs, status, control[STATUS])
        control[NIT] = choose(runs, t, control[NIT])

    @inlined
    def step(x, y, g, s, c, control, best, data, t, limits):
        gtol, xtol, ftol, patience, bound = limits
        on = control[STATUS] == RUNNING
        gradient_at(x, y, g, s, c, data)

        done = on & (largest(g) <= gtol)
        if any_lane(done):
            done = verified(done, x, y, g, s, c, data, gtol)
            finish(control, done, CONVERGED, t)
            on = without(on, done)
        stuck = stalled(on, x, control, best, data, ftol, patience)
        if any_lane(stuck):
            finish(control, stuck, NO_PROGRESS, t)
            on = without(on, stuck)

        inside, change = on, abs(g[0]) * 0.0
        for i in range(length):
            new, state = update(x[i], g[i], load(s, i * slots), c)
            inside = inside & (abs(new) <= bound)
            change = moved(change, x[i], new)
            y[i] = choose(on, new, x[i])
            store(s, i * slots, state)

        lost = without(on, inside)
        if any_lane(lost):  # back to the last finite point
            for i in range(length):
                y[i] = choose(lost, x[i], y[i])
            finish(control, lost, DIVERGED, t)
            on = inside
        still = resting(on, change, xtol)
        if any_lane(still):
            finish(control, still, NO_PROGRESS, t + 1)
            on = without(on, still)
        return any_lane(on)

    return step


def make_burst(parts: Parts, views: Views, coefficients_of: Callable, length: int) -> Callable:
    """Build ``burst``, which takes the blocks from `low` up to `high` from step `first` to step `last`.

    The blocks take turns, step by step: while one waits for its divisions, the next one's gradient is computed.
    """
    step = make_step(parts, length)
    points_of, state_of, best_of, control_of = views.points, views.state, views.best, views.control

    @inlined
    def burst(low, high, block, hypers, table, control, scratch, data, first, last, limits):
        g = points_of(scratch, 0)
        t, going = first, True
        while t < last and going:
            going = False
            for b in range(low, high):
                here, there = points_of(block, b), points_of(scratch, 1 + b - low)
                if (t - first) & 1:
                    here, there = there, here
                c = coefficients_of(table, hypers, b, t - first, t)
                s, status, best = state_of(block, b), control_of(control, b), best_of(block, b)
                going |= step(here, there, g, s, c, status, best, data, t, limits)
            t += 1
        if (t - first) & 1:
            for b in range(low, high):
                home, away = points_of(block, b), points_of(scratch, 1 + b - low)
                for i in range(length):
                    home[i] = away[i]

    return burst
