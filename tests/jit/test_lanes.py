import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import FLOATS, WIDTHS, assert_same_bits, numbers, pairs, run
from numba.core.errors import TypingError

from fastgd.jit.masks import select


def arithmetic(x, out, k, v):
    a, b = x[0], x[1]
    out[0] = a + b
    out[1] = a - b
    out[2] = a * b
    out[3] = a / b
    out[4] = -a
    out[5] = +a
    out[6] = abs(a)
    out[7] = a + 2
    out[8] = 2 - a
    out[9] = a * 0.25
    out[10] = 3 / a
    out[11] = k + a
    out[12] = a - k
    out[13] = k * a
    out[14] = a / k
    out[15] = v + a
    out[16] = a - v
    out[17] = v * a
    out[18] = v / a
    s = a
    s += b
    s -= 2
    s *= v
    s /= b
    out[19] = s
    out[20] = a + True


def expected_arithmetic(a, b, k, v):
    s = (a + b - 2) * v / b
    return [
        a + b, a - b, a * b, a / b, -a, a, abs(a), a + 2, 2 - a, a * 0.25, 3 / a, k + a, a - k, k * a, a / k,
        v + a, a - v, v * a, v / a, s, a + 1,
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", WIDTHS)
def test_arithmetic_is_ieee(width, dtype):
    columns = pairs(dtype)
    extra = 3, 0.375  # an integer and a float of few digits, so that float32 holds them as well
    with np.errstate(all="ignore"):
        a, b = columns
        expected = expected_arithmetic(a, b, dtype(extra[0]), dtype(extra[1]))
    found = run(arithmetic, columns, len(expected), width, dtype, extra)
    if width == 1 and dtype == np.float32:  # Python scalars make the scalar target compute in float64
        np.testing.assert_allclose(found, expected, rtol=3e-7)
        return
    assert_same_bits(found, expected)


def extremes(x, out):
    a, b = x[0], x[1]
    out[0] = min(a, b)
    out[1] = max(a, b)
    out[2] = min(a, 0)
    out[3] = max(0.0, a)
    out[4] = max(a, 0)
    out[5] = min(0.5, a)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", WIDTHS)
def test_min_and_max_keep_pythons_rule(width, dtype):
    columns = pairs(dtype)
    a, b = columns.tolist()
    found = run(extremes, columns, 6, width, dtype)
    expected = [
        [min(u, v) for u, v in zip(a, b, strict=True)],
        [max(u, v) for u, v in zip(a, b, strict=True)],
        [min(u, 0) for u in a],
        [max(0.0, u) for u in a],
        [max(u, 0) for u in a],
        [min(0.5, u) for u in a],
    ]
    if width == 1:  # Numba's scalar min and max have their own rule for NaN and zeros
        ordinary = ~np.isnan(columns).any(axis=0)
        np.testing.assert_array_equal(found[:, ordinary], np.asarray(expected, dtype=dtype)[:, ordinary])
        return
    assert_same_bits(found, expected)


def powers(x, out, k, n, e):
    a, b = x[0], x[1]
    out[0] = a**0
    out[1] = a**1
    out[2] = a**2
    out[3] = a**3
    out[4] = a**7
    out[5] = a**-1
    out[6] = a**-2
    out[7] = a**-5
    out[8] = a**k
    out[9] = a**n
    out[10] = a**0.5
    out[11] = a**-0.5
    out[12] = a**2.0
    out[13] = a**2.5
    out[14] = a**e
    out[15] = a**b
    out[16] = 2**b
    out[17] = 1.5**b
    out[18] = pow(a, 3)
    s = a
    s **= 2
    out[19] = s
    s = a
    s **= k
    out[20] = s
    out[21] = a**70
    out[22] = math.pow(a, b)
    out[23] = np.power(a, 2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [1, 8, 64])
def test_powers_are_numpys(width, dtype):
    k, n, e = 9, -4, 1.25
    columns = numbers(77, seed=5, low=0.5, high=2.5, rows=2).astype(dtype)
    a, b = columns.astype(np.float64)
    exponents = [0, 1, 2, 3, 7, -1, -2, -5, k, n, 0.5, -0.5, 2.0, 2.5, e, b, None, None, 3, 2, k, 70, b, 2]
    expected = np.array([a ** (0 if p is None else p) for p in exponents])
    expected[16], expected[17] = 2**b, 1.5**b
    found = run(powers, columns, len(exponents), width, dtype, (k, n, e)).astype(np.float64)
    # Each of the at most |p| products rounds once; `pow` itself is within 4 units in the last place
    roundings = np.array([abs(p) if np.ndim(p) == 0 and p is not None else 0 for p in exponents])
    bound = (4 + roundings)[:, None] * np.finfo(dtype).eps * np.abs(expected)
    assert np.all(np.abs(found - expected) <= bound)


def whole_powers(x, out, n):
    out[0] = x[0] ** n
    out[1] = x[0] ** 3
    out[2] = x[0] ** -2


def test_whole_powers_at_special_values():
    values = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -3.0, math.inf, -math.inf, math.nan, 1e200, -1e200])
    for n in (0, 1, 2, 5, -1, -2, -3, 63, -64):
        with np.errstate(all="ignore"):
            expected = [values ** float(p) for p in (n, 3, -2)]
        found = run(whole_powers, [values], 3, 8, extra=(n,))
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        finite = ~np.isnan(found)
        np.testing.assert_array_equal(np.signbit(found)[finite], np.signbit(expected)[finite])


