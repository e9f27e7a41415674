"""Basin entropy: how hard it is to foresee where a start leads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.measures.labels import checked_size, cut_into_boxes, neighbours
from fastgd.calls import explain_calls
from fastgd.jit.targets import stored
from fastgd.texts import counted

_FEWEST = 20  # boxes with a boundary
_CROWDED = 0.5  # share of them with three labels from which these, and not few corners, lift the mean above ln 2


@dataclass(frozen=True, repr=False)
class BasinEntropy:
    """What `basin_entropy` found; prints the verdict of the log 2 test with its reason.

    Attributes
    ----------
    entropy : float
        Basin entropy Sb, in nats: mean over all boxes.
    boundary_entropy : float
        Boundary basin entropy Sbb: mean over boxes with at least two labels; NaN where there is none.
    boxes, boundary_boxes : int
        How many boxes there are, and with at least two labels.
    box : int
        Points along the side of a box.
    crowded, crowded_inside : float
        Shares of the boxes with a boundary that hold three labels or more, at this side and at half of it; 0 where
        there is no such box.
    """

    entropy: float
    boundary_entropy: float
    boxes: int
    boundary_boxes: int
    box: int
    crowded: float
    crowded_inside: float

    @property
    def resolved(self) -> bool:
        """Whether the boxes are many and small enough for the log 2 test.

        It takes twenty with a boundary, of which half or more hold three labels: fewer are the corners of smooth
        basins that boxes happen to lie on. And boxes half as wide have to hold three labels more often than on a
        lattice of squares, see `FractalityTest.resolved`; else boxes are too large for the basins. Twenty and the half
        are no theory: lattices of smooth basins and fractal maps lie on their two sides.
        """
        ratio = (half(self.box) - 1) / (self.box - 1)
        many = self.boundary_boxes >= _FEWEST and self.crowded >= _CROWDED
        return many and stays_crowded(self.crowded, self.crowded_inside, ratio)

    @property
    def fractal(self) -> bool:
        """The log 2 test: whether Sbb exceeds ln 2, from boxes that are `resolved`.

        Then boundaries are fractal, as along a smooth one, all but countably many boxes hold two labels and so at most
        ln 2. The test is sufficient: boundaries between only two basins never pass it, fractal or not. See
        `fractality_test` for one that they can.
        """
        return self._above and self.resolved

    @property
    def _above(self) -> bool:
        return self.boundary_entropy > math.log(2.0)

    def __repr__(self) -> str:
        boxes = f"entropy {self.entropy:.4f}, {self.boundary_boxes:,} of {counted(self.boxes, 'box')} with a boundary"
        if not self.boundary_boxes:
            return f"<BasinEntropy: fractal boundary: undecided ({boxes})>"
        verdict, than = "yes" if self.fractal else "undecided", "above" if self._above else "not above"
        found = f"boundary entropy {self.boundary_entropy:.4f}, {than} ln 2 = {math.log(2.0):.4f}"
        if self._above and self.boundary_boxes < _FEWEST:
            boxes = f"{boxes}, and it takes {_FEWEST}: a finer map"
        elif self._above and not self.resolved:
            crowd = f"{self.crowded:.0%} of those hold three labels, of those half as wide {self.crowded_inside:.0%}"
            boxes = f"{boxes}; {crowd}: a finer map, or a smaller box"
        return f"<BasinEntropy: fractal boundary: {verdict} ({found}; {boxes})>"


@stored
def entropies(boxes, counts, out, kinds):
    """Write entropy and number of the labels in each row; `counts` is a zero for each label, and is left so."""
    members = boxes.shape[1]
    for k in range(boxes.shape[0]):
        for i in range(members):
            counts[boxes[k, i]] += 1
        total, different = 0.0, 0
        for i in range(members):
            count = counts[boxes[k, i]]
            if count > 0:
                different += 1
                # The first member of a label speaks for all of them.
                counts[boxes[k, i]] = 0
                if count < members:
                    share = count / members
                    total -= share * math.log(share)
        out[k], kinds[k] = total, different


def row_entropies(rows: NDArray[Any], labels: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return entropy and number of the labels in each row, both of shape (m,), of codes below `labels`."""
    out, kinds = np.empty(len(rows)), np.empty(len(rows), np.int64)
    entropies(rows, np.zeros(labels, dtype=np.int64), out, kinds)
    return out, kinds


