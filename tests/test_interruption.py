"""What a long call says on its way, and what is left of one that is stopped."""

from __future__ import annotations

import io
import pickle
import signal
import threading
import time
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, form, same_bits

import fastgd as gd
from fastgd.engine import cpu

HIMMELBLAU = gd.problems.himmelblau()


BOWL = form(1.0, 10.0)


def in_chunks_of(size: int) -> Any:
    return mock.patch.object(cpu, "chunk_runs", return_value=size)


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_rises_to_the_whole(threads: int) -> None:
    heard: list[tuple[int, int]] = []
    with in_chunks_of(64):
        gd.minimize(
            HIMMELBLAU, HIMMELBLAU.sample(1000, seed=1), gd.GradientDescent(lr=0.01), threads=threads,
            progress=lambda done, total: heard.append((done, total)),
        )  # fmt: skip
    done = [d for d, _ in heard]
    assert len(heard) == 16
    assert all(a < b for a, b in zip([0, *done], done, strict=False))
    assert done[-1] == 1000
    assert {total for _, total in heard} == {1000}


def test_an_error_in_the_callers_progress_comes_through() -> None:
    def progress(done: int, total: int) -> None:
        raise RuntimeError("no room on the screen")

    before = threading.active_count()
    with in_chunks_of(64), pytest.raises(RuntimeError, match="no room on the screen"):
        gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(1000), gd.GradientDescent(lr=0.01), progress=progress)
    assert threading.active_count() == before


def test_the_bar_goes_to_the_error_stream_and_leaves_no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("FORCE_COLOR", "1")
    x0 = HIMMELBLAU.sample(1000)
    with in_chunks_of(64):
        runs = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), progress=True)
    assert "descending" in screen.getvalue()
    assert_same_runs(runs, gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01)))


def partial_of(error: gd.Interrupted, whole: gd.Result) -> np.ndarray:
    """Which runs of an interrupted call are done, after a check that they are those of the whole one."""
    partial = error.partial
    assert isinstance(error, KeyboardInterrupt)
    done = partial.status >= 0
    assert_same_runs(partial, whole, done, done)
    assert np.all(partial.status[~done] == gd.Status.NOT_RUN)
    assert np.all(partial.nit[~done] == 0)
    for array in (partial.x, partial.fun, partial.grad_norm):
        assert np.isnan(array[~done]).all()
    assert f"{done.sum()} of {done.size}" in str(error)
    return done


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interruption_keeps_the_finished_chunks(threads: int) -> None:
    x0 = HIMMELBLAU.sample(640, seed=2)
    rates = np.where(np.arange(640) < 128, 5e-4, 0.0)  # two chunks end, and eight stand still for a long time
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=rates), max_steps=20_000, record=500)
    assert np.mean(whole.nit[:128] > 1000) > 0.2
    assert whole.success[:128].all()

    def progress(done: int, total: int) -> None:
        if done >= 128:
            raise KeyboardInterrupt

    with in_chunks_of(64), pytest.raises(gd.Interrupted) as caught:
        gd.minimize(
            HIMMELBLAU, x0, gd.GradientDescent(lr=rates), max_steps=10_000_000, record=500, threads=threads,
            progress=progress,
        )  # fmt: skip
    done = partial_of(caught.value, whole)
    assert done.tolist() == [True] * 128 + [False] * 512
    partial = caught.value.partial
    assert whole.trace is not None
    points = partial.trace.shape[1]
    assert same_bits(partial.trace[done], whole.trace[done, :points])
    assert np.isnan(partial.trace[~done]).all()
    assert partial.summary()["counts"]["not_run"] == np.sum(~done)
    assert np.isfinite(partial.fun[partial.best])
    assert not np.any(partial.success[~done])


def test_ctrl_c_is_heard_within_a_second() -> None:
    """Chunks that would take minutes are stopped between bursts; some runs of theirs have met the tolerance already."""
    threads = threading.active_count()
    x0 = HIMMELBLAU.sample(20_000, seed=3)
    rates = np.where(np.arange(20_000) < 10_000, 0.01, 0.0)  # the second half stands still to the step limit
    rates[::2] = 0.01
    optimizer = gd.GradientDescent(lr=rates)
    whole = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=400)
    struck: list[float] = []

    def strike(number: int, frame: Any) -> None:
        struck.append(time.perf_counter())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with in_chunks_of(500), pytest.raises(gd.Interrupted) as caught:
            gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=50_000_000)
        ended = time.perf_counter()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert ended - struck[0] < 1.0
    done = partial_of(caught.value, whole)
    assert done[:10_000].all()
    assert done[10_000:10_500:2].all()  # of a chunk that was under way, the runs that had ended
    assert not done[10_001::2].any()
    assert threading.active_count() < threads + 20


def test_an_interruption_can_be_pickled() -> None:
    runs = gd.minimize(BOWL, [1.0, 1.0], gd.GradientDescent(lr=0.01), max_steps=5)
    copy = pickle.loads(pickle.dumps(gd.Interrupted("stopped", partial=runs)))
    assert str(copy) == "stopped"
    assert_same_runs(copy.partial, runs)
