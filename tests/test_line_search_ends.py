"""How runs with a line search end, and what such methods refuse."""

from __future__ import annotations

import time
import warnings
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs

import fastgd as gd
from fastgd.engine import cpu
from fastgd.stopping import Status

HIMMELBLAU = gd.problems.himmelblau()


ROSENBROCK = gd.problems.rosenbrock(dim=2)


METHODS: dict[str, Any] = {
    "cg": gd.ConjugateGradient(),
    "cg-hz": gd.ConjugateGradient("HZ", line_search=gd.HagerZhang()),
    "lbfgs": gd.LBFGS(memory=3),
    "backtracking": gd.GradientDescent(lr=gd.Backtracking(initial=0.1)),
}


def ends(problem: gd.Problem, start: Any, optimizer: Any, **options: Any) -> Status:
    return Status(int(gd.minimize(problem, start, optimizer, **options).status))


@pytest.mark.parametrize("name", METHODS)
def test_statuses(name):
    optimizer = METHODS[name]
    at_minimum = gd.minimize(HIMMELBLAU, [3.0, 2.0], optimizer)
    assert (at_minimum.status, at_minimum.nit, at_minimum.nfev) == (0, 0, 1)
    assert ends(HIMMELBLAU, [1.0, 1.0], optimizer, max_steps=2) is Status.STEP_LIMIT
    assert ends(HIMMELBLAU, [1.0, 1.0], optimizer, gtol=None, xtol=1e-3) is Status.NO_PROGRESS
    assert ends(HIMMELBLAU, [1.0, 1.0], optimizer, gtol=None, ftol=1e-3) is Status.NO_PROGRESS

    saddle = gd.Problem(lambda x: x[0] ** 2 - x[1] ** 2, dim=2, name="saddle")
    on_the_ridge = gd.minimize(saddle, [1.0, 0.0], optimizer)  # nothing leads away from the ridge
    assert on_the_ridge.status == Status.CONVERGED
    assert np.abs(on_the_ridge.x).max() < 1e-5
    beside_it = gd.minimize(saddle, [1.0, 1e-3], optimizer, bound=1e6)
    assert beside_it.status == Status.DIVERGED
    assert np.isfinite(beside_it.x).all()
    assert np.abs(beside_it.x).max() <= 1e6


@pytest.mark.parametrize("name", METHODS)
def test_where_the_function_is_not_finite(name):
    barrier = gd.Problem(lambda x: x[0] - np.log(x[0]) + x[1] ** 2, dim=2, name="barrier")  # NaN for x0 <= 0
    outside = gd.minimize(barrier, [-1.0, 1.0], METHODS[name])
    assert outside.status == Status.DIVERGED
    assert outside.nit == 0
    np.testing.assert_array_equal(outside.x, [-1.0, 1.0])
    # the first steps from here lead across the border, and searches come back from it
    inside = gd.minimize(barrier, [[0.01, 3.0], [20.0, -30.0]], METHODS[name])
    assert inside.success.all()
    np.testing.assert_allclose(inside.x, [[1.0, 0.0], [1.0, 0.0]], atol=1e-5)


def test_a_search_that_fails_keeps_the_best_point():
    # the gradient points the wrong way, so that no step along it makes the value smaller
    wrong = gd.Problem(lambda x: x[0] ** 2, backwards, dim=1, name="wrong")
    run = gd.minimize(wrong, [2.0], gd.ConjugateGradient())
    assert run.status == Status.LINE_SEARCH_FAILED
    assert run.nit == 0
    np.testing.assert_array_equal(run.x, [2.0])
    assert "line search failed" in run.messages[4].lower()


def backwards(x, out):
    out[0] = -2 * x[0]


@pytest.mark.parametrize("method", [gd.GradientDescent, lambda lr: gd.LBFGS(line_search=lr)])
def test_a_step_that_moves_nothing_is_no_step(method):
    """At 1e17 a step of length 1 is below the rounding of the point, and of the value, so that Armijo agrees to it."""
    slope = gd.Problem(lambda x: x[0], dim=1, name="slope")
    run = gd.minimize(slope, [1e17], method(gd.Backtracking(initial=1.0)), bound=1e20, max_steps=50)
    assert run.status == Status.LINE_SEARCH_FAILED
    assert run.nit == 0
    np.testing.assert_array_equal(run.x, [1e17])


class Impatient(gd.Backtracking):
    most = 100


def test_backtracking_by_small_factors_may_take_more_than_a_hundred_evaluations():
    """On c x² / 2 the step a is taken once a <= 2 (1 - c1) / c: for c = 1000, 619 refusals after the step 1."""
    c, c1, shrink = 1000.0, 1e-4, 0.99
    tries = int(np.ceil(np.log(2 * (1 - c1) / c) / np.log(shrink)))
    assert tries == 619
    steep = gd.Problem(lambda x, c: 0.5 * c * x[0] ** 2, dim=1, data=(c,), name="steep")
    run = gd.minimize(steep, [1.0], gd.GradientDescent(lr=gd.Backtracking(c1=c1, shrink=shrink)), max_steps=1)
    assert run.status == Status.STEP_LIMIT
    assert run.nfev == 2 + tries  # at the start, of the step 1, and of its fractions
    np.testing.assert_allclose(run.x, [1 - c * shrink**tries], rtol=1e-9)
    impatient = gd.GradientDescent(lr=Impatient(c1=c1, shrink=shrink))  # the same functions, and a kernel of its own
    assert gd.minimize(steep, [1.0], impatient, max_steps=1).status == Status.LINE_SEARCH_FAILED


