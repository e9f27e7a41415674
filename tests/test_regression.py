"""Regressions and factorization against closed forms and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

import fastgd as gd

X, Y = gd.datasets.iris()
RNG = np.random.default_rng(0)
TARGET = X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3 + 0.1 * RNG.normal(size=150)


def scipys_minimum(problem: gd.FiniteSum) -> np.ndarray:
    found = optimize.minimize(
        problem.value,
        np.zeros(problem.dim),
        jac=problem.gradient,
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 5000},
    )
    return found.x


PROBLEMS: dict[str, gd.FiniteSum] = {
    "linear": gd.problems.linear_regression(X, TARGET),
    "ridge": gd.problems.linear_regression(X, TARGET, l2=0.1),
    "no bias": gd.problems.linear_regression(X, TARGET, bias=False),
    "logistic": gd.problems.logistic_regression(X, Y == 1, l2=0.01),
    "softmax": gd.problems.softmax_regression(X, Y, l2=0.01),
    "softmax without bias": gd.problems.softmax_regression(X, Y, l2=0.01, bias=False),
    "factorization": gd.problems.matrix_factorization(
        np.where(RNG.random((5, 4)) < 0.8, RNG.normal(size=(5, 4)), 0.5), 2, l2=0.1
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradients_are_those_of_differences(name):
    problem = PROBLEMS[name]
    check = gd.gradient_check(problem, problem.sample(10, seed=1, method="normal"))
    assert check.ok, check.summary()


@pytest.mark.parametrize("name", ["ridge", "no bias", "linear", "logistic", "softmax", "softmax without bias"])
def test_full_batches_reach_scipys_minimum(name):
    problem = PROBLEMS[name]
    start = problem.sample(3, seed=2, method="normal")
    runs = gd.minimize(problem, start, gd.Nesterov(lr=0.3, momentum=0.95), gtol=1e-9, max_steps=50_000)
    assert runs.success.all()
    best = scipys_minimum(problem)
    np.testing.assert_allclose(runs.fun, [problem.value(best)] * 3, atol=1e-10)
    if name != "softmax":  # its biases may be shifted together
        np.testing.assert_allclose(runs.x, [best] * 3, atol=1e-6)


def test_linear_regression_by_mini_batches_meets_the_closed_form():
    problem = PROBLEMS["linear"]
    design = np.hstack([X, np.ones((150, 1))])
    closed = np.linalg.lstsq(design, TARGET)[0]
    np.testing.assert_allclose(problem.minima[0], closed, rtol=1e-10)
    assert np.abs(problem.gradient(closed)).max() < 1e-13
    rate = gd.schedules.InverseTime(0.1, decay=0.002)
    runs = gd.minimize(problem, np.zeros((100, 5)), gd.GradientDescent(lr=rate), batch_size=8, max_steps=100_000)
    distance = np.sqrt(((runs.x - closed) ** 2).sum(axis=1))
    assert distance.max() < 0.02
    assert np.sqrt(((runs.x.mean(axis=0) - closed) ** 2).sum()) < 0.005  # the noise of the runs is independent


def test_ridge_has_its_closed_form_as_minimum():
    problem = PROBLEMS["ridge"]
    assert np.abs(problem.gradient(problem.minima[0])).max() < 1e-13


def test_no_minimum_is_claimed_where_it_is_not_unique():
    assert gd.problems.linear_regression(np.hstack([X, X]), TARGET).minima is None


@pytest.mark.parametrize("batch_size", [None, 8])
def test_losses_are_finite_far_out(batch_size):
    far = np.full((2, 5), 1e6)
    assert np.isfinite(PROBLEMS["logistic"].value(far)).all()
    assert np.isfinite(PROBLEMS["logistic"].gradient(far)).all()
    scores = gd.problems.softmax_regression(X, Y).value(1e6 * np.ones(15) * np.arange(15))
    assert np.isfinite(scores)


def test_values_are_those_of_the_formulas():
    x = np.random.default_rng(1).normal(size=15)
    z = X @ x[:12].reshape(3, 4).T + x[12:]
    expected = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(150), Y]) + 0.005 * np.sum(x[:12] ** 2)
    np.testing.assert_allclose(PROBLEMS["softmax"].value(x), expected, rtol=1e-13)
    w = x[:5]
    z = X @ w[:4] + w[4]
    expected = np.mean(np.log1p(np.exp(z)) - (Y == 1) * z) + 0.005 * np.sum(w[:4] ** 2)
    np.testing.assert_allclose(PROBLEMS["logistic"].value(w), expected, rtol=1e-13)


def test_factorization_finds_the_singular_values():
    """Eckart and Young: the best approximation of rank 2, doi:10.1007/BF02288367."""
    matrix = np.random.default_rng(5).normal(size=(5, 4))
    problem = gd.problems.matrix_factorization(matrix, rank=2)
    start = problem.sample(20, seed=1, method="normal")
    runs = gd.minimize(problem, start, gd.Momentum(lr=0.5, momentum=0.9), gtol=1e-10, max_steps=20_000)
    rest = np.linalg.svd(matrix, compute_uv=False)[2:]
    np.testing.assert_allclose(runs.fun, [0.5 * np.sum(rest**2) / 20] * 20, rtol=1e-9)
    u, v = runs.x[0, :10].reshape(5, 2), runs.x[0, 10:].reshape(4, 2)
    left, values, right = np.linalg.svd(matrix)
    np.testing.assert_allclose(u @ v.T, (left[:, :2] * values[:2]) @ right[:2], atol=1e-7)


def test_factorization_by_mini_batches_of_single_entries():
    """Each lane reads and writes the rows of its own entry."""
    matrix = np.outer([1.0, -2.0, 3.0], [2.0, 1.0])
    problem = gd.problems.matrix_factorization(matrix, rank=1)
    runs = gd.minimize(
        problem,
        problem.sample(50, seed=2, method="normal"),
        gd.GradientDescent(lr=0.05),
        batch_size=1,
        max_steps=20_000,
    )
    assert (runs.fun < 1e-10).mean() > 0.95  # the rest wait at the saddle
    order = gd.minimize(problem, [0.5] * 5, gd.GradientDescent(lr=0.05), batch_size=1, max_steps=3, gtol=None, record=1)
    x = np.full(5, 0.5)
    from fastgd.sampling import shuffled

    for i in shuffled(6, 0)[:3]:
        row, column = divmod(i, 2)
        r = x[row] * x[3 + column] - matrix[row, column]
        x[row], x[3 + column] = x[row] - 0.05 * r * x[3 + column], x[3 + column] - 0.05 * r * x[row]
    np.testing.assert_allclose(order.x, x, rtol=1e-13)


def test_the_data_are_those_described():
    flowers, species = gd.datasets.iris(standardize=False)
    assert np.bincount(species).tolist() == [50, 50, 50]
    np.testing.assert_allclose(flowers.mean(axis=0), [5.843, 3.057, 3.758, 1.199], atol=5e-4)  # Fisher's table
    pixels, digit = gd.datasets.digits(standardize=False)
    assert np.bincount(digit).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # UCI's optdigits.names
    assert (pixels.min(), pixels.max()) == (0, 16)
    scaled, _ = gd.datasets.digits()
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-14)
    spread = scaled.std(axis=0)
    np.testing.assert_allclose(spread[spread > 0], 1)
    train = gd.datasets.standardized(flowers[:100], like=flowers[50:])
    np.testing.assert_allclose(train, (flowers[:100] - flowers[50:].mean(axis=0)) / flowers[50:].std(axis=0))


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: gd.problems.linear_regression(X[:, 0], TARGET), ValueError, r"X must have shape \(N, p\)"),
    (lambda: gd.problems.linear_regression(X, TARGET[:9]), ValueError, "one entry for each of the 150 rows"),
    (lambda: gd.problems.linear_regression(X, TARGET, l2=-1.0), ValueError, "l2 must be a finite number >= 0"),
    (lambda: gd.problems.linear_regression(X * np.nan, TARGET), ValueError, "X must be finite"),
    (lambda: gd.problems.logistic_regression(X, Y), ValueError, "labels 0 and 1"),
    (lambda: gd.problems.softmax_regression(X, Y + 0.5), TypeError, "classes as integers"),
    (lambda: gd.problems.softmax_regression(X, -Y), ValueError, "classes 0, 1"),
    (lambda: gd.problems.matrix_factorization([1.0, 2.0]), ValueError, "M must be a matrix"),
    (lambda: gd.problems.matrix_factorization([[1.0, np.nan], [2.0, np.nan]]), ValueError, "column 1 has none"),
    (lambda: gd.problems.matrix_factorization([[1.0]], rank=0), ValueError, "rank"),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize("make", [gd.problems.linear_regression, gd.problems.logistic_regression])
def test_targets_in_a_column_are_told_to_be_flat(make: Any) -> None:
    X = np.arange(20.0).reshape(10, 2)
    with pytest.raises(ValueError, match=r"for each of the 10 rows of X, got shape \(10, 1\); write y\.ravel\(\)$"):
        make(X, np.ones((10, 1)))
