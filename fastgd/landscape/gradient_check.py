r"""Is the gradient that of the function? Central differences with their own error bars.

With :math:`D(h) = (f(x + h e_j) - f(x - h e_j)) / 2h`, halving h divides the truncation error of D by four
and doubles its rounding error. From a ladder of halved steps, Richardson's extrapolation :math:`D_{k+1} +
(D_{k+1} - D_k) / (4^m - 1)` removes one power of :math:`h^2` after the other. Ridders' choice among all
entries of this table is the one that moved least from the entries it came from, and how far it moved bounds
its error. So neither a coarse step nor rounding in a large value looks like a wrong gradient, and a wrong
gradient cannot hide behind a guessed tolerance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.boxes import positive_integer, real_array, whole_seed
from fastgd.calls import explain_calls
from fastgd.checks import real_number
from fastgd.differences import ridders
from fastgd.landscape.one_sided import closer_look, is_vertical, noise_of
from fastgd.texts import Summarized, counted

if TYPE_CHECKING:
    from fastgd.problem import Problem

_LEVELS = 14
_FIRST_STEP = 2.0**-5
# How many numbers one call of the function is given at most.
_BLOCK = 2_000_000
_EPS = float(np.finfo(np.float64).eps)
# A table that moved little by luck understates its error; factors seen over the catalogue stay below 5.
_SAFETY = 20.0
_UNRESOLVED = 1e-3
# How many components are looked at closer for kinks at most
_CLOSER = 400


@dataclass(frozen=True, repr=False, eq=False)
class GradientCheck(Summarized):
    """What `gradient_check` found.

    Attributes
    ----------
    ok : bool
        No component was found wrong, and each could be looked at: at one point at least the function is
        finite around it.
    x : ndarray, shape (m, n)
        Points looked at.
    gradient : ndarray, shape (m, n)
        The gradient in question.
    reference : ndarray, shape (m, n)
        Extrapolated central differences; NaN where the function is not finite around the point. Where
        `kinks` holds, what smaller steps or one-sided differences say.
    uncertainty : ndarray, shape (m, n)
        Bound of the error of `reference`.
    absolute_error, relative_error : ndarray, shape (m, n)
        ``abs(gradient - reference)``, and that over the larger of the two magnitudes.
    wrong : ndarray of bool, shape (m, n)
        Where the error is more than `rtol` and the uncertainty explain.
    kinks : ndarray of bool, shape (m, n)
        Where a kink or another change within the steps explains the error of the central differences: smaller
        steps agree with the gradient; or the slopes on both sides stay apart, and it is one of them or between.
    unresolved : ndarray of bool, shape (m, n)
        Where the uncertainty is so large, above 0.1 % of the component (here or in the median over the
        points), that only gross errors would show.
    worst : tuple of two ints
        Point and component with the largest error compared with what is allowed.
    steps : ndarray, shape (levels,)
        Steps h at the worst component, each half of the one before.
    errors : ndarray, shape (levels,)
        ``abs(D(h) - gradient)`` at the worst component: constant as h shrinks where the gradient is wrong,
        falling like h^2 where only the step is coarse, rising again where rounding takes over.
    rtol : float
        Relative error that passes.
    """

    ok: bool
    x: NDArray[np.float64]
    gradient: NDArray[np.float64]
    reference: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    absolute_error: NDArray[np.float64]
    relative_error: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    kinks: NDArray[np.bool_]
    unresolved: NDArray[np.bool_]
    worst: tuple[int, int]
    steps: NDArray[np.float64]
    errors: NDArray[np.float64]
    rtol: float
    name: str = ""

    def __repr__(self) -> str:
        return f"<GradientCheck of {self.name or 'a problem'}: {self._verdict()}>"

    def _verdict(self) -> str:
        points, components = self.x.shape
        if self.ok:
            return f"ok at {counted(points, 'point')}, {counted(components, 'component')}"
        if self.wrong.any():
            return (
                f"WRONG in {_listed(self.wrong.any(axis=0))}, "
                f"at {np.count_nonzero(self.wrong.any(axis=1))} of {points} points"
            )
        unseen = np.isnan(self.reference).all(axis=0)
        where = "" if unseen.all() else f" in {_listed(unseen)}"
        return f"NOT CHECKED{where}: the function is not finite around any of {counted(points, 'point')}"

    def summary(self) -> str:
        """Return the verdict, the worst component, and its error as the step is halved, as plain text."""
        i, j = self.worst
        lines = [
            f"gradient of {self.name or 'the problem'}: {self._verdict()}",
            f"worst: component {j} at point {i}, x = {np.array2string(self.x[i], precision=6, threshold=8)}",
            f"  gradient           {self.gradient[i, j]:.12g}",
            f"  central difference {self.reference[i, j]:.12g} +- {self.uncertainty[i, j]:.1e}",
            f"  absolute error {self.absolute_error[i, j]:.1e}, relative {self.relative_error[i, j]:.1e}",
        ]
        if self.wrong.any():
            lines += ["  step h    |D(h) - gradient|"]
            lines += [f"  {h:.1e}   {e:.3e}" for h, e in zip(self.steps, self.errors, strict=True)]
            lines += [
                "  An error that stays as h shrinks is the gradient's; a coarse step's would fall like h^2."
            ]
        kinks = np.argwhere(self.kinks)
        if kinks.size:
            i, j = kinks[0]
            lines.append(
                f"kinks: {len(kinks)} of {self.kinks.size} components have a kink or a jump within the steps, "
                f"the first component {j} at point {i}; smaller steps and one-sided differences agree with the gradient"
            )
        hidden = np.count_nonzero(self.unresolved)
        if hidden:
            lines.append(
                f"{hidden} of {self.unresolved.size} components could hide an error above {_UNRESOLVED:.1%}: "
                "rounding, a kink or a value that is not finite blurs the differences there"
            )
        return "\n".join(lines)


def _listed(chosen: Any) -> str:
    """Return the numbers of the components chosen, at most eight, in words."""
    parts = np.flatnonzero(chosen)
    shown = ", ".join(str(j) for j in parts[:8]) + (", ..." if parts.size > 8 else "")
    return f"component{'s' if parts.size > 1 else ''} {shown}"


@explain_calls()
def gradient_check(
    problem: Problem, x: ArrayLike | None = None, *, n_points: int = 32, seed: int = 0, rtol: float = 1e-6
) -> GradientCheck:
    """Compare a problem's gradient with central differences of its values.

    A wrong gradient is reported, not raised: write ``assert gradient_check(problem).ok`` in a test.

    Parameters
    ----------
    problem : Problem
        The problem, or any object with `value` and `gradient` over points of shape (m, n), `bounds`, `dim`.
    x : array_like, shape (*batch, n), optional
        Points to look at. By default `n_points` drawn from the box.
    n_points : int
        Number of points drawn when `x` is not given.
    seed : int
        Seed of the draw.
    rtol : float
        Error that passes, relative to the larger of the component and its central difference.

    Returns
    -------
    GradientCheck
        Prints as a verdict with the worst component.

    Raises
    ------
    TypeError, ValueError
        If `x` is not finite or has the wrong last axis, there is neither `x` nor a box, `n_points` < 1, or
        `rtol` is not positive.

    Notes
    -----
    A component counts as wrong where its error exceeds ``rtol * max(|g_j|, |D_j|)`` plus the error bound of
    the difference: the movement in the extrapolation table, and rounding, ``eps * max|f| / h``. Where second
    differences tell of a kink within the steps, these are halved until they lie on one side of it; where the
    slopes of both sides stay apart, any gradient from the one to the other passes.

    References
    ----------
    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4
    (1982) 75-76, doi:10.1016/S0141-1195(82)80057-0.

    Examples
    --------
    >>> import fastgd as gd
    >>> def bowl(x):
    ...     return x[0]**2 + 3 * x[1]**2
    >>> def grad(x, out):
    ...     out[0] = 2 * x[0]
    ...     out[1] = 3 * x[1]
    >>> check = gd.gradient_check(gd.Problem(bowl, grad, dim=2, bounds=(-1, 1)))
    >>> check
    <GradientCheck of bowl: WRONG in component 1, at 32 of 32 points>
    """
    if not hasattr(problem, "gradient"):  # another object that has one will do
        check_problem(problem)
    n_points, seed = positive_integer(n_points, "n_points"), whole_seed(seed)
    rtol = real_number(rtol, "rtol", "a positive number", 0.0, above=True)
    points = _points(problem, x, n_points, seed)
    m, n = points.shape
    bounds = problem.bounds
    scale = np.maximum(1.0, np.abs(points))
    if bounds is not None:
        scale = np.maximum(np.broadcast_to(bounds[:, 1] - bounds[:, 0], (m, n)), 1e-3 * np.abs(points))
    first = _FIRST_STEP * scale

    gradient = np.asarray(problem.gradient(points), dtype=np.float64)
    quotient, size, steps, second = _ladder(problem, points, first)
    noise = noise_of(second)
    reference, movement = ridders(quotient, noise / steps)
    # Steps are exact differences of points, so what is left is rounding inside the function, at the smallest
    # step that may have entered the chosen value.
    best = np.argmin(np.nan_to_num(np.abs(quotient - reference), nan=np.inf), axis=0)
    rounding = np.maximum(_EPS * size, noise) / np.take_along_axis(steps, best[None], axis=0)[0]
    uncertainty = _SAFETY * movement + 4.0 * rounding

    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(gradient - reference)
        magnitude = np.maximum(np.abs(gradient), np.abs(reference))
        relative = np.where(error == 0.0, 0.0, error / magnitude)
        allowed = rtol * magnitude + uncertainty
        excess = np.where(error == 0.0, 0.0, error / allowed)
    seen = np.isfinite(reference)
    wrong = seen & (~np.isfinite(gradient) | (excess > 1.0))
    kinks = wrong & is_vertical(quotient, gradient)
    wrong &= ~kinks
    for i, j in np.concatenate([np.argwhere(wrong), np.argwhere(~wrong & (noise > 0.0))])[:_CLOSER]:
        sides = closer_look(problem, points[i], int(j), first[i, j], error[i, j] if wrong[i, j] else 0.0, rtol)
        passes = sides is not None and sides.allow(gradient[i, j])
        if sides is None or passes != wrong[i, j] or not (passes or sides.steady):
            continue
        reference[i, j] = np.clip(gradient[i, j], sides.low, sides.high) if passes else 0.5 * (sides.low + sides.high)
        uncertainty[i, j] = 0.5 * (sides.high - sides.low) + sides.uncertainty
        kinks[i, j], wrong[i, j] = passes, not passes
        error[i, j] = abs(gradient[i, j] - reference[i, j])
        relative[i, j] = error[i, j] / max(abs(gradient[i, j]), abs(reference[i, j]), np.finfo(float).tiny)
        excess[i, j] = 0.0 if passes else error[i, j] / uncertainty[i, j]
    # A component that happens to be near zero is measured by its size at the other points.
    known = np.where(seen, np.abs(reference), 0.0)
    level = np.maximum(known, np.median(known, axis=0))
    unresolved = ~seen | (uncertainty > _UNRESOLVED * level)
    rank = np.where(wrong & ~np.isfinite(excess), np.inf, np.where(seen, excess, -1.0))
    i, j = (int(k) for k in np.unravel_index(np.argmax(rank), rank.shape))
    return GradientCheck(
        ok=not bool(wrong.any()) and bool(seen.any(axis=0).all()),
        x=points,
        gradient=gradient,
        reference=reference,
        uncertainty=uncertainty,
        absolute_error=error,
        relative_error=relative,
        wrong=wrong,
        kinks=kinks,
        unresolved=unresolved,
        worst=(i, j),
        steps=steps[:, i, j],
        errors=np.abs(quotient[:, i, j] - gradient[i, j]),
        rtol=float(rtol),
        name=str(getattr(problem, "name", None) or ""),
    )


def _points(problem: Problem, x: ArrayLike | None, n_points: int, seed: int) -> NDArray[np.float64]:
    if x is None:
        if problem.bounds is None:
            raise ValueError("x must be given for a problem without a box, got None; or Problem(..., bounds=(-1, 1))")
        low, high = problem.bounds[:, 0], problem.bounds[:, 1]
        # The first steps are long; drawn from the inner box, no point leaves the box by them.
        drawn = problem.sample(n_points, seed=seed)
        return low + _FIRST_STEP * (high - low) + (1 - 2 * _FIRST_STEP) * (drawn - low)
    points = real_array(x, "x")
    if points.ndim == 0 or points.shape[-1] != problem.dim or points.size == 0:
        raise ValueError(
            f"x must have shape (*batch, {problem.dim}) and at least one point, got {points.shape}"
        )
    if not np.isfinite(points).all():
        raise ValueError("x must be finite, got NaN or infinite entries")
    return points.reshape(-1, problem.dim)


def _ladder(
    problem: Problem, points: NDArray[np.float64], first: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return central differences, the largest value met, steps, and second differences.

    The shape is (levels, m, n), but (m, n) for the largest value.
    """
    m, n = points.shape
    quotient = np.empty((_LEVELS, m, n))
    steps = np.empty((_LEVELS, m, n))
    second = np.empty((_LEVELS, m, n))
    middle = np.asarray(problem.value(points), dtype=np.float64)[:, None]
    size = np.zeros((m, n))
    points_at_once = max(1, _BLOCK // (2 * n * n))
    parts_at_once = max(1, min(n, _BLOCK // (2 * n)))
    blocks = itertools.product(range(0, m, points_at_once), range(0, n, parts_at_once))
    for point, part in blocks:
        at = (slice(point, point + points_at_once), slice(part, part + parts_at_once))
        for level in range(_LEVELS):
            right, left, width = _sides(problem, points[at[0]], first[at] * 0.5**level, part)
            with np.errstate(invalid="ignore", over="ignore"):
                quotient[(level, *at)] = (right - left) / width
                second[(level, *at)] = right - 2.0 * middle[at[0]] + left
            steps[(level, *at)] = 0.5 * width
            size[at] = np.fmax(size[at], np.fmax(np.abs(right), np.abs(left)))
    return quotient, size, steps, second


def _sides(
    problem: Any, points: NDArray[np.float64], h: NDArray[np.float64], part: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return values a step to the right and left, and the distance between, in components from `part`."""
    row = np.arange(h.shape[1])
    column = part + row
    stencil = np.broadcast_to(points[:, None, :], (2, len(points), row.size, points.shape[1])).copy()
    stencil[0, :, row, column] += h.T
    stencil[1, :, row, column] -= h.T
    width = (stencil[0, :, row, column] - stencil[1, :, row, column]).T
    value = np.asarray(problem.value(stencil), dtype=np.float64)
    return value[0], value[1], width
