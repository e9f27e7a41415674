"""Sums of exponentials, and the shares of their terms, without overflow."""

from __future__ import annotations

import math
from typing import Any

from fastgd.jit.options import inlined

__all__ = ["make_softmax"]


def make_softmax(count: int) -> tuple[Any, Any]:
    """``shift(z, first)`` and ``log_sum(z, first)`` of the numbers ``z[first:first + count]``.

    `shift` takes the largest from all of them, and returns it.  Then `log_sum` is the logarithm of the sum of their
    exponentials: ``math.exp(z[k] - log_sum)`` is the share of number k, exact where it is near 1 however large the
    numbers were, as nothing large is left to cancel.
    """

    @inlined
    def shift(z, first):
        top = z[first]
        for k in range(1, count):
            top = max(top, z[first + k])
        for k in range(count):
            z[first + k] = z[first + k] - top
        return top

    @inlined
    def log_sum(z, first):
        total = 0.0 * z[first]
        for k in range(count):
            total = total + math.exp(z[first + k])
        return math.log(total)

    return shift, log_sum
