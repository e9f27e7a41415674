"""Measures of basins: entropies, shares and what all of them have in common, against exact values and brute force."""

from __future__ import annotations

import itertools
import math
import re

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_maps import cells, newton, sectors
from scipy.special import entr
from scipy.stats import geom

import fastgd as gd

m = gd.measures
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=4, max_side=9)
GRIDS = hnp.arrays(np.int64, SHAPES, elements=st.integers(-2, 3))


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


def test_labels_far_apart_and_maps_are_taken():
    wide = np.where(sectors(60) == 1, 10**12, -5)
    near = np.where(sectors(60) == 1, 1, 0)
    assert m.basin_entropy(wide) == m.basin_entropy(near)
    assert m.uncertainty_exponent(wide).exponent == m.uncertainty_exponent(near).exponent
    found = gd.map_basins(gd.problems.himmelblau(), gd.Adam(lr=0.05), (64, 64))
    assert m.basin_entropy(found) == m.basin_entropy(found.basins) == m.basin_entropy(found.labels)


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


def test_the_tests_say_their_verdict_in_words():
    said = {
        "fractal boundary: yes (entropy 0.": m.fractality_test(newton(300), 11),
        "fractal boundary: no (entropy 0.": m.fractality_test(sectors(400), 11),
        "it takes 3 and 7.4%)": m.fractality_test(sectors(400), 11),
        "fractal boundary: undecided (no ball holds a boundary)": m.fractality_test(np.zeros((40, 40), int), 11, 10),
        "fractal boundary: undecided (too few to tell: 1 ball)": m.fractality_test(sectors(100), 11, 1),
        "Wada: yes (all of the boundary is within": m.wada_test(newton(300)),
        "% of the boundary is within 8 points of all 3 basins)": m.wada_test(sectors(300)),
        "Wada: no (2 basins, and it takes at least three)": m.wada_test(np.where(newton(300) == 0, 0, 1)),
    }
    for words, found in said.items():
        assert words in repr(found)
        assert str(found) == repr(found)


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
    assert m.starts_needed([1.0, 0.75], 0.9375).tolist() == [1, 2]
    with pytest.warns(RuntimeWarning, match="give starts=N"):
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
    (lambda: m.fractality_test(np.zeros((50, 50), int), sigmas=0), ValueError, "sigmas must be a positive number"),
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
