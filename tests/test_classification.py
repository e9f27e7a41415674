"""Kinds of points and largest rates by the eigenvalues of the Hessian, against closed forms and NumPy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from cases import form

import fastgd as gd


def test_rosenbrocks_minimum():
    for method in ("derived", "differences"):
        found = gd.classify(gd.problems.rosenbrock(dim=2), [1.0, 1.0], method=method)
        np.testing.assert_allclose(found.eigenvalues, [0.39936, 1001.6006], rtol=1e-5)
        assert found.kind == "minimum"
        assert found.condition == pytest.approx(1001.6006 / 0.39936, rel=1e-5)
        assert found.trace == pytest.approx(1002, rel=1e-8)  # 800 + 2 + 200, by hand
        assert found.log_det == pytest.approx(np.log(400), rel=1e-7)  # 802 * 200 - 400**2


@pytest.mark.parametrize("method", ["derived", "differences"])
def test_ten_thousand_points_at_once(method):
    problem = gd.problems.himmelblau()
    points = problem.sample(10_000, seed=0).reshape(100, 100, 2)
    found = gd.classify(problem, points, method=method)
    exact = np.linalg.eigvalsh(problem.hessian(points))
    np.testing.assert_allclose(found.eigenvalues, exact, rtol=1e-7, atol=1e-6)
    assert found.kind.shape == (100, 100)
    # Away from critical points an eigenvalue near zero may count as zero.
    clear = found.nullity == 0
    assert clear.mean() > 0.99
    assert np.array_equal(found.index[clear], np.count_nonzero(exact < 0, axis=-1)[clear])


def test_kinds_of_forms():
    kinds = {(1.0, 2.0): "minimum", (1.0, -2.0): "saddle", (-1.0, -2.0): "maximum", (1.0, 0.0): "degenerate",
             (-1.0, 0.0): "degenerate", (0.0, 0.0): "flat"}  # fmt: skip
    for curvature, kind in kinds.items():
        found = gd.classify(form(*curvature), [0.0, 0.0], method="differences")
        assert found.kind == kind, curvature
        assert found.index == sum(c < 0 for c in curvature)
        assert found.nullity == sum(c == 0 for c in curvature)
    mixed = gd.classify(form(1.0, 0.0, -1.0), [0.0, 0.0, 0.0], method="differences")
    assert (str(mixed.kind), int(mixed.index), int(mixed.nullity)) == ("saddle", 1, 1)


def test_the_ends_of_a_large_spectrum_by_lanczos():
    curvature = np.linspace(-3, 50, 1000)
    found = gd.classify(form(*curvature), np.zeros((2, 1000)))
    assert found.index.tolist() == [np.count_nonzero(curvature < 0)] * 2
    assert not found.complete
    np.testing.assert_allclose(found.eigenvalues[0], curvature[[0, 1, 2, 3, -4, -3, -2, -1]], rtol=1e-6)
    assert found.kind.tolist() == ["saddle", "saddle"]
    assert str(gd.classify(form(*curvature), np.full(1000, 0.1)).kind) == "not critical"
    assert np.isnan(found.trace).all()
    rosenbrock = gd.problems.rosenbrock(dim=300)
    ends, dense = (gd.classify(rosenbrock, np.ones(300), ends=k) for k in (2, None))
    np.testing.assert_allclose(ends.eigenvalues, dense.eigenvalues[[0, 1, -2, -1]], rtol=1e-6)
    assert str(ends.kind) == "minimum"


def test_symmetries_are_left_out():
    ring = gd.problems.phase_oscillators(n=8)
    assert set(gd.classify(ring, ring.minima).kind) == {"degenerate"}
    found = gd.classify(ring, ring.minima, zero_modes=1)
    assert set(found.kind) == {"minimum"}
    # The Hessian at the state of winding q is circulant: cos(2 pi q / n) (2 - 2 cos(2 pi k / n))
    exact = np.sort(2 - 2 * np.cos(2 * np.pi * np.arange(1, 8) / 8))
    np.testing.assert_allclose(found.eigenvalues[0], exact, rtol=1e-12)
    cluster = gd.problems.lennard_jones(atoms=13)
    for ends in (None, 2):
        assert gd.classify(cluster, cluster.minima, zero_modes=6, ends=ends).kind.tolist() == ["minimum"]


def double_well(x):
    return (x[0] ** 2 - 1) ** 2 + x[1] ** 2


def test_a_converged_saddle_is_not_sold_as_a_minimum():
    problem = gd.Problem(double_well, dim=2, bounds=(-2, 2))
    runs = gd.minimize(problem, [[0.0, 1.5], [0.5, 1.5], [-0.5, 1.0]], gd.GradientDescent(lr=0.05))
    assert runs.success.all()
    basins = gd.find_basins(runs)
    assert basins.kind.tolist() == ["minimum", "minimum", "saddle"]
    assert "saddle 1" in basins.summary()
    assert basins.curvature.max_lr.tolist() == pytest.approx([0.25, 0.25, 0.0])
    assert json.loads(json.dumps(basins.to_dict()))["kind"][2] == "saddle"


def ring(x):
    return (x[0] ** 2 + x[1] ** 2 - 1) ** 2


@pytest.mark.parametrize("gtol", [1e-4, 1e-6, 1e-9])
def test_a_curve_of_minima_is_degenerate_from_inside_as_from_outside(gtol):
    """Just inside the circle the second derivative along it is negative: a descent that stops there is at no saddle."""
    problem = gd.Problem(ring, dim=2, bounds=(-2, 2))
    angle = np.linspace(0.1, 6.0, 7)
    starts = np.concatenate([r * np.stack([np.cos(angle), np.sin(angle)], axis=1) for r in (0.6, 1.4)])
    runs = gd.minimize(problem, starts, gd.GradientDescent(lr=0.02), gtol=gtol)
    assert runs.success.all()
    assert np.hypot(*runs.x[:7].T).max() < 1 < np.hypot(*runs.x[7:].T).min()
    assert set(gd.classify(problem, runs.x, method="differences").kind) == {"degenerate"}
    assert set(gd.classify(problem, runs.x).kind) == {"degenerate"}


def test_ends_on_a_slope_are_not_critical_whatever_the_eigenvalues():
    problem = gd.problems.himmelblau()
    runs = gd.minimize(problem, problem.sample(2000, seed=0), gd.GradientDescent(lr=0.01), ftol=1e-3)
    basins = gd.find_basins(runs)
    steep = basins.curvature.grad_norm > 1
    assert steep.any()
    assert set(basins.kind[steep]) == {"not critical"}
    assert basins.kind[basins.known >= 0].tolist() == ["minimum"] * 4
    count = np.count_nonzero(basins.kind == "not critical")
    assert f"{count} of these are not critical: their runs were stopped on a slope; lower ftol and gtol" in str(basins)
    assert "; gradients up to 3." in repr(basins.curvature)
    tilted = gd.Problem(lambda x: x[0] + x[1] ** 2, dim=2, bounds=(-1, 1))
    assert gd.classify(tilted, [[0.0, 0.0], [0.5, 0.3]]).kind.tolist() == ["not critical"] * 2


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_what_is_critical_does_not_depend_on_units(unit):
    """A minimum at 1 of a box of side 4: points 0.002 and 0.02 beside it, values and lengths in other units."""
    by_value = gd.Problem(lambda x, s: s * ((x[0] - 1) ** 2 + x[1] ** 2), dim=2, bounds=(-2, 2), data=(unit,))
    assert gd.classify(by_value, [[1.002, 0.0], [1.02, 0.0]]).kind.tolist() == ["minimum", "not critical"]
    box = (-2 * unit, 2 * unit)
    by_length = gd.Problem(lambda x, s: (x[0] / s - 1) ** 2 + (x[1] / s) ** 2, dim=2, bounds=box, data=(unit,))
    beside = unit * np.array([[1.002, 0.0], [1.02, 0.0]])
    assert gd.classify(by_length, beside).kind.tolist() == ["minimum", "not critical"]


@pytest.mark.parametrize("method", ["auto", "differences"])
def test_known_minima_are_critical(method):
    for name in ("beale", "brown_badly_scaled", "goldstein_price", "powell_singular", "wood", "rastrigin"):
        problem = gd.problems.make(name)
        assert "not critical" not in gd.classify(problem, problem.minima, method=method).kind, name


def test_pieces_of_a_curve_of_minima_are_said_to_be_that():
    problem = gd.Problem(ring, dim=2, bounds=(-2, 2))
    runs = gd.minimize(problem, problem.sample(100, seed=0), gd.GradientDescent(lr=0.02))
    basins = gd.find_basins(runs)
    assert len(basins) > 20
    said = " of these are degenerate and may be pieces of one curve or surface of minima: see coordinates= of find_"
    assert f"\n{len(basins)}{said}basins" in str(basins)  # all of them, though the table shows twenty
    joined = gd.find_basins(runs, coordinates=lambda x: problem.value(x)[:, None])
    assert len(joined) == 1
    assert "pieces" not in str(joined)
    points = gd.find_critical_points(problem, 100)
    assert f"\n{np.count_nonzero(points.kind == 'degenerate')}{said}critical_points" in points.summary(limit=20)


def well(x, depth):
    return -depth * np.exp(-(x[0] ** 2) - x[1] ** 2)


@pytest.mark.parametrize("depth", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("method", ["derived", "differences"])
def test_ends_on_a_plateau_are_flat(depth, method):
    """Beyond a distance of 9 the well's slope is below 1e-33 of its depth."""
    problem = gd.Problem(well, dim=2, bounds=(-20, 20), data=(depth,))
    angle = np.linspace(0.0, 6.0, 50)
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    far = np.concatenate([r * directions for r in (9.0, 12.0, 19.0, 26.0)])
    found = gd.classify(problem, np.concatenate([[[0.0, 0.0]], far, directions]), method=method)
    assert found.kind[0] == "minimum"
    assert set(found.kind[1:201]) == {"flat"}
    assert set(found.kind[201:]) == {"not critical"}