def crowded_share(kinds: NDArray[np.int64]) -> float:
    """Return the share of those with two labels or more that have at least three; 0 where there is none."""
    return int(np.count_nonzero(kinds > 2)) / max(1, int(np.count_nonzero(kinds > 1)))


def half(size: int) -> int:
    return (size + 1) // 2


def stays_crowded(crowded: float, crowded_inside: float, ratio: float) -> bool:
    r"""Whether smaller boxes hold three labels nearly as often as larger ones, and not as on a lattice of squares.

    Boxes whose side is u of that of the squares meet a boundary with the probability 1 - (1 - u)², and a corner with
    u². So of those with a boundary u / (2 - u) hold three labels or more, and of those smaller by `ratio`
    ratio (2 - u) / (2 - ratio u) times as many. Self-similar boundaries keep all: what is kept is compared with the
    geometric mean of both.

    Examples
    --------
    >>> from fastgd.basins.measures.entropy import stays_crowded
    >>> stays_crowded(0.6, 0.55, 0.5), stays_crowded(0.6, 0.25, 0.5)
    (True, False)
    """
    u = 2.0 * crowded / (1.0 + crowded)
    return crowded_inside > crowded * math.sqrt(ratio * (2.0 - u) / (2.0 - ratio * u))


@explain_calls()
def basin_entropy(labels: Any, box: int = 5) -> BasinEntropy:
    r"""Return basin entropy and boundary basin entropy.

    The grid is cut into boxes. With :math:`p_{ij}` the share of label j among the points of box i,

    .. math:: S_b = \frac{1}{N} \sum_{i=1}^N \sum_j p_{ij} \ln \frac{1}{p_{ij}}

    and :math:`S_{bb}` is the same mean over the boxes that hold at least two labels. If it exceeds ln 2, boundaries are
    fractal, provided that boxes are small against the basins and many; `BasinEntropy.resolved` tells.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Labels on a regular grid. Each integer is a label, -1 (not settled) and -2 (diverged) like all others.
    box : int
        Points along the side of a box, at least 2, and at least 3 for a verdict. What does not fill a box at the far
        sides is left out.

    Returns
    -------
    BasinEntropy
        Both entropies, and the log 2 test in `fractal`; False where it is undecided.

    Raises
    ------
    TypeError, ValueError
        If `labels` are no integers, or `box` does not fit.

    References
    ----------
    A. Daza, A. Wagemakers, B. Georgeot, D. Guéry-Odelin, M. A. F. Sanjuán, Basin entropy: a new tool to analyze
    uncertainty in dynamical systems, Scientific Reports 6, 31416 (2016), doi:10.1038/srep31416.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.basins.measures import basin_entropy
    >>> checkerboard = np.indices((40, 40)).sum(axis=0) % 2
    >>> found = basin_entropy(checkerboard, box=2)
    >>> round(found.entropy, 6), round(found.boundary_entropy, 6), found.fractal
    (0.693147, 0.693147, False)
    >>> print(basin_entropy(checkerboard, box=3))
    <BasinEntropy: fractal boundary: undecided (boundary entropy 0.6870, not above ln 2 = 0.6931; entropy 0.6870, ...)>
    """
    codes, values = neighbours(labels)
    size = checked_size(box, "box", codes.shape)
    each, kinds = row_entropies(cut_into_boxes(codes, size), values.size)
    _, inside = row_entropies(cut_into_boxes(codes, half(size)), values.size)
    boundary = int(np.count_nonzero(kinds > 1))
    total = float(each.sum())
    return BasinEntropy(
        entropy=total / each.size,
        boundary_entropy=total / boundary if boundary else math.nan,
        boxes=each.size,
        boundary_boxes=boundary,
        box=size,
        crowded=crowded_share(kinds),
        crowded_inside=crowded_share(inside),
    )
