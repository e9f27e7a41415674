"""Confidence intervals of fractions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.boxes import real_array
from fastgd.calls import explain_calls
from fastgd.checks import is_real, shown


@explain_calls()
def wilson(count: ArrayLike, total: ArrayLike, confidence: float = 0.95) -> NDArray[np.float64]:
    r"""Wilson's score interval of a fraction.

    With :math:`p = count / total` and :math:`z` the normal quantile of the confidence, the ends are

    .. math:: \frac{p + z^2 / 2N \pm z \sqrt{p (1 - p) / N + z^2 / 4 N^2}}{1 + z^2 / N}, \quad N = total.

    Unlike :math:`p \pm z \sqrt{p (1 - p) / N}` it keeps its coverage near 0 and 1 and for few trials.

    Parameters
    ----------
    count : array_like of int, shape (*batch,)
        Successes, from 0 to `total`.
    total : array_like of int, shape (*batch,)
        Trials. With none, the interval is (0, 1).
    confidence : float
        Coverage, inside (0, 1).

    Returns
    -------
    ndarray, shape (*batch, 2)
        Lower and upper end, inside [0, 1].

    Raises
    ------
    ValueError
        If a count is negative or larger than its total, or `confidence` is outside (0, 1).

    References
    ----------
    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the
    American Statistical Association 22 (1927) 209-212, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> wilson(8, 10).round(4)
    array([0.4902, 0.9433])
    """
    from scipy.special import ndtri

    check_confidence(confidence)
    hits, of = real_array(count, "count"), real_array(total, "total")
    try:
        k, trials = np.broadcast_arrays(hits, of)
    except ValueError:
        raise ValueError(f"count of shape {hits.shape} does not broadcast with total of shape {of.shape}") from None
    if not bool(np.all((k >= 0) & (k <= trials) & np.isfinite(trials))):
        got = f"count={shown(count)} and total={shown(total)}"
        raise ValueError(f"count must lie in [0, total], and total be finite, got {got}")
    z = float(ndtri(0.5 + 0.5 * confidence))
    # Multiplied through by the total, so that no trials at all give 0/0-free ends: centre 1/2, half width
    # 1/2.
    centre = (k + 0.5 * z**2) / (trials + z**2)
    inner = k * (1.0 - k / np.maximum(trials, 1.0)) + 0.25 * z**2
    half = z * np.sqrt(np.maximum(inner, 0.0)) / (trials + z**2)
    low = np.where(k == 0, 0.0, np.clip(centre - half, 0.0, 1.0))
    high = np.where(k == trials, 1.0, np.clip(centre + half, 0.0, 1.0))
    return np.stack([low, high], axis=-1)


def check_confidence(confidence: Any) -> None:
    """Raise unless this is a number inside (0, 1)."""
    if not is_real(confidence):
        raise TypeError(f"confidence must be a number inside (0, 1), got {shown(confidence)}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie inside (0, 1), got {confidence!r}; write 0.95 for 95 %")
