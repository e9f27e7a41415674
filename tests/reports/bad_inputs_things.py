"""What the tables of bad inputs are made with."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import fastgd as gd

NAN, INF = float("nan"), float("inf")
H = gd.problems.himmelblau()
D, A = gd.GradientDescent(lr=0.01), gd.Adam(lr=0.05)
COSINE = gd.schedules.Cosine(0.1, 100)
X0 = np.random.default_rng(0).uniform(-5.0, 5.0, (9, 2))
T = np.linspace(0.0, 1.0, 10)
LABELS = np.repeat(np.arange(4), 64).reshape(16, 16)
MASKED = np.ma.masked_equal(LABELS, 2)
X, Y = np.random.default_rng(1).normal(size=(12, 3)), np.arange(12) % 3


def bowl(x):
    return x[0] * x[0] + x[1] * x[1]


def line(x, i, t):
    return (x[0] * t[i] - 1.0) ** 2


def plane(x, i, t):
    return (x[0] * t[i] + x[1] - 1.0) ** 2


def plane_gradient(x, i, out, t):
    slope = 2.0 * (x[0] * t[i] + x[1] - 1.0)
    out[0] += slope * t[i]
    out[1] += slope


S = gd.FiniteSum(plane, plane_gradient, data=(T,), dim=2, bounds=(-1, 1))


class Tensor:
    """An array of another library that does not become one of NumPy's, as one that requires its gradient."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("call .detach() first")


class Things:
    """What takes descents to make."""

    @functools.cached_property
    def runs(self) -> gd.Result:
        return gd.minimize(H, H.grid(8), D, record=50, max_steps=1000)

    @functools.cached_property
    def map(self) -> gd.BasinMap:
        return gd.map_basins(H, D, 8)

    @functools.cached_property
    def comparison(self) -> gd.Comparison:
        return gd.compare(H, X0, [D], reference=None)

    @functools.cached_property
    def state(self) -> gd.optimizers.State:
        return A.init(np.zeros(3))

    @functools.cached_property
    def other_state(self) -> gd.optimizers.State:
        return gd.Lion().init(np.zeros(3))


things = Things()
