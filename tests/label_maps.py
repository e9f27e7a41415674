"""Maps of labels whose boundaries are known: fractal ones, sectors, squares, a Cantor set."""

from __future__ import annotations

import functools

import numpy as np


@functools.cache
def newton(n: int) -> np.ndarray:
    """Which root of z³ = 1 Newton's method finds from a grid on [-1, 1]²."""
    axis = np.linspace(-1, 1, n)
    z = axis[:, None] + 1j * axis
    with np.errstate(all="ignore"):
        for _ in range(60):
            z = z - (z**3 - 1) / (3 * z * z)
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    return np.argmin(np.abs(np.nan_to_num(z)[..., None] - roots), axis=-1)


def sectors(n: int) -> np.ndarray:
    """Three basins that meet in one point alone."""
    return np.digitize(np.arctan2(*np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]), [-1.0, 1.0])


def cells(points: int, across: int) -> np.ndarray:
    """A lattice of square basins, as of Rastrigin's function."""
    where = np.arange(points) * across // points
    return where[:, None] * across + where


def cantor(level: int) -> np.ndarray:
    """A label that changes at both ends of every gap of the Cantor set, whose dimension is ln 2 / ln 3."""
    digits = (np.arange(3**level)[:, None] // 3 ** np.arange(level)) % 3
    return np.where((digits == 1).any(axis=1), 1, 0)
