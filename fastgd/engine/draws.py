"""What a step draws: the samples of its batch, and the noise in its gradient.

Where nothing is drawn, each of these functions does nothing and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastgd.finite_sum import sum_of
from fastgd.jit.gather import scratch
from fastgd.jit.masks import any_lane, without
from fastgd.jit.masks import select as choose
from fastgd.jit.options import inlined
from fastgd.sampling.batches import BATCH, LOOKS, ORDER, ROUNDS, SAMPLES, SEEDS, SHARED_SEED, SIZES, steps_between_looks
from fastgd.sampling.philox import INDICES, LOW, NOISE, below, normals, philox, stream_key
from fastgd.sampling.shuffle import shuffle
from fastgd.stopping import EVERY, SEED, SIZE

__all__ = ["Draws", "make_alike", "make_deal", "make_looks", "make_order", "make_sampled", "make_table"]

own_steps_between_looks = inlined(steps_between_looks)
GROUP = 4  # samples whose indices are worked out together, as their arithmetic overlaps


class Draws(NamedTuple):
    """What is drawn, and the gradient of one sample."""

    add: Any  # ``add(x, i, g, *data)``, or None where there are no batches
    batches: bool
    replace: bool
    shuffle: bool
    noisy: bool
    shared: bool
    own_sizes: bool
    add_four: Any = None  # ``add_four(x, samples, g, *data)``, where the problem has it
    alike: bool = False  # whether so many runs have the same seed that blocks of them are looked for


def make_looks(draws: Draws | None) -> tuple[Callable, Callable]:
    """``looks(on, t, control, drawn)``: whether step t begins with stop tests, ``among(on, t, control)``: of whom."""

    @inlined
    def always(on, t, control, drawn):
        return True

    @inlined
    def sometimes(on, t, control, drawn):
        return t % drawn[LOOKS] == 0

    @inlined
    def for_all(on, t, control):
        return on

    @inlined
    def among(on, t, control):
        return on & (t % control[EVERY] == 0)

    @inlined
    def for_some(on, t, control, drawn):
        return any_lane(among(on, t, control))

    if draws is None:
        return always, for_all
    return (for_some, among) if draws.own_sizes else (sometimes, for_all)


def make_deal(draws: Draws | None) -> Callable:
    """``deal(control, b, lane, run, drawn)``: a run's seed, batch size and steps between looks into its lane."""

    @inlined
    def nothing(control, b, lane, run, drawn):
        return None

    @inlined
    def seed_of(control, b, lane, run, drawn):
        control[b, SEED, lane] = drawn[SEEDS][run]

    @inlined
    def seed_and_size(control, b, lane, run, drawn):
        size, every = drawn[SIZES][run if len(drawn[SIZES]) > 1 else 0], drawn[LOOKS]
        control[b, SEED, lane] = drawn[SEEDS][run]
        control[b, SIZE, lane] = size
        control[b, EVERY, lane] = every if every > 0 else own_steps_between_looks(drawn[SAMPLES], size)

    if draws is None:
        return nothing
    return seed_and_size if draws.own_sizes else seed_of


def make_order(draws: Draws | None) -> Callable:
    """``place_of(j, drawn)``: which run is dealt out as the j-th; runs of one seed come one after the other."""

    @inlined
    def as_given(j, drawn):
        return j

    @inlined
    def by_seed(j, drawn):
        return drawn[ORDER][j]

    return by_seed if draws is not None and draws.alike else as_given


def make_table(draws: Draws | None) -> Callable:
    """``fill(table, k, t, part, parts, drawn)``: the samples that all runs see at step t, into row k of a table.

    Of `parts` shares of the batch that can be worked out side by side it fills one, number `part`.
    """

    @inlined
    def nothing(table, k, t, part, parts, drawn):
        return None

    if draws is None or not draws.shared:
        return nothing
    next_places = make_places(draws)

    @inlined
    def fill(table, k, t, part, parts, drawn):
        size, seed = drawn[BATCH], drawn[SHARED_SEED]
        places = scratch(table, GROUP)
        share = (size + GROUP * parts - 1) // (GROUP * parts) * GROUP  # whole groups, as draws begin with one
        j, end = part * share, min(size, part * share + share)
        while j < end:
            count = min(next_places(places, seed, t, j, drawn), end - j)
            for m in range(count):
                table[k, j + m] = places[m]
            j += count

    return fill


