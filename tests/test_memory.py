"""What is larger than the machine's memory is refused before any work, with what came and what it would take."""

from __future__ import annotations

import numpy as np
import pytest

import fastgd as gd
from fastgd import memory

PROBLEM = gd.problems.himmelblau()
ADAM = gd.Adam(lr=0.05)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: PROBLEM.sample(10**12), r"n=1,000,000,000,000 points of 2 parameters would take 14\.6 TiB"),
    (lambda: PROBLEM.sample(10**12, method="sobol"), r"n=1,000,000,000,000 points"),
    (lambda: PROBLEM.sample(10**12, method="grid"), r"n=1,000,000,000,000 points"),
    (lambda: PROBLEM.sample(10**18), r"n=1,000,.* would take 13\.9 EiB"),
    (lambda: PROBLEM.grid(10**6), r"shape=\(1000000, 1000000\): 1,000,000,000,000 points of 2 parameters"),
    (lambda: gd.find_critical_points(PROBLEM, n_starts=10**12), r"n_starts=1,000,000,000,000 points of 2 parameters"),
    (lambda: gd.map_basins(PROBLEM, ADAM, (10**6, 10**6)), r"shape=\(1000000, 1000000\): 1,000,000,000,000 points"),
    (lambda: gd.sweep_basins(PROBLEM, ADAM, {"lr": [0.1]}, n_starts=10**12), r"n_starts=1,000,000,000,000 points"),
    (lambda: gd.measures.uncertainty_by_pairs(PROBLEM, ADAM, n_pairs=10**12), r"n_pairs=1,000,000,000,000 points"),
    (
        lambda: gd.minimize(PROBLEM, np.zeros((10**6, 2)), gd.Adam(lr=np.full((10**6, 1), 0.1))),
        r"x0, hyperparameters and seeds make a batch of shape \(1000000, 1000000\), whose result would take 37\.3 TiB",
    ),
    (lambda: gd.problems.mlp(np.eye(3), np.eye(3), [5]).sample(10**12), r"n=1,000,000,000,000 points of 38 parameters"),
    (lambda: gd.problems.gaussian_mixture(np.eye(3), 2).sample(10**12), r"n=1,000,000,000,000 points of"),
])  # fmt: skip
def test_what_is_larger_than_memory_is_refused(call, said):
    with pytest.raises(ValueError, match=said + ".* this machine has .* of memory; give fewer"):
        call()


def test_the_limit_is_that_of_the_machine(monkeypatch):
    monkeypatch.setattr(memory, "memory_limit", lambda: 16_000)
    assert PROBLEM.sample(1000).shape == (1000, 2)
    with pytest.raises(ValueError, match=r"n=1,001 points .* 15\.6 KiB, and this machine has 15\.6 KiB of memory"):
        PROBLEM.sample(1001)


def test_more_starts_than_sobols_sequence_has(monkeypatch):
    for name in ("memory_limit", "available_memory"):
        monkeypatch.setattr(memory, name, lambda: float("inf"))
    with pytest.raises(ValueError, match="n_starts must be at most 1,073,741,824, got 1,073,741,825"):
        gd.find_critical_points(PROBLEM, n_starts=2**30 + 1)
