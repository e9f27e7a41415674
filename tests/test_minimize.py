"""The public call: what broadcasts, what is kept of runs, and how the work is scheduled."""

from __future__ import annotations

import math
import threading
import warnings
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, edge, folded, folded_gradient, folded_value, form, same_bits, trace_of

import fastgd as gd
from fastgd.engine import cpu

HIMMELBLAU = gd.problems.himmelblau()
BOWL = form(1.0, 10.0)


def in_chunks_of(size: int) -> Any:
    return mock.patch.object(cpu, "chunk_runs", return_value=size)


# Batch shapes


@pytest.mark.parametrize(
    ("start", "lr", "decay", "seed", "batch"),
    [
        ((2,), (), (), (), ()),
        ((5, 2), (), (), (), (5,)),
        ((2,), (3,), (), (), (3,)),
        ((5, 2), (5,), (), (), (5,)),
        ((5, 2), (4, 1), (), (), (4, 5)),
        ((2,), (4, 1), (5,), (), (4, 5)),
        ((1, 5, 2), (4, 1), (3, 1, 1), (5,), (3, 4, 5)),
        ((2,), (), (), (2, 3), (2, 3)),
        ((1, 2), (1,), (1, 1), (), (1, 1)),
    ],
)
def test_everything_broadcasts(start: Any, lr: Any, decay: Any, seed: Any, batch: Any) -> None:
    rng = np.random.default_rng(1)
    x0 = rng.uniform(-3, 3, start)
    rates, decays = rng.uniform(1e-3, 0.1, lr), rng.uniform(0.1, 0.2, decay)
    runs = gd.minimize(
        BOWL, x0, gd.GradientDescent(lr=rates, weight_decay=decays), max_steps=7, gtol=None, seed=np.zeros(seed, int)
    )
    assert runs.batch_shape == batch
    assert runs.x.shape == (*batch, 2)
    assert runs.fun.shape == runs.grad_norm.shape == runs.nit.shape == runs.status.shape == runs.success.shape == batch
    # on ½ c x² with decay w every step multiplies x by 1 - lr (c + w)
    c = np.array([1.0, 10.0])
    factor = 1 - rates[..., None] * (c + decays[..., None])
    expected = np.broadcast_to(x0 * factor**7, (*batch, 2))
    np.testing.assert_allclose(runs.x, expected, rtol=1e-12)
    np.testing.assert_allclose(runs.fun, 0.5 * np.sum(c * expected**2, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(runs.grad_norm, np.max(np.abs(c * expected), axis=-1), rtol=1e-12)


def test_lists_integers_and_strided_starts() -> None:
    x0 = np.asfortranarray(HIMMELBLAU.sample(30, seed=1))
    optimizer = gd.GradientDescent(lr=0.01)
    whole = gd.minimize(HIMMELBLAU, np.ascontiguousarray(x0), optimizer, max_steps=20)
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=20))
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, x0.tolist(), optimizer, max_steps=20))
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, np.repeat(x0, 2, axis=0)[::2], optimizer, max_steps=20))
    ints = gd.minimize(HIMMELBLAU, [[1, 2], [-3, 0]], optimizer, max_steps=20)
    assert_same_runs(ints, gd.minimize(HIMMELBLAU, [[1.0, 2.0], [-3.0, 0.0]], optimizer, max_steps=20))


def test_starts_are_not_written_to() -> None:
    x0 = HIMMELBLAU.sample(10, seed=1)
    kept = x0.copy()
    runs = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    assert same_bits(x0, kept)
    assert not np.shares_memory(runs.x, x0)


# Recorded paths


