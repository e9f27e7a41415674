"""What a step is made of besides the rule: coefficients, gradient, clips, averages, a schedule's memory.

Each is built as the plan asks; what the plan does not ask for is a function that does nothing and costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numba

from fastgd.jit.masks import select
from fastgd.jit.options import inlined
from fastgd.jit.rows import cast_lanes
from fastgd.jit.tuples import first_items, load_tuple, map_tuple, select_tuple, store_tuple
from fastgd.optimizers.coefficients import make_at_step

from .draws import Draws

__all__ = [
    "Parts", "Searching", "Shape", "Views", "make_average", "make_clip", "make_coefficients", "make_everywhere",
    "make_gradient", "make_largest", "make_look_ahead", "make_memory", "make_sweep", "working_points",
]  # fmt: skip

class Searching(NamedTuple):
    """The compiled functions of a method with a line search; see `fastgd.optimizers.Search`."""

    begin: Callable
    advance: Callable
    memory: int
    most: int  # evaluations of one search
    turn: Callable
    guess: Callable
    least: float
    extra: int
    restart: int


class Parts(NamedTuple):
    """The compiled functions that the loop is put together from."""

    value: Callable
    gradient: Callable
    coefficients: Callable
    update: Callable
    probe: Callable | None
    slots: int
    rates: tuple[tuple[Callable, int], ...]  # of each group of parameters: the schedule, and how many numbers it takes
    rate_parameters: int  # of all groups
    start: Callable | None  # the first memory of a schedule that has one
    observe: Callable | None  # its next memory
    memory: int
    hyperparameters: int
    clips: tuple[str, ...]  # and "noise", whose standard deviation stands behind their limits
    weight: Callable | None  # of the average
    average_start: int
    seen: Callable  # the value, where a stop test looks at it
    stalled: Callable
    moved: Callable
    resting: Callable
    search: Searching | None = None  # for methods that search along a line, which have no update
    draws: Draws | None = None  # mini-batches and noise
    flow: bool = False  # whether a step is one of the gradient flow's, in place of an update

    @property
    def own_steps(self) -> bool:
        """Whether each run counts its own steps, as a pass of the loop is less than one of some runs."""
        return self.search is not None or self.flow


class Views(NamedTuple):
    """How the loop sees a block's memory: functions ``view(array, block)`` that give rows."""

    points: Callable
    state: Callable
    best: Callable
    control: Callable
    hyper: Callable
    average: Callable
    working: tuple[Callable, ...]  # points of working memory, the first for the gradient


class Shape(NamedTuple):
    """What the sizes of a kernel depend on."""

    length: int  # parameters
    states: int  # numbers that each run keeps between two steps
    width: int  # runs abreast, 1 for the scalar target
    coefficients: int  # numbers that the rule derives for each step, for all groups of parameters
    per_run: bool  # whether hyperparameters differ from run to run
    dtype: numba.types.Float
    bounds: tuple[int, ...]  # where the groups of parameters with their own rates begin, and the end
    bare: bool = True  # whether a width of 1 means plain numbers, or vectors of one lane
    working: int = 1  # points of working memory that a step takes besides the next one, the first for the gradient


def make_coefficients(parts: Parts) -> Callable:
    """``at_step(h, t)``: what `make_at_step` says, then the average's weight where there is one."""
    counts = parts.hyperparameters, len(parts.clips), parts.memory
    at_step, weight = make_at_step(parts.coefficients, parts.rates, *counts), parts.weight
    if weight is None:
        return at_step

    @inlined
    def with_weight(h, t):
        return (*at_step(h, t), weight(t + 1))

    return with_weight


def working_points(points: Callable, count: int) -> tuple[Callable, ...]:
    """``view(scratch, b)`` of each of the first points in an array that the blocks which take turns share."""

    def at(place: int) -> Callable:
        @inlined
        def point(scratch, b):
            return points(scratch, place)

        return point

    return tuple(at(place) for place in range(count))


def make_sweep(part: Callable, shape: Shape) -> Callable:
    """``sweep(carried, c, ...)``: ``part(low, high, carried, c, ...)`` for each group of parameters, with its own `c`.

    What `part` returns is carried on to the next group.
    """
    count = shape.coefficients // (len(shape.bounds) - 1)

    def up_to_group(k: int) -> Callable:
        low, high, own = shape.bounds[k], shape.bounds[k + 1], first_items(count, skip=k * count)

        @inlined
        def of_group(carried, coefficients, *arguments):
            return part(low, high, carried, own(coefficients), *arguments)

        if k == 0:
            return of_group
        before = up_to_group(k - 1)

        @inlined
        def and_group(carried, coefficients, *arguments):
            return of_group(before(carried, coefficients, *arguments), coefficients, *arguments)

        return and_group

    return up_to_group(len(shape.bounds) - 2)


def make_largest(length: int) -> Callable:
    """``largest(g)``: the greatest absolute component."""

    @inlined
    def largest(g):
        top = abs(g[0])
        for i in range(1, length):
            top = max(top, abs(g[i]))
        return top

    return largest


def make_everywhere(length: int) -> Callable:
    """``everywhere(done, g, gtol)``: where no component is above the tolerance, or NaN, which `largest` passes over."""

    @inlined
    def everywhere(done, g, gtol):
        for i in range(length):
            done = done & (abs(g[i]) <= gtol)
        return done

    return everywhere


