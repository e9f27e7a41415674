"""The step in place: every rule on one large array, and the cost of a step on a small one."""

from __future__ import annotations

import numpy as np

import fastgd as gd

from .cases import skip_unless_cores


class Step:
    """A step on four million parameters; `track_traffic` is what passes over the bus for it."""

    params = (["momentum", "adam", "nadam"], ["float64", "float32"], [1, 2])
    param_names = ("rule", "dtype", "threads")
    repeat = (3, 10, 5.0)
    number = 1
    timeout = 120
    parameters = 4_000_000

    def setup(self, rule: str, dtype: str, threads: int) -> None:
        skip_unless_cores(threads)
        self.optimizer = gd.optimizers.make(rule, lr=1e-3)
        self.x = np.ones(self.parameters, dtype)
        self.grad = np.random.default_rng(0).standard_normal(self.parameters, dtype)
        self.state = self.optimizer.init(self.x)
        self.optimizer.step(self.x, self.grad, self.state, threads=threads)

    def time_step(self, rule: str, dtype: str, threads: int) -> None:
        self.optimizer.step(self.x, self.grad, self.state, threads=threads)

    def track_traffic(self, rule: str, dtype: str, threads: int) -> float:
        return float((3 + 2 * self.state.slots) * self.x.nbytes)

    track_traffic.unit = "bytes"


class Small:
    """A step on few parameters: the checks and the calls, in the calling thread."""

    params = ([1, 1000, 100_000],)
    param_names = ("parameters",)

    def setup(self, parameters: int) -> None:
        self.x, self.grad = np.ones(parameters), np.full(parameters, 0.1)
        self.optimizer = gd.Adam()
        self.state = self.optimizer.init(self.x)
        self.optimizer.step(self.x, self.grad, self.state)

    def time_step(self, parameters: int) -> None:
        self.optimizer.step(self.x, self.grad, self.state)

    def time_state_to_dict(self, parameters: int) -> None:
        self.state.to_dict()
