"""Networks: back-propagation against PyTorch and differences, the layout, the initializers, layers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgd as gd

REFERENCE = json.loads((Path(__file__).parent / "reference" / "network.json").read_text())
SAMPLES, SIZES = 6, (3, 4, 2, 3)
TABLE = np.cos(np.arange(SAMPLES * SIZES[0]) * 1.7).reshape(SAMPLES, SIZES[0])
TARGETS = np.sin(np.arange(SAMPLES * SIZES[-1]) * 0.9).reshape(SAMPLES, SIZES[-1])
LABELS = np.arange(SAMPLES) % SIZES[-1]


def network_of(case: dict[str, Any]) -> gd.problems.Network:
    y = TARGETS if case["loss"] == "mse" else LABELS
    names = ("activation", "loss", "output", "bias")
    return gd.problems.mlp(TABLE, y, hidden=SIZES[1:-1], **{name: case[name] for name in names})


def case_name(case: dict[str, Any]) -> str:
    return "-".join(str(case[name]) for name in ("activation", "loss", "output", "bias"))


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=case_name)
def test_value_and_gradient_are_pytorchs(case):
    network = network_of(case)
    x = np.sin(np.arange(network.dim) * 1.3 + 0.2)
    np.testing.assert_allclose(network.value(x), case["value"], rtol=1e-13)
    np.testing.assert_allclose(network.gradient(x), case["gradient"], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(network.predict(x, TABLE).ravel(), case["outputs"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=case_name)
def test_the_gradient_is_that_of_differences(case):
    network = network_of(case)
    points = np.random.default_rng(3).normal(0.0, 0.7, (5, network.dim))  # biases too, off the kinks of relu
    check = gd.gradient_check(network, points)
    assert check.ok, check.summary()


def test_the_layout_is_weights_by_rows_then_biases():
    network = gd.problems.mlp(TABLE, TARGETS, hidden=(4, 2))
    assert [(place.start, place.stop) for place in network.layers] == [(0, 16), (16, 26), (26, 35)]
    x = np.zeros(network.dim)
    x[0 * 3 + 1] = 1.0  # weight from input 1 to node 0
    x[12 + 3] = 0.5  # bias of node 3
    x[16 + 0 * 4 + 0], x[16 + 1 * 4 + 3] = 1.0, 1.0
    x[26 + 0], x[26 + 2 * 2 + 1], x[32 + 1] = 1.0, 1.0, 7.0
    expected = np.stack(
        [np.tanh(np.tanh(TABLE[:, 1])), np.full(SAMPLES, 7.0), np.full(SAMPLES, math.tanh(math.tanh(0.5)))], axis=1
    )
    np.testing.assert_allclose(network.predict(x, TABLE), expected, rtol=1e-13)


def test_initializers_have_their_variances():
    X, y = gd.datasets.digits()
    network = gd.problems.mlp(X, y, hidden=(30, 20))
    draws = {method: network.sample(200, seed=1, method=method) for method in ("xavier", "he", "normal", "zeros")}
    for place, n, m in zip(network.layers, network.sizes, network.sizes[1:], strict=False):
        weights = {method: x[:, place][:, : n * m] for method, x in draws.items()}
        for x in draws.values():
            assert not x[:, place][:, n * m :].any()
        error = 6 / math.sqrt(200 * n * m)
        assert weights["xavier"].var() == pytest.approx(2 / (n + m), rel=error)
        assert np.abs(weights["xavier"]).max() <= math.sqrt(6 / (n + m))
        assert weights["he"].var() == pytest.approx(2 / n, rel=error)
        assert weights["normal"].var() == pytest.approx(1, rel=error)
        assert not weights["zeros"].any()
    small = network.sample(200, seed=1, method="normal", scale=0.1)
    np.testing.assert_allclose(small, 0.1 * draws["normal"], rtol=1e-14)


def test_a_network_without_hidden_layers_is_softmax_regression():
    X, y = gd.datasets.iris()
    network, regression = gd.problems.mlp(X, y, hidden=()), gd.problems.softmax_regression(X, y)
    x = network.sample(4, seed=1)
    np.testing.assert_allclose(network.value(x), regression.value(x), rtol=1e-13)
    np.testing.assert_allclose(network.gradient(x), regression.gradient(x), rtol=1e-11, atol=1e-14)


def test_classes_with_squared_error_become_rows_with_a_single_one():
    one_hot = np.eye(3)[LABELS]
    by_label = gd.problems.mlp(TABLE, LABELS, hidden=(4,), loss="mse")
    by_target = gd.problems.mlp(TABLE, one_hot, hidden=(4,))
    x = by_label.sample(3, seed=2)
    np.testing.assert_array_equal(by_label.value(x), by_target.value(x))


def test_mini_batches_of_a_network_depend_on_the_seed_alone():
    network = gd.problems.mlp(TABLE, LABELS, hidden=(4, 2))
    x0 = network.sample(30, seed=5)
    options: dict[str, Any] = {"batch_size": 2, "max_steps": 40, "gtol": None}
    whole = gd.minimize(network, x0, gd.Adam(lr=0.01), seed=3, threads=2, **options)
    seeds = gd.seeds(3, 30)
    for k in (0, 7, 29):
        alone = gd.minimize(network, x0[k], gd.Adam(lr=0.01), seed=seeds[k], **options)
        np.testing.assert_array_equal(alone.x, whole.x[k])


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: gd.problems.mlp(TABLE, LABELS, activation="softplus"), ValueError, "activation must be one of"),
    (lambda: gd.problems.mlp(TABLE, LABELS, loss="hinge"), ValueError, "loss must be one of"),
    (lambda: gd.problems.mlp(TABLE, LABELS, output="tanh"), ValueError, 'is for loss="mse"'),
    (lambda: gd.problems.mlp(TABLE, LABELS, hidden=(0,)), ValueError, r"hidden\[0\]"),
    (lambda: gd.problems.mlp(TABLE, LABELS[:4]), ValueError, "one entry for each of the 6 rows"),
    (lambda: gd.problems.mlp(TABLE, TARGETS, loss="cross_entropy"), TypeError, "classes as integers"),
    (lambda: gd.problems.mlp(TABLE, LABELS, classes=2), ValueError, "classes must be an integer >= 3"),
    (lambda: gd.problems.mlp(TABLE[0], LABELS), ValueError, r"X must have shape \(N, p\)"),
    (lambda: gd.problems.mlp(TABLE, LABELS - 1), ValueError, "classes 0, 1"),
    (lambda: gd.problems.mlp(TABLE, LABELS).sample(3, method="uniform"), ValueError, "for a network"),
    (lambda: gd.problems.mlp(TABLE, LABELS).sample(3, scale=-1.0), ValueError, "scale"),
    (lambda: gd.problems.mlp(TABLE, LABELS).predict(np.zeros(3), TABLE), ValueError, "x must have shape"),
    (lambda: gd.problems.mlp(TABLE, LABELS).predict(np.zeros(115), TABLE[:, :2]), ValueError, "X must have shape"),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
