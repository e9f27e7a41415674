"""Basin entropy: how hard it is to foresee where a start leads."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.measures.labels import checked_size, coded, cut_into_boxes
from fastgd.calls import explain_calls
from fastgd.jit.options import kernel
from fastgd.jit.targets import named, shared_kernel
from fastgd.texts import counted


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
    """

    entropy: float
    boundary_entropy: float
    boxes: int
    boundary_boxes: int
    box: int

    @property
    def fractal(self) -> bool:
        """The log 2 test: whether Sbb exceeds ln 2.

        Then boundaries are fractal, as along a smooth one, all but countably many boxes hold two labels and so at most
        ln 2. The test is sufficient: boundaries between only two basins never pass it, fractal or not. See
        `fractality_test` for one that they can.
        """
        return self.boundary_entropy > math.log(2.0)

    def __repr__(self) -> str:
        boxes = f"entropy {self.entropy:.4f}, {self.boundary_boxes:,} of {counted(self.boxes, 'box')} with a boundary"
        if not self.boundary_boxes:
            return f"<BasinEntropy: fractal boundary: undecided ({boxes})>"
        verdict, than = ("yes", "above") if self.fractal else ("undecided", "not above")
        found = f"boundary entropy {self.boundary_entropy:.4f}, {than} ln 2 = {math.log(2.0):.4f}"
        return f"<BasinEntropy: fractal boundary: {verdict} ({found}; {boxes})>"


def entropies(boxes, counts, out):
    """Write the entropy of the labels in each row; `counts` is a zero for each label, and is left so."""
    members = boxes.shape[1]
    for k in range(boxes.shape[0]):
        for i in range(members):
            counts[boxes[k, i]] += 1
        total = 0.0
        for i in range(members):
            count = counts[boxes[k, i]]
            if count > 0:
                # The first member of a label speaks for all of them.
                counts[boxes[k, i]] = 0
                if count < members:
                    share = count / members
                    total -= share * math.log(share)
        out[k] = total


@functools.cache
def entropy_kernel() -> Any:
    return shared_kernel(named((entropies,), "measure"), 1, lambda: kernel(entropies))


def row_entropies(rows: NDArray[Any], labels: int) -> NDArray[np.float64]:
    """Return the entropy of the labels in each row, shape (m,), of codes below `labels`."""
    out = np.empty(len(rows))
    entropy_kernel()(rows, np.zeros(labels, dtype=np.int64), out)
    return out


@explain_calls()
def basin_entropy(labels: Any, box: int = 5) -> BasinEntropy:
    r"""Return basin entropy and boundary basin entropy.

    The grid is cut into boxes. With :math:`p_{ij}` the share of label j among the points of box i,

    .. math:: S_b = \frac{1}{N} \sum_{i=1}^N \sum_j p_{ij} \ln \frac{1}{p_{ij}}

    and :math:`S_{bb}` is the same mean over the boxes that hold at least two labels.

    Parameters
    ----------
    labels : array_like of int, any shape, or Basins or BasinMap
        Labels on a regular grid. Each integer is a label, -1 (not settled) and -2 (diverged) like all others.
    box : int
        Points along the side of a box, at least 2. What does not fill a box at the far sides is left out.

    Returns
    -------
    BasinEntropy
        Both entropies, and the log 2 test in `fractal`.

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
    codes, values = coded(labels)
    size = checked_size(box, "box", codes.shape)
    each = row_entropies(cut_into_boxes(codes, size), values.size)
    boundary = int(np.count_nonzero(each))
    total = float(each.sum())
    return BasinEntropy(
        entropy=total / each.size,
        boundary_entropy=total / boundary if boundary else math.nan,
        boxes=each.size,
        boundary_boxes=boundary,
        box=size,
    )
