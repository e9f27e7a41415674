"""Sweeps over hyperparameters, and maps that spend descents where labels change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases import form

import fastgd as gd

# Himmelblau's minima with 2 over their largest curvature
MINIMA = np.array(
    [[3.0, 2.0], [-2.80511808695274, 3.13131251825057], [-3.77931025337775, -3.28318599128617],
     [3.58442834033049, -1.8481265269644]]
)  # fmt: skip
LIMITS = np.array([0.0243059, 0.0248293, 0.0149493, 0.0189720])


def test_minima_stop_attracting_at_two_over_their_curvature():
    problem = gd.problems.himmelblau()
    around = MINIMA[:, None] + np.random.default_rng(0).uniform(-0.05, 0.05, (4, 100, 2))
    lr = np.sort(np.concatenate([0.99 * LIMITS, 1.01 * LIMITS]))
    sweep = gd.sweep_basins(
        problem, gd.GradientDescent(lr=0.1), {"lr": lr}, x0=around.reshape(-1, 2), max_steps=20_000
    )
    order = [int(np.argmin(np.abs(MINIMA - point).max(axis=1))) for point in sweep.basins.x]
    assert sorted(order) == [0, 1, 2, 3]
    np.testing.assert_allclose(sweep.limits, LIMITS[order], rtol=0, atol=1e-7)
    np.testing.assert_allclose(sweep.last(), 0.99 * LIMITS[order], rtol=1e-12)
    reached = sweep.fractions > 0
    assert np.array_equal(reached, lr[:, None] < LIMITS[order])
    assert np.all(sweep.fractions[reached] >= 0.25)


def test_a_sweep_is_the_single_calls_together():
    problem, optimizer = gd.problems.himmelblau(), gd.Adam(lr=0.1)
    lr, beta1 = [0.02, 0.1], [0.5, 0.8, 0.9]
    sweep = gd.sweep_basins(problem, optimizer, {"lr": lr, "beta1": beta1}, n_starts=200, seed=4, max_steps=400)
    assert sweep.fractions.shape == (2, 3, 4)
    assert sweep.basins.labels.shape == (2, 3, 200)
    for i, rate in enumerate(lr):
        for j, beta in enumerate(beta1):
            starts = problem.sample(200, seed=4)
            runs = gd.minimize(problem, starts, gd.Adam(lr=rate, beta1=beta), max_steps=400)
            alone = gd.find_basins(runs)
            assert sweep.unsettled[i, j] == alone.unsettled
            shares = np.zeros(4)
            for point, share, steps in zip(alone.x, alone.fractions, alone.mean_nit, strict=True):
                k = int(np.argmin(np.abs(sweep.basins.x - point).max(axis=1)))
                shares[k] = share
                assert sweep.mean_nit[i, j, k] == pytest.approx(steps)
            np.testing.assert_allclose(sweep.fractions[i, j], shares)
            every = np.array([*shares, alone.unsettled, alone.diverged])
            every = every[every > 0]
            assert sweep.entropy[i, j] == pytest.approx(-np.sum(every * np.log(every)))
            np.testing.assert_allclose(sweep.intervals[i, j], gd.wilson(np.rint(200 * shares), 200))
    assert sweep.last("beta1").tolist() == [0.9] * 4
    assert "2 values of lr, 3 values of beta1" in repr(sweep)


def test_nothing_reached_at_any_value():
    sweep = gd.sweep_basins(form(1.0, -1.0), gd.GradientDescent(lr=0.1), {"lr": [0.5, 0.7]}, n_starts=10)
    assert sweep.fractions.shape == (2, 0)
    assert sweep.diverged.tolist() == [1, 1]
    assert repr(sweep) == "<BasinSweep of form: 2 values of lr, 10 starts, 0 attractors>"
    assert sweep.entropy.tolist() == [0, 0]


def test_a_parameter_of_the_schedule():
    schedule = gd.schedules.Exponential(0.01, 0.999)
    name = next(n for n in gd.GradientDescent(lr=schedule).hyperparameters() if n.startswith("lr."))
    sweep = gd.sweep_basins(
        gd.problems.himmelblau(), gd.GradientDescent(lr=schedule), {name: [0.005, 0.01]}, n_starts=50
    )
    assert sweep.fractions.sum(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize(("over", "error", "match"), [
    ({}, TypeError, "over must map"),
    ([0.1], TypeError, "over must map"),
    ({"momentum": [0.1]}, ValueError, "over must name hyperparameters of GradientDescent"),
    ({"lr": 0.1}, ValueError, "must be a one-dimensional array"),
    ({"lr": []}, ValueError, "must be a one-dimensional array"),
    ({"lr": [-1.0]}, ValueError, "lr"),
])  # fmt: skip
def test_sweep_refuses(over, error, match):
    with pytest.raises(error, match=match):
        gd.sweep_basins(gd.problems.himmelblau(), gd.GradientDescent(lr=0.1), over)


BY_START = gd.Momentum(lr=0.1, momentum=np.linspace(0.0, 0.5, 5))
SUM = gd.FiniteSum(lambda x, i, t: (x[0] - t[i]) ** 2, data=(np.arange(9.0),), dim=1, bounds=(-1, 1))


@pytest.mark.parametrize(("call", "match"), [
    (lambda: gd.sweep_basins(form(1.0, 4.0), BY_START, {"lr": [0.1]}, n_starts=5),
     r"momentum must be one number beside those in over, got an array of shape \(5,\); sweep it too"),
    (lambda: gd.sweep_basins(form(1.0), gd.GradientDescent(lr=gd.schedules.Exponential([0.1, 0.2], 0.9)),
                             {"lr.gamma": [0.9, 0.99]}, n_starts=2), r"lr\.lr must be one number beside"),
    (lambda: gd.sweep_basins(SUM, gd.GradientDescent(lr=0.1), {"lr": [0.1]}, n_starts=2, batch_size=[2, 3]),
     r"batch_size must be one number in a sweep, .*make one sweep for each of its values"),
    (lambda: gd.map_basins(form(1.0, 4.0), gd.GradientDescent(lr=0.1), (2, 3), noise=np.ones((2, 3))),
     r"noise must be one number for a map"),
    (lambda: gd.compare(SUM, np.zeros((2, 1)), [gd.GradientDescent(lr=0.1)], batch_size=[2, 3]),
     r"batch_size must be one number for a comparison"),
    (lambda: gd.plot.learning_rates(form(1.0), [1.0], gd.Momentum(lr=0.1, momentum=[0.0, 0.9]), [0.1, 0.2]),
     r"momentum must be one number beside the learning rates, .*draw one picture for each"),
    (lambda: gd.plot.learning_rates(form(1.0), [1.0], gd.SciPyCG(), [0.1, 0.2]), "optimizer must be an optimizer such"),
])  # fmt: skip
def test_numbers_are_not_dealt_out_to_the_starts(call, match):
    with pytest.raises((TypeError, ValueError), match=match):
        call()


def test_a_rate_of_each_start_is_replaced_as_any_other():
    given = gd.Momentum(lr=[0.1, 0.2, 0.3], momentum=0.5)
    sweep = gd.sweep_basins(form(1.0, 4.0), given, {"lr": [0.1, 0.2]}, n_starts=3)
    assert sweep.fractions[:, 0].tolist() == [1, 1]


def test_one_of_each_is_said_in_the_singular():
    sweep = gd.sweep_basins(form(1.0, 2.0), gd.GradientDescent(lr=0.1), {"lr": [0.5]}, n_starts=1)
    assert repr(sweep) == "<BasinSweep of form: 1 value of lr, 1 start, 1 attractor>"
    assert repr(sweep.basins) == "<Basins of form: 1 attractor, 1 run>"
    assert str(sweep.basins).startswith("1 attractor of form from 1 run\n")
    found = gd.classify(form(1.0, 2.0), [[0.0, 0.0]])
    assert repr(found) == "<Classification of 1 point: 1 minimum>"
    doubted = repr(gd.classify(form(1.0, 2.0), np.ones((1, 2))))
    assert doubted == "<Classification of 1 point: 1 not critical; gradients up to 2>"
    assert repr(gd.classify(form(1.0, 2.0), np.zeros((3, 2)))) == "<Classification of 3 points: 3 minima>"
    assert repr(gd.classify(form(1.0, -2.0), np.zeros((2, 2)))) == "<Classification of 2 points: 2 saddles>"


def test_last_needs_a_name_where_there_are_several():
    sweep = gd.sweep_basins(
        gd.problems.himmelblau(), gd.GradientDescent(lr=0.1), {"lr": [0.01], "weight_decay": [0.0]}, n_starts=20
    )
    with pytest.raises(ValueError, match="name must be one of lr, weight_decay"):
        sweep.last()


@pytest.mark.parametrize(("optimizer", "limit"), [
    (gd.GradientDescent(lr=0.1), 0.5),
    (gd.GradientDescent(lr=0.1, weight_decay=1.0), 0.4),
    (gd.Momentum(lr=0.1, momentum=0.5), 0.75),
    (gd.Nesterov(lr=0.1, momentum=0.5), 0.375),
])  # fmt: skip
def test_limits_are_those_of_the_optimizer(optimizer, limit):
    """On a form with the curvatures 1 and 4, beyond the limit no run settles."""
    over = {"lr": [0.98 * limit, 1.02 * limit]}
    sweep = gd.sweep_basins(form(1.0, 4.0), optimizer, over, n_starts=20, max_steps=20_000)
    np.testing.assert_allclose(sweep.limits, [limit], rtol=1e-5)
    assert sweep.fractions[:, 0].tolist() == [1, 0]


def test_limits_over_other_hyperparameters_are_for_each_of_their_values():
    problem, momentum, lr = form(1.0, 4.0), [0.5, 0.0], [0.1, 0.2, 0.3]
    both = gd.sweep_basins(problem, gd.Momentum(lr=0.1), {"lr": lr, "momentum": momentum}, n_starts=5)
    assert both.limits.shape == both.fractions.shape == (3, 2, 1)
    np.testing.assert_allclose(both.limits[..., 0], [[0.75, 0.5]] * 3, rtol=1e-5)
    alone = gd.sweep_basins(problem, gd.Momentum(lr=0.1), {"momentum": momentum}, n_starts=5)
    np.testing.assert_allclose(alone.limits, [[0.75], [0.5]], rtol=1e-5)


def test_limits_are_left_open_where_they_are_not_known():
    problem = form(1.0, 4.0)
    assert gd.sweep_basins(problem, gd.Adam(lr=0.1), {"lr": [0.1]}, n_starts=5).limits is None
    decay = {"lr": [0.1], "weight_decay": [0.0, 1.0]}
    assert gd.sweep_basins(problem, gd.GradientDescent(lr=0.1), decay, n_starts=5).limits is None
    wells = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2))
    sweep = gd.sweep_basins(wells, gd.GradientDescent(lr=0.1), {"lr": [0.05]}, x0=[[0.0, 1.0], [0.5, 1.0]])
    assert sweep.basins.kind.tolist() == ["minimum", "saddle"]
    np.testing.assert_allclose(sweep.limits, [0.25, np.nan], rtol=1e-4)


def test_the_order_of_the_values_does_not_make_changes():
    """On x²/2 descent holds up to a rate of 2: one change, in whatever order the rates are given."""
    lr = np.linspace(0.5, 3.0, 40)
    shuffled = np.random.default_rng(0).permutation(lr)
    sweep = gd.sweep_basins(form(1.0), gd.GradientDescent(lr=0.1), {"lr": shuffled}, n_starts=5, max_steps=5000)
    rows = [line.split()[0] for line in sweep.summary(limit=4).splitlines()[2:6]]
    around = {f"{value:.6g}" for value in (lr[lr < 2].max(), lr[lr > 2].min())}
    assert set(rows) == {f"{shuffled[0]:.6g}", f"{shuffled[-1]:.6g}", *around}
    assert "36 rows left out, none beside a change" in sweep.summary(limit=4)


@pytest.mark.parametrize(("name", "optimizer", "shape", "refine", "saved"), [
    ("himmelblau", gd.Adam(lr=0.05), (256, 256), 4, 0.93),
    ("himmelblau", gd.Adam(lr=0.05), (201, 77), 3, 0.8),  # sides that no power of two divides
    ("himmelblau", gd.GradientDescent(lr=0.01), (256, 256), 4, 0.9),
    ("rastrigin", gd.GradientDescent(lr=0.001), (256, 256), 3, 0.7),
])  # fmt: skip
def test_the_refined_map_is_the_whole_map(name, optimizer, shape, refine, saved):
    problem = gd.problems.make(name, dim=2) if name == "rastrigin" else gd.problems.make(name)
    whole = gd.map_basins(problem, optimizer, shape)
    refined = gd.map_basins(problem, optimizer, shape, refine=refine)
    assert np.array_equal(refined.labels, whole.labels)
    np.testing.assert_array_equal(refined.basins.counts, whole.basins.counts)
    np.testing.assert_allclose(refined.basins.x, whole.basins.x, atol=1e-4)
    assert np.array_equal(refined.nit[refined.made], whole.nit[refined.made])
    assert np.array_equal(refined.status[refined.made], whole.status[refined.made])
    assert np.abs(refined.nit - whole.nit).mean() < 0.1 * whole.nit.mean()
    assert refined.runs == np.count_nonzero(refined.made)
    assert refined.saving == 1 - refined.runs / math.prod(shape) > saved
    assert f"{refined.runs:,} descents" in repr(refined)
    assert (whole.runs, whole.saving, whole.made) == (whole.labels.size, 0.0, None)


def test_a_fractal_map_saves_less_and_stays_close():
    problem, optimizer = gd.problems.himmelblau(), gd.Momentum(lr=0.01, momentum=0.9)
    whole = gd.map_basins(problem, optimizer, (256, 256))
    refined = gd.map_basins(problem, optimizer, (256, 256), refine=3)
    assert np.mean(whole.labels != refined.labels) < 0.01
    assert 0.1 < refined.saving < 0.7
    gd.plot.basins(refined)


@pytest.mark.parametrize(("refine", "error"), [(-1, ValueError), (5, ValueError), (1.5, TypeError), (True, TypeError)])
def test_refine_refuses(refine, error):
    with pytest.raises(error, match="refine must be"):
        gd.map_basins(gd.problems.himmelblau(), gd.Adam(lr=0.05), (32, 40), refine=refine)
