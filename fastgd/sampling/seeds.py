"""Seeds: one for each run, from one integer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgd.boxes import check_unmasked
from fastgd.calls import explain_calls
from fastgd.checks import is_whole, shown
from fastgd.memory import check_memory

from .philox import LOW, philox, stream_key

__all__ = ["MAX_SEED", "checked_seed", "seeds", "spawned"]

SEEDS = 3  # the last word of the counter, after those of the streams of a run
MAX_SEED = 2**63 - 1
BLOCK = 1 << 16  # seeds that are made together, as each takes some ten numbers on the way


@explain_calls()
def seeds(seed: int, shape: int | tuple[int, ...]) -> np.ndarray:
    """Return the seeds that the runs of a batch have where `fastgd.minimize` is given one integer.

    The first run has `seed` itself; the others have numbers that Philox makes of it and of their place in the batch, in
    C order.  A run depends on its own seed alone, so run k of a batch with ``seed=s`` is repeated alone by
    ``seed=gd.seeds(s, batch_shape)[k]``.

    Parameters
    ----------
    seed : int
        In [0, 2⁶³).
    shape : int or tuple of int
        The batch shape.

    Returns
    -------
    ndarray of int64
        The seeds, in [0, 2⁶³).

    Raises
    ------
    ValueError
        If `seed` is no such integer, `shape` is no shape, or the seeds do not fit the memory.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.seeds(7, 3)
    array([                  7, 1166124119359675757,  714614014165508788])
    """
    start = checked_seed(seed)
    if start.ndim:
        raise ValueError(f"seed must be one integer, got an array of shape {start.shape}; it is its own list of seeds")
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not all(is_whole(size, 0) for size in sizes):
        raise ValueError(f"shape must be an integer >= 0 or a tuple of them, got {shown(shape)}")
    count = math.prod(sizes)
    check_memory(f"shape={shape}: {count:,} seeds", 8 * count, "give fewer")
    found = np.empty(count, np.int64)
    for low in range(0, count, BLOCK):
        found[low : low + BLOCK] = spawned(int(start), low, min(low + BLOCK, count))
    return found.reshape(sizes)


def spawned(seed: int, low: int, high: int) -> np.ndarray:
    """The seeds of the runs [low, high) of a batch."""
    place = np.arange(low, high, dtype=np.int64)
    first, second, _, _ = philox(place & LOW, place >> 32, 0, SEEDS, *stream_key(seed))
    return np.where(place == 0, seed, first | (second & (LOW >> 1)) << 32)


def checked_seed(seed: Any) -> np.ndarray:
    """An integer or an array of them as an array of int64, or ValueError."""
    check_unmasked(seed, "seed")
    try:
        numbers = np.asarray(seed)
    except Exception:
        numbers = np.empty(0, object)
    whole = np.issubdtype(numbers.dtype, np.integer)
    if not whole or (numbers < 0).any() or (numbers > MAX_SEED).any():
        raise ValueError(f"seed must be an integer >= 0 and below 2**63, or an array of them, got {shown(seed)}")
    return numbers.astype(np.int64)
