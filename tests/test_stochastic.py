"""Mini-batches and noise: what is drawn, means and variances, and that a run depends on its own seed alone."""

from __future__ import annotations

import math
import warnings
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, form, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sum_cases import FIT, T, Y, slope

import fastgd as gd
from fastgd.engine import cpu
from fastgd.sampling import shuffled

SAMPLES = 12


def tally_loss(x, i, values):
    total = values[i] * 0.0
    for k in range(len(x)):
        total = total + gd.select(i == k, x[k], 0.0)
    return total


def tally_gradient(x, i, out, values):
    for k in range(len(x)):
        out[k] += gd.select(i == k, 1.0, 0.0)


def branching_gradient(x, i, out, values):
    for k in range(len(x)):
        if i == k:
            out[k] += 1.0


TALLY = gd.FiniteSum(tally_loss, tally_gradient, data=(np.zeros(SAMPLES),), dim=SAMPLES, name="tally")
SCALAR_TALLY = gd.FiniteSum(tally_loss, branching_gradient, data=(np.zeros(SAMPLES),), dim=SAMPLES, name="scalar tally")


def batches(problem: gd.FiniteSum = TALLY, steps: int = 30, runs: int = 40, **options: Any) -> np.ndarray:
    """How often each sample is in the batch of each step, times the learning rate: an array (runs, steps, samples)."""
    size = options["batch_size"]
    lr = np.broadcast_to(np.asarray(size, float), runs if np.ndim(size) == 0 else np.shape(size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the scalar target is slower
        start = np.zeros((len(lr), SAMPLES))
        trace = gd.minimize(
            problem, start, gd.GradientDescent(lr=lr), gtol=None, max_steps=steps, record=1, **options
        ).trace
    counts = -np.diff(trace, axis=1)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    return counts.round().astype(int)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 12])
