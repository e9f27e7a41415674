"""Learning rates that change with the step: called, and inside a descent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from cases import trace_of
from schedule_cases import SLOPE, rates_used

import fastgd as gd
from fastgd.schedules import Constant, Exponential

(REFERENCE,) = (
    s
    for s in json.loads((Path(__file__).parent / "reference" / "schedules.json").read_text())
    if s["schedule"] == "exponential"
)


def test_exponential_is_pytorchs() -> None:
    schedule = Exponential(REFERENCE["lr"], **REFERENCE["args"])
    np.testing.assert_allclose(schedule(np.arange(60)), REFERENCE["lrs"], rtol=1e-13)


def test_a_descent_uses_pytorchs_rates() -> None:
    schedule = Exponential(REFERENCE["lr"], **REFERENCE["args"])
    used = rates_used(schedule, 60)
    np.testing.assert_allclose(used, REFERENCE["lrs"], rtol=0, atol=5e-15)
    np.testing.assert_allclose(np.cumsum(used), np.cumsum(REFERENCE["lrs"]), rtol=1e-13)


def test_rates_stay_right_over_many_bursts() -> None:
    """After t steps the rates add up to lr (1 - gamma^t) / (1 - gamma)."""
    lr, gamma, steps = 0.1, 0.9995, 20_000
    end = gd.minimize(SLOPE, [0.0, 0.0], gd.GradientDescent(lr=Exponential(lr, gamma)), max_steps=steps, gtol=None)
    assert -end.x[0] == pytest.approx(lr * (1 - gamma**steps) / (1 - gamma), rel=1e-11)


def test_peaks_and_factors_broadcast() -> None:
    lr, gamma = np.array([0.1, 1.0, 3.0])[:, None], np.array([0.5, 0.9])
    schedule = Exponential(lr, gamma)
    steps = np.arange(25)
    expected = lr[..., None] * gamma[None, :, None] ** steps
    np.testing.assert_allclose(schedule(steps), expected, rtol=1e-13)
    used = rates_used(schedule, 25)
    assert used.shape == (3, 2, 25)
    np.testing.assert_allclose(used, expected, rtol=0, atol=2e-15 * 30)


def test_one_array_makes_every_run_its_own() -> None:
    used = rates_used(Exponential([0.1, 0.2], 0.5), 10)
    np.testing.assert_allclose(used, np.array([[0.1], [0.2]]) * 0.5 ** np.arange(10), rtol=0, atol=1e-15)


def test_adam_under_a_schedule_follows_the_equations() -> None:
    schedule, start = Exponential(0.1, 0.95), [0.3, 0.8]
    oracle = naive.Adam(lr=naive.exponential(0.1, 0.95))
    expected = naive.descend(oracle, naive.himmelblau, start, 60)
    path = trace_of(gd.problems.himmelblau(), start, gd.Adam(lr=schedule), max_steps=60)
    np.testing.assert_allclose(path[:21], expected[:21], rtol=1e-11)
    np.testing.assert_allclose(path, expected, rtol=1e-9)


def test_a_factor_of_one_is_a_constant_rate() -> None:
    used = rates_used(Exponential(0.25, 1.0), 50)
    np.testing.assert_array_equal(used, np.full(50, 0.25))  # sums of quarters are exact


@pytest.mark.parametrize("kind", [0, np.int64(0)])
def test_one_step_gives_one_number(kind: Any) -> None:
    rate = Exponential(0.1, 0.5)(kind)
    assert isinstance(rate, float)
    assert rate == 0.1


def test_calling_with_arrays() -> None:
    assert Constant(0.1)(np.arange(3)).tolist() == [0.1, 0.1, 0.1]
    assert Constant([0.1, 0.2])(5).tolist() == [0.1, 0.2]
    assert Exponential([0.1, 0.2], 0.5)(np.array([[0, 1], [2, 3]])).shape == (2, 2, 2)
    assert Exponential(1.0, 0.5)([3, 1]).tolist() == [0.125, 0.5]


def test_fields_that_are_arrays_are_copies() -> None:
    rates = np.array([0.1, 0.2])
    schedule = Constant(rates)
    rates[0] = 9.0
    assert schedule(0).tolist() == [0.1, 0.2]


@pytest.mark.parametrize("step", [-1, 0.5, [1, -2], "1"])
def test_steps_are_integers_from_zero(step: Any) -> None:
    with pytest.raises(ValueError, match="steps must be integers >= 0"):
        Exponential(0.1, 0.5)(step)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Exponential(-0.1, 0.5), ValueError, r"Exponential: lr must be finite and >= 0, got -0\.1"),
        (lambda: Exponential(0.1, np.nan), ValueError, "Exponential: gamma must be finite and >= 0, got nan"),
        (lambda: Exponential([0.1, np.inf], 0.5), ValueError, "Exponential: lr must be finite"),
        (lambda: Constant("fast"), TypeError, "Constant: lr must hold real numbers"),
        (lambda: Constant(None), TypeError, "Constant: lr must hold real numbers"),
        (lambda: Constant([[0.1], [0.1, 0.2]]), TypeError, "Constant: lr is not a regular array"),
    ],
)
def test_bad_fields(make: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()
