"""Minima closer together than the default tolerance, against their exact places and an explicit tolerance."""

from __future__ import annotations

import numpy as np
import pytest

import fastgd as gd

HIMMELBLAU = gd.problems.himmelblau()


def in_box(side: float, problem: gd.Problem = HIMMELBLAU) -> gd.Problem:
    return gd.Problem(problem.fun, dim=problem.dim, bounds=(-side, side), minima=problem.minima, name=problem.name)


def same_partition(one, other) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


def nearest_minimum(x, minima):
    return np.abs(x[:, None] - minima).max(axis=2).argmin(axis=1)


@pytest.mark.parametrize("side", [6.0, 2000.0, 5000.0, 1e6])
def test_himmelblaus_minima_in_any_box(side):
    problem = in_box(side)
    runs = gd.minimize(problem, problem.sample(2000, seed=0), gd.LBFGS())
    basins = gd.find_basins(runs)
    settled = basins.labels >= 0
    ends = runs.x[settled]
    minimum = np.abs(ends[:, None] - problem.minima).max(axis=2).min(axis=1) < 1e-4
    assert minimum.mean() > 0.99
    assert same_partition(basins.labels[settled][minimum], nearest_minimum(ends[minimum], problem.minima))
    assert sorted(basins.known[basins.known >= 0]) == [0, 1, 2, 3]
    assert basins.tol[0] <= min(2e-3 * side, 7.6 / 16)  # the largest distance of two


@pytest.mark.parametrize("lr", [0.01, 0.003])
def test_loose_and_noisy_ends_go_with_their_minimum(lr):
    problem = in_box(5000.0)
    starts = HIMMELBLAU.sample(3000, seed=0)
    noisy = {"noise": 2.0, "ftol": 1e-4, "patience": 50}
    for options in (noisy, {"gtol": 0.3}, {"dtype": np.float32, "gtol": 1e-3}):
        runs = gd.minimize(problem, starts, gd.GradientDescent(lr=lr), **options)
        basins = gd.find_basins(runs)
        large = basins.fractions > 0.01
        assert np.count_nonzero(large) == 4
        assert basins.fractions[large].sum() > 0.99
        where = (basins.labels >= 0) & large[basins.labels]
        assert same_partition(basins.labels[where], nearest_minimum(runs.x[where], problem.minima))


def test_a_thousand_minima_within_a_few_tolerances():
    problem = in_box(2000.0, gd.problems.rastrigin(dim=2))
    runs = gd.minimize(problem, problem.sample(5000, seed=0), gd.LBFGS())
    found, exact = gd.find_basins(runs), gd.find_basins(runs, 0.05)
    assert len(exact) > 1000
    assert same_partition(found.labels, exact.labels)
    shuffle = np.random.default_rng(0).permutation(5000)
    mixed = gd.find_basins(gd.minimize(problem, problem.sample(5000, seed=0)[shuffle], gd.LBFGS()))
    assert np.array_equal(mixed.labels, found.labels[shuffle])
    assert np.array_equal(mixed.x, found.x)


def test_more_parameters_than_second_derivatives_are_derived_for():
    problem = in_box(5000.0, gd.problems.styblinski_tang(dim=14))
    runs = gd.minimize(problem, np.random.default_rng(0).uniform(-5, 5, (300, 14)), gd.GradientDescent(lr=0.01))
    found, exact = gd.find_basins(runs), gd.find_basins(runs, 0.01)
    assert len(exact) > 250
    assert same_partition(found.labels, exact.labels)


@pytest.mark.parametrize("side", [2.0, 1e-4])
def test_minima_of_a_small_function_without_a_box(side):
    """(u**2 - 1)**2 + v**2 with u and v in units of `side`: minima at u = 1 and -1."""
    problem = gd.Problem(lambda x, s: ((x[0] / s) ** 2 - 1) ** 2 + (x[1] / s) ** 2, dim=2, data=(side,))
    starts = side * np.random.default_rng(0).uniform(-2, 2, (500, 2))
    runs = gd.minimize(problem, starts, gd.LBFGS())
    basins = gd.find_basins(runs)
    assert len(basins) == 2
    assert np.array_equal(basins.labels == 1, runs.x[:, 0] > 0)


