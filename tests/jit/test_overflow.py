"""Integers in the caller's functions: Python's results where they fit 64 bits, an error where they do not."""

import itertools
import operator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fastgd  # noqa: F401 (registers the types)
from fastgd.jit.attempt import attempting, message_at
from fastgd.jit.checked import checked
from fastgd.jit.options import interpreted, kernel
from fastgd.jit.rows import row_view
from fastgd.jit.targets import aligned

pytestmark = pytest.mark.skipif(interpreted(), reason="plain Python's integers have no limit")
LARGE = 2**63 - 1
OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "<<": operator.lshift, ">>": operator.rshift,
}  # fmt: skip
NUMBERS = [0, 1, -1, 2, -2, 3, 7, -7, 62, 63, 64, 65, 2**31, -(2**31), 2**32 + 1, 3037000499, 3037000500]
NUMBERS += [LARGE, -LARGE - 1]


def function_of(body):
    scope = {}
    exec(f"def f(x):\n    return {body}", scope)
    return scope["f"]


def kernel_of(body, width):
    """``run(a, results, errors)``: the function of integers, for rows (k, W) of them, as numbers or as lanes."""
    attempt = attempting(checked(function_of(body)))
    points = row_view(width, 2)
    results_of = row_view(width, 1)

    @kernel
    def run(rows, results, errors):
        for k in range(rows.shape[0]):
            error, value = attempt((points(rows, k),))
            errors[k] = error
            if error == 0:
                results_of(results, k)[0] = value

    return run


KERNELS: dict = {}


def computed(body, a, b, width, dtype=np.int64):
    """The compiled results of pairs of integers, and what was raised: one block for each pair."""
    run = KERNELS.setdefault((body, width), kernel_of(body, width))
    rows = aligned((len(a), 2, width), np.int64)
    rows[:, 0], rows[:, 1] = np.array(a)[:, None], np.array(b)[:, None]
    results, errors = aligned((len(a), 1, width), dtype), np.zeros(len(a), np.int64)
    results[:] = 0
    run(rows, results, errors)
    assert (results == results[:, :, :1]).all()
    return results[:, 0, 0], [message_at(e) if e else "" for e in errors.tolist()]


def in_python(operate, a, b):
    """Python's result, or the class of error that compiled code has to raise."""
    if operate in (operator.lshift, operator.rshift) and b > 10_000:
        return OverflowError if operate is operator.lshift and a else (0 if a >= 0 else -1)
    try:
        result = operate(a, b)
    except (ZeroDivisionError, ValueError) as error:
        return type(error)
    return result if -(2**63) <= result < 2**63 else OverflowError


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("sign", OPERATORS)
def test_every_operator_at_the_edges(sign, width):
    a, b = zip(*itertools.product(NUMBERS, NUMBERS), strict=True)
    results, said = computed(f"x[0] {sign} x[1]", a, b, width)
    for one, other, result, error in zip(a, b, results.tolist(), said, strict=True):
        expected = in_python(OPERATORS[sign], one, other)
        if isinstance(expected, type):
            assert error.startswith(expected.__name__), (one, sign, other, error)
        else:
            assert error == "", (one, sign, other, error)
            assert result == expected, (one, sign, other)


integers = st.one_of(st.integers(-(2**63), LARGE), st.integers(-100, 100))


@settings(max_examples=200, deadline=None)
@given(a=integers, b=integers, sign=st.sampled_from(sorted(OPERATORS)), width=st.sampled_from([1, 8]))
@example(a=-LARGE - 1, b=-1, sign="//", width=1)
@example(a=-LARGE - 1, b=-1, sign="%", width=8)
def test_every_operator_of_random_integers(a, b, sign, width):
    results, (error,) = computed(f"x[0] {sign} x[1]", [a], [b], width)
    expected = in_python(OPERATORS[sign], a, b)
    if isinstance(expected, type):
        assert error.startswith(expected.__name__)
    else:
        assert error == ""
        assert results.tolist() == [expected]


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 30, 63])
def test_constant_powers(exponent, width):
    bases = [0, 1, -1, 2, -2, 10, -10, 3, 2**21, 2**32]
    results, said = computed(f"x[0] ** {exponent}", bases, bases, width)
    for base, result, error in zip(bases, results.tolist(), said, strict=True):
        fits = -(2**63) <= base**exponent < 2**63
        assert (error == "") == fits, (base, exponent, error)
        assert not fits or result == base**exponent


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("body", ["x[0] ** x[1]", "x[0] ** -2", "pow(x[0], x[1])", "x[0] ** (x[1] - 1)"])
def test_powers_that_may_be_negative_are_floats(body, width):
    a, b = zip(*itertools.product([1, 2, 3, 10, -2], [-3, -1, 0, 1, 4]), strict=True)
    results, said = computed(body, a, b, width, np.float64)
    expected = [function_of(body)(pair) for pair in zip(a, b, strict=True)]
    assert not any(said)
    np.testing.assert_allclose(results, expected, rtol=1e-15)


@pytest.mark.parametrize(
    "body", ["int(x[0] * 1e300)", "int(x[0] * math.nan)", "math.floor(x[0] * -1e19)", "round(x[0] * 1e19)"]
)
def test_floats_that_are_no_integers_raise(body):
    scope = {}
    exec(f"import math\ndef f(x):\n    return {body}", scope)
    attempt = attempting(checked(scope["f"]))
    points = row_view(1, 1)

    @kernel
    def run(rows):
        return attempt((points(rows, 0),))[0]

    assert message_at(run(np.ones((1, 1, 1), np.int64))).startswith("OverflowError")
    assert run(np.zeros((1, 1, 1), np.int64)) == 0 or "nan" in body


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("exponent", [-1, -2, -3, -7])
def test_constant_negative_powers_of_floats_round_as_a_quotient(exponent, width):
    body = f"(0.1 * x[0]) ** {exponent}"
    results, said = computed(body, [3, 7, -11], [0, 0, 0], width, np.float64)
    assert not any(said)
    np.testing.assert_allclose(results, [(0.1 * a) ** exponent for a in (3, 7, -11)], rtol=1e-15)
