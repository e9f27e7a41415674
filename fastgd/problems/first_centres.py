"""Rows of a table to begin with as the centres of clusters, for many starts at once."""

from __future__ import annotations

import numpy as np

__all__ = ["some_samples", "spread_samples"]

_BLOCK = 4_000_000  # numbers kept at a time


def some_samples(X: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Different rows of `X` for each start, all equally likely; `uniform` and the result have shape (n, K)."""
    chosen = np.empty(uniform.shape, dtype=np.int64)
    for k in range(uniform.shape[1]):
        # One of the rows that are left, counted without those chosen before.
        row = (uniform[:, k] * (len(X) - k)).astype(np.int64)
        for before in np.sort(chosen[:, :k], axis=1).T:
            row += row >= before
        chosen[:, k] = row
    return chosen


def spread_samples(X: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Rows of `X` for each start by k-means++; `uniform` and the result have shape (n, K)."""
    chosen = np.empty(uniform.shape, dtype=np.int64)
    at_once = max(1, _BLOCK // X.size)
    for low in range(0, len(uniform), at_once):
        part, rows = uniform[low : low + at_once], chosen[low : low + at_once]
        rows[:, 0] = part[:, 0] * len(X)
        distance = np.inf
        for k in range(1, part.shape[1]):
            distance = np.minimum(distance, np.square(X - X[rows[:, k - 1], None, :]).sum(axis=-1))
            below = np.cumsum(distance, axis=1)
            # The first row at which the sum passes a share of the whole; a row of no distance is never the first.
            passed = below <= part[:, k, None] * below[:, -1:]
            rows[:, k] = np.minimum(passed.sum(axis=1), len(X) - 1)
    return chosen
