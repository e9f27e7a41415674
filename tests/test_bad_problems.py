"""A problem that cannot be minimized is refused when it is made, with what came and what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import refused

import fastgd as gd


def bowl(x):
    return x[0] * x[0] + x[1] * x[1]


def bowl_gradient(x, out):
    out[0] = 2.0 * x[0]
    out[1] = 2.0 * x[1]


def a_tuple(x):
    return x[0], x[1]


def nothing(x):
    x[0] + x[1]


def an_array(x):
    return np.array([x[0], x[1]])


def by_where(x):
    return np.where(x[0] > 0.0, x[0], x[1])


def a_power_by_a_caret(x):
    return x[0] ^ 2


def past_the_end_of_x(x):
    return x[0] + x[2]


def two_arguments(x, scale):
    return scale * x[0]


def writes_past_the_end(x, out):
    bowl_gradient(x, out)
    out[2] = 0.0


def writes_before_the_front(x, out):
    bowl_gradient(x, out)
    out[-3] = 0.0


def writes_one_component(x, out):
    out[0] = 2.0 * x[0]


def writes_a_tuple(x, out):
    out[0] = 2.0 * x[0], 0.0
    out[1] = 0.0


def returns_the_gradient(x, out):
    return [2.0 * x[0], 2.0 * x[1]]


def writes_to_x(x, out):
    bowl_gradient(x, out)
    x[0] = 0.0


def output_first(out, x):
    bowl_gradient(x, out)


T = np.linspace(0.0, 1.0, 10)


def straight(x, i, t, y):
    return (x[0] * t[i] - y[i]) ** 2


def test_data_of_different_lengths() -> None:
    words = ["loss raised IndexError", "straight", "data[0] has 10 samples and data[1] 5: arrays that are read by i"]
    refused(ValueError, words, lambda: gd.FiniteSum(straight, dim=1, data=(T, T[:5])))
    with pytest.raises(ValueError, match=r"index 10 is out of bounds for axis 0 with size 10, in line [^\n]*\)\.$"):
        gd.FiniteSum(lambda x, i, t: x[0] * t[i + 1], dim=1, data=(T,))


@pytest.mark.parametrize(
    ("fun", "kind", "words"),
    [
        (a_tuple, TypeError, ["fun must return one real number", "a tuple of length 2"]),
        (nothing, TypeError, ["fun must return one real number", "None"]),
        (an_array, TypeError, ["fun must return one real number", "an array of shape (2,)"]),
        (by_where, TypeError, ["an array of shape ()", "In place of np.where write fastgd.select(condition, yes, no)"]),
        (a_power_by_a_caret, TypeError, ["return x[0] ^ 2", "a power is written with **, as in x[0] ** 2"]),
        (past_the_end_of_x, ValueError, ["fun", "x[2]", "dim is 2"]),
        (two_arguments, TypeError, ["fun", "two_arguments", "scale"]),
        (np.sum, TypeError, ["fun"]),
        (3.0, TypeError, ["fun must be a plain Python function", "3.0"]),
    ],
)
def test_functions(fun: Any, kind: type[Exception], words: list[str]) -> None:
    refused(kind, words, lambda: gd.Problem(fun, dim=2))


def test_data_before_the_point() -> None:
    words = ["fun has its arguments in another order than they are given: write lambda x, a"]
    refused(TypeError, words, lambda: gd.Problem(lambda a, x: a * x[0] ** 2, dim=1, data=(2.0,)))


def test_an_index_past_the_end_is_no_other_order() -> None:
    words = ["fun raised IndexError: index 5 is out of bounds for axis 0 with size 3"]
    refused(ValueError, words, lambda: gd.Problem(lambda x, a: x[0] * a[5], dim=6, data=(np.ones(3),)))
    words = ["fun reads x[5], past the end: dim is 2"]
    refused(ValueError, words, lambda: gd.Problem(lambda x, a: a[0] * x[5], dim=2, data=(np.ones(6),)))


@pytest.mark.parametrize(
    ("grad", "kind", "words"),
    [
        (writes_past_the_end, ValueError, ["grad", "out[2]", "past the end", "dim is 2"]),
        (writes_before_the_front, ValueError, ["grad", "out[-3]", "past the end", "dim is 2"]),
        (writes_one_component, ValueError, ["grad must write every component", "left out out[1]"]),
        (writes_a_tuple, ValueError, ["grad", "a tuple of length 2", "out[0]"]),
        (returns_the_gradient, ValueError, ["grad must write every component", "list of length 2"]),
        (writes_to_x, ValueError, ["grad", "x[0]", "a point is only read"]),
        (bowl, TypeError, ["grad", "grad(x, out)", "bowl"]),
        (output_first, TypeError, ["grad has its arguments in another order", "write def output_first(x, out)"]),
    ],
)
def test_gradients(grad: Any, kind: type[Exception], words: list[str]) -> None:
    refused(kind, words, lambda: gd.Problem(bowl, grad, dim=2))


@pytest.mark.parametrize(
    "bounds", [(1, 1), (2, -2), [(0, 1), (3, 3)], [(0, 1), (5, 4)], (np.zeros(2), np.array([1.0, 0.0]))]
)
def test_boxes_with_low_not_below_high(bounds: Any) -> None:
    refused(ValueError, ["bounds", "low", "high"], lambda: gd.Problem(bowl, bowl_gradient, dim=2, bounds=bounds))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"dim": 0}, ValueError), ({"dim": -1}, ValueError), ({"dim": 2.0}, TypeError), ({"dim": "2"}, TypeError),
        ({"dim": 2, "bounds": (0, np.inf)}, ValueError), ({"dim": 2, "bounds": "wide"}, TypeError),
        ({"dim": 2, "bounds": [(0, 1)] * 3}, ValueError), ({"dim": 2, "data": [1.0]}, TypeError),
        ({"dim": 2, "data": (np.array([np.nan]),)}, ValueError), ({"dim": 2, "minima": [1.0, 2.0, 3.0]}, ValueError),
    ],
)  # fmt: skip
def test_other_arguments_of_a_problem(options: dict[str, Any], kind: type[Exception]) -> None:
    refused(kind, [next(name for name in reversed(options))], lambda: gd.Problem(bowl, bowl_gradient, **options))
