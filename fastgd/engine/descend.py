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
from fastgd.stopping import CONVERGED, DIVERGED, NO_PROGRESS, RUNNING

from .tuples import load_tuple, store_tuple

__all__ = ["NIT", "RUN", "STATUS", "WAIT", "Parts", "make_burst", "make_coefficients", "make_largest"]

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


def make_burst(parts: Parts, coefficients_of: Callable, length: int) -> Callable:
    """Build ``burst``, which takes one block of runs from step `first` to step `last`.

    Parameters
    ----------
    parts : Parts
        The problem, the rule and the stop tests.
    coefficients_of : callable
        ``coefficients_of(source, k, t)``: the coefficients of step t, the k-th of the burst.
    length : int
        The number of parameters.

    Returns
    -------
    callable
        ``burst(x, y, g, s, control, best, source, data, first, last, limits)``.  `x` holds the points and receives
        the new ones, `y` and `g` are scratch, `s` the state; `control` and `best` belong to the stop tests.  A run
        that finishes is frozen at that step: its status and step count are set, its `x` no longer changes.
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
    def burst(x, y, g, s, control, best, source, data, first, last, limits):
        gtol, xtol, ftol, patience, bound = limits
        home = x
        on = control[STATUS] == RUNNING
        t = first
        while t < last and any_lane(on):
            c = coefficients_of(source, t - first, t)
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
            x, y = y, x
            t += 1

            lost = without(on, inside)
            if any_lane(lost):  # back to the last finite point
                for i in range(length):
                    x[i] = choose(lost, y[i], x[i])
                finish(control, lost, DIVERGED, t - 1)
                on = inside
            still = resting(on, change, xtol)
            if any_lane(still):
                finish(control, still, NO_PROGRESS, t)
                on = without(on, still)
        if (t - first) & 1:
            for i in range(length):
                home[i] = x[i]

    return burst
