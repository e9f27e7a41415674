"""The Gaussian mixture against SciPy's densities, expectation-maximization, closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special, stats

import fastgd as gd

RNG = np.random.default_rng(4)
CENTRES = np.array([[-6.0, 0.0], [6.0, 1.0], [0.0, 7.0]])
CLUSTERS = np.concatenate([RNG.normal(centre, 1.0 + 0.2 * k, (40, 2)) for k, centre in enumerate(CENTRES)])

PROBLEMS: dict[str, gd.problems.Mixture] = {
    "spherical": gd.problems.gaussian_mixture(CLUSTERS, 3),
    "diagonal": gd.problems.gaussian_mixture(CLUSTERS, 2, covariance="diagonal", reg_covar=0),
    "floor": gd.problems.gaussian_mixture(CLUSTERS, 3, covariance="diagonal", reg_covar=0.3),
    "single": gd.problems.gaussian_mixture(CLUSTERS, 1, reg_covar=0),
}


def log_joint(problem: gd.problems.Mixture, x: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The logarithm of weight times density, shape (N, K), from SciPy's multivariate normal distribution."""
    columns = [
        np.log(weight) + stats.multivariate_normal(mean, np.diag(np.broadcast_to(deviation, 2) ** 2)).logpdf(X)
        for weight, mean, deviation in zip(*problem.parameters(x), strict=True)
    ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", PROBLEMS)
def test_values_are_those_of_scipys_densities(name):
    problem = PROBLEMS[name]
    points = np.concatenate([RNG.normal(0.0, 1.0, (5, problem.dim)), problem.sample(5, seed=1)])
    expected = [-special.logsumexp(log_joint(problem, x, CLUSTERS), axis=1).mean() for x in points]
    np.testing.assert_allclose(problem.value(points), expected, rtol=1e-13)


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradients_are_those_of_differences(name):
    problem = PROBLEMS[name]
    check = gd.gradient_check(problem, np.random.default_rng(5).normal(0.0, 1.0, (10, problem.dim)))
    assert check.ok, check.summary()


def test_responsibilities_are_bayes_theorem():
    problem = PROBLEMS["spherical"]
    points, others = problem.sample(4, seed=2), RNG.normal(0.0, 5.0, (7, 2))
    for X, found in (CLUSTERS, problem.responsibilities(points)), (others, problem.responsibilities(points, others)):
        expected = [special.softmax(log_joint(problem, x, X), axis=1) for x in points]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-300)


