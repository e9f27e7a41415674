"""Measures of basins, against exact values, brute force and published exponents."""

from __future__ import annotations

import itertools
import math
import re

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.special import entr
from scipy.stats import geom

import fastgd as gd
from fastgd.basins.measures import fractality

m = gd.measures
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=4, max_side=9)
GRIDS = hnp.arrays(np.int64, SHAPES, elements=st.integers(-2, 3))


def newton(n: int) -> np.ndarray:
    """Which root of z³ = 1 Newton's method finds from a grid on [-1, 1]²."""
    axis = np.linspace(-1, 1, n)
    z = axis[:, None] + 1j * axis
    with np.errstate(all="ignore"):
        for _ in range(60):
            z = z - (z**3 - 1) / (3 * z * z)
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    return np.argmin(np.abs(np.nan_to_num(z)[..., None] - roots), axis=-1)


@pytest.fixture(scope="module")
def fractal() -> np.ndarray:
    return newton(300)


def sectors(n: int) -> np.ndarray:
    """Three basins that meet in one point alone."""
    return np.digitize(np.arctan2(*np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]), [-1.0, 1.0])


def cells(points: int, across: int) -> np.ndarray:
    """A lattice of square basins, as of Rastrigin's function."""
    where = np.arange(points) * across // points
    return where[:, None] * across + where


def boxes(grid: np.ndarray, size: int) -> list[np.ndarray]:
    """The boxes of a grid, one after the other."""
    corners = itertools.product(*(range(0, n - size + 1, size) for n in grid.shape))
    return [grid[tuple(slice(c, c + size) for c in corner)] for corner in corners]


def entropy_of(box: np.ndarray) -> float:
    counts = np.unique(box, return_counts=True)[1]
    return float(entr(counts / counts.sum()).sum())


def test_exact_entropies():
    checkerboard = np.indices((40, 40)).sum(axis=0) % 2
    found = m.basin_entropy(checkerboard, 2)
    assert (found.entropy, found.boundary_entropy) == pytest.approx((math.log(2), math.log(2)), rel=1e-14)
    assert not found.fractal
    stripes = m.basin_entropy(np.indices((30, 30)).sum(axis=0) % 3, 3)
    assert (stripes.entropy, stripes.boundary_entropy) == pytest.approx((math.log(3), math.log(3)), rel=1e-14)
    assert stripes.fractal
    split = np.zeros((20, 20), int)
    split[:, 7:] = 1
    found = m.basin_entropy(split, 5)
    assert found.boundary_entropy == pytest.approx(0.67301167, abs=5e-9)
    assert found.entropy == pytest.approx(0.16825292, abs=5e-9)
    assert (found.boxes, found.boundary_boxes) == (16, 4)
    assert math.isnan(m.basin_entropy(np.zeros((10, 10), int)).boundary_entropy)


@pytest.mark.filterwarnings("ignore:.* of the runs settled nowhere")
@given(GRIDS, st.integers(2, 4))
def test_entropy_is_that_of_brute_force(grid, size):
    each = [entropy_of(box) for box in boxes(grid, size)]
    found = m.basin_entropy(grid, size)
    assert found.entropy == pytest.approx(np.mean(each), abs=1e-13)
    assert found.boundary_boxes == np.count_nonzero(each)


@given(GRIDS)
def test_boxes_with_two_labels_are_those_of_scipys_filters(grid):
    from fastgd.basins.measures.labels import coded
    from fastgd.basins.measures.uncertainty import mixed_shares

    sizes = np.arange(2, min(grid.shape) + 1)
    exact = [
        np.mean(minimum_filter(grid, int(size), mode="nearest") != maximum_filter(grid, int(size), mode="nearest"))
        for size in sizes
    ]
    np.testing.assert_allclose(mixed_shares(coded(grid)[0], sizes), exact, rtol=1e-14)


def test_labels_far_apart_and_maps_are_taken():
    wide = np.where(sectors(60) == 1, 10**12, -5)
    near = np.where(sectors(60) == 1, 1, 0)
    assert m.basin_entropy(wide) == m.basin_entropy(near)
    assert m.uncertainty_exponent(wide).exponent == m.uncertainty_exponent(near).exponent
    found = gd.map_basins(gd.problems.himmelblau(), gd.Adam(lr=0.05), (64, 64))
    assert m.basin_entropy(found) == m.basin_entropy(found.basins) == m.basin_entropy(found.labels)