def test_a_power_of_a_step_number_needs_no_logarithm():
    beta, steps = np.array([[0.9, 0.999, 0.5]]), [1, 2, 3, 10, 1000, 9999]
    for t in steps:
        exact = [float(Fraction(b) ** t) for b in beta[0]]
        found = run(whole_powers, beta, 3, 8, extra=(t,))[0]
        np.testing.assert_allclose(found, exact, rtol=t * 2.3e-16, atol=1e-320)


def odd_exponents(x, out):
    out[0] = x[0] ** math.inf
    out[1] = x[0] ** math.nan


def test_a_power_that_is_no_number_compiles():
    found = run(odd_exponents, [[0.5, 1.0, 2.0]], 2, 8)
    assert_same_bits(found, [[0.0, 1.0, math.inf], [math.nan, 1.0, math.nan]])


def fused(x, out, h):
    a, b, c = x[0], x[1], x[2]
    out[0] = a * b + c
    out[1] = c + a * b
    out[2] = a * b - c
    out[3] = c - a * b
    s = c
    s += a * b
    out[4] = s
    s = c
    s -= a * b
    out[5] = s
    out[6] = a**2 + c
    out[7] = h * a + c
    out[8] = a * b + b * c
    product = a * b
    out[9] = product + c
    out[10] = 3 * a + 1


def rounded(number: Fraction, dtype) -> float:
    """The nearest float, ties to even; float32 by way of a comparison of both neighbours."""
    if dtype == np.float64:
        return float(number)
    near = np.float32(float(number))
    around = [np.nextafter(near, -np.float32(np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    even = lambda u: int(np.array(u, np.float32).view(np.uint32)) & 1  # noqa: E731
    return min(around, key=lambda u: (abs(Fraction(float(u)) - number), even(u)))


FINITE = st.floats(-1e4, 1e4, allow_subnormal=False).filter(lambda u: u == 0 or abs(u) > 1e-6)


def check_fused(columns, dtype, width):
    found = run(fused, columns, 11, width, dtype, (0.3,))
    for a, b, c, lane in zip(*columns.tolist(), range(columns.shape[1]), strict=True):
        a, b, c, h = Fraction(a), Fraction(b), Fraction(c), Fraction(float(dtype(0.3)))
        second = Fraction(float(rounded(b * c, dtype)))
        exact = [
            a * b + c, a * b + c, a * b - c, c - a * b, a * b + c, c - a * b, a * a + c, h * a + c, a * b + second,
            a * b + c, 3 * a + 1,
        ]  # fmt: skip
        expected = np.array([rounded(value, dtype) for value in exact], dtype)
        np.testing.assert_array_equal(found[:, lane], expected)


@given(st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=9), st.sampled_from([8, 32]))
def test_a_product_and_a_sum_round_once(triples, width):
    check_fused(np.array(triples).T, np.float64, width)


def test_a_product_and_a_sum_round_once_in_float32():
    check_fused(numbers(64, seed=11, low=-100, high=100, rows=3).astype(np.float32), np.float32, 16)


def test_scalars_do_not_fuse():
    a, b, c = numbers(200, seed=12, rows=3)
    found = run(fused, [a, b, c], 11, 1, extra=(0.3,))
    np.testing.assert_array_equal(found[:4], [a * b + c, c + a * b, a * b - c, c - a * b])


def update(x, out, lr, beta):
    step = beta * x[1] + (1 - beta) * x[2]
    out[0] = x[0] - lr * step


def update_of_rows(x, out):
    step = x[4] * x[1] + (1 - x[4]) * x[2]
    out[0] = x[0] - x[3] * step


@given(st.floats(1e-6, 2.0), st.floats(0.0, 0.999), st.integers(0, 10**6))
def test_a_hyperparameter_gives_the_same_bits_as_number_and_as_lanes(lr, beta, seed):
    points = numbers(40, seed, rows=3)
    shared = run(update, points, 1, 32, extra=(lr, beta))
    each = run(update_of_rows, [*points, np.full(40, lr), np.full(40, beta)], 1, 32)
    assert_same_bits(shared, each)


@given(
    st.lists(st.tuples(st.floats(width=64), st.floats(width=64)), min_size=1, max_size=70),
    st.sampled_from([8, 64]),
)
def test_any_floats_at_all(drawn, width):
    columns = np.array(drawn).T
    with np.errstate(all="ignore"):
        a, b = columns
        expected = expected_arithmetic(a, b, 3.0, 0.375)
    assert_same_bits(run(arithmetic, columns, len(expected), width, extra=(3, 0.375)), expected)


@pytest.mark.parametrize("place", [0, 3, 7, 12])
def test_a_lane_hears_nothing_of_the_others(place):
    columns = numbers(16, seed=8, rows=2)
    calm = run(arithmetic, columns, 21, 16, extra=(3, 0.375))
    columns[:, place] = math.nan, math.inf
    stormy = run(arithmetic, columns, 21, 16, extra=(3, 0.375))
    rest = np.arange(16) != place
    assert_same_bits(stormy[:, rest], calm[:, rest])


def branch(x, out):
    out[0] = 1.0 if x[0] > 0 else 2.0


def loop_on_lanes(x, out):
    s = x[0]
    while s > 1:
        s = s / 2
    out[0] = s


def both(x, out):
    out[0] = select(x[0] > 0 and x[0] < 1, x[0], -x[0])


def negated(x, out):
    out[0] = select(not x[0] > 0, x[0], -x[0])


def chained(x, out):
    out[0] = select(0 < x[0] < 1, x[0], -x[0])


@pytest.mark.parametrize("function", [branch, loop_on_lanes, both, negated, chained])
def test_a_branch_on_lanes_is_a_typing_error(function):
    with pytest.raises(TypingError):
        run(function, [[1.0]], 1, 8)
