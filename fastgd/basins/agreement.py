"""How far two ways downhill from the same starts agree on where they lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.basins.found import DIVERGED, UNSETTLED, Basins
from fastgd.basins.intervals import wilson
from fastgd.basins.maps import BasinMap
from fastgd.basins.neighbours import close_pairs
from fastgd.boxes import as_array
from fastgd.calls import explain_calls
from fastgd.texts import counted, position_text, table_lines

SHOWN = 20  # attractors up to which the confusion matrix is printed
SLACK = 1.0 + 1e-9  # for the rounding of positions in tolerances
UNDECIDED = "the reference brings no start to an attractor"


@dataclass(frozen=True, repr=False, eq=False)
class Agreement:
    """Which starts an optimizer sends elsewhere than the reference does.

    The attractors of both sides are numbered together: the reference's first, in its own order, then those that it did
    not find.

    Attributes
    ----------
    elsewhere : ndarray of bool, shape (*batch,)
        The map of where: starts that the optimizer sends to another attractor than the reference, or to none, while the
        reference comes to one.
    share : float
        Share of `elsewhere` among the starts that the reference brings to an attractor; NaN where there is none.
    interval : ndarray, shape (2,)
        95 % Wilson interval of `share`, for starts drawn at random.
    labels, reference : ndarray of int64, shape (*batch,)
        The labels of the optimizer and of the reference, in the common numbers.
    x : ndarray, shape (m, n), or None
        Where the attractors are; None where plain labels were compared.
    scale : ndarray, shape (n,), or None
        What shows in their positions, where that is known.
    """

    elsewhere: NDArray[np.bool_]
    share: float
    interval: NDArray[np.float64]
    labels: NDArray[np.int64]
    reference: NDArray[np.int64]
    x: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None

    @property
    def attractors(self) -> int:
        """How many attractors both sides have together, m."""
        found = max(int(self.labels.max(initial=-1)), int(self.reference.max(initial=-1))) + 1
        return found if self.x is None else len(self.x)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The confusion matrix, of shape (m + 2, m + 2).

        ``confusion[i, j]`` counts the starts with label i by the reference and j by the optimizer.  The labels -1 (not
        settled) and -2 (diverged) are indices too: the last row and column, and those before.
        """
        matrix = np.zeros((self.attractors + 2, self.attractors + 2), dtype=np.int64)
        np.add.at(matrix, (self.reference.reshape(-1), self.labels.reshape(-1)), 1)
        return matrix

    @property
    def agreement(self) -> float:
        """Share of starts on which both agree, ``1 - share``."""
        return 1.0 - self.share

    def __repr__(self) -> str:
        if not (self.reference >= 0).any():
            return f"<Agreement on {counted(self.labels.size, 'start')}: {UNDECIDED}>"
        return f"<Agreement: {self.share:.2%} of {counted(self.labels.size, 'start')} elsewhere>"

    def __str__(self) -> str:
        low, high = self.interval
        decided = int(np.count_nonzero(self.reference >= 0))
        interval = f"(95 % interval {100 * low:.2f} - {100 * high:.2f} %)"
        lines = [f"{self.share:.2%} of {counted(decided, 'start')} go elsewhere {interval}" if decided else UNDECIDED]
        count = self.attractors
        if count > SHOWN:
            return f"{lines[0]}; {count:,} attractors"
        matrix, names = self.confusion, [*self._names(), "diverged", "not settled"]
        used = [k for k in range(count + 2) if matrix[k].any() or matrix[:, k].any()]
        table = [["reference \\ here", *(str(k) if k < count else names[k] for k in used)]]
        table += [[names[i], *(f"{matrix[i, j]:,}" for j in used)] for i in used]
        return "\n".join([*lines, *table_lines(table)])

    def _names(self) -> list[str]:
        if self.x is None:
            return [str(k) for k in range(self.attractors)]
        return [f"{k} {position_text(self.x, k, scale=self.scale)}" for k in range(self.attractors)]

    def to_dict(self) -> dict[str, Any]:
        """Everything as built-in numbers, lists and strings, ready for JSON; None where there is no share."""
        decided = not np.isnan(self.share)
        return {
            "share": self.share if decided else None,
            "interval": self.interval.tolist() if decided else None,
            "elsewhere": self.elsewhere.tolist(),
            "labels": self.labels.tolist(),
            "reference": self.reference.tolist(),
            "x": None if self.x is None else self.x.tolist(),
        }


