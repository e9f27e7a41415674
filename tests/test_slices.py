"""Cuts through landscapes: planes whose values are known, and barriers of known height."""

from __future__ import annotations

import numpy as np
import pytest
from cases import form

import fastgd as gd


def test_a_random_plane_has_the_values_of_its_points_and_filters_of_the_centre():
    problem = gd.problems.rosenbrock(dim=20)
    centre = np.linspace(0.5, 2.0, 20)
    groups = np.repeat([3, 7, 9, 1], 5)
    cut = gd.random_slice(problem, centre, groups=groups, extent=0.5, shape=(7, 9), seed=3)
    assert cut.values.shape == (7, 9)
    for i, j in ((0, 0), (3, 4), (6, 2)):
        point = centre + cut.a[i] * cut.directions[0] + cut.b[j] * cut.directions[1]
        assert cut.values[i, j] == pytest.approx(float(problem.value(point)), rel=1e-12)
    # Li et al.: each filter of a direction has the norm that this filter has in the centre.
    for direction in cut.directions:
        for group in np.unique(groups):
            mine = groups == group
            assert np.linalg.norm(direction[mine]) == pytest.approx(np.linalg.norm(centre[mine]))
    assert not np.allclose(*gd.random_slice(problem, centre, seed=4).directions)


def test_normalized_slices_do_not_change_when_layers_are_scaled_against_each_other():
    """f(u v) with u scaled up and v down is the same function, and by filters the same picture."""
    problem = gd.Problem(lambda x: (x[0] * x[1] - 1) ** 2 + (x[0] * x[2] - 2) ** 2, dim=3, bounds=(-3, 3))
    centre, groups = np.array([1.0, 1.0, 2.0]), [0, 1, 1]
    one = gd.random_slice(problem, centre, groups=groups, shape=(11, 11))
    other = gd.random_slice(problem, centre * [8.0, 0.125, 0.125], groups=groups, shape=(11, 11))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-12, atol=1e-14)
    whole = gd.random_slice(problem, centre * [8.0, 0.125, 0.125], shape=(11, 11))
    assert not np.allclose(one.values, whole.values)


def test_principal_directions_of_a_path():
    problem = form(*range(1, 11))
    generator = np.random.default_rng(0)
    frame = np.linalg.qr(generator.standard_normal((10, 2)))[0].T
    along = np.stack([np.linspace(5, 0, 40), np.sin(np.linspace(0, 6, 40)) * np.linspace(1, 0, 40)], axis=1)
    path = along @ frame + 1.0
    cut = gd.path_slice(problem, path, shape=(15, 15))
    assert cut.explained.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(cut.path @ cut.directions + cut.centre, path, atol=1e-12)
    # scikit-learn's PCA is the same decomposition; here NumPy's covariance, about the end as in the paper
    values, vectors = np.linalg.eigh((path - path[-1]).T @ (path - path[-1]))
    np.testing.assert_allclose(np.abs(vectors[:, ::-1][:, :2].T @ cut.directions.T), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(cut.explained, values[::-1][:2] / values.sum(), rtol=1e-9)
    assert (cut.path.min(axis=0) >= [cut.a[0], cut.b[0]]).all()
    run = gd.minimize(problem, np.ones(10), gd.GradientDescent(lr=0.01), record=1)
    assert gd.path_slice(problem, run, shape=(5, 5)).path.shape[1] == 2


def test_the_line_between_two_minima():
    problem = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + 0.5 * x[0] + x[1] ** 2, dim=2)
    cut = gd.line_slice(problem, [-1.0, 0.0], [1.0, 0.0], 401)
    assert cut.barrier == pytest.approx(1.0, abs=1e-4)  # the tilt is the straight line itself
    np.testing.assert_allclose(cut.values, problem.value(np.stack([2 * cut.t - 1, 0 * cut.t], axis=1)), atol=1e-12)
    assert {0.0, 1.0} <= set(cut.t)
    assert (cut.t[0], cut.t[-1]) == pytest.approx((-0.25, 1.25))
    assert gd.line_slice(form(1.0, 1.0), [-1.0, 0.0], [1.0, 1.0]).barrier == 0


@pytest.mark.parametrize(("call", "match"), [
    (lambda p: gd.random_slice(p, [1.0]), "centre must be one finite point"),
    (lambda p: gd.random_slice(p, [1.0, 2.0], groups=[0]), "groups must be integers"),
    (lambda p: gd.random_slice(p, [1.0, 2.0], extent=0), "extent must be a positive number"),
    (lambda p: gd.path_slice(p, [[1.0, 2.0]]), "at least three finite points"),
    (lambda p: gd.path_slice(p, np.ones((5, 2))), "path must move"),
    (lambda p: gd.path_slice(p, np.ones((5, 3))), "path must have shape"),
    (lambda p: gd.path_slice(p, gd.minimize(p, [0.0, 0.0], gd.Adam(lr=0.05))), "without a trace"),
    (lambda p: gd.line_slice(p, [0.0, np.nan], [1.0, 1.0]), "start must be one finite point"),
    (lambda p: gd.line_slice(p, [0.0, 0.0], [1.0, 1.0], 2), "n_points must be at least 3"),
    (lambda p: gd.line_slice(p, [0.0, 0.0], [1.0, 1.0], beyond=-1), "beyond must be a number >= 0"),
])  # fmt: skip
def test_slices_refuse(call, match):
    with pytest.raises(ValueError, match=match):
        call(gd.problems.himmelblau())


def test_one_int_is_the_shape_of_both_sides_as_in_a_grid():
    problem = gd.problems.himmelblau()
    path = [[0.0, 0.0], [1.0, 2.0], [3.0, 2.0]]
    calls = [lambda n: gd.random_slice(problem, [3.0, 2.0], shape=n), lambda n: gd.path_slice(problem, path, shape=n)]
    for call in calls:
        np.testing.assert_array_equal(call(5).values, call((5, 5)).values)
        for shape in ((5,), (5, 5, 5), "5", 5.0):
            with pytest.raises(TypeError, match=r"shape must be one int or two, \(m, k\), the points along each axis"):
                call(shape)
        with pytest.raises(ValueError, match=r"shape\[1\] must be at least 1"):
            call((5, 0))
