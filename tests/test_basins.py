"""End points to attractors, against brute force, exact shares and SciPy's intervals."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

import fastgd as gd
from fastgd.basins import Basins, find_basins, map_basins, wilson
from fastgd.basins.clusters import group_points
from fastgd.result import Result


def result(x, fun=None, grad_norm=None, status=0, nit=7, problem=None) -> Result:
    """A result with these end points; whatever is not given is the same for all runs."""
    x = np.asarray(x)
    batch = x.shape[:-1]
    fun = np.zeros(batch, x.dtype) if fun is None else np.asarray(fun)
    norm = np.full(batch, 1e-7, x.dtype) if grad_norm is None else np.asarray(grad_norm)
    status = np.broadcast_to(np.asarray(status, np.int8), batch)
    return Result(x, fun, norm, np.broadcast_to(nit, batch), status, None, problem, None)


def linkage(points, reach):
    """Single linkage at a distance, from the full matrix of largest coordinate differences."""
    return connected_components(cdist(points, points, "chebyshev") <= reach, directed=False)[1]


def is_union_of(coarse, fine) -> bool:
    """Whether every group of `fine` lies inside one group of `coarse`."""
    return len(np.unique(np.stack([coarse, fine]), axis=1).T) == len(np.unique(fine))


@pytest.mark.parametrize("total", [1, 2, 10, 333, 10**6])
def test_wilson_is_that_of_scipy(total):
    counts = np.unique(np.linspace(0, total, 9).astype(int))
    for confidence in (0.5, 0.95, 0.999):
        got = wilson(counts, total, confidence)
        for k, interval in zip(counts, got, strict=True):
            exact = binomtest(int(k), total).proportion_ci(confidence, method="wilson")
            assert interval == pytest.approx((exact.low, exact.high), abs=1e-14, rel=1e-12)


def test_wilson_broadcasts_and_knows_nothing_without_trials():
    assert wilson([[1], [2]], [4, 5, 6]).shape == (2, 3, 2)
    assert wilson(0, 0).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("count", "total", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 1.0), (1, 3, 0.0)]
)
def test_wilson_refuses(count, total, confidence):
    with pytest.raises(ValueError, match="must lie"):
        wilson(count, total, confidence)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 7), st.integers(1, 120), st.integers(0, 2**32), st.sampled_from([0.5, 2.0, 6.0, 30.0]))
def test_groups_lie_between_linkage_at_one_and_two_tolerances(n, m, seed, spread):
    generator = np.random.default_rng(seed)
    centres = generator.uniform(-spread, spread, (6, n))
    blur = generator.choice([1e-6, 0.1, 0.6], size=(m, 1))
    points = centres[generator.integers(6, size=m)] + blur * generator.normal(size=(m, n))
    tol = generator.uniform(0.5, 2.0, n)
    groups, coarsening = group_points(points, tol)
    assert coarsening == 1.0
    assert np.array_equal(np.unique(groups), np.arange(groups.max() + 1))
    assert is_union_of(groups, linkage(points / tol, 1.0))
    assert is_union_of(linkage(points / tol, 2.0), groups)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float64, (40, 3), elements=st.floats(-1e10, 1e10, allow_nan=False)))
def test_groups_of_any_finite_points(points):
    groups, _ = group_points(points, np.full(3, 1e-3))
    assert is_union_of(groups, linkage(points / 1e-3, 1.0))


def test_chain_longer_than_a_thousand_tolerances_is_one_group_and_a_gap_cuts_it():
    line = np.arange(5000) * 0.9
    curve = np.stack([line, 3.0 * np.sin(line / 50)], axis=1)
    assert group_points(curve, np.ones(2))[0].max() == 0
    cut = np.delete(curve, [2000, 2001, 2002], axis=0)
    assert group_points(cut, np.ones(2))[0].max() == 1


def test_run_order_does_not_matter():
    generator = np.random.default_rng(3)
    centres = generator.uniform(-5, 5, (300, 2))
    x = centres[generator.integers(300, size=20_000)] + 1e-4 * generator.normal(size=(20_000, 2))
    runs = result(x, fun=np.round(x[:, 0]), grad_norm=np.round(generator.random(20_000), 1))
    shuffle = generator.permutation(20_000)
    mixed = result(x[shuffle], fun=runs.fun[shuffle], grad_norm=runs.grad_norm[shuffle])
    one, other = find_basins(runs, 0.01), find_basins(mixed, 0.01)
    assert np.array_equal(one.labels[shuffle], other.labels)
    assert np.array_equal(one.x, other.x)
    assert np.array_equal(one.fun, other.fun)


def test_sorted_by_value_then_by_position_whatever_the_rounding():
    # Equal values up to rounding error, and x[0] equal up to the accuracy of end points.
    x = np.array([[1.0 + 1e-9, -1.0], [1.0, 1.0], [-2.0, 3.0], [0.0, 0.0]])
    fun = np.array([3e-16, 1e-16, 2e-16, -1.0])
    basins = find_basins(result(x, fun=fun), 1e-3)
    assert basins.labels.tolist() == [2, 3, 1, 0]
    assert np.array_equal(basins.x, x[[3, 2, 0, 1]])


def test_the_representative_has_the_smallest_gradient_and_the_lower_value_among_equals():
    x = np.array([[0.0], [1e-4], [2e-4], [3e-4]])
    norm = np.array([1.0, 0.1, 0.1, np.nan])
    basins = find_basins(result(x, fun=np.array([4.0, 3.0, 2.0, 1.0]), grad_norm=norm), 1e-2)
    assert basins.x.tolist() == [[2e-4]]
    assert basins.fun.tolist() == [2.0]
    assert basins.counts.tolist() == [4]


def test_statuses_become_labels_and_all_runs_are_the_denominator():
    x = np.array([[1.0], [1.0], [5.0], [np.nan], [1.0], [9.0], [np.inf], [np.nan]])
    status = np.array([0, 1, 2, 3, 4, 3, 0, -1])
    basins = find_basins(result(x, status=status, nit=np.array([10, 20, 99, 99, 99, 99, 99, 0])))
    assert basins.labels.tolist() == [0, 0, -1, -2, -1, -2, -2, -1]
    assert basins.fractions.tolist() == [0.25]
    assert basins.mean_nit.tolist() == [15.0]
    assert (basins.unsettled, basins.diverged) == (0.375, 0.375)
    assert basins.intervals[0] == pytest.approx(wilson(2, 8), abs=0)


@pytest.mark.parametrize("status", [2, 3])
def test_no_settled_run(status):
    basins = find_basins(result(np.full((3, 4, 2), np.nan), status=status))
    assert basins.labels.shape == (3, 4)
    assert len(basins) == 0
    assert basins.x.shape == (0, 2)
    assert basins.intervals.shape == (0, 2)
    assert basins.unsettled + basins.diverged == 1.0
    assert "0 attractors" in str(basins)


def test_one_run_and_no_run():
    one = find_basins(result(np.array([1.0, 2.0])))
    assert one.labels.shape == ()
    assert int(one.labels) == 0
    assert one.fractions.tolist() == [1.0]
    none = find_basins(result(np.empty((0, 2))))
    assert none.labels.shape == (0,)
    assert (none.unsettled, none.diverged) == (0.0, 0.0)


def test_float32_runs_scatter_more_and_still_meet():
    generator = np.random.default_rng(0)
    centre = np.where(generator.random((500, 1)) < 0.5, 100.0, 101.0)
    x = centre * (1 + 1e-6 * generator.normal(size=(500, 2)))
    basins = find_basins(result(x.astype(np.float32)))
    assert len(basins) == 2
    assert basins.x.dtype == np.float64


def test_float32_runs_that_do_not_settle_hear_that_gtol_is_too_small():
    problem = gd.problems.himmelblau()
    runs = gd.minimize(problem, problem.sample(200, seed=0), gd.GradientDescent(lr=0.01), dtype=np.float32)
    basins = find_basins(runs)
    assert basins.unsettled > 0
    assert basins.dtype == "float32"
    assert "that exact: a larger gtol, such as 1e-3, or float64; else more max_steps)" in str(basins)
    coarse = gd.minimize(problem, problem.sample(200, seed=0), gd.GradientDescent(lr=0.01), dtype=np.float32, gtol=1e-3)
    assert find_basins(coarse).unsettled == 0


def circle(x):
    return (x[0] ** 2 + x[1] ** 2 - 1) ** 2


def test_a_curve_of_minima_is_one_attractor_known_where_it_passes_a_known_minimum():
    problem = gd.Problem(circle, dim=2, bounds=(-2, 2), minima=[[0.0, 1.0]])
    runs = gd.minimize(problem, problem.sample(20_000, seed=1), gd.GradientDescent(lr=0.05))
    basins = find_basins(runs)
    assert basins.counts.max() > 0.999 * 20_000
    ring = int(np.argmax(basins.counts))
    assert basins.radius[ring] > 100
    assert basins.known[ring] == 0
    # Compared by the distance to the origin, it is one point.
    by_radius = find_basins(runs, 1e-3, coordinates=lambda x: np.hypot(x[:, 0], x[:, 1])[:, None])
    assert by_radius.radius[np.argmax(by_radius.counts)] < 1.0
    assert by_radius.tol.shape == (1,)


def test_a_blurred_cloud_is_grouped_at_a_wider_tolerance_with_a_warning():
    cloud = np.random.default_rng(0).normal(size=(20_000, 50))
    with pytest.warns(RuntimeWarning, match="too blurred") as caught:
        basins = find_basins(result(cloud), 1.0)
    assert caught[0].filename == __file__
    assert basins.counts[0] > 19_000


def test_a_hundred_thousand_attractors():
    generator = np.random.default_rng(5)
    x = 0.01 * np.stack(np.divmod(np.arange(100_000), 400), axis=1)
    fun = generator.permutation(100_000).astype(float)
    basins = find_basins(result(x, fun=fun), 1e-3)
    assert len(basins) == 100_000
    assert np.array_equal(basins.labels, fun.astype(int))
    assert len(basins.summary().splitlines()) == 23


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(1_000_000, 2), (100_000, 50)])
@pytest.mark.parametrize("kind", ["four", "lattice", "scattered"])
def test_many_end_points(m, n, kind):
    generator = np.random.default_rng(0)
    if kind == "lattice":
        x = np.array([-2.9, 2.7])[generator.integers(2, size=(m, n))]
    else:
        centres = generator.uniform(-5, 5, (4 if kind == "four" else 2000, n))
        x = centres[generator.integers(len(centres), size=m)]
    runs = result(x + 1e-7 * generator.normal(size=x.shape), fun=np.sum(x, axis=1))
    basins = find_basins(runs, 0.01)
    assert basins.counts.sum() == m
    assert np.abs(basins.x[basins.labels] - x).max() < 0.03  # two neighbours of the 2000 may be one attractor
    if n == 50 or kind != "scattered":
        assert len(basins) == len(np.unique(x, axis=0))


def test_memory_is_linear():
    def peak(m: int) -> int:
        x = np.random.default_rng(0).uniform(-5, 5, (m, 2))
        runs = result(x)
        tracemalloc.start()
        find_basins(runs, 0.01)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1000)
    assert peak(400_000) < 2.3 * peak(200_000)


def test_known_minima_are_matched_by_distance_however_tight_tol_is():
    himmelblau = gd.problems.make("himmelblau")
    x = np.concatenate([himmelblau.minima + 1e-6, [[0.0, 0.0]]])
    for tol in (None, 1e-12, 1e-2):
        basins = find_basins(result(x, fun=np.arange(5.0), problem=himmelblau), tol)
        assert basins.known.tolist() == [0, 1, 2, 3, -1]


def test_himmelblau_end_to_end():
    problem = gd.problems.make("himmelblau")
    x0 = problem.sample(4000, seed=0).reshape(40, 100, 2)
    basins = find_basins(gd.minimize(problem, x0, gd.Adam(lr=0.05), gtol=1e-10))
    exact = [
        (-3.77931025337775, -3.28318599128617),
        (-2.80511808695274, 3.13131251825057),
        (3.0, 2.0),
        (3.58442834033049, -1.8481265269644),
    ]
    assert np.allclose(basins.x, exact, rtol=0, atol=1e-10)
    assert sorted(basins.known) == [0, 1, 2, 3]
    assert basins.labels.shape == (40, 100)
    assert basins.radius.max() < 0.1


@pytest.mark.parametrize("dim", [2, 5])
def test_styblinski_tang_shares_are_exact(dim):
    problem = gd.problems.make("styblinski_tang", dim=dim)
    runs = gd.minimize(problem, problem.sample(100_000, seed=0), gd.GradientDescent(lr=0.005))
    basins = find_basins(runs)
    low = np.count_nonzero(basins.x < 0, axis=1)
    exact = 0.515673125678**low * (1 - 0.515673125678) ** (dim - low)
    assert len(basins) == 2**dim
    # 95 % intervals miss in one case of twenty, so all are asked of wider ones.
    wide = wilson(basins.counts, 100_000, 0.9999)
    assert np.all((wide[:, 0] < exact) & (exact < wide[:, 1]))
    assert np.all(np.diff(low) <= 0)


def test_summary_and_dict():
    problem = gd.problems.make("himmelblau")
    basins = find_basins(result(problem.minima[[0, 0, 1]], fun=np.array([0.0, 0.0, 1.5]), problem=problem))
    text = str(basins)
    assert text == basins.summary()
    assert "2 attractors of himmelblau from 3 runs" in text
    assert "(3.0000, 2.0000)" in text
    assert "66.67%" in text
    back = json.loads(json.dumps(basins.to_dict()))
    assert back["counts"] == [2, 1]
    left_out, added = {"problem", "lost"}, {"kind", "unlabelled"}
    assert set(back) == {field.name for field in dataclasses.fields(Basins)} - left_out | added
    assert back["kind"] == ["minimum", "minimum"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        basins.fun = None


@pytest.mark.parametrize("tol", [0.0, -1.0, np.nan, np.inf, [1.0, 2.0, 3.0], [1.0, 0.0]])
def test_bad_tol(tol):
    with pytest.raises(ValueError, match="tol must"):
        find_basins(result(np.zeros((3, 2))), tol)


@pytest.mark.parametrize("tol", ["a", [[1.0], [1.0, 2.0]], 1j])
def test_tol_that_is_no_number(tol):
    with pytest.raises(TypeError, match=r"tol (must hold real numbers|is not a regular array)"):
        find_basins(result(np.zeros((3, 2))), tol)


@pytest.mark.parametrize("coordinates", [lambda x: x[0], lambda x: x * np.nan, lambda x: x[:-1]])
def test_bad_coordinates(coordinates):
    with pytest.raises(ValueError, match="coordinates must map"):
        find_basins(result(np.ones((3, 2))), coordinates=coordinates)


def test_not_a_result():
    with pytest.raises(TypeError, match="what minimize returns"):
        find_basins(np.zeros((3, 2)))


def test_map_has_the_axes_of_the_grid():
    problem = gd.problems.make("styblinski_tang", dim=3)
    rule = gd.GradientDescent(lr=0.005)
    found = map_basins(problem, rule, (9, 6), bounds=[(-4, 4), (-3, 3)], plane=(2, 0), at=[0, 4, 0])
    assert found.shape == found.labels.shape == found.nit.shape == (9, 6)
    assert found.axes[0].tolist() == np.linspace(-4, 4, 9).tolist()
    assert found.axes[1].tolist() == np.linspace(-3, 3, 6).tolist()
    ends = found.basins.x[found.labels]
    # In each coordinate the descent goes left or right of the exact boundary.
    boundary = 0.15673125678034
    assert np.array_equal(ends[..., 2] < 0, np.broadcast_to(found.axes[0][:, None] < boundary, (9, 6)))
    assert np.array_equal(ends[..., 0] < 0, np.broadcast_to(found.axes[1][None, :] < boundary, (9, 6)))
    assert np.all(ends[..., 1] > 0)
    assert found.at[1] == 4.0


def test_map_passes_options_on():
    found = map_basins(gd.problems.make("himmelblau"), gd.Adam(lr=0.05), (4, 4), max_steps=3)
    assert found.basins.unsettled == 1.0
    assert found.nit.max() == 3


def test_map_refuses():
    himmelblau = gd.problems.make("himmelblau")
    with pytest.raises(ValueError, match="at least two parameters"):
        map_basins(gd.problems.make("double_well"), gd.Adam())
    with pytest.raises(ValueError, match="lr must be one number"):
        map_basins(himmelblau, gd.Adam(lr=[0.1, 0.2]), (2, 2))
    with pytest.raises(ValueError, match="seed must be one number"):
        map_basins(himmelblau, gd.Adam(), (2, 2), seed=[0, 1])
    with pytest.raises(TypeError, match="record"):
        map_basins(himmelblau, gd.Adam(), (2, 2), record=1)
    with pytest.raises(TypeError, match="shape"):
        map_basins(himmelblau, gd.Adam(), 7.5)


def test_nothing_warns_on_ordinary_runs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = gd.problems.make("rastrigin", dim=2)
        find_basins(gd.minimize(problem, problem.sample(500, seed=0), gd.Adam(lr=0.05)))