def test_newtons_boundary_has_the_published_exponent(fractal):
    """About 0.61 at this resolution; the Julia set of this map has a dimension near 1.42."""
    for sizes in (None, np.arange(2, 16), [2, 4, 8, 16]):
        found = m.uncertainty_exponent(fractal, sizes)
        assert 0.55 < found.exponent < 0.65
        assert found.dimension == 2 - found.exponent
        assert found.error < 0.03


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.2])
def test_smooth_boundaries_have_exponent_one(angle):
    x, y = np.mgrid[-1:1:700j, -1:1:700j]
    line = (np.cos(angle) * x + np.sin(angle) * y > 0.1).astype(int)
    assert m.uncertainty_exponent(line).exponent == pytest.approx(1, abs=0.002)
    x, y, z = np.mgrid[-1:1:120j, -1:1:120j, -1:1:120j]
    shell = (x**2 + y**2 + z**2 < 0.6).astype(int)
    found = m.uncertainty_exponent(shell, [3, 4, 6, 8])
    assert found.dimension == pytest.approx(2, abs=0.002)


def test_where_a_straight_boundary_lies_does_not_matter():
    """In n points, s - 1 boxes of s have it inside: a share in proportion to s - 1, wherever it is."""
    for at in range(20, 237):
        found = m.uncertainty_exponent(np.broadcast_to(np.arange(256) < at, (256, 256)).astype(int))
        np.testing.assert_allclose(found.shares, found.scales / 256, rtol=1e-13)
        assert found.exponent == pytest.approx(1, abs=1e-9)


def test_straight_boundaries_of_a_real_map_have_exponent_one():
    for points in (128, 256, 300):
        grid = gd.map_basins(gd.problems.styblinski_tang(), gd.GradientDescent(lr=0.005), shape=points)
        found = m.uncertainty_exponent(grid)
        assert found.exponent == pytest.approx(1, abs=0.002)
        assert abs(found.exponent - 1) < found.error < 0.03


def test_how_labels_lie_in_memory_does_not_matter():
    labels = np.random.default_rng(0).integers(0, 2, (3, 4, 5)).repeat(12, 0).repeat(13, 1).repeat(14, 2)
    expected = m.uncertainty_exponent(labels).shares
    for other in (np.asfortranarray(labels), labels[:, ::-1][:, ::-1], labels.transpose(2, 0, 1)):
        np.testing.assert_array_equal(m.uncertainty_exponent(other).shares, expected)


@pytest.mark.parametrize(("points", "across"), [(100, 3), (256, 4), (256, 11), (256, 20), (512, 11), (1024, 31)])
def test_the_error_tells_of_boxes_that_are_not_small_against_the_basins(points, across):
    """On a lattice of squares the share is 2u - u², u in proportion to the side: less steep the larger the boxes."""
    found = m.uncertainty_exponent(cells(points, across))
    x, y = np.log(found.scales), np.log(found.shares)
    kept = found.shares <= 0.75
    straight = np.polyfit(x[kept], y[kept], 1)[0]
    assert straight < 0.98
    assert abs(straight - 1) < 1.5 * found.error  # the naive slope lies within the error of the better one
    assert abs(found.exponent - 1) < min(found.error, 0.05)


def test_disks_and_stripes_have_exponent_one_within_the_error():
    where = np.arange(256) / 256
    disks = [(where * k % 1 - 0.5)[:, None] ** 2 + (where * k % 1 - 0.5) ** 2 < 0.09 for k in (1, 4, 7)]
    slopes = [(k * np.cos(a), k * np.sin(a)) for k in (5, 11, 20) for a in (0.4, 1.0)]
    stripes = [np.floor(down * where[:, None] + across * where) % 2 for down, across in slopes]
    for labels in (*disks, *stripes):
        found = m.uncertainty_exponent(labels.astype(int))
        assert abs(found.exponent - 1) < 2 * found.error < 0.1


