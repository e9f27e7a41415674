"""Eigenvalues of many symmetric matrices, some at a time, so that Ctrl-C is heard and little goes on after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.jit.pool import interruptible

__all__ = ["eigh", "eigvalsh"]

_AT_ONCE = 20_000_000  # cubes of the dimension: some tenths of a second
_NO_TIME = 1_000_000

Array = NDArray[np.float64]


def eigh(matrices: Array) -> tuple[Array, Array]:
    """Return the ascending eigenvalues of matrices of shape (m, n, n), and the eigenvectors as columns."""
    values, vectors = np.empty(matrices.shape[:2]), np.empty(matrices.shape)
    for part, found in _portions(np.linalg.eigh, matrices):
        values[part], vectors[part] = found
    return values, vectors


def eigvalsh(matrices: Array) -> Array:
    """Return the ascending eigenvalues of matrices of shape (m, n, n)."""
    values = np.empty(matrices.shape[:2])
    for part, found in _portions(np.linalg.eigvalsh, matrices):
        values[part] = found
    return values


def _portions(solve: Callable[[Array], Any], matrices: Array) -> Any:
    m, n, _ = matrices.shape
    size = max(1, _AT_ONCE // max(n, 1) ** 3)
    for low in range(0, m, size):
        part = slice(low, low + size)
        few = len(matrices[part]) * n**3 < _NO_TIME
        yield part, solve(matrices[part]) if few else interruptible(solve, matrices[part])
