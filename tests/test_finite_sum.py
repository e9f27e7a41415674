"""Sums over samples: derived gradients, what is refused, pickling."""

from __future__ import annotations

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
    with pytest.warns(UserWarning, match=r"data\[0\] has shape \(2, 6\).*transpose it if there are 6"):
        gd.FiniteSum(loss, data=(X.T, y), dim=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.FiniteSum(loss, data=(X, y), dim=1)
