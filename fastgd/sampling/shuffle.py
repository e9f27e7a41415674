r"""Random permutations without memory: where a place goes to is worked out when it is asked for.

Swap-or-not: in each round a pivot K pairs every place x with K - x (mod n), and one bit of each pair says whether the
two change places.  It is a permutation of exactly n places, whatever n, and random access needs no table.

Two places that are never told apart keep their distance; after r rounds that has a probability of :math:`2^{-r}`, so
:math:`\lceil \log_2 n \rceil + 12` rounds leave the chance of any pair of values within :math:`2^{-11}` of itself.

References
----------
V. T. Hoang, B. Morris, P. Rogaway, An enciphering scheme based on a card shuffle, doi:10.1007/978-3-642-32009-5_1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgd.jit.options import inlined, kernel
from fastgd.jit.targets import named, shared_kernel

from .philox import LOW, SHUFFLES, WEYL, below, philox, stream_key

__all__ = ["rounds_for", "shuffle", "shuffled"]

ODD, PRIME, STRIDE = 0x2C1B3C6D, 0x297A2D39, WEYL[0]  # multipliers that mix well, by C. Wellons, hash-prospector


def rounds_for(n: int) -> int:
    """How many rounds a permutation of `n` places takes."""
    return max(n - 1, 1).bit_length() + 12


@inlined
def shuffle(places: Any, count: Any, n: Any, rounds: Any, seed: Any, epoch: Any) -> None:
    """Replace the first `count` of `places`, each in [0, n), by where the permutation of this epoch takes them."""
    s0, s1 = stream_key(seed)
    k0, k1, k2, k3 = philox(epoch & LOW, epoch >> 32, 0, SHUFFLES, s0, s1)
    for _ in range(rounds):
        pivot = below(k0, n)
        for k in range(count):
            x = places[k]
            other = pivot - x
            other = other + ((other >> 63) & n)
            pair = max(x, other)
            bits = ((pair + k1) * ODD) & LOW
            bits = ((bits ^ (bits >> 15)) * PRIME) & LOW
            places[k] = x ^ ((x ^ other) & -(bits >> 31))
        k0, k1, k2, k3 = k1, k2, k3, ((k0 ^ (k0 >> 15)) * ODD + STRIDE) & LOW


def shuffled(n: int, seed: int, epoch: int = 0) -> list[int]:
    """The permutation of [0, n) that a run with this seed uses in an epoch.

    Examples
    --------
    >>> from fastgd.sampling import shuffled
    >>> sorted(shuffled(5, seed=1))
    [0, 1, 2, 3, 4]
    """
    places = np.arange(n)
    shared_kernel(named((shuffle,), "shuffled"), 1, whole_shuffle)(places, rounds_for(n), seed, epoch)
    return places.tolist()


def whole_shuffle() -> Any:
    @kernel
    def every_place(places, rounds, seed, epoch):
        shuffle(places, len(places), len(places), rounds, seed, epoch)

    return every_place
