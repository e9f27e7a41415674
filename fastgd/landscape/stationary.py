"""Iterations on many points at once that use second derivatives: to stationary points, and down from saddles.

All of them work in the eigenbasis of the Hessian, H = Q diag(λ) Qᵀ, in which each is one line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastgd.landscape.eigen import eigh

Array = NDArray[np.float64]

_MOST_STEPS = 300
_DAMPING = 1e-2
_HOPELESS = 1e14
_POLISHING = 30
_DESCENT_STEPS = 5000
_BISECTIONS = 60
# How far the gradient may be from the one that the quadratic model foretells, as a part of the larger one
_TRUSTED = 0.05


@dataclass(frozen=True)
class Derivatives:
    """Gradient and Hessian of a problem at points of shape (m, n), and when an eigenvalue counts as zero."""

    gradient: Callable[[Array], Array]
    hessian: Callable[[Array], Array]
    rtol: float

    def at(self, points: Array) -> tuple[Array, Array, Array]:
        """Return gradient, eigenvalues and eigenvectors; where they are not finite, no curvature at all."""
        g, h = self.gradient(points), self.hessian(points)
        h[~np.isfinite(h).all(axis=(1, 2))] = 0.0
        values, vectors = eigh(h)
        return g, values, vectors

    def in_units(self, units: Array) -> Derivatives:
        """Return those of the function of the parameters in `units`, shape (n,), of the order of 1."""
        square = units[:, None] * units
        return Derivatives(
            lambda z: self.gradient(z * units) * units, lambda z: self.hessian(z * units) * square, self.rtol
        )


def in_basis(vectors: Array, g: Array) -> Array:
    """Return the components of g in the eigenbasis, shape (m, n)."""
    return np.einsum("mij,mi->mj", vectors, g)


def from_basis(vectors: Array, c: Array) -> Array:
    """Return the vector with the components c."""
    return np.einsum("mij,mj->mi", vectors, c)


def minimize_gradient(derivatives: Derivatives, points: Array, scale: Array) -> Array:
    r"""Minimize :math:`\|\nabla f\|^2 / 2` from each point by Levenberg and Marquardt's method.

    The step is :math:`-(H^2 + \mu)^{-1} H g`, with a damping :math:`\mu` for each point that falls tenfold after
    a step that lowers the gradient and rises fourfold where it does not. As it looks at the gradient alone, it goes
    to minima, saddles and maxima alike.
    """
    x = points.copy()
    g, values, vectors = derivatives.at(x)
    active = np.flatnonzero(np.isfinite(g).all(axis=1))
    damping = np.full(len(x), _DAMPING)
    for _ in range(_MOST_STEPS):
        if active.size == 0:
            break
        lam, q, slope = values[active], vectors[active], g[active]
        top = np.abs(lam).max(axis=1, keepdims=True)
        mu = damping[active, None] * np.where(top > 0, top, 1.0) ** 2
        step = -from_basis(q, lam / (lam * lam + mu) * in_basis(q, slope))
        trial = x[active] + step
        new = derivatives.gradient(trial)
        size = np.abs(slope).max(axis=1, keepdims=True)
        size = np.where(size > 0, size, 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            # In units of the gradient before, so that huge ones do not overflow
            better = np.sum((new / size) ** 2, axis=1) < np.sum((slope / size) ** 2, axis=1)
        taken = active[better]
        x[taken] = trial[better]
        if taken.size:
            g[taken], values[taken], vectors[taken] = derivatives.at(x[taken])
        damping[active] = np.where(better, np.maximum(damping[active] * 0.1, 1e-30), damping[active] * 4.0)
        small = np.all(np.abs(step) <= 1e-13 * scale[active], axis=1)
        active = active[~small & (damping[active] < _HOPELESS) & (np.abs(g[active]).max(axis=1) > 0)]
    return x


def polish(derivatives: Derivatives, points: Array) -> tuple[Array, Array, Array, Array]:
    """Newton's method until rounding: points, last step in size, gradient and eigenvalues.

    Directions without curvature are left alone, so that a point on a curve of stationary points does not slide.
    """
    x = points.copy()
    g, values, vectors = derivatives.at(x)
    step = newton_step(g, values, vectors, derivatives.rtol)
    error = np.abs(step).max(axis=1, initial=0.0)
    active = np.flatnonzero(np.isfinite(error) & (error > 0))
    for _ in range(_POLISHING):
        if active.size == 0:
            break
        trial = x[active] + step[active]
        new = derivatives.at(trial)
        ahead = newton_step(*new, derivatives.rtol)
        size = np.abs(ahead).max(axis=1)
        better = size < error[active]
        active = active[better]
        x[active], error[active], step[active] = trial[better], size[better], ahead[better]
        for whole, part in zip((g, values, vectors), new, strict=True):
            whole[active] = part[better]
    return x, error, g, values


def newton_step(g: Array, values: Array, vectors: Array, rtol: float) -> Array:
    """Return the step to where the gradient of the quadratic model is zero, shape (m, n)."""
    curved = np.abs(values) > rtol * np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return -from_basis(vectors, np.where(curved, in_basis(vectors, g) / values, 0.0))


def descend(
    derivatives: Derivatives, points: Array, reach: Array, gone: Callable[[Array], NDArray[np.bool_]]
) -> Array:
    r"""Follow the steepest descent line :math:`\dot x = -\nabla f` from each point to its end.

    Each step solves the flow of the quadratic model at the point exactly, over the longest time for which the gradient
    comes out as the model foretells: :math:`\Delta x = -Q\,\mathrm{diag}((1 - e^{-\lambda t})/\lambda)\,Q^T g`. So
    stiff valleys cost no more than round ones, and the last steps are Newton's (M. Page, J. W. McIver, Journal of
    Chemical Physics 88 (1988) 922, doi:10.1063/1.454172).

    Parameters
    ----------
    derivatives : Derivatives
        Of the function.
    points : ndarray, shape (m, n)
        Starts.
    reach : ndarray, shape (m,)
        First length of a step; afterwards it adapts.
    gone : callable
        Tells of points of shape (m, n) which are too far away to be followed further, shape (m,).
    """
    x = points.copy()
    g, values, vectors = derivatives.at(x)
    reach, longest = reach.copy(), 100.0 * reach
    active = np.flatnonzero(np.isfinite(g).all(axis=1))
    for _ in range(_DESCENT_STEPS):
        if active.size == 0:
            break
        lam = values[active]
        top = np.abs(lam).max(axis=1, keepdims=True)
        flat = np.abs(lam) <= derivatives.rtol * top
        lam = np.where(flat, 0.0, lam)
        c = in_basis(vectors[active], g[active])
        # Along a symmetry the slope is rounding alone, and would be followed for ever.
        size = np.maximum(1.0, np.abs(x[active]).max(axis=1, keepdims=True))
        c = np.where(flat & (np.abs(c) <= 1e-10 * top * size), 0.0, c)
        span = flow_time(lam, c, reach[active])
        step = -from_basis(vectors[active], relaxation(lam, span) * c)
        trial = x[active] + step
        new = derivatives.at(trial)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            left = np.exp(np.clip(-lam * span[:, None], -700.0, 700.0))
            foretold = from_basis(vectors[active], np.where(c == 0.0, 0.0, left * c))
            size = np.maximum(np.linalg.norm(new[0], axis=1), np.linalg.norm(g[active], axis=1))
            wrong = np.linalg.norm(new[0] - foretold, axis=1)
        good = wrong <= _TRUSTED * size
        length = np.linalg.norm(step, axis=1)
        reach[active] = np.where(good, np.minimum(1.6 * reach[active], longest[active]), 0.4 * length)
        taken = active[good]
        x[taken] = trial[good]
        for whole, part in zip((g, values, vectors), new, strict=True):
            whole[taken] = part[good]
        # Rounding decides about directions once the step no longer shows in the point.
        resolution = 1e-13 * np.maximum(1.0, np.abs(x[active]).max(axis=1))
        active = active[(length > resolution) & (np.abs(g[active]).max(axis=1) > 0) & ~gone(x[active])]
    return x


def relaxation(lam: Array, span: Array) -> Array:
    """Return (1 - exp(-λ t)) / λ, which is t where λ is 0; t may be infinite for positive λ."""
    t = span[:, None]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.where(lam == 0.0, t, -np.expm1(np.minimum(-lam * t, 700.0)) / np.where(lam == 0.0, 1.0, lam))


def flow_time(lam: Array, c: Array, reach: Array) -> Array:
    """Return for how long the flow of a quadratic takes to go a distance, shape (m,), by bisection."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        pull = np.abs(c).max(axis=1)
        # The length grows with time, without end or to that of Newton's step.
        high = np.where(pull > 0, 4.0 * reach / np.where(pull > 0, pull, 1.0), 1.0)
        for _ in range(_BISECTIONS):
            short = np.linalg.norm(relaxation(lam, high) * c, axis=1) < reach
            if not short.any():
                break
            high = np.where(short, 8.0 * high, high)
        low = np.zeros_like(high)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            short = np.linalg.norm(relaxation(lam, middle) * c, axis=1) < reach
            low, high = np.where(short, middle, low), np.where(short, high, middle)
            if np.all(low >= 0.95 * high):
                break
    return low