def make_alike(draws: Draws | None, width: int, control_of: Callable) -> tuple[Callable, Callable]:
    """``forget(table)`` before a burst, and ``hold(table, b, alive, control, first, last, drawn)`` before block `b`.

    Where all runs of the block have one seed, `hold` fills the table with the samples of the steps from `first` to
    `last`, unless it has them already from the block before.  The seed stands in the table's last row.
    """

    @inlined
    def nothing(table):
        return None

    @inlined
    def never(table, b, alive, control, first, last, drawn):
        return None

    if draws is None or not draws.alike:
        return nothing, never
    next_place = make_place(draws)

    @inlined
    def fill(table, seed, b, control, first, last, drawn):
        size, rows = drawn[BATCH], control_of(control, b)
        places = scratch(rows, GROUP)
        for start in range(first, last, width):  # a step in each lane, by way of the row of sizes, which stands free
            for lane in range(width):
                control[b, SIZE, lane] = start + lane
            t = rows[SIZE]
            for j in range(size):
                rows[SIZE] = next_place(places, seed, t, j, size, drawn)
                for lane in range(min(width, last - start)):
                    table[start - first + lane, j] = control[b, SIZE, lane]

    @inlined
    def forget(table):
        table[len(table) - 1, 0] = -1

    @inlined
    def hold(table, b, alive, control, first, last, drawn):
        seed = control[b, SEED, 0]
        alike = seed != table[len(table) - 1, 0]
        for lane in range(1, min(width, alive - b * width)):
            alike &= control[b, SEED, lane] == seed
        if alike:
            fill(table, seed, b, control, first, last, drawn)
            table[len(table) - 1, 0] = seed

    return forget, hold


