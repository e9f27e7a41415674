"""Measures of boundaries on maps with attractors that are no minima, against the boundaries of the functions."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import fastgd as gd

m = gd.measures


@pytest.fixture(scope="module")
def ridge() -> gd.basins.BasinMap:
    """Two minima with one straight boundary, on which a column of starts ends in the saddle."""
    well = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2))
    found = gd.map_basins(well, gd.GradientDescent(lr=0.02), shape=(301, 301))
    assert sorted(found.basins.kind) == ["minimum", "minimum", "saddle"]
    return found


def test_starts_on_a_ridge_have_the_basin_beside_it(ridge):
    from fastgd.basins.measures.labels import minima_alone

    labels = minima_alone(ridge)
    minima = np.flatnonzero(ridge.basins.kind == "minimum")
    left = minima[np.argmin(ridge.basins.x[minima, 0])]
    np.testing.assert_array_equal(labels == left, np.broadcast_to(np.arange(301)[:, None] <= 150, (301, 301)))


def test_a_saddle_on_a_straight_boundary_makes_it_neither_fractal_nor_wada(ridge):
    assert m.uncertainty_exponent(ridge).exponent == pytest.approx(1.0, abs=1e-3)
    assert not m.basin_entropy(ridge).fractal
    assert not m.fractality_test(ridge).fractal
    assert m.wada_test(ridge).labels.size == 2
    assert m.unseen(ridge).share == 0.0
    # The labels themselves have a third one, in a column of its own
    assert m.uncertainty_exponent(ridge.labels).exponent < 0.8


def test_a_maximum_in_one_dimension_is_no_basin():
    well = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2, dim=1, bounds=(-2, 2))
    runs = gd.minimize(well, well.grid(1001), gd.GradientDescent(lr=0.02))
    found = gd.find_basins(runs)
    assert sorted(found.kind) == ["maximum", "minimum", "minimum"]
    assert m.wada_test(found).labels.size == 2


def test_starts_on_a_plateau_are_not_minima_yet_to_be_seen():
    """The slope of exp(-r²) is below 1e-6 beyond r = 4, and runs end where they start."""
    hole = gd.Problem(lambda x: -math.exp(-(x[0] ** 2) - x[1] ** 2), dim=2, bounds=(-10, 10))
    found = gd.map_basins(hole, gd.GradientDescent(lr=0.1), shape=(128, 128))
    assert len(found.basins) > 1000
    assert m.unseen(found).share == 0.0
    with pytest.warns(RuntimeWarning, match="of the runs settled nowhere"):
        entropy = m.basin_entropy(found)
    assert entropy.boundary_boxes < 50  # along one circle of about 80 points
    with pytest.warns(RuntimeWarning, match="of the runs settled nowhere"):
        assert m.uncertainty_exponent(found).exponent == pytest.approx(1.0, abs=0.06)


def test_few_runs_that_did_not_settle_are_told_of():
    camel = gd.problems.three_hump_camel()
    found = gd.map_basins(camel, gd.GradientDescent(lr=0.001), shape=(128, 128))
    assert 0.001 < found.basins.unsettled < 0.05
    with pytest.warns(RuntimeWarning, match=r"1\.0% of the runs did not settle, and their border is measured"):
        m.fractality_test(found)
    whole = gd.map_basins(camel, gd.GradientDescent(lr=0.001), shape=(128, 128), max_steps=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not m.fractality_test(whole).fractal
