"""The exponentially weighted average against its definition in 50 digits, SciPy, and what the textbooks say of it."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

import fastgd as gd


def exact_averages(values: Any, beta: float, corrected: bool) -> list[float]:
    """The sum of the definition, (1 - beta) * beta^(t - s) v_s over s, in 50 digits."""
    with mpmath.workdps(50):
        b, averages, total = mpmath.mpf(beta), [], mpmath.mpf(0)
        for t, value in enumerate(values, start=1):
            total = b * total + (1 - b) * mpmath.mpf(float(value))
            averages.append(float(total / (1 - b**t) if corrected else total))
    return averages


betas = st.sampled_from([0.0, 1e-9, 0.25, 0.9, 0.99, 0.999999, 1 - 2.0**-53])
series = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=60)


@given(series, betas, st.booleans())
def test_is_the_definition(values: list[float], beta: float, corrected: bool) -> None:
    found = gd.ewma(values, beta, corrected)
    np.testing.assert_allclose(found, exact_averages(values, beta, corrected), rtol=4e-15)


@given(series, betas)
def test_the_corrected_average_lies_among_the_values(values: list[float], beta: float) -> None:
    found = gd.ewma(values, beta)
    assert found[0] == values[0]
    low, high = np.minimum.accumulate(values), np.maximum.accumulate(values)
    assert ((found >= low * (1 - 1e-14)) & (found <= high * (1 + 1e-14))).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_axis_is_scipys_filter(axis: int, order: Any) -> None:
    values = np.asarray(np.random.default_rng(0).standard_normal((4, 5, 6)), order=order)
    before = values.copy()
    expected = signal.lfilter([0.2], [1.0, -0.8], values, axis=axis)
    found = gd.ewma(values, 0.8, bias_correction=False, axis=axis)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = (1 - 0.8 ** np.arange(1, values.shape[axis] + 1)).reshape(shape)
    np.testing.assert_allclose(gd.ewma(values, 0.8, axis=axis), expected / weight, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(values, before)


def test_constants_stay_and_impulses_fade() -> None:
    np.testing.assert_allclose(gd.ewma(np.full(2000, 0.1), 0.97), 0.1, rtol=1e-14)
    impulse = gd.ewma(np.eye(1, 50)[0], 0.9, bias_correction=False)
    np.testing.assert_allclose(impulse, 0.1 * 0.9 ** np.arange(50), rtol=1e-13)
    assert gd.ewma([3.0, 5.0, -math.pi], 0.0).tolist() == [3.0, 5.0, -math.pi]


def test_a_beta_for_each_series() -> None:
    values = np.random.default_rng(1).uniform(1.0, 2.0, (30, 3))
    beta = np.array([0.0, 0.5, 0.95])
    each = np.stack([gd.ewma(values[:, k], beta[k]) for k in range(3)], axis=1)
    np.testing.assert_array_equal(gd.ewma(values, beta), each)
    np.testing.assert_array_equal(gd.ewma(values.T, beta, axis=1), each.T)


def test_many_betas_for_one_series() -> None:
    values, beta = np.random.default_rng(2).uniform(1.0, 2.0, 30), np.array([0.0, 0.5, 0.95])
    each = np.stack([gd.ewma(values, b) for b in beta])
    np.testing.assert_array_equal(gd.ewma(values, beta, axis=-1), each)
    np.testing.assert_array_equal(gd.ewma(values, beta, axis=0), each.T)
    assert gd.ewma(np.ones((30, 4)), beta[:, None]).shape == (30, 3, 4)
    assert gd.ewma(np.ones((4, 30)), beta[:, None], axis=-1).shape == (3, 4, 30)


def test_nan_and_infinity_stay_in_their_series() -> None:
    values = np.array([[1.0, 1.0, 1.0], [math.nan, math.inf, 2.0], [3.0, 3.0, 3.0]])
    found = gd.ewma(values, 0.5)
    np.testing.assert_array_equal(found[:, 2], gd.ewma([1.0, 2.0, 3.0], 0.5))
    assert np.isnan(found[:, 0]).tolist() == [False, True, True]
    assert found[:, 1].tolist() == [1.0, math.inf, math.inf]
    assert np.isnan(gd.ewma([math.nan, 1.0], 0.5)).all()
    assert gd.ewma([1.0, math.inf, 2.0], 0.0).tolist() == [1.0, math.inf, 2.0]


def test_other_kinds_of_input() -> None:
    assert gd.ewma([], 0.5).shape == (0,)
    assert gd.ewma(np.zeros((3, 0)), 0.5).shape == (3, 0)
    assert gd.ewma(np.zeros((0, 3)), 0.5).shape == (0, 3)
    assert gd.ewma([1, 2, 4], 0.5).dtype == np.float64
    assert gd.ewma(np.float32([1, 2, 4]), 0.5).tolist() == gd.ewma([1.0, 2.0, 4.0], 0.5).tolist()
    reverse = np.arange(10.0)[::-2]
    assert gd.ewma(reverse, 0.5).tolist() == gd.ewma(reverse.copy(), 0.5).tolist()


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((["a"], 0.5), TypeError, "values must hold real numbers"),
        ((1.0, 0.5), ValueError, "values must have at least one axis"),
        (([1.0], 1.0), ValueError, r"beta must be in \[0, 1\), got 1"),
        (([1.0], -0.1), ValueError, r"beta must be in \[0, 1\), got -0\.1"),
        (([1.0], math.nan), ValueError, r"beta must be in \[0, 1\), got nan"),
        (([1.0], None), TypeError, "beta must hold real numbers"),
        (([1.0], 0.5, 1), TypeError, "bias_correction must be True or False, got 1"),
        (([1.0], 0.5, True, 1), ValueError, r"axis must be in \[-1, 0\] for values of shape \(1,\), got 1"),
        (([1.0], 0.5, True, 0.0), TypeError, r"axis must be an integer, got 0\.0"),
        ((np.ones((5, 3)), [0.5, 0.6]), ValueError, r"beta of shape \(2,\) does not broadcast with the shape \(3,\)"),
    ],
)
def test_bad_arguments(arguments: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        gd.ewma(*arguments)