@pytest.mark.parametrize("gtol", [1e-4, 1e-11])
@pytest.mark.parametrize("count", [10, 300, 20_000])
def test_a_curve_of_minima_stays_whole_in_a_large_box(count, gtol):
    problem = gd.Problem(lambda x: (x[0] ** 2 + x[1] ** 2 - 1) ** 2, dim=2, bounds=(-2000, 2000))
    starts = np.random.default_rng(0).uniform(-2, 2, (count, 2))
    basins = gd.find_basins(gd.minimize(problem, starts, gd.GradientDescent(lr=0.05), gtol=gtol))
    assert basins.counts.max() > 0.99 * count
    assert basins.tol[0] > 3.9 or len(basins) == 2  # a start may end on the maximum in the middle


@pytest.mark.parametrize("power", [2, 4])
def test_two_tight_clumps_around_one_minimum_are_one_attractor(power):
    """Descents reach the minimum of a long valley from both ends, and stop in two clumps on either side."""
    problem = gd.Problem(lambda x, p: 1e-3 * x[0] ** p + x[1] ** 2, dim=2, bounds=(-200, 200), data=(power,))
    starts = np.random.default_rng(0).uniform(-2, 2, (500, 2)) + [[4.0, 0.0]] * np.array([[-1], [1]] * 250)
    runs = gd.minimize(problem, starts, gd.GradientDescent(lr=0.2), gtol=1e-6, max_steps=2_000_000)
    side = runs.x[:, 0] > 0
    width = max(np.ptp(runs.x[side, 0]), np.ptp(runs.x[~side, 0]))
    assert runs.success.all()
    assert 0 < 50 * width < runs.x[side, 0].min() - runs.x[~side, 0].max()
    assert len(gd.find_basins(runs)) == 1


def test_minima_without_curvature_stay_one_and_the_table_says_so():
    problem = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 4 + x[1] ** 2, dim=2, bounds=(-2000, 2000))
    starts = np.random.default_rng(0).uniform(-2, 2, (500, 2))
    basins = gd.find_basins(gd.minimize(problem, starts, gd.GradientDescent(lr=0.02), max_steps=100_000))
    assert len(basins) == 1
    assert "\n1 of these is wide, up to 0.5 tol: a curve of minima, noisy or early ends, or minima that" in str(basins)
    narrow = gd.find_basins(gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(100, seed=0), gd.LBFGS()))
    assert "wide" not in str(narrow)


def test_an_explicit_tolerance_is_kept():
    problem = in_box(2000.0)
    runs = gd.minimize(problem, HIMMELBLAU.sample(500, seed=0), gd.LBFGS())
    assert len(gd.find_basins(runs, 10.0)) == 1
    assert gd.find_basins(runs, 10.0).tol.tolist() == [10.0, 10.0]


def test_maps_agree_and_have_one_colour_per_minimum_whether_or_not_a_map_has_several():
    from fastgd.plot.colouring import common_attractors

    problem = in_box(5000.0)
    rule = gd.GradientDescent(lr=0.01)
    whole = gd.map_basins(problem, rule, (16, 16), bounds=(-5, 5))
    part = gd.map_basins(problem, rule, (8, 8), bounds=((2.5, 3.5), (1.5, 2.5)))
    assert len(part.basins) == 1
    assert part.basins.tol[0] > whole.basins.tol[0]
    numbers, _, _ = common_attractors([whole, part])
    assert len(np.unique(numbers[0])) == len(whole.basins)
    assert numbers[1] == numbers[0][whole.basins.known == part.basins.known]
