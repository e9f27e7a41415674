"""What is derived belongs to the function as it runs on numbers: by the tracing, else by differences of its values."""

from __future__ import annotations

import functools
import math
import numbers
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastgd as gd
from fastgd import symbolic
from fastgd.symbolic import derive_gradient, derive_hessian

TYPE = "a look at the type of a value that depends on x"
HANDLED = "a try or with statement in"


def handling(x):
    try:
        return float(x[0]) ** 2
    except Exception:
        return 3.0 * x[0]


def helped(x):
    return handling(x)


def matching(x):
    match x[0]:
        case float():
            return 2.0 * x[0]
        case _:
            return 3.0 * x[0]


@functools.singledispatch
def dispatched(v):
    return 3.0 * v


@dispatched.register
def _(v: float):
    return 2.0 * v


def in_a_context(x):
    with np.errstate(all="ignore"):
        return x[0]


LOOKS = {
    "isinstance": (lambda x: 2 * x[0] if isinstance(x[0], float) else 3 * x[0], TYPE),
    "type": (lambda x: 2 * x[0] if type(x[0]) is float else 3 * x[0], TYPE),
    "is_integer": (lambda x: 2 * x[0] if x[0].is_integer() else 3 * x[0], "the attribute is_integer"),
    "hasattr": (lambda x: 2 * x[0] if hasattr(x[0], "real") else 3 * x[0], TYPE),
    "getattr": (lambda x: x[0] * getattr(x[0], "ndim", 5), TYPE),
    "class": (lambda x: 2 * x[0] if x[0].__class__ is float else 3 * x[0], TYPE),
    "a result": (lambda x: 2 * x[0] if isinstance(x[0] * x[1] + 1, float) else 3 * x[0], TYPE),
    "abstract": (lambda x: 2 * x[0] if isinstance(x[0], numbers.Real) else 3 * x[0], TYPE),
    "issubclass": (lambda x: 2 * x[0] if issubclass(type(x[0]), float) else 3 * x[0], TYPE),
    "the point": (lambda x: 2 * x[0] if isinstance(x, np.ndarray) else 3 * x[0], TYPE),
    "text": (lambda x: len(str(x[0])) * x[0], "a text of a value"),
    "format": (lambda x: len(f"{x[0]:.3g}") * x[0], "a text of a value"),
    "match": (matching, TYPE),
    "singledispatch": (lambda x: dispatched(x[0]), TYPE),
    "try": (handling, f"{HANDLED} handling"),
    "try in a helper": (lambda x: helped(x), f"{HANDLED} handling"),
    "with": (in_a_context, f"{HANDLED} in_a_context"),
    "scalar": (lambda x: 2 * x[0] if np.isscalar(x[0]) else 3 * x[0], r"numpy\.isscalar"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_at_what_the_numbers_are_is_refused(name) -> None:
    fun, met = LOOKS[name]
    with pytest.raises(gd.DerivationError, match=met):
        derive_gradient(fun, 2)


def test_a_look_at_the_number_of_a_sample_is_refused() -> None:
    for loss in (
        lambda x, i, y: x[0] * y[i] if isinstance(i, int) else x[0],
        lambda x, i, y: x[0] * len(str(i)),
        lambda x, i, y: x[0] if hasattr(y, "dtype") else 2.0 * x[0],
    ):
        with pytest.raises(gd.DerivationError, match="met"):
            gd.FiniteSum(loss, dim=1, data=(np.ones(3),)).gradient([1.0])


POWER = 2


def test_looks_at_what_does_not_depend_on_x_are_derived() -> None:
    def half(v):
        try:
            return v / 2
        except ZeroDivisionError:
            return v

    def fun(x):
        return (x[0] if isinstance(POWER, int) and type(POWER) is int and hasattr(POWER, "real") else 0.0) * half(POWER)

    out = np.zeros(1)
    derive_gradient(fun, 1)(np.ones(1), out)
    assert out[0] == 1.0


SHOWN = r"by differences of its values, and .* by the derived"


def test_a_gradient_that_is_another_function_is_an_error_that_shows_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "cache"))
    wrong = {"gradient": "2.0 * x[0]", "hessian": "2.0"}  # of half of the function
    write = "def derived(x, out):\n    out[0] = {}\n"
    monkeypatch.setattr(symbolic, "_new_source", lambda kind, *rest: write.format(wrong[kind]))
    problem = gd.Problem(lambda x: 2.0 * x[0] * x[0], dim=1, bounds=(1.0, 2.0))
    with pytest.raises(gd.DerivationError, match=f"slope is .* {SHOWN} gradient"):
        problem.gradient([1.0])
    with pytest.raises(gd.DerivationError, match=f"second derivative is .* {SHOWN} hessian"):
        problem.hessian([1.0])


