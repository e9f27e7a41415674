"""Indices, integers and powers as people write them: plain Python's numbers or an error, never memory of others."""

import math

import numba
import numpy as np
import pytest

import fastgd as gd
from fastgd.jit.options import interpreted
from fastgd.jit.plain import in_plain_python

pytestmark = pytest.mark.skipif(interpreted(), reason="plain Python has these rules")


def halves(x):
    s = 0.0
    for j in range(len(x)):
        s += 2 ** (-j) * (x[j] - 1) ** 2
    return s


def halves_gradient(x, out):
    for j in range(len(x)):
        out[j] = 2 * 2 ** (-j) * (x[j] - 1)


def test_whole_numbers_to_negative_powers():
    x0 = [-1.0, 0.0, 2.0]
    for problem in (gd.Problem(halves, halves_gradient, dim=3), gd.Problem(halves, dim=3)):
        assert problem.value(x0) == halves(x0) == 4.75
        np.testing.assert_array_equal(problem.gradient(x0), [-4.0, -1.0, 0.5])
        run = gd.minimize(problem, x0, gd.LBFGS())
        assert run.status == 0
        np.testing.assert_allclose(run.x, 1.0, atol=2e-6)


TEN, TWO = 10, np.int64(2)


@numba.njit
def tenth(k):
    return TEN ** (-k)


def with_a_helper(x):
    return tenth(2) * x[0] ** 2 + TEN**-1 * x[1] ** 2


def with_captured(x):
    return x[0] ** 2 * 3 ** (-TEN) + pow(5, -len(x)) * x[1] ** 2


def with_a_power_in_place(x):
    p = 4
    p **= -len(x)
    return p * x[0] ** 2 + x[1] ** 2


def with_powers_as_numbers(x):
    return 2 ** len(x) * x[0] ** 2 + (-2) ** 3 * x[1] + x[1] ** 4


@pytest.mark.parametrize("fun", [with_a_helper, with_captured, with_a_power_in_place, with_powers_as_numbers])
def test_powers_of_whole_numbers_elsewhere(fun):
    x = np.array([[0.5, -1.5], [2.0, 3.0], [1e-3, 7.0]])
    plain = in_plain_python(fun)  # a helper that Python calls is compiled by Numba's rules
    expected = [plain(list(map(float, row))) for row in x]
    np.testing.assert_allclose(gd.Problem(fun, dim=2).value(x), expected, rtol=1e-14)


def test_powers_of_whole_numbers_in_the_loss_of_a_sample():
    def loss(x, i, t):
        return 2 ** (-i) * (x[0] - t[i]) ** 2

    t = np.linspace(0.0, 1.0, 6)
    mean = gd.FiniteSum(loss, data=(t,), dim=1)
    assert mean.value([0.3]) == pytest.approx(np.mean([loss([0.3], i, t) for i in range(6)]), rel=1e-14)


def test_a_table_of_whole_numbers_to_a_negative_power_is_refused_for_what_it_is():
    with pytest.raises(ValueError, match=r"(?i)negative integer powers"):
        gd.Problem(lambda x, a: 10 ** (-a[0]) * x[0] ** 2, dim=1, data=(np.array([2, 3]),))


def factorial_in_integers(x):
    s = 1
    for k in range(1, 26):
        s *= k
    return x[0] * s + x[1] ** 2


def power_of_data(x, n):
    return n**30 * x[0] ** 2 + x[1]


@numba.njit
def doubled_until(n):
    s = n
    for _ in range(70):
        s = s + s
    return s


def past_64_bits_in_a_helper(x):
    return doubled_until(3) * x[0] + x[1]


def shifted_past_64_bits(x):
    return (1 << (63 + len(x))) * x[0] + x[1]


@pytest.mark.parametrize(
    ("fun", "data"),
    [(factorial_in_integers, ()), (power_of_data, (10,)), (past_64_bits_in_a_helper, ()), (shifted_past_64_bits, ())],
)
def test_integers_that_leave_64_bits_are_an_error_with_both_values(fun, data):
    problem = gd.Problem(fun, writes, dim=2, bounds=(-1, 1), data=data)
    for call in (lambda: problem.value([0.5, 0.5]), lambda: gd.minimize(problem, [0.5, 0.5], gd.Adam())):
        with pytest.raises(ValueError, match=r"disagree at x = \(.*raises OverflowError.*in plain Python it is .*e\+"):
            call()


def writes(x, out, *data):
    for i in range(len(out)):
        out[i] = 2.0 * x[i]


