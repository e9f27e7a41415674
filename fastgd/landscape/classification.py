"""Minimum, saddle or maximum: what the second derivatives say about points, and which rates hold there."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.boxes import box_scale, positive_integer, real_array
from fastgd.calls import explain_calls
from fastgd.checks import real_number
from fastgd.landscape.curvature import can_derive, checked_method
from fastgd.landscape.judging import judged_everywhere
from fastgd.landscape.kinds import RTOL
from fastgd.texts import Summarized, counted, first_lines, position_text

if TYPE_CHECKING:
    from fastgd.problem import Problem

_DENSE_UP_TO = 512
_ENDS = 4
_FEW_DATA = 100  # a function with more is long, and its second derivatives longer


@dataclass(frozen=True, repr=False, eq=False)
class Classification(Summarized):
    r"""What `classify` found out about points; prints as a table.

    Attributes
    ----------
    x : ndarray, shape (*batch, n)
        The points.
    grad_norm : ndarray, shape (*batch,)
        Largest absolute component of the gradient.
    eigenvalues : ndarray, shape (*batch, k)
        Eigenvalues of the Hessian, ascending; those of symmetries (`zero_modes`) are left out. All n of them, or
        those at both ends of the spectrum where `complete` is False.
    index : ndarray of int64, shape (*batch,)
        Number of negative eigenvalues: 0 at a minimum, n at a maximum.
    nullity : ndarray of int64, shape (*batch,)
        Number of eigenvalues that are zero within the tolerance, those of symmetries not counted.
    kind : ndarray of str, shape (*batch,)
        "minimum": all eigenvalues are positive. "maximum": all are negative. "saddle": some are positive and some
        negative, whatever else. "degenerate": some are zero and the rest has one sign, so that second derivatives do
        not tell. "flat": slope and curvature, over a tenth of the side of the box and a hundredth of it aside, change
        the value by less than the rounding of 1, or of what they change it by elsewhere (at the other points, and at a
        typical place of the box) if that is less, as on a plateau. "undefined": the value, the gradient or the Hessian
        is not finite, as outside the domain of a logarithm. "kink": a minimum within a thousandth of the side of the
        box at which the gradient jumps, as 0 of abs(x), so that it vanishes nowhere (looked for at up to 50 points, of
        up to 64 parameters). "undecided": differences of the gradient over smaller and smaller steps do not agree on
        the signs of the eigenvalues. "not critical", whatever the eigenvalues: a zero of the gradient, if there is one,
        is farther away than a thousandth of the side of the box by Newton's step (without a box, than a hundredth of
        the scale that `classify` takes). Where not `complete`, the
        gradient over the largest eigenvalue stands for the step, which may be longer. Also beside a
        point of infinite slope, such as 0 of a square root: there Newton's step is short, and leads nowhere.
    complete : bool
        Whether all eigenvalues were computed.
    scale : ndarray, shape (n,), or None
        The unit in which kinds are judged: a tenth of the side of the box, or what was given. Points are printed with
        the digits that show in it.
    """

    x: NDArray[np.float64]
    grad_norm: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    index: NDArray[np.int64]
    nullity: NDArray[np.int64]
    kind: NDArray[np.str_]
    complete: bool
    scale: NDArray[np.float64] | None = None

    @property
    def sharpness(self) -> NDArray[np.float64]:
        """Largest eigenvalue of the Hessian, shape (*batch,)."""
        return self.eigenvalues[..., -1]

    @property
    def max_lr(self) -> NDArray[np.float64]:
        r"""Largest learning rate at which gradient descent stays, shape (*batch,): :math:`2 / \lambda_{max}`.

        Beyond it the step along the steepest direction overshoots by more than it came from. At a saddle or a
        maximum it is 0, as descent leaves them at every rate. Infinite where there is no curvature, or so little
        that no finite rate is too large.
        """
        curved = self.sharpness > 2.0 / np.finfo(np.float64).max
        limit = np.divide(2.0, self.sharpness, out=np.full(np.shape(curved), np.inf), where=curved)
        return np.where(np.isnan(self.sharpness), np.nan, np.where(self.index > 0, 0.0, limit))

    @property
    def condition(self) -> NDArray[np.float64]:
        """Largest over smallest absolute eigenvalue, shape (*batch,); infinite where the latter is as good as none.

        NaN unless `complete`, and where all are zero.
        """
        size = np.abs(self._all())
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # beyond the largest number is infinite
            return size.max(axis=-1) / size.min(axis=-1)

    @property
    def trace(self) -> NDArray[np.float64]:
        """Sum of the eigenvalues, shape (*batch,): n times the mean curvature; NaN unless `complete`."""
        return self._all().sum(axis=-1)

    @property
    def log_det(self) -> NDArray[np.float64]:
        r"""Sum of the logarithms of the absolute eigenvalues, shape (*batch,); NaN unless `complete`.

        The volume around a minimum in which the value rises by less than a small amount is proportional to
        :math:`e^{-\mathrm{log\_det} / 2}`: the smaller, the wider. Minus infinity where an eigenvalue is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(np.abs(self._all())).sum(axis=-1)

    def _all(self) -> NDArray[np.float64]:
        return self.eigenvalues if self.complete else np.full_like(self.eigenvalues, np.nan)

    def __repr__(self) -> str:
        kinds, counts = np.unique(self.kind, return_counts=True)
        found = ", ".join(counted(int(count), str(kind)) for kind, count in zip(kinds, counts, strict=True))
        steepest = np.max(self.grad_norm, initial=0.0, where=self.kind == "not critical")
        doubt = f"; gradients up to {steepest:.2g}" if steepest > 0 else ""
        return f"<Classification of {counted(self.kind.size, 'point')}: {found or 'none'}{doubt}>"

    def summary(self, limit: int = 20) -> str:
        """Return a table of the points, as plain text.

        Parameters
        ----------
        limit : int
            Most rows to show.

        Returns
        -------
        str
            One line per point: number, kind with the index of saddles, position, largest component of the gradient,
            smallest and largest eigenvalue, and the largest rate at which gradient descent stays there, or a dash
            where there is no curvature to limit it.
        """
        limit, x = positive_integer(limit, "limit"), self.x.reshape(-1, self.x.shape[-1])
        eigenvalues = self.eigenvalues.reshape(-1, self.eigenvalues.shape[-1])
        limits, norms = self.max_lr.reshape(-1), self.grad_norm.reshape(-1)
        columns = ("", "kind", "position", "gradient", "lowest eigenvalue", "highest", "largest lr")
        rows = []
        for k, kind in enumerate(kind_texts(self)[:limit]):
            numbers = (norms[k], eigenvalues[k, 0], eigenvalues[k, -1])
            limit_text = "-" if np.isinf(limits[k]) else f"{limits[k]:.4g}"
            where = position_text(x, k, scale=self.scale)
            rows.append([str(k), kind, where, *(f"{number + 0.0:.4g}" for number in numbers), limit_text])
        return "\n".join([repr(self)[1:-1], *first_lines(columns, rows, len(x), left=(1, 2))])