def test_what_is_told_of_a_plateau_counts_all_attractors(recwarn):
    problem = gd.Problem(well, dim=2, bounds=(-20, 20), data=(1.0,))
    for rule in (gd.Adam(lr=0.05), gd.GradientDescent(lr=0.1)):
        basins = gd.find_basins(gd.minimize(problem, problem.sample(300, seed=0), rule))
        assert len(basins) > 200
        count = {kind: np.count_nonzero(basins.kind == kind) for kind in ("minimum", "flat", "not critical")}
        assert count["minimum"] == 1
        assert sum(count.values()) == len(basins)
        text = str(basins)
        assert f"\n{count['flat']} of these are flat: no slope beyond rounding, so runs stay where they start" in text
        assert f"\n{count['not critical']} of these are not critical: their runs were stopped on a slope" in text
        assert basins.notes()[1].startswith(f"flat: {count['flat']} attractors, ")
        assert np.isinf(basins.curvature.max_lr).any()
        assert np.nanmax(basins.curvature.condition) > 1.0
        str(basins.curvature)
    assert not recwarn.list


def test_fourth_powers_are_not_flat_and_poles_make_nothing_so():
    quartic = gd.Problem(lambda x: x[0] ** 4 + x[1] ** 4, dim=2, bounds=(-1e3, 1e3))
    assert gd.classify(quartic, [0.0, 0.0]).kind == "degenerate"
    poles = gd.Problem(lambda x: 1 / (x[0] ** 2) ** 6 - 1 / (x[0] ** 2) ** 3 + x[1] ** 2, dim=2, bounds=(-2, 2))
    found = gd.classify(poles, [[2 ** (1 / 6), 0.0], [0.01, 0.0]])
    assert found.kind[0] == "minimum"
    assert found.grad_norm[1] > 1e20


