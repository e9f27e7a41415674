"""Ctrl-C while runs are looked at: heard soon, and the runs are kept."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs

import fastgd as gd
from fastgd import comparison
from fastgd.basins import attractors, sweep
from fastgd.landscape import eigen

SOON = 5.0  # seconds; one is meant, on a machine with nothing else to do
BOWL = gd.problems.quadratic(2)
OPTIMIZERS = {name: gd.GradientDescent(lr=lr) for name, lr in (("slow", 0.05), ("fast", 0.1), ("last", 0.15))}


def seconds_until_heard(work: Any, after: float = 0.3) -> float:
    """How long a call goes on after Ctrl-C, which it raises."""
    struck: list[float] = []

    def strike(number: int, frame: Any) -> None:
        struck.append(time.perf_counter())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        with pytest.raises(KeyboardInterrupt):
            work()
        return time.perf_counter() - struck[0]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def many_ends(runs: int, n: int) -> gd.Result:
    rng = np.random.default_rng(0)
    x = rng.integers(-5, 6, (runs, n)) + rng.normal(0.0, 1e-7, (runs, n))
    zeros = np.zeros(runs)
    problem = gd.problems.make("rastrigin", dim=n)
    return gd.Result(x, np.abs(x).sum(axis=1), zeros, zeros.astype(int), zeros.astype(np.int8), problem=problem)


def test_grouping_is_left_at_once_and_is_the_same_as_before() -> None:
    few, many = many_ends(2000, 2), many_ends(2_000_000, 2)
    found = gd.find_basins(few)
    assert len(found) == 121
    assert found.counts.sum() == 2000
    assert seconds_until_heard(lambda: [gd.find_basins(many) for _ in range(100)]) < SOON


@pytest.mark.parametrize("name", ["group_points", "separated", "_known"])
def test_passes_over_all_ends_leave_the_main_thread_to_signals(name: str) -> None:
    where: list[threading.Thread] = []
    usual = getattr(attractors, name)

    def noted(*arguments: Any) -> Any:
        where.append(threading.current_thread())
        return usual(*arguments)

    with mock.patch.object(attractors, name, noted):
        gd.find_basins(many_ends(500, 2))
    assert where
    assert threading.main_thread() not in where


@pytest.mark.parametrize(("m", "n", "pieces"), [(3, 4, 1), (40, 100, 2), (2, 300, 2), (0, 5, 0)])
def test_eigenvalues_are_those_of_all_at_once_and_large_ones_leave_the_main_thread(m: int, n: int, pieces: int) -> None:
    a = np.random.default_rng(n).normal(size=(m, n, n))
    a = a + a.transpose(0, 2, 1)
    for own, theirs in ((eigen.eigh, np.linalg.eigh), (eigen.eigvalsh, np.linalg.eigvalsh)):
        where: list[threading.Thread] = []

        def noted(matrices: Any, solve: Any = theirs, where: Any = where) -> Any:
            where.append(threading.current_thread())
            return solve(matrices)

        with mock.patch.object(np.linalg, theirs.__name__, noted):
            found = own(a)
        assert len(where) == pieces
        assert (threading.main_thread() in where) == (n == 4)
        expected = theirs(a)
        if own is eigen.eigvalsh:
            found, expected = (found,), (expected,)
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one, other)


def test_looking_at_the_landscape_is_left_at_once() -> None:
    wide = gd.problems.make("rastrigin", dim=300)
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (300, 300))
    gd.classify(wide, points[:1])
    assert seconds_until_heard(lambda: gd.classify(wide, points)) < SOON
    himmelblau = gd.problems.himmelblau()
    gd.find_critical_points(himmelblau, 10)
    assert seconds_until_heard(lambda: gd.find_critical_points(himmelblau, 300_000)) < SOON


def test_a_comparison_keeps_the_optimizers_that_were_done() -> None:
    x0 = BOWL.sample(200, seed=0)
    calls = 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += done == total
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(gd.Interrupted, match="1 of 3 optimizers were done") as caught:
        gd.compare(BOWL, x0, OPTIMIZERS, reference=None, progress=progress)
    partial = caught.value.partial
    assert list(partial) == ["slow", "fast"]
    assert_same_runs(partial["slow"], gd.minimize(BOWL, x0, OPTIMIZERS["slow"]))
    assert gd.find_basins(partial["slow"]).counts.sum() == 200


@pytest.mark.parametrize("at", ["find_basins", "basin_agreement", "lowest_value"])
def test_a_comparison_keeps_all_runs_once_they_are_done(at: str) -> None:
    x0 = BOWL.sample(50, seed=0)
    with mock.patch.object(comparison, at, side_effect=KeyboardInterrupt), pytest.raises(gd.Interrupted) as caught:
        gd.compare(BOWL, x0, {"slow": OPTIMIZERS["slow"]}, reference=OPTIMIZERS["fast"])
    assert list(caught.value.partial) == ["slow", "reference"]
    assert all((runs.status >= 0).all() for runs in caught.value.partial.values())


def test_nothing_is_kept_of_a_comparison_that_had_not_begun() -> None:
    early = mock.patch.object(comparison, "minimize", side_effect=gd.Interrupted("early", partial="of one step"))
    with early, pytest.raises(gd.Interrupted, match="no run had begun") as caught:
        gd.compare(BOWL, BOWL.sample(5), OPTIMIZERS, reference=None)
    assert caught.value.partial is None


def test_sweeps_keep_their_runs() -> None:
    descent = OPTIMIZERS["slow"]
    struck = {"attribute": "find_basins", "side_effect": KeyboardInterrupt}
    with mock.patch.object(sweep, **struck), pytest.raises(gd.Interrupted) as caught:
        gd.sweep_basins(BOWL, descent, {"lr": [0.1, 0.2]}, n_starts=7)
    assert caught.value.partial.status.shape == (2, 7)
