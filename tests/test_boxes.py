"""Boxes, samples and grids: the points where descents begin."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from fastgd import Problem


def norm(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def line(x):
    return x[0]


def boxed(dim=2, **options):
    return Problem(norm, dim=dim, bounds=(-1, 3), **options)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((-6, 6), [[-6, 6]] * 3),
        (np.array([-6.0, 6.0]), [[-6, 6]] * 3),
        ([(-1, 1), (-2, 2), (-3, 3)], [[-1, 1], [-2, 2], [-3, 3]]),
        (np.array([(-1, 1), (-2, 2), (-3, 3)]), [[-1, 1], [-2, 2], [-3, 3]]),
        (optimize.Bounds([-1, -2, -3], [1, 2, 3]), [[-1, 1], [-2, 2], [-3, 3]]),
        (optimize.Bounds(-1, [1, 2, 3]), [[-1, 1], [-1, 2], [-1, 3]]),
    ],
)
def test_forms_of_bounds(bounds, expected):
    assert Problem(norm, dim=3, bounds=bounds).bounds.tolist() == expected


def test_bounds_of_two_parameters():
    rows = [[-1, 2], [-3, 4]]
    for bounds in (rows, [tuple(row) for row in rows], np.array(rows), optimize.Bounds([-1, -3], [2, 4])):
        assert Problem(norm, dim=2, bounds=bounds).bounds.tolist() == rows
    again = Problem(norm, dim=2, bounds=Problem(norm, dim=2, bounds=rows).bounds)
    assert again.bounds.tolist() == rows
    with pytest.raises(ValueError, match=r"parameter 0 has \(-6, -6\)\. Rows are \(low, high\)"):
        Problem(norm, dim=2, bounds=[(-6, -6), (6, 6)])


@pytest.mark.parametrize(
    ("bounds", "error", "message"),
    [
        ((1, 1), ValueError, r"low < high; parameter 0 has \(1, 1\)"),
        ((2, 1), ValueError, r"low < high"),
        ([(0, 1), (0, 1), (5, 4)], ValueError, r"parameter 2 has \(5, 4\)"),
        ((0, math.inf), ValueError, "finite; parameter 0"),
        ((math.nan, 1), ValueError, "finite"),
        ((-1e308, 1e308), ValueError, "too far apart"),
        ((0, 1, 2), ValueError, r"shape \(3,\)"),
        ([(0, 1)], ValueError, r"shape \(1, 2\)"),
        ((np.zeros(2), np.ones(2)), ValueError, r"3 rows \(low, high\), one for each parameter; it has shape \(2, 2\)"),
        ("01", TypeError, "bounds must be a pair"),
        (5, TypeError, "bounds must be a pair"),
        (("a", "b"), TypeError, "real numbers"),
    ],
)
def test_bad_bounds(bounds, error, message):
    with pytest.raises(error, match=message):
        Problem(norm, dim=3, bounds=bounds)


@pytest.mark.parametrize(
    ("minima", "message"),
    [
        ([1, 2, 3], r"shape \(3,\)"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
        ([[1, math.nan]], "row 0"),
        ([[[1, 2]]], "shape"),
        ([], "shape"),
    ],
)
def test_bad_minima(minima, message):
    with pytest.raises(ValueError, match=message):
        Problem(norm, dim=2, minima=minima)


def test_minima_of_one_parameter():
    assert Problem(line, dim=1, minima=[1, 2]).minima.tolist() == [[1], [2]]
    assert Problem(line, dim=1, minima=np.ones((3, 1))).minima.shape == (3, 1)


@pytest.mark.parametrize("method", ["uniform", "sobol", "latin"])
def test_samples_are_uniform_in_the_box(method):
    points = boxed(3).sample(1000, seed=4, method=method)
    assert points.shape == (1000, 3)
    assert points.dtype == np.float64
    assert points.flags.c_contiguous
    for column in points.T:
        assert stats.kstest(column, stats.uniform(-1, 4).cdf).pvalue > 1e-3
    assert not np.allclose(points[:, 0], points[:, 1])
    np.testing.assert_array_equal(points, boxed(3).sample(1000, seed=4, method=method))
    assert not np.any(points == boxed(3).sample(1000, seed=5, method=method))


def test_the_sequences_are_scipys():
    unit = stats.qmc.Sobol(d=2, scramble=True, rng=np.random.default_rng(7)).random_base2(5)[:20]
    np.testing.assert_array_equal(boxed().sample(20, seed=7, method="sobol"), -1 + 4 * unit)
    unit = stats.qmc.LatinHypercube(d=2, rng=np.random.default_rng(7)).random(20)
    np.testing.assert_array_equal(boxed().sample(20, seed=7, method="latin"), -1 + 4 * unit)
    assert stats.qmc.discrepancy((boxed().sample(256, method="sobol") + 1) / 4) < 1e-4


def test_grid_samples():
    points = Problem(norm, dim=2, bounds=[(0, 2), (0, 20)]).sample(9, method="grid")
    assert points.tolist() == [[a, 10 * b] for a in range(3) for b in range(3)]
    assert boxed(3).sample(1, method="grid").tolist() == [[1.0, 1.0, 1.0]]
    assert boxed(5).sample(3**5, method="grid").shape == (243, 5)
    with pytest.raises(ValueError, match=r"k\*\*2.*it is 1000.*The nearest are 961 and 1024"):
        boxed().sample(1000, method="grid")


def test_normal_samples():
    points = boxed().sample(20_000, seed=3, method="normal")
    for column in points.T:
        assert stats.kstest(column, stats.norm(1, 1).cdf).pvalue > 1e-3
    free = Problem(norm, dim=2).sample(20_000, seed=3, method="normal")
    assert stats.kstest(free[:, 0], stats.norm(0, 1).cdf).pvalue > 1e-3


@pytest.mark.parametrize("method", ["uniform", "sobol", "latin", "grid"])
def test_samples_need_a_box(method):
    with pytest.raises(ValueError, match="norm has none"):
        Problem(norm, dim=2).sample(4, method=method)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"n": 2.5}, TypeError, "n must be a positive integer"),
        ({"n": 3, "seed": -1}, ValueError, "seed must not be negative"),
        ({"n": 3, "seed": 1.0}, TypeError, "seed must be an integer"),
        ({"n": 3, "method": "sobl"}, ValueError, "Did you mean 'sobol'"),
    ],
)
def test_bad_samples(arguments, error, message):
    with pytest.raises(error, match=message):
        boxed().sample(**arguments)


def test_grid_is_indexed_like_meshgrid_ij():
    problem = Problem(norm, dim=4, bounds=[(0, 1), (0, 2), (0, 3), (0, 4)])
    points = problem.grid((3, 5), plane=(2, 0))
    first, second = np.meshgrid(np.linspace(0, 3, 3), np.linspace(0, 1, 5), indexing="ij")
    assert points.shape == (3, 5, 4)
    np.testing.assert_array_equal(points[..., 2], first)
    np.testing.assert_array_equal(points[..., 0], second)
    np.testing.assert_array_equal(points[..., [1, 3]], np.broadcast_to([1.0, 2.0], (3, 5, 2)))


def test_where_a_grid_lies():
    problem = Problem(norm, dim=3, bounds=(-1, 1), minima=[0.5, 0.25, 0.125])
    assert problem.grid((2, 2))[0, 0].tolist() == [-1, -1, 0.125]
    assert problem.grid((2, 2), plane=(1, -1), at=[7, 8, 9])[0, 1].tolist() == [7, -1, 1]
    assert problem.grid((2, 2), bounds=(2, 3))[1, 0].tolist() == [3, 2, 0.125]
    assert problem.grid((2, 2), bounds=[(2, 3), (4, 5)])[0, 1].tolist() == [2, 5, 0.125]
    assert problem.grid((1, 1))[0, 0].tolist() == [0, 0, 0.125]


def test_grid_of_one_parameter():
    problem = Problem(line, dim=1, bounds=(0, 2))
    assert problem.grid(3).tolist() == [[0], [1], [2]]
    assert problem.grid((3,)).shape == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": 3.5}, TypeError, r"shape must be one int or two"),
        ({"shape": (3, 4, 5)}, TypeError, r"shape must be one int or two"),
        ({"shape": (3, 0)}, ValueError, r"shape\[1\] must be at least 1"),
        ({"shape": (3, 4), "plane": (0, 0)}, ValueError, "two different"),
        ({"shape": (3, 4), "plane": (0, 3)}, ValueError, "parameters 0 to 2"),
        ({"shape": (3, 4), "plane": 1}, TypeError, "plane must be a pair"),
        ({"shape": (3, 4), "at": [1, 2]}, ValueError, r"shape \(3,\)"),
        ({"shape": (3, 4), "at": [1, 2, math.nan]}, ValueError, "finite"),
        ({"shape": (3, 4), "bounds": (1, 0)}, ValueError, "low < high"),
    ],
)
def test_bad_grids(arguments, error, message):
    with pytest.raises(error, match=message):
        boxed(3).grid(**arguments)


def test_a_grid_without_a_box():
    free = Problem(norm, dim=3)
    with pytest.raises(ValueError, match="bounds must be given"):
        free.grid((2, 2))
    with pytest.raises(ValueError, match="at must be given"):
        free.grid((2, 2), bounds=(0, 1))
    assert free.grid((2, 2), bounds=(0, 1), at=[0, 0, 5])[0, 0].tolist() == [0, 0, 5]
    assert Problem(norm, dim=2).grid((2, 2), bounds=(0, 1)).shape == (2, 2, 2)
