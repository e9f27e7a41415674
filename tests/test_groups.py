"""Learning rates of their own for groups of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import assert_same_runs, form

import fastgd as gd

BOWL = form(1.0, 2.0, 0.5, 3.0, 1.5)
START = np.random.default_rng(1).normal(size=(40, 5))
OPTIONS: dict[str, Any] = {"max_steps": 30, "gtol": None}
SEPARABLE: list[tuple[str, dict[str, Any]]] = [
    ("gradient_descent", {"weight_decay": 0.1}), ("momentum", {"momentum": 0.8}), ("adam", {}),
    ("nesterov", {"momentum": 0.7, "look_ahead": True}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "options"), SEPARABLE, ids=[name for name, _ in SEPARABLE])
@pytest.mark.parametrize("own", [False, True])
def test_each_group_descends_as_with_its_rate_alone(rule, options, own):
    """The bowl and the rules treat each parameter by itself, so each group must do what it does at its rate."""
    rates = (0.05, 0.2, 0.1) if not own else tuple(np.linspace(a, 2 * a, 40) for a in (0.05, 0.2, 0.1))
    mixed = gd.optimizers.make(rule, lr=gd.groups(*rates, sizes=(2, 1, 2)), **options)
    found = gd.minimize(BOWL, START, mixed, **OPTIONS)
    for rate, part in zip(rates, (slice(0, 2), slice(2, 3), slice(3, 5)), strict=True):
        alone = gd.minimize(BOWL, START, gd.optimizers.make(rule, lr=rate, **options), **OPTIONS)
        np.testing.assert_array_equal(found.x[:, part], alone.x[:, part])


def test_equal_rates_are_one_rate():
    one = gd.minimize(BOWL, START, gd.Adam(lr=0.1), **OPTIONS)
    two = gd.minimize(BOWL, START, gd.Adam(lr=gd.groups(0.1, 0.1, sizes=(3, 2))), **OPTIONS)
    assert_same_runs(one, two)


def test_a_group_may_have_a_schedule():
    decay = gd.schedules.Exponential(0.2, 0.9)
    found = gd.minimize(BOWL, START, gd.GradientDescent(lr=gd.groups(decay, 0.1, sizes=(2, 3))), **OPTIONS).x
    scheduled = gd.minimize(BOWL, START, gd.GradientDescent(lr=decay), **OPTIONS).x
    np.testing.assert_array_equal(found[:, :2], scheduled[:, :2])
    assert gd.groups(decay, 0.1)(2) == (decay(2), 0.1)


def test_rates_of_layers_broadcast_to_a_map():
    X, y = gd.datasets.iris()
    network = gd.problems.mlp(X[:30], y[:30], hidden=(3,), classes=3)
    rates = gd.groups(np.array([0.01, 0.1, 0.2])[:, None], np.array([0.0, 0.3]))
    start = network.sample(1, seed=0)[0]
    runs = gd.minimize(network, start, gd.GradientDescent(lr=rates), max_steps=10, gtol=None)
    assert runs.x.shape == (3, 2, network.dim)
    np.testing.assert_array_equal(runs.x[:, 0, network.layers[1]], [start[network.layers[1]]] * 3)
    alone = gd.minimize(network, start, gd.GradientDescent(lr=gd.groups(0.1, 0.3)), max_steps=10, gtol=None)
    assert_same_runs(runs, alone, (1, 1))


def test_clips_and_averages_come_with_groups():
    optimizer = gd.GradientDescent(lr=gd.groups(0.1, 0.1, sizes=(3, 2)), clip_value=0.5, clip_norm=0.7)
    plain = gd.GradientDescent(lr=0.1, clip_value=0.5, clip_norm=0.7)
    one, two = (gd.minimize(BOWL, START, o, average=gd.SWA(start=5), noise=0.1, **OPTIONS) for o in (optimizer, plain))
    np.testing.assert_array_equal(one.x_avg, two.x_avg)
    assert_same_runs(one, two)


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: gd.groups(), ValueError, "groups needs a rate"),
    (lambda: gd.groups(0.1, sizes=(1, 2)), ValueError, "sizes must be 1 integers"),
    (lambda: gd.groups(0.1, sizes=(0,)), ValueError, "sizes must be 1 integers"),
    (lambda: gd.groups(-0.1), ValueError, "lr must be finite"),
    (lambda: gd.groups(gd.schedules.ReduceOnPlateau(0.1)), TypeError, "without memory"),
    (lambda: gd.minimize(BOWL, START, gd.GradientDescent(lr=gd.groups(0.1, 0.2))), ValueError, "has no layers"),
    (
        lambda: gd.minimize(BOWL, START, gd.GradientDescent(lr=gd.groups(0.1, 0.2, sizes=(2, 2)))),
        ValueError,
        "sum to the 5",
    ),
    (
        lambda: gd.GradientDescent(lr=gd.groups(0.1, 0.2, sizes=(2, 2))).init(np.zeros(4)),
        ValueError,
        "are for fastgd.minimize",
    ),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
