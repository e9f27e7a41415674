"""A function that never looks at a place of its point has probably been given another `dim` than was meant."""

from __future__ import annotations

import warnings
from typing import Any

import numba
import numpy as np
import pytest

import fastgd as gd


def of_two(x):
    return (x[0] ** 2 + x[1] - 11.0) ** 2 + (x[0] + x[1] ** 2 - 7.0) ** 2


def of_the_second(x):
    return x[1] ** 2


def by_negative_indices(x):
    return x[-1] ** 2 + x[-2] ** 2


def unpacked(x):
    a, b = x
    return a * a + b * b


def iterated(x):
    total = 0.0
    for v in x:
        total += v * v
    return total


def summed(x):
    return sum(x)


def neighbours(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += (x[i + 1] - x[i]) ** 2
    return total


def branching(x):
    """Reads its second place far from the middle of the box only."""
    if x[0] > 3.0:
        return x[0] * x[1]
    return x[0]


def always_short(x):
    return x[0] if x[0] > 0.0 else -x[0]


def undefined_elsewhere(x):
    """Defined near the middle of the box only, so that no other point agrees."""
    if abs(x[0]) > 0.9:
        raise ValueError("math domain error")
    return x[0]


@numba.njit
def compiled(x):
    return x[0] ** 2 + x[1] ** 2


def by_a_compiled_one(x):
    return compiled(x) + x[0]


def nothing_at_all(x):
    return 1.0


@pytest.mark.parametrize(
    ("fun", "dim", "said"),
    [
        (of_two, 3, r"^fun never reads x\[2\]: is dim=2 meant\?$"),
        (of_two, 5, r"^fun never reads x\[2\], x\[3\] and x\[4\]: is dim=2 meant\?$"),
        (of_two, 100, r"^fun never reads x\[2\], \.\.\., x\[99\], 98 of them: is dim=2 meant\?$"),
        (of_the_second, 2, r"^fun never reads x\[0\]: indices go from 0 to 1, is one of them wrong\?$"),
        (by_negative_indices, 3, r"^fun never reads x\[0\]: indices"),
        (always_short, 2, r"is dim=1 meant\?$"),
    ],
)
def test_places_that_are_never_read_are_warned_of_at_the_callers_line(fun: Any, dim: int, said: str) -> None:
    with pytest.warns(UserWarning, match=said) as caught:
        gd.Problem(fun, dim=dim, bounds=(-6, 6))
    assert [each.filename for each in caught] == [__file__]


@pytest.mark.parametrize(
    ("fun", "dim"),
    [
        (of_two, 2), (by_negative_indices, 2), (unpacked, 2), (iterated, 7), (summed, 7), (neighbours, 7),
        (branching, 2), (by_a_compiled_one, 2), (nothing_at_all, 2),
    ],
)  # fmt: skip
def test_no_warning_where_all_places_are_read_or_may_be(fun: Any, dim: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.Problem(fun, dim=dim, bounds=(-6, 6))


def test_no_warning_where_no_other_point_agrees() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.Problem(undefined_elsewhere, dim=2, bounds=[(-6, 6), (0, 1)])


def test_no_warning_for_the_catalogue() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in gd.problems.names():
            gd.problems.make(name)


def test_a_compiled_function_of_the_whole_point_is_minimized() -> None:
    problem = gd.Problem(by_a_compiled_one, dim=2)
    np.testing.assert_allclose(problem.value([[3.0, 2.0]]), [16.0], rtol=1e-15)
