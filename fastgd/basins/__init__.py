"""Basins of attraction: which starts lead where."""

from fastgd.basins import measures
from fastgd.basins.attractors import find_basins
from fastgd.basins.found import Basins
from fastgd.basins.intervals import wilson
from fastgd.basins.maps import BasinMap, map_basins

__all__ = ["BasinMap", "Basins", "find_basins", "map_basins", "measures", "wilson"]