def test_a_division_of_integers_by_zero_raises():
    problem = gd.Problem(lambda x, k: x[0] ** 2 + 7 // (k - 3) + 7 % k, dim=1, data=(3,))
    with pytest.raises(ZeroDivisionError):
        problem.value([1.0])


def small_integers(x):
    return x[0] ** 2 * (SMALL * 2)


SMALL = np.int8(100)


def test_a_constant_that_wraps_in_plain_python_alone_is_an_error_with_both_values():
    with pytest.raises(ValueError, match=r"the value is 50.0; in plain Python it is -14.0.*np.int8"):
        gd.Problem(small_integers, dim=1).value([[0.5]])


TABLE = np.linspace(0.0, 1.0, 11)


def interpolated(x, t):
    i = math.floor(x[0])
    w = x[0] - i
    return (1 - w) * t[i] + w * t[i + 1]


def slope(x, out, t):
    i = math.floor(x[0])
    out[0] = t[i + 1] - t[i]


def test_an_index_from_x_past_a_table():
    problem = gd.Problem(interpolated, slope, dim=1, data=(TABLE,), bounds=(0.0, 9.0))
    assert problem.value([3.5]) == interpolated([3.5], TABLE)
    assert problem.value([-5.5]) == interpolated([-5.5], TABLE)  # from the end, as in Python
    for outside in (50.5, -12.5, 1e9, -1e9, 1e18):
        with pytest.raises(IndexError):
            problem.value([outside])
    for no_integer in (1e300, np.inf, np.nan):
        with pytest.raises((OverflowError, ValueError)):
            problem.value([no_integer])
    with pytest.warns(UserWarning, match="cannot take several runs"):
        runs = gd.minimize(problem, [[3.5], [50.5], [1e9]], gd.GradientDescent(lr=0.1), max_steps=3, gtol=None)
    assert runs.status.tolist() == [2, 3, 3]
    assert runs.raised.tolist() == [False, True, True]
    assert np.isnan(runs.fun[1:]).all()
    assert runs.x[1:].ravel().tolist() == [50.5, 1e9]
    assert runs.nit.tolist() == [3, 0, 0]
    assert "2 runs raised IndexError" in str(runs)
    assert "2 runs raised IndexError" in runs.messages[3]


def past_the_end(x):
    return x[int(abs(x[0]))] ** 2 + x[1] ** 2


def of_scratch(x):
    kept = gd.scratch(x, 3)
    kept[int(abs(x[0]))] = x[1]
    return kept[int(abs(x[0]))] ** 2


def of_a_global(x):
    return x[1] ** 2 + TABLE[int(abs(x[0]) * 1e3)]


def of_two_axes(x, t):
    return t[0, int(abs(x[0]) * 5)] + x[1] ** 2


@numba.njit
def in_a_helper(t, i):
    return t[i]


def of_a_helper(x, t):
    return in_a_helper(t, int(abs(x[0]) * 5)) * x[1] ** 2


@pytest.mark.parametrize(
    ("fun", "data"),
    [
        (past_the_end, ()), (of_scratch, ()), (of_a_global, ()), (of_two_axes, (np.ones((1, 4)),)),
        (of_a_helper, (np.ones(4),)),
    ],
)  # fmt: skip
def test_an_index_past_the_end_of_anything(fun, data):
    problem = gd.Problem(fun, dim=2, data=data, bounds=(-0.01, 0.01))
    assert problem.value([0.001, 2.0]) == fun([0.001, 2.0], *data)
    for far in (7.0, 1e6, 1e15):
        with pytest.raises(IndexError):
            problem.value([far, 2.0])


def test_no_run_changes_another():
    def fun(x):
        return x[0] ** 2 + x[1] ** 2

    def grad(x, out):
        n = len(x)
        if x[0] > 0.9:
            n += 3
        for i in range(n):
            out[i] = 2 * x[i % 2]

    problem, descent = gd.Problem(fun, grad, dim=2, bounds=(-1, 1)), gd.GradientDescent(lr=0.01)
    good = np.random.default_rng(0).uniform(-0.5, 0.5, (400, 2))
    mixed = good.copy()
    mixed[::50] = [5.0, 1.0]
    with pytest.warns(UserWarning, match="cannot take several runs"):
        alone = gd.minimize(problem, good, descent, max_steps=30)
    beside = gd.minimize(problem, mixed, descent, max_steps=30)
    kept = np.ones(400, bool)
    kept[::50] = False
    np.testing.assert_array_equal(beside.x[kept], alone.x[kept])
    assert (beside.status[::50] == 3).all()
    assert beside.error.startswith("IndexError")


def test_a_bad_entry_of_a_table_of_samples():
    X, which = np.random.default_rng(0).normal(size=(30, 1)), np.arange(30)
    which[15] = 40

    def loss(x, i, X, which):
        return (X[which[i], 0] * x[0] - 1.0) ** 2

    def add(x, i, out, X, which):
        out[0] += 2 * (X[which[i], 0] * x[0] - 1.0) * X[which[i], 0]

    problem = gd.FiniteSum(loss, add, dim=1, data=(X, which), bounds=(-1, 1))
    with pytest.raises(IndexError):
        problem.value([[0.5]])
    runs = gd.minimize(problem, problem.sample(64, seed=0), gd.GradientDescent(lr=0.01), batch_size=1, max_steps=8)
    assert (runs.status == 3).all()  # the first look is at all samples
    assert runs.error.startswith("IndexError")


def test_negative_indices_mean_what_they_mean_in_python():
    def fun(x, t):
        s = 0.0
        for i in range(1, len(x) + 1):
            s += (x[-i] - t[-i]) ** 2 * i
        return s

    t, x = np.array([1.0, 5.0, 2.0]), [0.5, 0.25, 3.0]
    problem = gd.Problem(fun, dim=3, data=(t,))
    assert problem.value(x) == pytest.approx(fun(x, t), rel=1e-15)
    with pytest.raises(IndexError):
        gd.Problem(lambda x, t: t[int(x[0]) - 4] * x[1], dim=2, data=(t,), bounds=(2.0, 3.0)).value([0.0, 1.0])


def test_the_point_cannot_be_written_to():
    def fun(x):
        if x[0] > 0.9:
            x[0] = 0.0
        return x[0] ** 2

    with pytest.raises(TypeError, match="cannot be written to"):
        gd.Problem(fun, dim=1, bounds=(-1, 1)).value([[0.5]])
