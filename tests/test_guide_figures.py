"""What the figures of the guide claim, against SciPy and against theory."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastgd as gd

FIGURES = Path(__file__).resolve().parents[1] / "docs" / "figures"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FIGURES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def noisy() -> ModuleType:
    return load("noisy_gradients")


@pytest.fixture(scope="module")
def batches() -> ModuleType:
    return load("batch_size")


def test_the_ripple_is_noise_of_the_deviation_asked_for(noisy):
    exact, rippled = noisy.noisy(0.0), noisy.noisy(0.5)
    # Less than any step that the searches compare; irregular, as waves seen at even distances look like slow ones
    along = 1e-9 * np.random.default_rng(0).exponential(size=4000).cumsum()
    points = np.ones(noisy.N) + along[:, None] / np.sqrt(noisy.N)
    added = np.column_stack([
        rippled.value(points) - exact.value(points), rippled.gradient(points) - exact.gradient(points),
    ])  # fmt: skip
    np.testing.assert_allclose(added.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(added.std(axis=0), 0.5, rtol=0.05)
    neighbours = [np.corrcoef(column[1:], column[:-1])[0, 1] for column in added.T]
    assert np.abs(neighbours).max() < 0.1
    assert np.abs(np.corrcoef(added.T) - np.eye(1 + noisy.N)).max() < 0.1


def test_a_search_with_fresh_noise_ends_at_the_same_height(noisy):
    from scipy.optimize import minimize

    s, generator = 1e-3, np.random.default_rng(0)

    def value_and_gradient(x):
        z = s * generator.standard_normal(1 + noisy.N)
        return 0.5 * noisy.CURVATURES @ x**2 + z[0], noisy.CURVATURES * x + z[1:]

    ends = [minimize(value_and_gradient, x, jac=True, method="CG", options={"gtol": 0.0}).x for x in noisy.starts(40)]
    ours = gd.minimize(noisy.noisy(s), noisy.starts(400), noisy.CONJUGATE, gtol=0.0).x
    ratio = np.median(noisy.excess(np.array(ends))) / np.median(noisy.excess(ours))
    assert 1 / 5 < ratio < 5  # where averages of momentum are seven decades below
    assert np.median(noisy.excess(ours)) > s


def test_momentum_with_drawn_noise_ends_at_the_same_height(noisy):
    rule = gd.Momentum(lr=1.0 / noisy.CONDITION, momentum=0.9)
    options = {"gtol": None, "max_steps": 4000}
    rippled = gd.minimize(noisy.noisy(0.1), noisy.starts(400), rule, **options)
    drawn = gd.minimize(noisy.noisy(0.0), noisy.starts(400), rule, noise=0.1, **options)
    # The stationary variance of the heavy ball: lr s² (1 + b) / (L (1 - b) (2 (1 + b) - lr L)), see B. T. Polyak (1987)
    b, lr, curvatures = 0.9, 1.0 / noisy.CONDITION, noisy.CURVATURES
    variance = lr * 0.01 * (1 + b) / (curvatures * (1 - b) * (2 * (1 + b) - lr * curvatures))
    expected = 0.5 * np.sum(curvatures * variance)
    assert noisy.excess(drawn.x).mean() == pytest.approx(expected, rel=0.1)
    assert noisy.excess(rippled.x).mean() == pytest.approx(expected, rel=0.1)


def test_ends_grow_with_the_noise_of_a_search_and_with_its_square_for_an_average(noisy):
    low, high = ({name: np.median(x) for name, x in noisy.finals(s, 200).items()} for s in (1e-4, 1e-2))
    growth = {name: high[name] / low[name] for name in low}
    assert 100 < growth["L-BFGS"] < 1000
    assert 100 < growth["conjugate gradients"] < 1000
    assert growth["momentum, 4,000 gradients, averaged"] == pytest.approx(1e4, rel=0.5)


def test_conjugacy_is_lost_by_noise(noisy):
    lost = [np.nanmedian(noisy.conjugacy(noisy.searched(s, 200).trace), axis=0)[6] for s in (0.0, 1e-6, 1e-3)]
    assert lost[0] < 1e-3
    assert min(lost[1:]) > 0.5


@pytest.mark.parametrize(("size", "lr"), [(8, 0.1), (64, 0.5)])
def test_floors_are_those_of_theory(batches, size, lr):
    problem = batches.line()
    floor = batches.floors(problem, lr, size, 2000, replace=True)
    assert floor == pytest.approx(batches.theory(problem, lr, size), rel=0.1)
    assert batches.floors(problem, lr, size, 400, replace=False) < 0.8 * floor


def test_the_noise_at_the_minimum_is_that_of_single_samples(batches):
    problem = batches.line()
    curvatures, variances = batches.noise_at_the_minimum(problem)
    each = gd.minimize(
        problem, problem.minima[0], gd.GradientDescent(lr=1.0), gtol=None, max_steps=1, batch_size=1,
        seed=np.arange(4000), replace=True,
    )  # fmt: skip
    moved = each.x - problem.minima[0]
    assert moved.var(axis=0).sum() == pytest.approx(variances.sum(), rel=0.1)
    np.testing.assert_allclose(curvatures, [1 / 3, 1.0], rtol=0.02)  # of t², and of 1, over [-1, 1]
