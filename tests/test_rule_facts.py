"""Every update rule: closed forms, numbers in print, clipping, divergence, and runs that are the same bit for bit."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import naive
import numpy as np
import pytest
from cases import assert_same_runs, form, same_bits
from rule_cases import HIMMELBLAU, RANGES, RULES, SOME_SLOW, STARTS, STEPS, assert_path, naive_paths, path_of, some_slow

import fastgd as gd
from fastgd.engine import cpu

# Clipping


@pytest.mark.parametrize("rule", SOME_SLOW)
@pytest.mark.parametrize("clip", [pytest.param("clip_value", marks=pytest.mark.slow), "clip_norm"])
def test_a_clipped_gradient_is_what_the_rule_sees(rule: str, clip: str) -> None:
    def clipped(x: np.ndarray) -> np.ndarray:
        g = np.array(naive.himmelblau(x))
        if clip == "clip_value":
            return np.clip(g, -20.0, 20.0)
        return g * min(1.0, 20.0 / math.sqrt(g @ g))

    options = {"lr": 0.01}
    path = path_of(HIMMELBLAU, gd.optimizers.make(rule, **options, **{clip: 20.0}), STARTS, STEPS)
    assert_path(path, naive_paths(rule, options, STARTS, grad=clipped), early=1e-11)
    assert max(np.max(np.abs(naive.himmelblau(start))) for start in STARTS) > 40


# Closed forms, and numbers in print


def line(*slopes: float) -> gd.Problem:
    """A plane of constant gradient."""
    return gd.Problem(line_value, line_gradient, dim=len(slopes), data=(np.array(slopes),), name="line")


def line_value(x, slopes):
    total = 0.0
    for i in range(len(x)):
        total = total + slopes[i] * x[i]
    return total


def line_gradient(x, out, slopes):
    for i in range(len(x)):
        out[i] = slopes[i]


SLOPES = np.array([3.0, -0.25])
T = np.arange(1, 41)[:, None]
SIZE = np.abs(SLOPES)
CONSTANT: dict[str, tuple[dict[str, Any], np.ndarray]] = {  # the size of step t under a constant gradient
    "adam": ({"eps": 0.5}, SIZE / (SIZE + 0.5) * T**0),
    "adamw": ({"eps": 0.5, "weight_decay": 0.0}, SIZE / (SIZE + 0.5) * T**0),
    "adamax": ({"eps": 0.5}, SIZE / (SIZE + 0.5) * T**0),
    "adagrad": ({"eps": 0.0}, SIZE**0 / np.sqrt(T)),
    "rmsprop": ({"alpha": 0.9, "eps": 0.0}, SIZE**0 / np.sqrt(1 - 0.9**T)),
    "lion": ({}, SIZE**0 * T**0),
    "rprop": ({"max_step": 0.3}, SIZE**0 * np.minimum(1.2 ** (T - 1), 3.0)),
    "adan": ({"eps_root": 0.25}, SIZE / np.sqrt(SIZE**2 + 0.25) * T**0),
    "ademamix": ({"beta3": 0.9, "alpha": 2.0}, SIZE**0 * (3 - 2 * 0.9**T)),
    "nadam": (  # without a warm-up of the momentum: mu = beta1 / 2 throughout
        {"momentum_decay": 0.0, "beta1": 0.8},
        SIZE**0 * (0.6 / (1 - 0.4**T) + 0.4 * (1 - 0.8**T) / (1 - 0.4 ** (T + 1))),
    ),
    "radam": ({}, np.where(T <= 5, SIZE, np.nan)),  # not adaptive for five steps
    "gradient_descent": ({}, SIZE * T**0),
    "momentum": ({"averaged": True, "bias_correction": True}, SIZE * T**0),
    "schedule_free_sgd": ({}, SIZE * np.where(T == 1, 1.0, 0.5)),  # the mean of z, which takes whole steps
    "schedule_free_adamw": ({"eps": 0.5}, SIZE / (SIZE + 0.5) * np.where(T == 1, 1.0, 0.5)),
}


@pytest.mark.parametrize("rule", some_slow(CONSTANT, ("adagrad", "rmsprop")))
def test_steps_under_a_constant_gradient_have_a_closed_form(rule: str) -> None:
    options, sizes = CONSTANT[rule]
    path = path_of(line(*SLOPES), gd.optimizers.make(rule, lr=0.1, **options), [0.0, 0.0], len(T))
    told = ~np.isnan(sizes[:, 0])
    np.testing.assert_allclose(np.diff(path, axis=0)[told], -0.1 * np.sign(SLOPES) * sizes[told], rtol=1e-7)


VALLEY = form(0.2, 4.0)  # 0.1 x1² + 2 x2²


@pytest.mark.parametrize(
    ("optimizer", "end"),
    [
        (gd.AdaGrad(lr=[0.4, 2.0], eps=1e-6, eps_inside_root=True), [[-2.382563, -0.158591], [-0.002295, 0.0]]),
        (gd.RMSprop(lr=[0.4], alpha=0.9, eps=1e-6, eps_inside_root=True), [[-0.010599, 0.0]]),
        (gd.Momentum(lr=0.6, momentum=[0.5, 0.25]), [[0.007188, 0.002553], [-0.126340, -0.186632]]),
    ],
)
def test_numbers_printed_in_a_textbook(optimizer: gd.optimizers.Optimizer, end: list[list[float]]) -> None:
    """From "Dive into Deep Learning", chapters on AdaGrad, RMSProp and momentum: 20 steps from (-5, -2)."""
    np.testing.assert_allclose(gd.minimize(VALLEY, [-5.0, -2.0], optimizer, max_steps=20).x, end, atol=5.1e-7)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_averaged_momentum_diverges_beyond_its_threshold(momentum: float) -> None:
    """On c/2 x² it is stable for lr c < 2 (1 + mu) / (1 - mu)."""
    limit = 2 * (1 + momentum) / (1 - momentum)
    optimizer = gd.Momentum(lr=limit * np.array([0.99, 1.01]), momentum=momentum, averaged=True)
    status = gd.minimize(form(1.0), [1.0], optimizer, max_steps=20_000).status
    assert status.tolist() == [0, 3]


def test_two_steps_of_adan_as_published_by_hand() -> None:
    """The betas a half: m = (1/2, 3/4 - ...) by pencil, for the gradients 2 and then 1 of x² from 1 with lr = 1/2."""
    options = {"lr": 0.5, "beta1": 0.5, "beta2": 0.5, "beta3": 0.5, "eps": 0.0, "eps_root": 0.0, "as_published": True}
    path = path_of(form(2.0), gd.Adan(**options), [1.0], 2)
    # step 1: m^ = 2, v^ = 0, n^ = 4, u = 1, x = 1/2; then g = 1, g - g' = -1:
    # m = 1 and m^ = 4/3; v = -1/2 and v^ = -2/3; n = 1 + (1 - 1/2)²/2 = 9/8 and n^ = 3/2; u = (4/3 - 1/3) / sqrt(3/2)
    np.testing.assert_allclose(path[:, 0], [1.0, 0.5, 0.5 - 0.5 / math.sqrt(1.5)], rtol=1e-14)


def test_adamw_without_decay_is_adam() -> None:
    one, other = (path_of(HIMMELBLAU, kind(lr=0.05, weight_decay=0.0), STARTS, STEPS) for kind in (gd.Adam, gd.AdamW))
    assert same_bits(one, other)


def test_a_centered_variance_below_zero_is_zero() -> None:
    """Under a constant gradient v - m² is a rounding error of either sign; the path stays finite."""
    runs = gd.minimize(line(0.1, 0.3), [0.0, 0.0], gd.RMSprop(lr=1e-9, centered=True), max_steps=4000, gtol=None)
    assert runs.status == 2
    assert np.isfinite(runs.x).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"averaged": True, "dampening": 0.5}, "leave dampening at 0"),
        ({"averaged": True, "dampening": np.array([0.0, 0.1])}, "leave dampening at 0"),
        ({"bias_correction": True}, "write averaged=True"),
    ],
)
def test_options_of_momentum_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gd.Momentum(lr=0.1, **options)


# Promises


def cliff_value(x):
    return (2.0 / 3.0) * x[0] * math.sqrt(x[0]) + 0.2 * x[0] + x[1] * x[1]


def cliff_gradient(x, out):
    out[0] = math.sqrt(x[0]) + 0.2
    out[1] = 2.0 * x[1]


CLIFF = gd.Problem(cliff_value, cliff_gradient, dim=2, bounds=(0.1, 1), name="cliff")


@pytest.mark.parametrize("rule", SOME_SLOW)
def test_a_gradient_that_is_not_a_number_is_divergence(rule: str) -> None:
    """Every rule descends to x1 < 0, where the gradient is NaN: at different steps from different starts."""
    starts = np.array([[0.02, 0.5], [0.1, 0.5], [0.4, 0.5], [0.9, 0.5]])
    lr = {"adadelta": 20.0, "rmsprop": 5e-3}.get(rule, 0.05)
    runs = gd.minimize(CLIFF, starts, gd.optimizers.make(rule, lr=lr), max_steps=2000, gtol=None)
    assert runs.status.tolist() == [gd.Status.DIVERGED] * len(starts)
    assert np.isfinite(runs.x).all()
    assert np.all(np.diff(runs.nit) > 0)


# Rates at which the runs end at different steps
RATES = {
    "adadelta": 20.0, "gradient_descent": 0.01, "momentum": 2e-3, "nesterov": 2e-3, "radam": 5e-3,
    "schedule_free_sgd": 0.01,
}  # fmt: skip


@pytest.mark.parametrize("rule", SOME_SLOW)
def test_runs_are_the_same_alone_in_a_batch_in_chunks_and_on_threads(rule: str) -> None:
    starts = HIMMELBLAU.sample(203, seed=8)
    lr = np.full(203, RATES.get(rule, 0.1))
    limits = {"max_steps": 150, "gtol": 1.0}
    whole = gd.minimize(HIMMELBLAU, starts, gd.optimizers.make(rule, lr=lr), **limits)
    assert len(np.unique(whole.nit)) > 3
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, starts, gd.optimizers.make(rule, lr=lr[0]), **limits))
    for k in (0, 41, 202):
        for rate in (lr[0], lr[:1]):
            alone = gd.minimize(HIMMELBLAU, starts[[k]], gd.optimizers.make(rule, lr=rate), **limits)
            assert_same_runs(whole, alone, k, 0)
    for rate in (lr, lr[0]):
        with mock.patch.object(cpu, "chunk_runs", return_value=7):
            parts = gd.minimize(HIMMELBLAU, starts, gd.optimizers.make(rule, lr=rate), threads=2, **limits)
        assert_same_runs(whole, parts)


ZERO_ALONE = [("rmsprop", "momentum"), *((rule, "weight_decay") for rule in RULES if "weight_decay" in RANGES[rule])]


@pytest.mark.parametrize(
    ("rule", "name"),
    [case if case == ("rmsprop", "momentum") else pytest.param(*case, marks=pytest.mark.slow) for case in ZERO_ALONE],
)
def test_a_zero_among_others_is_the_zero_that_has_a_kernel_of_its_own(rule: str, name: str) -> None:
    lr = RATES.get(rule, 0.1)
    sweep = path_of(HIMMELBLAU, gd.optimizers.make(rule, lr=lr, **{name: [0.0, 0.3]}), STARTS[0], STEPS)
    alone = path_of(HIMMELBLAU, gd.optimizers.make(rule, lr=lr, **{name: 0.0}), STARTS[0], STEPS)
    assert same_bits(sweep[0], alone)
    assert np.max(np.abs(sweep[1] - alone)) > 1e-9
