"""A minimum keeps its colour in a map of a part of the box, or the picture says that it may not."""

import numpy as np
import pytest

import fastgd as gd
from fastgd.basins import map_basins
from fastgd.plot.colouring import coloured, known_places

RULE = gd.Adam(lr=0.05)
PARTS = {
    "right": [(0, 6), (-6, 6)],
    "left": [(-6, 0), (-6, 6)],
    "lower right": [(2, 6), (-6, 0)],
    "last": [(-4, -3.5), (-3.5, -3)],
    "second": [(-3, -2.6), (3, 3.3)],
}


@pytest.fixture(scope="module")
def himmelblau():
    return gd.problems.himmelblau()


@pytest.fixture(scope="module")
def whole(himmelblau):
    return map_basins(himmelblau, RULE, (24, 24))


def colours(map):
    """Return colours by the nearest of the known minima."""
    found = coloured(map.basins.counts, map.basins.fun, "auto", known_places(map))
    return {int(k): tuple(rgb) for k, rgb in zip(map.basins.known, found.table, strict=True)}


@pytest.mark.parametrize("part", PARTS)
def test_a_known_minimum_keeps_its_colour(himmelblau, whole, part):
    zoomed = map_basins(himmelblau, RULE, (12, 12), bounds=PARTS[part])
    assert (zoomed.basins.known >= 0).all()
    assert colours(zoomed).items() <= colours(whole).items()


def test_the_colours_of_the_whole_are_those_of_the_numbers(whole):
    plain = coloured(whole.basins.counts, whole.basins.fun, "auto")
    placed = coloured(whole.basins.counts, whole.basins.fun, "auto", known_places(whole))
    assert (plain.table == placed.table).all()


def test_other_attractors_take_no_colour_of_a_known_minimum():
    """Of three attractors the second is known, as the last of three known minima."""
    places = np.array([-1, 2, -1])
    found = coloured(np.array([50, 30, 20]), np.zeros(3), "basin", places).table
    palette = coloured(np.array([9] * 5), np.zeros(5), "basin").table
    assert (found == palette[[3, 2, 4]]).all()


def test_two_attractors_of_one_known_minimum_differ():
    found = coloured(np.array([50, 30]), np.zeros(2), "basin", np.array([0, 0])).table
    assert (found[0] != found[1]).any()


def test_with_more_known_minima_than_colours_all_are_used():
    places = np.array([20, 3, 17])
    found = coloured(np.array([50, 30, 20]), np.zeros(3), "basin", places).table
    assert len({tuple(rgb) for rgb in found}) == 3
    palette = coloured(np.array([9] * 16), np.zeros(16), "basin").table
    assert (found[1] == palette[3]).all()


NOTE = "colours of this part alone"


@pytest.fixture(scope="module")
def unnamed(himmelblau):
    return gd.Problem(himmelblau.fun, himmelblau.grad, dim=2, bounds=(-6, 6), name="unnamed")


@pytest.mark.parametrize(
    ("bounds", "told"), [(None, False), ([(-6, 6), (-6, 6)], False), (PARTS["right"], True), ([(-9, 9), (0, 9)], True)]
)
def test_the_title_says_where_colours_are_those_of_a_part(unnamed, bounds, told):
    map = map_basins(unnamed, RULE, (12, 12), bounds=bounds)
    _, ax = gd.plot.basins(map)
    assert (NOTE in ax.get_title()) == told


def test_no_title_says_so_where_minima_are_known_or_colours_are_given(himmelblau, unnamed):
    known = map_basins(himmelblau, RULE, (12, 12), bounds=PARTS["right"])
    assert NOTE not in gd.plot.basins(known)[1].get_title()
    part, all_of_it = (map_basins(unnamed, RULE, (12, 12), bounds=b) for b in (PARTS["right"], None))
    assert NOTE not in gd.plot.basins(part, colors_like=all_of_it)[1].get_title()
