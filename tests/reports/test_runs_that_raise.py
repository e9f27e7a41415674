"""A function that raises ends the runs that it raises for, and no other; the first message is kept."""

import math

import numba
import numpy as np
import pytest
from numba.core import types
from numba.core.extending import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

import fastgd as gd
from fastgd.jit.types import Lanes


@numba.njit
def domain(x):
    if x[0] > 0.9:
        raise ValueError("outside")
    return x[0] ** 2 + x[1] ** 2


@numba.njit
def gradient_in_domain(x, out):
    if x[0] > 0.9:
        raise ValueError("outside")
    out[0], out[1] = 2 * x[0], 2 * x[1]


@pytest.fixture(scope="module")
def problem():
    return gd.Problem(domain, gradient_in_domain, dim=2, bounds=(-1, 0.8))


STARTS = np.array([[0.5, 0.5], [2.0, 0.5], [-0.5, 0.25], [1.0, 1.0], [0.1, 0.0]])
OUTSIDE = STARTS[:, 0] > 0.9


@pytest.mark.filterwarnings("ignore:.*cannot take several runs")
@pytest.mark.parametrize("optimizer", [gd.Adam(lr=0.05), gd.LBFGS(), gd.GradientFlow(), gd.SciPy("BFGS")])
def test_the_others_go_on(problem, optimizer):
    runs = gd.minimize(problem, STARTS, optimizer)
    assert (runs.status[OUTSIDE] == 3).all()
    assert (runs.status[~OUTSIDE] == 0).all()
    assert runs.raised.tolist() == OUTSIDE.tolist()
    assert np.isnan(runs.fun[OUTSIDE]).all()
    assert np.isnan(runs.grad_norm[OUTSIDE]).all()
    np.testing.assert_array_equal(runs.x[OUTSIDE], STARTS[OUTSIDE])
    assert runs.error.startswith("ValueError: outside")
    assert "2 runs raised ValueError: outside" in str(runs)
    alone = gd.minimize(problem, STARTS[~OUTSIDE], optimizer)
    np.testing.assert_array_equal(alone.x, runs.x[~OUTSIDE])
    assert alone.raised is None
    assert alone.error is None


@pytest.mark.filterwarnings("ignore:.*cannot take several runs")
def test_a_run_that_raises_on_its_way_ends_where_it_stood(problem):
    uphill = gd.GradientDescent(lr=0.1)
    away = gd.Problem(
        lambda x: -domain(x) if x[0] <= 0.9 else domain(x), lambda x, out: negated(x, out), dim=2, bounds=(-1, 0.8)
    )
    runs = gd.minimize(away, [[0.5, 0.0], [-0.5, 0.0]], uphill, max_steps=20, gtol=None, record=1)
    expected = 0.5 * 1.2 ** np.arange(21)  # each step takes x to x + 0.1 * 2 x
    last = int(np.flatnonzero(expected > 0.9)[0])
    assert runs.nit.tolist() == [last, 20]
    assert runs.status.tolist() == [3, 2]
    assert runs.x[0, 0] == pytest.approx(expected[last])
    np.testing.assert_allclose(runs.trace[0, : last + 1, 0], expected[: last + 1])


@numba.njit
def negated(x, out):
    gradient_in_domain(x, out)
    out[0], out[1] = -out[0], -out[1]


@pytest.mark.filterwarnings("ignore:.*cannot take several runs")
def test_averages_values_and_schedules(problem):
    runs = gd.minimize(
        problem, STARTS, gd.Momentum(lr=0.05), average=gd.SWA(start=2), ftol=1e-12, patience=5, max_steps=200
    )
    assert (runs.status[OUTSIDE] == 3).all()
    assert np.isfinite(runs.fun_avg[~OUTSIDE]).all()
    assert np.isnan(runs.fun_avg[OUTSIDE]).all()
    scheduled = gd.Adam(lr=gd.schedules.ReduceOnPlateau(0.05))
    runs = gd.minimize(problem, STARTS, scheduled, max_steps=50)
    assert (runs.status[OUTSIDE] == 3).all()
    assert (runs.status[~OUTSIDE] >= 0).all()


