"""The three cases that the C ceiling and the peers run too: same starts, same rules, same steps."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fastgd as gd


@dataclass(frozen=True)
class Case:
    """One problem under one optimizer.

    `steps` is for the runs of fixed length; `optimizer_to_tolerance` and `max_steps` for those that stop
    when the gradient falls below `gtol`. Rosenbrock's valley asks for a larger rate there: at the rate of
    the fixed runs, which is safe from everywhere in the box, no run would arrive.
    """

    problem: str
    options: dict[str, Any]
    optimizer: Any
    box: float
    runs: int
    steps: int
    runs_to_tolerance: int
    max_steps: int = 10_000
    gtol: float = 1e-6
    optimizer_to_tolerance: Any = None
    dim: int = field(default=2)

    def make(self) -> gd.Problem:
        return gd.problems.make(self.problem, **self.options)

    def starts(self, runs: int) -> np.ndarray:
        return np.random.default_rng(0).uniform(-self.box, self.box, (runs, self.dim))


CASES = {
    "himmelblau-adam": Case("himmelblau", {}, gd.Adam(lr=0.05), 6.0, 16_384, 1000, 262_144),
    "rosenbrock10-momentum": Case(
        "rosenbrock",
        {"dim": 10},
        gd.Momentum(lr=1e-5, momentum=0.9),
        2.0,
        4096,
        1000,
        4096,
        max_steps=100_000,
        optimizer_to_tolerance=gd.Momentum(lr=2e-4, momentum=0.9),
        dim=10,
    ),
    "rastrigin10-adam": Case(
        "rastrigin", {"dim": 10}, gd.Adam(lr=0.05), 5.0, 4096, 300, 4096, dim=10
    ),
}


@dataclass(frozen=True)
class Race:
    """One problem under any rule, for its nanoseconds per step: every run takes all the steps, and none diverges.

    `rate` is the learning rate of rules whose steps are as long as the gradient, `rate_scaled` that of all others.
    """

    case: Case
    rate: float
    rate_scaled: float = 0.05

    def optimizer(self, rule: str) -> gd.optimizers.Optimizer:
        """The rule with its default hyperparameters and the problem's rate."""
        return gd.optimizers.make(rule, lr=self.rate if rule in LIKE_THE_GRADIENT else self.rate_scaled)


# RAdam begins so
LIKE_THE_GRADIENT = ("gradient_descent", "momentum", "nesterov", "radam", "schedule_free_sgd")
RULES = sorted(
    name for name, kind in gd.optimizers.REGISTRY.items() if issubclass(kind, gd.optimizers.Optimizer)
)
RACES = {
    "himmelblau": Race(CASES["himmelblau-adam"], rate=1e-3),
    "rosenbrock10": Race(CASES["rosenbrock10-momentum"], rate=1e-5),
    "rastrigin10": Race(CASES["rastrigin10-adam"], rate=1e-3),
}


def skip_unless_cores(threads: int) -> None:
    """Leave a benchmark out where the machine has fewer cores than it asks for."""
    if threads > (os.cpu_count() or 1):
        raise NotImplementedError(f"{threads} threads on {os.cpu_count()} cores")
