"""Every rule's nanoseconds per step of one run, on one thread."""

from __future__ import annotations

import os
import time

import numpy as np

import fastgd as gd

from .cases import RACES, RULES

# Each rule on each problem is one more kernel to compile, two minutes in all
QUICK = bool(os.environ.get("FASTGD_BENCH_QUICK"))
REPEATS = 5


class Rules:
    """The races of the comparison, whose figures for the same rules in C stand on the page of benchmarks.

    Where `FASTGD_BENCH_QUICK` is set, as `make bench-quick` does, three rules on one problem stand for all.
    """

    params = (["adam", "momentum", "nadam"], ["himmelblau"]) if QUICK else (RULES, list(RACES))
    param_names = ("rule", "race")
    timeout = 120

    def setup(self, rule: str, race: str) -> None:
        self.case, self.optimizer = RACES[race].case, RACES[race].optimizer(rule)
        self.problem, self.x0 = self.case.make(), self.case.starts(self.case.runs)
        self.run(self.x0[:256])

    def run(self, x0: np.ndarray) -> gd.Result:
        return gd.minimize(self.problem, x0, self.optimizer, max_steps=self.case.steps, gtol=None, threads=1)

    def track_nanoseconds_per_step(self, rule: str, race: str) -> float:
        figures = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            result = self.run(self.x0)
            figures.append(1e9 * (time.perf_counter() - start) / float(result.nit.sum()))
        return min(figures)

    track_nanoseconds_per_step.unit = "ns/step"