def make_look_ahead(parts: Parts, shape: Shape) -> Callable:
    """``look_ahead(x, y, s, c)``: the point where the rule wants the gradient: `x`, or `y`, which is filled."""
    probe, load, slots = parts.probe, load_tuple(parts.slots), parts.slots

    @inlined
    def here(x, y, s, c):
        return x

    if probe is None:
        return here

    @inlined
    def part_ahead(low, high, carried, c, x, y, s):
        for i in range(low, high):
            y[i] = probe(x[i], load(s, i * slots), c)
        return carried

    fill = make_sweep(part_ahead, shape)

    @inlined
    def ahead(x, y, s, c):
        fill(0, c, x, y, s)
        return y

    return ahead


def make_gradient(parts: Parts, shape: Shape) -> tuple[Callable, Callable, Callable]:
    """Where the gradient is taken, what it takes to look at it, and whether a small one there is one at ``x`` as well.

    Where a step takes the gradient of some samples only, that of all of them is taken at `x`, for the look alone.
    """
    gradient, probe, length = parts.gradient, parts.probe, shape.length
    look_ahead = make_look_ahead(parts, shape)

    everywhere = make_everywhere(length)

    @inlined
    def at_x(x, y, g, s, c, data):
        gradient(x, g, *data)

    @inlined
    def no_component_is_nan(done, x, y, g, s, c, data, gtol):
        return everywhere(done, g, gtol)

    @inlined
    def later(x, y, g, s, c, data):
        return None

    if parts.draws is not None and parts.draws.batches:
        return later, at_x, no_component_is_nan
    if probe is None:
        return at_x, later, no_component_is_nan

    @inlined
    def at_probe(x, y, g, s, c, data):
        gradient(look_ahead(x, y, s, c), g, *data)

    @inlined
    def at_x_too(done, x, y, g, s, c, data, gtol):
        gradient(x, g, *data)
        done = everywhere(done, g, gtol)
        at_probe(x, y, g, s, c, data)
        return done

    return at_probe, later, at_x_too


def make_clip(parts: Parts, length: int, first: int) -> Callable:
    """``clip(g, c)``: the gradient within the limits that stand in `c` from place `first` on, the value's first."""
    by_value, by_norm = "clip_value" in parts.clips, "clip_norm" in parts.clips
    second = first + by_value
    largest = make_largest(length)

    @inlined
    def untouched(g, c):
        return None

    @inlined
    def each_component(g, c):
        for i in range(length):
            g[i] = select(abs(g[i]) > c[first], math.copysign(c[first], g[i]), g[i])

    @inlined
    def whole(g, c):
        top = largest(g)  # the squares of what is divided by it do not overflow
        scale = select(top > 0.0, 1.0 / top, 0.0)
        squares = g[0] * scale * (g[0] * scale)
        for i in range(1, length):
            squares = squares + g[i] * scale * (g[i] * scale)
        norm = top * math.sqrt(squares)
        factor = select(norm > c[second], c[second] / norm, 1.0)
        for i in range(length):
            g[i] = g[i] * factor

    @inlined
    def both(g, c):
        each_component(g, c)
        whole(g, c)

    if by_value and by_norm:
        return both
    return each_component if by_value else whole if by_norm else untouched


def make_average(parts: Parts, length: int, last: int) -> Callable:
    """``take(average, y, on, c)``: the new points into the average, by the weight at place `last` of `c`."""

    @inlined
    def none(average, y, on, c):
        return None

    @inlined
    def take(average, y, on, c):
        w = c[last]
        for i in range(length):
            average[i] = select(on & (w > 0.0), (1.0 - w) * average[i] + w * y[i], average[i])

    return none if parts.weight is None else take


def make_memory(parts: Parts, shape: Shape) -> tuple[Callable, Callable]:
    """``begin(h)``, a schedule's first memory, and ``watch(on, x, h, data)``, what it makes of the value at `x`."""
    value, start, observe, first = parts.value, parts.start, parts.observe, parts.hyperparameters
    load_rate, load_memory = load_tuple(parts.rate_parameters), load_tuple(parts.memory, skip=first)
    store_memory, choose = store_tuple(parts.memory), select_tuple(parts.memory)
    wide = cast_lanes(numba.float64, shape.width, shape.bare)
    after = map_tuple(wide, parts.memory)

    @inlined
    def blank(h):
        return None

    @inlined
    def forgetful(on, x, h, data):
        return None

    if start is None or observe is None:
        return blank, forgetful

    @inlined
    def begin(h):
        store_memory(h, first, after(start(load_rate(h, 0))))

    @inlined
    def watch(on, x, h, data):
        seen = observe(load_rate(h, 0), load_memory(h, 0), wide(value(x, *data)))
        store_memory(h, first, after(seen))

    @inlined
    def watch_some(on, x, h, data):
        before = load_memory(h, 0)
        seen = observe(load_rate(h, 0), before, wide(value(x, *data)))
        store_memory(h, first, choose(on, after(seen), before))

    return begin, watch_some if parts.draws is not None and parts.draws.own_sizes else watch
