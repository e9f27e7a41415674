"""Measures of basins, against exact values, brute force and published exponents."""

from __future__ import annotations

import itertools
import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


@given(GRIDS, st.integers(2, 4))
def test_entropy_is_that_of_brute_force(grid, size):
    each = [entropy_of(box) for box in boxes(grid, size)]
    found = m.basin_entropy(grid, size)
    assert found.entropy == pytest.approx(np.mean(each), abs=1e-13)
    assert found.boundary_boxes == np.count_nonzero(each)


@given(GRIDS, st.integers(2, 4))
def test_mixed_boxes_are_those_of_brute_force(grid, size):
    from fastgd.basins.measures.labels import coded
    from fastgd.basins.measures.uncertainty import mixed_share

    exact = np.mean([np.unique(box).size > 1 for box in boxes(grid, size)])
    assert mixed_share(coded(grid)[0], size) == pytest.approx(exact)


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
    assert m.uncertainty_exponent(line).exponent == pytest.approx(1, abs=0.03)
    x, y, z = np.mgrid[-1:1:120j, -1:1:120j, -1:1:120j]
    shell = (x**2 + y**2 + z**2 < 0.6).astype(int)
    found = m.uncertainty_exponent(shell, [3, 4, 6, 8])
    assert found.dimension == pytest.approx(2, abs=0.06)


def test_cantor_boundary_in_one_dimension():
    """A label that changes at both ends of every gap of the Cantor set, whose dimension is ln 2 / ln 3."""
    n = 3**9
    digits = (np.arange(n)[:, None] // 3 ** np.arange(9)) % 3
    labels = np.where((digits == 1).any(axis=1), 1, 0)
    found = m.uncertainty_exponent(labels, [27, 81, 243, 729, 2187])
    assert found.dimension == pytest.approx(math.log(2) / math.log(3), abs=0.02)


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
        cut = fractality.cut_ball_entropy(fractality.ball(half, dim))
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


def test_the_tests_say_their_verdict_in_words(fractal):
    said = {
        "fractal boundary: yes (entropy 0.": m.fractality_test(fractal, 11),
        "fractal boundary: no (entropy 0.": m.fractality_test(sectors(400), 11),
        "it takes 3 and 2%)": m.fractality_test(sectors(400), 11),
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
    (lambda: m.uncertainty_exponent(np.zeros((50, 50), int), [1, 2]), ValueError, "between 2 and 50"),
    (lambda: m.uncertainty_exponent(np.zeros((50, 50), int), [2.5, 3]), TypeError, "at least two integers"),
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


def cells(points, across):
    """A lattice of square basins, as of Rastrigin's function."""
    where = np.arange(points) * across // points
    return where[:, None] * across + where


@pytest.mark.parametrize("diameter", [7, 21])
def test_balls_that_are_large_for_many_smooth_basins_leave_the_test_undecided(diameter):
    found = m.fractality_test(cells(256, 11), diameter)
    assert found.z > 3
    assert not found.resolved
    assert not found.fractal
    assert "undecided" in repr(found)
    assert "of the balls hold three basins, of those a third as wide" in repr(found)


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
