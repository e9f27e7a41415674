"""Runs that draw the same samples share the work, four samples at a time; neither may show in a single bit."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd as gd
from fastgd.engine import cpu

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(37, 5)), (RNG.random(37) < 0.5).astype(int)
LOGISTIC = gd.problems.logistic_regression(X, Y, l2=0.01)
START, SEEDS, RATES = 1.5, 7, 45  # the blocks of some lanes do not end where a seed does


def without_four(problem: gd.FiniteSum) -> gd.FiniteSum:
    """The same sum, one sample after the other."""
    return gd.FiniteSum(problem.loss, problem.sample_grad, data=problem.data, dim=problem.dim, name=problem.name)


def derived_loss(x, i, X, y):
    z = x[5]
    for k in range(5):
        z = z + x[k] * X[i, k]
    return 0.5 * (z - y[i]) ** 2


DERIVED = gd.FiniteSum(derived_loss, data=(X, Y), dim=6, bounds=(-2, 2), name="derived")


def branching_gradient(x, i, out, X, y):
    if x[0] > 1e300:
        out[0] += 1.0
    z = x[5]
    for k in range(5):
        z = z + x[k] * X[i, k]
    for k in range(5):
        out[k] += (z - y[i]) * X[i, k]
    out[5] += z - y[i]


def descend(problem: gd.FiniteSum, seed: Any, lr: Any, **more: Any) -> gd.Result:
    """Some converge, some diverge, and some do neither, so that the runs of a seed come to lie among others."""
    options: dict[str, Any] = {"batch_size": 6, "gtol": 0.2, "max_steps": 90, "check_every": 3, "bound": 30.0, **more}
    return gd.minimize(problem, np.full(problem.dim, START), gd.Momentum(lr=lr, momentum=0.5), seed=seed, **options)


@pytest.mark.parametrize(
    ("problem", "case"),
    [(LOGISTIC, {}), (LOGISTIC, {"replace": True, "dtype": np.float32}), (DERIVED, {"noise": 0.1, "batch_size": 3})],
    ids=["logistic", "with replacement, float32", "derived, with noise"],
)
def test_runs_with_one_seed_are_those_alone(problem, case):
    seeds, rates = gd.seeds(3, SEEDS), np.geomspace(0.005, 40.0, RATES)
    grid = descend(problem, seeds[:, None], rates, threads=1, **case)
    assert grid.batch_shape == (SEEDS, RATES)
    assert len(np.unique(grid.status)) == 3
    assert len(np.unique(grid.nit)) > 10

    for k, j in ((0, 0), (3, RATES // 2), (SEEDS - 1, RATES - 1)):
        assert_same_runs(grid, descend(problem, seeds[k : k + 1], rates[j : j + 1], **case), (slice(k, k + 1), j))
    # no two runs with one seed: the samples are gathered lane by lane
    apart = [descend(problem, seeds, np.full(SEEDS, rate), **case) for rate in rates]
    for j, one in enumerate(apart):
        assert_same_runs(grid, one, (slice(None), j))

    @given(order=st.permutations(range(SEEDS * RATES)), size=st.sampled_from([1, 40, 1000]), threads=st.integers(1, 3))
    @settings(max_examples=5)
    def check_any_order(order: list[int], size: int, threads: int) -> None:
        pick = np.array(order)
        flat = np.repeat(seeds, RATES)[pick], np.tile(rates, SEEDS)[pick]
        with mock.patch.object(cpu, "chunk_runs", return_value=size):
            mixed = descend(problem, *flat, threads=threads, **case)
        for name in ("x", "fun", "grad_norm", "nit", "status"):
            whole = getattr(grid, name).reshape(SEEDS * RATES, *getattr(mixed, name).shape[1:])
            assert same_bits(whole[pick], getattr(mixed, name))

    check_any_order()


@pytest.mark.parametrize("size", [1, 4, 7, 37])
@pytest.mark.parametrize("replace", [False, True])
def test_shared_batches_and_a_seed_for_all_are_the_same(size, replace):
    rates = np.geomspace(0.01, 1.0, 40)
    options: dict[str, Any] = {"batch_size": size, "replace": replace, "gtol": None, "max_steps": 40}
    shared = descend(LOGISTIC, 8, rates, shared_batches=True, **options)
    assert_same_runs(shared, descend(LOGISTIC, np.full(40, 8), rates, **options))
    assert_same_runs(shared, descend(LOGISTIC, 8, rates[7], **options), 7)


def test_a_batch_larger_than_the_table_of_a_burst():
    rates = np.geomspace(0.01, 1.0, 20)
    options: dict[str, Any] = {"batch_size": 5001, "replace": True, "gtol": None, "max_steps": 3}
    grid = descend(LOGISTIC, [[1], [2]], rates, **options)
    assert_same_runs(grid, descend(LOGISTIC, [1, 2], rates[5], **options), (slice(None), 5))


def test_runs_that_end_before_any_table_is_filled():
    """All runs of the first block, of two seeds, end at the first look; the table holds what it was made with."""
    filled = cpu.aligned

    def full_of_places_that_are_none(shape: Any, dtype: Any) -> np.ndarray:
        array = filled(shape, dtype)
        array[...] = 2**40
        return array

    seeds = np.repeat([0, 1], [5, 59])
    with mock.patch.object(cpu, "aligned", full_of_places_that_are_none):
        runs = descend(LOGISTIC, seeds, np.geomspace(0.01, 1.0, 64), gtol=100.0, threads=1)
    assert not runs.nit.any()
    assert not runs.status.any()


def test_traces_and_averages_are_those_alone():
    rates = np.geomspace(0.01, 1.0, 33)
    options: dict[str, Any] = {"gtol": None, "max_steps": 41, "record": 4, "average": gd.SWA(start=7)}
    grid, alone = (descend(LOGISTIC, seed, rates, **options) for seed in ([[4], [9]], [[9]]))
    assert same_bits(grid.trace[1], alone.trace[0])
    assert same_bits(grid.x_avg[1], alone.x_avg[0])


@pytest.mark.filterwarnings("ignore:.*each descent runs alone")
def test_the_scalar_target_draws_the_same():
    branching = gd.FiniteSum(derived_loss, branching_gradient, data=(X, Y), dim=6, name="branching")
    rates = np.geomspace(0.001, 0.05, 20)
    options: dict[str, Any] = {"gtol": None, "max_steps": 40}
    one, other = (descend(problem, [[4], [9]], rates, **options) for problem in (branching, DERIVED))
    np.testing.assert_allclose(one.x, other.x, rtol=1e-11, atol=1e-13)
    assert_same_runs(one, descend(branching, 9, rates[3], **options), (1, 3))


# Four samples at once


REGRESSIONS = {
    "logistic": LOGISTIC,
    "no bias": gd.problems.logistic_regression(X, Y, bias=False),
    "linear": gd.problems.linear_regression(X, Y),
    "ridge": gd.problems.linear_regression(X, Y, l2=0.3, bias=False),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_four_samples_at_once_are_four_in_turn(name):
    problem = REGRESSIONS[name]
    assert problem.grad_of_four is not None
    x = RNG.normal(size=(50, problem.dim))
    assert same_bits(problem.gradient(x), without_four(problem).gradient(x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_descents_by_four_are_those_by_one(dtype):
    rates = np.geomspace(0.01, 1.0, 40)
    options: dict[str, Any] = {"batch_size": 7, "gtol": None, "dtype": dtype, "shared_batches": True}
    assert_same_runs(*(descend(problem, 2, rates, **options) for problem in (LOGISTIC, without_four(LOGISTIC))))


def square_loss(x, i, t):
    return 0.5 * (x[0] * t[i] - 1.0) ** 2


def square_gradient(x, i, out, t):
    out[0] += (x[0] * t[i] - 1.0) * t[i]


def square_of_four(x, samples, out, t):
    for s in range(4):
        out[0] += (x[0] * t[samples[s]] - 1.0) * t[samples[s]]


def three_of_four(x, samples, out, t):
    for s in range(3):
        out[0] += (x[0] * t[samples[s]] - 1.0) * t[samples[s]]


def backwards(x, samples, out, t):
    for s in range(4):
        out[0] += (x[0] * t[samples[3 - s]] - 1.0) * t[samples[3 - s]]


@pytest.mark.parametrize("samples", [2, 9])
def test_a_gradient_of_four_of_the_users_own(samples):
    t = RNG.normal(size=samples)
    problem = gd.FiniteSum(square_loss, square_gradient, grad_of_four=square_of_four, data=(t,), dim=1)
    assert problem.grad_of_four is square_of_four
    expected = [[np.mean((3.0 * t - 1.0) * t)]]
    np.testing.assert_allclose(problem.gradient([[3.0]]), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("grad", "four", "kind", "words"),
    [
        (square_gradient, three_of_four, ValueError, r"grad_of_four must add .* made out\[0\] = "),
        (square_gradient, backwards, ValueError, "in that order, so that it rounds the same"),
        (square_gradient, lambda x, samples, out: None, TypeError, r"grad_of_four\(x, samples, out, \*data\)"),
        (square_gradient, 4, TypeError, "grad_of_four must be a plain Python function"),
        (None, square_of_four, ValueError, "give grad too"),
    ],
)
def test_gradients_of_four_that_are_refused(grad, four, kind, words):
    t = RNG.normal(size=9) / 3.0
    with pytest.raises(kind, match=words):
        gd.FiniteSum(square_loss, grad, grad_of_four=four, data=(t,), dim=1)


def test_a_sum_with_a_gradient_of_four_survives_pickling():
    import pickle

    problem = gd.FiniteSum(square_loss, square_gradient, grad_of_four=square_of_four, data=(np.ones(9),), dim=1)
    copy = pickle.loads(pickle.dumps(problem))
    assert copy.grad_of_four is square_of_four
    assert same_bits(copy.gradient([2.0]), problem.gradient([2.0]))