def cantor(level: int) -> np.ndarray:
    """A label that changes at both ends of every gap of the Cantor set, whose dimension is ln 2 / ln 3."""
    digits = (np.arange(3**level)[:, None] // 3 ** np.arange(level)) % 3
    return np.where((digits == 1).any(axis=1), 1, 0)


def test_cantor_boundaries_have_their_dimension_within_the_error():
    exact = math.log(2) / math.log(3)
    for level in (7, 8, 9):
        found = m.uncertainty_exponent(cantor(level))
        assert found.dimension == pytest.approx(exact, abs=0.02)
        assert abs(found.dimension - exact) < found.error < 0.05
    found = m.uncertainty_exponent(cantor(9), [27, 81, 243, 729, 2187])
    assert found.dimension == pytest.approx(exact, abs=0.02)
    stripes = m.uncertainty_exponent(np.broadcast_to(cantor(6)[:, None], (3**6, 3**6)))
    assert abs(stripes.dimension - (1 + exact)) < stripes.error < 0.05


def test_where_most_boxes_hold_two_labels_the_exponent_is_unknown():
    noise = np.random.default_rng(0).integers(0, 2, (300, 300))
    for labels, kept in ((noise, 0), (cells(64, 11), 2)):
        found = m.uncertainty_exponent(labels)
        assert math.isnan(found.exponent)
        assert math.isnan(found.error)
        assert f"most boxes hold two labels at all but {kept} of " in repr(found)


def test_smooth_reference_is_the_published_one():
    assert m.smooth_boundary_entropy(2) == pytest.approx(0.4395093, abs=6e-7)  # Puy et al.
    assert m.smooth_boundary_entropy(1) == pytest.approx(0.5, abs=1e-12)  # the integral of H over [0, 1]
    # By drawing: points in a ball, cut at a random distance
    generator = np.random.default_rng(0)
    points = generator.uniform(-1, 1, (400_000, 3))
    height = np.sort(points[np.sum(points**2, axis=1) < 1, 0])
    share = np.searchsorted(height, np.linspace(-1, 1, 4001)) / height.size
    assert m.smooth_boundary_entropy(3) == pytest.approx(np.mean(entr(share) + entr(1 - share)), abs=2e-3)


def test_reference_on_the_grid_tends_to_that_of_the_ball():
    for dim, half, tol in ((1, 500, 2e-3), (2, 100, 1e-3), (3, 16, 6e-3)):
        cut, spread = fractality.cut_ball_entropy(fractality.ball(half, dim))
        assert spread < 0.05
        assert cut == pytest.approx(m.smooth_boundary_entropy(dim), abs=tol)


@pytest.mark.parametrize("points", [100, 200, 500])
def test_smooth_boundaries_are_not_fractal_on_coarse_maps_either(points):
    """A thousand balls on a short boundary overlap, and are no thousand witnesses."""
    himmelblau = gd.problems.himmelblau()
    for optimizer in (gd.Adam(lr=0.05), gd.GradientDescent(lr=0.005)):
        found = m.fractality_test(gd.map_basins(himmelblau, optimizer, shape=points))
        assert found.balls == 1000
        assert abs(found.z) < 2
        assert not found.fractal


def test_labels_of_starts_in_no_grid_are_refused_where_neighbours_count():
    himmelblau = gd.problems.himmelblau()
    loose = gd.find_basins(gd.minimize(himmelblau, himmelblau.sample(200), gd.Adam(lr=0.05)))
    for measure in (m.basin_entropy, m.uncertainty_exponent, m.fractality_test, m.wada_test):
        with pytest.raises(ValueError, match=r"must be those of a grid of starts.*map_basins.*uncertainty_by_pairs"):
            measure(loose)
    grid = gd.find_basins(gd.minimize(himmelblau, himmelblau.grid(40), gd.Adam(lr=0.05)))
    assert m.basin_entropy(grid) == m.basin_entropy(grid.labels)
    double = gd.problems.double_well()
    line = gd.find_basins(gd.minimize(double, double.grid(64), gd.Adam(lr=0.05)))
    assert m.basin_entropy(line) == m.basin_entropy(line.labels)  # a row is a grid in one dimension


def test_fractality(fractal):
    found = m.fractality_test(fractal, 11)
    assert found.fractal
    assert found.balls == 1000
    # With two basins the log 2 test must fail, and this one need not.
    merged = np.where(fractal == 0, 0, 1)
    assert not m.basin_entropy(merged).fractal
    assert m.fractality_test(merged, 11).fractal
    for seed in range(5):
        assert not m.fractality_test(sectors(400), 11, seed=seed).fractal
    x, y, z = np.mgrid[-1:1:80j, -1:1:80j, -1:1:80j]
    assert not m.fractality_test((x + 0.3 * y + 0.2 * z > 0.1).astype(int), 9).fractal
    empty = m.fractality_test(np.zeros((40, 40), int), 11, 10)
    assert empty.balls == 0
    assert not empty.fractal
    assert not empty.resolved


def test_the_tests_say_their_verdict_in_words(fractal):
    said = {
        "fractal boundary: yes (entropy 0.": m.fractality_test(fractal, 11),
        "fractal boundary: no (entropy 0.": m.fractality_test(sectors(400), 11),
        "it takes 3 and 7.4%)": m.fractality_test(sectors(400), 11),
        "fractal boundary: undecided (no ball holds a boundary)": m.fractality_test(np.zeros((40, 40), int), 11, 10),
        "fractal boundary: undecided (too few to tell: 1 ball)": m.fractality_test(sectors(100), 11, 1),
        "Wada: yes (all of the boundary is within": m.wada_test(fractal),
        "% of the boundary is within 8 points of all 3 basins)": m.wada_test(sectors(300)),
        "Wada: no (2 basins, and it takes at least three)": m.wada_test(np.where(fractal == 0, 0, 1)),
    }
    for words, found in said.items():
        assert words in repr(found)
        assert str(found) == repr(found)


def test_the_smooth_reference_is_met_on_straight_boundaries():
    """Averaged over many angles, the entropy is the reference within its error: the test is not biased."""
    x, y = np.mgrid[-1:1:500j, -1:1:500j]
    z = [
        m.fractality_test((np.cos(a) * x + np.sin(a) * y > 0).astype(int), 15, seed=k).z
        for k, a in enumerate(np.linspace(0.05, 3.0, 40))
    ]
    assert abs(np.mean(z)) < 4 / math.sqrt(40)


def test_wada(fractal):
    found = m.wada_test(fractal)
    assert found.wada
    assert found.radius <= 4
    assert found.shares[-1] == 1.0
    apart = m.wada_test(sectors(300))
    assert not apart.wada
    assert apart.radius is None
    assert apart.shares[-1] < 0.1
    two = m.wada_test(np.where(fractal == 0, 0, 1))
    assert two.radius == 0
    assert not two.wada


@given(hnp.arrays(np.int64, (7, 8), elements=st.integers(0, 2)))
@settings(max_examples=30)
def test_wada_is_the_distance_of_merged_boundaries(grid):
    """Each boundary point's Chebyshev distance to the boundary of every basin, by brute force."""
    def neighbours(i, j):
        return grid[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]

    cells = list(np.ndindex(grid.shape))
    edges = {
        label: [c for c in cells if label in neighbours(*c) and (neighbours(*c) != label).any()]
        for label in np.unique(grid)
    }
    every = {c for edge in edges.values() for c in edge}
    found = m.wada_test(grid, 10)
    if not every:
        assert found.shares.size == 0
        return
    farthest = [
        max(min(max(abs(a[0] - b[0]), abs(a[1] - b[1])) for b in edge) for edge in edges.values()) for a in every
    ]
    shares = [np.mean([f <= r for f in farthest]) for r in range(max(farthest) + 1)]
    np.testing.assert_allclose(found.shares, shares)


def test_wada_leaves_out_what_is_no_basin():
    grid = sectors(100)
    grid[:10] = -1
    assert m.wada_test(grid).labels.tolist() == [0, 1, 2]
    assert m.wada_test(grid, ignore=()).labels.tolist() == [-1, 0, 1, 2]


def test_shares_and_stability():
    labels = [0] * 30 + [1] * 60 + [-1] * 10
    found = m.shares(labels)
    assert found.labels.tolist() == [-1, 0, 1]
    assert found.fractions.tolist() == [0.1, 0.3, 0.6]
    np.testing.assert_allclose(found.intervals, gd.wilson([10, 30, 60], 100))
    stability = m.basin_stability(labels, [0, 1])
    assert stability.value == 0.9
    assert stability.error == pytest.approx(0.03)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.123, 0.01, 1e-7])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_starts_needed_are_the_quantile_of_the_geometric_distribution(share, confidence):
    assert m.starts_needed(share, confidence) == geom.ppf(confidence, share)


