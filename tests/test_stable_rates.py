"""The largest stable rates that have a closed form, against descents on a quadratic."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from cases import form

import fastgd as gd

RULES = {
    "plain": gd.GradientDescent(lr=1.0),
    "plain, decay": gd.GradientDescent(lr=1.0, weight_decay=0.7),
    "heavy ball": gd.Momentum(lr=1.0, momentum=0.8),
    "heavy ball, no momentum": gd.Momentum(lr=1.0, momentum=0.0),
    "heavy ball, dampened": gd.Momentum(lr=1.0, momentum=0.6, dampening=0.3),
    "heavy ball, decay": gd.Momentum(lr=1.0, momentum=0.8, weight_decay=0.7),
    "averaged": gd.Momentum(lr=1.0, momentum=0.8, averaged=True),
    "averaged, corrected": gd.Momentum(lr=1.0, momentum=0.8, averaged=True, bias_correction=True, weight_decay=0.7),
    "Nesterov": gd.Nesterov(lr=1.0, momentum=0.8),
    "Nesterov, look-ahead": gd.Nesterov(lr=1.0, momentum=0.8, look_ahead=True),
    "Nesterov, decay": gd.Nesterov(lr=1.0, momentum=0.3, weight_decay=0.7),
}


@pytest.mark.parametrize("name", RULES)
def test_just_below_it_converges_and_just_above_it_diverges(name):
    rule, problem = RULES[name], form(0.5, 3.0)
    limit = rule.largest_stable_rate(3.0)
    for factor, status in ((0.998, 0), (1.002, 3)):
        run = gd.minimize(problem, [1.0, 1.0], dataclasses.replace(rule, lr=factor * limit), max_steps=50_000)
        assert run.status == status, (name, factor)
        if status == 0:
            assert np.abs(run.x).max() < 1e-5


def test_at_momentum_zero_all_three_are_plain_descent():
    curvature = np.array([0.5, 2.0, 8.0])
    for rule in (gd.GradientDescent(lr=1), gd.Momentum(lr=1, momentum=0), gd.Nesterov(lr=1, momentum=0)):
        np.testing.assert_array_equal(rule.largest_stable_rate(curvature), 2.0 / curvature)


def test_rates_broadcast_with_the_hyperparameters():
    momentum = np.array([0.0, 0.5])[:, None]
    limits = gd.Momentum(lr=1.0, momentum=momentum).largest_stable_rate([1.0, 2.0, 4.0])
    np.testing.assert_allclose(limits, [[2, 1, 0.5], [3, 1.5, 0.75]])


def test_without_curvature_every_rate_holds_and_no_rate_on_a_ridge():
    limits = gd.GradientDescent(lr=1.0).largest_stable_rate([0.0, -1.0, np.nan])
    np.testing.assert_array_equal(limits, [np.inf, 0.0, np.nan])
    assert gd.Momentum(lr=1.0, dampening=1.0).largest_stable_rate(1.0) == np.inf
    decayed = gd.GradientDescent(lr=1.0, weight_decay=2.0).largest_stable_rate([-1.0, -2.0, -3.0])
    np.testing.assert_array_equal(decayed, [2.0, np.inf, 0.0])


def test_rules_without_a_closed_form_say_none():
    assert gd.Adam(lr=0.1).largest_stable_rate(1.0) is None
    assert gd.SciPyCG().largest_stable_rate(1.0) is None
    assert gd.GradientDescent(lr=gd.Backtracking()).largest_stable_rate(1.0) is None


@pytest.mark.parametrize("curvature", [None, "flat", [1.0, [2.0, 3.0]]])
def test_a_curvature_that_is_no_number_is_refused(curvature):
    with pytest.raises(TypeError, match="curvature"):
        gd.GradientDescent(lr=1.0).largest_stable_rate(curvature)


@pytest.mark.parametrize(("rule", "text"), [
    (gd.GradientDescent(lr=1, weight_decay=0.1), r"$2 / (\lambda_{\max} + w)$ with weight decay $w$"),
    (gd.Momentum(lr=1), r"$2\,(1 + \mu) / \lambda_{\max}$ with momentum $\mu$"),
    (
        gd.Momentum(lr=1, dampening=0.1),
        r"$2\,(1 + \mu) / ((1 - d)\,\lambda_{\max})$ with momentum $\mu$, dampening $d$",
    ),
    (gd.Momentum(lr=1, averaged=True), r"$2\,(1 + \mu) / ((1 - \mu)\,\lambda_{\max})$ with momentum $\mu$"),
    (
        gd.Nesterov(lr=1, weight_decay=1),
        r"$2\,(1 + \mu) / ((1 + 2 \mu)\,(\lambda_{\max} + w))$ with momentum $\mu$, weight decay $w$",
    ),
])  # fmt: skip
def test_formulas_name_their_letters(rule, text):
    assert rule.stable_rate().text == text


@pytest.mark.parametrize("name", RULES)
def test_the_formula_is_that_of_the_number(name):
    rule = RULES[name]
    formula = rule.stable_rate().text.split("$")[1]
    for latex, python in ((r"\lambda_{\max}", "curvature"), (r"\mu", "mu"), (r"\,", " * ")):
        formula = formula.replace(latex, python)
    formula = re.sub(r"(\d) mu", r"\1 * mu", formula)
    letters = {"mu": getattr(rule, "momentum", None), "d": getattr(rule, "dampening", None), "w": rule.weight_decay}
    assert eval(formula, {}, {"curvature": 3.0, **letters}) == pytest.approx(rule.largest_stable_rate(3.0), rel=1e-12)