def test_an_interruption_keeps_the_counts_of_finished_runs_only():
    """The first chunk begins at a minimum and ends at once, as half of the second does; the rest takes tiny steps."""
    search = gd.GradientDescent(lr=gd.Backtracking(initial=1e-9))
    x0 = np.repeat([[3.0, 2.0], [1.0, 1.0]], [96, 32], axis=0)
    whole = gd.minimize(HIMMELBLAU, x0, search, max_steps=1)

    def progress(done, total):
        time.sleep(0.1)  # so that the second chunk is under way
        raise KeyboardInterrupt

    with mock.patch.object(cpu, "chunk_runs", return_value=64), pytest.raises(gd.Interrupted) as caught:
        gd.minimize(HIMMELBLAU, x0, search, max_steps=50_000_000, threads=2, progress=progress)
    partial = caught.value.partial
    assert np.all(partial.status[96:] == Status.NOT_RUN)
    assert_same_runs(partial, whole, slice(96), slice(96))
    for name in ("nfev", "njev"):
        assert np.all(getattr(partial, name)[:96] == 1)
        assert not getattr(partial, name)[96:].any()


def test_hager_zhang_comes_closer_than_rounding_lets_strong_wolfe():
    waves = gd.problems.rastrigin(dim=2)  # its minima have values up to 50, with the rounding of such numbers
    starts = waves.sample(500, seed=0)
    fine = gd.minimize(waves, starts, gd.ConjugateGradient("HZ", gd.HagerZhang()), gtol=1e-10)
    coarse = gd.minimize(waves, starts, gd.ConjugateGradient("HZ", gd.StrongWolfe()), gtol=1e-10)
    assert fine.success.all()
    assert coarse.success.mean() < 0.8
    assert set(np.unique(coarse.status)) == {0, 4}


def test_restarts_come_after_so_many_steps():
    once = gd.minimize(ROSENBROCK, [-1.2, 1.0], gd.ConjugateGradient("FR", restart=1), max_steps=40)
    steepest = gd.minimize(ROSENBROCK, [-1.2, 1.0], gd.GradientDescent(lr=gd.StrongWolfe()), max_steps=40)
    np.testing.assert_array_equal(once.x, steepest.x)
    free = gd.minimize(ROSENBROCK, [-1.2, 1.0], gd.ConjugateGradient("FR"), max_steps=40)
    assert (free.x != once.x).any()


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: gd.ConjugateGradient("PR"), ValueError, r"beta must be one of PR\+, FR, HS, DY, HZ, got 'PR'"),
        (lambda: gd.ConjugateGradient(line_search=gd.StrongWolfe), TypeError, r"write StrongWolfe\(\)"),
        (lambda: gd.ConjugateGradient(line_search=0.1), TypeError, "line_search must be a line search"),
        (lambda: gd.ConjugateGradient(restart=0), ValueError, "restart must be None or an integer >= 1"),
        (lambda: gd.LBFGS(memory=0), ValueError, "memory must be an integer >= 1"),
        (lambda: gd.StrongWolfe(c1=0.5, c2=0.4), ValueError, "c1 must be < c2"),
        (lambda: gd.StrongWolfe(c2=[0.1, 1.0]), ValueError, "c2 must be finite and > 0 and < 1, got 1"),
        (lambda: gd.HagerZhang(delta=0.6), ValueError, "delta"),
        (lambda: gd.Backtracking(shrink=1.0), ValueError, "shrink"),
        (lambda: gd.Momentum(lr=gd.Backtracking()), TypeError, "take line searches"),
        (lambda: gd.GradientDescent(lr=gd.Backtracking(), clip_norm=1.0), ValueError, "true slope"),
        (lambda: gd.GradientDescent(lr=gd.Backtracking(), weight_decay=0.1), ValueError, "true slope"),
        (lambda: gd.GradientDescent(lr=gd.Backtracking()).init(np.ones(3)), TypeError, "line search"),
        (
            lambda: gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.LBFGS(), average=gd.SWA(start=10)), ValueError,
            "average must be None with a line search",
        ),
    ],
)  # fmt: skip
def test_bad_input(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_no_warning_and_no_exception_from_wild_functions():
    wild = gd.Problem(lambda x: np.exp(x[0] * 50) * np.sin(40 * x[1]) + 1 / x[0], dim=2, bounds=(-3, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = gd.minimize(wild, wild.sample(300, seed=0), gd.LBFGS(memory=3), max_steps=50)
    assert np.isfinite(runs.x).all()
    assert (runs.fun <= wild.value(wild.sample(300, seed=0))).all()