def test_starts_needed_at_the_ends():
    assert m.starts_needed([1.0, 0.0, 0.75], 0.9375).tolist() == [1, math.inf, 2]


def test_unseen_is_right_on_average_and_within_its_error():
    """Samples from known shares: the estimate against the true share of what each sample missed."""
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.full(200, 0.3))
    z = []
    for _ in range(400):
        labels = generator.choice(200, size=500, p=shares)
        found = m.unseen(labels)
        z.append((found.share - shares[np.setdiff1d(np.arange(200), labels)].sum()) / found.error)
    assert abs(np.mean(z)) < 0.25
    assert 0.7 < np.std(z) < 1.3


def test_what_is_unseen_is_unknown_where_no_start_came_to_a_minimum():
    problem = gd.problems.himmelblau()
    lost = gd.map_basins(problem, gd.GradientDescent(lr=5.0), (12, 12))
    for found in (m.unseen(lost), m.unseen([-1, -2, -1])):
        assert np.isnan([found.share, found.error, found.minima]).all()
        assert repr(found) == "<Unseen: unknown: no start came to a minimum: more max_steps, or another lr>"


def test_the_stability_of_attractors_that_were_not_found_is_refused():
    grid = gd.map_basins(gd.problems.himmelblau(), gd.Adam(lr=0.05), (20, 20))
    assert m.basin_stability(grid, [0, 1, 2, 3, -1, -2]).value == 1
    for basins in (grid, grid.basins):
        for wrong in (4, [0, 4], -3):
            with pytest.raises(ValueError, match=r"labels of the 4 attractors found, 0 to 3, or -1 .* and -2 .*, got"):
                m.basin_stability(basins, wrong)
    assert m.basin_stability(grid.labels, 4).value == 0  # an array holds what it holds
    lost = gd.map_basins(gd.problems.himmelblau(), gd.GradientDescent(lr=5.0), (12, 12))
    assert m.basin_stability(lost, -2).value == 1
    with pytest.raises(ValueError, match="labels of the 0 attractors found, none, or"):
        m.basin_stability(lost, 0)


