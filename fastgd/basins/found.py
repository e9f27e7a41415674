"""What was found: the attractors, their shares, and the table that shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNSETTLED = -1
DIVERGED = -2


@dataclass(frozen=True, repr=False, eq=False)
class Basins:
    """The attractors that runs ended in, best first, and which run went where.

    Attributes
    ----------
    points : ndarray, shape (k, n)
        Where each attractor is: the member with the smallest gradient. Sorted by value, then by position.
    fun : ndarray, shape (k,)
        Value at `points`.
    labels : ndarray of int64, shape (*batch,)
        Attractor of each run: an index into `points`, -1 where the run did not settle (step limit, line
        search failed), -2 where it diverged.
    counts : ndarray of int64, shape (k,)
        Runs in each attractor.
    fractions : ndarray, shape (k,)
        `counts` over all runs, those without attractor included.
    intervals : ndarray, shape (k, 2)
        95 % Wilson interval of each fraction, for starts drawn at random.
    mean_nit : ndarray, shape (k,)
        Mean number of steps of the members.
    radius : ndarray, shape (k,)
        Largest coordinate distance of a member from `points`, in tolerances. Well above 1 where the attractor
        is a curve or a flat region rather than a point.
    known : ndarray of int64, shape (k,)
        Index into the problem's known minima, or -1.
    tol : ndarray, shape (n,)
        Tolerance of each coordinate that told attractors apart.
    unsettled, diverged : float
        Fractions of all runs with label -1 and -2.
    """

    points: NDArray[np.float64]
    fun: NDArray[np.float64]
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    fractions: NDArray[np.float64]
    intervals: NDArray[np.float64]
    mean_nit: NDArray[np.float64]
    radius: NDArray[np.float64]
    known: NDArray[np.int64]
    tol: NDArray[np.float64]
    unsettled: float
    diverged: float
    name: str = field(default="")

    def __len__(self) -> int:
        return len(self.fun)

    def __repr__(self) -> str:
        return f"<Basins of {self.name or 'a problem'}: {len(self)} attractors, {self.labels.size} runs>"

    def __str__(self) -> str:
        return self.summary()

    def summary(self, limit: int = 20) -> str:
        """Return a table of the attractors, as plain text.

        Parameters
        ----------
        limit : int
            Most rows to show; the rest is counted in one line.

        Returns
        -------
        str
            One line per attractor: number, value, position, share with its interval, mean steps, known
            minimum.
        """
        runs = self.labels.size
        of = f" of {self.name}" if self.name else ""
        lines = [f"{len(self)} attractor{'' if len(self) == 1 else 's'}{of} from {runs:,} runs"]
        rows: list[tuple[str, ...]] = [
            ("", "value", "position", "share", "95 % interval", "mean steps", "known")
        ]
        rows += [self.row(i) for i in range(min(limit, len(self)))]
        if len(rows) > 1:
            widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
            left = (2,)
            lines += [
                "  ".join(
                    cell.ljust(width) if j in left else cell.rjust(width)
                    for j, (cell, width) in enumerate(zip(row, widths, strict=True))
                ).rstrip()
                for row in rows
            ]
        if len(self) > limit:
            lines.append(
                f"and {len(self) - limit:,} more, with {self.fractions[limit:].sum():.2%} of the runs"
            )
        if self.unsettled:
            lines.append(f"not settled: {self.unsettled:.2%}")
        if self.diverged:
            lines.append(f"diverged: {self.diverged:.2%}")
        return "\n".join(lines)

    def row(self, index: int) -> tuple[str, ...]:
        """Return the cells of a line of the table: number, value, position, share, interval, steps, known."""
        low, high = self.intervals[index]
        return (
            str(index),
            _number(float(self.fun[index])),
            position_text(self.points, index),
            f"{self.fractions[index]:.2%}",
            f"{100 * low:.2f} - {100 * high:.2f} %",
            f"{self.mean_nit[index]:.1f}",
            "-" if self.known[index] < 0 else f"#{self.known[index]}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as built-in numbers, lists and strings, ready for JSON.

        Returns
        -------
        dict
            One entry per attribute; arrays become nested lists.
        """
        arrays = (
            "points",
            "fun",
            "labels",
            "counts",
            "fractions",
            "intervals",
            "mean_nit",
            "radius",
            "known",
            "tol",
        )
        plain: dict[str, Any] = {name: getattr(self, name).tolist() for name in arrays}
        return plain | {"unsettled": self.unsettled, "diverged": self.diverged, "name": self.name}


def position_text(points: NDArray[np.float64], index: int) -> str:
    """Write one of some points to five digits of the largest coordinate of all: noise around zero reads as zero."""
    size = float(np.abs(points).max())
    digits = int(np.clip(4 - np.floor(np.log10(size)), 0, 12)) if size > 0 else 0
    shown = [f"{round(float(value), digits) + 0.0:.{digits}f}" for value in points[index, :6]]
    return "(" + ", ".join(shown) + (", ...)" if points.shape[1] > 6 else ")")


def _number(value: float) -> str:
    # Of a value that is mostly rounding error, more digits would say nothing.
    return f"{value:.9g}" if abs(value) >= 1e-6 or value == 0.0 else f"{value:.1e}"
