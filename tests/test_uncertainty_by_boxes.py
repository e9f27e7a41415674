"""The uncertainty exponent of maps, against exact shares, known dimensions and published exponents."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_maps import cantor, cells, newton
from scipy.ndimage import maximum_filter, minimum_filter

import fastgd as gd

m = gd.measures
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=4, max_side=9)
GRIDS = hnp.arrays(np.int64, SHAPES, elements=st.integers(-2, 3))


@given(GRIDS)
def test_boxes_with_two_labels_are_those_of_scipys_filters(grid):
    from fastgd.basins.measures.labels import coded
    from fastgd.basins.measures.uncertainty import mixed_shares

    sizes = np.arange(2, min(grid.shape) + 1)
    exact = [
        np.mean(minimum_filter(grid, int(size), mode="nearest") != maximum_filter(grid, int(size), mode="nearest"))
        for size in sizes
    ]
    np.testing.assert_allclose(mixed_shares(coded(grid)[0], sizes), exact, rtol=1e-14)


def test_newtons_boundary_has_the_published_exponent():
    """About 0.61 at this resolution; the Julia set of this map has a dimension near 1.42."""
    for sizes in (None, np.arange(2, 16), [2, 4, 8, 16]):
        found = m.uncertainty_exponent(newton(300), sizes)
        assert 0.55 < found.exponent < 0.65
        assert found.dimension == 2 - found.exponent
        assert found.error < 0.03


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.2])
def test_smooth_boundaries_have_exponent_one(angle):
    x, y = np.mgrid[-1:1:700j, -1:1:700j]
    line = (np.cos(angle) * x + np.sin(angle) * y > 0.1).astype(int)
    assert m.uncertainty_exponent(line).exponent == pytest.approx(1, abs=0.002)
    x, y, z = np.mgrid[-1:1:120j, -1:1:120j, -1:1:120j]
    shell = (x**2 + y**2 + z**2 < 0.6).astype(int)
    found = m.uncertainty_exponent(shell, [3, 4, 6, 8])
    assert found.dimension == pytest.approx(2, abs=0.002)


def test_where_a_straight_boundary_lies_does_not_matter():
    """In n points, s - 1 boxes of s have it inside: a share in proportion to s - 1, wherever it is."""
    for at in range(20, 237):
        found = m.uncertainty_exponent(np.broadcast_to(np.arange(256) < at, (256, 256)).astype(int))
        np.testing.assert_allclose(found.shares, found.scales / 256, rtol=1e-13)
        assert found.exponent == pytest.approx(1, abs=1e-9)


def test_straight_boundaries_of_a_real_map_have_exponent_one():
    for points in (128, 256, 300):
        grid = gd.map_basins(gd.problems.styblinski_tang(), gd.GradientDescent(lr=0.005), shape=points)
        found = m.uncertainty_exponent(grid)
        assert found.exponent == pytest.approx(1, abs=0.002)
        assert abs(found.exponent - 1) < found.error < 0.03


def test_how_labels_lie_in_memory_does_not_matter():
    labels = np.random.default_rng(0).integers(0, 2, (3, 4, 5)).repeat(12, 0).repeat(13, 1).repeat(14, 2)
    expected = m.uncertainty_exponent(labels).shares
    for other in (np.asfortranarray(labels), labels[:, ::-1][:, ::-1], labels.transpose(2, 0, 1)):
        np.testing.assert_array_equal(m.uncertainty_exponent(other).shares, expected)


@pytest.mark.parametrize(("points", "across"), [(100, 3), (256, 4), (256, 11), (256, 20), (512, 11), (1024, 31)])
def test_the_error_tells_of_boxes_that_are_not_small_against_the_basins(points, across):
    """On a lattice of squares the share is 2u - u², u in proportion to the side: less steep the larger the boxes."""
    found = m.uncertainty_exponent(cells(points, across))
    x, y = np.log(found.scales), np.log(found.shares)
    kept = found.shares <= 0.75
    straight = np.polyfit(x[kept], y[kept], 1)[0]
    assert straight < 0.98
    assert abs(straight - 1) < 1.5 * found.error  # the naive slope lies within the error of the better one
    assert abs(found.exponent - 1) < min(found.error, 0.05)


def test_disks_and_stripes_have_exponent_one_within_the_error():
    where = np.arange(256) / 256
    disks = [(where * k % 1 - 0.5)[:, None] ** 2 + (where * k % 1 - 0.5) ** 2 < 0.09 for k in (1, 4, 7)]
    slopes = [(k * np.cos(a), k * np.sin(a)) for k in (5, 11, 20) for a in (0.4, 1.0)]
    stripes = [np.floor(down * where[:, None] + across * where) % 2 for down, across in slopes]
    for labels in (*disks, *stripes):
        found = m.uncertainty_exponent(labels.astype(int))
        assert abs(found.exponent - 1) < 2 * found.error < 0.1


def test_cantor_boundaries_have_their_dimension_within_the_error():
    exact = math.log(2) / math.log(3)
    for level in (7, 8, 9):
        found = m.uncertainty_exponent(cantor(level))
        assert found.dimension == pytest.approx(exact, abs=0.02)
        assert abs(found.dimension - exact) < found.error < 0.05
    found = m.uncertainty_exponent(cantor(9), [27, 81, 243, 729, 2187])
    assert found.dimension == pytest.approx(exact, abs=0.02)
    stripes = m.uncertainty_exponent(np.broadcast_to(cantor(6)[:, None], (3**6, 3**6)))
    assert abs(stripes.dimension - (1 + exact)) < stripes.error < 0.05


def test_where_most_boxes_hold_two_labels_the_exponent_is_unknown():
    noise = np.random.default_rng(0).integers(0, 2, (300, 300))
    for labels, kept in ((noise, 0), (cells(64, 11), 2)):
        found = m.uncertainty_exponent(labels)
        assert math.isnan(found.exponent)
        assert math.isnan(found.error)
        assert f"most boxes hold two labels at all but {kept} of " in repr(found)
