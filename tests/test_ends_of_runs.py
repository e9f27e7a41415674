"""When and where a run ends: the tests on gradient, step and value, the step limit, divergence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases import assert_same_runs, form, trace_of

import fastgd as gd

HIMMELBLAU = gd.problems.himmelblau()


BOWL = form(1.0, 10.0)


def test_value_and_gradient_are_those_of_the_end_point() -> None:
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(100, seed=2), gd.GradientDescent(lr=0.01), max_steps=15)
    assert set(np.unique(runs.status)) <= {0, 2, 3}
    np.testing.assert_allclose(runs.fun, HIMMELBLAU.value(runs.x), rtol=1e-13)
    np.testing.assert_allclose(runs.grad_norm, np.max(np.abs(HIMMELBLAU.gradient(runs.x)), axis=-1), rtol=1e-13)


def test_steps_to_the_gradient_tolerance_are_exact() -> None:
    """With curvature c and rate h the gradient after t steps is c x0 (1 - h c)^t."""
    rates, starts = np.linspace(0.02, 0.9, 50)[:, None], np.array([1e-3, 0.1, 1.0, 4.0])
    x0 = np.stack([starts, 0.0 * starts], axis=-1)
    for gtol in (1e-3, 1e-6, 3e-9):
        runs = gd.minimize(form(1.0, 1.0), x0, gd.GradientDescent(lr=rates), gtol=gtol)
        steps = np.maximum(0, np.ceil(np.log(gtol / starts) / np.log1p(-rates)))
        assert runs.success.all()
        assert runs.nit.tolist() == steps.astype(int).tolist()


def test_a_start_at_a_minimum_takes_no_step() -> None:
    runs = gd.minimize(HIMMELBLAU, [3.0, 2.0], gd.GradientDescent(lr=0.01))
    assert (int(runs.nit), int(runs.status), float(runs.fun)) == (0, 0, 0.0)
    assert runs.x.tolist() == [3.0, 2.0]


def test_the_step_limit_is_exact_and_may_meet_the_tolerance() -> None:
    x0 = HIMMELBLAU.sample(200, seed=3)
    free = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    assert free.success.all()
    for limit in (1, 31, 32, 33, 45, 64):
        cut = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), max_steps=limit)
        assert cut.status.tolist() == np.where(free.nit <= limit, 0, 2).tolist()
        assert cut.nit.tolist() == np.minimum(free.nit, limit).tolist()
        done = free.nit <= limit
        assert_same_runs(cut, free, done, done)
    limit = int(np.median(free.nit))  # some run meets the tolerance with its last step
    assert np.any(free.nit == limit)
    at_limit = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), max_steps=limit)
    assert np.all(at_limit.status[free.nit == limit] == 0)


def test_without_tolerance_every_run_goes_to_the_limit() -> None:
    runs = gd.minimize(HIMMELBLAU, [[3.0, 2.0], [0.0, 0.0]], gd.GradientDescent(lr=0.01), gtol=None, max_steps=50)
    assert runs.status.tolist() == [2, 2]
    assert runs.nit.tolist() == [50, 50]
    exact = gd.minimize(HIMMELBLAU, [[3.0, 2.0], [0.0, 0.0]], gd.GradientDescent(lr=0.01), gtol=0.0, max_steps=50)
    assert exact.status.tolist() == [0, 2]


def test_xtol_ends_a_run_after_its_first_small_step() -> None:
    """The t-th step has the length h x0 (1 - h)^(t-1)."""
    xtol, rates = 1e-7, np.array([0.05, 0.3, 0.5])
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.0], gd.GradientDescent(lr=rates), gtol=None, xtol=xtol)
    steps = np.ceil(np.log(xtol / rates) / np.log1p(-rates)) + 1
    assert runs.status.tolist() == [1, 1, 1]
    assert runs.nit.tolist() == steps.astype(int).tolist()
    np.testing.assert_allclose(runs.x[:, 0], (1 - rates) ** steps, rtol=1e-12)


def test_a_rate_of_zero_is_no_progress() -> None:
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.0], gd.GradientDescent(lr=np.zeros(3)), xtol=0.0)
    assert runs.status.tolist() == [1, 1, 1]
    assert runs.nit.tolist() == [1, 1, 1]


def stalls_at(values: np.ndarray, ftol: float, patience: int) -> int:
    """The step at which the best value has not fallen enough for `patience` steps."""
    best, waited = math.inf, 0
    for t, f in enumerate(values):
        if f < best - ftol * max(abs(f), 1.0):
            best, waited = f, 0
        else:
            waited += 1
        if waited >= patience:
            return t
    return -1


@pytest.mark.parametrize(
    ("ftol", "patience"), [(1e-3, None), (1e-3, 4), (1e-9, 1), (0.0, 6), (None, 1), (None, 6), (0.5, 40)]
)
def test_ftol_and_patience(ftol: float | None, patience: int | None) -> None:
    """Under a rate past half the stability limit values rise and fall, so patience matters."""
    x0, optimizer = HIMMELBLAU.sample(40, seed=4), gd.Momentum(lr=0.002, momentum=0.95)
    runs = gd.minimize(HIMMELBLAU, x0, optimizer, gtol=None, ftol=ftol, patience=patience, record=1, max_steps=3000)
    assert np.all(runs.status == 1)
    values = HIMMELBLAU.value(trace_of(HIMMELBLAU, x0, optimizer, max_steps=3000))
    expected = [stalls_at(v, ftol or 0.0, patience or 1) for v in values]
    assert runs.nit.tolist() == expected
    assert len(set(expected)) > 3


@pytest.mark.parametrize("bound", [4.0, 100.0, 1e10])
def test_a_diverged_run_keeps_its_last_point_inside_the_bound(bound: float) -> None:
    """x is multiplied by 1 - h at each step, here by -3."""
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.5], gd.GradientDescent(lr=[4.0]), bound=bound)
    steps = math.floor(math.log(bound) / math.log(3.0))
    assert runs.status.tolist() == [3]
    assert runs.nit.tolist() == [steps]
    assert runs.x.tolist() == [[(-3.0) ** steps, 0.5 * (-3.0) ** steps]]
    assert runs.fun.tolist() == [0.5 * 1.25 * 9.0**steps]


@pytest.mark.parametrize("problem", [form(*[1.0] * 2), form(*[1.0] * 40)], ids=["2", "40"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bound_is_one_of_each_parameter_and_not_of_their_sum(problem: gd.Problem, dtype: str) -> None:
    """Every parameter changes its sign and nothing else at each step, at the bound or just past it."""
    x0 = np.full((40, problem.dim), 8.0)
    x0[::3, 1] = np.nextafter(np.float32(8.0), np.float32(9.0))
    runs = gd.minimize(problem, x0, gd.GradientDescent(lr=2.0), bound=8.0, gtol=None, max_steps=10, dtype=dtype)
    beyond = x0[:, 1] > 8.0
    assert np.all(runs.status == np.where(beyond, 3, 2))
    assert np.all(runs.nit == np.where(beyond, 0, 10))
    np.testing.assert_array_equal(runs.x, x0)


def test_one_diverging_run_leaves_the_others_bit_for_bit() -> None:
    x0, calm = HIMMELBLAU.sample(500, seed=5), np.full(500, 0.01)
    wild = calm.copy()
    wild[[3, 77, 78, 499]] = 1e200, 5.0, np.finfo(float).max, 0.3
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=calm))
    runs = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=wild))
    assert np.all(runs.status[wild != calm] == 3)
    assert np.all(np.isfinite(runs.x))
    assert_same_runs(runs, whole, wild == calm, wild == calm)


def test_without_a_bound_an_infinite_point_is_still_divergence() -> None:
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.5], gd.GradientDescent(lr=[1e250]), bound=np.inf)
    assert runs.status.tolist() == [3]
    assert runs.x.tolist() == [[1.0 - 1e250, 0.5 - 0.5e250]]
    runs = gd.minimize(BOWL, [1.0, 0.5], gd.GradientDescent(lr=[1e30]), bound=np.inf, dtype=np.float32)
    assert runs.status.tolist() == [3]
    assert np.isfinite(runs.x).all()


def nan_component(x):
    return 1e-9 * x[0] + math.sqrt(x[1]) + 1e-9 * x[2]


def nan_component_gradient(x, out):
    out[0] = 1e-9
    out[1] = 0.5 / math.sqrt(x[1])
    out[2] = 1e-9


def test_a_nan_among_tiny_components_is_not_convergence() -> None:
    problem = gd.Problem(nan_component, nan_component_gradient, dim=3)
    x0 = np.array([[0.0, -1.0, 0.0], [0.0, 1e16, 0.0]])
    runs = gd.minimize(problem, x0, gd.GradientDescent(lr=1e-3), bound=1e20, max_steps=5)
    assert runs.status.tolist() == [3, 0]
    assert runs.nit.tolist() == [0, 0]
    assert np.isnan(runs.grad_norm[0])
    assert np.isnan(runs.fun[0])
    last = gd.minimize(problem, x0, gd.GradientDescent(lr=0.0), bound=1e20, max_steps=1)
    assert last.status.tolist() == [3, 0]


def nowhere(x):
    return math.log(x[0]) + 0.5 * x[0] ** 2 + 2.5 * x[0] + x[1] ** 2


def slope_of_nowhere(x, out):
    out[0] = 1.0 / x[0] + x[0] + 2.5  # 0 at -2 and at -1/2, where there is no logarithm
    out[1] = 2.0 * x[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_the_value_is_not_finite_no_run_has_arrived(dtype):
    problem = gd.Problem(nowhere, slope_of_nowhere, dim=2, bounds=(-3, 3))
    starts = np.array([[-2.0, 0.0], [-2.5, 1.0], [-1.5, 1.0]])
    runs = gd.minimize(problem, starts, gd.GradientDescent(lr=0.05), dtype=dtype, gtol=1e-4)
    assert np.isnan(runs.fun).all()
    assert np.all(runs.grad_norm <= 1e-4)
    assert np.all(runs.status == gd.Status.DIVERGED)
    assert not runs.success.any()
    assert np.all(gd.find_basins(runs).labels == -2)
    early = gd.minimize(problem, starts[1:], gd.GradientDescent(lr=0.05), dtype=dtype, max_steps=3)
    assert np.all(early.status == gd.Status.DIVERGED)