def test_measures_of_neighbours_warn_where_few_runs_settled():
    problem = gd.problems.himmelblau()
    early = gd.map_basins(problem, gd.GradientDescent(lr=0.0005), (60, 60), max_steps=500)
    for measure in (m.basin_entropy, m.uncertainty_exponent, m.fractality_test, m.wada_test):
        for labels in (early, early.basins, early.labels):
            with pytest.warns(RuntimeWarning, match=r"^9\d% of the runs settled nowhere: more max_steps, or") as heard:
                measure(labels)
            assert heard[0].filename == __file__
    half = np.repeat([[-1], [0]], [30, 30], axis=0) + np.zeros((60, 60), int)
    m.basin_entropy(half)  # and no word where half did
    m.shares(early), m.basin_stability(early, 0), m.unseen(early)


def test_unseen_by_hand():
    assert m.unseen([0, 0, 1, 1, 2, 2]).share == 0
    found = m.unseen([0, 1, 2, 3, -1])
    assert (found.share, found.minima) == (0.8, 6)


def test_what_is_no_labels_hears_what_to_write():
    problem, optimizer = gd.problems.himmelblau(), gd.Adam(lr=0.05)
    runs = gd.minimize(problem, problem.sample(100, seed=0), optimizer)
    for measure in (m.unseen, m.shares, m.wada_test, m.basin_entropy, lambda labels: m.basin_stability(labels, 0)):
        with pytest.raises(TypeError, match=r"got a Result: write find_basins\(runs\)"):
            measure(runs)
        with pytest.raises(TypeError, match=r"got a Problem: write map_basins\(problem, optimizer\), or find_basins"):
            measure(problem)
    sweep = gd.sweep_basins(problem, optimizer, {"lr": [0.05]}, n_starts=50)
    with pytest.raises(TypeError, match=r"labels must be an array of integers.*got a dict$"):
        m.unseen({})
    basins = gd.find_basins(runs)
    for wrong, match in (
        (basins, r"share must be numbers from 0 to 1, got a Basins: write basins\.fractions\[0\]"),
        (gd.map_basins(problem, optimizer, (3, 3)), r"a BasinMap: write map\.basins\.fractions\[0\]"),
        (runs, r"got a Result: write find_basins\(runs\)\.fractions\[0\]"),
        (m.shares(basins), r"a Shares: write shares\.fractions"),
        (problem, r"got a Problem: write a share such as basins\.fractions\[0\]"),
    ):
        with pytest.raises(TypeError, match=match):
            m.starts_needed(wrong)
    assert m.unseen(sweep.basins).share == 0


