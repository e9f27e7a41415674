"""The uncertainty exponent of a problem in any dimension, by pairs of starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.attractors import find_basins
from fastgd.basins.measures.uncertainty import Uncertainty, fitted
from fastgd.boxes import positive_integer
from fastgd.calls import explain_calls

if TYPE_CHECKING:
    from fastgd.problem import Problem


@explain_calls()
def uncertainty_by_pairs(
    problem: Problem,
    optimizer: Any,
    eps: ArrayLike,
    n_pairs: int = 2000,
    *,
    seed: int = 0,
    tol: ArrayLike | None = None,
    coordinates: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    **minimize_options: Any,
) -> Uncertainty:
    r"""Estimate the uncertainty exponent by descents from pairs of starts that lie close together.

    For each distance :math:`\varepsilon`, starts are drawn from the box, each with a partner at that distance in a
    random direction. The share of pairs that end in different attractors falls as :math:`\varepsilon^\alpha`. All
    descents run as one batch, in any dimension.

    Parameters
    ----------
    problem : Problem
        What is minimized; it needs a box.
    optimizer : Optimizer
        By what, with one value of each hyperparameter.
    eps : array_like, shape (k,)
        The distances, at least two.
    n_pairs : int
        Pairs for each distance.
    seed : int
        Seed of the draw.
    tol, coordinates
        Tell attractors apart, see `find_basins`.
    **minimize_options
        Further arguments of `minimize`.

    Returns
    -------
    Uncertainty
        Exponent with its error; each distance counts with the certainty of its share.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, before any work.

    References
    ----------
    S. W. McDonald, C. Grebogi, E. Ott, J. A. Yorke, Fractal basin boundaries, Physica D 17, 125 (1985),
    doi:10.1016/0167-2789(85)90001-6.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> found = gd.measures.uncertainty_by_pairs(problem, gd.Adam(lr=0.05), [0.05, 0.1, 0.2, 0.4], seed=1)
    >>> abs(found.exponent - 1) < 0.15
    True
    """
    from fastgd.minimize import minimize

    distances = np.asarray(eps, dtype=np.float64)
    if distances.ndim != 1 or np.unique(distances).size < 2 or not np.all(np.isfinite(distances) & (distances > 0)):
        raise ValueError(f"eps must be at least two different positive distances, got {eps!r}")
    count = positive_integer(n_pairs, "n_pairs")
    shape = (distances.size, count, problem.dim)
    one = problem.sample(distances.size * count, seed).reshape(shape)
    # A stream of its own, so that directions do not repeat the starts
    direction = np.random.default_rng([seed, 1]).standard_normal(shape)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    starts = np.stack([one, one + distances[:, None, None] * direction], axis=2)
    labels = find_basins(minimize(problem, starts, optimizer, **minimize_options), tol, coordinates=coordinates).labels
    shares = np.mean(labels[..., 0] != labels[..., 1], axis=1)
    # The variance of ln f is (1 - f) / n f.
    weights = count * shares / np.maximum(1.0 - shares, 1.0 / count)
    return fitted(distances, shares, weights, problem.dim)
