"""The uncertainty exponent: how slowly the doubtful starts become fewer as starts become more exact."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.measures.labels import neighbours
from fastgd.boxes import as_array
from fastgd.calls import explain_calls
from fastgd.jit.targets import stored
from fastgd.texts import counted

_MOST_SIZES = 12
_FEWEST_SIZES = 4  # one more than the fitted curve has terms
_MOST_DOUBT = 0.75  # share of boxes with a boundary beyond which nearly all have one and larger ones tell nothing


@dataclass(frozen=True, repr=False)
class Uncertainty:
    r"""The scaling :math:`f(\varepsilon) \sim \varepsilon^\alpha` of the doubtful share of starts.

    Attributes
    ----------
    exponent : float
        The uncertainty exponent :math:`\alpha`: 1 for smooth boundaries, less for fractal ones, 0 where more exact
        starts do not help at all. NaN where the shares do not tell, see `advice`.
    error : float
        Its standard error. On a map, how far the exponent moves when the line through the logarithms may bend, and
        the standard error of the bent one. It tells of what the scales of this map hold, and of no finer ones.
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
    """Fit a line and a bend of first order to the logarithms, where some and not most boxes are in doubt."""
    usable = (shares > 0) & (shares <= _MOST_DOUBT)
    exponent = error = math.nan
    advice = ""
    if np.count_nonzero(usable) >= _FEWEST_SIZES:
        x, y = np.log(scales[usable]), np.log(shares[usable])
        terms = np.stack([np.ones_like(x), x, scales[usable] / scales[usable].max()], axis=1)
        found, *_ = np.linalg.lstsq(terms, y)
        exponent, rest = float(found[1]), y - terms @ found
        variance = (rest @ rest) / (x.size - terms.shape[1]) * np.linalg.inv(terms.T @ terms)[1, 1]
        straight = float(np.polyfit(x, y, 1)[0])
        error = math.hypot(math.sqrt(variance), exponent - straight)
    elif not shares.any():
        advice = "no box holds two labels: a map with a boundary"
    else:
        kept, of = int(np.count_nonzero(usable)), counted(shares.size, "size")
        advice = f"most boxes hold two labels at all but {kept} of {of}: a finer map, or smaller sizes"
    return Uncertainty(exponent, error, dim - exponent, scales, shares, advice)


@explain_calls()
def uncertainty_exponent(labels: Any, sizes: ArrayLike | None = None) -> Uncertainty:
    r"""Estimate the uncertainty exponent and the dimension of the boundary by counting boxes of a map.

    A start known to within :math:`\varepsilon` is in doubt where other labels lie as near. The share of boxes of side
    :math:`\varepsilon` that hold at least two labels falls as :math:`\varepsilon^\alpha`, and the boundary has the
    dimension :math:`D - \alpha`. There is a box around each point of the map; of those that reach beyond its sides,
    the part inside counts.

    Where boxes are no longer small against the basins they meet several boundaries at once, and the share rises less
    steeply. To the first order this is a bend in proportion to the side,

    .. math:: \ln f(\varepsilon) = c + \alpha \ln \varepsilon - b \varepsilon

    which is fitted by least squares, over the sizes at which at most three quarters of the boxes are in doubt: the
    exponent is the slope towards small boxes. Its error is the root of the sum of two squares, of its standard error
    in this fit and of its distance from the slope of a straight line.

    On a map nothing is known below its spacing. A boundary with many structures finer than that, such as the graph of
    a rough function, gives an exponent that is too large, and the error does not tell: compare a finer map.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Labels on a regular grid with the same spacing along all axes, at least 12 points each.
    sizes : array_like of int, optional
        Sides of the boxes in grid points, at least 2; four different ones or more. By default up to 12 of them, in
        equal ratios from 3 to a twentieth of the shortest side, or to 6 where that is more.

    Returns
    -------
    Uncertainty
        Exponent with its error, dimension, and the shares that they come from. The exponent is NaN, and `advice` says
        what to do, where there is no boundary, or fewer than four sizes are left.

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
    >>> uncertainty_exponent(disk)
    <Uncertainty: exponent 1.000 +- 0.001, boundary of dimension 1.000>
    """
    codes, _ = neighbours(labels, least=12)
    shortest = min(codes.shape)
    if sizes is None:
        chosen = np.unique(np.round(np.geomspace(3, max(6, shortest // 20), _MOST_SIZES)).astype(np.int64))
    else:
        given = as_array(sizes, "sizes")
        if given.dtype.kind not in "iu" or given.ndim != 1 or np.unique(given).size < _FEWEST_SIZES:
            raise TypeError(
                f"sizes must be at least four different integers, got {sizes!r}; leave them out for a default"
            )
        if given.min() < 2 or given.max() > shortest:
            raise ValueError(f"sizes must lie between 2 and {shortest}, the shortest side, got {sizes!r}")
        chosen = np.unique(given.astype(np.int64))
    # The outermost points of a box of s are s - 1 apart: a boundary has to pass between them to be noticed.
    return fitted((chosen - 1).astype(np.float64), mixed_shares(codes, chosen), codes.ndim)


def mixed_shares(codes: NDArray[Any], sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return for each size the share of the boxes around all points that hold at least two labels.

    Boxes at all places and not side by side: a straight boundary along an axis lies in one row of boxes side by side
    whatever their size, or between two rows, and their share says nothing of it.
    """
    most = int(sizes.max())
    margin = most // 2
    # The outermost points repeated beyond the sides: boxes around points inside hold them in any case
    wide = np.ascontiguousarray(np.pad(codes, margin, mode="edge"))
    steps = [stride // wide.itemsize for stride in wide.strides]
    corners = [sum(step for step, far in zip(steps, at, strict=True) if far) for at in np.ndindex((2,) * wide.ndim)]
    reach = np.ones(wide.size + max(corners), np.uint32)
    flat = np.concatenate([wide.reshape(-1), np.zeros(max(corners), wide.dtype)])
    uniform_sides(flat, np.array(corners[1:]), most, reach)
    sides = reach[: wide.size].reshape(wide.shape)
    shares = []
    for size in sizes:
        first = margin - int(size) // 2
        centred = sides[tuple(slice(first, first + length) for length in codes.shape)]
        shares.append(np.count_nonzero(centred < size) / codes.size)
    return np.array(shares)


@stored
def uniform_sides(labels, corners, most, reach):
    """Write the side of the largest box, up to `most`, that begins at each point and holds one label.

    A box of s + 1 has one label where those of s that begin at its first corner's neighbours have, all the same one.
    """
    for i in range(labels.size - corners[-1] - 1, -1, -1):
        side = most - 1
        for corner in corners:
            side = min(side, reach[i + corner]) if labels[i + corner] == labels[i] else 0
        reach[i] = side + 1