def test_recorded_points_are_those_of_the_path() -> None:
    x0 = HIMMELBLAU.sample(150, seed=6)
    rates = np.full(150, 0.01)
    rates[[20, 70]] = 3.0, 1e-4
    optimizer = gd.GradientDescent(lr=rates)
    plain = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=100)
    every = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=100, record=1)
    assert_same_runs(plain, every)
    assert plain.trace is None
    assert set(np.unique(every.status)) == {0, 2, 3}
    trace = every.trace
    assert trace is not None
    assert trace.shape == (150, every.nit.max() + 1, 2)
    for k in range(150):
        t = every.nit[k]
        assert same_bits(trace[k, 0], x0[k])
        assert same_bits(trace[k, t], every.x[k])
        assert np.isfinite(trace[k, : t + 1]).all()
        assert np.isnan(trace[k, t + 1 :]).all()
    for steps in (1, 13, 32, 57):  # the points between are those of shorter descents
        short = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=steps)
        going = every.nit >= steps
        assert same_bits(trace[going, steps], short.x[going])
    for k in (2, 7, 32, 33, 99, 100, 101, 5000):
        for size in (7, 4096):
            with in_chunks_of(size):
                some = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=100, record=k)
            assert_same_runs(plain, some)
            assert same_bits(some.trace, trace[:, ::k])


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_a_step_that_ends_a_run_by_xtol_is_recorded(k: int) -> None:
    rates = np.linspace(0.05, 0.9, 30)
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.0], gd.GradientDescent(lr=rates), gtol=None, xtol=1e-6, record=k)
    assert runs.trace is not None
    last = runs.nit // k
    t = np.arange(last.max() + 1)
    expected = np.where(t <= last[:, None], (1 - rates[:, None]) ** (k * t), np.nan)
    np.testing.assert_allclose(runs.trace[..., 0], expected, rtol=1e-12)
    assert np.any(runs.nit % k == 0)


def test_traces_keep_the_batch_shape() -> None:
    grid = gd.GradientDescent(lr=np.full((2, 3), 0.01))
    assert trace_of(BOWL, [1.0, 1.0], grid, max_steps=8, record=4).shape == (2, 3, 3, 2)
    assert trace_of(BOWL, [1.0, 1.0], gd.GradientDescent(lr=0.01), max_steps=8, record=3).shape == (3, 2)


# Single precision and threads


def test_single_precision() -> None:
    x0 = HIMMELBLAU.sample(500, seed=7)
    runs = gd.minimize(HIMMELBLAU, x0, gd.Adam(lr=np.full(500, 0.05)), dtype=np.float32, gtol=1e-3, max_steps=3000)
    for name in ("x", "fun", "grad_norm"):
        assert getattr(runs, name).dtype == np.float32
    assert np.mean(runs.success) > 0.99
    assert np.all(runs.grad_norm[runs.success] <= np.float32(1e-3))
    distance = np.max(np.abs(runs.x[:, None] - HIMMELBLAU.minima), axis=-1).min(axis=-1)
    assert np.max(distance[runs.success]) < 1e-4


@pytest.mark.parametrize("threads", [1, 2, 5, np.int64(3)])
def test_any_number_of_threads(threads: int) -> None:
    x0 = HIMMELBLAU.sample(3000, seed=8)
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), threads=threads))