def test_measures_print_what_they_found():
    mixed = np.random.default_rng(0).integers(0, 3, (50, 50))
    assert repr(m.basin_entropy(mixed)).startswith("<BasinEntropy: fractal boundary: yes (boundary entropy 1.0")
    assert ", above ln 2 = 0.6931; entropy 1.0" in repr(m.basin_entropy(mixed))
    half = (np.indices((10, 10))[0] < 4).astype(int)
    assert repr(m.basin_entropy(half)) == (
        "<BasinEntropy: fractal boundary: undecided (boundary entropy 0.5004, not above ln 2 = 0.6931; "
        "entropy 0.2502, 2 of 4 boxes with a boundary)>"
    )
    assert repr(m.basin_entropy(0 * half)) == (
        "<BasinEntropy: fractal boundary: undecided (entropy 0.0000, 0 of 4 boxes with a boundary)>"
    )
    stability = m.basin_stability([0] * 30 + [1] * 70, 0)
    assert repr(stability) == "<Stability: 30.00% +- 4.58% (95 % interval 21.89 - 39.58 %)>"
    assert repr(m.shares(np.arange(1200))).endswith("%) and 1,195 more>")


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda: m.basin_entropy(np.zeros((5, 5))), TypeError, "labels must be an array of integers"),
    (lambda: m.basin_entropy(np.zeros((0, 5), int)), ValueError, "at least one label"),
    (lambda: m.basin_entropy(np.zeros((5, 5), int), 6), ValueError, "box must be at least 2 and at most 5"),
    (lambda: m.basin_entropy(np.zeros((5, 5), int), 2.5), TypeError, "box must be an integer"),
    (lambda: m.uncertainty_exponent(np.zeros((5, 5), int)), ValueError, "at least 12 points"),
    (lambda: m.uncertainty_exponent(np.zeros((50, 50), int), [1, 2, 3, 4]), ValueError, "between 2 and 50"),
    (lambda: m.uncertainty_exponent(np.zeros((50, 50), int), [2, 3, 4, 5.5]), TypeError, "four different integers"),
    (lambda: m.uncertainty_exponent(np.zeros((50, 50), int), [2, 3, 3, 4]), TypeError, "four different integers"),
    (lambda: m.fractality_test(np.zeros((50, 50), int), 10), ValueError, "diameter must be odd"),
    (lambda: m.fractality_test(np.zeros((50, 50), int), sigmas=0), ValueError, "sigmas must be positive"),
    (lambda: m.wada_test(np.arange(100).reshape(10, 10)), ValueError, "at most 64 basins"),
    (lambda: m.wada_test(np.zeros((5, 5), int), 0), ValueError, "max_radius must be at least 1"),
    (lambda: m.basin_stability([0, 1], 0.5), TypeError, "attractors must be"),
    (lambda: m.starts_needed(1.5), ValueError, "share must lie"),
    (lambda: m.starts_needed(0.5, 1.0), ValueError, "confidence must lie"),
    (lambda: m.shares([0.5]), TypeError, "labels must be an array of integers"),
    (lambda: m.smooth_boundary_entropy(0), ValueError, "dim must be at least 1"),
    (lambda: m.uncertainty_by_pairs(gd.Problem(lambda x: x[0] ** 2, dim=1), gd.Adam()), ValueError, "must have a box"),
    (lambda: m.uncertainty_by_pairs(gd.problems.himmelblau(), gd.Adam(), [0.1]), ValueError, "eps must be at"),
    (lambda: m.uncertainty_by_pairs(gd.problems.himmelblau(), gd.Adam(), [0.1, -1]), ValueError, "eps must be at"),
])  # fmt: skip
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(("labels", "box", "why"), [
    (cells(5, 2), 5, "1 of 1 box with a boundary, and it takes 20: a finer map"),
    (cells(64, 11), 5, "50% of those hold three labels, of those half as wide 1.%: a finer map, or a smaller box"),
    (cells(64, 16), 5, "100% of those hold three labels, of those half as wide 3.%: a finer map, or a smaller box"),
    (np.indices((40, 40)).sum(axis=0) % 3, 2, "100% of those hold three labels, of those half as wide 0%"),
])  # fmt: skip
def test_the_log_2_test_is_undecided_where_boxes_are_few_or_large(labels, box, why):
    """Squares, and a pattern without a smaller box: the mean exceeds ln 2 and no boundary is fractal."""
    found = m.basin_entropy(labels, box)
    assert found.boundary_entropy > math.log(2)
    assert not found.resolved
    assert not found.fractal
    assert repr(found).startswith("<BasinEntropy: fractal boundary: undecided (boundary entropy ")
    assert re.search(why, repr(found))


