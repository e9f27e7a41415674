"""The slow oracle of the methods with a line search: SciPy's DCSRCH along directions straight from the equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize._dcsrch import DCSRCH

LARGEST, SMALLEST = 1e30, 1e-30

FORMULAS: dict[str, Callable[..., float]] = {
    "FR": lambda g, h, d: (g @ g) / (h @ h),
    "PR+": lambda g, h, d: max(g @ (g - h) / (h @ h), 0.0),
    "HS": lambda g, h, d: g @ (g - h) / (d @ (g - h)),
    "DY": lambda g, h, d: (g @ g) / (d @ (g - h)),
    "HZ": lambda g, h, d: max(
        (g - h - 2 * d * ((g - h) @ (g - h)) / (d @ (g - h))) @ g / (d @ (g - h)),
        -1 / (np.linalg.norm(d) * min(np.linalg.norm(h), 0.01)),
    ),
}


def wolfe_steps(
    phi: Callable[[float], float], slope: Callable[[float], float], c1: float, c2: float, first: float
) -> tuple[list[float], bool]:
    """Every step at which SciPy's line search asks for a value, and whether the last one serves."""
    search = DCSRCH(phi, slope, c1, c2, 1e-14, SMALLEST, LARGEST)
    a, f, g, task = search._iterate(first, phi(0.0), slope(0.0), b"START")
    steps = []
    while task[:2] == b"FG" and len(steps) < 100:
        steps.append(a)
        f, g = phi(a), slope(a)
        a, f, g, task = search._iterate(a, f, g, task)
    return steps, task[:4] == b"CONV"


def descend(
    fun: Callable[[np.ndarray], float],
    grad: Callable[[np.ndarray], np.ndarray],
    x0: Any,
    direction: Callable[..., np.ndarray],
    guess: Callable[..., float],
    *,
    c1: float,
    c2: float,
    steps: int,
    least: float = 0.0,
) -> tuple[np.ndarray, list[int]]:
    """The points of one run and the evaluations up to each; every search has to succeed."""
    x = np.array(x0, float)
    f, g = fun(x), grad(x)
    d, before, count = -g, f + np.linalg.norm(g) / 2, 1
    path, counts, pairs = [x], [1], []
    for k in range(steps):
        line, here, along = d, x, g @ d

        def phi(a: float) -> float:
            return fun(here + a * line)  # noqa: B023

        def slope(a: float) -> float:
            return float(grad(here + a * line) @ line)  # noqa: B023

        tried, good = wolfe_steps(phi, slope, c1, c2, guess(k, f, before, along, g))
        assert good
        count += len(tried)
        x, before = here + tried[-1] * line, f
        h, f, g = g, fun(x), grad(x)
        pairs.append((x - here, g - h))
        d = direction(g, h, line, pairs)
        assert g @ d < -least * (g @ g)
        path.append(x)
        counts.append(count)
    return np.array(path), counts


def last_fall(k: int, f: float, before: float, along: float, g: np.ndarray) -> float:
    a = 2.02 * (f - before) / along
    return min(a, 1.0) if a > 0 else 1.0


def whole_step(k: int, f: float, before: float, along: float, g: np.ndarray) -> float:
    return min(1.0, 1 / math.sqrt(g @ g)) if k == 0 else 1.0


def conjugate(beta: str) -> Callable[..., np.ndarray]:
    return lambda g, h, d, pairs: -g + FORMULAS[beta](g, h, d) * d


def quasi_newton(memory: int) -> Callable[..., np.ndarray]:
    """-H g with the matrix H written out: the BFGS formula over the last pairs."""

    def direction(g: np.ndarray, h: np.ndarray, d: np.ndarray, pairs: list[Any]) -> np.ndarray:
        s, y = pairs[-1]
        inverse = np.eye(len(g)) * (s @ y) / (y @ y)
        for s, y in pairs[-memory:]:
            v = np.eye(len(g)) - np.outer(y, s) / (y @ s)
            inverse = v.T @ inverse @ v + np.outer(s, s) / (y @ s)
        return -inverse @ g

    return direction
