"""The uncertainty exponent by pairs of starts, against exact shares, known powers and maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
from scipy.stats import poisson

import fastgd as gd
from fastgd.basins.measures.pairs import _advice, most_likely_power

m = gd.measures


def test_pairs_of_starts_find_the_exact_shares():
    """One boundary point in [-5, 5]: a pair at distance eps has it between with the probability eps / 10."""
    problem = gd.problems.styblinski_tang(dim=1)
    eps = np.array([0.05, 0.1, 0.2, 0.4])
    found = m.uncertainty_by_pairs(problem, gd.GradientDescent(lr=0.005), eps, 20_000, seed=2)
    sigma = np.sqrt(eps / 10 / 20_000)
    assert np.all(np.abs(found.shares - eps / 10) < 4 * sigma)
    assert found.exponent == pytest.approx(1, abs=0.1)


def test_pairs_need_no_distances_and_find_a_smooth_boundary_smooth():
    """The length of the boundary of Himmelblau's basins is one number: shares are in proportion to the distance."""
    for seed in range(4):
        found = m.uncertainty_by_pairs(gd.problems.himmelblau(), gd.Adam(lr=0.05), seed=seed)
        np.testing.assert_allclose(found.scales, 12 * np.array([0.001, 0.002, 0.005, 0.01, 0.02]))
        assert abs(found.exponent - 1) < 2.5 * found.error < 0.2


def test_too_few_pairs_that_differ_tell_nothing_and_say_so():
    problem, optimizer = gd.problems.himmelblau(), gd.Adam(lr=0.05)
    for seed in range(4):
        found = m.uncertainty_by_pairs(problem, optimizer, [1e-4, 1e-3, 1e-2], 1000, seed=seed)
        assert math.isnan(found.exponent)
        assert math.isnan(found.error)
        differ = round(found.shares.sum() * 1000)
        verb = "differs" if differ == 1 else "differ"
        assert found.advice == f"{differ} of 3,000 pairs {verb}: larger eps or n_pairs"
        assert repr(found) == f"<Uncertainty: exponent unknown: {found.advice}>"
    found = m.uncertainty_by_pairs(problem, optimizer, [1e-6, 1e-5, 1.0], 1000)
    assert "differ, all of them at one distance: larger n_pairs, or eps closer together" in repr(found)
    assert "no box holds two labels" in repr(m.uncertainty_exponent(np.zeros((50, 50), int)))


@pytest.mark.parametrize(("eps", "pairs", "factor", "exponent"), [
    ([0.012, 0.024, 0.06, 0.12, 0.24], 10_000, 0.12, 1.0),
    ([0.001, 0.01, 0.1], 2000, 0.12, 1.0),
    ([0.05, 0.1, 0.2, 0.4], 2000, 0.1, 0.5),
    ([0.05, 0.1, 0.2, 0.4], 100, 0.1, 0.1),
])  # fmt: skip
def test_the_error_of_pairs_covers_the_exponent(eps, pairs, factor, exponent):
    """Binomial counts of a known power: two thirds within one error, nineteen of twenty within two."""
    generator = np.random.default_rng(3)
    distances, z = np.array(eps), []
    for _ in range(2000):
        different = generator.binomial(pairs, factor * distances**exponent)
        if not _advice(different, pairs, 0.0):
            found, error = most_likely_power(distances, different, pairs)
            z.append((found - exponent) / error)
    assert len(z) > 1600
    assert abs(np.mean(z)) < 0.2
    assert 0.66 < np.mean(np.abs(z) < 1) < 0.76
    assert np.mean(np.abs(z) < 2) > 0.94


