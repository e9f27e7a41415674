"""Constants around a problem's functions are read when it is made; a change afterwards is an error at the next call."""

from __future__ import annotations

import copy
import functools
import math
import pickle
import timeit
import types
from collections import namedtuple

import numba
import numpy as np
import pytest

import fastgd as gd
from fastgd.constants import Constants

K = 1.0
TABLE = np.array([1.0, 2.0])
SETTINGS = types.ModuleType("settings_of_the_user")
SETTINGS.rate = 1.0
SETTINGS.inner = types.SimpleNamespace(depth=2.0)
log = 1.0  # has the name of an attribute that the functions read of math


def bowl(x):
    return (x[0] - K) ** 2 + x[1] ** 2


def test_a_number_that_changes_is_an_error_in_every_function(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = gd.Problem(bowl, dim=2, bounds=(-1, 1))
    assert problem.value([0.0, 0.0]) == 1.0
    assert problem.gradient([0.0, 0.0]).tolist() == [-2.0, 0.0]
    monkeypatch.setitem(globals(), "K", 100.0)
    for call in (
        lambda: problem.value([0.0, 0.0]),
        lambda: problem.gradient([0.0, 0.0]),
        lambda: problem.hessian([0.0, 0.0]),
        lambda: problem.fun([0.0, 0.0]),
        lambda: gd.minimize(problem, [0.0, 0.0], gd.Adam(lr=0.1)),
        lambda: gd.minimize(problem, [0.0, 0.0], gd.SciPy("BFGS")),
        lambda: gd.minimize(problem, [0.0, 0.0], gd.GradientFlow()),
        lambda: gd.gradient_check(problem),
    ):
        with pytest.raises(ValueError, match=r"^K was 1.0 when the problem was made, and is 100.0 now; .* data=\(K,\)"):
            call()
    anew = gd.Problem(bowl, dim=2, bounds=(-1, 1))
    assert anew.gradient([0.0, 0.0]).tolist() == [-200.0, 0.0]
    monkeypatch.setitem(globals(), "K", float("1.0"))  # another object with the same content
    assert problem.value([0.0, 0.0]) == 1.0
    with pytest.raises(ValueError, match="K was 100"):
        anew.value([0.0, 0.0])


def test_what_the_hint_says_works(monkeypatch: pytest.MonkeyPatch) -> None:
    for a in (0.0, 1.0, 2.0):
        run = gd.minimize(
            gd.Problem(lambda x, a: (x[0] - a) ** 2, dim=1, data=(a,)), [5.0], gd.GradientDescent(lr=0.5)
        )
        assert run.x.tolist() == [a]
        assert run.fun == 0.0


def by_a_helper(x):
    return helper(x[0])


def helper(v):
    return v * v * K


def by_a_compiled_helper(x):
    return compiled_helper(x[0]) + math.log(2.0)


compiled_helper = numba.njit(helper)


def by_a_module(x):
    return SETTINGS.rate * x[0] + SETTINGS.inner.depth


def by_an_array(x):
    return TABLE[0] * x[0] + TABLE[1]


def by_a_nested_function(x):
    def inner(v):
        return v * K

    return inner(x[0])


def by_a_default(x, table=TABLE):
    return table[0] * x[0]


HELD = types.SimpleNamespace(table=TABLE, functions=(helper, 2.0))


def by_an_object(x):
    return HELD.table[1] * x[0]


def by_a_function_in_an_object(x):
    return HELD.functions[0](x[0])


by_a_partial_function = functools.partial(bowl)


def by_partial(x):
    return by_a_partial_function(x)


Pair = namedtuple("Pair", "first table")
PAIR = Pair(1.0, TABLE)


def by_a_named_tuple(x):
    return PAIR.first * x[0] + PAIR.table[0]


@pytest.mark.parametrize(
    ("fun", "name"),
    [
        (by_a_helper, "K was 1.0"), (by_a_compiled_helper, "K was"), (by_a_module, "SETTINGS.rate was 1.0"),
        (by_a_nested_function, "K was"), (by_an_array, "TABLE has changed"), (by_an_object, "HELD.table has changed"),
        (by_a_default, "a default of by_a_default has changed"), (by_a_function_in_an_object, "K was"),
        (by_partial, "K was"), (by_a_named_tuple, "PAIR has changed"),
    ],
)  # fmt: skip
def test_a_change_is_seen_wherever_the_constant_stands(fun, name, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = Constants([fun])
    constants.check()
    monkeypatch.setitem(globals(), "K", 3.0)
    monkeypatch.setattr(SETTINGS, "rate", 3.0)
    TABLE[0] += 1.0
    try:
        with pytest.raises(ValueError, match=name):
            constants.check()
        Constants([fun]).check()
    finally:
        TABLE[0] -= 1.0


def test_an_attribute_of_an_attribute_and_another_helper_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = Constants([by_a_module]), Constants([by_a_helper])
    monkeypatch.setattr(SETTINGS.inner, "depth", 4.0)
    with pytest.raises(ValueError, match=r"SETTINGS\.inner\.depth was 2\.0 .* data=\(depth,\)"):
        constants[0].check()
    same = types.FunctionType(helper.__code__, globals(), "helper")
    monkeypatch.setitem(globals(), "helper", same)  # as where a cell of a notebook is run again
    constants[1].check()
    monkeypatch.setitem(globals(), "helper", lambda v: v)
    with pytest.raises(ValueError, match="helper has changed"):
        constants[1].check()


def test_names_that_are_only_attributes_are_no_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    def fun(x):
        return math.log(x[0])

    constants = Constants([fun])
    monkeypatch.setitem(globals(), "log", 5.0)
    constants.check()
    assert constants.reads == []


def test_captured_values_in_a_hand_written_gradient_and_in_samples() -> None:
    a, b = 1.0, np.ones(3)

    def fun(x):
        return a * x[0] ** 2

    def grad(x, out):
        out[0] = 2 * b[0] * x[0]

    def loss(x, i, t):
        return a * t[i] * x[0]

    def sample_grad(x, i, out, t):
        out[0] += b[0] * t[i]

    data = (np.ones(3),)
    by_hand = gd.Problem(fun, grad, dim=1)
    derived = gd.FiniteSum(loss, dim=1, data=data)
    of_samples = gd.FiniteSum(lambda x, i, t: t[i] * x[0], sample_grad, dim=1, data=data)
    assert derived.gradient([0.0]) == 1.0
    b[0] = 2.0
    for call in (by_hand.value, by_hand.gradient, of_samples.value, of_samples.gradient):
        with pytest.raises(ValueError, match="b has changed"):
            call([1.0])
    a = 4.0
    for name in ("value", "gradient", "hessian"):
        with pytest.raises(ValueError, match=r"a was 1\.0 .* is 4\.0 now"):
            getattr(derived, name)([1.0])
    with pytest.raises(ValueError, match=r"a was 1\.0"):
        gd.minimize(derived, [0.0], gd.Adam(lr=0.1), batch_size=2)
    for name in ("loss", "grad", "sample_grad", "hess", "grad_of_four"):
        with pytest.raises(ValueError, match=r"a was 1\.0"):
            getattr(derived, name)


def test_what_is_no_number_counts_by_being_the_same_object() -> None:
    kind = np.dtype("f8")

    def fun(x):
        return x[0] if kind else 0.0

    constants = Constants([fun])
    constants.check()
    kind = np.dtype("f4")
    with pytest.raises(ValueError, match="kind has changed"):
        constants.check()


def test_copies_and_pickles_read_their_constants_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = gd.Problem(bowl, dim=2)
    monkeypatch.setitem(globals(), "K", 2.0)
    for copied in (copy.deepcopy(problem), pickle.loads(pickle.dumps(problem))):
        assert copied.gradient([0.0, 0.0]).tolist() == [-4.0, 0.0]
        assert copied.value([0.0, 0.0]) == 4.0


def test_a_look_takes_microseconds() -> None:
    constants = Constants([by_a_helper, by_a_module, by_an_array])
    assert min(timeit.repeat(constants.check, number=100, repeat=5)) / 100 < 50e-6
