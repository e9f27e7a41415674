"""The uncertainty exponent of a problem in any dimension, by pairs of starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import PER_RUN, check_kinds, check_single
from fastgd.basins.attractors import check_grouping, find_basins
from fastgd.basins.measures.labels import MOST_LOST, lost_runs
from fastgd.basins.measures.uncertainty import Uncertainty
from fastgd.boxes import positive_integer, real_array, whole_seed
from fastgd.calls import explain_calls
from fastgd.memory import check_points
from fastgd.texts import counted

if TYPE_CHECKING:
    from fastgd.problem import Problem

_SHARE_OF_SIDE = (0.001, 0.002, 0.005, 0.01, 0.02)
_FEWEST = 20
_MOST_STEPS = 100
_EXACT = 1e-10


@explain_calls()
def uncertainty_by_pairs(
    problem: Problem,
    optimizer: Any,
    eps: ArrayLike | None = None,
    n_pairs: int = 20_000,
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

    The exponent is that of maximum likelihood for the counts of pairs that differ, distances at which none does
    included. It is NaN, and `advice` says what to do, where fewer than twenty pairs differ, or only those at
    one distance.

    Parameters
    ----------
    problem : Problem
        What is minimized; it needs a box.
    optimizer : Optimizer
        By what, with one value of each hyperparameter.
    eps : array_like, shape (k,), optional
        The distances, at least two; by default 0.001, 0.002, 0.005, 0.01 and 0.02 of the shortest side of the box.
        They should be small compared with the basins, no larger than the shortest side, and so large that some dozens
        of pairs differ at the largest.
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
        Exponent with its standard error, which comes from the numbers of pairs and from how far boundaries that lie
        between the same two starts may lower it, where large shares of the pairs differ. That shares follow no power
        of the distance for other reasons, as those of structures of several sizes, it does not tell.

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
    >>> found = gd.measures.uncertainty_by_pairs(problem, gd.Adam(lr=0.05))
    >>> found
    <Uncertainty: exponent 1.0... +- 0.0..., boundary of dimension ...>
    >>> abs(found.exponent - 1) < 2 * found.error
    True
    """
    from fastgd.minimize import minimize
    from fastgd.optimizers import Method

    check_kinds(problem, optimizer, Method)
    drawn: dict[str, Any] = {name: minimize_options.get(name) for name in PER_RUN}
    check_single({**optimizer.hyperparameters(), **drawn}, "for pairs of starts", "estimate one exponent for each")
    count, seed = positive_integer(n_pairs, "n_pairs"), whole_seed(seed)
    distances = _distances(problem, eps)
    check_grouping(tol, coordinates, problem.dim)
    shape = (distances.size, count, problem.dim)
    check_points("n_pairs", count, problem.dim * distances.size)
    one = problem.sample(distances.size * count, seed).reshape(shape)
    # A stream of its own, so that directions do not repeat the starts
    direction = np.random.default_rng([seed, 1]).standard_normal(shape)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    starts = np.stack([one, one + distances[:, None, None] * direction], axis=2)
    labels = find_basins(minimize(problem, starts, optimizer, **minimize_options), tol, coordinates=coordinates).labels
    different = np.count_nonzero(labels[..., 0] != labels[..., 1], axis=1)
    exponent = error = math.nan
    advice = _advice(different, count, float(np.mean(labels < 0)))
    if not advice:
        exponent, error = most_likely_power(distances, different, count)
    return Uncertainty(exponent, error, problem.dim - exponent, distances, different / count, advice)


def _distances(problem: Problem, eps: ArrayLike | None) -> NDArray[np.float64]:
    if problem.bounds is None:
        raise ValueError(
            f"problem must have a box to draw starts from, and {problem.name} has none: write Problem(..., bounds=)"
        )
    side = float(np.min(problem.bounds[:, 1] - problem.bounds[:, 0]))
    if eps is None:
        return side * np.array(_SHARE_OF_SIDE)
    distances = real_array(eps, "eps")
    if distances.ndim != 1 or np.unique(distances).size < 2 or not np.all(np.isfinite(distances) & (distances > 0)):
        raise ValueError(
            f"eps must be at least two different positive distances, got {eps!r}; leave it out for a default"
        )
    if distances.max() > side:
        raise ValueError(
            f"eps must be at most {side:g}, the shortest side of the box of {problem.name}, so that partners of starts "
            f"lie in it or near, got {eps!r}; leave it out for a default from {_SHARE_OF_SIDE[0] * side:g} to "
            f"{_SHARE_OF_SIDE[-1] * side:g}"
        )
    return distances


def _advice(different: NDArray[np.int64], pairs: int, lost: float) -> str:
    """Say why pairs do not tell the exponent, and what to do; empty where they do."""
    total, of = int(different.sum()), f"of {counted(pairs * different.size, 'pair')}"
    verb = "differs" if total == 1 else "differ"
    if lost > MOST_LOST:
        return lost_runs(lost)
    if total < _FEWEST:
        return f"{total} {of} {verb}: larger eps or n_pairs"
    if np.all(different == pairs):
        return f"all {of} differ: smaller eps"
    if np.count_nonzero(different) < 2:
        return f"{total:,} {of} differ, all of them at one distance: larger n_pairs, or eps closer together"
    return ""


def most_likely_power(distances: NDArray[np.float64], different: NDArray[Any], pairs: int) -> tuple[float, float]:
    r"""Return the most likely exponent of :math:`c \varepsilon^\alpha` for counts out of `pairs`, and its error.

    The likelihood is Poisson's, which has one maximum and allows for counts of zero; as a share is nearer to 1 than
    Poisson's counts know, the error is corrected by the variance of binomial ones.

    Pairs that lie so far apart that they have two boundaries between them count once. With boundaries at random places
    a share f stands for -ln (1 - f) boundaries between two starts: how far this moves the exponent is the other part of
    the error.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.basins.measures.pairs import most_likely_power
    >>> exponent, error = most_likely_power(np.array([0.1, 0.2, 0.4]), np.array([10, 20, 40]), 1000)
    >>> round(exponent, 6), round(error, 2)
    (1.0, 0.24)
    """
    x = np.log(distances / distances.max())
    terms = np.stack([np.ones_like(x), x], axis=1)
    found = np.array([math.log(different.sum() / np.exp(x).sum()), 1.0])
    for _ in range(_MOST_STEPS):
        mean = np.exp(terms @ found)
        step = np.linalg.solve(terms.T @ (mean[:, None] * terms), terms.T @ (different - mean))
        # Newton's step is too long where the mean is far below a count
        size = float(np.abs(step).max())
        found = found + step / max(1.0, size)
        if size < _EXACT:
            break
    mean = np.exp(terms @ found)
    variance = mean * np.maximum(1.0 - mean / pairs, 0.0)
    by_count = np.linalg.solve(terms.T @ (mean[:, None] * terms), terms.T)[1]  # change of the exponent, to first order
    share = np.clip(different / pairs, 0.5 / pairs, 1.0 - 0.5 / pairs)
    met_twice = float(by_count @ (mean * np.log(-np.log1p(-share) / share)))
    return float(found[1]), math.hypot(math.sqrt(by_count**2 @ variance), met_twice)
