"""Averages of the iterates against the means of recorded traces, and gradient clips against plain NumPy."""

import dataclasses
import warnings

import numpy as np
import pytest

import fastgd as gd

PROBLEM = gd.problems.himmelblau()
STARTS = PROBLEM.sample(50, seed=3)


@pytest.fixture(scope="module")
def plain():
    """Every point of every run, some of which converge before the others."""
    return gd.minimize(PROBLEM, STARTS, gd.Adam(lr=0.05), record=1, max_steps=400, gtol=1e-3)


def points_of(run, k):
    return run.trace[k, 1 : run.nit[k] + 1]


def test_the_points_are_those_of_the_run_without_an_average(plain):
    averaged = gd.minimize(
        PROBLEM, STARTS, gd.Adam(lr=0.05), max_steps=400, gtol=1e-3, average=gd.SWA(start=10, every=7)
    )
    np.testing.assert_array_equal(averaged.x, plain.x)
    np.testing.assert_array_equal(averaged.nit, plain.nit)


@pytest.mark.parametrize(("start", "every"), [(1, 1), (10, 7), (300, 1)])
def test_swa_is_the_mean_of_the_points_taken(plain, start, every):
    averaged = gd.minimize(
        PROBLEM, STARTS, gd.Adam(lr=0.05), max_steps=400, gtol=1e-3, average=gd.SWA(start=start, every=every)
    )
    assert (plain.nit < start).any() or start < 300  # the last case has runs that end before the average begins
    for k in range(len(STARTS)):
        taken = points_of(plain, k)[start - 1 :: every]
        expected = taken.mean(axis=0) if len(taken) else plain.x[k]
        np.testing.assert_allclose(averaged.x_avg[k], expected, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(averaged.fun_avg, PROBLEM.value(averaged.x_avg))


@pytest.mark.parametrize("start", [1, 20])
def test_ema_follows_its_recursion(plain, start):
    beta = 0.9
    averaged = gd.minimize(
        PROBLEM, STARTS, gd.Adam(lr=0.05), max_steps=400, gtol=1e-3, average=gd.EMA(beta=beta, start=start)
    )
    for k in range(len(STARTS)):
        points = points_of(plain, k)[start - 1 :]
        expected = points[0]
        for point in points[1:]:
            expected = beta * expected + (1 - beta) * point
        np.testing.assert_allclose(averaged.x_avg[k], expected, rtol=0, atol=1e-13)


def test_an_average_does_not_depend_on_the_batch():
    average = gd.SWA(start=5, every=3)
    together = gd.minimize(PROBLEM, STARTS, gd.Adam(lr=0.05), average=average)
    for k in (0, 7, 49):
        alone = gd.minimize(PROBLEM, STARTS[k], gd.Adam(lr=0.05), average=average)
        np.testing.assert_array_equal(alone.x_avg, together.x_avg[k])
        np.testing.assert_array_equal(alone.fun_avg, together.fun_avg[k])


def test_a_diverging_run_averages_its_finite_points():
    run = gd.minimize(PROBLEM, [5.0, 5.0], gd.GradientDescent(lr=0.1), average=gd.SWA(start=1), record=1)
    assert run.status == gd.Status.DIVERGED
    expected = run.trace[1:].mean(axis=0) if run.nit else run.x
    np.testing.assert_allclose(run.x_avg, expected, rtol=1e-12)


def test_without_an_average_there_is_none():
    run = gd.minimize(PROBLEM, [0.0, 0.0], gd.Adam(lr=0.05))
    assert run.x_avg is None
    assert run.fun_avg is None


@pytest.mark.parametrize("average", [gd.SWA(start=11), gd.EMA(start=11)])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_an_average_that_never_begins_is_refused(average, device):
    with pytest.raises(ValueError, match=r"never begin: (SWA|EMA) starts at step 11, and max_steps is 10; give an ear"):
        gd.minimize(PROBLEM, [4.0, 4.0], gd.Adam(lr=0.05), max_steps=10, average=average, device=device)
    last = dataclasses.replace(average, start=10)
    run = gd.minimize(PROBLEM, [4.0, 4.0], gd.Adam(lr=0.05), max_steps=10, gtol=None, average=last)
    np.testing.assert_array_equal(run.x_avg, run.x)  # the mean of the last point alone


@pytest.mark.parametrize("bad", [{"start": 0}, {"every": 0}, {"start": 1.5}, {"every": True}])
def test_swa_refuses(bad):
    with pytest.raises(ValueError, match=f"SWA: {next(iter(bad))} must be an integer >= 1"):
        gd.SWA(**bad)


@pytest.mark.parametrize("beta", [1.0, -0.1, True, "0.9", float("nan")])
def test_ema_refuses(beta):
    with pytest.raises(ValueError, match=r"EMA: beta must be a number in \[0, 1\)"):
        gd.EMA(beta=beta)


def test_average_must_be_an_average():
    with pytest.raises(TypeError, match="average must be None or an average such as"):
        gd.minimize(PROBLEM, [0.0, 0.0], gd.Adam(lr=0.05), average=100)


def clipped_descent(x, lr, steps, clip_value=None, clip_norm=None):
    for _ in range(steps):
        g = PROBLEM.gradient(x)
        if clip_value is not None:
            g = np.clip(g, -clip_value, clip_value)
        if clip_norm is not None:
            norm = np.linalg.norm(g)
            g = g * min(1.0, clip_norm / norm)
        x = x - lr * g
    return x


@pytest.mark.parametrize(
    "clips", [{"clip_value": 3.0}, {"clip_norm": 5.0}, {"clip_value": 20.0, "clip_norm": 10.0}], ids=str
)
def test_clips_against_numpy(clips):
    run = gd.minimize(PROBLEM, STARTS, gd.GradientDescent(lr=0.01, **clips), max_steps=25, gtol=None)
    expected = [clipped_descent(start, 0.01, 25, **clips) for start in STARTS]
    np.testing.assert_allclose(run.x, expected, rtol=1e-12)
    unclipped = gd.minimize(PROBLEM, STARTS, gd.GradientDescent(lr=0.01), max_steps=25, gtol=None)
    assert (abs(run.x - unclipped.x) > 1e-6).any()


@pytest.mark.parametrize("name", gd.optimizers.rules())
def test_every_rule_takes_clips(name):
    kind = type(gd.optimizers.make(name, lr=0.01))
    run = gd.minimize(PROBLEM, [4.0, 4.0], kind(lr=0.01, clip_norm=[0.5, 1e9]), max_steps=20, gtol=None)
    free = gd.minimize(PROBLEM, [4.0, 4.0], kind(lr=0.01), max_steps=20, gtol=None)
    np.testing.assert_allclose(run.x[1], free.x, rtol=1e-12)
    assert (run.x[0] != free.x).any() or name in ("lion", "rprop")  # these look at the signs alone


def test_one_limit_for_each_run_is_the_run_with_that_limit():
    limits = np.array([0.5, 2.0, 1e9])
    together = gd.minimize(PROBLEM, [4.0, 4.0], gd.Momentum(lr=0.01, clip_norm=limits), max_steps=20, gtol=None)
    for limit, x in zip(limits, together.x, strict=True):
        alone = gd.minimize(PROBLEM, [4.0, 4.0], gd.Momentum(lr=0.01, clip_norm=float(limit)), max_steps=20, gtol=None)
        np.testing.assert_array_equal(alone.x, x)


def test_the_stop_test_looks_at_the_gradient_itself():
    run = gd.minimize(PROBLEM, [0.0, 0.0], gd.GradientDescent(lr=0.01, clip_value=1e-9), max_steps=5, gtol=1e-6)
    assert run.status == gd.Status.STEP_LIMIT


def test_a_nan_passes_the_clips():
    def fun(x):
        return np.log(x[0])

    def grad(x, out):
        out[0] = np.log(-1.0 - x[0] * x[0])

    run = gd.minimize(
        gd.Problem(fun, grad, dim=1), [1.0], gd.GradientDescent(lr=0.1, clip_value=1.0, clip_norm=1.0), max_steps=5
    )
    assert run.status == gd.Status.DIVERGED
    np.testing.assert_array_equal(run.x, [1.0])


def test_the_norm_of_a_large_gradient_does_not_overflow():
    steep = gd.Problem(lambda x: 1e21 * x[0] * x[0] + 1e21 * x[1] * x[1], dim=2)
    run = gd.minimize(steep, [3.0, 4.0], gd.GradientDescent(lr=1.0, clip_norm=1.0), max_steps=1, dtype=np.float32)
    np.testing.assert_allclose(run.x, [2.4, 3.2], rtol=1e-6)


def test_a_trace_larger_than_memory_is_refused():
    starts = np.zeros((1_000_000, 2))
    with pytest.raises(ValueError, match="record=1, 1,000,001 points of 1,000,000 runs, would take"):
        gd.minimize(PROBLEM, starts, gd.Adam(lr=0.05), record=1, max_steps=1_000_000, gtol=None)


def test_an_average_that_began_in_no_run_is_told_of():
    """On x² a rate of 0.25 halves the point: the slope 2 x falls to 1e-6 after ⌈log2(2e6)⌉ = 21 steps."""
    square = gd.Problem(lambda x: x[0] ** 2, dim=1)
    rule = gd.GradientDescent(lr=0.25)
    said = "x_avg is x: the average starts at step 5,000, and the longest run ended after 21 steps"
    with pytest.warns(RuntimeWarning, match=said) as caught:
        runs = gd.minimize(square, [[1.0], [0.5]], rule, average=gd.SWA(start=5000))
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(runs.x_avg, runs.x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.minimize(square, [[1.0], [0.5]], rule, average=gd.SWA(start=21))
