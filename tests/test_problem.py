import math
import pickle

import numpy as np
import pytest

import fastgd as gd
from fastgd import Problem
from fastgd.errors import Interrupted, nearest


def bowl(x):
    return (x[0] - 1.0) ** 2 + 2.0 * x[1] ** 2


def bowl_gradient(x, out):
    out[0] = 2.0 * (x[0] - 1.0)
    out[1] = 4.0 * x[1]


def test_attributes():
    problem = Problem(bowl, bowl_gradient, dim=2, bounds=[(-1, 2), (0, 4)], minima=[1, 0])
    assert (problem.fun, problem.grad, problem.dim, problem.data) == (bowl, bowl_gradient, 2, ())
    assert problem.bounds.tolist() == [[-1, 2], [0, 4]]
    assert problem.minima.tolist() == [[1, 0]]
    assert problem.name == "bowl"
    assert not problem.has_derived_gradient
    assert repr(problem) == "Problem('bowl', dim=2, bounds=[(-1, 2), (0, 4)], minima=1)"
    with pytest.raises(ValueError, match="read-only"):
        problem.bounds[0, 0] = 0.0


def test_values_gradients_and_hessians_keep_the_batch_shape():
    problem = Problem(bowl, dim=2)
    assert problem.has_derived_gradient
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    np.testing.assert_allclose(problem.value(x), (x[..., 0] - 1) ** 2 + 2 * x[..., 1] ** 2, rtol=1e-14)
    np.testing.assert_allclose(
        problem.gradient(x), np.stack([2 * (x[..., 0] - 1), 4 * x[..., 1]], -1), rtol=1e-14
    )
    np.testing.assert_array_equal(problem.hessian(x), np.broadcast_to([[2.0, 0.0], [0.0, 4.0]], (3, 4, 2, 2)))
    assert problem.value([1.0, 0.0]).shape == ()
    assert problem.value(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("x", [1.0, [1.0], [[1.0, 2.0, 3.0]], np.ones((2, 1))])
def test_a_wrong_last_axis_is_refused(x):
    with pytest.raises(ValueError, match=r"shape \(\*batch, 2\)"):
        Problem(bowl, dim=2).value(x)


@pytest.mark.parametrize(
    ("dim", "error"),
    [(0, ValueError), (-1, ValueError), (2.0, TypeError), ("2", TypeError), (True, TypeError)],
)
def test_dim(dim, error):
    with pytest.raises(error, match="dim must be"):
        Problem(bowl, dim=dim)


def first_of(x, a, *rest):
    return x[0] * a[0]


def test_data_is_copied_and_cannot_be_written_to():
    given = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    problem = Problem(
        lambda x, a, b, c, d: a[1, 2] * x[0] + b[0] + c + d, dim=1, data=(given, [1, 2], 3, 0.5)
    )
    matrix, whole, count, factor = problem.data
    given[1, 2] = -1.0
    assert matrix.dtype == np.float64
    assert matrix[1, 2] == 5.0
    assert matrix.flags.c_contiguous
    assert whole.dtype == np.int64
    assert (type(count), type(factor)) == (int, float)
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1.0
    np.testing.assert_array_equal(problem.gradient([[2.0]]), [[5.0]])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.ones(3), TypeError, r"data must be a tuple.*data=\(X,\)"),
        ([np.ones(3)], TypeError, r"data=\(X,\)"),
        ((np.ones(3), [1.0, math.nan]), ValueError, r"data\[1\] must be finite; it has 1"),
        ((math.inf,), ValueError, r"data\[0\] must be finite"),
        (([1j],), TypeError, "complex"),
        ((["a"],), TypeError, "real numbers"),
        ((None,), TypeError, "object"),
        (([[1.0], [1.0, 2.0]],), TypeError, "not a regular array"),
        ((np.array([2**63], dtype=np.uint64),), ValueError, "int64"),
    ],
)
def test_bad_data(data, error, message):
    with pytest.raises(error, match=message):
        Problem(first_of, dim=1, data=data)


def test_a_bad_name():
    with pytest.raises(TypeError, match="name must be a string"):
        Problem(bowl, dim=2, name=3)
    assert Problem(lambda x: x[0], dim=1).name == "lambda"


def test_a_derivation_error_comes_at_first_use_only():
    problem = Problem(lambda x: max(x[0], 0.0), dim=1)
    assert problem.value([2.0]) == 2.0
    with pytest.raises(gd.DerivationError, match="comparison"):
        problem.gradient([2.0])
    with pytest.raises(gd.DerivationError, match="No hessian"):
        problem.hessian([2.0])


def test_pickling_derives_anew():
    problem = Problem(bowl, dim=2, bounds=(-1, 1))
    x = [[0.3, 0.4]]
    before = problem.gradient(x), problem.hessian(x)
    again = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(again.gradient(x), before[0])
    np.testing.assert_array_equal(again.hessian(x), before[1])


def test_nearest():
    assert nearest("Himelblau", ["beale", "himmelblau"]) == " Did you mean 'himmelblau'?"
    assert nearest("q", ["beale"]) == ""
    assert nearest("x", []) == ""


def test_interrupted_keeps_what_was_done():
    error = pickle.loads(pickle.dumps(Interrupted("stopped", partial=[1, 2])))
    assert isinstance(error, KeyboardInterrupt)
    assert (str(error), error.partial) == ("stopped", [1, 2])
