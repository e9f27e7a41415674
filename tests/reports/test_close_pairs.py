"""Attractors of two labellings are matched in nearly linear time, with the pairs that all distances give."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from fastgd.basins.agreement import pairs_of
from fastgd.basins.neighbours import close_pairs


def all_pairs(one: np.ndarray, other: np.ndarray, distance: float) -> list[np.ndarray]:
    apart = np.abs(one[:, None] - other[None]).max(axis=2)
    rows, columns = np.nonzero(apart <= distance)
    return [rows, columns, apart[rows, columns]]


def assert_same_pairs(found: Any, expected: Any) -> None:
    for array, wanted in zip(found, expected, strict=True):
        assert np.array_equal(array, wanted)


def points(kind: str, n: int, m: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "lattice":
        return rng.integers(-5, 6, (m, n)) * 7.0
    if kind == "diagonal":  # no gap in any coordinate, all points on a line
        return np.repeat(np.linspace(0.0, 300.0, m)[:, None], n, axis=1)
    if kind == "far":  # where neighbouring numbers are a tenth of the distance apart
        return 1e15 + rng.integers(0, 40, (m, n)) * 0.25
    return rng.uniform(0.0, 40.0, (m, n))


@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("kind", ["lattice", "cloud", "diagonal", "far"])
def test_all_close_pairs_are_found_and_no_others(kind: str, n: int) -> None:
    rng = np.random.default_rng(n)
    one = points(kind, n, 400, rng)
    other = one[rng.permutation(400)[:300]] + rng.uniform(-1.3, 1.3, (300, n)).round(1)
    for distance in (1.0, 0.3, 6.0):
        assert_same_pairs(close_pairs(one, other, distance), all_pairs(one, other, distance))


def test_nothing_is_close_to_nothing() -> None:
    for one, other in ((0, 3), (3, 0), (0, 0)):
        assert all(found.size == 0 for found in close_pairs(np.zeros((one, 2)), np.zeros((other, 2)), 1.0))
    rows, columns, apart = close_pairs(np.zeros((2, 3)), np.zeros((2, 3)), 1.0)
    assert rows.tolist() == [0, 0, 1, 1]
    assert columns.tolist() == [0, 1, 0, 1]
    assert not apart.any()


@pytest.mark.parametrize("n", [2, 10])
def test_wide_attractors_reach_as_far_as_their_radius(n: int) -> None:
    rng = np.random.default_rng(3)
    one, other = rng.uniform(0.0, 60.0, (300, n)), rng.uniform(0.0, 60.0, (200, n))
    here, there = (np.where(rng.random(k) < 0.1, 10.0 ** rng.uniform(0.0, 1.5, k), 0.2) for k in (300, 200))
    apart = np.abs(one[:, None] - other[None]).max(axis=2)
    allowed = np.maximum(np.maximum(here[:, None], there[None]), 1.0) * (1.0 + 1e-9)
    rows, columns = np.nonzero(apart <= allowed)
    assert rows.size > 30
    assert_same_pairs(pairs_of(one, other, here, there), [rows, columns, apart[rows, columns]])


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("kind", ["lattice", "cloud"])
def test_thirty_thousand_attractors_take_no_longer_than_they_should(kind: str, n: int) -> None:
    """A tree of them took 8 s, and grew by the power 1.8."""
    rng = np.random.default_rng(0)
    sizes, seconds = (10_000, 30_000), []
    for m in sizes:
        one = rng.integers(-5, 6, (m, n)) * 1000.0 if kind == "lattice" else rng.uniform(-5000.0, 5000.0, (m, n))
        other = one[rng.permutation(m)] + rng.uniform(-0.4, 0.4, (m, n))
        began = time.perf_counter()
        rows, columns, _ = close_pairs(one, other, 1.0)
        seconds.append(time.perf_counter() - began)
    assert rows.size >= m
    if kind == "cloud":
        tree = cKDTree(one).sparse_distance_matrix(cKDTree(other), 1.0, p=np.inf, output_type="coo_matrix")
        order = np.lexsort((tree.col, tree.row))
        assert np.array_equal(rows, tree.row[order])
        assert np.array_equal(columns, tree.col[order])
    assert seconds[-1] < 5.0
