"""A user's function that takes its arguments in another order than they are given."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["right_order"]


def orders(own: int, count: int) -> Iterator[tuple[int, ...]]:
    """Other orders of `count` arguments that a function may have been written for.

    The first `own` of them are permuted, and stand before the others, or the last of them behind these.

    Examples
    --------
    >>> from fastgd.orders import orders
    >>> list(orders(2, 3))
    [(1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    """
    others = tuple(range(own, count))
    seen = {tuple(range(count))}
    for k in range(own, -1, -1):
        for permuted in itertools.permutations(range(own)):
            order = (*permuted[:k], *others, *permuted[k:])
            if order not in seen:
                seen.add(order)
                yield order


def right_order(
    function: Callable[..., Any], own: int, make: Callable[[], tuple[Any, ...]], works: Callable[..., bool]
) -> str:
    """How the head of a function should read that takes its arguments in another order; empty where it does not.

    `make` makes the arguments anew, the first `own` of them not being data, and ``works(value, *arguments)`` says
    whether a call did what it should.

    Examples
    --------
    >>> from fastgd.orders import right_order
    >>> right_order(lambda i, x: x[i], 2, lambda: ([1.0, 2.0], 1), lambda value, x, i: value == x[i])
    'lambda x, i'
    """
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    count = len(make())
    if len(names) < count:
        return ""
    for order in orders(own, count):
        arguments = make()
        try:
            with np.errstate(all="ignore"):
                value = function(*(arguments[k] for k in order))
        except Exception:  # of whatever kind, as this is not the order either
            continue
        if works(value, *arguments):
            written = ", ".join(names[order.index(k)] for k in range(count))
            return f"lambda {written}" if function.__name__ == "<lambda>" else f"def {function.__name__}({written})"
    return ""
