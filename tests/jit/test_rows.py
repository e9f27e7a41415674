"""Rows of lanes: a point and its output as sequences, and sums over them."""

import numpy as np
import pytest
from lanes import FLOATS, WIDTHS, assert_same_bits, run


def sequence(x, out, k):
    out[0] = x[-1]
    out[1] = len(x)
    out[2] = x[k]
    out[3] = x[len(x) - 2]
    out[4] = 2.5
    out[5] = k
    out[-4] = x[0]
    out[-3] = 1.0
    out[-3] += x[0]
    out[-3] -= 2 * x[1]
    out[-3] *= x[2]
    out[-2] = 0.0
    for i in range(len(x)):
        out[-2] += x[i]
    for i in range(len(x)):
        out[-1] = x[-1 - i]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [1, 8, 64])
def test_rows_are_sequences(width, dtype):
    columns = np.arange(33.0).reshape(3, 11).astype(dtype)
    a, b, c = columns
    found = run(sequence, columns, 10, width, dtype, (1,))
    whole = np.ones_like(a)
    assert_same_bits(found, [c, 3 * whole, b, b, 2.5 * whole, whole, a, (1 + a - 2 * b) * c, a + b + c, a])


def accumulators(x, out, weights):
    s = 0.0
    for i in range(len(x)):
        s += x[i]
    out[0] = s
    p = 1
    for i in range(len(x)):
        p *= x[i]
    out[1] = p
    m = 0
    for i in range(len(x)):
        m = max(m, x[i])
    out[2] = m
    w = 0.0
    for i in range(len(weights)):
        w += weights[i] * x[i % len(x)]
    out[3] = w
    out[4] = sum([x[i] for i in range(len(x))])
    total = 0.0
    for v in (x[0], x[1]):
        total = total + v
    out[5] = total


@pytest.mark.parametrize(
    ("width", "dtype", "kind"),
    [(1, np.float64, np.float64), (1, np.float32, np.int64), (32, np.float64, np.int64), (32, np.float32, np.float64)],
)
def test_an_accumulator_may_start_as_a_number(width, dtype, kind):
    columns = np.random.default_rng(2).integers(-8, 8, (3, 40)).astype(dtype)
    weights = np.array([1, -2, 3, 4]).astype(kind)
    a, b, c = columns
    found = run(accumulators, columns, 6, width, dtype, (weights,))
    largest = np.maximum(0, columns.max(axis=0))
    np.testing.assert_array_equal(found, [a + b + c, a * b * c, largest, a - 2 * b + 3 * c + 4 * a, a + b + c, a + b])


def iterated(x, out):
    a, b, c = x
    out[0] = a - 2 * b + 3 * c
    total = 0.0
    for v in x:
        total += v * v
    out[1] = total
    weighted = 0.0
    for i, v in enumerate(x):
        weighted += i * v
    out[2] = weighted
    mixed = 0.0
    for v, weight in zip(x, (2.0, -1.0, 0.5)):  # noqa: B905  (numba knows no `strict`)
        mixed += weight * v
    out[3] = mixed
    out[4] = sum(x)
    out[5] = sum([v * v for v in x])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_point_is_iterated_over(width, dtype):
    a, b, c = columns = np.random.default_rng(2).integers(-8, 8, (3, 40)).astype(dtype)
    found = run(iterated, columns, 6, width, dtype)
    squares = a * a + b * b + c * c
    expected = [a - 2 * b + 3 * c, squares, b + 2 * c, 2 * a - b + c / 2, a + b + c, squares]
    np.testing.assert_array_equal(found, expected)
