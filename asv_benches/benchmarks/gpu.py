"""The GPU target, where there is a GPU: descents to a tolerance, from the host and on the card, and Adam's step."""

from __future__ import annotations

import numpy as np

import fastgd as gd
from fastgd.jit.cuda import missing, simulated


def skip_without_gpu() -> None:
    if simulated() or missing() is not None:
        raise NotImplementedError("no GPU")


class Descents:
    """Himmelblau's function under Adam to 1e-6."""

    params = ([10_000, 1_000_000], ["float64", "float32"])
    param_names = ("runs", "dtype")
    timeout = 300

    def setup(self, runs: int, dtype: str) -> None:
        skip_without_gpu()
        from numba import cuda

        self.problem, self.optimizer = gd.problems.himmelblau(), gd.Adam(lr=0.05)
        self.x0 = self.problem.sample(runs, seed=0).astype(dtype)
        self.there = cuda.to_device(self.x0)
        self.options = {"dtype": dtype, "gtol": 1e-6 if dtype == "float64" else 1e-3, "device": "cuda"}
        self.result = self.descend(self.x0)
        self.descend(self.there)

    def descend(self, x0) -> gd.Result:
        return gd.minimize(self.problem, x0, self.optimizer, **self.options)

    def time_from_the_host(self, runs: int, dtype: str) -> None:
        self.descend(self.x0)

    def time_on_the_card(self, runs: int, dtype: str) -> None:
        self.descend(self.there)

    def track_success(self, runs: int, dtype: str) -> float:
        return float(self.result.success.mean())

    def track_mean_steps(self, runs: int, dtype: str) -> float:
        return float(self.result.nit.mean())


class StepInPlace:
    """Adam on ten million numbers."""

    params = (["float64", "float32"],)
    param_names = ("dtype",)

    def setup(self, dtype: str) -> None:
        skip_without_gpu()
        from numba import cuda

        self.x, self.g = (cuda.to_device(np.ones(10_000_000, dtype)) for _ in range(2))
        self.optimizer, self.synchronize = gd.Adam(lr=1e-3), cuda.synchronize
        self.state = self.optimizer.init(self.x)
        self.time_step(dtype)

    def time_step(self, dtype: str) -> None:
        self.optimizer.step(self.x, self.g, self.state)
        self.synchronize()
