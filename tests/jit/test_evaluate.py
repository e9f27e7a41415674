import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import assert_same_bits

import fastgd as gd
from fastgd import evaluate, symbolic


def in_python(fun, points, data):
    """`fun` at every point, by the interpreter."""
    return np.array([fun(point.tolist(), *data) for point in points])


def in_python_written(fun, points, rows, data):
    """What `fun` writes at every point, by the interpreter."""
    out = np.zeros((len(points), rows))
    for point, row in zip(points, out, strict=True):
        fun(point.tolist(), row, *data)
    return out


def assert_close(found, expected, units=64):
    """Within some units in the last place of the largest of the numbers that a sum may consist of."""
    scale = np.maximum(np.abs(expected), np.abs(expected).max(initial=1.0))
    assert np.all(np.abs(found - expected) <= units * np.finfo(float).eps * scale)


@pytest.mark.parametrize("name", gd.problems.names())
def test_the_catalogue_agrees_with_the_interpreter(name):
    problem = gd.problems.make(name)
    points, n = problem.sample(37, seed=4), problem.dim
    assert_close(problem.value(points), in_python(problem.fun, points, problem.data))
    assert_close(problem.gradient(points), in_python_written(problem.grad, points, n, problem.data))


@pytest.mark.parametrize("name", ["ackley", "mueller_brown", "six_hump_camel"])
def test_hessians_agree_with_the_interpreter(name):
    problem = gd.problems.make(name)
    points, n = problem.sample(37, seed=5), problem.dim
    written = symbolic.derive_hessian(problem.fun, n, problem.data)
    expected = in_python_written(written, points, n * n, problem.data).reshape(-1, n, n)
    assert_close(problem.hessian(points), expected)


@given(st.lists(st.integers(0, 4), max_size=4))
def test_the_batch_has_any_shape(batch):
    problem = gd.problems.himmelblau()
    points = np.random.default_rng(1).uniform(-6, 6, (*batch, 2))
    x, y = points[..., 0], points[..., 1]
    value = (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2
    a, b = x**2 + y - 11, x + y**2 - 7
    slope = np.stack([4 * a * x + 2 * b, 2 * a + 4 * b * y], axis=-1)
    found = problem.value(points), problem.gradient(points), problem.hessian(points)
    assert [part.shape for part in found] == [(*batch,), (*batch, 2), (*batch, 2, 2)]
    assert_close(found[0], value)
    assert_close(found[1], slope)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 1000])
def test_a_point_has_one_value_wherever_it_stands(count):
    problem = gd.problems.ackley(dim=2)
    points = problem.sample(count, seed=6)
    together = problem.value(points)
    assert_same_bits(together[::-1].copy(), problem.value(points[::-1]))
    alone = np.array([problem.value(point) for point in points[:5]])
    assert_same_bits(alone, together[:5])


def test_strided_and_integer_points():
    problem = gd.problems.himmelblau()
    points = np.arange(24).reshape(4, 6)
    expected = problem.value(points[:, ::3].astype(float).copy())
    np.testing.assert_array_equal(problem.value(points[:, ::3]), expected)
    np.testing.assert_array_equal(problem.value(np.asfortranarray(points[:, ::3])), expected)
    np.testing.assert_array_equal(problem.value(points[:, ::3].astype(np.float32)), expected)


def branching(x, limit):
    s = 0.0
    for i in range(len(x)):
        if x[i] > limit:
            s += math.exp(-x[i])
        elif x[i] < -limit:
            s += x[i] ** 3
        else:
            s -= x[i]
    return s


def branching_gradient(x, out, limit):
    for i in range(len(x)):
        if x[i] > limit:
            out[i] = -math.exp(-x[i])
        elif x[i] < -limit:
            out[i] = 3 * x[i] ** 2
        else:
            out[i] = -1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("batch", [(), (0,), (1,), (45,), (3, 5)])
def test_functions_that_branch_are_evaluated_without_a_warning(batch):
    points = np.random.default_rng(2).uniform(-3, 3, (*batch, 3))
    flat = points.reshape(-1, 3)
    value = evaluate.value(branching, points, (0.5,))
    gradient = evaluate.gradient(branching_gradient, points, (0.5,))
    assert value.shape == batch
    assert gradient.shape == points.shape
    if flat.size:
        assert_close(value.ravel(), in_python(branching, flat, (0.5,)))
        assert_close(gradient.reshape(-1, 3), in_python_written(branching_gradient, flat, 3, (0.5,)))


def residual(x, times, counts, matrix, scale, power):
    s = 0.0
    for k in range(len(times)):
        r = x[0] * math.exp(-x[1] * times[k]) - counts[k] * scale
        s += r**power + matrix[k, 0] * x[0] + matrix[k, 1] * x[1]
    return s


@pytest.mark.parametrize(("scale", "power"), [(0.5, 2), (2, 3)])
def test_data_are_numbers_and_arrays_of_either_kind(scale, power):
    times, counts = np.linspace(0, 2, 7), np.arange(7, 0, -1)
    matrix = np.random.default_rng(3).normal(size=(7, 2))
    data = (times, counts, matrix, scale, power)
    problem = gd.Problem(residual, dim=2, bounds=(0, 3), data=data)
    points = problem.sample(50, seed=7)
    assert_close(problem.value(points), in_python(residual, points, data))
    h = 1e-6
    for i in range(2):
        step = h * np.eye(2)[i]
        slope = (problem.value(points + step) - problem.value(points - step)) / (2 * h)
        np.testing.assert_allclose(problem.gradient(points)[:, i], slope, rtol=1e-6, atol=1e-5)


def test_new_data_of_the_same_kind_are_heard():
    times = np.linspace(0, 1, 5)
    line = lambda x, t: x[0] * t[0] + t[-1]  # noqa: E731
    for offset in (0.0, 1.0, 2.0):
        np.testing.assert_array_equal(evaluate.value(line, np.array([[3.0]]), (times + offset,)), 4 * offset + 1)


def test_values_are_those_of_the_descents_to_the_bit():
    problem = gd.problems.ackley(dim=3)
    result = gd.minimize(problem, problem.sample(70, seed=8), gd.GradientDescent(lr=1e-4), max_steps=20)
    assert_same_bits(problem.value(result.x), result.fun)
    assert_same_bits(np.abs(problem.gradient(result.x)).max(axis=-1), result.grad_norm)
