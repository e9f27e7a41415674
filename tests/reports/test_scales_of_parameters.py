"""Nothing depends on the units of parameters: functions whose parameters are multiplied by powers of two, exactly.

The factors are data, so that one kernel serves all of them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd as gd

SIDE = 6.0
FEW = settings(max_examples=8, deadline=None)
EXPONENTS = st.tuples(st.integers(-40, 40), st.integers(-40, 40))


def himmelblau(x, s):
    u, v = x[0] * s[0], x[1] * s[1]
    return (u * u + v - 11) ** 2 + (u + v * v - 7) ** 2


def himmelblau_slope(x, out, s):
    u, v = x[0] * s[0], x[1] * s[1]
    p, q = u * u + v - 11, u + v * v - 7
    out[0] = (4 * u * p + 2 * q) * s[0]
    out[1] = (2 * p + 4 * v * q) * s[1]


def camel(x, s):
    u, v = x[0] * s[0], x[1] * s[1]
    return 2 * u**2 - 1.05 * u**4 + u**6 / 6 + u * v + v**2


def camel_slope(x, out, s):
    u, v = x[0] * s[0], x[1] * s[1]
    out[0] = (4 * u - 4.2 * u**3 + u**5 + v) * s[0]
    out[1] = (u + 2 * v) * s[1]


FUNCTIONS = {"himmelblau": (himmelblau, himmelblau_slope), "camel": (camel, camel_slope)}


def scaled(name: str, s, boxed: bool = True) -> gd.Problem:
    box = SIDE * np.array([[-1.0, 1.0]]) / np.asarray(s, dtype=np.float64)[:, None]
    return gd.Problem(*FUNCTIONS[name], dim=2, bounds=box if boxed else None, data=(np.array(s, dtype=np.float64),))


def powers(exponents):
    return np.exp2(np.array(exponents, dtype=np.float64))


@pytest.fixture(scope="module", params=sorted(FUNCTIONS))
def ends(request):
    """Name, starts and runs in units of one."""
    problem = scaled(request.param, (1.0, 1.0))
    starts = problem.sample(300, seed=0)
    return request.param, starts, gd.minimize(problem, starts, gd.LBFGS(), gtol=1e-7)


def in_units(name, starts, runs, s, boxed):
    """The same ends in other units."""
    problem, x = scaled(name, s, boxed), runs.x / s
    norm = np.abs(scaled(name, (1.0, 1.0)).gradient(runs.x) * s).max(axis=-1)
    reach = None if boxed else np.stack([starts.min(axis=0), starts.max(axis=0)], axis=1) / s[:, None]
    return dataclasses.replace(runs, x=x, grad_norm=norm, problem=problem, start_range=reach)


@FEW
@given(EXPONENTS, st.booleans())
def test_ends_are_grouped_and_judged_alike_in_any_units(ends, exponents, boxed):
    name, starts, runs = ends
    s = powers(exponents)
    one = gd.find_basins(in_units(name, starts, runs, np.ones(2), boxed))
    other = gd.find_basins(in_units(name, starts, runs, s, boxed))
    assert np.array_equal(one.labels, other.labels)
    assert one.kind.tolist() == other.kind.tolist()
    assert np.array_equal(one.tol, other.tol * s)
    np.testing.assert_allclose(other.x * s, one.x, rtol=0, atol=1e-5)
    firsts = [[line.split()[:2] for line in str(each).splitlines()] for each in (one, other)]
    assert firsts[0] == firsts[1]


@FEW
@given(EXPONENTS, st.sampled_from(["derived", "differences"]))
def test_kinds_are_the_same_in_any_units(exponents, method):
    s = powers(exponents)
    points = [[3.0, 2.0], [-0.270844590667, -0.923038522481], [0.0866775, 2.8842547], [1.0, 1.0], [0.0, 0.0]]
    kinds = ["minimum", "maximum", "saddle", "not critical", "not critical"]
    found = gd.classify(scaled("himmelblau", s), points / s, method=method)
    assert found.kind.tolist() == kinds
    loose = gd.classify(scaled("himmelblau", s, boxed=False), points / s, method=method, scale=1.2 / s)
    assert loose.kind.tolist() == kinds


@FEW
@given(EXPONENTS)
def test_critical_points_are_the_same_in_any_units(exponents):
    s = powers(exponents)
    one, other = (gd.find_critical_points(scaled("himmelblau", each), 60, seed=1) for each in (np.ones(2), s))
    assert np.array_equal(one.x, other.x * s)
    assert one.kind.tolist() == other.kind.tolist() == ["minimum"] * 4 + ["saddle"] * 4 + ["maximum"]
    assert np.array_equal(one.links, other.links)
    assert np.array_equal(one.counts, other.counts)


@FEW
@given(st.integers(-40, 40), st.booleans())
def test_the_flow_takes_the_same_steps_in_any_unit(exponent, boxed):
    s = powers((exponent, exponent))
    starts = scaled("himmelblau", (1.0, 1.0)).grid((14, 14))  # without a start at 0, which has no size
    one = gd.minimize(scaled("himmelblau", np.ones(2), boxed), starts, gd.GradientFlow(), gtol=1e-6)
    other = gd.minimize(scaled("himmelblau", s, boxed), starts / s, gd.GradientFlow(), gtol=1e-6 * s[0])
    assert np.array_equal(one.status, other.status)
    assert np.array_equal(one.nit, other.nit)
    assert np.array_equal(one.x, other.x * s)


@pytest.mark.parametrize("boxed", [True, False])
def test_himmelblau_in_units_of_angstrom(boxed):
    s, starts = np.array([1e10, 1e10]), scaled("himmelblau", (1.0, 1.0)).grid((61, 61))
    plain = gd.find_basins(gd.minimize(scaled("himmelblau", (1.0, 1.0)), starts, gd.GradientFlow()))
    runs = gd.minimize(scaled("himmelblau", s, boxed), starts / s, gd.GradientFlow(), gtol=1e-6 * s[0])
    found = gd.find_basins(runs)
    assert np.mean(found.labels != plain.labels) < 1e-3  # of starts on a boundary rounding decides
    assert found.kind.tolist() == plain.kind.tolist()
    assert "(3.0000e-10, " not in str(found)
    assert "3e-10, 2e-10)" in str(found)


def test_scipys_integrators_take_the_errors_of_each_parameter():
    s = np.array([2.0**30, 2.0**30])
    starts = np.array([[1.0, 1.0], [-2.0, 1.0], [3.0, -3.0]])
    one = gd.minimize(scaled("himmelblau", np.ones(2)), starts, gd.GradientFlow(method="LSODA"))
    other = gd.minimize(scaled("himmelblau", s), starts / s, gd.GradientFlow(method="LSODA"), gtol=1e-6 * s[0])
    np.testing.assert_allclose(other.x * s, one.x, rtol=0, atol=1e-5)


TIMES = np.linspace(0.0, 3000.0, 40)
DECAY = 2e6 * np.exp(-1e-3 * TIMES)


def misfit(x, t, y):
    total = 0.0
    for i in range(len(t)):
        total += (x[0] * np.exp(-x[1] * t[i]) - y[i]) ** 2
    return total


def misfit_slope(x, out, t, y):
    out[0] = 0.0
    out[1] = 0.0
    for i in range(len(t)):
        e = np.exp(-x[1] * t[i])
        r = 2 * (x[0] * e - y[i])
        out[0] += r * e
        out[1] -= r * x[0] * e * t[i]


@pytest.mark.parametrize("method", ["auto", "differences"])
def test_a_decay_of_two_millions_and_a_thousandth_is_a_minimum_and_reads_so(method):
    box = [(0.0, 4e6), (0.0, 4e-3)]
    problem = gd.Problem(misfit, misfit_slope, dim=2, bounds=box, data=(TIMES, DECAY))
    found = gd.classify(problem, [[2e6, 1e-3]], method=method)
    assert found.kind.tolist() == ["minimum"]
    assert "(2000000, 0.0010000)" in str(found)


def test_ends_of_the_decay_are_one_minimum_and_those_of_another_rate_are_apart():
    box = [(0.0, 4e6), (0.0, 4e-3)]
    problem = gd.Problem(misfit, misfit_slope, dim=2, bounds=box, data=(TIMES, DECAY))
    x = np.array([[2e6 + 1.0, 1e-3], [2e6, 1e-3 + 1e-9], [2e6, 2e-3]])
    runs = gd.minimize(problem, x, gd.GradientDescent(lr=1e-30), max_steps=1)
    runs = dataclasses.replace(runs, x=x, fun=problem.value(x), status=np.zeros(3, np.int8))
    found = gd.find_basins(runs)
    assert found.labels.tolist() == [0, 0, 1]
    assert found.kind[0] == "minimum"


def test_a_point_without_a_box_is_judged_by_its_own_size_where_one_says_nothing():
    problem = scaled("himmelblau", (1e10, 1e10), boxed=False)
    assert gd.classify(problem, [[3e-10, 2e-10]]).kind.tolist() == ["minimum"]
    bowl = gd.Problem(lambda x: x[0] ** 2 + x[1] ** 2, lambda x, out: twice(x, out), dim=2)
    assert gd.classify(bowl, [[1e-9, -3e-9]], method="differences").kind.tolist() == ["minimum"]


def twice(x, out):
    out[0] = 2 * x[0]
    out[1] = 2 * x[1]


@pytest.mark.parametrize("wrong", [0.0, -1.0, [1.0, 2.0, 3.0], np.nan])
def test_a_scale_that_is_none(wrong):
    with pytest.raises(ValueError, match="scale must be positive"):
        gd.classify(scaled("himmelblau", (1.0, 1.0), boxed=False), [0.0, 0.0], scale=wrong)
    with pytest.raises(ValueError, match="scale must be left out"):
        gd.classify(scaled("himmelblau", (1.0, 1.0)), [0.0, 0.0], scale=1.0)
