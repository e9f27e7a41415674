"""Whether boundaries are fractal, by comparing the boundary entropy with that of smooth ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.measures.entropy import crowded_share, row_entropies, stays_crowded
from fastgd.basins.measures.labels import checked_size, cut_into_boxes, neighbours
from fastgd.boxes import positive_integer, whole_seed
from fastgd.calls import explain_calls
from fastgd.checks import real_number
from fastgd.texts import counted

_DIRECTIONS = 256
_AT_ONCE = 4_000_000
_MOST_DRAWS = 2000
_SMALLEST = 3  # points along the diameter of a ball
_FILLED = 0.9  # share of balls with a boundary beyond which most of them may hold several
_ALLOWED = 0.02  # of the entropy of a smooth boundary: for its bend, and for corners in as many of the balls


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
    allowed : float
        By how much the entropy of smooth boundaries may depart from `smooth`: 2 % of it, and as much as it changes with
        the angle of the boundary to the axes of the grid.
    diameter : int
        Points along the diameter of a ball.
    crowded, crowded_inside : float
        Shares of the balls with a boundary that hold three basins or more, at this diameter and at a third of it, three
        points at least.
    held, held_smallest : float
        Shares of the balls at random places that hold a boundary, at this diameter and at that of three points.
    inside, inside_smallest : float
        By which share of a smooth boundary's entropy that of balls of a third of the diameter, and of three points,
        lies above it.
    inside_allowed : float
        The share that is allowed at a third of the diameter.
    """

    entropy: float
    smooth: float
    error: float
    balls: int
    sigmas: float
    allowed: float
    diameter: int
    crowded: float
    crowded_inside: float
    held: float
    held_smallest: float
    inside: float
    inside_smallest: float
    inside_allowed: float

    @property
    def z(self) -> float:
        """How far the entropy lies above that of a smooth boundary, in standard errors."""
        return (self.entropy - self.smooth) / self.error if self.error > 0 else math.nan

    @property
    def resolved(self) -> bool:
        """Whether there is a verdict: enough balls, and small enough ones where they depart from smooth boundaries.

        Where smooth boundaries meet in corners, a ball is the less likely to hold three basins the smaller it is: a
        third as wide, a third as often or less, while it is as likely in a boundary that is fractal at both sizes.
        Balls of which more than 2 % do, and of the smaller ones fewer than the geometric mean of what lattices of
        squares and self-similar boundaries keep, are too large for the basins. So are balls of which more than nine
        tenths hold a boundary, and of the smallest ones not.

        Basins thinner than a ball depart too: a sliver has less entropy than a smooth boundary, a strip with both its
        boundaries in a ball more. But they do so at one size. So an entropy that is higher has to be so in balls of a
        third of the diameter, by more than is allowed there, and one that is lower in these and the smallest balls.

        The lattice and the self-similar boundary are exact; that the limit lies half way between them, and the nine
        tenths, is no theory: disks, stripes, lattices and maps of known kind lie on the right sides.
        """
        return not math.isnan(self.z) and not (self._departs and (self._crowded or self._filled or self._thin))

    @property
    def _crowded(self) -> bool:
        ratio = (third(self.diameter) - 1) / (self.diameter - 1)
        return self.crowded > _ALLOWED and not stays_crowded(self.crowded, self.crowded_inside, ratio)

    @property
    def _filled(self) -> bool:
        return self.held > _FILLED >= self.held_smallest

    @property
    def _thin(self) -> bool:
        if self.z > 0:
            return not self.inside > self.inside_allowed
        return not max(self.inside, self.inside_smallest) < 0

    @property
    def fractal(self) -> bool:
        """Whether it departs by more than `sigmas` standard errors and what is `allowed`, up or down.

        The 2 % in it are for the bend of a smooth boundary inside a ball and for corners where three basins meet. False
        also where the balls are not `resolved`.
        """
        return self._departs and self.resolved

    @property
    def _departs(self) -> bool:
        return abs(self.z) > self.sigmas and abs(self.entropy - self.smooth) > self.allowed

    def __repr__(self) -> str:
        if math.isnan(self.z):
            few = "no ball holds a boundary" if self.balls == 0 else f"too few to tell: {counted(self.balls, 'ball')}"
            return f"<FractalityTest: fractal boundary: undecided ({few})>"
        if not self.resolved:
            if self._crowded or self._filled:
                what, share, points, inside = "a boundary", self.held, _SMALLEST, self.held_smallest
                if self._crowded:
                    what, share, points = "three basins", self.crowded, third(self.diameter)
                    inside = self.crowded_inside
                large = f"{share:.0%} of the balls hold {what}, of those of {points} points {inside:.0%}"
            else:
                off = f"{self.entropy / self.smooth - 1:+.1%} off a smooth boundary, but {self.inside:+.1%} in balls of"
                more = f"of which {self.inside_allowed:.1%} says nothing"
                if self.z < 0:
                    more = f"and {self.inside_smallest:+.1%} in those of {_SMALLEST}"
                large = f"{off} {third(self.diameter)} points {more}"
            return f"<FractalityTest: fractal boundary: undecided ({large}: a finer map, or a smaller diameter)>"
        found = f"entropy {self.entropy:.4f} +- {self.error:.4f}, smooth {self.smooth:.4f}"
        apart = f"{self.z:+.1f} standard errors and {self.entropy / self.smooth - 1:+.1%}"
        takes = f"it takes {self.sigmas:g} and {self.allowed / self.smooth:.1%}"
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
    by flat boundaries at every angle and distance. Along the axes and the diagonals of the grid it is some per cent off
    the mean (3 % with 21 points along the diameter, 7 % with 7): so much is allowed for.

    Corners of smooth basins are told by their third label. Where boundaries of the same two labels cross, as on a
    checkerboard, they are not, and the test may say "fractal": basins of different attractors need different labels.

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
    <FractalityTest: fractal boundary: no (entropy 0.4521 +- 0.0382, smooth 0.4508: ...; it takes 3 and 5.4%)>
    """
    codes, values = neighbours(labels)
    width = checked_size(diameter, "diameter", codes.shape, least=5)
    if width % 2 == 0:
        raise ValueError(f"diameter must be odd, so that a ball has a point in its middle, got {diameter}")
    wanted = positive_integer(n_balls, "n_balls")
    seed = whole_seed(seed)
    sigmas = real_number(sigmas, "sigmas", "a positive number", 0.0, above=True)
    large, inside, smallest = (
        balls_with_boundary(codes, values.size, points, wanted, seed)
        for points in (width, third(width), _SMALLEST)
    )
    smooth, spread = cut_ball_entropy(ball(width // 2, codes.ndim))
    smooth_inside, spread_inside = cut_ball_entropy(ball(third(width) // 2, codes.ndim))
    smooth_smallest, _ = cut_ball_entropy(ball(_SMALLEST // 2, codes.ndim))
    each, balls = large.entropies, large.entropies.size
    # Of boxes as wide as the balls, as many as hold a boundary
    apart = int(np.count_nonzero(row_entropies(cut_into_boxes(codes, width), values.size)[1] > 1))
    return FractalityTest(
        entropy=mean_of(each),
        smooth=smooth,
        error=float(each.std(ddof=1) / math.sqrt(max(1, min(int(balls), apart)))) if balls > 1 else math.nan,
        balls=balls,
        sigmas=float(sigmas),
        allowed=_ALLOWED * smooth + spread,
        diameter=width,
        crowded=large.crowded,
        crowded_inside=inside.crowded,
        held=large.held,
        held_smallest=smallest.held,
        inside=mean_of(inside.entropies) / smooth_inside - 1,
        inside_smallest=mean_of(smallest.entropies) / smooth_smallest - 1,
        inside_allowed=_ALLOWED + spread_inside / smooth_inside,
    )


def mean_of(entropies: NDArray[np.float64]) -> float:
    """Return the mean; NaN of none."""
    return float(entropies.mean()) if entropies.size else math.nan


def third(diameter: int) -> int:
    """Return the odd number of points nearest to a third, three at least."""
    return max(_SMALLEST, diameter // 3 // 2 * 2 + 1)


class Balls(NamedTuple):
    """Balls that hold a boundary: their entropies, the share of them with three labels, and of all balls theirs."""

    entropies: NDArray[np.float64]
    crowded: float
    held: float


def balls_with_boundary(codes: NDArray[Any], labels: int, width: int, wanted: int, seed: int) -> Balls:
    """Draw balls at random places until enough hold a boundary."""
    half = width // 2
    strides = np.array([math.prod(codes.shape[k + 1 :]) for k in range(codes.ndim)])
    members, flat = ball(half, codes.ndim) @ strides, codes.reshape(-1)
    generator = np.random.default_rng(seed)
    low, high = np.full(codes.ndim, half), np.array(codes.shape) - half
    found, crowds = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    balls = draws = every = 0
    batch = max(1, min(4 * wanted, _AT_ONCE // len(members)))
    while balls < wanted and draws < _MOST_DRAWS * wanted:
        rows = flat[(generator.integers(low, high, size=(batch, codes.ndim)) @ strides)[:, None] + members]
        entropy, kinds = row_entropies(rows, labels)
        every += int(np.count_nonzero(kinds > 1))
        held = np.flatnonzero(kinds > 1)[: wanted - balls]
        balls, draws = balls + held.size, draws + batch
        found.append(entropy[held])
        crowds.append(kinds[held])
    return Balls(np.concatenate(found), crowded_share(np.concatenate(crowds)), every / draws)


def ball(half: int, dim: int) -> NDArray[np.int64]:
    """Return the offsets of the grid points within `half` and a half of the middle, shape (m, dim)."""
    offsets = np.stack(np.meshgrid(*[np.arange(-half, half + 1)] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    return offsets[np.sum(offsets**2, axis=1) <= (half + 0.5) ** 2]


def cut_ball_entropy(points: NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean entropy of points cut in two by flat boundaries, over all distances and many directions.

    The second number is the largest distance of one direction from the mean; axes and diagonals stand for the worst.
    """
    n, dim = points.shape
    if dim == 1:
        directions = np.ones((1, 1))
    elif dim == 2:
        angle = np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS
        directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        directions = np.random.default_rng(0).standard_normal((_DIRECTIONS, dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    special = np.array(list(np.ndindex((2,) * dim))[1:], dtype=float)
    special /= np.linalg.norm(special, axis=1, keepdims=True)
    share = np.arange(1, n) / n
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    # Between the k-th and the next point along a direction, a boundary has k points on one side.
    gaps = [np.diff(np.sort(points @ direction)) for direction in (*directions, *special)]
    totals, lengths = np.array([gap @ entropy for gap in gaps]), np.array([gap.sum() for gap in gaps])
    mean = float(totals[: len(directions)].sum() / lengths[: len(directions)].sum())
    return mean, float(np.abs(totals / lengths - mean).max())


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
