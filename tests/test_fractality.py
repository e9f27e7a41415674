"""The test of fractal boundaries, against published and exact values, and on maps of known kind."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from label_maps import cells, newton, sectors
from scipy.special import entr

import fastgd as gd
from fastgd.basins.measures import fractality

m = gd.measures


def test_smooth_reference_is_the_published_one():
    assert m.smooth_boundary_entropy(2) == pytest.approx(0.4395093, abs=6e-7)  # Puy et al.
    assert m.smooth_boundary_entropy(1) == pytest.approx(0.5, abs=1e-12)  # the integral of H over [0, 1]
    # By drawing: points in a ball, cut at a random distance
    generator = np.random.default_rng(0)
    points = generator.uniform(-1, 1, (400_000, 3))
    height = np.sort(points[np.sum(points**2, axis=1) < 1, 0])
    share = np.searchsorted(height, np.linspace(-1, 1, 4001)) / height.size
    assert m.smooth_boundary_entropy(3) == pytest.approx(np.mean(entr(share) + entr(1 - share)), abs=2e-3)


def test_reference_on_the_grid_tends_to_that_of_the_ball():
    for dim, half, tol in ((1, 500, 2e-3), (2, 100, 1e-3), (3, 16, 6e-3)):
        cut, spread = fractality.cut_ball_entropy(fractality.ball(half, dim))
        assert spread < 0.05
        assert cut == pytest.approx(m.smooth_boundary_entropy(dim), abs=tol)


@pytest.mark.parametrize("points", [100, 200, 500])
def test_smooth_boundaries_are_not_fractal_on_coarse_maps_either(points):
    """A thousand balls on a short boundary overlap, and are no thousand witnesses."""
    himmelblau = gd.problems.himmelblau()
    for optimizer in (gd.Adam(lr=0.05), gd.GradientDescent(lr=0.005)):
        found = m.fractality_test(gd.map_basins(himmelblau, optimizer, shape=points))
        assert found.balls == 1000
        assert abs(found.z) < 2
        assert not found.fractal


def test_fractality():
    found = m.fractality_test(newton(300), 11)
    assert found.fractal
    assert found.balls == 1000
    # With two basins the log 2 test must fail, and this one need not.
    merged = np.where(newton(300) == 0, 0, 1)
    assert not m.basin_entropy(merged).fractal
    assert m.fractality_test(merged, 11).fractal
    for seed in range(5):
        assert not m.fractality_test(sectors(400), 11, seed=seed).fractal
    x, y, z = np.mgrid[-1:1:80j, -1:1:80j, -1:1:80j]
    assert not m.fractality_test((x + 0.3 * y + 0.2 * z > 0.1).astype(int), 9).fractal
    empty = m.fractality_test(np.zeros((40, 40), int), 11, 10)
    assert empty.balls == 0
    assert not empty.fractal
    assert not empty.resolved


def test_the_smooth_reference_is_met_on_straight_boundaries():
    """Averaged over many angles, the entropy is the reference within its error: the test is not biased."""
    x, y = np.mgrid[-1:1:500j, -1:1:500j]
    z = [
        m.fractality_test((np.cos(a) * x + np.sin(a) * y > 0).astype(int), 15, seed=k).z
        for k, a in enumerate(np.linspace(0.05, 3.0, 40))
    ]
    assert abs(np.mean(z)) < 4 / math.sqrt(40)


@pytest.mark.parametrize("diameter", [7, 21])
def test_balls_that_are_large_for_many_smooth_basins_leave_the_test_undecided(diameter):
    found = m.fractality_test(cells(256, 11), diameter)
    assert found.z > 3
    assert not found.resolved
    assert not found.fractal
    assert "undecided" in repr(found)
    assert f"of the balls hold three basins, of those of {3 if diameter == 7 else 7} points" in repr(found)


@pytest.mark.parametrize(("points", "across"), [(512, 11), (2048, 11), (256, 11), (256, 25), (64, 11), (64, 16)])
def test_no_lattice_of_squares_is_fractal(points, across):
    """Along the axes balls are cut otherwise than on average, and corners and cells lie in them."""
    for diameter in (5, 7, 11, 21):
        found = m.fractality_test(cells(points, across), diameter)
        assert not found.fractal
        assert ("undecided" in repr(found)) == (not found.resolved)


@pytest.mark.parametrize("diameter", [5, 7, 11, 15, 21])
def test_straight_boundaries_along_axes_and_diagonals_are_not_fractal(diameter):
    x, y = np.indices((2048, 2048))
    for labels in (x > 1100, 2 * (x > 1100) + (y > 1300), x + y > 2200, x // 186 % 2):
        assert not m.fractality_test(np.asarray(labels).astype(int), diameter).fractal


def test_balls_wider_than_the_basins_leave_the_test_undecided_with_two_basins_too():
    where = np.indices((256, 256))
    for labels in (np.floor((0.92 * where[0] + 0.39 * where[1]) / 12.8) % 2, (where // 12).sum(axis=0) % 2):
        found = m.fractality_test(labels.astype(int), 21)
        assert found.z > 3
        assert not found.fractal
        assert re.search(r"undecided \((9\d|100)% of the balls hold a boundary, of those of 3 points ", repr(found))
    noise = m.fractality_test(np.random.default_rng(0).integers(0, 2, (256, 256)), 21)
    assert noise.fractal  # mixed at all sizes


def test_on_a_lattice_of_squares_balls_keep_as_many_corners_as_derived():
    from fastgd.basins.measures.entropy import stays_crowded

    for side in (6, 10, 20):
        u = np.array([4 / side, 2 / side])  # windows of 5 and of 3 points
        crowded, inside = u / (2 - u)
        windows = np.lib.stride_tricks.sliding_window_view(cells(20 * side, 20), (5, 5))[: 5 * side, : 5 * side]
        kinds = np.array([np.unique(window).size for window in windows.reshape(-1, 25)])
        assert np.mean(kinds[kinds > 1] > 2) == pytest.approx(crowded, rel=1e-12)
        limit = math.sqrt(inside / crowded)
        assert stays_crowded(crowded, 1.001 * limit * crowded, 0.5)
        assert not stays_crowded(crowded, 0.999 * limit * crowded, 0.5)


def test_in_a_fractal_boundary_small_balls_hold_all_basins_as_often():
    for diameter in (7, 21):
        found = m.fractality_test(newton(300), diameter)
        assert found.crowded > 0.6
        assert found.resolved
        assert found.fractal


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8, 12])
def test_strips_thinner_than_a_ball_are_not_fractal(width):
    """One smooth basin with two straight boundaries that lie in one ball, along an axis and aslant."""
    x, y = np.indices((512, 512))
    for height in (x, 0.92 * x + 0.39 * y):
        for seed in range(3):
            found = m.fractality_test(((height >= 200) & (height < 200 + width)).astype(int), seed=seed)
            assert not found.fractal
    assert width > 3 or re.search(r"undecided \(-\d\d.\d% off a smooth boundary, but ", repr(found))