@pytest.mark.parametrize("dim", [2, 5])
def test_the_error_of_pairs_tells_of_distances_that_are_not_small_against_the_basins(dim):
    """Ackley's and Rastrigin's basins are cubes of side 1: two per cent of the box are much or all of that."""
    for problem, rate in ((gd.problems.ackley(dim=dim), 0.005), (gd.problems.rastrigin(dim=dim), 0.001)):
        found = m.uncertainty_by_pairs(problem, gd.GradientDescent(lr=rate))
        assert abs(found.exponent - 1) < 2.5 * found.error
        near = m.uncertainty_by_pairs(problem, gd.GradientDescent(lr=rate), [0.005, 0.01, 0.02, 0.04])
        assert abs(near.exponent - 1) < 2.5 * near.error < 0.15


def test_the_error_of_pairs_has_the_bend_of_saturating_shares():
    """Exact shares of boundaries at random places, 1 - exp(-eps): the slope at small distances is 1."""
    for factor in (0.05, 0.2, 0.8, 3.2):
        distances = factor * np.array([0.05, 0.1, 0.2, 0.5, 1.0])
        found, error = most_likely_power(distances, 1e8 * (1 - np.exp(-distances)), 100_000_000)
        assert 0.9 < (1 - found) / error < 1.1
    assert error > 0.3


def test_the_fitted_power_has_the_largest_likelihood():
    distances, different = np.array([0.01, 0.1, 0.3]), np.array([0, 3, 14])
    found, _ = most_likely_power(distances, different, 1000)

    def least(terms):
        mean = 1000 * np.exp(terms[0] + terms[1] * np.log(distances))
        return -poisson.logpmf(different, mean).sum()

    best = scipy.optimize.minimize(least, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert found == pytest.approx(best.x[1], abs=1e-5)


def test_pairs_in_five_dimensions():
    problem = gd.problems.styblinski_tang(dim=5)
    found = m.uncertainty_by_pairs(problem, gd.GradientDescent(lr=0.005), [0.05, 0.1, 0.2, 0.4], 10_000)
    assert found.exponent == pytest.approx(1, abs=0.1)
    assert found.dimension == pytest.approx(4, abs=0.1)


def test_pairs_agree_with_the_map_on_a_fractal_boundary():
    problem, optimizer = gd.problems.himmelblau(), gd.Momentum(lr=0.01, momentum=0.9)
    pairs = m.uncertainty_by_pairs(problem, optimizer, [0.01, 0.02, 0.05, 0.1, 0.2], 20_000)
    grid = gd.map_basins(problem, optimizer, (600, 600))
    assert pairs.exponent == pytest.approx(m.uncertainty_exponent(grid).exponent, abs=0.1)
    assert pairs.exponent < 0.6
    assert m.fractality_test(grid).fractal


def test_pairs_are_not_to_have_hyperparameters_of_their_own():
    problem = gd.problems.himmelblau()
    for optimizer, options in ((gd.GradientDescent(lr=[0.01, 0.02]), {}), (gd.Adam(lr=0.05), {"noise": [0.0, 0.5]})):
        with pytest.raises(ValueError, match="must be one number for pairs of starts, got an array of shape"):
            gd.measures.uncertainty_by_pairs(problem, optimizer, n_pairs=10, **options)


@pytest.mark.parametrize(("lr", "steps"), [(5.0, 1000), (0.01, 5)])
def test_where_hardly_a_run_settles_the_advice_is_about_the_runs(lr, steps):
    found = gd.measures.uncertainty_by_pairs(
        gd.problems.himmelblau(), gd.GradientDescent(lr=lr), n_pairs=200, max_steps=steps
    )
    assert np.isnan(found.exponent)
    assert "of the runs settled nowhere: more max_steps, or another lr" in repr(found)


def test_distances_beyond_the_box_are_refused():
    with pytest.raises(ValueError, match=r"eps must be at most 12, the shortest .*\[1, 20\]; .* from 0.012 to 0.24"):
        m.uncertainty_by_pairs(gd.problems.himmelblau(), gd.Adam(lr=0.05), [1, 20])
    with pytest.raises(ValueError, match="must have a box"):
        m.uncertainty_by_pairs(gd.Problem(lambda x: x[0] ** 2, dim=1), gd.Adam(), [1, 2])
