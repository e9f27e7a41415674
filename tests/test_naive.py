"""The slow oracle against PyTorch's paths, and against numbers in print."""

from __future__ import annotations

import json
from pathlib import Path

import naive
import numpy as np
import pytest

REFERENCE = Path(__file__).parent / "reference"
RULES = {
    "gradient_descent": naive.GradientDescent,
    "momentum": naive.Momentum,
    "nesterov": naive.Nesterov,
    "adam": naive.Adam,
}
GRADIENTS = {"quadratic": naive.quadratic, "himmelblau": naive.himmelblau, "rosenbrock": naive.rosenbrock}
PATHS = [run for run in json.loads((REFERENCE / "optimizers.json").read_text()) if run["rule"] in RULES]


def rule_of(run: dict) -> naive.Rule:
    hyper = dict(run["hyper"])
    hyper.pop("nesterov", None)
    if "betas" in hyper:
        hyper["beta1"], hyper["beta2"] = hyper.pop("betas")
    return RULES[run["rule"]](**hyper)


@pytest.mark.parametrize("run", PATHS, ids=lambda run: "-".join([run["rule"], run["problem"], *run["hyper"]]))
def test_paths_are_pytorchs(run):
    expected = np.array(run["x"])
    path = naive.descend(rule_of(run), GRADIENTS[run["problem"]], expected[0], len(expected) - 1)
    np.testing.assert_allclose(path[:21], expected[:21], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-12)


def test_every_rule_and_problem_has_a_path():
    met = {(run["rule"], run["problem"]) for run in PATHS}
    assert met == {(rule, name) for rule in RULES for name in GRADIENTS}


def test_exponential_schedule_is_pytorchs():
    schedules = json.loads((REFERENCE / "schedules.json").read_text())
    (expected,) = [s for s in schedules if s["schedule"] == "exponential"]
    lr = naive.exponential(expected["lr"], expected["args"]["gamma"])
    np.testing.assert_allclose([lr(t) for t in range(60)], expected["lrs"], rtol=1e-13)


@pytest.mark.parametrize(
    ("lr", "end"), [(0.2, 0.06046617599999997), (0.05, 3.4867844009999995), (1.1, 61.917364224000096)]
)
def test_gradient_descent_on_a_parabola(lr, end):
    """Printed in "Dive into Deep Learning", on gradient descent: x² from 10, ten steps."""
    path = naive.descend(naive.GradientDescent(lr), lambda x: [2 * x[0]], [10.0], 10)
    assert path[-1, 0] == pytest.approx(end, rel=1e-14)


def test_momentum_diverges_beyond_its_stability_limit():
    """The heavy ball on lambda x²/2 is stable for lr lambda < 2 + 2 momentum (Polyak, 1964)."""
    limit = 2 + 2 * 0.9
    inside = naive.descend(naive.Momentum(limit - 0.01, 0.9), lambda x: [x[0]], [1.0], 3000)
    beyond = naive.descend(naive.Momentum(limit + 0.01, 0.9), lambda x: [x[0]], [1.0], 3000)
    assert abs(inside[-1, 0]) < 1e-3
    assert abs(beyond[-1, 0]) > 1e3


def test_adam_moves_by_its_rate_under_a_constant_gradient():
    """Every step is lr |g| / (|g| + eps): both corrected moments are exact for a constant gradient."""
    path = naive.descend(naive.Adam(lr=0.1, eps=0.5), lambda x: [-3.0], [0.0], 50)
    np.testing.assert_allclose(np.diff(path[:, 0]), 0.1 * 3 / 3.5, rtol=1e-12)


def test_a_schedule_changes_the_rate_of_each_step():
    path = naive.descend(naive.GradientDescent(naive.exponential(0.1, 0.5)), lambda x: [1.0], [0.0], 60)
    assert path[-1, 0] == pytest.approx(-0.2, rel=1e-14)
    assert path[1, 0] == pytest.approx(-0.1, rel=1e-15)