@explain_calls()
def basin_agreement(labels: Basins | BasinMap | ArrayLike, reference: Basins | BasinMap | ArrayLike) -> Agreement:
    """Compare where two methods lead from the same starts.

    Parameters
    ----------
    labels : Basins, BasinMap, or array_like of int, shape (*batch,)
        What `find_basins` or `map_basins` found for an optimizer; or its labels alone.
    reference : as `labels`
        The same for the reference, such as `fastgd.GradientFlow`.  Attractors of two `Basins` are matched by position:
        two are one where no coordinate differs by more than the larger of their tolerances (times their radius, where
        they are curves), the nearest pairs first.  Plain labels are taken to mean the same on both sides.

    Returns
    -------
    Agreement
        The share of starts sent elsewhere, the confusion matrix, and the map of where.

    Raises
    ------
    TypeError
        For labels that are no integers, and for labels on one side with attractors on the other.
    ValueError
        If the shapes differ, a label is below -2, or the attractors have different dimensions.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.basin_agreement([0, 0, 1, -1], [0, 1, 1, 1]).confusion[:2, :2]
    array([[1, 0],
           [1, 1]])
    >>> problem = gd.problems.himmelblau()
    >>> x0 = problem.sample(1000, seed=0)
    >>> flow = gd.find_basins(gd.minimize(problem, x0, gd.GradientFlow()))
    >>> adam = gd.find_basins(gd.minimize(problem, x0, gd.Adam(lr=0.05)))
    >>> found = gd.basin_agreement(adam, flow)
    >>> found.elsewhere.shape, bool(0.01 < found.share < 0.3)
    ((1000,), True)
    """
    own, theirs = (side.basins if isinstance(side, BasinMap) else side for side in (labels, reference))
    here, there = labels_of(own, "labels"), labels_of(theirs, "reference")
    if here.shape != there.shape:
        raise ValueError(
            f"labels and reference must be of the same starts, got shapes {here.shape} and {there.shape}"
        )
    points = scale = None
    if isinstance(own, Basins) and isinstance(theirs, Basins):
        number, points = matched(own, theirs)
        scale = theirs.shown_scale if own.shown_scale is None else own.shown_scale
        settled = here >= 0
        here[settled] = number[here[settled]]
    elif isinstance(own, Basins) or isinstance(theirs, Basins):
        raise TypeError("labels and reference must both be Basins (or maps), or both arrays of labels")
    decided = there >= 0
    elsewhere = decided & (here != there)
    trials, misses = int(np.count_nonzero(decided)), int(np.count_nonzero(elsewhere))
    share = misses / trials if trials else float("nan")
    return Agreement(elsewhere, share, wilson(misses, trials), here, there, points, scale)


def labels_of(side: Any, name: str) -> NDArray[np.int64]:
    """The labels of one side, checked."""
    array = as_array(
        side.labels if isinstance(side, Basins) else side, name, f"{name}.filled(-1) takes them for not settled"
    )
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be Basins, a BasinMap or integer labels, got {type(side).__name__}")
    if array.min(initial=0) < min(UNSETTLED, DIVERGED):
        raise ValueError(f"{name} must hold labels >= -2 (-1 not settled, -2 diverged), got {int(array.min())}")
    return array.astype(np.int64)


def matched(own: Basins, theirs: Basins) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The common number of each of our attractors, and the points of all."""
    if own.x.shape[1] != theirs.x.shape[1]:
        raise ValueError(
            f"labels and reference must be of one problem, got attractors in {own.x.shape[1]} and "
            f"{theirs.x.shape[1]} dimensions"
        )
    number = np.full(len(own), -1, dtype=np.int64)
    if len(own) and len(theirs):
        tol = np.maximum(own.tol, theirs.tol)
        here, there = (each.radius * (each.tol / tol).max() for each in (own, theirs))
        rows, columns, apart = pairs_of(own.x / tol, theirs.x / tol, here, there)
        order = np.lexsort((columns, rows, apart))
        taken: set[int] = set()
        for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            if number[i] < 0 and j not in taken:
                number[i] = j
                taken.add(j)
    new = np.flatnonzero(number < 0)
    number[new] = len(theirs) + np.arange(new.size)
    return number, np.concatenate([theirs.x, own.x[new]])


def pairs_of(
    own: NDArray[np.float64], theirs: NDArray[np.float64], here: NDArray[np.float64], there: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of points that may be one, and their distances: within 1, or the radius of one of the two if it is larger.

    `here` and `there` are the radii.  Wide ones are seldom, so points of about the same radius are looked at together.
    """
    around = [(octave, members, np.arange(len(theirs))) for octave, members in octaves(here)]
    around += [(octave, np.arange(len(own)), members) for octave, members in octaves(there) if octave > 1.0]
    found = []
    for octave, first, second in around:
        rows, columns, apart = close_pairs(own[first], theirs[second], octave * SLACK)
        found.append((first[rows], second[columns], apart))
    rows, columns, apart = (np.concatenate(parts) for parts in zip(*found, strict=True))
    _, first = np.unique(rows * len(theirs) + columns, return_index=True)
    rows, columns, apart = rows[first], columns[first], apart[first]
    near = apart <= np.maximum(np.maximum(here[rows], there[columns]), 1.0) * SLACK
    return rows[near], columns[near], apart[near]


def octaves(radii: NDArray[np.float64]) -> list[tuple[float, NDArray[np.int64]]]:
    """Which radii are up to 1, up to 2, up to 4, and so on; those of all points are at least 1 here."""
    powers = np.ceil(np.log2(np.maximum(radii, 1.0)))
    return [(2.0**power, np.flatnonzero(powers == power)) for power in np.unique(powers).tolist()]