def make_places(draws: Draws) -> Callable:
    """``next_places(places, seed, t, j, drawn)``: the samples j, j + 1, ... of step t; returns how many they are."""

    @inlined
    def with_replacement(places, seed, t, j, drawn):
        s0, s1 = stream_key(seed)
        words = philox(j // GROUP, t & LOW, t >> 32, INDICES, s0, s1)
        samples = drawn[SAMPLES]
        places[0], places[1] = below(words[0], samples), below(words[1], samples)
        places[2], places[3] = below(words[2], samples), below(words[3], samples)
        return min(GROUP, drawn[BATCH] - j)

    @inlined
    def in_epochs(places, seed, t, j, drawn):
        size, samples, rounds = drawn[BATCH], drawn[SAMPLES], drawn[ROUNDS]
        place = t * size + j
        epoch = place // samples
        place = place - epoch * samples
        for k in range(GROUP):  # those past the end of the epoch are worked out for nothing
            places[k] = place + k
        if size < GROUP:
            shuffle(places, 1, samples, rounds, seed, epoch)
            return 1
        shuffle(places, GROUP, samples, rounds, seed, epoch)
        return min(GROUP, min(size - j, samples - place))

    @inlined
    def in_order(places, seed, t, j, drawn):
        places[0] = (t * drawn[BATCH] + j) % drawn[SAMPLES]
        return 1

    return with_replacement if draws.replace else in_epochs if draws.shuffle else in_order


def make_place(draws: Draws) -> Callable:
    """``next_place(places, seed, t, j, size, drawn)``: the sample j of step t where each run has its own batch size."""

    @inlined
    def with_replacement(places, seed, t, j, size, drawn):
        if j % GROUP == 0:
            s0, s1 = stream_key(seed)
            words = philox(j // GROUP, t & LOW, t >> 32, INDICES, s0, s1)
            samples = drawn[SAMPLES]
            places[0], places[1] = below(words[0], samples), below(words[1], samples)
            places[2], places[3] = below(words[2], samples), below(words[3], samples)
        return places[j % GROUP]

    @inlined
    def in_epochs(places, seed, t, j, size, drawn):
        samples, rounds = drawn[SAMPLES], drawn[ROUNDS]
        place = t * size + j
        epoch = place // samples
        places[0] = place - epoch * samples
        shuffle(places, 1, samples, rounds, seed, epoch)
        return places[0]

    @inlined
    def in_order(places, seed, t, j, size, drawn):
        return (t * size + j) % drawn[SAMPLES]

    return with_replacement if draws.replace else in_epochs if draws.shuffle else in_order


def make_batch(draws: Draws, length: int) -> Callable:
    """``batch(x, g, kept, on, control, t, k, table, drawn, data)``: the mean gradient over the samples of step t.

    It is written to `g`.  Where runs have batch sizes of their own, `kept` is room for as many numbers.
    """
    add, add_from_table = draws.add, sum_of(draws.add, draws.add_four, from_table)

    @inlined
    def cleared(g):
        for i in range(length):
            g[i] = 0.0

    @inlined
    def divided(g, size):
        scale = 1.0 / size
        for i in range(length):
            g[i] = g[i] * scale

    @inlined
    def of_all_runs(x, g, kept, on, control, t, k, table, drawn, data):
        size = drawn[BATCH]
        cleared(g)
        add_from_table(x, (table, k), size, g, *data)
        divided(g, size)

    if draws.shared:
        return of_all_runs

    if not draws.own_sizes:
        next_places = make_places(draws)

        @inlined
        def of_each_run(x, g, kept, on, control, t, k, table, drawn, data):
            size, seed = drawn[BATCH], control[SEED]
            places = scratch(control, GROUP)
            cleared(g)
            j = 0
            while j < size:
                count = next_places(places, seed, t, j, drawn)
                for m in range(count):
                    add(x, places[m], g, *data)
                j += count
            divided(g, size)

        @inlined
        def of_runs_alike(x, g, kept, on, control, t, k, table, drawn, data):
            alike = on & (control[SEED] == table[len(table) - 1, 0])
            if any_lane(alike) and not any_lane(without(on, alike)):  # where no run goes on, the table may be empty
                of_all_runs(x, g, kept, on, control, t, k, table, drawn, data)
            else:
                of_each_run(x, g, kept, on, control, t, k, table, drawn, data)

        return of_runs_alike if draws.alike else of_each_run

    next_place = make_place(draws)

    @inlined
    def of_own_size(x, g, kept, on, control, t, k, table, drawn, data):
        seed, size = control[SEED], control[SIZE]
        places = scratch(control, GROUP)
        cleared(g)
        j = 0
        while any_lane(on & (j < size)):
            place = next_place(places, seed, t, j, size, drawn)
            beyond = j >= size
            ragged = any_lane(beyond)
            if ragged:  # a sum that ends here is put back, so that it rounds as it does alone
                for i in range(length):
                    kept[i] = g[i]
            add(x, place, g, *data)
            if ragged:
                for i in range(length):
                    g[i] = choose(beyond, kept[i], g[i])
            j += 1
        divided(g, size)

    return of_own_size


@inlined
def from_table(row, j):
    table, k = row
    return table[k, j]


def make_noise(length: int, place: int) -> Callable:
    """``noise(g, control, t, c)``: normal numbers added to `g`, with the standard deviation at `place` of `c`."""
    whole, rest = length - length % 4, length % 4

    @inlined
    def four(control, i, t):
        s0, s1 = stream_key(control[SEED])
        w0, w1, w2, w3 = philox(i // 4, t & LOW, t >> 32, NOISE, s0, s1)
        return normals(w0, w1, w2, w3)

    @inlined
    def noise(g, control, t, c):
        sigma = c[place]
        for i in range(0, whole, 4):
            z0, z1, z2, z3 = four(control, i, t)
            g[i] = g[i] + sigma * z0
            g[i + 1] = g[i + 1] + sigma * z1
            g[i + 2] = g[i + 2] + sigma * z2
            g[i + 3] = g[i + 3] + sigma * z3
        if rest > 0:
            z0, z1, z2, z3 = four(control, whole, t)
            g[whole] = g[whole] + sigma * z0
            if rest > 1:
                g[whole + 1] = g[whole + 1] + sigma * z1
            if rest > 2:
                g[whole + 2] = g[whole + 2] + sigma * z2

    return noise


def make_sampled(draws: Draws | None, length: int, look_ahead: Callable, noise_place: int) -> Callable:
    """``sampled(x, y, g, kept, s, c, on, control, t, k, table, drawn, data)``: the gradient of the step into `g`.

    ``look_ahead(x, y, s, c)`` gives the point at which the rule wants it.
    """

    @inlined
    def as_it_is(x, y, g, kept, s, c, on, control, t, k, table, drawn, data):
        return None

    if draws is None:
        return as_it_is
    batch: Any = make_batch(draws, length) if draws.batches else None
    noise = make_noise(length, noise_place)

    @inlined
    def with_noise(x, y, g, kept, s, c, on, control, t, k, table, drawn, data):
        noise(g, control, t, c)

    @inlined
    def of_batch(x, y, g, kept, s, c, on, control, t, k, table, drawn, data):
        batch(look_ahead(x, y, s, c), g, kept, on, control, t, k, table, drawn, data)

    @inlined
    def of_batch_with_noise(x, y, g, kept, s, c, on, control, t, k, table, drawn, data):
        of_batch(x, y, g, kept, s, c, on, control, t, k, table, drawn, data)
        noise(g, control, t, c)

    if batch is None:
        return with_noise if draws.noisy else as_it_is
    return of_batch_with_noise if draws.noisy else of_batch