def test_the_layout_is_logits_then_means_then_log_deviations():
    x = np.arange(9.0)
    wide = gd.problems.gaussian_mixture(CLUSTERS, 2, covariance="diagonal", reg_covar=0)
    weights, means, deviations = wide.parameters(x)
    np.testing.assert_allclose(weights, [0.5, 0.5])
    assert means.tolist() == [[1, 2], [3, 4]]
    np.testing.assert_allclose(deviations, np.exp([[5, 6], [7, 8]]))
    weights, means, deviations = PROBLEMS["spherical"].parameters(np.array([1.0, 2.0, *range(9)]))
    np.testing.assert_allclose(weights, special.softmax([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(deviations, np.sqrt(np.exp([12.0, 14.0, 16.0]) + 1e-6))


@given(
    arrays(float, (4, 3), elements=st.floats(0.01, 10.0)),
    arrays(float, (3, 2), elements=st.floats(-1e3, 1e3)),
    arrays(float, (2, 1, 3), elements=st.floats(0.0011, 1e3)),
)
def test_points_are_taken_apart_to_what_they_were_made_of(weights, means, deviations):
    found = PROBLEMS["spherical"].parameters(PROBLEMS["spherical"].point(weights, means, deviations))
    expected = weights / weights.sum(axis=-1, keepdims=True), means, deviations
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, np.broadcast_to(b, a.shape), rtol=1e-9)
        assert a.shape[:2] == (2, 4)


def test_a_single_component_has_its_closed_form():
    """The sample's mean and variance, where the likelihood is that of the entropy."""
    mean, variance = CLUSTERS.mean(axis=0), CLUSTERS.var(axis=0)
    alone = PROBLEMS["single"]
    np.testing.assert_allclose(alone.minima, [[*mean, 0.5 * math.log(variance.mean())]], rtol=1e-14)
    np.testing.assert_allclose(alone.value(alone.minima), 1 + math.log(2 * math.pi * variance.mean()), rtol=1e-14)
    assert np.abs(alone.gradient(alone.minima)).max() < 1e-14
    floored = gd.problems.gaussian_mixture(CLUSTERS, 1, covariance="diagonal", reg_covar=2.0)
    np.testing.assert_allclose(floored.parameters(floored.minima)[2][0, 0], np.sqrt(variance), rtol=1e-14)
    assert np.abs(floored.gradient(floored.minima)).max() < 1e-14
    assert gd.problems.gaussian_mixture(CLUSTERS, 1, reg_covar=1e3).minima is None  # the floor is above the variance


def maximized(problem: gd.problems.Mixture, x: np.ndarray, steps: int) -> np.ndarray:
    """Expectation-maximization: each step has a closed form (Bishop, section 9.2.2)."""
    diagonal = problem.covariance == "diagonal"
    for _ in range(steps):
        share = special.softmax(log_joint(problem, x, CLUSTERS), axis=1)
        count = share.sum(axis=0)
        means = share.T @ CLUSTERS / count[:, None]
        squares = np.stack([s @ (CLUSTERS - mean) ** 2 / n for s, mean, n in zip(share.T, means, count, strict=True)])
        deviations = np.sqrt(squares if diagonal else squares.mean(axis=1))
        x = problem.point(count / count.sum(), means, deviations)
    return x


@pytest.mark.parametrize("name", ["spherical", "diagonal"])
def test_fixed_points_of_expectation_maximization_are_minima(name):
    problem = PROBLEMS[name]
    ends = np.stack([maximized(problem, x, 400) for x in problem.sample(3, seed=7)])
    assert np.abs(problem.gradient(ends)).max() < 1e-7  # reg_covar of 1e-6 counts in the likelihood alone
    assert {str(kind) for kind in gd.classify(problem, ends).kind} == {"minimum"}


def test_descents_end_at_fixed_points_of_expectation_maximization_good_and_poor():
    problem = PROBLEMS["spherical"]
    starts = problem.sample(60, seed=3, method="points")
    runs = gd.minimize(problem, starts, gd.LBFGS(), max_steps=2000)
    assert runs.success.all()
    weights = problem.parameters(runs.x)[0]
    used = weights.min(axis=1) > 0.05  # at a component of weight 0 the gradient is 0 wherever its mean is
    assert used.sum() > 45
    for x in runs.x[used][:12]:
        once = problem.parameters(maximized(problem, x, 1))
        for moved, there in zip(once, problem.parameters(x), strict=True):
            np.testing.assert_allclose(moved, there, atol=1e-3)
    means = problem.parameters(runs.x)[1]
    nearest = np.linalg.norm(means[:, :, None] - CENTRES, axis=-1).argmin(axis=-1)
    apart = np.array([len(set(row)) == 3 for row in nearest])
    best = problem.value(maximized(problem, problem.point(np.ones(3), CENTRES, np.ones(3)), 200))
    there = np.abs(runs.fun - best) < 1e-9
    assert 0.5 < there.mean() < 0.95
    assert apart[there].all()  # one component in each cluster
    assert (runs.fun[~there] > best + 0.1).all()
    assert (used & ~there & ~apart).any()  # two in one, and another that covers two


def test_mini_batches_run_on_lanes_and_alone_to_the_same_bits():
    problem = PROBLEMS["floor"]
    starts = problem.sample(40, seed=1)
    options: dict[str, Any] = {"batch_size": 8, "max_steps": 300, "gtol": None}
    runs = gd.minimize(problem, starts, gd.Adam(lr=0.02), seed=3, **options)
    alone = gd.minimize(problem, starts[17], gd.Adam(lr=0.02), seed=gd.seeds(3, 40)[17], **options)
    assert np.array_equal(runs.x[17], alone.x)
    assert np.median(runs.fun) < np.median(problem.value(starts)) - 0.5


def test_far_out_nothing_overflows():
    problem = PROBLEMS["spherical"]
    far = np.array([[700.0, -900.0, *([1e6] * 6), -300.0, -5.0, 300.0]])
    assert np.isfinite(problem.value(far)).all()
    assert np.isfinite(problem.gradient(far)).all()


def test_means_at_points_are_different_samples_all_equally_likely():
    problem = gd.problems.gaussian_mixture(np.arange(5.0)[:, None], 3)
    drawn = problem.parameters(problem.sample(60_000, seed=2, method="points"))[1][..., 0]
    assert all(len(set(row)) == 3 for row in drawn[:1000].tolist())
    counts = np.zeros((5, 5, 5))
    np.add.at(counts, tuple(drawn.astype(int).T), 1)
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-4
    assert np.count_nonzero(counts) == 60


def test_means_by_k_means_plus_plus_have_its_probabilities():
    """Of 0, 1 and 3: by squared distance from the first, and then from the nearer of the first two."""
    problem = gd.problems.gaussian_mixture([[0.0], [1.0], [3.0]], 2)
    draws = 60_000
    drawn = problem.parameters(problem.sample(draws, seed=1))[1][..., 0]
    for pair, probability in {
        (0, 1): 1 / 10, (0, 3): 9 / 10, (1, 0): 1 / 5, (1, 3): 4 / 5, (3, 0): 9 / 13, (3, 1): 4 / 13,
    }.items():  # fmt: skip
        expected = draws * probability / 3
        assert abs(np.count_nonzero((drawn == pair).all(axis=1)) - expected) < 5 * math.sqrt(expected)


def test_starts_do_not_depend_on_how_many_are_drawn_at_a_time(monkeypatch):
    problem = PROBLEMS["spherical"]
    whole = problem.sample(50, seed=9)
    monkeypatch.setattr("fastgd.problems.first_centres._BLOCK", 7 * CLUSTERS.size)
    assert np.array_equal(problem.sample(50, seed=9), whole)


def test_starts_have_the_spread_of_the_data():
    for problem, expected in (
        (PROBLEMS["diagonal"], CLUSTERS.std(axis=0)),
        (PROBLEMS["spherical"], math.sqrt(CLUSTERS.var(axis=0).mean())),
    ):
        for method in ("k-means++", "points", "normal"):
            weights, _, deviations = problem.parameters(problem.sample(3, seed=1, method=method))
            np.testing.assert_allclose(weights, 1 / problem.components)
            np.testing.assert_allclose(deviations, np.broadcast_to(expected, deviations.shape), rtol=1e-6)
    means = PROBLEMS["spherical"].parameters(PROBLEMS["spherical"].sample(20_000, method="normal"))[1]
    np.testing.assert_allclose(means.mean(axis=(0, 1)), CLUSTERS.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(means.std(axis=(0, 1)), CLUSTERS.std(axis=0), rtol=0.02)


def test_constant_samples_still_have_starts():
    problem = gd.problems.gaussian_mixture(np.ones((4, 2)), 2)
    for method in ("k-means++", "points", "normal"):
        assert np.isfinite(problem.value(problem.sample(3, method=method))).all()


MIXTURE = PROBLEMS["spherical"]
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: gd.problems.gaussian_mixture(CLUSTERS[:, 0]), ValueError, r"X must have shape \(N, p\)"),
    (lambda: gd.problems.gaussian_mixture(CLUSTERS * np.nan), ValueError, "X must be finite"),
    (lambda: gd.problems.gaussian_mixture(CLUSTERS, 0), ValueError, "components must be at least 1"),
    (lambda: gd.problems.gaussian_mixture(CLUSTERS, 2.0), TypeError, "components must be a positive integer"),
    (lambda: gd.problems.gaussian_mixture(CLUSTERS[:2], 3), ValueError, "at most the 2 samples, got 3"),
    (lambda: gd.problems.gaussian_mixture(CLUSTERS, covariance="diag"), ValueError, "Did you mean 'diagonal'"),
    (lambda: gd.problems.gaussian_mixture(CLUSTERS, reg_covar=-1), ValueError, "reg_covar must be a finite number"),
    (lambda: gd.problems.gaussian_mixture(np.ones((4, 2)), reg_covar=0), ValueError, "samples X are constant"),
    (
        lambda: gd.problems.gaussian_mixture([[0.0, 1.0], [2.0, 1.0]], covariance="diagonal", reg_covar=0),
        ValueError,
        "column 1 of X is constant",
    ),
    (lambda: MIXTURE.sample(0), ValueError, "n must be at least 1"),
    (lambda: MIXTURE.sample(3, seed=-1), ValueError, "seed must not be negative"),
    (lambda: MIXTURE.sample(3, method="kmeans"), ValueError, "for a mixture, not 'kmeans'. Did you mean 'k-means"),
    (lambda: MIXTURE.point(np.ones(2), CENTRES, np.ones(3)), ValueError, r"weights must be finite, of shape"),
    (lambda: MIXTURE.point(np.ones(3), CENTRES, np.ones((3, 2))), ValueError, r"deviations .* \(\*batch, 3\)"),
    (lambda: MIXTURE.point([1, 1, 0], CENTRES, np.ones(3)), ValueError, "weights must be above 0"),
    (lambda: MIXTURE.point(np.ones(3), CENTRES, [1, 1, 1e-4]), ValueError, "at least 0.001, the root of reg_covar"),
    (lambda: MIXTURE.point(np.ones(3), CENTRES, [1, 1, -1]), ValueError, "deviations must be"),
    (lambda: MIXTURE.responsibilities(np.zeros(11), [[1.0]]), ValueError, r"X must have shape \(N, 2\)"),
    (lambda: MIXTURE.parameters(np.zeros(3)), ValueError, "x must have shape"),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
