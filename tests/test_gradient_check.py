"""Right gradients pass, subtly wrong ones are caught, and rounding raises no false alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastgd as gd
from fastgd.landscape import gradient_check


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def sign(x, out):
    out[0] = -(4 * x[0] * (x[0] ** 2 + x[1] - 11) + 2 * (x[0] + x[1] ** 2 - 7))
    out[1] = 2 * (x[0] ** 2 + x[1] - 11) + 4 * x[1] * (x[0] + x[1] ** 2 - 7)


def factor(x, out):
    out[0] = 4 * x[0] * (x[0] ** 2 + x[1] - 11) + 2 * (x[0] + x[1] ** 2 - 7)
    out[1] = 2 * (x[0] ** 2 + x[1] - 11) + 2 * x[1] * (x[0] + x[1] ** 2 - 7)


def missing_term(x, out):
    out[0] = 4 * x[0] * (x[0] ** 2 + x[1] - 11)
    out[1] = 2 * (x[0] ** 2 + x[1] - 11) + 4 * x[1] * (x[0] + x[1] ** 2 - 7)


def off_by_a_little(x, out):
    out[0] = 4 * x[0] * (x[0] ** 2 + x[1] - 11) + 2 * (x[0] + x[1] ** 2 - 7)
    out[1] = 1.0001 * (2 * (x[0] ** 2 + x[1] - 11) + 4 * x[1] * (x[0] + x[1] ** 2 - 7))


def not_a_number(x, out):
    out[0] = 4 * x[0] * (x[0] ** 2 + x[1] - 11) + 2 * (x[0] + x[1] ** 2 - 7)
    out[1] = math.inf * x[1] - math.inf * x[1]


@pytest.mark.parametrize("name", gd.problems.names())
@pytest.mark.parametrize("seed", [0, 1])
def test_the_catalogue_is_right(name, seed):
    check = gradient_check(gd.problems.make(name), seed=seed)
    assert check.ok, str(check)


@pytest.mark.parametrize("name", gd.problems.names())
def test_an_error_of_one_in_ten_thousand_is_caught_in_every_problem(name):
    class Off:
        def __init__(self, problem):
            self.dim, self.bounds, self.name = problem.dim, problem.bounds, problem.name
            self.value, self.sample, self.right = problem.value, problem.sample, problem.gradient

        def gradient(self, x):
            g = self.right(x)
            g[..., -1] *= 1.0001
            return g

    check = gradient_check(Off(gd.problems.make(name)))
    assert not check.ok
    assert check.worst[1] == check.x.shape[1] - 1
    assert not check.wrong[:, :-1].any()


@pytest.mark.parametrize(
    ("wrong", "component"),
    [(sign, 0), (factor, 1), (missing_term, 0), (off_by_a_little, 1), (not_a_number, 1)],
)
def test_wrong_gradients_are_caught_and_named(wrong, component):
    check = gradient_check(gd.Problem(himmelblau, wrong, dim=2, bounds=(-6, 6)))
    assert not check.ok
    assert check.worst[1] == component
    assert not check.wrong[:, 1 - component].any()
    assert check.wrong[:, component].mean() > 0.9
    text = str(check)
    assert f"WRONG in component {component}" in text
    assert f"worst: component {component} at point {check.worst[0]}" in text


def test_the_error_of_a_wrong_gradient_stays_as_h_shrinks():
    check = gradient_check(gd.Problem(himmelblau, off_by_a_little, dim=2, bounds=(-6, 6)))
    exact = 1e-4 * abs(check.reference[check.worst])
    assert check.errors[-6:] == pytest.approx(np.full(6, exact), rel=0.02)
    assert check.absolute_error[check.worst] == pytest.approx(exact, rel=1e-4)
    assert check.relative_error[check.worst] == pytest.approx(1e-4, rel=1e-3)
    assert np.allclose(check.steps[:-1] / check.steps[1:], 2.0)


def test_the_error_of_a_coarse_step_falls_like_h_squared():
    def smooth(x):
        return math.exp(x[0])

    check = gradient_check(gd.Problem(smooth, dim=1, bounds=(0, 4)), [[1.0]])
    assert check.ok
    assert check.errors[:6] / check.errors[1:7] == pytest.approx(np.full(6, 4.0), rel=0.01)
    assert check.reference[0, 0] == pytest.approx(math.e, rel=1e-11)


def high(x):
    return 1e12 + x[0] ** 2 + x[1] ** 4


def huge(x):
    return 1e200 * (x[0] ** 2 + math.exp(x[1]))


def tiny(x):
    return 1e-200 * (x[0] ** 2 + math.exp(x[1]))


def stiff(x):
    return 1e8 * x[0] ** 2 + 1e-8 * math.sin(x[1])


def steep(x):
    return 1 / (x[0] ** 12 + 1e-3) + math.log(x[1] + 1.1)


@pytest.mark.parametrize("fun", [high, huge, tiny, stiff, steep])
@pytest.mark.parametrize("seed", range(5))
def test_bad_scaling_is_no_false_alarm(fun, seed):
    assert gradient_check(gd.Problem(fun, dim=2, bounds=(-1, 1)), seed=seed).ok


def test_what_rounding_hides_is_said():
    check = gradient_check(gd.Problem(high, dim=2, bounds=(-1, 1)))
    assert check.ok
    assert check.unresolved.any()
    assert "could hide an error" in str(check)
    assert not gradient_check(gd.Problem(himmelblau, dim=2, bounds=(-6, 6))).unresolved.any()


def test_a_value_that_is_not_finite_is_unresolved_and_not_wrong():
    def root(x):
        return np.sqrt(x[0]) + x[1]

    def grad(x, out):
        out[0] = 0.5 / math.sqrt(x[0])
        out[1] = 1.0

    check = gradient_check(gd.Problem(root, grad, dim=2), [[4.0, 0.0], [1e-9, 0.0], [0.5, 1.0]])
    assert check.ok
    assert not check.unresolved[0].any()


def test_given_points_of_any_batch_shape_and_a_stationary_one():
    problem = gd.problems.make("himmelblau")
    check = gradient_check(problem, problem.minima.reshape(2, 2, 2))
    assert check.ok
    assert check.x.shape == (4, 2)
    assert repr(check) == "<GradientCheck of himmelblau: ok at 4 points, 2 components>"


def test_many_parameters():
    assert gradient_check(gd.problems.make("rosenbrock", dim=60), n_points=4).ok


def test_it_refuses():
    problem = gd.problems.make("himmelblau")
    with pytest.raises(ValueError, match="x must be given"):
        gradient_check(gd.Problem(himmelblau, dim=2))
    with pytest.raises(ValueError, match=r"shape \(\*batch, 2\)"):
        gradient_check(problem, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="finite"):
        gradient_check(problem, [1.0, math.nan])
    with pytest.raises(ValueError, match="n_points"):
        gradient_check(problem, n_points=0)
    with pytest.raises(TypeError, match="n_points"):
        gradient_check(problem, n_points=2.5)
    with pytest.raises(ValueError, match="rtol"):
        gradient_check(problem, rtol=0.0)