@pytest.mark.filterwarnings("ignore:.*cannot take several runs")
def test_all_runs_raise(problem):
    runs = gd.minimize(problem, np.full((300, 2), 2.0), gd.Adam())
    assert (runs.status == 3).all()
    assert runs.raised.all()
    assert "300 runs raised ValueError: outside" in str(runs)
    basins = gd.find_basins(runs)
    assert basins.diverged == 1.0


def whole_part(v):
    """An integer of a float on lanes too, so that each lane of a block has an index of its own."""
    return int(v)


@infer_global(whole_part)
class WholePart(AbstractTemplate):
    def generic(self, args, kws):
        (kind,) = args
        lanes = isinstance(kind, Lanes)
        return signature(Lanes(types.int64, kind.width) if lanes else types.int64, kind)


@lower_builtin(whole_part, Lanes)
@lower_builtin(whole_part, types.Float)
def lower_whole_part(context, builder, sig, args):
    return builder.fptosi(args[0], context.get_value_type(sig.return_type))


def of_a_table(x, t):
    return 0.5 * (x[0] - 2.0) ** 2 + t[whole_part(x[0])]


def slope_of_a_table(x, out, t):
    out[0] = x[0] - 2.0 + 0.0 * t[whole_part(x[0])]


def test_lanes_end_alone_too():
    table = np.zeros(10)
    problem = gd.Problem(of_a_table, slope_of_a_table, dim=1, data=(table,), bounds=(0.0, 9.0))
    x0 = np.concatenate([np.linspace(0.0, 9.9, 61), [10.5, 11.0, 40.0, 1e6, -12.0, -3.0]])[:, None]
    outside = (x0[:, 0] >= 10) | (x0[:, 0] < -10)
    outward = gd.GradientDescent(lr=2.4)  # each step multiplies the distance to 2 by -1.4, until it leaves the table
    runs = gd.minimize(problem, x0, outward, max_steps=40, gtol=1e-9)
    assert runs.raised[outside].all()
    assert (runs.nit[outside] == 0).all()
    expected, steps = x0[:, 0].copy(), np.zeros(len(x0), int)
    for _ in range(40):
        inside = (expected >= -11) & (expected < 10) & (np.abs(expected - 2) > 1e-9)
        inside &= np.trunc(expected) >= -10
        expected, steps = np.where(inside, 2 - 1.4 * (expected - 2), expected), steps + inside
    np.testing.assert_array_equal(runs.nit, steps)
    np.testing.assert_allclose(runs.x[:, 0], expected, rtol=1e-12)
    assert len(set(runs.nit[runs.raised].tolist())) > 5
    for k in (0, 13, 30, 63, 66):
        one = gd.minimize(problem, x0[k], outward, max_steps=40, gtol=1e-9)
        assert (one.nit, one.status) == (runs.nit[k], runs.status[k])
        np.testing.assert_array_equal(one.x, runs.x[k])


def test_values_and_gradients_raise():
    problem = gd.Problem(domain.py_func, gradient_in_domain.py_func, dim=2, bounds=(-1, 0.8))
    for call in (problem.value, problem.gradient):
        with pytest.raises(ValueError, match="outside"):
            call([[0.0, 0.0], [1.0, 0.0]])


def test_math_domain_errors_are_not_finite():
    problem = gd.Problem(lambda x: math.log(x[0]) ** 2, lambda x, out: log_gradient(x, out), dim=1, bounds=(0.5, 2.0))
    runs = gd.minimize(problem, [[1.5], [-1.0]], gd.GradientDescent(lr=0.1))
    assert runs.status.tolist() == [0, 3]


@numba.njit
def log_gradient(x, out):
    out[0] = 2 * math.log(x[0]) / x[0]
