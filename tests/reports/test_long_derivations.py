"""Long derivations are told before, with what makes them long; what is too long is refused early, and remembered."""

from __future__ import annotations

import math
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import fastgd as gd
from fastgd import symbolic
from fastgd.symbolic import derive_gradient, derive_hessian


@pytest.fixture(autouse=True)
def nothing_stored(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(symbolic, "REFUSALS", {})


def decay(x, t, y):
    total = 0.0
    for k in range(len(t)):
        r = x[0] * math.exp(-x[1] * t[k]) + x[2] - y[k]
        total += r * r
    return total


def decay_of_one(x, i, t, y):
    r = x[0] * math.exp(-x[1] * t[i]) + x[2] - y[i]
    return r * r


def samples(count):
    t = np.linspace(0.0, 3.0, count)
    return t, 2.0 * np.exp(-t) + 0.5


def lorenz(steps):
    def fun(x):
        a, b, c = 1.0, 1.0, 1.0
        for _ in range(steps):
            da, db, dc = x[0] * (b - a), a * (x[1] - c) - b, a * b - x[2] * c
            a, b, c = a + 0.01 * da, b + 0.01 * db, c + 0.01 * dc
        return a * a + b * b + c * c

    return fun


def test_a_fit_of_a_hundred_samples_in_a_loop_is_told_before_with_the_line_and_the_way() -> None:
    words = r"decay: its gradient is derived from 700 operations, most of them in line \d+ of decay: r = x\[0\]"
    with pytest.warns(UserWarning, match=words) as caught:
        derive_gradient(decay, 3, samples(100))
    said = str(caught[0].message)
    assert "loop over the 100 numbers of the data as fastgd.FiniteSum(loss, data=..., dim=3)" in said
    assert "give grad=" in said
    assert caught[0].filename == __file__


def test_the_warning_comes_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def worked(*arguments):
        raise AssertionError("the work began")

    monkeypatch.setattr("fastgd.symbolic.derive.gradient_program", worked)
    with pytest.raises(UserWarning, match="derived from"):  # warnings are errors in the tests
        derive_gradient(decay, 3, samples(101))


def test_the_ways_that_it_says_are_short() -> None:
    t, y = samples(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_one = gd.FiniteSum(decay_of_one, dim=3, data=(t, y))
        assert of_one.gradient([2.0, 1.0, 0.5]).tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
        derive_gradient(decay, 3, samples(30))


def test_long_second_derivatives_and_loops_without_samples_are_told_too() -> None:
    with pytest.warns(UserWarning, match=r"its gradient is derived from .* of fun: d?a, .*  Give grad=, in which"):
        derive_gradient(lorenz(40), 3)
    with pytest.warns(UserWarning, match=r"its hessian is derived from .*  Its gradient alone takes less"):
        derive_hessian(lorenz(15), 3)


def test_what_is_too_long_is_refused_early_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    words = r"more than 5000 operations on x, .* of decay: r = .*\n.*loop over the 2,000 numbers .*FiniteSum"
    with pytest.raises(gd.DerivationError, match=words) as first:
        derive_gradient(decay, 3, samples(2000))

    def traced(*arguments):
        raise AssertionError("traced again")

    monkeypatch.setattr("fastgd.symbolic._new_source", traced)
    with pytest.raises(gd.DerivationError) as second:
        derive_gradient(decay, 3, samples(2000))
    symbolic.REFUSALS.clear()  # as in another process
    with pytest.raises(gd.DerivationError) as third:
        derive_gradient(decay, 3, samples(2000))
    assert str(first.value) == str(second.value) == str(third.value)


def test_a_solver_of_many_steps_is_refused_while_it_is_traced() -> None:
    started = time.perf_counter()
    with pytest.raises(gd.DerivationError, match=r"more than 5000 operations on x.*\n.*Give grad=, in which loops"):
        derive_gradient(lorenz(10**6), 3)
    assert time.perf_counter() - started < 60.0


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import fastgd as gd
from test_long_derivations import lorenz
problem = gd.Problem(lorenz(1000), dim=3)
for _ in range(2):
    started = time.perf_counter()
    try:
        problem.gradient([1.0, 1.0, 1.0])
    except gd.DerivationError as error:
        assert "operations" in str(error)
        print(time.perf_counter() - started, "sympy" in sys.modules)
"""


def test_another_process_refuses_at_once_without_sympy() -> None:
    command = [sys.executable, "-c", SCRIPT, str(pathlib.Path(__file__).parent)]
    both = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    first, again = (told.split() for told in both)
    assert first[1] == "True"
    assert float(first[2]) < 0.5
    assert again[1] == again[3] == "False"
    assert float(again[0]) < 0.5


def test_other_refusals_are_not_kept() -> None:
    kept = len(symbolic.REFUSALS)
    with pytest.raises(gd.DerivationError, match="comparison"):
        derive_gradient(lambda x: max(x[0], 0.0), 1)
    assert len(symbolic.REFUSALS) == kept
