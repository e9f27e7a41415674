r"""Philox4x32-10: a bijection of 128 bits under a key of 64, and numbers drawn from it.

Everything is plain scalar arithmetic on whole numbers below :math:`2^{32}` in 64-bit integers, signed: a product may
wrap, and its upper half is then still right once it is cut to 32 bits.  So one source serves Python, scalars, lanes and
devices.

A stream is a key; where it stands is the counter.  Nothing is remembered from draw to draw.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3,
doi:10.1145/2063384.2063405.

G. E. P. Box, M. E. Muller, A note on the generation of random normal deviates, doi:10.1214/aoms/1177706645.
"""

from __future__ import annotations

import math
from typing import Any

from fastgd.jit.options import inlined

__all__ = ["INDICES", "LOW", "NOISE", "SHUFFLES", "below", "normals", "philox", "stream_key", "unit"]

LOW = 0xFFFFFFFF
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85  # the golden ratio, and the square root of 3 less 1
INDICES, SHUFFLES, NOISE = range(3)  # the last word of the counter: what the numbers are for
FIRST, SECOND = MULTIPLIERS
RAISE, LIFT = WEYL
STEP = 2.0**-32


@inlined
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four words of 32 bits for a counter of four and a key of two."""
    for _ in range(10):
        p, q = FIRST * c0, SECOND * c2
        c0, c1, c2, c3 = ((q >> 32) & LOW) ^ c1 ^ k0, q & LOW, ((p >> 32) & LOW) ^ c3 ^ k1, p & LOW
        k0, k1 = (k0 + RAISE) & LOW, (k1 + LIFT) & LOW
    return c0, c1, c2, c3


@inlined
def stream_key(seed: Any) -> Any:
    """The key of a seed below 2⁶³."""
    return seed & LOW, (seed >> 32) & LOW


@inlined
def unit(word: Any) -> Any:
    """A number in (0, 1): the middle of one of 2³² equal parts."""
    return (word + 0.5) * STEP


@inlined
def below(word: Any, n: Any) -> Any:
    """An integer in [0, n), n below 2³¹; no two are drawn with probabilities that differ by more than 2⁻³²."""
    return (word * n) >> 32


@inlined
def normals(w0: Any, w1: Any, w2: Any, w3: Any) -> Any:
    """Four independent normal numbers of four words, by Box and Muller's transform.

    Radius and angle have 2³² equally likely values each, so no number is beyond 6.8 (a normal one is, once in 10¹¹),
    and the distribution function is met within 2⁻³².  Beyond that, their error is the rounding of `log`, `sqrt`, `cos`
    and `sin`.
    """
    a, b = math.sqrt(-2.0 * math.log(unit(w0))), 2.0 * math.pi * unit(w1)
    c, d = math.sqrt(-2.0 * math.log(unit(w2))), 2.0 * math.pi * unit(w3)
    return a * math.cos(b), a * math.sin(b), c * math.cos(d), c * math.sin(d)
