"""Compiled passes over grouped points, against NumPy's sorts and reductions."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgd.basins.reductions import distances, farthest_of_group, outline, representatives, wider_than


def grouped(rng: np.random.Generator, m: int, n: int, count: int):
    """Points with many ties, in groups that all have members."""
    groups = np.concatenate([np.arange(count), rng.integers(0, count, m - count)])
    return rng.permutation(groups), rng.integers(-2, 3, (m, n)).astype(float), rng.integers(0, 2, (2, m)).astype(float)


def gaps(values: np.ndarray, width: float) -> list[tuple[float, float]]:
    ordered = np.sort(values)
    wide = np.flatnonzero(np.diff(ordered) > width)
    return [(float(ordered[k]), float(ordered[k + 1])) for k in wide]


@settings(deadline=None, max_examples=300)
@given(
    column=hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e3, 1e3)),
    width=st.floats(1e-12, 1e4),
)
def test_an_outline_has_the_gaps_of_the_column(column, width):
    assert gaps(outline(column, width), width) == gaps(column, width)


@pytest.mark.parametrize("width", [0.25, 0.1, 1 / 3])
def test_gaps_of_the_very_width_are_none(width):
    column = np.random.default_rng(0).permutation(np.repeat(np.arange(200) * width, 40))
    found = outline(column, width)
    assert found.size < column.size / 10
    assert gaps(found, width) == gaps(column, width)


def test_an_outline_where_bins_would_be_too_many_or_their_number_overflows():
    for column in (np.array([0.0, 1.0]), np.array([-1.7e308, 1.7e308]), np.array([])):
        assert outline(column, 1e-9) is column


@pytest.mark.parametrize(("m", "n", "count"), [(1, 1, 1), (50, 2, 7), (3000, 3, 40), (3000, 1, 1)])
def test_representatives_are_first_in_lexicographic_order(m, n, count):
    groups, x, (steepness, fun) = grouped(np.random.default_rng(m), m, n, count)
    order = np.lexsort([*x.T[::-1], fun, steepness, groups])
    expected = order[np.searchsorted(groups[order], np.arange(count))]
    np.testing.assert_array_equal(representatives(groups, count, steepness, fun, x), expected)


def test_a_gradient_that_is_infinite_comes_last():
    chosen = representatives(np.zeros(3, np.int64), 1, np.array([np.inf, 2.0, np.inf]), np.zeros(3), np.zeros((3, 1)))
    assert chosen.tolist() == [1]


def test_widths_and_distances():
    rng = np.random.default_rng(1)
    groups, x, _ = grouped(rng, 2000, 3, 300)
    x = x * rng.random(x.shape)
    tol = np.array([0.5, 2.0, 1.0])
    spans = np.array([np.ptp(x[groups == g], axis=0) for g in range(300)])
    np.testing.assert_array_equal(wider_than(np.ascontiguousarray(x.T), tol, groups, 300), np.any(spans > tol, axis=1))
    centres = np.array([np.flatnonzero(groups == g)[0] for g in range(300)])
    expected = np.max(np.abs(x - x[centres][groups]) / tol, axis=1)
    np.testing.assert_array_equal(distances(x, tol, groups, centres), expected)
    largest = [expected[groups == g].max() for g in range(300)]
    np.testing.assert_array_equal(farthest_of_group(x, tol, groups, centres), largest)
