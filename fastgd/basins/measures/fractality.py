"""Whether boundaries are fractal, by comparing the boundary entropy with that of smooth ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.measures.entropy import KEPT, crowded_share, row_entropies
from fastgd.basins.measures.labels import checked_size, cut_into_boxes, neighbours
from fastgd.boxes import positive_integer
from fastgd.calls import explain_calls
from fastgd.texts import counted

_DIRECTIONS = 256
_AT_ONCE = 4_000_000
_MOST_DRAWS = 2000
_CROWDED = 0.05  # share of balls with three basins up to which corners change little
_ALLOWED = 0.02  # of the entropy of a smooth boundary: what the radius of the balls, some points, leaves undecided


@dataclass(frozen=True, repr=False)
class FractalityTest:
    """What `fractality_test` found; prints the verdict with its reason.

    Attributes
    ----------
    entropy : float
        Mean entropy of the balls that hold a boundary; NaN where none was found.
    smooth : float
        What a smooth boundary would give for the same balls.
    error : float
        Standard error of `entropy`, of as many balls as find room side by side on the boundary: those that overlap
        tell the same.
    balls : int
        How many balls with a boundary went into it.
    sigmas : float
        Standard errors above which a deviation counts.
    crowded, crowded_inside : float
        Shares of the balls with a boundary that hold three basins or more, at this diameter and at a third of it.
    """

    entropy: float
    smooth: float
    error: float
    balls: int
    sigmas: float
    crowded: float
    crowded_inside: float

    @property
    def z(self) -> float:
        """How far the entropy lies above that of a smooth boundary, in standard errors."""
        return (self.entropy - self.smooth) / self.error if self.error > 0 else math.nan

    @property
    def resolved(self) -> bool:
        """Whether the balls are small enough to tell.

        Where smooth boundaries meet in corners, a ball is the less likely to hold three basins the smaller it is: a
        third as wide, a third as often, while it is as likely in a boundary that is fractal at both sizes. Balls
        of which more than 5 % do, and of the smaller ones 0.55 times as many at most, are too large for the basins.
        The theory is of 1/3 and 1; 0.55, between the two, and the 5 %, were set on some maps and no more.
        """
        return not (self.crowded > _CROWDED and self.crowded_inside <= KEPT * self.crowded)

    @property
    def fractal(self) -> bool:
        """Whether it departs by more than `sigmas` standard errors and 2 % of the smooth value, up or down.

        The 2 % allow for the bend of a smooth boundary inside a ball and for corners where three basins meet. False
        also where the balls are not `resolved`.
        """
        return self._departs and self.resolved

    @property
    def _departs(self) -> bool:
        return abs(self.z) > self.sigmas and abs(self.entropy - self.smooth) > _ALLOWED * self.smooth

    def __repr__(self) -> str:
        if math.isnan(self.z):
            few = "no ball holds a boundary" if self.balls == 0 else f"too few to tell: {counted(self.balls, 'ball')}"
            return f"<FractalityTest: fractal boundary: undecided ({few})>"
        if self._departs and not self.resolved:
            inside = f"of those a third as wide {self.crowded_inside:.0%}"
            crowd = f"{self.crowded:.0%} of the balls hold three basins, {inside}"
            return f"<FractalityTest: fractal boundary: undecided ({crowd}: a finer map, or a smaller diameter)>"
        found = f"entropy {self.entropy:.4f} +- {self.error:.4f}, smooth {self.smooth:.4f}"
        apart = f"{self.z:+.1f} standard errors and {self.entropy / self.smooth - 1:+.1%}"
        takes = f"it takes {self.sigmas:g} and {_ALLOWED:.0%}"
        return f"<FractalityTest: fractal boundary: {'yes' if self.fractal else 'no'} ({found}: {apart}; {takes})>"


@explain_calls()
def fractality_test(
    labels: Any, diameter: int = 21, n_balls: int = 1000, *, seed: int = 0, sigmas: float = 3.0
) -> FractalityTest:
    r"""Test whether basin boundaries are fractal, with two basins as with many.

    A ball that a smooth boundary cuts at a random distance from its middle has, on average, an entropy that depends on
    the dimension alone (0.43951 nats in the plane), whatever the boundary. A fractal boundary gives another value: a
    larger one where it mixes the labels more thoroughly, or a smaller one where slivers of one basin lie in another on
    all scales. Here the reference is computed for the very points of the grid that make up the ball, cut
    by flat boundaries at every angle and distance.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Labels on a regular grid with the same spacing along all axes.
    diameter : int
        Points along the diameter of a ball, odd, at least 5: small compared with the basins. Where it is not, the
        verdict is undecided.
    n_balls : int
        Balls with at least two labels to average over, at random places.
    seed : int
        Seed of the draw.
    sigmas : float
        Standard errors above which a deviation counts.

    Returns
    -------
    FractalityTest
        Entropy, reference, error and the verdict in `fractal`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    References
    ----------
    A. Puy, A. Daza, A. Wagemakers, M. A. F. Sanjuán, A test for fractal boundaries based on the basin entropy,
    Communications in Nonlinear Science and Numerical Simulation 95, 105588 (2021), doi:10.1016/j.cnsns.2020.105588.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.basins.measures import fractality_test
    >>> x, y = np.mgrid[-1:1:500j, -1:1:500j]
    >>> found = fractality_test((x + 0.4 * np.sin(2 * y) > 0).astype(int))
    >>> found.fractal
    False
    >>> print(found)
    <FractalityTest: fractal boundary: no (entropy 0.4521 +- 0.0382, smooth 0.4508: ...; it takes 3 and 2%)>
    """
    codes, values = neighbours(labels)
    width = checked_size(diameter, "diameter", codes.shape, least=5)
    if width % 2 == 0:
        raise ValueError(f"diameter must be odd, so that a ball has a point in its middle, got {diameter}")
    wanted = positive_integer(n_balls, "n_balls")
    if not sigmas > 0:
        raise ValueError(f"sigmas must be positive, got {sigmas!r}")
    each, crowded = balls_with_boundary(codes, values.size, width, wanted, seed)
    _, crowded_inside = balls_with_boundary(codes, values.size, max(3, width // 3 // 2 * 2 + 1), wanted, seed)
    balls = each.size
    # Of boxes as wide as the balls, as many as hold a boundary
    apart = int(np.count_nonzero(row_entropies(cut_into_boxes(codes, width), values.size)[1] > 1))
    return FractalityTest(
        entropy=float(each.mean()) if balls else math.nan,
        smooth=cut_ball_entropy(ball(width // 2, codes.ndim)),
        error=float(each.std(ddof=1) / math.sqrt(max(1, min(int(balls), apart)))) if balls > 1 else math.nan,
        balls=balls,
        sigmas=float(sigmas),
        crowded=crowded,
        crowded_inside=crowded_inside,
    )


def balls_with_boundary(
    codes: NDArray[Any], labels: int, width: int, wanted: int, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Return the entropies of balls at random places that hold a boundary, and the share of those with three labels."""
    half = width // 2
    strides = np.array([math.prod(codes.shape[k + 1 :]) for k in range(codes.ndim)])
    members, flat = ball(half, codes.ndim) @ strides, codes.reshape(-1)
    generator = np.random.default_rng(seed)
    low, high = np.full(codes.ndim, half), np.array(codes.shape) - half
    found, crowds = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    balls = draws = 0
    batch = max(1, min(4 * wanted, _AT_ONCE // len(members)))
    while balls < wanted and draws < _MOST_DRAWS * wanted:
        rows = flat[(generator.integers(low, high, size=(batch, codes.ndim)) @ strides)[:, None] + members]
        entropy, kinds = row_entropies(rows, labels)
        held = np.flatnonzero(kinds > 1)[: wanted - balls]
        balls, draws = balls + held.size, draws + batch
        found.append(entropy[held])
        crowds.append(kinds[held])
    return np.concatenate(found), crowded_share(np.concatenate(crowds))


def ball(half: int, dim: int) -> NDArray[np.int64]:
    """Return the offsets of the grid points within `half` and a half of the middle, shape (m, dim)."""
    offsets = np.stack(np.meshgrid(*[np.arange(-half, half + 1)] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    return offsets[np.sum(offsets**2, axis=1) <= (half + 0.5) ** 2]


def cut_ball_entropy(points: NDArray[np.int64]) -> float:
    """Return the mean entropy of points cut in two by flat boundaries, over all distances and many directions."""
    n, dim = points.shape
    if dim == 1:
        directions = np.ones((1, 1))
    elif dim == 2:
        angle = np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS
        directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        directions = np.random.default_rng(0).standard_normal((_DIRECTIONS, dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    share = np.arange(1, n) / n
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    total = length = 0.0
    for direction in directions:
        # Between the k-th and the next point along the direction, a boundary has k points on one side.
        gaps = np.diff(np.sort(points @ direction))
        total += float(gaps @ entropy)
        length += float(gaps.sum())
    return total / length


@explain_calls()
def smooth_boundary_entropy(dim: int) -> float:
    r"""Return the mean entropy of a ball cut by a flat boundary at a random distance from its middle.

    .. math:: \int_0^1 H(p(u))\,du, \quad H(p) = -p \ln p - (1 - p) \ln (1 - p)

    with p(u) the share of the ball beyond a plane at u radii from its middle.

    Parameters
    ----------
    dim : int
        Dimension, at least 1.

    Returns
    -------
    float
        1/2 in one dimension, 0.43951 in two, and less in more.

    Raises
    ------
    TypeError, ValueError
        If `dim` is no positive integer.

    References
    ----------
    As for `fractality_test`.

    Examples
    --------
    >>> from fastgd.basins.measures import smooth_boundary_entropy
    >>> round(smooth_boundary_entropy(2), 5)
    0.43951
    """
    from scipy.integrate import quad
    from scipy.special import betainc, entr

    order = 0.5 * (positive_integer(dim, "dim") + 1)

    def entropy(u: float) -> float:
        share = 0.5 * betainc(order, 0.5, 1.0 - u * u)
        return float(entr(share) + entr(1.0 - share))

    return float(quad(entropy, 0.0, 1.0, epsabs=1e-10)[0])
