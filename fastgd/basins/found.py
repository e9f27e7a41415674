"""What was found: the attractors, their shares, and the table that shows them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.boxes import positive_integer
from fastgd.errors import attribute_of
from fastgd.texts import Summarized, counted, first_lines, position_text

if TYPE_CHECKING:
    from fastgd.landscape.classification import Classification
    from fastgd.problem import Problem

UNSETTLED = -1
DIVERGED = -2
UNSETTLED_ADVICE = "not at rest when they ended: more max_steps, another lr"
DRAWN_ADVICE = (
    "batches and noise let no run come to rest: go on from its end with all samples, "
    "find_basins(minimize(problem, runs.x, optimizer))"
)
SINGLE_ADVICE = "float32 gradients are seldom that exact: a larger gtol, such as 1e-3, or float64; else more max_steps"
DIVERGED_ADVICE = "a lower lr, clip_norm=, or starts where the function is finite"
_NO_SLOPE = ": no slope beyond rounding, so runs stay where they start; other starts, or a smaller box"
# What tables say of attractors of some kinds, of one and of several
DOUBTS = {
    "not critical": (
        ": its runs were stopped on a slope; lower ftol and gtol",
        ": their runs were stopped on a slope; lower ftol and gtol",
    ),
    "flat": (_NO_SLOPE, _NO_SLOPE),
    "degenerate": ("", " and may be pieces of one curve or surface of minima: see coordinates= of FUNCTION"),
}
NOTES = {
    "not critical": "runs stopped on a slope", "flat": "no slope beyond rounding",
    "degenerate": "may be pieces of one curve",
}  # fmt: skip
_NARROW = 0.1
_KINDS_AT_ONCE = 1_000_000  # attractors times the cube of the dimension: a second of work
# What other libraries call our attributes
MEANT = {
    "minima": "x", "attractors": "x", "centers": "x", "cluster_centers_": "x", "labels_": "labels", "values": "fun",
    "shares": "fractions", "sizes": "counts", "kinds": "kind",
}  # fmt: skip
COLUMNS = ("", "kind", "value", "position", "share", "95 % interval", "mean steps", "known")


@dataclass(frozen=True, repr=False, eq=False)
class Basins(Summarized):
    """The attractors that runs ended in, best first, and which run went where.

    Attributes
    ----------
    x : ndarray, shape (k, n)
        Where each attractor is: the member with the smallest gradient. Sorted by value, then by position.
    fun : ndarray, shape (k,)
        Value at `x`.
    labels : ndarray of int64, shape (*batch,)
        Attractor of each run: an index into `x`, -1 where the run did not settle (step limit, line
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
        Largest coordinate distance of a member from `x`, in tolerances. Well above 1 where the attractor
        is a curve or a flat region rather than a point.
    known : ndarray of int64, shape (k,)
        Index into the problem's known minima, or -1.
    tol : ndarray, shape (n,)
        Tolerance of each coordinate that told attractors apart; the finest where several did.
    unsettled, diverged : float
        Fractions of all runs with label -1 and -2.
    dtype : str
        In what numbers the runs were made, "float64" or "float32".
    problem : Problem, or None
        What was minimized, if the runs told.
    drawn : bool
        Whether runs took batches or noise, with which they seldom come to rest.
    """

    x: NDArray[np.float64]
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
    dtype: str = field(default="float64")
    problem: Problem | None = field(default=None)
    drawn: bool = field(default=False)

    if not TYPE_CHECKING:  # which would take any name then

        def __getattr__(self, name: str) -> Any:
            return attribute_of(self, name, MEANT)

    @functools.cached_property
    def curvature(self) -> Classification:
        """Second derivatives at `x`, by differences of the gradient, computed at first access.

        For symmetries, or to say how the second derivatives are taken, call `fastgd.classify` on `x`.

        Raises
        ------
        ValueError
            If it is not known what was minimized.
        """
        from fastgd.landscape.classification import classify

        if self.problem is None:
            raise ValueError("problem is not known of these runs, so their end points have no second derivatives")
        return classify(self.problem, self.x, method="differences")

    @property
    def kind(self) -> NDArray[np.str_]:
        """Kind of each attractor, shape (k,): "minimum", "saddle", ..., see `fastgd.landscape.Classification`.

        It is "not critical" where runs were stopped on a slope, as by a large `ftol` or `gtol`.
        A descent can end in a saddle: from a start on the ridge, or where the slope beside it is within `gtol`.
        """
        return self.curvature.kind

    @property
    def kinds_are_cheap(self) -> bool:
        """Whether all kinds are known, or can be within a second."""
        if self.problem is None:
            return False
        return "curvature" in self.__dict__ or len(self) * self.x.shape[1] ** 3 <= _KINDS_AT_ONCE

    def __len__(self) -> int:
        return len(self.fun)

    def __repr__(self) -> str:
        found = f"{counted(len(self), 'attractor')}, {counted(self.labels.size, 'run')}"
        return f"<Basins of {self.name or 'a problem'}: {found}>"

    def summary(self, limit: int = 20) -> str:
        """Return a table of the attractors, as plain text.

        Parameters
        ----------
        limit : int
            Most rows to show; the rest is counted in one line.

        Returns
        -------
        str
            One line per attractor: number, kind, value, position, share with its interval, mean steps, known
            minimum; below it what to do about runs without an attractor, and about attractors that may be none.
        """
        limit = positive_integer(limit, "limit")
        of = f" of {self.name}" if self.name else ""
        rest = f", with {self.fractions[limit:].sum():.2%} of the runs"
        lines = [f"{counted(len(self), 'attractor')}{of} from {counted(self.labels.size, 'run')}"]
        kinds = self._kind_texts(min(limit, len(self)))
        rows = self._rows(kinds[:limit])
        lines += first_lines(COLUMNS, rows, len(self), left=(1, 3), rest=rest)
        lines += self.doubts()
        if self.unsettled:
            advice = SINGLE_ADVICE if self.dtype == "float32" else UNSETTLED_ADVICE
            advice = DRAWN_ADVICE if self.drawn else advice
            lines.append(f"not settled: {self.unsettled:.2%} ({advice})")
        if self.diverged:
            lines.append(f"diverged: {self.diverged:.2%} ({DIVERGED_ADVICE})")
        return "\n".join(lines)

    def rows(self, limit: int) -> list[tuple[str, ...]]:
        """Return the cells of the first lines of the table, as `COLUMNS` names them."""
        return self._rows(self._kind_texts(min(limit, len(self)))[:limit])

    def doubts(self) -> list[str]:
        """Return what the table says below it about attractors that may be none, one line for each kind of doubt."""
        kinds = self.told_kinds
        lines = doubt_lines(kinds, len(self), "find_basins")
        told = {"not critical", "flat"} | ({"degenerate"} if kinds.count("degenerate") > 1 else set())
        wide = [float(r) for kind, r in zip(kinds, self.radius, strict=False) if kind not in told and r > _NARROW]
        if wide:
            what = f"{len(wide):,} of {_these(len(kinds), len(self))} {'is' if len(wide) == 1 else 'are'} wide"
            why = "a curve of minima, noisy or early ends, or minima that a smaller tol tells apart"
            lines.append(f"{what}, up to {max(wide):.2g} tol: {why}")
        return lines

    @functools.cached_property
    def told_kinds(self) -> list[str]:
        """The kinds of all attractors as the table tells them, or of the first twenty where all would take long."""
        return self._kind_texts(min(20, len(self)))

    def notes(self, reasons: bool = True) -> list[str]:
        """Return the same in few words, for pictures, with reasons or without; nothing where all kinds take long.

        Examples
        --------
        >>> import fastgd as gd
        >>> ring = gd.Problem(lambda x: (x[0] ** 2 + x[1] ** 2 - 1) ** 2, dim=2, bounds=(-2, 2))
        >>> gd.map_basins(ring, gd.GradientDescent(lr=0.05), (16, 16)).basins.notes()
        ['degenerate: 196 attractors, 100.0% (may be pieces of one curve)']
        """
        kinds = np.array(self.told_kinds)
        if len(kinds) < len(self):
            return []
        found = []
        for kind, why in NOTES.items():
            some = kinds == kind
            count = int(np.count_nonzero(some))
            if count > (kind == "degenerate"):
                share = self.fractions[some].sum()
                part = f"{share:.1%}" if share >= 0.001 else "< 0.1%"
                text = f"{kind}: {counted(count, 'attractor')}, {part}"
                found.append(f"{text} ({why})" if reasons else text)
        return found

    def _rows(self, kinds: list[str]) -> list[tuple[str, ...]]:
        return [(str(k), kind, *self._figures(k)) for k, kind in enumerate(kinds)]

    def _kind_texts(self, needed: int) -> list[str]:
        """Tell the kinds of all attractors, or of the first that are needed where all would take long."""
        from fastgd.landscape.classification import classify, kind_texts

        if self.problem is None:
            return ["?"] * needed
        if self.kinds_are_cheap:
            return kind_texts(self.curvature)
        return kind_texts(classify(self.problem, self.x[:needed], method="differences"))

    def _figures(self, index: int) -> tuple[str, ...]:
        low, high = self.intervals[index]
        return (
            _number(float(self.fun[index])),
            position_text(self.x, index),
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
            One entry per attribute but `problem`, and `kind` where that is known; arrays become nested lists.
        """
        arrays = (
            "x",
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
        plain["kind"] = None if self.problem is None else self.kind.tolist()
        return plain | {
            "unsettled": self.unsettled, "diverged": self.diverged, "name": self.name, "dtype": self.dtype,
            "drawn": self.drawn,
        }  # fmt: skip


def doubt_lines(kinds: list[str], total: int, function: str) -> list[str]:
    """Say, as lines, how many attractors may be none, and what to do about that.

    Examples
    --------
    >>> from fastgd.basins.found import doubt_lines
    >>> doubt_lines(["minimum", "flat", "flat"], 3, "find_basins")
    ['2 of these are flat: no slope beyond rounding, so runs stay where they start; other starts, or a smaller box']
    >>> doubt_lines(["minimum", "not critical"], 5000, "find_basins")
    ['1 of the first 2 is not critical: its runs were stopped on a slope; lower ftol and gtol']
    """
    these = _these(len(kinds), total)
    lines = []
    for kind, (one, several) in DOUBTS.items():
        count = kinds.count(kind)
        if count == 1 and one:
            lines.append(f"1 of {these} is {kind}{one}")
        if count > 1:
            lines.append(f"{count:,} of {these} are {kind}{several}")
    return [line.replace("FUNCTION", function) for line in lines]


def _these(count: int, total: int) -> str:
    return "these" if count == total else f"the first {count:,}"


def _number(value: float) -> str:
    # Of a value that is mostly rounding error, more digits would say nothing.
    return f"{value:.9g}" if abs(value) >= 1e-6 or value == 0.0 else f"{value:.1e}"
