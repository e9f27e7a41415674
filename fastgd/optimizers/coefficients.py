"""What holds for a whole step: the learning rate that the schedule gives, and what the rule makes of it."""

from __future__ import annotations

from collections.abc import Callable

from fastgd.jit.options import inlined
from fastgd.jit.tuples import load_tuple

__all__ = ["TABLE_WIDTH", "make_at_step"]

TABLE_WIDTH = 8  # lanes in which coefficients that all runs share are computed, for the vector functions' sake


def make_at_step(
    coefficients: Callable, rates: tuple[tuple[Callable, int], ...], hyperparameters: int, clips: int, memory: int
) -> Callable:
    """``at_step(h, t)``: the rule's coefficients, then the clips' limits.

    `h` holds the schedule's parameters, the rule's hyperparameters, the clips' limits, together as many as
    `hyperparameters` says, and the schedule's memory.  `rates` has each schedule with the number of its parameters:
    where groups of parameters have their own learning rates, the rule's coefficients come once for each group.
    """
    taken = sum(count for _, count in rates)
    load_rest = load_tuple(hyperparameters - taken - clips, skip=taken)
    load_clips = load_tuple(clips, skip=hyperparameters - clips)
    load_memory = load_tuple(memory, skip=hyperparameters)

    def of_group(k: int) -> Callable:
        (rate, count), skip = rates[k], sum(number for _, number in rates[:k])
        load_rate = load_tuple(count, skip=skip)

        @inlined
        def plain_rate(h, t):
            return rate(load_rate(h, 0), t)

        @inlined
        def remembered_rate(h, t):
            return rate(load_rate(h, 0), t, load_memory(h, 0))

        rate_at = remembered_rate if memory else plain_rate

        @inlined
        def at_rate(h, t):
            return coefficients((rate_at(h, t), *load_rest(h, 0)), t)

        return at_rate

    def up_to_group(k: int) -> Callable:
        last = of_group(k)
        if k == 0:
            return last
        before = up_to_group(k - 1)

        @inlined
        def with_last(h, t):
            return (*before(h, t), *last(h, t))

        return with_last

    of_groups = up_to_group(len(rates) - 1)

    @inlined
    def at_step(h, t):
        return (*of_groups(h, t), *load_clips(h, 0))

    return at_step
