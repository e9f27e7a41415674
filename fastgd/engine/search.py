"""The step of methods that search along a line: one evaluation, after which each run goes on as its search asks.

Searches of different runs take different numbers of evaluations.  So the loop's unit is not a step of the descent but
one value and one gradient, and every run keeps what its search needs to know: it may be trying steps, or have found
one and turn to the next direction, while its neighbours do the other.  ``nit`` counts steps and ``nfev`` evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fastgd.jit.masks import any_lane, without
from fastgd.jit.masks import select as choose
from fastgd.jit.options import inlined
from fastgd.jit.tuples import first_items, load_tuple, select_tuple, store_tuple
from fastgd.stopping import (
    CONVERGED,
    DIVERGED,
    LINE_SEARCH_FAILED,
    NFEV,
    NIT,
    NO_PROGRESS,
    RUNNING,
    STATUS,
    STEP_LIMIT,
)

from .stages import Parts, Shape, Views, make_everywhere, make_largest

__all__ = ["make_search_step", "search_rows"]

BEGINNING, SEEKING, SETTLING = 0.0, 1.0, 2.0  # the first evaluation, a search, the best step of one that failed
OWN = 5  # numbers of each run besides the method's: the step, the value, the phase, steps since a new start, tries


def search_rows(length: int, memory: int, extra: int) -> int:
    """Numbers that each run keeps: the last gradient and direction, the method's own, the loop's, the line search's."""
    return 2 * length + extra + OWN + memory


def make_search_step(parts: Parts, shape: Shape, views: Views) -> Callable:
    """Build ``step``, of the signature of `descend.make_step`; its `limits` have the step limit at the end."""
    search, n = parts.search, shape.length
    assert search is not None
    begin, advance, turn, guess = search.begin, search.advance, search.turn, search.guess
    least, restart, most, resting = search.least, search.restart, search.most, parts.resting
    value, gradient, stalled, moved_by = parts.value, parts.gradient, parts.stalled, parts.moved
    place = 2 * n + search.extra
    step_at, value_at, phase_at, since_at, tries_at = range(place, place + OWN)
    load, store, own = load_tuple(search.memory), store_tuple(search.memory), first_items(shape.coefficients)
    memory_at, pick = place + OWN, select_tuple(search.memory)
    largest, everywhere = make_largest(n), make_everywhere(n)
    state_of, best_of, control_of, slope_of = views.state, views.best, views.control, views.working[0]

    @inlined
    def finish(control, runs, status):
        control[STATUS] = choose(runs, status, control[STATUS])

    @inlined
    def along(x, y, s, a):
        """Go from `x` to `y`; returns whether any parameter changed."""
        y[0] = x[0] + a * s[n]
        changed = y[0] != x[0]
        for i in range(1, n):
            y[i] = x[i] + a * s[n + i]
            changed = changed | (y[i] != x[i])
        return changed

    @inlined
    def product(g, s, first):
        total = g[0] * s[first]
        for i in range(1, n):
            total = total + g[i] * s[first + i]
        return total

    @inlined
    def squares(g):
        total = g[0] * g[0]
        for i in range(1, n):
            total = total + g[i] * g[i]
        return total

    @inlined
    def step(x, y, scratch, b, block, hypers, controls, coefficients, data, t, limits, k, table, drawn):
        gtol, xtol, ftol, patience, bound, max_steps = limits
        g, s, control, p = slope_of(scratch, b), state_of(block, b), control_of(controls, b), own(coefficients)
        on = control[STATUS] == RUNNING
        a, f_before, tries = s[step_at], s[value_at], s[tries_at] + 1.0
        moves = along(x, y, s, a)
        f = value(y, *data)
        gradient(y, g, *data)
        slope = product(g, s, n)
        control[NFEV] = choose(on, control[NFEV] + 1, control[NFEV])

        first, settling = on & (s[phase_at] == BEGINNING), on & (s[phase_at] == SETTLING)
        finite = (abs(f) < math.inf) & (abs(slope) < math.inf)
        m = load(s, memory_at)
        after, a_next, good, over = advance(p, m, a, f, slope)
        seeking = without(without(on, first), settling)
        accepted = seeking & finite & good & moves  # a step below the rounding of the point is none
        failed = without(seeking & ((finite & (over | good)) | (tries >= most)), accepted)
        going = without(without(seeking, accepted), failed)
        m = pick(finite, after, m)
        best, f_best = m[0], m[1]
        a_next = choose(finite, a_next, best + 0.1 * (a - best))  # it was too far

        taken = accepted | ((first | settling) & finite)
        inside = taken
        change = abs(g[0]) * 0.0
        for i in range(n):
            inside = inside & (abs(y[i]) <= bound)
            change = moved_by(change, x[i], y[i])
        lost = without(taken | first, inside)
        taken = inside
        finish(control, lost, DIVERGED)
        moved = without(taken, first)
        control[NIT] = choose(moved, control[NIT] + 1, control[NIT])

        on = taken
        done = on & (largest(g) <= gtol)
        if any_lane(done):
            done = everywhere(done, g, gtol)
            finish(control, done, CONVERGED)
            on = without(on, done)
        stuck = stalled(on, f, control, best_of(block, b), ftol, patience)
        stuck = stuck | resting(without(on, first), change, xtol)
        finish(control, stuck, NO_PROGRESS)
        on = without(on, stuck)
        full = on & (control[NIT] >= max_steps)
        finish(control, full, STEP_LIMIT)
        on = without(on, full)

        better = failed & (f_best < f_before)  # go back to it, and look no farther
        steep = s[since_at] == 0.0
        hopeless = without(failed & steep, better)
        finish(control, hopeless, LINE_SEARCH_FAILED)
        again = without(without(failed, better), steep)

        new = on | again
        if any_lane(new):
            for i in range(n):
                y[i] = choose(again, x[i], y[i])
                g[i] = choose(again, s[i], g[i])
            fresh = again | settling | first
            since = choose(fresh, 0.0, s[since_at] + 1.0)
            if restart > 0:
                fresh = fresh | (since >= restart)
            turn(new, fresh, x, y, g, s)
            length, incline = squares(g), product(g, s, n)
            uphill = without(new, (incline < 0.0) & (incline <= -least * length))
            if any_lane(uphill):
                for i in range(n):
                    s[n + i] = choose(uphill, -g[i], s[n + i])
                incline = choose(uphill, -length, incline)
                fresh = fresh | uphill
            here = choose(again, f_before, f)
            before = choose(first | again, here + 0.5 * math.sqrt(length), f_before)
            ready, a_first = begin(p, here, incline, guess(here, before, incline, length, fresh))
            for i in range(n):
                s[i] = choose(new, g[i], s[i])
            s[value_at] = choose(new, here, f_before)
            s[since_at] = choose(new, choose(fresh, 0.0, since), s[since_at])
            m = pick(new, ready, m)
            a_next = choose(new, a_first, a_next)
            tries = choose(new, 0.0, tries)
        s[step_at] = choose(going | new, a_next, choose(better, best, a))
        s[phase_at] = choose(better, SETTLING, choose(going | new, SEEKING, s[phase_at]))
        s[tries_at] = tries
        store(s, memory_at, m)
        for i in range(n):
            y[i] = choose(taken, y[i], x[i])
        return any_lane(going | new | better)

    return step
