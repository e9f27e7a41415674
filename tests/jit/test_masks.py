import math

import numpy as np
import pytest
from lanes import assert_same_bits, numbers, run
from numba.core.errors import TypingError

from fastgd.jit.masks import any_lane, rarely_any, select, without

SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]
WIDTHS = [1, 8, 16, 32, 64]
COUNT = 120


def columns(dtype=np.float64):
    first, second = np.meshgrid(SPECIAL, SPECIAL)
    drawn = np.round(numbers(COUNT - first.size, seed=1, low=-2, high=2, rows=2))
    return np.hstack([[first.ravel(), second.ravel()], drawn]).astype(dtype)


def comparisons(x, out, k):
    a, b = x[0], x[1]
    out[0] = select(a < b, 1.0, 0.0)
    out[1] = select(a <= b, 1.0, 0.0)
    out[2] = select(a > b, 1.0, 0.0)
    out[3] = select(a >= b, 1.0, 0.0)
    out[4] = select(a == b, 1.0, 0.0)
    out[5] = select(a != b, 1.0, 0.0)
    out[6] = select(a < 1, 1.0, 0.0)
    out[7] = select(0.5 < a, 1.0, 0.0)  # noqa: SIM300 - the number on the left is meant
    out[8] = select(k == a, 1.0, 0.0)
    out[9] = select(a != k, 1.0, 0.0)
    out[10] = select(math.isfinite(a), 1.0, 0.0)
    out[11] = select(np.isfinite(b), 1.0, 0.0)


def logic(x, out):
    a, b = x[0], x[1]
    p, q = a > 0, b > 0
    out[0] = select(p & q, a, b)
    out[1] = select(p | q, a, b)
    out[2] = select(p ^ q, a, b)
    out[3] = select(without(p, q), a, b)
    out[4] = select(p, a, 7)
    out[5] = select(p, 7.5, b)
    out[6] = select(p, -a, a) + select(q, 1, 2)
    m = p
    for i in range(len(x)):
        m = m & (x[i] <= 1)
    out[7] = select(m, a, b)
    n = p
    n &= q
    n |= a == b
    out[8] = select(n, a, b)


@pytest.mark.parametrize("width", WIDTHS)
def test_comparisons_are_numpys(width):
    a, b = columns()
    expected = [
        a < b, a <= b, a > b, a >= b, a == b, a != b, a < 1, a > 0.5, a == -1, a != -1, np.isfinite(a), np.isfinite(b)
    ]  # fmt: skip
    found = run(comparisons, [a, b], len(expected), width, extra=(-1,))
    np.testing.assert_array_equal(found, np.array(expected, float))


def float_comparisons(x, out):
    a, b, one, zero = x[0], x[1], x[2], x[3]
    out[0] = select(a < b, one, zero)
    out[1] = select(a != b, one, 0)
    out[2] = select(a >= 0.5, 1, zero)


@pytest.mark.parametrize("width", WIDTHS)
def test_comparisons_are_numpys_in_float32(width):
    a, b = columns(np.float32)
    found = run(float_comparisons, [a, b, np.ones_like(a), np.zeros_like(a)], 3, width, np.float32)
    np.testing.assert_array_equal(found, np.array([a < b, a != b, a >= 0.5], float))


@pytest.mark.parametrize("width", WIDTHS)
def test_logic_is_numpys(width):
    a, b = columns()
    p, q = a > 0, b > 0
    found = run(logic, [a, b], 9, width)
    expected = [
        np.where(p & q, a, b),
        np.where(p | q, a, b),
        np.where(p ^ q, a, b),
        np.where(p & ~q, a, b),
        np.where(p, a, 7),
        np.where(p, 7.5, b),
        np.where(p, -a, a) + np.where(q, 1, 2),
        np.where(p & (a <= 1) & (b <= 1), a, b),
        np.where((p & q) | (a == b), a, b),
    ]
    assert_same_bits(found, expected)


