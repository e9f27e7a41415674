"""What end points mean: measures of large maps, kinds of many points, and all critical points."""

from __future__ import annotations

import numpy as np

import fastgd as gd

MEASURES = {
    "shares": gd.measures.shares,
    "basin_entropy": gd.measures.basin_entropy,
    "uncertainty_exponent": gd.measures.uncertainty_exponent,
    "fractality_test": gd.measures.fractality_test,
    "wada_test": gd.measures.wada_test,
}


class Measures:
    """On a map of 4096 x 4096 labels: that of Newton's method on z³ = 1 from [-1, 1]², repeated."""

    params = (list(MEASURES),)
    param_names = ("measure",)
    number = 1
    timeout = 120

    def setup(self, measure: str) -> None:
        axis = np.linspace(-1, 1, 512)
        z = axis[:, None] + 1j * axis
        for _ in range(40):
            z = z - (z**3 - 1) / (3 * z * z)
        roots = np.exp(2j * np.pi * np.arange(3) / 3)
        one = np.argmin(np.abs(z[..., None] - roots), axis=-1)
        self.labels = np.tile(one, (8, 8))
        MEASURES[measure](one)

    def time_measure(self, measure: str) -> None:
        MEASURES[measure](self.labels)

    def peakmem_measure(self, measure: str) -> None:
        MEASURES[measure](self.labels)


class Classify:
    params = ([10_000], ["derived", "differences"])
    param_names = ("points", "method")
    timeout = 120

    def setup(self, points: int, method: str) -> None:
        self.problem = gd.problems.make("himmelblau")
        self.points = self.problem.sample(points, seed=0)
        gd.classify(self.problem, self.points, method=method)

    def time_classify(self, points: int, method: str) -> None:
        gd.classify(self.problem, self.points, method=method)


class CriticalPoints:
    params = (["himmelblau", "goldstein_price", "mueller_brown"],)
    param_names = ("problem",)
    number = 1
    timeout = 120

    def setup(self, problem: str) -> None:
        self.problem = gd.problems.make(problem)
        gd.find_critical_points(self.problem, 100)

    def time_find(self, problem: str) -> None:
        gd.find_critical_points(self.problem, 1000)

    def track_points(self, problem: str) -> int:
        return len(gd.find_critical_points(self.problem, 1000))

    track_points.unit = "points"


class RefinedMap:
    """A map whose descents are made where labels change, beside `MapBasins`."""

    params = ([0, 4],)
    param_names = ("refine",)
    number = 1
    timeout = 120

    def setup(self, refine: int) -> None:
        self.problem = gd.problems.make("himmelblau")
        self.run(refine)

    def run(self, refine: int):
        return gd.map_basins(self.problem, gd.Adam(lr=0.05), shape=(512, 512), refine=refine)

    def time_map(self, refine: int) -> None:
        self.run(refine)

    def track_saving(self, refine: int) -> float:
        return self.run(refine).saving

    track_saving.unit = "fraction"
