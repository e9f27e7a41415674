"""Mini-batches and networks: the stages that a stochastic step adds."""

from __future__ import annotations

import numpy as np

import fastgd as gd


class MiniBatches:
    """Logistic regression of odd and even digits, 1,024 runs with rates of their own; "grid": 64 to each seed."""

    params = ([1, 32], ["own", "replace", "grid", "shared"])
    param_names = ("batch_size", "batches")
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, batch_size: int, batches: str) -> None:
        X, digit = gd.datasets.digits()
        self.problem = gd.problems.logistic_regression(X, digit % 2)
        self.options = {
            "batch_size": batch_size, "replace": batches == "replace", "shared_batches": batches == "shared",
        }  # fmt: skip
        self.grid = batches == "grid"
        self.run(64)

    def run(self, runs: int) -> gd.Result:
        optimizer = gd.GradientDescent(lr=np.logspace(-3, -1, runs))
        seed = np.arange(runs) // 64 if self.grid else 0
        start = np.zeros(self.problem.dim)
        return gd.minimize(self.problem, start, optimizer, max_steps=200, gtol=None, seed=seed, **self.options)

    def time_minimize(self, batch_size: int, batches: str) -> None:
        self.run(1024)

    def track_loss(self, batch_size: int, batches: str) -> float:
        return float(self.run(64).fun.mean())

    track_loss.unit = "loss"


class Noise:
    """Gradient noise on a quadratic form: what the random numbers cost."""

    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self) -> None:
        self.problem = gd.problems.quadratic(dim=8)
        self.run(8)

    def run(self, runs: int) -> gd.Result:
        x0 = self.problem.sample(runs, seed=0)
        return gd.minimize(self.problem, x0, gd.GradientDescent(lr=0.1), noise=0.1, max_steps=200, gtol=None)

    def time_minimize(self) -> None:
        self.run(4096)

    def track_spread(self) -> float:
        return float(self.run(4096).x.std())

    track_spread.unit = "distance"


class Network:
    """A small network on the irises, full batch and by batches of 16."""

    params = (0, 16)
    param_names = ("batch_size",)
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, batch_size: int) -> None:
        self.network = gd.problems.mlp(*gd.datasets.iris(), hidden=(8,))
        self.batch_size = batch_size or None
        self.run(8)

    def run(self, runs: int) -> gd.Result:
        return gd.minimize(
            self.network,
            self.network.sample(runs, seed=0),
            gd.Adam(lr=0.01),
            batch_size=self.batch_size,
            max_steps=100,
            gtol=None,
        )

    def time_minimize(self, batch_size: int) -> None:
        self.run(256)

    def track_loss(self, batch_size: int) -> float:
        return float(self.run(64).fun.mean())

    track_loss.unit = "loss"


class Mixture:
    """A mixture of three Gaussians on the irises, full batch and by batches of 16."""

    params = (0, 16)
    param_names = ("batch_size",)
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, batch_size: int) -> None:
        self.mixture = gd.problems.gaussian_mixture(gd.datasets.iris()[0], 3)
        self.batch_size = batch_size or None
        self.run(8)

    def run(self, runs: int) -> gd.Result:
        x0 = self.mixture.sample(runs, seed=0)
        options = {"batch_size": self.batch_size, "max_steps": 100, "gtol": None}
        return gd.minimize(self.mixture, x0, gd.Adam(lr=0.02), **options)

    def time_minimize(self, batch_size: int) -> None:
        self.run(256)

    def track_loss(self, batch_size: int) -> float:
        return float(self.run(64).fun.mean())

    track_loss.unit = "loss"
