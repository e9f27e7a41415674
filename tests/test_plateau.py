"""The schedule that watches the value, against the words of its definition and inside a descent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgd as gd
from fastgd.schedules import ReduceOnPlateau


def naive_plateau(values, lr, factor, patience, threshold, mode, cooldown, min_lr) -> list[float]:
    """The words of the docstring, with branches."""
    rates, best, bad, rest = [], math.inf, 0, 0
    for value in values:
        rates.append(lr)
        margin = threshold * (abs(best) if mode == "rel" else 1.0)
        if best == math.inf or value < best - margin:
            best, bad = value, 0
        else:
            bad += 1
        if rest:
            rest, bad = rest - 1, 0
        if bad > patience:
            lr, bad, rest = max(lr * factor, min_lr), 0, cooldown
    return rates


@given(
    st.lists(st.integers(-40, 40), min_size=1, max_size=80), st.sampled_from([0.25, 0.5, 0.0]), st.integers(0, 4),
    st.sampled_from([0.0, 0.125, 0.5]), st.sampled_from(["rel", "abs"]), st.integers(0, 3),
    st.sampled_from([0.0, 0.125, 1.0]),
)  # fmt: skip
def test_any_plateau_is_its_definition(values, factor, patience, threshold, mode, cooldown, min_lr) -> None:
    schedule = ReduceOnPlateau(1.0, factor, patience, threshold, mode, cooldown, min_lr)
    expected = naive_plateau(values, 1.0, factor, patience, threshold, mode, cooldown, min_lr)
    assert schedule.replay(np.array(values, dtype=float)).tolist() == expected


def test_slightly_worse_negative_values_are_no_improvement() -> None:
    values = -10.0 + 0.01 * np.arange(8)  # ever worse, by less than the relative threshold
    rates = ReduceOnPlateau(1.0, factor=0.5, patience=2, threshold=0.01).replay(values)
    assert rates.tolist() == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]


def test_nan_is_no_improvement() -> None:
    rates = ReduceOnPlateau(1.0, factor=0.5, patience=0).replay([1.0, math.nan, math.nan, 0.5, 0.4])
    assert rates.tolist() == [1.0, 1.0, 0.5, 0.25, 0.25]


def test_replay_broadcasts() -> None:
    values = np.array([[3.0, 2.0, 2.0, 2.0, 2.0], [3.0, 2.0, 1.0, 0.5, 0.2]])
    schedule = ReduceOnPlateau(np.array([1.0, 2.0, 4.0])[:, None], factor=0.5, patience=0)
    rates = schedule.replay(values)
    assert rates.shape == (3, 2, 5)
    expected = np.array([[1.0, 1.0, 1.0, 0.5, 0.25], [1.0] * 5])
    np.testing.assert_array_equal(rates, np.array([1.0, 2.0, 4.0])[:, None, None] * expected)
    for values, words in ((1.0, "got one number"), (np.zeros((2, 2, 5)), "do not broadcast")):
        with pytest.raises(ValueError, match=words):
            schedule.replay(values)


def test_plateau_has_no_rates_by_step() -> None:
    with pytest.raises(TypeError, match=r"write schedule\.replay\(values\)"):
        ReduceOnPlateau(0.1)(np.arange(3))


def bowl(x):
    return (x[0] - 1) ** 2 + 10 * x[1] ** 2 - 5


def bowl_gradient(x, out):
    out[0] = 2 * (x[0] - 1)
    out[1] = 20 * x[1]


@pytest.mark.parametrize("mode", ["rel", "abs"])
def test_a_descent_on_plateaus_replays(mode: str) -> None:
    """The first rates are too large for this bowl: the values stay or rise until they have come down."""
    problem = gd.Problem(bowl, bowl_gradient, dim=2)
    lr = np.array([0.05, 0.09, 0.1, 0.11, 0.3])
    schedule = ReduceOnPlateau(lr, 0.5, 3, 1e-3, mode, cooldown=1, min_lr=1e-3)
    run = gd.minimize(problem, [3.0, 2.0], gd.GradientDescent(lr=schedule), max_steps=60, gtol=None, record=1)
    rates = schedule.replay(problem.value(run.trace[:, :-1]))
    assert all(len(set(row)) > 2 for row in rates.tolist())
    steps = run.trace[:, :-1] - rates[..., None] * problem.gradient(run.trace[:, :-1])
    np.testing.assert_allclose(run.trace[:, 1:], steps, rtol=1e-12, atol=1e-14)
