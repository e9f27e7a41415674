"""Does a derived function belong to the function that it was derived from? Differences of values along a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgd.differences import ridders
from fastgd.guards import called, unremarkable_points
from fastgd.points import Point, is_real

__all__ = ["disagreement"]

POINTS = 3
SPREAD = 0.9  # of the box that the points come from
LEVELS = 8
FIRST_STEPS = (2.0**-5, 2.0**-15, 2.0**-25)  # for functions that change within shorter ways than their box
RTOL = 1e-5
SAFETY = 20.0  # as in fastgd.gradient_check
RESOLVED = 0.1  # of a derivative: a difference with a larger uncertainty tells nothing
NEAR = 0.5  # of the way from the limit of the differences to the derived value
EPS = float(np.finfo(np.float64).eps)


def disagreement(
    kind: str,
    fun: Callable[..., Any],
    derived: Callable[..., None],
    dim: int,
    bounds: np.ndarray | None,
    data: tuple[Any, ...],
    samples: int | None = None,
) -> str:
    """Return words where a derived gradient or Hessian is not that of `fun` at some point; else nothing.

    At each of a few points it is compared with differences of `fun`, run in plain Python, in one direction in which all
    parameters change. They are taken at ever shorter steps; where these do not settle, as at kinks and in noise, or
    where the function has no value, nothing is said.

    Parameters
    ----------
    kind : {"gradient", "hessian"}
        Which.
    fun, derived : callable
        The function, and what was derived of it.
    dim : int
        Number of parameters.
    bounds : ndarray of shape (dim, 2), or None
        The box that the points are from.
    data : tuple
        Their further arguments.
    samples : int, optional
        How many samples there are, for functions of one sample.
    """
    width = np.ones(dim) if bounds is None else bounds[:, 1] - bounds[:, 0]
    for k, point in enumerate(unremarkable_points(dim, bounds, POINTS, spread=SPREAD if bounds is not None else 0.2)):
        numbers = () if samples is None else (k * (samples - 1) // (POINTS - 1),)
        direction = width * (0.5 + np.mod((np.arange(dim) + 1 + k) * np.sqrt(2.0), 1.0)) * (-1.0) ** np.arange(dim)

        def along(t: float) -> float:
            defined, value = value_at(fun, (Point(point + t * direction), *numbers, *data))  # noqa: B023
            return float(value) if defined and is_real(value) else np.nan

        def slope_at(t: float) -> float:
            row = np.zeros(dim * dim if kind == "hessian" else dim)
            if not value_at(derived, (Point(point + t * direction), *numbers, row, *data))[0]:  # noqa: B023
                return np.nan
            parts = row if kind == "gradient" else row.reshape(dim, dim) @ direction  # noqa: B023
            return float(direction @ parts)  # noqa: B023

        slope = slope_at(0.0)
        expected = limit(kind, along, slope_at) if np.isfinite(slope) else None
        if expected is not None:
            name = "slope" if kind == "gradient" else "second derivative"
            at = np.array2string(point, precision=6, separator=", ", threshold=6, edgeitems=3)
            return (
                f"at x = {at}{f', sample {numbers[0]},' if numbers else ''} along "
                f"{np.array2string(direction, precision=4, separator=', ', threshold=6, edgeitems=3)} the {name} is "
                f"{expected:.6g} by differences of its values, and {slope:.6g} by the derived {kind}"
            )
    return ""


def value_at(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Call a function: whether it is defined there, and what it returned."""
    try:
        return called(function, "fun", arguments)
    except (TypeError, ValueError):
        return False, None


def limit(kind: str, along: Callable[[float], float], slope_at: Callable[[float], float]) -> float | None:
    """Return the derivative of a function of one number at 0 where it is surely not ``slope_at(0)``, else None.

    It is sure where the differences over at least two ranges of steps settle and agree among themselves, while
    `slope_at`, which a shorter wave would change, stays the same over the step. No difference may come near it: where
    values are rounded to a staircase, the long steps are the right ones.
    """
    settled: list[float] = []
    nearest_by = np.inf
    middle, slope = along(0.0) if kind == "hessian" else 0.0, slope_at(0.0)
    for first in FIRST_STEPS:
        steps = first * 0.5 ** np.arange(LEVELS)
        sides = np.array([[along(h), along(-h)] for h in steps])
        with np.errstate(invalid="ignore", over="ignore"):
            if kind == "gradient":
                quotient = (sides[:, 0] - sides[:, 1]) / (2.0 * steps)
            else:
                quotient = (sides[:, 0] - 2.0 * middle + sides[:, 1]) / steps**2
            best, movement = (float(each[0]) for each in ridders(quotient[:, None]))
            if not np.isfinite(best):
                continue
            nearest = int(np.nanargmin(np.abs(quotient - best)))
            size = float(np.nanmax(np.abs([*sides.ravel(), middle])))
            rounding = 4.0 * EPS * size / steps[nearest] ** (1 if kind == "gradient" else 2)
        error, magnitude, uncertainty = abs(best - slope), max(abs(slope), abs(best)), SAFETY * movement + rounding
        nearest_by = min(nearest_by, float(np.nanmin(np.abs(quotient - slope))))
        if error <= RTOL * magnitude + uncertainty:
            if uncertainty <= RESOLVED * magnitude:
                return None
            continue
        beside = [abs(slope_at(t * steps[nearest]) - slope) for t in (-1, 1)]
        if np.max([uncertainty, *beside]) <= RESOLVED * error:
            settled.append(best)
    alike = len(settled) > 1 and np.ptp(settled) <= RESOLVED * np.max(np.abs(settled))
    return settled[-1] if alike and nearest_by > NEAR * abs(settled[-1] - slope) else None