@explain_calls()
def classify(
    problem: Problem,
    points: ArrayLike,
    *,
    zero_modes: int = 0,
    method: str = "auto",
    ends: int | None = None,
    rtol: float | None = None,
    scale: ArrayLike | None = None,
) -> Classification:
    r"""Tell minima, saddles and maxima apart by the eigenvalues of the Hessian.

    Parameters
    ----------
    problem : Problem
        The function.
    points : array_like, shape (*batch, n)
        Points where the gradient is (nearly) zero, such as ``basins.x``.
    zero_modes : int
        How many zero eigenvalues belong to a symmetry and say nothing: 6 for a cluster of atoms in space, which may
        be moved and turned, 1 for a ring of oscillators. The smallest in absolute value are left out.
    method : {"auto", "derived", "differences"}
        Where the second derivatives come from: derived from `fun`, or differences of the gradient over four points
        (relative error about 1e-9), by steps that are halved until two agree. "auto" derives for up to
        12 parameters, where that is possible.
    ends : int, optional
        Compute only so many eigenvalues at each end of the spectrum, by Lanczos' method with products of the Hessian
        and a vector. More are taken at the lower end until one is positive, so `index` and `kind` stay exact.
        By default all are computed for up to 512 parameters, and 4 at each end beyond.
    rtol : float, optional
        An eigenvalue counts as zero below this fraction of the largest in absolute value; by default 1e-10 with
        derived second derivatives and 1e-7 with differences. It also does where it is smaller than the change of the
        Hessian on the way to where the gradient would be zero, so that a point beside a curve of minima is
        degenerate, and neither minimum nor saddle.

    scale : float or array_like of shape (n,), optional
        For a problem without a box: over what distance each parameter changes something, such as a tenth of the range
        in which it lies. Kinds are judged in these units, and so do not depend on what parameters are measured in. A
        box says it by itself, a tenth of its side. Without either it is the coordinate, or 1 where that is more; where
        this comes to no kind, the largest coordinate of the points.

    Returns
    -------
    Classification
        Eigenvalues, `index`, `kind`, and as properties `sharpness`, `max_lr`, `condition`, `trace`, `log_det`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    DerivationError
        If ``method="derived"`` and the second derivatives cannot be derived.

    References
    ----------
    Y. N. Dauphin et al., Identifying and attacking the saddle point problem in high-dimensional non-convex
    optimization, NeurIPS 27 (2014), arXiv:1406.2572. S. Hochreiter, J. Schmidhuber, Flat minima, Neural Computation 9
    (1997) 1-42, doi:10.1162/neco.1997.9.1.1. C. Lanczos, Journal of Research of the National Bureau of Standards 45
    (1950) 255, doi:10.6028/jres.045.026.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2))
    >>> found = gd.classify(problem, [[0.0, 0.0], [1.0, 0.0]])
    >>> found.kind
    array(['saddle', 'minimum'], dtype='<U12')
    >>> found.index, found.max_lr
    (array([1, 0]), array([0.  , 0.25]))
    """
    check_problem(problem)
    refuse_results(points)
    array = problem._points(points)
    zero_modes = checked_zero_modes(zero_modes, problem.dim)
    if rtol is not None:
        rtol = real_number(rtol, "rtol", "a number in [0, 1)", 0.0, np.nextafter(1.0, 0.0))
    if ends is not None:
        ends = positive_integer(ends, "ends")
    elif problem.dim > _DENSE_UP_TO:
        ends = _ENDS
    flat = array.reshape(-1, problem.dim)
    # Of the whole spectrum little is saved by leaving out a part.
    dense = ends is None or 2 * (ends + zero_modes) >= problem.dim
    source = checked_method(problem, method) if dense else "differences"
    zero = RTOL[source] if rtol is None else float(rtol)
    given = checked_scale(scale, problem)
    found = judged_everywhere(problem, flat, source, zero_modes, zero, given, None if dense else ends)
    return _classified(array, problem, given, bool(dense), *found)


