"""The test of Wada's property, against brute force and on maps of known kind."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_maps import cells, newton, sectors

import fastgd as gd

m = gd.measures


def test_wada():
    found = m.wada_test(newton(300))
    assert found.wada
    assert found.radius <= 4
    assert found.shares[-1] == 1.0
    apart = m.wada_test(sectors(300))
    assert not apart.wada
    assert apart.radius is None
    assert apart.shares[-1] < 0.1
    two = m.wada_test(np.where(newton(300) == 0, 0, 1))
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


@pytest.mark.parametrize("points", [8, 16])
def test_where_the_radius_is_much_of_the_map_it_is_not_told_whether_basins_are_wada(points):
    found = m.wada_test(cells(points, 2))
    assert found.radius is not None
    assert not found.wada
    assert f"Wada: undecided (all of the boundary is within {found.radius} points of all 4 basins" in repr(found)