def test_rounding_that_takes_all_of_a_term_is_found() -> None:
    fun = lambda x: ((x[0] + 1e16) - 1e16) ** 2 + x[1]  # noqa: E731
    for derive in (derive_gradient, derive_hessian):
        with pytest.raises(gd.DerivationError, match=SHOWN):
            derive(fun, 2, bounds=np.array([[-0.5, 0.4], [-1.0, 1.0]]))


def test_integers_of_the_data_that_leave_63_bits_are_found() -> None:
    X = np.array([[4_000_000_000, 3_000_000_000], [1, 2], [3, 5]])
    wrapping = gd.FiniteSum(lambda x, i, X: x[0] * (X[i, 0] * X[i, 1]), dim=1, data=(X,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(gd.DerivationError, match=f"sample 0, .*{SHOWN}"):
            wrapping.gradient([1.0])


def test_derived_code_computes_with_floats_where_integers_would_leave_63_bits() -> None:
    X = np.array([[4_000_000_000, 3_000_000_000], [1, 2]])
    problem = gd.FiniteSum(lambda x, i, X: x[0] * X[i, 0] * X[i, 1], dim=1, data=(X,))
    assert problem.gradient([1.0]) == pytest.approx(6e18 + 1.0)

    def factorial(x):
        s = 1
        for k in range(1, 26):
            s *= k
        return x[0] * s * 3**50 + x[1] ** 2

    out = np.zeros(2)
    derive_gradient(factorial, 2)(np.ones(2), out)
    assert out[0] == float(math.factorial(25) * 3**50)
    derived = derive_gradient(lambda x, n: x[0] * n**30, 1, (10,))
    derived(np.ones(1), out, 10)
    assert out[0] == 1e30


FINE = {
    "fine waves": lambda x: math.cos(1e4 * x[0]) + math.cos(3e3 * x[1]),
    "finer waves": lambda x: math.sin(1e7 * x[0]) + x[1],
    "kinks": lambda x: abs(math.sin(50.0 * x[0])) + abs(x[1] - 0.3),
    "many kinks": lambda x: sum([abs(math.sin(3.0**k * x[0])) / 2.0**k for k in range(12)]) + x[1],
    "rounding": lambda x: 1e10 + x[0] ** 2 + 1e-3 * x[1],
    "cancelling": lambda x: (1.0 - math.cos(1e-6 * x[0])) / 1e-12 + x[1],
    "undefined": lambda x: math.log(x[0] - 5.0) + x[1],
    "undefined in part": lambda x: math.sqrt(x[0]) + x[1],
    "steep": lambda x: math.exp(300.0 * x[0]) + x[1],
    "flat": lambda x: math.tanh(1e5 * x[0]) + x[1] ** 8,
    "constant": lambda x: 3.0 + 0.0 * x[0] * x[1],
    "tiny": lambda x: 1e-200 * (x[0] ** 2 + x[1]),
    "huge": lambda x: 1e200 * (x[0] ** 2 + x[1]),
}


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (-1e-10, 1e-10), (-1e6, 1e6), None], ids=str)
@pytest.mark.parametrize("name", FINE)
def test_right_derivatives_are_not_suspected(name, bounds) -> None:
    box = None if bounds is None else np.array([bounds, bounds])
    derive_gradient(FINE[name], 2, bounds=box)
    derive_hessian(FINE[name], 2, bounds=box)