def test_each_epoch_visits_every_sample_once_in_an_order_of_its_own(size):
    seeds = gd.seeds(4, 40)
    seen = batches(batch_size=size, seed=4)
    for run in range(40):
        order = np.concatenate([shuffled(SAMPLES, int(seeds[run]), epoch) for epoch in range(40)])
        expected = [np.bincount(order[t * size : (t + 1) * size], minlength=SAMPLES) for t in range(30)]
        np.testing.assert_array_equal(seen[run], expected)
    if SAMPLES % size == 0:
        steps = SAMPLES // size
        whole = seen[:, : 30 // steps * steps].reshape(40, -1, steps, SAMPLES)
        assert np.all(whole.sum(axis=2) == 1)
    if size == 1:
        orders = {tuple(run[:SAMPLES].argmax(axis=1)) for run in seen}
        assert len(orders) == 40


def test_without_shuffle_the_samples_come_in_their_order():
    seen = batches(batch_size=5, shuffle=False, runs=3)
    expected = [np.bincount(np.arange(5 * t, 5 * t + 5) % SAMPLES, minlength=SAMPLES) for t in range(30)]
    for run in seen:
        np.testing.assert_array_equal(run, expected)


def test_with_replacement_every_sample_is_equally_likely_in_every_place():
    seen = batches(batch_size=5, replace=True, runs=2000)
    assert np.all(seen.sum(axis=2) == 5)
    assert stats.chisquare(seen.sum(axis=(0, 1))).pvalue > 1e-4
    # of a batch of 5 all differ with probability 12!/(7! 12^5)
    distinct = np.count_nonzero(seen.max(axis=2) == 1)
    assert stats.binomtest(distinct, 60_000, math.perm(12, 5) / 12**5).pvalue > 1e-4
    first, second = seen[:, 0], seen[:, 1]  # steps are independent
    assert abs(np.corrcoef(first[:, 3], second[:, 3])[0, 1]) < 5 / math.sqrt(2000)


@pytest.mark.parametrize("replace", [False, True])
def test_both_targets_draw_the_same_samples(replace):
    options: dict[str, Any] = {"batch_size": 5, "replace": replace, "seed": 9}
    np.testing.assert_array_equal(batches(**options), batches(SCALAR_TALLY, **options))


@pytest.mark.parametrize("options", [{}, {"replace": True}, {"shuffle": False}])
def test_batch_sizes_of_the_runs_own(options):
    sizes = np.array([1, 2, 3, 4, 5, 6, 12, 12, 7, 1])
    seeds = np.arange(10)
    seen = batches(batch_size=sizes, seed=seeds, **options)
    for k, size in enumerate(sizes):
        alone = batches(batch_size=int(size), seed=seeds[k : k + 1], runs=1, **options)
        np.testing.assert_array_equal(seen[k], alone[0])


@pytest.mark.parametrize("options", [{}, {"replace": True}])
def test_shared_batches_are_those_of_the_seed(options):
    seen = batches(batch_size=5, shared_batches=True, seed=6, **options)
    assert np.all(seen == seen[0])
    np.testing.assert_array_equal(seen[0], batches(batch_size=5, seed=6, runs=1, **options)[0])
    named = batches(batch_size=5, shared_batches=6, seed=np.arange(40), **options)
    np.testing.assert_array_equal(seen, named)


def test_a_batch_larger_than_the_table_of_a_burst():
    seen = batches(batch_size=5000, replace=True, shared_batches=True, steps=3, runs=2)
    assert np.all(seen.sum(axis=2) == 5000)
    assert np.all(seen[0] == seen[1])
    np.testing.assert_array_equal(seen[0], batches(batch_size=5000, replace=True, steps=3, runs=1)[0])


# What the gradients of batches are on average


def draw_loss(x, i, slopes):
    return slopes[i] * x[0]


SLOPES = np.random.default_rng(8).normal(1.0, 2.0, 50)
DRAW = gd.FiniteSum(draw_loss, data=(SLOPES,), dim=1, name="draw")


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("size", [1, 8, 50])
def test_mean_and_variance_of_a_batch_are_those_of_theory(size, replace):
    """Variance sigma²/b; without replacement times (N - b)/(N - 1), W. G. Cochran, Sampling Techniques, 1977, (2.9)."""
    runs = 40_000
    found = -gd.minimize(
        DRAW, np.zeros((runs, 1)), gd.GradientDescent(lr=1.0), batch_size=size, replace=replace, max_steps=1, gtol=None,
        seed=3,
    ).x[:, 0]  # fmt: skip
    variance = SLOPES.var() / size * (1 if replace else (50 - size) / 49)
    if variance == 0:
        np.testing.assert_allclose(found, SLOPES.mean(), rtol=1e-13)
        return
    assert abs(found.mean() - SLOPES.mean()) < 5 * math.sqrt(variance / runs)
    spread = np.std((found - SLOPES.mean()) ** 2) / math.sqrt(runs)
    assert abs(found.var() - variance) < 5 * spread


def test_noise_has_its_standard_deviation_and_is_independent():
    flat = form(*[0.0] * 7)
    runs = 20_000
    z = -gd.minimize(
        flat, np.zeros((runs, 7)), gd.GradientDescent(lr=1.0), noise=0.5, gtol=None, max_steps=2, record=1, seed=1
    ).trace
    first, second = z[:, 1] / 0.5, (z[:, 2] - z[:, 1]) / 0.5
    both = np.hstack([first, second])
    assert stats.kstest(both.ravel(), "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(both.T) - np.eye(14)).max() < 5 / math.sqrt(runs)
    assert abs(np.corrcoef(first[:-1, 0], first[1:, 0])[0, 1]) < 5 / math.sqrt(runs)  # from run to run


def test_the_stationary_variance_of_noisy_descent_on_a_quadratic():
    """x <- (1 - lr c) x - lr s z is an AR(1) process of variance lr² s² / (1 - (1 - lr c)²)."""
    runs, lr, curvature, sigma = 20_000, 0.1, 2.0, 0.3
    bowl = form(*[curvature] * 7)
    found = gd.minimize(bowl, np.zeros((runs, 7)), gd.GradientDescent(lr=lr), noise=sigma, gtol=None, max_steps=100).x
    expected = (lr * sigma) ** 2 / (1 - (1 - lr * curvature) ** 2)
    assert abs(found.var() / expected - 1) < 5 * math.sqrt(2 / found.size)


@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.1])
def test_escape_from_a_saddle_has_the_probability_of_linear_theory(sigma):
    """y <- (1 + lr) y - lr s z leaves |y| < c with probability 2 Q(c / spread), a sum of independent normals."""
    runs, lr, steps, far = 10_000, 0.05, 100, 0.25
    saddle = form(*[1.0] * 6, -1.0)
    found = gd.minimize(
        saddle, np.zeros(7), gd.GradientDescent(lr=lr), noise=sigma, gtol=None, max_steps=steps, seed=np.arange(runs)
    ).x[:, -1]
    growth = (1 + lr) ** 2
    spread = lr * sigma * math.sqrt((growth**steps - 1) / (growth - 1))
    escaped = np.count_nonzero(np.abs(found) > far)
    assert stats.binomtest(escaped, runs, 2 * stats.norm.sf(far / spread)).pvalue > 1e-4
    assert stats.kstest(found / spread, "norm").pvalue > 1e-4


