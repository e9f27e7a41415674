"""What a sample of starts tells: shares of basins, starts needed, and minima not yet seen."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.found import DIVERGED, UNSETTLED, Basins
from fastgd.basins.intervals import check_confidence, wilson
from fastgd.basins.measures.labels import NOWHERE, PASSED, coded, label_array, unsettled_where
from fastgd.boxes import as_array, real_array
from fastgd.calls import explain_calls, levels_to_caller
from fastgd.checks import shown
from fastgd.texts import counted, with_article

_SHOWN = 5  # labels in a line


@dataclass(frozen=True, repr=False)
class Shares:
    """How often each label occurs.

    Attributes
    ----------
    labels : ndarray of int, shape (k,)
        The labels, ascending.
    counts : ndarray of int64, shape (k,)
        How often each occurs.
    fractions : ndarray, shape (k,)
        The same over the number of all.
    intervals : ndarray, shape (k, 2)
        Wilson intervals of the fractions, for starts drawn at random.
    """

    labels: NDArray[np.integer]
    counts: NDArray[np.int64]
    fractions: NDArray[np.float64]
    intervals: NDArray[np.float64]

    def __repr__(self) -> str:
        rows = zip(self.labels[:_SHOWN], self.fractions, self.intervals, strict=False)
        each = [f"{label}: {share:.2%} ({100 * low:.2f} - {100 * high:.2f} %)" for label, share, (low, high) in rows]
        more = len(self.labels) - len(each)
        rest = f" and {more:,} more" if more else ""
        return f"<Shares of {counted(len(self.labels), 'label')}: {', '.join(each)}{rest}>"


@explain_calls()
def shares(labels: Any, confidence: float = 0.95) -> Shares:
    """Count labels and give their fractions with intervals.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Labels.
    confidence : float
        Coverage of the intervals, inside (0, 1).

    Returns
    -------
    Shares
        Counts, fractions and Wilson intervals.

    Raises
    ------
    TypeError, ValueError
        If `labels` are no integers or none, or `confidence` is out of range.

    Examples
    --------
    >>> from fastgd.basins.measures import shares
    >>> shares([0, 1, 1, 1]).fractions
    array([0.25, 0.75])
    >>> shares([0, 1, 1, 1])
    <Shares of 2 labels: 0: 25.00% (4.56 - 69.94 %), 1: 75.00% (30.06 - 95.44 %)>
    """
    codes, values = coded(label_array(labels).reshape(-1))
    counts = np.bincount(codes, minlength=values.size)
    total = int(counts.sum())
    return Shares(values, counts.astype(np.int64), counts / total, wilson(counts, total, confidence))


@dataclass(frozen=True, repr=False)
class Stability:
    """The share of a chosen set of attractors.

    Attributes
    ----------
    value : float
        The share.
    error : float
        Its standard error.
    interval : ndarray, shape (2,)
        Its 95 % Wilson interval, which holds near 0 and 1 as well.
    """

    value: float
    error: float
    interval: NDArray[np.float64]

    def __repr__(self) -> str:
        low, high = self.interval
        return f"<Stability: {self.value:.2%} +- {self.error:.2%} (95 % interval {100 * low:.2f} - {100 * high:.2f} %)>"


@explain_calls()
def basin_stability(labels: Any, attractors: int | ArrayLike) -> Stability:
    r"""Return the share of starts that lead to the desired attractors, and its error.

    For N starts drawn at random, :math:`S = n / N` with the standard error :math:`\sqrt{S (1 - S) / N}`, whatever the
    dimension.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Attractor of each start.
    attractors : int or array_like of int
        The label or labels that are desired. Of basins or a map they must be those of its attractors, from 0 on, or
        -1 (not settled) and -2 (diverged); of an array any, and one that never occurs has the share 0.

    Returns
    -------
    Stability
        Share, standard error and interval.

    Raises
    ------
    TypeError
        If `labels` or `attractors` are no integers.
    ValueError
        If there are no labels, or basins or a map have no such attractor.

    References
    ----------
    P. J. Menck, J. Heitzig, N. Marwan, J. Kurths, How basin stability complements the linear-stability paradigm,
    Nature Physics 9, 89-92 (2013), doi:10.1038/nphys2516.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.styblinski_tang(dim=2)
    >>> runs = gd.minimize(problem, problem.sample(10_000, seed=0), gd.GradientDescent(lr=0.005))
    >>> found = gd.measures.basin_stability(gd.find_basins(runs), 0)
    >>> round(found.value, 2), round(found.error, 4)
    (0.26, 0.0044)
    """
    array = label_array(labels)
    chosen = np.atleast_1d(as_array(attractors, "attractors"))
    if chosen.dtype.kind not in "iu":
        raise TypeError(f"attractors must be one or more integer labels, got {shown(attractors)}")
    basins = getattr(labels, "basins", labels)
    if isinstance(basins, Basins) and not np.all((chosen >= DIVERGED) & (chosen < len(basins))):
        found = f"0 to {len(basins) - 1}" if len(basins) else "none"
        raise ValueError(
            f"attractors must be labels of the {counted(len(basins), 'attractor')} found, {found}, or {UNSETTLED} for "
            f"not settled and {DIVERGED} for diverged, got {attractors!r}"
        )
    count = int(np.count_nonzero(np.isin(array, chosen)))
    value = count / array.size
    return Stability(value, math.sqrt(value * (1.0 - value) / array.size), wilson(count, array.size))


@explain_calls()
def starts_needed(
    share: ArrayLike, confidence: float = 0.95, starts: ArrayLike | None = None
) -> NDArray[np.float64]:
    r"""Return how many random starts find a minimum at least once with a given probability.

    .. math:: N = \left\lceil \frac{\ln (1 - c)}{\ln (1 - p)} \right\rceil

    The expected number until it is found first is 1 / p.

    The share is that of a minimum which was seen. That of the lowest minimum seen says nothing of lower ones that no
    start has found yet: `unseen` estimates what part of the starts leads to those.

    Parameters
    ----------
    share : array_like, shape (*batch,)
        Share p of starts that lead to it, from 0 to 1, such as ``basins.fractions[0]``; with ``basins.intervals[0]``
        the number comes with an interval, the larger one first.
    confidence : float
        Probability c, inside (0, 1).
    starts : int or array_like of int, optional
        From how many starts the share was counted. Where none of them led there, the upper end of the Wilson interval
        of a share of 0 is taken in its place, and the number is how many starts it takes at least.

    Returns
    -------
    ndarray, shape (*batch,)
        Numbers of starts, as floats: infinite for a share of 0 where `starts` is not given.

    Raises
    ------
    TypeError
        If `share` is no numbers.
    ValueError
        If a share or `confidence` is out of range, or `starts` is less than 1.

    Warns
    -----
    RuntimeWarning
        If a share is 0: what was never seen may be rare, and the number is a lower bound, or not known.

    Examples
    --------
    >>> from fastgd.basins.measures import starts_needed
    >>> starts_needed([0.5, 0.01])
    array([  5., 299.])
    """
    try:
        p = real_array(share, "share")
    except TypeError:
        kind = type(share).__name__
        how = {
            "Basins": "basins.fractions[0], or basins.fractions for all",
            "BasinMap": "map.basins.fractions[0], or map.basins.fractions for all",
            "Result": "find_basins(runs).fractions[0]", "Shares": "shares.fractions", "Stability": "stability.value",
        }.get(kind, "a share such as basins.fractions[0]")  # fmt: skip
        raise TypeError(f"share must be numbers from 0 to 1, got {with_article(kind)}: write {how}") from None
    if not bool(np.all((p >= 0) & (p <= 1))):
        raise ValueError(f"share must lie in [0, 1], got {share!r}")
    check_confidence(confidence)
    never = p == 0
    if starts is not None:
        trials = real_array(starts, "starts")
        if not bool(np.all(np.isfinite(trials) & (trials >= 1))):
            raise ValueError(f"starts must be at least 1, got {starts!r}")
        p = np.where(never, wilson(0, trials, confidence)[..., 1], p)
    if never.any():
        known = (
            "share is 0 of a finite number of starts, so that the true one may be up to the upper end of its interval: "
            "that many starts are needed at least"
            if starts is not None
            else "a share of 0 that was counted is none: from N starts without a hit it may be up to about 3.8 / N; "
            "give starts=N for how many are needed at least"
        )
        warnings.warn(known, RuntimeWarning, stacklevel=levels_to_caller())
    with np.errstate(divide="ignore"):
        exact = math.log1p(-confidence) / np.log1p(-p)
    # A whole number in exact arithmetic must not be rounded up for its last digit.
    return np.maximum(1.0, np.ceil(exact - 1e-9))


@dataclass(frozen=True, repr=False)
class Unseen:
    """What `unseen` estimates.

    Attributes
    ----------
    share : float
        Share of starts that lead to minima not seen so far.
    error : float
        Its standard error.
    minima : float
        How many such minima there are at least: a lower bound, as minima that are hardly ever reached leave no trace.

    All three are NaN where no start came to a minimum: then nothing tells what starts lead to.
    """

    share: float
    error: float
    minima: float

    def __repr__(self) -> str:
        if math.isnan(self.share):
            return "<Unseen: unknown: no start came to a minimum: more max_steps, or another lr>"
        share = f"{self.share:.2%} +- {self.error:.2%} of the starts lead to minima not seen"
        return f"<Unseen: {share}, at least {self.minima:,.4g} of them>"


@explain_calls()
def unseen(labels: Any) -> Unseen:
    r"""Estimate what part of the box belongs to minima that no start has found.

    With :math:`n_1` minima seen once and :math:`n_2` seen twice among N starts, the next start leads to a new one with
    the probability :math:`n_1 / N` (Good and Turing), with the standard error
    :math:`\sqrt{n_1 (1 - n_1 / N) + 2 n_2} / N`; and there are at least :math:`n_1 (n_1 - 1) / 2 (n_2 + 1)` new ones
    (Chao).

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Attractor of each start, drawn at random; negative labels are no minima and count as starts alone, and so do
        saddles, maxima and what is not critical or flat among basins.

    Returns
    -------
    Unseen
        Share with its error, and number; NaN where no start came to a minimum.

    Raises
    ------
    TypeError, ValueError
        If `labels` are no integers or none.

    References
    ----------
    I. J. Good, The population frequencies of species and the estimation of population parameters, Biometrika 40, 237
    (1953), doi:10.1093/biomet/40.3-4.237. W. W. Esty, A normal limit law for a nonparametric estimator of the coverage
    of a random sample, Annals of Statistics 11, 905 (1983), doi:10.1214/aos/1176346256. A. Chao, Nonparametric
    estimation of the number of classes in a population, Scandinavian Journal of Statistics 11, 265 (1984).

    Examples
    --------
    >>> from fastgd.basins.measures import unseen
    >>> unseen([0, 0, 0, 1, 1, 2, 3, 4])
    <Unseen: 37.50% +- 24.61% of the starts lead to minima not seen, at least 1.5 of them>
    """
    found = shares(unsettled_where(labels, PASSED + NOWHERE))
    total = int(found.counts.sum())
    counts = found.counts[found.labels >= 0]
    if not counts.size:
        return Unseen(math.nan, math.nan, math.nan)
    once, twice = (int(np.count_nonzero(counts == k)) for k in (1, 2))
    share = once / total
    # Esty's limit, in which two starts with the same label tell how often a third kind may come
    error = math.sqrt(once * (1.0 - share) + 2.0 * twice) / total
    return Unseen(share, error, once * (once - 1) / (2.0 * (twice + 1)))