def test_fractal_maps_pass_the_log_2_test():
    assert m.basin_entropy(newton(400), 5).fractal
    grid = gd.map_basins(gd.problems.himmelblau(), gd.Momentum(lr=0.01, momentum=0.9), (128, 128))
    assert m.basin_entropy(grid).fractal


def test_straight_boundaries_do_not_pass_the_log_2_test():
    """All boxes along a straight boundary are cut alike, two to three, and the corner does the rest."""
    grid = gd.map_basins(gd.problems.styblinski_tang(), gd.GradientDescent(lr=0.005), (64, 64))
    found = m.basin_entropy(grid)
    assert found.boundary_entropy > math.log(2)
    assert not found.fractal
    assert "4% of those hold three labels, of those half as wide 0%: a finer map, or a smaller box" in repr(found)


@pytest.mark.parametrize("diameter", [7, 21])
def test_balls_that_are_large_for_many_smooth_basins_leave_the_test_undecided(diameter):
    found = m.fractality_test(cells(256, 11), diameter)
    assert found.z > 3
    assert not found.resolved
    assert not found.fractal
    assert "undecided" in repr(found)
    assert f"of the balls hold three basins, of those of {3 if diameter == 7 else 7} points" in repr(found)


@pytest.mark.parametrize(("points", "across"), [(512, 11), (2048, 11), (256, 11), (256, 25), (64, 11), (64, 16)])
def test_no_lattice_of_squares_is_fractal(points, across):
    """Along the axes balls are cut otherwise than on average, and corners and cells lie in them."""
    for diameter in (5, 7, 11, 21):
        found = m.fractality_test(cells(points, across), diameter)
        assert not found.fractal
        assert ("undecided" in repr(found)) == (not found.resolved)


@pytest.mark.parametrize("diameter", [5, 7, 11, 15, 21])
def test_straight_boundaries_along_axes_and_diagonals_are_not_fractal(diameter):
    x, y = np.indices((2048, 2048))
    for labels in (x > 1100, 2 * (x > 1100) + (y > 1300), x + y > 2200, x // 186 % 2):
        assert not m.fractality_test(np.asarray(labels).astype(int), diameter).fractal


def test_balls_wider_than_the_basins_leave_the_test_undecided_with_two_basins_too():
    where = np.indices((256, 256))
    for labels in (np.floor((0.92 * where[0] + 0.39 * where[1]) / 12.8) % 2, (where // 12).sum(axis=0) % 2):
        found = m.fractality_test(labels.astype(int), 21)
        assert found.z > 3
        assert not found.fractal
        assert re.search(r"undecided \((9\d|100)% of the balls hold a boundary, of those of 3 points ", repr(found))
    noise = m.fractality_test(np.random.default_rng(0).integers(0, 2, (256, 256)), 21)
    assert noise.fractal  # mixed at all sizes


def test_on_a_lattice_of_squares_balls_keep_as_many_corners_as_derived():
    from fastgd.basins.measures.entropy import stays_crowded

    for side in (6, 10, 20):
        u = np.array([4 / side, 2 / side])  # windows of 5 and of 3 points
        crowded, inside = u / (2 - u)
        windows = np.lib.stride_tricks.sliding_window_view(cells(20 * side, 20), (5, 5))[: 5 * side, : 5 * side]
        kinds = np.array([np.unique(window).size for window in windows.reshape(-1, 25)])
        assert np.mean(kinds[kinds > 1] > 2) == pytest.approx(crowded, rel=1e-12)
        limit = math.sqrt(inside / crowded)
        assert stays_crowded(crowded, 1.001 * limit * crowded, 0.5)
        assert not stays_crowded(crowded, 0.999 * limit * crowded, 0.5)


def test_in_a_fractal_boundary_small_balls_hold_all_basins_as_often():
    for diameter in (7, 21):
        found = m.fractality_test(newton(300), diameter)
        assert found.crowded > 0.6
        assert found.resolved
        assert found.fractal


@pytest.mark.parametrize("points", [8, 16])
def test_where_the_radius_is_much_of_the_map_it_is_not_told_whether_basins_are_wada(points):
    found = m.wada_test(cells(points, 2))
    assert found.radius is not None
    assert not found.wada
    assert f"Wada: undecided (all of the boundary is within {found.radius} points of all 4 basins" in repr(found)