def inverted(x, out):
    p, q = x[0] > 0, x[1] > 0
    out[0] = select(~p, x[0], x[1])
    out[1] = select(~(p & ~q), x[0], x[1])


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_not_is_numpys_on_lanes(width):
    a, b = columns()
    p, q = a > 0, b > 0
    found = run(inverted, [a, b], 2, width)
    assert_same_bits(found, [np.where(~p, a, b), np.where(~(p & ~q), a, b)])


def by_flag(x, out, flag):
    out[0] = select(flag, x[0], x[1])
    out[1] = select(flag, x[0], 2)
    out[2] = select(flag, 1.5, x[1])
    out[3] = select(flag, 1, 2.5)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("flag", [True, False])
def test_a_bool_selects_for_all_lanes(width, flag):
    a, b = columns()
    found = run(by_flag, [a, b], 4, width, extra=(flag,))
    whole = np.ones_like(a)
    assert_same_bits(found, [a, a, 1.5 * whole, whole] if flag else [b, 2 * whole, b, 2.5 * whole])


def asks_any(x, out):
    out[0] = 1.0 if any_lane(x[0] > 0) else 0.0
    out[1] = 1.0 if rarely_any(without(x[0] > 0, x[0] > 1)) else 0.0


@pytest.mark.parametrize("width", WIDTHS)
def test_any_lane_hears_each_of_them(width):
    for value, inside in ((0.5, 1.0), (2.0, 0.0)):
        for lane in range(width):
            points = np.full((1, width), -1.0)
            points[0, lane] = value
            found = run(asks_any, points, 2, width)
            np.testing.assert_array_equal(found[0], 1.0)
            np.testing.assert_array_equal(found[1], inside)
    for nothing in (-1.0, 0.0, math.nan):
        np.testing.assert_array_equal(run(asks_any, np.full((1, width), nothing), 2, width), 0.0)


def unused_branch(x, out):
    out[0] = select(x[0] > 0, math.log(x[0]), 1 / x[0])


def test_the_branch_not_taken_leaves_no_trace():
    points = np.array([[4.0, -4.0, 0.0, -0.0, math.inf, math.nan]])
    assert_same_bits(
        run(unused_branch, points, 1, 8),
        [[math.log(4.0), -0.25, math.inf, -math.inf, math.inf, math.nan]],
    )


def lists_of_lanes(x, out):
    kept = [x[i] for i in range(len(x))]
    positive = [v > 0 for v in kept]
    kept.append(kept[0] + 1.0)
    s = 0.0
    for v in kept:
        s += v
    out[0] = s
    out[1] = select(positive[1], kept[-1], kept[0])


@pytest.mark.parametrize("width", WIDTHS)
def test_lanes_may_lie_in_lists(width):
    a, b = numbers(64, seed=4, rows=2)
    found = run(lists_of_lanes, [a, b], 2, width)
    assert_same_bits(found, [a + b + (a + 1), np.where(b > 0, a + 1, a)])


def test_plain_python_means_the_same():
    assert select(1.0 > 0.0, 2.0, 3.0) == 2.0
    assert select(np.float64(-1.0) > 0.0, 2.0, 3.0) == 3.0
    assert any_lane(True) is True
    assert any_lane(np.bool_(False)) is False
    table = [(p, q, without(p, q)) for p in (True, False) for q in (True, False)]
    assert table == [(True, True, False), (True, False, True), (False, True, False), (False, False, False)]


def select_of_number(x, out):
    out[0] = select(x[0], 1.0, 2.0)


def select_of_two(x, out):
    out[0] = select(x[0] > 0, x[0])  # type: ignore[call-arg]


def sum_of_masks(x, out):
    out[0] = (x[0] > 0) + (x[0] > 1)


@pytest.mark.parametrize("function", [select_of_number, select_of_two, sum_of_masks])
def test_what_has_no_meaning_is_a_typing_error(function):
    with pytest.raises(TypingError):
        run(function, [[1.0]], 1, 8)
