"""The uncertainty exponent: how slowly the doubtful starts become fewer as starts become more exact."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.measures.labels import coded
from fastgd.calls import explain_calls
from fastgd.jit.options import kernel
from fastgd.jit.targets import named, shared_kernel

_MOST_SIZES = 12


@dataclass(frozen=True, repr=False)
class Uncertainty:
    r"""The scaling :math:`f(\varepsilon) \sim \varepsilon^\alpha` of the doubtful share of starts.

    Attributes
    ----------
    exponent : float
        The uncertainty exponent :math:`\alpha`: 1 for smooth boundaries, less for fractal ones, 0 where more exact
        starts do not help at all. NaN where the shares do not tell, see `advice`.
    error : float
        Its standard error. On a map it is that of the fit, NaN with two scales; neighbouring scales are not
        independent there, so it is a lower bound.
    dimension : float
        Dimension of the boundary, D - alpha, in a space of D dimensions.
    scales : ndarray, shape (k,)
        The distances :math:`\varepsilon`; of a map, in steps of the grid.
    shares : ndarray, shape (k,)
        The doubtful share at each.
    advice : str
        Where the exponent is NaN, why, and what to do.
    """

    exponent: float
    error: float
    dimension: float
    scales: NDArray[np.float64]
    shares: NDArray[np.float64]
    advice: str = ""

    def __repr__(self) -> str:
        if math.isnan(self.exponent):
            return f"<Uncertainty: exponent unknown: {self.advice}>"
        exponent = f"exponent {self.exponent:.3f} +- {self.error:.3f}"
        return f"<Uncertainty: {exponent}, boundary of dimension {self.dimension:.3f}>"


def fitted(scales: NDArray[np.float64], shares: NDArray[np.float64], dim: int) -> Uncertainty:
    """Fit a line to the logarithms, over the scales with some and not all starts in doubt."""
    usable = (shares > 0) & (shares < 1)
    exponent = error = math.nan
    advice = ""
    if np.count_nonzero(usable) >= 2:
        x, y = np.log(scales[usable]), np.log(shares[usable])
        dx = x - x.mean()
        exponent = float(dx @ y / (dx @ dx))
        if x.size > 2:
            rest = y - y.mean() - exponent * dx
            error = math.sqrt((rest @ rest) / ((dx @ dx) * (x.size - 2)))
    elif not shares.any():
        advice = "no box holds two labels: larger sizes, or a map with a boundary"
    elif (shares == 1).any():
        advice = "(nearly) all boxes hold two labels: a finer map, or smaller sizes"
    else:
        advice = "boxes of one size only hold two labels: larger sizes"
    return Uncertainty(exponent, error, dim - exponent, scales, shares, advice)


@explain_calls()
def uncertainty_exponent(labels: Any, sizes: ArrayLike | None = None) -> Uncertainty:
    r"""Estimate the uncertainty exponent and the dimension of the boundary by counting boxes of a map.

    A start known to within :math:`\varepsilon` is in doubt where other labels lie as near. The share of boxes of side
    :math:`\varepsilon` that hold at least two labels falls as :math:`\varepsilon^\alpha`, and the boundary has the
    dimension :math:`D - \alpha`.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Labels on a regular grid with the same spacing along all axes, at least 12 points each.
    sizes : array_like of int, optional
        Sides of the boxes in grid points, at least 2. By default up to 12 of them, in equal ratios from 3 to a
        twentieth of the shortest side, or to 6 where that is more.

    Returns
    -------
    Uncertainty
        Exponent with its error, dimension, and the shares that they come from.

    Raises
    ------
    TypeError, ValueError
        If `labels` are no integers or too few, or the sizes do not fit.

    References
    ----------
    C. Grebogi, S. W. McDonald, E. Ott, J. A. Yorke, Final state sensitivity: an obstruction to predictability, Physics
    Letters A 99, 415 (1983), doi:10.1016/0375-9601(83)90945-3. S. W. McDonald, C. Grebogi, E. Ott, J. A. Yorke,
    Fractal basin boundaries, Physica D 17, 125 (1985), doi:10.1016/0167-2789(85)90001-6.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.basins.measures import uncertainty_exponent
    >>> x, y = np.mgrid[-1:1:600j, -1:1:600j]
    >>> disk = (x**2 + y**2 < 0.5).astype(int)
    >>> abs(uncertainty_exponent(disk).exponent - 1) < 0.05
    True
    """
    codes, _ = coded(labels, least=12)
    shortest = min(codes.shape)
    if sizes is None:
        chosen = np.unique(np.round(np.geomspace(3, max(6, shortest // 20), _MOST_SIZES)).astype(np.int64))
    else:
        given = np.asarray(sizes)
        if given.dtype.kind not in "iu" or given.ndim != 1 or given.size < 2:
            raise TypeError(f"sizes must be at least two integers, got {sizes!r}")
        if given.min() < 2 or given.max() > shortest:
            raise ValueError(f"sizes must lie between 2 and {shortest}, the shortest side, got {sizes!r}")
        chosen = np.unique(given.astype(np.int64))
    shares = np.array([mixed_share(codes, int(size)) for size in chosen])
    # The outermost points of a box of s are s - 1 apart: a boundary has to pass between them to be noticed.
    return fitted((chosen - 1).astype(np.float64), shares, codes.ndim)


def mixed_share(codes: NDArray[Any], size: int) -> float:
    """Return the share of boxes of a side that hold at least two labels."""
    low = high = np.ascontiguousarray(codes)
    # From the front, where whole rows are compared at once and all but one of `size` goes
    for axis in range(codes.ndim):
        before, length, after = math.prod(low.shape[:axis]), low.shape[axis], math.prod(low.shape[axis + 1 :])
        shape = (*low.shape[:axis], length // size, *low.shape[axis + 1 :])
        both = low.reshape(before, length, after), high.reshape(before, length, after)
        low, high = np.empty(shape, low.dtype), np.empty(shape, low.dtype)
        out = (before, length // size, after)
        extremes_kernel()(*both, size, low.reshape(out), high.reshape(out))
    return float(np.mean(low != high))


def extremes(low, high, size, lowest, highest):
    """Reduce the middle axis, `size` at a time, to the smallest of `low` and the largest of `high`."""
    for a in range(lowest.shape[0]):
        for b in range(lowest.shape[1]):
            for c in range(lowest.shape[2]):
                lowest[a, b, c] = low[a, b * size, c]
                highest[a, b, c] = high[a, b * size, c]
            for k in range(b * size + 1, b * size + size):
                for c in range(lowest.shape[2]):
                    lowest[a, b, c] = min(lowest[a, b, c], low[a, k, c])
                    highest[a, b, c] = max(highest[a, b, c], high[a, k, c])


@functools.cache
def extremes_kernel() -> Any:
    return shared_kernel(named((extremes,), "measure"), 1, lambda: kernel(extremes))