def classify_ends(problem: Problem, x: NDArray[np.float64], scale: NDArray[np.float64] | None) -> Classification:
    """Classify where runs ended, shape (m, n), by differences, and by derivatives where these leave a doubt.

    That way most problems need no second derivatives, which take longer to derive than the runs took.
    """
    many = problem.dim > _DENSE_UP_TO
    zero = RTOL["differences"]
    found = judged_everywhere(problem, x, "differences", 0, zero, scale, _ENDS if many else None)
    doubtful = np.flatnonzero(np.isin(found[2], ("degenerate", "undecided")))
    if doubtful.size and not many and can_derive(problem, _FEW_DATA):
        derived = judged_everywhere(problem, x[doubtful], "derived", 0, RTOL["derived"], scale, None)
        for whole, part in zip(found, derived, strict=True):
            whole[doubtful] = part
    return _classified(x, problem, scale, not many, *found)


def checked_scale(scale: ArrayLike | None, problem: Problem) -> NDArray[np.float64] | None:
    """Return what was given as the scale of each parameter, shape (n,), or that of the box, or raise."""
    if scale is None:
        return None
    given = real_array(scale, "scale")
    if given.shape not in ((), (problem.dim,)) or not bool(np.all(np.isfinite(given) & (given > 0))):
        raise ValueError(f"scale must be positive and finite, a number or of shape ({problem.dim},), got {scale!r}")
    if problem.bounds is not None:
        raise ValueError("scale must be left out for a problem with a box, whose sides say it")
    return np.broadcast_to(given, (problem.dim,)).copy()


def _classified(
    array: NDArray[np.float64], problem: Problem, scale: NDArray[np.float64] | None, complete: bool,
    eigenvalues: NDArray[np.float64], grad_norm: NDArray[np.float64], kind: NDArray[np.str_],
    index: NDArray[np.int64], nullity: NDArray[np.int64],
) -> Classification:  # fmt: skip
    batch = array.shape[:-1]
    return Classification(
        x=array,
        grad_norm=grad_norm.reshape(batch),
        eigenvalues=eigenvalues.reshape(*batch, eigenvalues.shape[1]),
        index=index.reshape(batch),
        nullity=nullity.reshape(batch),
        kind=kind.reshape(batch),
        complete=complete,
        scale=scale if problem.bounds is None else box_scale(problem.bounds),
    )


def kind_texts(found: Classification) -> list[str]:
    """Return the kinds for a table, with the index of saddles."""
    return [
        f"{kind} {index}" if kind == "saddle" else str(kind)
        for kind, index in zip(found.kind.ravel(), found.index.ravel(), strict=True)
    ]


def refuse_results(points: Any) -> None:
    """Raise TypeError, saying where its points are, for what another function of the package returned."""
    for place in ("x", "basins.x"):
        try:
            found = operator.attrgetter(place)(points)
        except AttributeError:
            continue
        if isinstance(found, np.ndarray):
            raise TypeError(
                f"points must be an array of shape (*batch, n), not {type(points).__name__}: give its points, .{place}"
            )


def checked_zero_modes(zero_modes: int, dim: int) -> int:
    """Return `zero_modes` as an int from 0 to dim - 1, or raise."""
    if isinstance(zero_modes, bool) or not isinstance(zero_modes, (int, np.integer)):
        raise TypeError(f"zero_modes must be an integer, got {zero_modes!r}")
    if not 0 <= zero_modes < dim:
        raise ValueError(f"zero_modes must be at least 0 and below the dimension {dim}, got {zero_modes}")
    return int(zero_modes)
