"""Matrix factorization: a sum over the entries of a matrix that are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgd.boxes import positive_integer, real_array
from fastgd.calls import explain_calls
from fastgd.finite_sum import FiniteSum

from .tables import checked_penalty

__all__ = ["matrix_factorization"]


def make_factorization(rank: int, rows: int) -> tuple[Any, Any]:
    """Loss and gradient of one entry: ½ (u · v - m)² + ½ l2 (u² + v²) for row u and column v of the factors."""

    def value(x, i, places, entries, l2):
        u, v = places[i, 0] * rank, (rows + places[i, 1]) * rank
        r, size = -entries[i], 0.0 * entries[i]
        for k in range(rank):
            r = r + x[u + k] * x[v + k]
            size = size + x[u + k] * x[u + k] + x[v + k] * x[v + k]
        return 0.5 * r * r + 0.5 * l2 * size

    def gradient(x, i, out, places, entries, l2):
        u, v = places[i, 0] * rank, (rows + places[i, 1]) * rank
        r = -entries[i]
        for k in range(rank):
            r = r + x[u + k] * x[v + k]
        for k in range(rank):
            out[u + k] += r * x[v + k] + l2 * x[u + k]
            out[v + k] += r * x[u + k] + l2 * x[v + k]

    return value, gradient


@explain_calls()
def matrix_factorization(M: Any, rank: int = 2, *, l2: float = 0.0) -> FiniteSum:
    r"""Two factors whose product meets the known entries of a matrix.

    .. math::

        f(U, V) = \frac1N \sum_{(i, j)\ \text{known}} \tfrac12 (U_i \cdot V_j - M_{ij})^2
        + \tfrac{\lambda}{2} (\lVert U_i \rVert^2 + \lVert V_j \rVert^2)

    The origin is a saddle, and without missing entries and penalty every other stationary point that is no global
    minimum is one too.

    Parameters
    ----------
    M : array_like, shape (m, n)
        The matrix; NaN where an entry is not known.
    rank : int
        Columns of U and V, at least 1.
    l2 : float
        The penalty :math:`\lambda \ge 0`.

    Returns
    -------
    FiniteSum
        One sample for each known entry; parameters U row by row, shape (m, rank), then V, shape (n, rank).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or a row or column has no known entry.

    References
    ----------
    Y. Koren, R. Bell, C. Volinsky, Matrix factorization techniques for recommender systems, doi:10.1109/MC.2009.263.
    On the saddles: P. Baldi, K. Hornik, Neural networks and principal component analysis,
    doi:10.1016/0893-6080(89)90014-2.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.matrix_factorization([[2.0, 4.0], [1.0, float("nan")]], rank=1)
    >>> run = gd.minimize(problem, [1.0, 0.5, 1.0, 1.0], gd.GradientDescent(lr=0.2))
    >>> u0, u1, v0, v1 = run.x
    >>> round(float(u1 * v1), 3)  # what completes the matrix to rank 1
    2.0
    """
    matrix = real_array(M, "M")
    if matrix.ndim != 2 or not matrix.size or np.isinf(matrix).any():
        raise ValueError(f"M must be a matrix of finite numbers and NaN, got shape {matrix.shape}")
    known = ~np.isnan(matrix)
    for axis, name in ((1, "row"), (0, "column")):
        if not known.any(axis=axis).all():
            raise ValueError(
                f"every row and column of M needs a known entry; {name} {int(known.any(axis=axis).argmin())} has none"
            )
    rank = positive_integer(rank, "rank")
    value, gradient = make_factorization(rank, len(matrix))
    data = np.argwhere(known), matrix[known], checked_penalty(l2)
    return FiniteSum(value, gradient, data=data, dim=rank * sum(matrix.shape), name="matrix_factorization")
