"""Sums over samples: derived gradients, what is refused, pickling."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from cases import form
from sum_cases import FIT, T, Y, fit_gradient, fit_loss, slope

import fastgd as gd


def test_a_derived_sample_gradient_is_that_written_by_hand():
    written = gd.FiniteSum(fit_loss, fit_gradient, data=(T, Y), dim=2, bounds=(-3, 3))
    x = FIT.sample(20, seed=3)
    np.testing.assert_allclose(FIT.gradient(x), written.gradient(x), rtol=1e-12, atol=1e-14)
    out = [0.5, 0.5]
    FIT.sample_grad([1.0, 2.0], 4, out, T, Y)
    np.testing.assert_allclose(out, 0.5 + slope(np.array([1.0, 2.0]), 4), rtol=1e-13)


def test_the_source_of_a_derived_gradient_does_not_hold_the_data():
    source = FIT.sample_grad.__fastgd_source__
    assert "d0[i]" in source
    assert len(source) < 400


def overwriting(x, i, out, t, y):
    out[0] = x[0] - y[i]
    out[1] = t[i]


def branching_loss(x, i, t, y):
    return (x[0] - y[i]) ** 2 if i > 3 else x[1] ** 2


BAD: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: gd.FiniteSum(fit_loss, overwriting, data=(T, Y), dim=2),
        ValueError,
        r"grad must add .* write out\[0\] \+=",
    ),
    (lambda: gd.FiniteSum(fit_loss, data=(), dim=2), ValueError, "data must begin with an array"),
    (lambda: gd.FiniteSum(fit_loss, data=(1.0, Y), dim=2), ValueError, "data must begin with an array"),
    (
        lambda: gd.FiniteSum(lambda x: x[0], data=(T, Y), dim=2),
        TypeError,
        r"loss must be a function loss\(x, i, \*data\)",
    ),
    (lambda: gd.FiniteSum(lambda x, i, t, y: "a", data=(T, Y), dim=2), TypeError, "loss must return one real number"),
    (lambda: gd.FiniteSum(3, data=(T, Y), dim=2), TypeError, "loss must be a plain Python function"),
    (lambda: gd.FiniteSum(branching_loss, data=(T, Y), dim=2).grad, gd.DerivationError, r"grad\(x, i, out, t, y\)"),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD)
def test_sums_that_are_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"batch_size": 0}, ValueError, "batch_size must be None, an integer >= 1"),
    ({"batch_size": 2.5}, ValueError, "batch_size must be None, an integer >= 1"),
    ({"batch_size": True}, ValueError, "batch_size must be None, an integer >= 1"),
    ({"batch_size": 18}, ValueError, "at most 17, the number of samples; replace=True"),
    ({"batch_size": [3, 4], "shared_batches": True}, ValueError, "one batch_size for all runs"),
    ({"batch_size": 3, "shared_batches": True, "seed": [1, 2]}, ValueError, "must be one integer then"),
    ({"batch_size": 3, "shared_batches": -1}, ValueError, "shared_batches must be True, False or the seed"),
    ({"batch_size": 3, "replace": True, "shuffle": False}, ValueError, "give one of them"),
    ({"batch_size": 3, "replace": 1}, TypeError, "replace must be True or False"),
    ({"replace": True}, ValueError, "replace is about mini-batches"),
    ({"shuffle": False}, ValueError, "shuffle is about mini-batches"),
    ({"shared_batches": True}, ValueError, "shared_batches is about mini-batches"),
    ({"noise": -0.1}, ValueError, "noise must be a standard deviation >= 0"),
    ({"noise": np.nan}, ValueError, "noise must be a standard deviation >= 0"),
    ({"noise": "much"}, TypeError, "noise must hold real numbers"),
    ({"check_every": 0}, ValueError, "check_every must be None or an integer >= 1"),
    ({"batch_size": [3, 4], "seed": [1, 2, 3]}, ValueError, "do not broadcast"),
    ({"noise": [0.1, 0.2], "seed": [1, 2, 3]}, ValueError, "noise"),
    ({"seed": 2**63}, ValueError, "below 2"),
]


@pytest.mark.parametrize(("options", "kind", "words"), REFUSED, ids=str)
def test_options_that_are_refused(options, kind, words):
    with pytest.raises(kind, match=words):
        gd.minimize(FIT, [0.0, 0.0], gd.GradientDescent(lr=0.1), **options)


def test_batches_of_a_plain_problem_are_refused():
    with pytest.raises(TypeError, match=r"fastgd.FiniteSum\(loss"):
        gd.minimize(form(1.0, 1.0), [0.0, 0.0], gd.GradientDescent(lr=0.1), batch_size=3)


def test_a_sum_survives_pickling():
    import pickle

    written = gd.FiniteSum(fit_loss, fit_gradient, data=(T, Y), dim=2, bounds=(-3, 3))
    for problem in (written, FIT):
        copy = pickle.loads(pickle.dumps(problem))
        np.testing.assert_array_equal(copy.gradient([1.0, 2.0]), problem.gradient([1.0, 2.0]))
        assert copy.samples == 17


def test_the_derived_hessian_is_that_of_the_normal_equations():
    design = np.stack([np.ones(17), T], axis=1)
    expected = design.T @ design / 17
    np.testing.assert_allclose(FIT.hessian([[1.0, 2.0], [0.0, -1.0]]), [expected, expected], rtol=1e-13)
    out = np.empty(4)
    FIT.hess(np.array([1.0, 2.0]), out, T, Y)
    np.testing.assert_allclose(out.reshape(2, 2), expected, rtol=1e-13)


def test_data_that_end_too_early_are_noticed():
    t, y = np.arange(5.0), np.arange(4.0)
    with pytest.raises(ValueError, match="index 4 is out of bounds"):
        gd.FiniteSum(lambda x, i, t, y: (x[0] * t[i] - y[i]) ** 2, data=(t, y), dim=1)

    def neighbours(x, i, y):
        return (y[i + 1] - x[0] * y[i]) ** 2

    def gradient(x, i, out, y):
        out[0] += 2.0 * (x[0] * y[i] - y[i + 1]) * y[i]

    with pytest.raises(ValueError, match="index 5 is out of bounds"):
        gd.FiniteSum(neighbours, gradient, data=(t,), dim=1)


def test_the_sum_over_no_scratch_memory_is_refused():
    def fun(x):
        return x[0] ** 2 + sum(gd.scratch(x, 0))

    problem = gd.Problem(fun, lambda x, out: None if out is None else out.__setitem__(0, 2.0 * x[0]), dim=1)
    with pytest.raises(TypeError, match="numba cannot compile"):
        gd.minimize(problem, [1.0], gd.GradientDescent(lr=0.1))


def test_a_transposed_table_is_noticed():
    def loss(x, i, X, y):
        return (x[0] * X[i, 0] - y[i]) ** 2

    X, y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    with pytest.raises(ValueError, match=r"data\[0\] has 2 samples .* counts the samples: transpose it"):
        gd.FiniteSum(loss, data=(X.T, y), dim=1)
    with pytest.warns(UserWarning, match=r"data\[0\] has shape \(2, 6\).*transpose it if there are 6"):
        gd.FiniteSum(lambda x, i, X, y: (x[0] * X[i, 0] - y[0]) ** 2, data=(X.T, y), dim=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.FiniteSum(loss, data=(X, y), dim=1)


def differences(x, i, t, y):
    return (y[i + 1] - y[i] - x[0] * t[i]) ** 2


def pairs(x, i, t, y):
    return (y[2 * i] - y[1 + 2 * i] - x[0] * t[i]) ** 2


def from_the_end(x, i, t, y):
    return (y[len(y) - 1 - i] - x[0] * t[i] * y[i]) ** 2


def by_a_table(x, i, group, level):
    return (x[0] - level[group[i]]) ** 2


def by_columns(x, i, t, Y):
    return (x[0] * t[i] - Y[i, 0]) ** 2


def test_rows_that_no_sample_reads_are_refused():
    t, y = np.arange(30.0), np.arange(50.0)
    for loss, data, reached in (
        (fit_loss, (t, y), 29), (differences, (t, y), 30), (pairs, (t[:20], y), 39),
        (by_columns, (t, np.ones((31, 2))), 29),
    ):  # fmt: skip
        words = rf"loss reads data\[1\] by i and never past \[{reached}\]\. data\[0\] has \d+ samples and data\[1\] \d+"
        with pytest.raises(ValueError, match=rf"{words}: .* as many as data\[0\]\. Cut .* \[:{reached + 1}\]"):
            gd.FiniteSum(loss, data=data, dim=2)


def test_arrays_that_samples_read_to_the_end_or_share_may_have_any_length():
    t, y = np.arange(30.0), np.arange(50.0)
    for loss, data in (
        (differences, (t, y[:31])), (pairs, (t[:25], y)), (from_the_end, (t, y)), (fit_loss, (t, t)),
        (by_a_table, (np.array([0, 1, 1]), y)), (by_a_table, (np.array([0, 1, 1]), y[:2])),
    ):  # fmt: skip
        assert gd.FiniteSum(loss, data=data, dim=2).samples == len(data[0])


def test_a_table_that_is_shared_is_the_same_for_every_sample():
    """The mean of (x - level)² over the groups 0, 1, 1 of the levels 2 and 5 is least at 4."""

    def gradient(x, i, out, group, level):
        out[0] += 2.0 * (x[0] - level[group[i]])

    levels = gd.FiniteSum(by_a_table, gradient, data=(np.array([0, 1, 1]), np.array([2.0, 5.0, 99.0, 99.0])), dim=1)
    run = gd.minimize(levels, [0.0], gd.GradientDescent(lr=0.25))
    assert run.x[0] == pytest.approx(4.0, abs=1e-5)


def number_first(i, x, t, y):
    return fit_loss(x, i, t, y)


def data_before_number(x, t, y, i):
    return fit_loss(x, i, t, y)


def output_last(x, i, t, y, out):
    fit_gradient(x, i, out, t, y)


def output_first(out, x, i, t, y):
    fit_gradient(x, i, out, t, y)


def output_before_number(x, out, i, t, y):
    fit_gradient(x, i, out, t, y)


@pytest.mark.parametrize(
    ("loss", "grad", "head"),
    [
        (number_first, None, "def number_first(x, i, t, y)"),
        (lambda i, x, t, y: fit_loss(x, i, t, y), None, "lambda x, i, t, y"),
        (data_before_number, None, "def data_before_number(x, i, t, y)"),
        (fit_loss, output_last, "def output_last(x, i, out, t, y)"),
        (fit_loss, output_first, "def output_first(x, i, out, t, y)"),
        (fit_loss, output_before_number, "def output_before_number(x, i, out, t, y)"),
    ],
)
def test_arguments_in_another_order_hear_which_is_right(loss, grad, head):
    said = f"{'grad' if grad else 'loss'} has its arguments in another order than they are given: write {head}"
    with pytest.raises(TypeError, match=f"^{re.escape(said)}$"):
        gd.FiniteSum(loss, grad, data=(T, Y), dim=2)


def test_a_mistake_that_no_order_mends_is_told_as_it_is():
    with pytest.raises(ValueError, match="past the end: dim is 2"):
        gd.FiniteSum(lambda x, i, t, y: x[2] * t[i], data=(T, Y), dim=2)
