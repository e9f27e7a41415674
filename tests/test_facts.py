"""Numbers with known answers: closed forms, and published output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import form, trace_of
from scipy import stats

import fastgd as gd


def assert_printed(x: np.ndarray, printed: object) -> None:
    """Agreement to six decimals."""
    assert np.max(np.abs(x - np.array(printed))) < 5.1e-7


def run(problem: gd.Problem, start: object, optimizer: gd.optimizers.Optimizer, steps: int) -> np.ndarray:
    """The points after exactly so many steps."""
    return gd.minimize(problem, start, optimizer, max_steps=steps, gtol=None, bound=np.inf).x


# "Dive into Deep Learning", chapters 11.3 and 11.6 (https://d2l.ai)


def test_a_parabola() -> None:
    """x² from 10, ten steps."""
    x = run(form(2.0, 1.0), [10.0, 0.0], gd.GradientDescent(lr=[0.2, 0.05, 1.1]), 10)
    np.testing.assert_allclose(x[:, 0], [0.06046617599999997, 3.4867844009999995, 61.917364224000096], rtol=1e-14)


def test_valleys() -> None:
    """x1² + 2 x2² and 0.1 x1² + 2 x2² from (-5, -2), twenty steps."""
    x = run(form(2.0, 4.0), [-5.0, -2.0], gd.GradientDescent(lr=0.1), 20)
    assert_printed(x, [-0.057646, -0.000073])
    x = run(form(0.2, 4.0), [-5.0, -2.0], gd.GradientDescent(lr=[0.4, 0.6]), 20)
    assert_printed(x, [[-0.943467, -0.000073], [-0.387814, -1673.365109]])
    x = run(form(0.2, 4.0), [-5.0, -2.0], gd.Momentum(lr=0.6, momentum=[0.5, 0.25]), 20)
    assert_printed(x, [[0.007188, 0.002553], [-0.126340, -0.186632]])


# Gradient descent as the logistic map: on x³/3 - x²/2 the map is x (1 + h - h x), conjugate to that of r = 1 + h


def cubic(x):
    return x[0] * x[0] * x[0] / 3.0 - 0.5 * x[0] * x[0]


def cubic_gradient(x, out):
    out[0] = x[0] * x[0] - x[0]


CUBIC = gd.Problem(cubic, cubic_gradient, dim=1)


def orbit(rates: object, start: object, skip: int, keep: int) -> np.ndarray:
    """The last `keep` points of a path, shape (runs, keep)."""
    trace = trace_of(CUBIC, start, gd.GradientDescent(lr=rates), max_steps=skip + keep - 1)
    return trace[..., skip:, 0]


def test_the_minimum_is_stable_below_a_rate_of_two() -> None:
    rates = np.array([0.1, 1.0, 1.5, 1.9, 1.99])
    np.testing.assert_allclose(orbit(rates, [0.3], 5000, 3), 1.0, atol=1e-12)
    beyond = orbit(np.array([2.01, 2.2]), [0.3], 5000, 2)
    assert np.all(np.abs(beyond[:, 0] - beyond[:, 1]) > 0.09)


def test_the_cycle_of_two_between_two_and_the_root_of_six() -> None:
    """Its points are ((h + 2) ± sqrt(h² - 4)) / 2h, by solving f(f(x)) = x."""
    rates = np.array([2.05, 2.2, 2.4, 2.44])
    points = np.sort(orbit(rates, [0.3], 20_000, 2), axis=-1)
    root = np.sqrt(rates**2 - 4)
    expected = np.stack([2 + rates - root, 2 + rates + root], axis=-1) / (2 * rates[:, None])
    np.testing.assert_allclose(points, expected, rtol=1e-10)
    four = orbit(np.array([2.46]), [0.3], 20_000, 5)[0]
    assert four[4] == pytest.approx(four[0], abs=1e-10)
    assert abs(four[2] - four[0]) > 0.01


def test_the_cycle_of_three_is_born_at_twice_the_root_of_two() -> None:
    born = 2 * math.sqrt(2)
    at, before = orbit(np.array([born + 1e-6, born - 1e-3]), [0.3], 200_000, 4000)
    np.testing.assert_allclose(at[3:], at[:-3], atol=1e-6)
    assert abs(at[1] - at[0]) > 0.1
    assert np.max(np.abs(before[3:] - before[:-3])) > 0.01


def test_bounded_up_to_a_rate_of_three_from_inside_the_interval() -> None:
    rates = np.array([0.5, 1.0, 2.0, 2.5, 2.9, 3.0])
    edge = (1 + rates) / rates
    inside = edge[:, None] * np.linspace(0.013, 0.987, 50)
    options: dict[str, Any] = {"gtol": None, "max_steps": 400}
    runs = gd.minimize(CUBIC, inside[..., None], gd.GradientDescent(lr=rates[:, None]), **options)
    assert np.all(runs.status == 2)
    assert np.all((runs.x[..., 0] >= 0) & (runs.x[..., 0] <= edge[:, None] * (1 + 1e-12)))
    outside = np.stack([edge + 0.01, np.full(6, -0.01)])
    assert np.all(gd.minimize(CUBIC, outside[..., None], gd.GradientDescent(lr=rates), **options).status == 3)
    beyond = gd.minimize(CUBIC, inside[..., None], gd.GradientDescent(lr=np.full((6, 1), 3.2)), **options)
    assert np.all(beyond.status == 3)


# Quadratic forms


CURVATURES = np.array([0.1, 1.0, 7.0, 300.0])


def straddle(limit: np.ndarray, margin: float) -> np.ndarray:
    """Rates just below and just above a limit, one more axis in front."""
    return np.stack([limit * (1 - margin), limit * (1 + margin)])


def assert_threshold(make: Callable[[Any], gd.optimizers.Optimizer], product: np.ndarray, steps: int) -> None:
    """Runs on ½x² shrink a hundredth below this rate and grow a hundredth above it."""
    x = np.abs(run(form(1.0, 1.0), [1e-3, 0.0], make(straddle(product, 0.01)), steps)[..., 0])
    assert np.all(x[0] < 1e-5)
    assert np.all(~(x[1] < 1e-1))


def test_gradient_descent_diverges_at_a_product_of_two() -> None:
    assert_threshold(lambda lr: gd.GradientDescent(lr=lr), np.array([2.0]), 1000)
    rates = straddle(2 / CURVATURES, 0.01)
    for k, curvature in enumerate(CURVATURES):  # the same at every scale
        x = np.abs(run(form(curvature, curvature), [1e-3, 0.0], gd.GradientDescent(lr=rates[:, k]), 1000)[:, 0])
        assert x[0] < 1e-5
        assert x[1] > 1e1


def test_heavy_ball_diverges_at_two_plus_two_beta() -> None:
    beta = np.array([0.0, 0.3, 0.5, 0.9])
    assert_threshold(lambda lr: gd.Momentum(lr=lr, momentum=beta), 2 + 2 * beta, 20_000)


def test_nesterov_diverges_at_its_smaller_limit() -> None:
    beta = np.array([0.0, 0.3, 0.5, 0.9])
    assert_threshold(lambda lr: gd.Nesterov(lr=lr, momentum=beta), (2 + 2 * beta) / (1 + 2 * beta), 20_000)


def test_adam_with_a_frozen_preconditioner_diverges_at_its_larger_limit() -> None:
    """With eps far above every gradient the denominator is eps: momentum with the rate lr (1 - beta1) / eps."""
    beta, eps = np.array([0.0, 0.5, 0.9]), 1e6
    limit = (2 + 2 * beta) / (1 - beta)
    assert_threshold(lambda lr: gd.Adam(lr=lr * eps, beta1=beta, eps=eps), limit, 20_000)


def test_the_best_rate_of_gradient_descent() -> None:
    """At lr = 2 / (L + mu) both ends of the spectrum shrink by (k - 1) / (k + 1), and slower at any other rate."""
    for kappa in (2.0, 10.0, 150.0):
        problem, best = form(1.0, kappa), 2 / (1 + kappa)
        rates = best * np.array([0.9, 0.99, 1.0, 1.01, 1.05])
        x = run(problem, [1.0, 1.0], gd.GradientDescent(lr=rates), 40)
        factor = np.max(np.abs(x), axis=-1) ** (1 / 40)
        assert factor[2] == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-12)
        assert np.all(np.delete(factor, 2) > factor[2] * (1 + 1e-5))


def test_the_best_rate_of_the_heavy_ball() -> None:
    """The rate (sqrt k - 1) / (sqrt k + 1); a double root, so the size is (a + b t) rate^t."""
    for kappa in (4.0, 100.0):
        root = math.sqrt(kappa)
        optimizer = gd.Momentum(lr=[4 / (root + 1) ** 2], momentum=((root - 1) / (root + 1)) ** 2)
        steps = np.array([150, 300])
        sizes = [np.max(np.abs(run(form(1.0, kappa), [1.0, 1.0], optimizer, int(t)))) / t for t in steps]
        rate = (sizes[1] / sizes[0]) ** (1 / 150)
        assert rate == pytest.approx((root - 1) / (root + 1), rel=2e-4)


def test_a_saddle_is_left_at_an_exact_rate_and_its_ridge_never() -> None:
    lr = np.array([0.01, 0.1, 0.5])
    x = run(form(1.0, -1.0), [[[1.0, 1e-3]], [[1.0, 0.0]]], gd.GradientDescent(lr=lr), 50)
    np.testing.assert_allclose(x[0, :, 1], 1e-3 * (1 + lr) ** 50, rtol=1e-12)
    np.testing.assert_allclose(x[..., 0], np.broadcast_to((1 - lr) ** 50, (2, 3)), rtol=1e-12)
    assert x[1, :, 1].tolist() == [0.0, 0.0, 0.0]


def ramp(x, slope):
    return slope[0] * x[0] + slope[1] * x[1]


def ramp_gradient(x, out, slope):
    out[0] = slope[0]
    out[1] = slope[1]


def test_adam_under_a_constant_gradient() -> None:
    """Each of its steps has the length lr |g| / (|g| + eps)."""
    slope = np.array([-3.0, 1e-3])
    problem = gd.Problem(ramp, ramp_gradient, dim=2, data=(slope,))
    for eps in (1e-8, 0.5):
        trace = trace_of(problem, [0.0, 0.0], gd.Adam(lr=0.1, eps=eps), max_steps=2000)
        moves = np.diff(trace, axis=0)
        expected = -np.sign(slope) * 0.1 * np.abs(slope) / (np.abs(slope) + eps)
        np.testing.assert_allclose(moves, np.broadcast_to(expected, moves.shape), rtol=1e-9)


# Himmelblau's function

MINIMA = np.array(
    [
        [3.0, 2.0],
        [-2.80511808695274, 3.13131251825057],
        [-3.77931025337775, -3.28318599128617],
        [3.58442834033049, -1.8481265269644],
    ]
)
LIMITS = np.array([0.0243059, 0.0248293, 0.0149493, 0.0189720])


@pytest.mark.parametrize(
    "optimizer",
    [gd.GradientDescent(lr=0.005), gd.Momentum(lr=0.002, momentum=0.8), gd.Nesterov(lr=0.002), gd.Adam(lr=0.05)],
    ids=lambda optimizer: optimizer.name,
)  # fmt: skip
def test_himmelblaus_minima_to_ten_digits(optimizer: gd.optimizers.Optimizer) -> None:
    problem = gd.problems.himmelblau()
    runs = gd.minimize(problem, problem.sample(2000, seed=0), optimizer, gtol=1e-9)
    settled = runs.x[runs.success]
    assert len(settled) > 1990
    basins = gd.find_basins(runs)
    assert len(basins) == 4
    distance = np.max(np.abs(settled[:, None] - MINIMA), axis=-1)
    assert np.max(np.min(distance, axis=-1)) < 1e-10
    assert set(np.argmin(distance, axis=-1)) == {0, 1, 2, 3}
    assert np.max(runs.fun[runs.success]) < 1e-18


def test_himmelblaus_minima_are_left_at_their_stability_limits() -> None:
    """A run beside the minimum returns at 0.99999 of the limit 2 / lambda_max, and leaves at 1.00001 of it."""
    starts = MINIMA + np.array([1e-6, 0.5e-6])
    x = run(gd.problems.himmelblau(), starts, gd.GradientDescent(lr=straddle(LIMITS, 1e-5)), 3_000_000)
    away = np.max(np.abs(x - MINIMA), axis=-1)
    assert np.all(away[0] < 1e-9)
    assert np.all(away[1] > 1e-4)
    eigenvalues = np.linalg.eigvalsh(gd.problems.himmelblau().hessian(MINIMA))
    np.testing.assert_allclose(2 / eigenvalues[:, -1], LIMITS, rtol=0, atol=1e-7)  # a unit of the last digit
    assert 2 / eigenvalues[0, -1] == pytest.approx(2 / (54 + 20 * math.sqrt(2)), rel=1e-14)


def test_saddles_and_the_maximum_repel() -> None:
    """A run beside one of the other stationary points leaves it, by the fastest direction at 1 - lr lambda_min."""
    points = np.array(
        [
            [-0.270844590667348, -0.923038556479981],
            [3.38515418360702, 0.0738518798377493],
            [0.0866775045553964, 2.88425470117478],
            [-3.07302575076439, -0.0813530442879675],
            [-0.12796134673068, -1.95371498024458],
        ]
    )
    values = np.array([181.616521522583, 13.3119262704056, 67.7191500875261, 104.015162917558, 178.337239201927])
    problem = gd.problems.himmelblau()
    np.testing.assert_allclose(problem.value(points), values, rtol=1e-14)
    assert np.max(np.abs(problem.gradient(points))) < 1e-12
    eigenvalues, vectors = np.linalg.eigh(problem.hessian(points))
    assert np.all(eigenvalues[:, 0] < 0)
    assert (eigenvalues[:, 1] < 0).tolist() == [True, False, False, False, False]
    lr, steps = 1e-3, 60
    x = run(problem, points + 1e-7 * vectors[..., 0], gd.GradientDescent(lr=lr), steps)
    growth = np.max(np.abs(x - points), axis=-1) / np.max(np.abs(1e-7 * vectors[..., 0]), axis=-1)
    np.testing.assert_allclose(growth, (1 - lr * eigenvalues[:, 0]) ** steps, rtol=1e-3)
    runs = gd.minimize(problem, points + 1e-7 * vectors[..., 0], gd.GradientDescent(lr=0.005))
    assert np.max(np.min(np.max(np.abs(runs.x[:, None] - MINIMA), axis=-1), axis=-1)) < 1e-6


# Styblinski and Tang's function: basins of known size

LOWER, UPPER, BOUNDARY = -2.90353402777118, 2.746802770990837, 0.15673125678034
SHARE = 0.515673125678  # of [-5, 5] that lies left of the boundary


@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("method", ["sobol", "uniform"])
def test_styblinski_tang_fractions(dim: int, method: str) -> None:
    """With steps below 1 / max f'' gradient descent cannot jump over the boundary, so the shares are products.

    The intervals are those of random starts.  Sobol' points are spread more evenly, so every share is inside; of
    random starts one in twenty shares is outside, and the shares together follow their chi-squared law.
    """
    problem = gd.problems.styblinski_tang(dim=dim)
    x0 = problem.sample(2**20 if method == "sobol" else 1_000_000, seed=0, method=method)
    runs = gd.minimize(problem, x0, gd.GradientDescent(lr=0.005), max_steps=2000)
    assert runs.success.all()
    basins = gd.find_basins(runs)
    assert len(basins) == 2**dim
    low = basins.x < 0
    np.testing.assert_allclose(basins.x, np.where(low, LOWER, UPPER), atol=1e-7)
    expected = SHARE ** low.sum(axis=-1) * (1 - SHARE) ** (~low).sum(axis=-1)
    assert expected.sum() == pytest.approx(1.0, abs=1e-11)
    inside = (basins.intervals[:, 0] <= expected) & (expected <= basins.intervals[:, 1])
    if method == "sobol":
        assert inside.all()
    else:
        assert inside.mean() >= 0.85
        assert stats.chisquare(basins.counts, expected * len(x0)).pvalue > 1e-3
    # every single run goes to the side on which it began, parameter by parameter
    assert np.array_equal(runs.x < 0, x0 < BOUNDARY)


def test_styblinski_tang_shares_in_two_dimensions() -> None:
    shares = [SHARE**2, SHARE * (1 - SHARE), (1 - SHARE) ** 2]
    np.testing.assert_allclose(shares, [0.265918773, 0.249754353, 0.234572521], atol=5.1e-10)


def test_other_stationary_points() -> None:
    """Starts beside the known minima of other functions stay with them."""
    camel = gd.problems.three_hump_camel()
    side = [1.74755234583029, -0.873776172915144]
    minima = np.array([[0.0, 0.0], side, np.negative(side)])
    runs = gd.minimize(camel, minima + 0.01, gd.GradientDescent(lr=0.02), gtol=1e-11)
    np.testing.assert_allclose(runs.x, minima, atol=1e-10)
    np.testing.assert_allclose(runs.fun, [0.0, 0.29863844223686, 0.29863844223686], atol=1e-13)
    beale = gd.minimize(gd.problems.beale(), [3.05, 0.51], gd.GradientDescent(lr=0.01), gtol=1e-11)
    np.testing.assert_allclose(beale.x, [3.0, 0.5], atol=1e-10)
    starts = np.array([[0.0, -1.0], [-0.6, -0.4], [1.8, 0.2]])
    problem, optimizer = gd.problems.goldstein_price(), gd.GradientDescent(lr=1e-5)
    price = gd.minimize(problem, starts + 1e-3, optimizer, gtol=1e-7, max_steps=10**6)
    np.testing.assert_allclose(price.x, starts, atol=1e-8)
    np.testing.assert_allclose(price.fun, [3.0, 30.0, 84.0], rtol=1e-10)
