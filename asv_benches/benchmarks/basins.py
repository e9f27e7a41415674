"""From end points to attractors, and whole maps."""

from __future__ import annotations

import numpy as np

import fastgd as gd

# Name, options, optimizer, runs. Styblinski-Tang in fifty dimensions has 2**50 minima, so nearly every end
# point is an attractor of its own; the quadratic has one. Between them lies every real use.
ENDS = {
    "himmelblau-1e6x2": ("himmelblau", {}, gd.Adam(lr=0.05), 1_000_000),
    "styblinski_tang-1e5x50": ("styblinski_tang", {"dim": 50}, gd.GradientDescent(lr=0.01), 100_000),
    "quadratic-1e5x50": ("quadratic", {"dim": 50}, gd.GradientDescent(lr=0.05), 100_000),
}


class FindBasins:
    params = (list(ENDS),)
    param_names = ("ends",)
    repeat = (3, 5, 20.0)
    number = 1
    timeout = 300

    def setup(self, ends: str) -> None:
        name, options, optimizer, runs = ENDS[ends]
        problem = gd.problems.make(name, **options)
        self.result = gd.minimize(problem, problem.sample(runs, seed=0), optimizer, gtol=1e-8)
        gd.find_basins(self.result)

    def time_find_basins(self, ends: str) -> None:
        gd.find_basins(self.result)

    def peakmem_find_basins(self, ends: str) -> None:
        gd.find_basins(self.result)

    def track_success_rate(self, ends: str) -> float:
        return float(self.result.success.mean())

    def track_attractors(self, ends: str) -> int:
        labels = gd.find_basins(self.result).labels
        return int(np.unique(labels[labels >= 0]).size)

    track_success_rate.unit = "fraction"
    track_attractors.unit = "attractors"


class MapBasins:
    params = ([128, 512],)
    param_names = ("side",)
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, side: int) -> None:
        self.problem = gd.problems.make("himmelblau")
        self.run(side)

    def run(self, side: int):
        return gd.map_basins(self.problem, gd.Adam(lr=0.05), shape=(side, side))

    def time_map_basins(self, side: int) -> None:
        self.run(side)

    def track_settled(self, side: int) -> float:
        return float((self.run(side).labels >= 0).mean())

    track_settled.unit = "fraction"
