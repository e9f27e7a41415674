"""A line fitted by least squares, as a mean over samples."""

from __future__ import annotations

import numpy as np

import fastgd as gd


def fit_loss(x, i, t, y):
    return 0.5 * (x[0] + x[1] * t[i] - y[i]) ** 2


def fit_gradient(x, i, out, t, y):
    r = x[0] + x[1] * t[i] - y[i]
    out[0] += r
    out[1] += r * t[i]


T = np.random.default_rng(2).uniform(-1, 1, 17)
Y = 0.5 - 2.0 * T + 0.1 * np.random.default_rng(3).normal(size=17)
FIT = gd.FiniteSum(fit_loss, data=(T, Y), dim=2, bounds=(-3, 3), name="fit")


def slope(x, i):
    r = x[0] + x[1] * T[i] - Y[i]
    return np.array([r, r * T[i]])