def test_calls_from_several_threads_at_once() -> None:
    x0 = HIMMELBLAU.sample(2000, seed=9)
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    found: list[gd.Result] = []
    callers = [
        threading.Thread(target=lambda: found.append(gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4
    for runs in found:
        assert_same_runs(whole, runs)


# The scalar target


def twice_folded_value(x):
    return 2.0 * x[0] * x[0] + x[1] * x[1] if x[0] > 0.5 else x[0] * x[0] + 0.25 + x[1] * x[1]


def twice_folded_gradient(x, out):
    out[0] = 4.0 * x[0] if x[0] > 0.5 else 2.0 * x[0]
    out[1] = 2.0 * x[1]


def test_a_branch_on_x_runs_on_scalars_with_one_warning() -> None:
    problem = gd.Problem(twice_folded_value, twice_folded_gradient, dim=2, name="twice_folded")
    with pytest.warns(UserWarning, match=r"twice_folded: .*slower.*branch on x.*select") as caught:
        runs = gd.minimize(problem, [[2.0, 1.0], [-2.0, 1.0]], gd.GradientDescent(lr=0.1))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert runs.success.all()
    np.testing.assert_allclose(runs.x, 0.0, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = gd.minimize(problem, [[2.0, 1.0], [-2.0, 1.0]], gd.GradientDescent(lr=0.1))
    assert_same_runs(runs, again)


def test_both_targets_find_the_same() -> None:
    x0 = HIMMELBLAU.sample(100, seed=3)
    optimizer = gd.Adam(lr=np.full(100, 0.05), weight_decay=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scalar = gd.minimize(folded(), x0, optimizer)
    lanes = gd.minimize(HIMMELBLAU, x0, gd.Adam(lr=np.full(100, 0.05)))
    assert scalar.success.all()
    minima = np.array(HIMMELBLAU.minima)
    basins, others = (np.max(np.abs(r.x[:, None] - minima), axis=-1).argmin(axis=-1) for r in (scalar, lanes))
    assert np.mean(basins == others) > 0.97
    np.testing.assert_allclose(scalar.x, minima[basins], atol=1e-6)
    assert folded_value([3.0, 2.0]) == 0.0
    out = [1.0, 1.0]
    folded_gradient([3.0, 2.0], out)
    assert out == [0.0, 0.0]


# The result


def test_the_best_run_has_the_lowest_value_of_those_that_stayed() -> None:
    optimizer = gd.GradientDescent(lr=[[0.01, 5.0], [1e-6, 0.001]])
    runs = gd.minimize(HIMMELBLAU, [0.0, 0.0], optimizer, max_steps=30)
    assert runs.status[0, 1] == 3
    assert runs.best == (0, 0)
    assert runs.fun[runs.best] == runs.fun_best == np.nanmin(runs.fun)
    np.testing.assert_array_equal(runs.x_best, runs.x[0, 0])
    one = gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientDescent(lr=0.01))
    assert one.best == ()
    assert one.fun_best == one.fun
    np.testing.assert_array_equal(one.x_best, one.x)
    lost = gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientDescent(lr=[5.0, 6.0]), max_steps=30)
    with pytest.raises(ValueError, match="no run is left to choose from"):
        _ = lost.x_best


def test_what_is_said_of_a_result() -> None:
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(64, seed=1), gd.GradientDescent(lr=np.r_[[5.0] * 4, [0.01] * 60]))
    facts = runs.summary()
    assert facts["runs"] == 64
    assert facts["counts"] == {"converged": 60, "diverged": 4}
    assert facts["success_rate"] == 60 / 64
    assert facts["nit_max"] == runs.nit.max()
    assert set(runs.messages) == {0, 3}
    text = str(runs)
    for words in ("64 runs on himmelblau by GradientDescent", "converged", "93.75%", "diverged", "6.25%"):
        assert words in text
    lost = gd.minimize(HIMMELBLAU, [np.sqrt(1e308), 0.0], gd.GradientDescent(lr=0.01))
    assert str(lost).startswith("1 run on himmelblau")
    assert "nan" not in str(lost)
    assert runs.problem is HIMMELBLAU
    assert isinstance(runs.optimizer, gd.GradientDescent)


def test_a_problem_with_a_singular_edge_still_counts_in_the_summary() -> None:
    runs = gd.minimize(edge(), [[-1.0, 1.0], [1.2, 1.0]], gd.GradientDescent(lr=[0.1, 0.1]))
    facts = runs.summary()
    assert facts["counts"] == {"converged": 1, "diverged": 1}
    assert facts["fun_min"] == pytest.approx(-0.5, abs=1e-9)


@pytest.mark.parametrize("rule", [gd.GradientDescent(lr=0.1), gd.LBFGS(), gd.SciPy("BFGS")])
def test_a_start_without_value_or_gradient_is_named(rule):
    """The length of a vector has no gradient at 0, and exp(1000²) is no float64."""
    length = gd.Problem(lambda x: math.sqrt(x[0] ** 2 + x[1] ** 2), dim=2)
    wall = gd.Problem(lambda x: math.exp(x[0] ** 2), dim=1)
    for problem, starts in ((length, [[0.0, 0.0], [1.0, 1.0]]), (wall, [[1000.0], [1.0]])):
        runs = gd.minimize(problem, starts, rule, max_steps=5)
        assert runs.messages[3].endswith(" At 1 start the value or the gradient is not finite.")
        assert "\n    1 of them at the start: value or gradient not finite there\n" in str(runs)


def test_a_run_that_diverges_later_had_a_start():
    runs = gd.minimize(gd.Problem(lambda x: x[0] ** 4, dim=1), [[3.0]], gd.GradientDescent(lr=1.0))
    assert runs.messages[3].endswith("or the value at x is not finite.")
    assert "at the start" not in str(runs)