def test_find_basins_does_not_pay_for_the_kinds(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("classified without being asked")

    monkeypatch.setattr("fastgd.landscape.classification.classify_ends", refuse)
    problem = gd.problems.himmelblau()
    basins = gd.find_basins(gd.minimize(problem, problem.sample(100), gd.Adam(lr=0.05)))
    with pytest.raises(AssertionError):
        _ = basins.kind


@pytest.mark.parametrize(("options", "error", "match"), [
    ({"zero_modes": 2}, ValueError, "zero_modes must be at least 0 and below"),
    ({"zero_modes": 0.5}, TypeError, "zero_modes must be an integer"),
    ({"method": "exact"}, ValueError, "method must be one of"),
    ({"rtol": 2.0}, ValueError, "rtol must be a number in"),
    ({"ends": 0}, ValueError, "ends must be at least 1"),
])  # fmt: skip
def test_classify_refuses(options, error, match):
    with pytest.raises(error, match=match):
        gd.classify(gd.problems.himmelblau(), [3.0, 2.0], **options)


def test_classify_of_what_functions_return_says_where_the_points_are():
    problem, descent = gd.problems.himmelblau(), gd.GradientDescent(lr=0.01)
    basin_map = gd.map_basins(problem, descent, (3, 3))
    for given, place in (
        (basin_map, r"not BasinMap: give its points, \.basins\.x"),
        (basin_map.basins, r"not Basins: give its points, \.x"),
        (gd.find_critical_points(problem, 20), r"not CriticalPoints: give its points, \.x"),
        (gd.minimize(problem, [1.0, 1.0], descent), r"not Result: give its points, \.x"),
    ):
        with pytest.raises(TypeError, match=r"points must be an array of shape \(\*batch, n\), " + place):
            gd.classify(problem, given)


def test_outside_the_domain_of_the_function_no_point_has_a_kind():
    """The gradient of a logarithm goes on where its value ends: x1 - 1 / (x1 + 2) is zero at -1 - sqrt(2) too."""
    problem = gd.Problem(lambda x: x[0] ** 2 + x[1] ** 2 / 2 - math.log(x[1] + 2), dim=2, bounds=(-3, 3))
    points = [[0.0, -1 - math.sqrt(2)], [0.0, -1 + math.sqrt(2)]]
    assert np.abs(problem.gradient(points)).max() < 1e-14
    assert gd.classify(problem, points).kind.tolist() == ["undefined", "minimum"]
    many = gd.classify(problem, np.repeat(points, 3000, axis=0))  # which is compiled
    assert many.kind.tolist() == ["undefined"] * 3000 + ["minimum"] * 3000


def test_beside_an_infinite_slope_there_is_no_critical_point():
    line = gd.Problem(lambda x: math.sqrt(x[0] + 1) + x[0] ** 2, dim=1, bounds=(-3, 3))
    plane = gd.Problem(lambda x: math.sqrt(x[0] + 1) + x[0] ** 2 + x[1] ** 2, dim=2, bounds=(-3, 3))
    for problem in (line, plane):
        rest = [0.0] * (problem.dim - 1)
        for distance in (1e-14, 1e-12, 1e-9, 1e-6, 1e-4):
            assert str(gd.classify(problem, [distance - 1, *rest]).kind) == "not critical", distance
        assert str(gd.classify(problem, [-1.0, *rest]).kind) == "undefined"


@pytest.mark.parametrize("power", [3, 4, 6])
def test_a_zero_of_a_high_power_is_no_pole(power):
    """A little off its zero, where slope and curvature are not symmetric."""
    problem = gd.Problem(lambda x: x[0] ** power + x[1] ** 2, dim=2, bounds=(-2, 2))
    for off in (0.0, 1e-9, -1e-6, 1e-5):
        assert str(gd.classify(problem, [off, 0.0]).kind) != "undefined"
    assert str(gd.classify(problem, [0.0, 0.0]).kind) == "degenerate"


def test_a_root_of_a_negative_number_is_no_number():
    problem = gd.Problem(lambda x: (x[0] + 1) ** 0.5 + x[0] ** 2, dim=1, bounds=(-3, 3))
    assert gd.classify(problem, [[-2.0], [-1.5]]).kind.tolist() == ["undefined"] * 2


def test_where_nothing_curves_no_rate_is_named():
    monkey = gd.Problem(lambda x: x[0] ** 3 - 3 * x[0] * x[1] ** 2, dim=2, bounds=(-3, 3))
    row = str(gd.classify(monkey, [[0.0, 0.0]])).splitlines()[-1]
    assert row.split()[-4:] == ["0", "0", "0", "-"]
