"""Kinks, jumps, noise and scales do not look like wrong gradients, and wrong gradients beside them are found."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fastgd as gd


@dataclass
class Functions:
    """A value and a gradient in NumPy, of points with the parameters along the first axis."""

    fun: Any
    grad: Any
    dim: int = 1
    box: Any = None
    name: str = "functions"

    @property
    def bounds(self):
        return None if self.box is None else np.tile(np.array(self.box, dtype=float), (self.dim, 1))

    def value(self, x):
        with np.errstate(all="ignore"):
            return self.fun(np.moveaxis(np.asarray(x, dtype=float), -1, 0))

    def gradient(self, x):
        with np.errstate(all="ignore"):
            parts = self.grad(np.moveaxis(np.asarray(x, dtype=float), -1, 0))
        return np.stack(np.broadcast_arrays(*parts, np.asarray(x)[..., 0])[:-1], axis=-1).astype(float)

    def sample(self, n, seed):
        return np.random.default_rng(seed).uniform(*self.box, (n, self.dim))


def two_kinks(x):
    return -np.abs(x[0] + 1) + np.abs(x[1])


NEAR = [[-1 + 1e-5, 1e-3]]


@pytest.mark.parametrize("box", [None, (-3, 3), (-100, 100)])
def test_the_right_gradient_beside_two_kinks_passes_and_the_kink_is_told(box):
    check = gd.gradient_check(Functions(two_kinks, lambda x: (-np.sign(x[0] + 1), np.sign(x[1])), 2, box), NEAR)
    assert check.ok
    assert check.kinks[0, 0]
    assert not check.wrong.any()
    assert check.reference[0] == pytest.approx([-1, 1], abs=1e-5)
    assert "have a kink or a jump within the steps, the first component 0 at point 0" in str(check)


def test_a_compiled_problem_beside_its_kinks():
    def fun(x):
        return -abs(x[0] + 1) + abs(x[1])

    def grad(x, out):
        out[0] = -math.copysign(1.0, x[0] + 1)
        out[1] = math.copysign(1.0, x[1])

    assert gd.gradient_check(gd.Problem(fun, grad, dim=2, bounds=(-5, 5)), NEAR).ok


@pytest.mark.parametrize(
    ("first", "second", "component"), [(-0.99, 1, 0), (1, 1, 0), (-0.9, 1, 0), (0, 1, 0), (-1, 1.01, 1), (-1, -1, 1)]
)
def test_wrong_gradients_beside_kinks_are_found(first, second, component):
    wrong = Functions(two_kinks, lambda x: (first * np.sign(x[0] + 1), second * np.sign(x[1])), 2, (-3, 3))
    check = gd.gradient_check(wrong, NEAR)
    assert not check.ok
    assert check.wrong[0].tolist() == [component == 0, component == 1]


def bent(x):
    return np.abs(x[0]) + x[0] ** 2 + 10 * np.cos(x[0])


@pytest.mark.parametrize("distance", [10.0**-k for k in range(1, 11)])
@pytest.mark.parametrize("side", [1, -1])
def test_a_kink_at_any_distance(distance, side):
    def slope(factor):
        return lambda x: (factor * np.sign(x[0]) + 2 * x[0] - 10 * np.sin(x[0]),)

    point = [[side * distance]]
    assert gd.gradient_check(Functions(bent, slope(1)), point).ok
    assert not gd.gradient_check(Functions(bent, slope(0.999)), point).ok
    assert not gd.gradient_check(Functions(bent, slope(-1)), point).ok


@pytest.mark.parametrize(("slope", "ok"), [(0.0, True), (0.5, True), (-1.0, True), (1.5, False), (-1.01, False)])
def test_at_a_kink_every_slope_from_side_to_side_passes(slope, ok):
    check = gd.gradient_check(Functions(lambda x: np.abs(x[0]), lambda x: (slope,)), [[0.0]])
    assert check.ok == ok
    assert check.kinks[0, 0] == ok or slope == 0.0


def test_a_gradient_that_is_no_number_passes_only_where_there_is_none():
    def unit(x):
        return x[0] / np.hypot(x[0], x[1]), x[1] / np.hypot(x[0], x[1])

    check = gd.gradient_check(Functions(lambda x: np.hypot(x[0], x[1]), unit, 2), [[0.0, 0.0]])
    assert check.ok
    assert check.kinks.all()
    assert not gd.gradient_check(Functions(lambda x: np.sin(x[0]), lambda x: (np.nan,)), [[0.3]]).ok


def test_an_infinite_gradient_passes_only_where_the_function_is_vertical():
    steep = Functions(lambda x: np.cbrt(x[0]), lambda x: (np.cbrt(x[0]) ** -2.0 / 3,))
    assert gd.gradient_check(steep, [[0.0]]).kinks.all()
    assert not gd.gradient_check(Functions(steep.fun, lambda x: (-np.inf,)), [[0.0]]).ok
    assert not gd.gradient_check(Functions(lambda x: np.sin(x[0]), lambda x: (np.inf,)), [[0.3]]).ok


@pytest.mark.parametrize("distance", [0, 1e-7, -1e-7, 1e-5, 1e-3, 0.1])
def test_the_gradient_beside_a_jump_is_not_called_wrong(distance):
    stairs = Functions(lambda x: np.floor(x[0]) + x[0] ** 2, lambda x: (2 * x[0],))
    check = gd.gradient_check(stairs, [[2 + distance]])
    assert check.ok
    assert check.unresolved[0, 0] == (abs(distance) < 1e-4)
    if distance >= 1e-3:
        assert not gd.gradient_check(Functions(stairs.fun, lambda x: (2.001 * x[0],)), [[2 + distance]]).ok


def in_float32(x):
    single = x.astype(np.float32)
    return (np.float32(3) * np.sin(single[0]) + single[1] ** 2).astype(float)


def rough(x):
    return x[0] ** 2 + x[1] + 1e-6 * np.sin(1e9 * x[0])


@pytest.mark.parametrize(
    ("fun", "grad"),
    [(in_float32, lambda x: (3 * np.cos(x[0]), 2 * x[1])), (rough, lambda x: (2 * x[0], 1.0))],
)
@pytest.mark.parametrize("seed", range(4))
def test_noise_is_no_error_and_hides_none(fun, grad, seed):
    assert gd.gradient_check(Functions(fun, grad, 2, (-2, 2)), seed=seed).ok

    def off(x):
        first, second = grad(x)
        return 1.05 * first, second

    check = gd.gradient_check(Functions(fun, off, 2, (-2, 2)), seed=seed)
    assert not check.ok
    assert not check.wrong[:, 1].any()


@pytest.mark.parametrize("unit", [1e-10, 1e-6, 1e-3, 1.0, 1e4])
def test_scales_that_no_box_tells(unit):
    def fun(x):
        return np.sin(x[0] / unit) + (x[1] * unit) ** 2

    def slope(factor):
        return lambda x: (factor * np.cos(x[0] / unit) / unit, 2 * x[1] * unit**2)

    point = [[unit, 1 / unit]]
    assert gd.gradient_check(Functions(fun, slope(1), 2), point).ok
    assert gd.gradient_check(Functions(fun, slope(1.01), 2), point).wrong.tolist() == [[True, False]]


def test_one_wrong_component_among_a_thousand_with_kinks():
    weight = np.arange(1.0, 1001.0)
    factor = np.where(np.arange(1000) == 777, 1.001, 1.0)

    def shaped(values, x):
        return values.reshape(-1, *[1] * (x.ndim - 1))

    kinked = Functions(
        lambda x: np.tensordot(weight, np.abs(x), 1),
        lambda x: tuple(shaped(weight * factor, x) * np.sign(x)),
        1000,
        (-1, 1),
    )
    check = gd.gradient_check(kinked, n_points=2)
    assert np.flatnonzero(check.wrong.any(axis=0)).tolist() == [777]


def test_a_function_undefined_everywhere_is_not_ok():
    def fun(x):
        return math.log(x[0])

    def grad(x, out):
        out[0] = 12345.0

    check = gd.gradient_check(gd.Problem(fun, grad, dim=1, bounds=(-2, -1)))
    assert not check.ok
    assert not check.wrong.any()
    assert "NOT CHECKED: the function is not finite around any of 32 points" in str(check)
    assert "NOT CHECKED" in repr(check)


@pytest.mark.parametrize(
    ("fun", "unseen"),
    [(lambda x: x[0] + np.sqrt(x[1]), [1]), (lambda x: np.full(x.shape[1:], np.nan), [0, 1])],
)
def test_components_that_no_point_shows_are_named(fun, unseen):
    check = gd.gradient_check(Functions(fun, lambda x: (1.0, 7.0), 2), [[1.0, 0.0]])
    assert not check.ok
    assert np.flatnonzero(np.isnan(check.reference).all(axis=0)).tolist() == unseen
    assert ("in component 1:" in str(check)) == (unseen == [1])


def test_points_without_value_beside_others_do_not_spoil_the_verdict():
    check = gd.gradient_check(Functions(lambda x: np.log(x[0]), lambda x: (1 / x[0],), 1, (-2, 2)))
    assert check.ok
    assert 0 < np.isnan(check.reference).sum() < 32
