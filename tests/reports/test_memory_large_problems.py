"""Problems of a million parameters are made within a second of work, and their mistakes are still found."""

from __future__ import annotations

import time

import numpy as np
import pytest

import fastgd as gd
from fastgd.guards import check_value
from fastgd.points import ACCESSES, Point

MANY = 1_000_000


def squares(x):
    s = 0.0
    for i in range(len(x)):
        s += (x[i] - 1.0) ** 2
    return s


def slopes(x, out):
    for i in range(len(x)):
        out[i] = 2.0 * (x[i] - 1.0)


def past_the_end(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i]
    return s + x[len(x)]


def slice_at_last(x):
    s = 0.0
    for i in range(len(x) - 2):
        s += x[i]
    return s + x[1:3]


def one_left_out(x):
    s = 0.0
    for i in range(len(x) - 1):
        s += x[i]
    return s


def slopes_but_one(x, out):
    for i in range(len(x) - 1):
        out[i] = 2.0 * (x[i] - 1.0)


def slopes_added(x, out):
    for i in range(len(x)):
        out[i] += 2.0 * (x[i] - 1.0)


def all_pairs(x):
    s = 0.0
    for i in range(len(x)):
        for j in range(i):
            s += (x[i] - x[j]) ** 2
    return s


def seconds(make) -> float:
    """Of work on the processor, so that a busy machine does not count."""
    began = time.process_time()
    make()
    return time.process_time() - began


@pytest.mark.slow
@pytest.mark.parametrize("make", [
    lambda: gd.Problem(squares, slopes, dim=MANY, bounds=(-2, 2)),
    lambda: gd.Problem(squares, dim=MANY),
    lambda: gd.Problem(all_pairs, dim=100_000),
    lambda: gd.problems.make("rosenbrock", dim=MANY),
    lambda: gd.problems.make("rastrigin", dim=10**7),
    lambda: gd.problems.matrix_factorization(np.ones((6, 4)), MANY),
])  # fmt: skip
def test_a_large_problem_is_made_within_seconds(make):
    assert seconds(make) < 8.0  # from 19 s to minutes before; 0.5 to 3 s where nothing else is done


@pytest.mark.slow
@pytest.mark.parametrize(("functions", "said"), [
    ((past_the_end,), r"reads x\[1000000\], past the end: dim is 1000000, in line"),
    ((slice_at_last,), "reads a slice of x"),
    ((squares, slopes_but_one), r"left out out\[999999\]"),
    ((squares, slopes_added), r"reads out\[0\] before it is written"),
])  # fmt: skip
def test_mistakes_of_large_problems_are_found(functions, said):
    with pytest.raises(ValueError, match=said):
        gd.Problem(*functions, dim=MANY)


@pytest.mark.slow
def test_a_place_that_is_never_read_is_told_of():
    with pytest.warns(UserWarning, match=r"fun never reads x\[999999\]: is dim=999999 meant\?"):
        gd.Problem(one_left_out, dim=MANY)


def test_what_a_function_does_after_it_was_watched_long_enough_is_not_looked_at():
    """A function of too many accesses passes, though it ends with what it may not do."""
    calls = []

    def greedy(x):
        for _ in range(2 * ACCESSES):
            x[0]
        calls.append(1)
        return "no number"

    check_value(greedy, 1, None, ())
    assert not calls


def test_points_large_and_small_read_the_same():
    for dim in (3, 50_000):
        values = np.linspace(-1.0, 1.0, dim)
        point = Point(values)
        assert [point[0], point[-1], point[np.int64(1)]] == [values[0], values[-1], values[1]]
        assert list(point) == values.tolist()
