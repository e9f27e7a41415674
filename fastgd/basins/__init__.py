"""Basins of attraction: which starts lead where."""

from fastgd.basins.agreement import Agreement, basin_agreement
from fastgd.basins.attractors import find_basins
from fastgd.basins.found import Basins
from fastgd.basins.intervals import wilson
from fastgd.basins.maps import BasinMap, map_basins
from fastgd.basins.sweep import BasinSweep, sweep_basins

__all__ = [
    "Agreement", "BasinMap", "BasinSweep", "Basins", "basin_agreement", "find_basins", "map_basins",
    "sweep_basins", "wilson",
]  # fmt: skip
