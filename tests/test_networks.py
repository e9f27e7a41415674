"""Networks: back-propagation against PyTorch and differences, the layout, the initializers, layers."""

from __future__ import annotations

import json
import math
import warnings
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


# Gradients by layer


def test_layer_gradients_are_the_rms_of_each_layer():
    network = gd.problems.mlp(TABLE, TARGETS, hidden=(4, 2))
    x = np.random.default_rng(3).normal(size=(2, 3, network.dim))
    g = network.gradient(x)
    expected = np.stack([np.sqrt((g[..., a:b] ** 2).mean(axis=-1)) for a, b in ((0, 16), (16, 26), (26, 35))], axis=-1)
    np.testing.assert_allclose(gd.layer_gradients(network, x), expected, rtol=1e-14)


def test_sigmoid_gradients_vanish_and_relu_ones_do_not():
    """A sigmoid's slope is at most 1/4, so each layer takes a factor; He's initializer keeps relu's variance."""
    X, y = gd.datasets.iris()
    ratios = {}
    for activation, method in (("sigmoid", "xavier"), ("tanh", "xavier"), ("relu", "he")):
        network = gd.problems.mlp(X, y, hidden=(16,) * 8, activation=activation)
        norms = gd.layer_gradients(network, network.sample(200, seed=1, method=method))
        ratios[activation] = np.median(norms[:, 0] / norms[:, -1])
    assert ratios["sigmoid"] < 4.0**-6
    assert ratios["tanh"] > 0.05
    assert ratios["relu"] > 0.05


def test_squared_error_of_a_saturated_sigmoid_has_no_gradient_and_cross_entropy_has():
    squared = gd.problems.mlp([[1.0]], [[1.0]], hidden=(), output="sigmoid")
    cross = gd.problems.mlp([[1.0]], [1], hidden=(), classes=2)
    wrong = [-10.0, -10.0]
    assert gd.layer_gradients(squared, wrong)[0] < 1e-8
    assert gd.layer_gradients(cross, [10.0, -10.0, 10.0, -10.0])[0] > 0.5


def test_layers_are_needed():
    with pytest.raises(TypeError, match="must have layers"):
        gd.layer_gradients(gd.problems.himmelblau(), [0.0, 0.0])


def test_the_picture_has_a_panel_for_each_network(tmp_path):
    rng = np.random.default_rng(1)
    depth = {name: np.exp(rng.normal(size=(20, 5))) for name in ("sigmoid", "tanh", "relu")}
    _, axes = gd.plot.layer_gradients(depth, out=tmp_path / "depth.png", title="depth")
    shown = [ax for ax in axes.flat if ax.get_visible()]
    assert [ax.get_title() for ax in shown] == list(depth)
    np.testing.assert_allclose(shown[1].lines[0].get_ydata(), np.median(depth["tanh"], axis=0))
    assert shown[-1].get_xlabel() == "layer, from the input"
    assert (tmp_path / "depth.png").stat().st_size > 10_000
    traces = {"relu": np.exp(rng.normal(size=(20, 7, 3)))}
    traces["relu"][:, 5:] = np.nan
    figure, axes = gd.plot.layer_gradients(traces, steps=np.arange(7) * 10)
    (panel,) = axes.flat
    assert len(figure.axes) == 2  # and the scale of the layers
    assert len(panel.lines) == 3
    np.testing.assert_allclose(panel.lines[2].get_xdata(), np.arange(7) * 10)
    np.testing.assert_allclose(panel.lines[2].get_ydata()[:5], np.median(traces["relu"][:, :5, 2], axis=0))


@pytest.mark.parametrize(
    ("norms", "kind", "words"),
    [
        ([1.0], TypeError, "mapping from titles"), ({}, TypeError, "mapping from titles"),
        ({"a": np.ones(3)}, ValueError, r"\(runs, layers\)"),
        ({"a": np.ones((3, 2)), "b": np.ones((3, 4, 2))}, ValueError, r"\(runs, layers\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn(norms, kind, words):
    with pytest.raises(kind, match=words):
        gd.plot.layer_gradients(norms)


def test_steps_and_points_have_to_fit():
    with pytest.raises(ValueError, match="one entry for each of the 7 points"):
        gd.plot.layer_gradients({"a": np.ones((2, 7, 3))}, steps=[1, 2])


def test_weight_averaging_helps_on_held_out_data_where_the_rate_is_high():
    X, y = gd.datasets.iris()
    order = np.random.default_rng(0).permutation(150)
    train, held_out = order[:75], order[75:]
    network = gd.problems.mlp(X[train], y[train], hidden=(8,))
    test = gd.problems.mlp(X[held_out], y[held_out], hidden=(8,))
    runs = gd.minimize(
        network, network.sample(200, seed=1), gd.GradientDescent(lr=0.5), batch_size=4, max_steps=1500, gtol=None,
        average=gd.SWA(300),
    )  # fmt: skip
    end, average = test.value(runs.x), test.value(runs.x_avg)
    assert np.mean(average < end) > 0.8
    assert np.median(average) < 0.9 * np.median(end)


def test_labels_as_floats_are_noticed_and_the_loss_is_shown():
    X, y = gd.datasets.iris()
    with pytest.warns(UserWarning, match=r"whole numbers as floats.*y\.astype\(int\)"):
        fitted = gd.problems.mlp(X, y.astype(float), hidden=(8,))
    assert repr(fitted) == "Network(sizes=(4, 8, 1), activation='tanh', loss='mse', samples=150, dim=49)"
    with pytest.raises(ValueError, match="accuracy is for classes"):
        fitted.accuracy(fitted.sample(1)[0], X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.problems.mlp(X, y.astype(float), hidden=(8,), loss="mse")
        gd.problems.mlp(X, X[:, 0], hidden=(8,))
        assert repr(gd.problems.mlp(X, y)) == (
            "Network(sizes=(4, 16, 3), activation='tanh', loss='cross_entropy', samples=150, dim=131)"
        )
