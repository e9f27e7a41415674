"""Lanes of integers: bits, shifts, whole division, mixed arithmetic; gathers and scratch memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import run

from fastgd.jit.gather import scratch
from fastgd.jit.masks import select

WIDTHS = [1, 8, 32]
SPECIAL = [0, 1, -1, 2, 7, -7, 31, 2**31 - 1, -(2**31), 2**32, 2**40 + 3, 2**62, -(2**63), 2**63 - 1]


def bits(x, out, k):
    a, b = x[0], x[1]
    out[0] = a + b
    out[1] = a - b
    out[2] = a * b
    out[3] = a & b
    out[4] = a | b
    out[5] = a ^ b
    out[6] = a >> 3
    out[7] = a << 5
    out[8] = k & a
    out[9] = a >> k
    out[10] = 5 ^ a
    out[11] = -a
    out[12] = select(a < b, a, b)
    s = a
    s ^= b
    s &= 255
    s |= 4096
    s <<= 2
    s >>= 1
    out[13] = s
    out[14] = min(a, b)
    out[15] = max(a, k)
    out[16] = (a * b) >> 32 & 0xFFFFFFFF


def expected_bits(a, b, k):
    with np.errstate(over="ignore"):
        return [
            a + b, a - b, a * b, a & b, a | b, a ^ b, a >> 3, a << 5, k & a, a >> k, 5 ^ a, -a, np.minimum(a, b),
            ((((a ^ b) & 255) | 4096) << 2) >> 1, np.minimum(a, b), np.maximum(a, k), (a * b) >> 32 & 0xFFFFFFFF,
        ]  # fmt: skip


def whole_pairs():
    first, second = np.meshgrid(SPECIAL, SPECIAL)
    drawn = np.random.default_rng(4).integers(-(2**63), 2**63 - 1, (2, 50))
    return np.hstack([[first.ravel(), second.ravel()], drawn]).astype(np.int64)


@pytest.mark.parametrize("width", WIDTHS)
def test_bits_are_numpys(width):
    columns = whole_pairs()
    found = run(bits, columns, 17, width, np.int64, (13,))
    np.testing.assert_array_equal(found, expected_bits(*columns, np.int64(13)))


INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=20), st.sampled_from(WIDTHS), st.integers(0, 63))
def test_any_integers_at_all(drawn, width, k):
    columns = np.array(drawn, np.int64).T
    np.testing.assert_array_equal(run(bits, columns, 17, width, np.int64, (k,)), expected_bits(*columns, np.int64(k)))


def divisions(x, out, k):
    out[0] = x[0] // x[1]
    out[1] = x[0] % x[1]
    out[2] = x[0] // k
    out[3] = x[0] % k
    s = x[0]
    s //= 3
    s %= 5
    out[4] = s


@given(
    st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(-50, 50)), min_size=1, max_size=20),
    st.sampled_from(WIDTHS),
    st.sampled_from([-7, -1, 1, 6]),
)
def test_whole_division_rounds_down_as_pythons(drawn, width, k):
    pairs = [(a, b) for a, b in drawn if b]  # Numba's scalars and our lanes give 0 there; Python raises
    if not pairs:
        return
    found = run(divisions, np.array(pairs, np.int64).T, 5, width, np.int64, (k,))
    expected = [[a // b, a % b, a // k, a % k, a // 3 % 5] for a, b in pairs]
    np.testing.assert_array_equal(found.T, expected)


def test_a_division_by_zero_gives_zero():
    found = run(divisions, [[5, -5], [0, 0]], 5, 8, np.int64, (2,))
    np.testing.assert_array_equal(found[:2], 0)


def mixed(x, out, values):
    whole = values[0] + 0 * values[1]
    i = int_of(x[0])
    out[0] = i * 0.5
    out[1] = x[1] - i
    out[2] = i / 4
    out[3] = select(i == whole, x[1], i)
    s = 0
    for _ in range(2):
        s = s + i
    out[4] = s
    t = i
    for _ in range(2):
        t = t + x[1]
    out[5] = t
    out[6] = abs(i - 4) + 0.0 * x[1]


def table_place(x, out, table, grid, labels):
    i = int_of(x[0])
    out[0] = table[i]
    out[1] = grid[i, 2]
    out[2] = grid[1, i]
    out[3] = grid[i, -1] + labels[i]
    out[4] = table[i - 3]
    total = 0.0
    for k in range(grid.shape[1]):
        total += grid[i, k] * x[1]
    out[5] = total
    out[6] = select(labels[i] == 2, 1.0, 0.0)


def int_of(x):
    """The whole number in a float, for functions under test that are given floats."""
    return int(x)


@pytest.fixture(scope="module", autouse=True)
def truncation():
    """`int_of` of lanes and of numbers, in the tests alone."""
    from numba.core import types
    from numba.core.extending import lower_builtin
    from numba.core.typing.templates import AbstractTemplate, infer_global, signature

    from fastgd.jit.operators import converted
    from fastgd.jit.types import Lanes

    @infer_global(int_of)
    class IntOf(AbstractTemplate):
        def generic(self, args, kws):
            (x,) = args
            return signature(Lanes(types.int64, x.width) if isinstance(x, Lanes) else types.int64, x)

    @lower_builtin(int_of, types.Any)
    def lower(context, builder, sig, args):
        if isinstance(sig.return_type, Lanes):
            return converted(context, builder, args[0], sig.args[0], sig.return_type)
        return context.cast(builder, args[0], sig.args[0], sig.return_type)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", WIDTHS)
def test_integers_meet_floats_as_floats(width, dtype):
    i, x = np.arange(11) % 6, np.linspace(-2, 2, 11).astype(dtype)
    found = run(mixed, [i, x], 7, width, dtype, (np.array([3, 1]),))
    expected = [i * 0.5, x - i, i / 4, np.where(i == 3, x, i), 2 * i, i + x + x, abs(i - 4)]
    np.testing.assert_allclose(found, expected, rtol=3e-7 if dtype == np.float32 else 1e-15)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("width", WIDTHS)
def test_each_lane_reads_its_own_place(width, order):
    rng = np.random.default_rng(1)
    i, x = rng.integers(0, 5, 13), rng.normal(size=13)
    table, labels = rng.normal(size=5), rng.integers(0, 3, 5)
    grid = np.asarray(rng.normal(size=(5, 7)), order=order)
    found = run(table_place, [i, x], 7, width, np.float64, (table, grid, labels))
    expected = [
        table[i], grid[i, 2], grid[1, i], grid[i, -1] + labels[i], table[i - 3], (grid[i] * x[:, None]).sum(axis=1),
        labels[i] == 2,
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def running_sums(x, out):
    sums = scratch(x, 5)
    other = scratch(x, 2)
    other[0] = 0.0
    for i in range(len(sums)):
        other[0] += x[i]
        sums[i] = other[0]
    for i in range(5):
        out[i] = sums[4 - i]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", WIDTHS)
def test_scratch_is_memory_of_the_call(width, dtype):
    columns = np.random.default_rng(2).normal(size=(5, 70)).astype(dtype)
    found = run(running_sums, columns, 5, width, dtype)
    np.testing.assert_allclose(found, columns.cumsum(axis=0)[::-1], rtol=1e-5 if dtype == np.float32 else 1e-13)
    plain = [0.0] * 5
    running_sums(columns[:, 0].tolist(), plain)
    np.testing.assert_allclose(plain, found[:, 0], rtol=1e-5)


def swapped(x, out):
    i = int_of(x[0])
    for k in range(len(out)):
        out[k] = 0.0
    out[i] = x[i + 1]
    out[i] += 10.0
    out[i - 5] -= x[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", WIDTHS)
def test_each_lane_reads_and_writes_its_own_row(width, dtype):
    rng = np.random.default_rng(3)
    columns = np.vstack([rng.integers(0, 4, 37), rng.normal(size=(5, 37))]).astype(dtype)
    found = run(swapped, columns, 6, width, dtype)
    expected = np.zeros((6, 37), dtype)
    for k in range(37):
        i = int(columns[0, k])
        expected[i, k] = columns[i + 1, k] + dtype(10)
        expected[i - 5, k] -= columns[1, k]
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == np.float32 else 1e-15)