def test_without_noise_no_run_leaves_a_saddle():
    saddle = form(*[1.0] * 6, -1.0)
    assert not gd.minimize(saddle, np.zeros(7), gd.GradientDescent(lr=0.05), gtol=None, max_steps=100).x.any()


def test_the_average_of_noisy_runs_is_nearer_to_the_minimum_than_their_ends():
    """Weight averaging takes the stationary noise out: variance falls with the number of correlation times averaged."""
    bowl = form(*[2.0] * 7)
    runs = gd.minimize(
        bowl, np.zeros((500, 7)), gd.GradientDescent(lr=0.1), noise=1.0, gtol=None, max_steps=2000, average=gd.SWA(200)
    )
    # of an AR(1) process with coefficient a, the mean of n has about (1 + a) / (1 - a) / n of its variance
    expected = (1 + 0.8) / (1 - 0.8) / 1801
    assert runs.x_avg.var() / runs.x.var() == pytest.approx(expected, rel=0.2)


# Against a loop that is written out


def naive(x, seed, steps, size, lr, momentum=0.0, look_ahead=False):
    v = np.zeros(2)
    order = np.concatenate([shuffled(17, seed, epoch) for epoch in range(steps * size // 17 + 2)])
    for t in range(steps):
        at = x + momentum * v if look_ahead else x
        g = np.mean([slope(at, i) for i in order[t * size : (t + 1) * size]], axis=0)
        v = momentum * v - lr * g
        x = x + v
    return x


@pytest.mark.parametrize("look_ahead", [False, True])
def test_mini_batches_follow_the_loop_written_out(look_ahead):
    x0, seeds = FIT.sample(5, seed=1), gd.seeds(2, 5)
    options = {"lr": 0.05, "momentum": 0.8}
    optimizer = gd.Nesterov(**options, look_ahead=True) if look_ahead else gd.Momentum(**options)
    found = gd.minimize(FIT, x0, optimizer, batch_size=3, seed=2, max_steps=40, gtol=None).x
    expected = [naive(x, int(s), 40, 3, 0.05, 0.8, look_ahead) for x, s in zip(x0, seeds, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


def test_all_samples_are_the_mean():
    x = FIT.sample(9, seed=0)
    residual = x[:, :1] + x[:, 1:] * T - Y
    np.testing.assert_allclose(FIT.value(x), (0.5 * residual**2).mean(axis=1), rtol=1e-13)
    slopes = np.stack([residual.mean(axis=1), (residual * T).mean(axis=1)], axis=1)
    np.testing.assert_allclose(FIT.gradient(x), slopes, rtol=1e-12)
    second = [[1.0, T.mean()], [T.mean(), (T * T).mean()]]
    np.testing.assert_allclose(FIT.hessian(x), [second] * 9, rtol=1e-12)
    assert gd.gradient_check(FIT, x).ok


def test_full_batch_reaches_the_closed_form():
    best = np.polyfit(T, Y, 1)[::-1]
    runs = gd.minimize(FIT, FIT.sample(20, seed=1), gd.Momentum(lr=0.3, momentum=0.5), gtol=1e-12)
    np.testing.assert_allclose(runs.x, [best] * 20, atol=1e-10)
    assert runs.success.all()


def test_decreasing_rates_converge_to_the_closed_form():
    best = np.polyfit(T, Y, 1)[::-1]
    rate = gd.schedules.InverseTime(0.5, decay=0.01)
    runs = gd.minimize(FIT, FIT.sample(200, seed=1), gd.GradientDescent(lr=rate), batch_size=1, max_steps=50_000)
    assert np.abs(runs.x - best).max() < 2e-3
    fixed = gd.minimize(FIT, FIT.sample(200, seed=1), gd.GradientDescent(lr=0.5), batch_size=1, max_steps=50_000)
    assert np.abs(fixed.x - best).mean() > 20 * np.abs(runs.x - best).mean()


# Promise 1


CASES: list[dict[str, Any]] = [
    {"batch_size": 3}, {"batch_size": 3, "replace": True}, {"batch_size": 2, "noise": 0.1}, {"noise": 0.2},
    {"batch_size": 3, "shared_batches": 5}, {"batch_size": "own"}, {"batch_size": "own", "noise": "own"},
    {"batch_size": "own", "check_every": None, "gtol": 0.2, "max_steps": 500},
]  # fmt: skip
RUNS = 300


def options_of(case: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(6)
    own = {"batch_size": rng.integers(1, 18, RUNS), "noise": rng.uniform(0, 0.3, RUNS)}
    return {name: own[name] if isinstance(value, str) else value for name, value in case.items()}


def part(options: dict[str, Any], pick: Any) -> dict[str, Any]:
    return {name: value[pick] if isinstance(value, np.ndarray) else value for name, value in options.items()}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_depends_on_its_own_seed_alone(case, dtype):
    options, seeds = options_of(case), gd.seeds(11, RUNS)

    def descend(x0: Any, **more: Any) -> gd.Result:
        fixed = {"gtol": 0.05, "max_steps": 120, "check_every": 7, "dtype": dtype}
        return gd.minimize(FIT, x0, gd.Momentum(lr=0.1, momentum=0.5), **{**fixed, **options, **more})

    @given(
        few=st.lists(st.integers(0, RUNS - 1), min_size=1, max_size=3, unique=True),
        size=st.sampled_from([1, 7, 61]),
        threads=st.sampled_from([1, 2, 3]),
    )
    @settings(max_examples=6)
    def check(few: list[int], size: int, threads: int) -> None:
        x0 = FIT.sample(RUNS, seed=4)
        whole = descend(x0, seed=11, threads=1)
        assert len(np.unique(whole.nit)) > 2 or "noise" in case
        for k in few:
            assert_same_runs(whole, descend(x0[k], seed=seeds[k], **part(options, k)), k)
        with mock.patch.object(cpu, "chunk_runs", return_value=size):
            assert_same_runs(whole, descend(x0, seed=11, threads=threads))
        order = np.random.default_rng(size).permutation(RUNS)
        assert_same_runs(whole, descend(x0[order], seed=seeds[order], **part(options, order)), order)
        kept = descend(x0, seed=11, record=5)
        assert_same_runs(whole, kept)
        again = descend(x0, seed=11, record=5, threads=2)
        assert same_bits(kept.trace, again.trace)

    check()


def test_one_batch_size_and_an_array_of_it_are_the_same():
    x0 = FIT.sample(RUNS, seed=4)
    for size in (1, 3, 8):
        one = gd.minimize(FIT, x0, gd.GradientDescent(lr=0.1), batch_size=size, max_steps=50)
        many = gd.minimize(FIT, x0, gd.GradientDescent(lr=0.1), batch_size=np.full(RUNS, size), max_steps=50)
        assert_same_runs(one, many)


def test_the_first_run_of_a_batch_is_the_run_alone():
    x0 = FIT.sample(10, seed=4)
    many = gd.minimize(FIT, x0, gd.GradientDescent(lr=0.1), batch_size=3, max_steps=50, seed=8)
    assert_same_runs(many, gd.minimize(FIT, x0[0], gd.GradientDescent(lr=0.1), batch_size=3, max_steps=50, seed=8), 0)
    assert (
        len(np.unique(gd.minimize(FIT, [[0.0, 0.0]] * 10, gd.GradientDescent(lr=0.1), batch_size=3, max_steps=9).x))
        == 20
    )


def test_seeds_broadcast_against_hyperparameters():
    lr = np.array([0.05, 0.1])[:, None]
    runs = gd.minimize(FIT, [0.0, 0.0], gd.GradientDescent(lr=lr), batch_size=3, seed=np.arange(4), max_steps=30)
    assert runs.x.shape == (2, 4, 2)
    for k in range(4):
        alone = gd.minimize(FIT, [0.0, 0.0], gd.GradientDescent(lr=0.1), batch_size=3, seed=k, max_steps=30)
        assert_same_runs(runs, alone, (1, k))


# When the tests look


def test_the_tests_look_at_the_full_gradient_every_so_many_steps():
    runs = gd.minimize(FIT, FIT.sample(50, seed=1), gd.GradientDescent(lr=0.05), batch_size=8, gtol=0.1, check_every=6)
    ended = runs.status == 0
    assert ended.any()
    assert np.all(runs.nit[ended] % 6 == 0)
    assert np.all(runs.grad_norm[ended] <= 0.1)
    np.testing.assert_allclose(np.abs(FIT.gradient(runs.x)).max(axis=1), runs.grad_norm, rtol=1e-12)


def test_noise_alone_is_not_seen_by_the_tests():
    still = gd.minimize(form(1.0, 1.0), [0.0, 0.0], gd.GradientDescent(lr=0.1), noise=10.0)
    assert still.nit == 0
    assert still.status == 0


def test_patience_counts_looks():
    runs = gd.minimize(
        FIT, [2.0, 2.0], gd.GradientDescent(lr=0.0), batch_size=4, gtol=None, patience=3, check_every=5, max_steps=100
    )
    assert (int(runs.status), int(runs.nit)) == (1, 15)


def power_of_two(number: Any) -> Any:
    """The least one that is not below."""
    return 2 ** np.ceil(np.log2(number)).astype(np.int64)


def test_by_default_the_tests_look_once_in_ten_to_twenty_epochs():
    runs = gd.minimize(FIT, [2.0, 2.0], gd.GradientDescent(lr=0.2), batch_size=4, gtol=0.5, max_steps=500)
    assert int(runs.nit) % 64 == 0  # 4 of 17 samples make ten epochs in 42.5 steps


@pytest.mark.parametrize("width", ["lanes", "scalar"])
def test_each_batch_size_looks_at_steps_of_its_own(width, monkeypatch):
    if width == "scalar":
        monkeypatch.setattr(cpu, "width_of", lambda plan: 1)
    x0, sizes, seeds = FIT.sample(60, seed=3), np.arange(60) % 17 + 1, gd.seeds(5, 60)
    rate = gd.schedules.ReduceOnPlateau(0.2, patience=0, factor=0.5)
    options = {"gtol": 0.02, "patience": 1, "ftol": 0.01, "max_steps": 900}
    many = gd.minimize(FIT, x0, gd.Momentum(lr=rate, momentum=0.3), batch_size=sizes, seed=5, **options)
    ended = (many.status == 0) | (many.status == 1)
    assert len(np.unique(many.nit[ended])) > 5
    assert set(many.status[ended]) == {0, 1}
    assert np.all(many.nit[ended] % power_of_two(10 * 17 / sizes[ended]) == 0)
    for k in [*range(0, 60, 7), *np.flatnonzero(many.status == 1)[:2]]:
        size = int(sizes[k])
        alone = gd.minimize(FIT, x0[k], gd.Momentum(lr=rate, momentum=0.3), batch_size=size, seed=seeds[k], **options)
        assert_same_runs(many, alone, k)


def test_plateau_watches_the_full_value_at_looks():
    rate = gd.schedules.ReduceOnPlateau(0.1, patience=1, factor=0.5)
    runs = gd.minimize(
        FIT, [2.0, 2.0], gd.GradientDescent(lr=rate), batch_size=4, gtol=None, check_every=17, max_steps=200
    )
    assert np.isfinite(runs.x).all()
