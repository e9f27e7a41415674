"""What was found: the attractors, their shares, and the table that shows them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.lost import INFINITY, KINK, LostEnds, Unlabelled, no_ends, told_apart
from fastgd.boxes import box_scale, positive_integer
from fastgd.errors import attribute_of
from fastgd.texts import Summarized, counted, first_lines, position_text

if TYPE_CHECKING:
    from fastgd.landscape.classification import Classification
    from fastgd.problem import Problem

UNSETTLED = -1
DIVERGED = -2
UNSETTLED_ADVICE = "not at rest when they ended: more max_steps, another lr"
WITHOUT_RATE_ADVICE = "not at rest when they ended: more max_steps, or a larger gtol"
SEARCH_ADVICE = "no step lowers the value, as where it differs by rounding alone: a larger gtol"
DRAWN_ADVICE = (
    "batches and noise let no run come to rest: go on from its end with all samples, "
    "find_basins(minimize(problem, runs.x, optimizer))"
)
SINGLE_ADVICE = "float32 gradients are seldom that exact: a larger gtol, such as 1e-3, or float64; else more max_steps"
DIVERGED_ADVICE = "a lower lr, clip_norm=, or starts where the function is finite"
DIVERGED_WITHOUT_RATE_ADVICE = "starts where the function is finite"
# What the table says of the ends that it tells apart without a label
UNLABELLED = {
    KINK: "kink: the gradient jumps there, and meets no gtol; these runs have no label",
    INFINITY: "to infinity: the value falls outwards there without an end; these runs have no label",
}
_NO_SLOPE = ": no slope beyond rounding, so runs stay where they start; other starts, or a smaller box"
# What tables say of attractors of some kinds, of one and of several
DOUBTS = {
    "not critical": (
        ": its runs were stopped on a slope; lower ftol and gtol",
        ": their runs were stopped on a slope; lower ftol and gtol",
    ),
    "flat": (_NO_SLOPE, _NO_SLOPE),
    "undecided": (": differences of the gradient do not agree on its curvature", ": differences do not agree there"),
    "degenerate": ("", " and may be pieces of one curve or surface of minima: see coordinates= of FUNCTION"),
}
NOTES = {
    "not critical": "runs stopped on a slope", "flat": "no slope beyond rounding",
    "degenerate": "may be pieces of one curve",
}  # fmt: skip
_NARROW = 0.1
_SEARCH_FAILED = 4
_TOLERANCES = 100.0  # the default tolerance is a hundredth of the scale
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
    region : ndarray, shape (n, 2), or None
        The box of the problem, or one that holds the starts and most ends: what size parameters have.
    has_rate : bool
        Whether the optimizer has a learning rate.
    lost : LostEnds or None
        Ends of the runs without label; see `unlabelled`.
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
    region: NDArray[np.float64] | None = field(default=None)
    has_rate: bool = field(default=True)
    lost: LostEnds | None = field(default=None)

    if not TYPE_CHECKING:  # which would take any name then

        def __getattr__(self, name: str) -> Any:
            return attribute_of(self, name, MEANT)

    @functools.cached_property
    def curvature(self) -> Classification:
        """Second derivatives at `x`, computed at first access: by differences, and derived where these leave doubts.

        For symmetries, or to say how the second derivatives are taken, call `fastgd.classify` on `x`.

        Raises
        ------
        ValueError
            If it is not known what was minimized.
        """
        from fastgd.landscape.classification import classify_ends

        if self.problem is None:
            raise ValueError("problem is not known of these runs, so their end points have no second derivatives")
        return classify_ends(self.problem, self.x, self.scale)

    @property
    def scale(self) -> NDArray[np.float64] | None:
        """Over what distance each parameter changes something, shape (n,): a tenth of `region`."""
        return None if self.region is None else box_scale(self.region)

    @functools.cached_property
    def unlabelled(self) -> Unlabelled:
        """Where the runs without attractor ended, as far as it can be told: at kinks, or on the way to infinity.

        Looked for at first access, kinks at up to twenty places where most of them are.
        """
        lost = self.lost if self.lost is not None else no_ends(self.x.shape[1])
        return told_apart(lost, self.problem, self.region, self.tol, self.labels.size)

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
        others = self.unlabelled
        rows += [self._unlabelled_row(k) for k in range(len(others))]
        lines += first_lines(COLUMNS, rows, len(self) + len(others), left=(1, 3), rest=rest)
        lines += self.doubts()
        lines += [text for kind, text in UNLABELLED.items() if kind in others.kind]
        of_label = others.of_label.sum(axis=0, initial=0) / max(self.labels.size, 1)
        for name, share, told, advice in zip(
            ("not settled", "diverged"), (self.unsettled, self.diverged), of_label, self._advice(), strict=True
        ):
            if share > told:
                besides = " besides" if told else ""
                lines.append(f"{name}{besides}: {share - told:.2%} ({advice})")
        return "\n".join(lines)

    def _advice(self) -> tuple[str, str]:
        """Say what to do about runs that did not settle, and about those that diverged."""
        unsettled = UNSETTLED_ADVICE if self.has_rate else WITHOUT_RATE_ADVICE
        status = np.zeros(0) if self.lost is None else self.lost.status[self.lost.label == UNSETTLED]
        if 2 * np.count_nonzero(status == _SEARCH_FAILED) > len(status):
            unsettled = SEARCH_ADVICE
        if self.dtype == "float32":
            unsettled = SINGLE_ADVICE
        if self.drawn:
            unsettled = DRAWN_ADVICE
        return unsettled, DIVERGED_ADVICE if self.has_rate else DIVERGED_WITHOUT_RATE_ADVICE

    def _unlabelled_row(self, k: int) -> tuple[str, ...]:
        found = self.unlabelled
        low, high = found.intervals[k]
        where = np.concatenate([self.x, found.x[[k]]])
        position = position_text(where, len(self), scale=self.shown_scale) if found.kind[k] == KINK else ""
        share = f"{found.fractions[k]:.2%}", f"{100 * low:.2f} - {100 * high:.2f} %", f"{found.mean_nit[k]:.1f}"
        return "-", str(found.kind[k]), self._value(float(found.fun[k])), position, *share, "-"

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
        from fastgd.landscape.classification import classify_ends, kind_texts

        if self.problem is None:
            return ["?"] * needed
        if self.kinds_are_cheap:
            return kind_texts(self.curvature)
        return kind_texts(classify_ends(self.problem, self.x[:needed], self.scale))

    @property
    def shown_scale(self) -> NDArray[np.float64] | None:
        """What shows in a position, shape (n,): the scale, or less where attractors were told apart by less."""
        if self.scale is None or self.scale.shape != self.tol.shape:
            return self.scale
        return np.minimum(self.scale, _TOLERANCES * self.tol)

    def _figures(self, index: int) -> tuple[str, ...]:
        low, high = self.intervals[index]
        return (
            self._value(float(self.fun[index])),
            position_text(self.x, index, scale=self.shown_scale),
            f"{self.fractions[index]:.2%}",
            f"{100 * low:.2f} - {100 * high:.2f} %",
            f"{self.mean_nit[index]:.1f}",
            "-" if self.known[index] < 0 else f"#{self.known[index]}",
        )

    def _value(self, value: float) -> str:
        return "0" if abs(value) < self._rounding else _number(value)

    @functools.cached_property
    def _rounding(self) -> float:
        """The rounding of values, by how much they change in the region."""
        from fastgd.landscape.kinds import typical_change

        if self.problem is None or self.region is None:
            return 0.0
        change = typical_change(self.problem, self.region.mean(axis=1), self.scale)
        return float(np.finfo(np.float64).eps) * change if np.isfinite(change) else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return everything as built-in numbers, lists and strings, ready for JSON.

        Returns
        -------
        dict
            One entry per attribute but `problem` and `lost`, `unlabelled`, and `kind` where that is known; arrays
            become nested lists.
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
        others = self.unlabelled
        told = {name: getattr(others, name).tolist() for name in ("kind", "fun", "counts", "fractions", "mean_nit")}
        told["x"] = [None if np.isnan(x).any() else x.tolist() for x in others.x]
        return plain | {
            "unsettled": self.unsettled, "diverged": self.diverged, "name": self.name, "dtype": self.dtype,
            "drawn": self.drawn, "has_rate": self.has_rate, "unlabelled": told,
            "region": None if self.region is None else self.region.tolist(),
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
