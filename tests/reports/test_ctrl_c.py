"""Ctrl-C ends a call soon, whatever it is at, and keeps the runs that had ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import assert_same_runs

import fastgd as gd
from fastgd.engine.scheduler import run_chunks
from fastgd.jit.pool import Helpers, available_threads, interruptible

SOON = 5.0  # seconds; one is meant, on a machine with nothing else to do

PRELUDE = """
import json, os, signal, sys, threading, time, warnings
import numpy as np
import fastgd as gd

warnings.simplefilter("ignore")
# A shell's job in the background ignores Ctrl-C, and so do its children
signal.signal(signal.SIGINT, signal.default_int_handler)

def strike(*seconds):
    def go():
        for wait in seconds:
            time.sleep(wait)
            strike.at = time.perf_counter()
            os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=go, daemon=True).start()

def caught(call):
    try:
        call()
    except KeyboardInterrupt as error:
        return error, time.perf_counter() - strike.at
    raise AssertionError("nothing was interrupted")
"""


def told_by(script: str, limit: float = 120.0) -> Any:
    """What a script that begins with `PRELUDE` prints as JSON; it has to leave in time, and to say nothing else."""
    source = PRELUDE + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=limit, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout)


def test_an_endless_loop_in_a_function_ends_at_the_second_ctrl_c() -> None:
    """The first waits for the burst; and neither an endless loop nor its thread keeps the interpreter from leaving."""
    told = told_by(
        """
        def f(x):
            s = x[0] * x[0] + x[1] * x[1]
            while s > 1e-3 and s < 1e-2:
                s = s + 0.0 * x[0]
            return s

        def g(x, out):
            out[0], out[1] = 2.0 * x[0], 2.0 * x[1]
            s = x[0] * x[0] + x[1] * x[1]
            while s > 1e-3 and s < 1e-2:
                s = s + 0.0 * x[0]

        P = gd.Problem(f, g, dim=2, bounds=(-3.0, 3.0))
        gd.minimize(P, [1e-9, 0.0], gd.GradientDescent(lr=0.1))
        first, second = time.perf_counter(), []
        strike(1.0, 1.0)
        good = np.full((4096, 2), 1e-9)
        starts = np.concatenate([good, [[1.0, 1.0]], good])  # the one in the middle gets into the loop on its way
        error, after = caught(lambda: gd.minimize(P, starts, gd.GradientDescent(lr=0.1), threads=1))
        waited = time.perf_counter() - first
        status = error.partial.status.copy()
        strike(0.5)
        error_of_value, after_value = caught(lambda: P.value([0.05, 0.05]))
        strike(0.5)
        _, after_gradient = caught(lambda: P.gradient([[0.05, 0.05], [1.0, 1.0]]))
        print(json.dumps({
            "after": [after, after_value, after_gradient], "waited": waited, "kind": type(error).__name__,
            "ended": [int(k) for k in np.bincount(status + 1, minlength=2)],
            "same": bool((error.partial.status == status).all()), "threads": threading.active_count(),
            "again": P.value([1.0, 1.0]).tolist(),
        }))
        """
    )
    assert max(told["after"]) < SOON
    assert told["waited"] > 1.9  # the first one alone did not end it
    assert told["kind"] == "Interrupted"
    assert told["ended"][0] > 0
    assert told["ended"][1] >= 2000  # of those in chunks before
    assert told["same"]
    assert told["again"] == 2.0


def test_scipy_in_processes_hears_ctrl_c_and_keeps_what_had_ended() -> None:
    """Of runs that take no time, and of such that take longer than the first two; also of those not told of yet."""
    told = told_by(
        """
        from fastgd.baseline import one_by_one

        one_by_one.WORTH_PROCESSES, one_by_one.available_threads = 0.0, lambda: 2
        Q = gd.problems.quadratic(2)
        x0 = Q.sample(200_000, seed=0)
        x0[:2] = 0.0  # no steps
        begun = threading.Event()

        def when_begun(done, total):
            if done > 2 and not begun.is_set():
                begun.set()
                strike(0.3)

        seen = []
        for method in ("L-BFGS-B", "BFGS"):
            begun.clear()
            error, after = caught(lambda: gd.minimize(Q, x0, gd.SciPy(method), threads=2, progress=when_begun))
            status = error.partial.status
            found = error.partial.fun[status >= 0]
            seen.append([after, int((status >= 0).sum()), int(np.isfinite(found).sum()), str(error)])
        print(json.dumps(seen))
        """
    )
    for after, ended, finite, said in told:
        assert after < SOON
        assert 2 < ended == finite < 200_000
        assert said == f"interrupted after {ended} of 200000 runs"


def test_workers_leave_without_a_word_when_their_parent_is_killed() -> None:
    script = PRELUDE + textwrap.dedent(
        """
        from fastgd.baseline import one_by_one

        one_by_one.WORTH_PROCESSES, one_by_one.available_threads = 0.0, lambda: 2
        Q = gd.problems.quadratic(2)
        gd.minimize(Q, Q.sample(10**6, seed=0), gd.SciPy("BFGS"), threads=2,
                    progress=lambda done, total: done > 500 and print("begun", flush=True))
        """
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "begun\n"
        asking.kill()
        killed = time.perf_counter()
        _, said = asking.communicate(timeout=60.0)  # which the workers hold open while they live
    assert time.perf_counter() - killed < SOON
    assert not said


@pytest.mark.parametrize("method", ["CG", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-exact", "trust-constr"])
def test_scipy_is_stopped_between_two_evaluations_of_one_run(method: str) -> None:
    from fastgd.baseline.scipy import make_runner
    from fastgd.stopping import StopTests

    cancel = np.zeros(1, np.uint8)
    problem = gd.problems.himmelblau()
    run = make_runner(problem, gd.SciPy(method), StopTests(), cancel)
    start = np.array([0.5, -1.0])
    assert run(start) is not None
    cancel[0] = 1
    assert run(start) is None


class Struck:
    """Ctrl-C after so many seconds, on this thread; `after` is how long the block went on."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.at, self.after = seconds, 0.0, 0.0

    def strike(self, number: int, frame: Any) -> None:
        self.at = time.perf_counter()
        raise KeyboardInterrupt

    def __enter__(self) -> Struck:
        self.before = signal.signal(signal.SIGALRM, self.strike)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *error: Any) -> None:
        self.after = time.perf_counter() - self.at
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self.before)


def partial_of(error: gd.Interrupted, whole: gd.Result) -> np.ndarray:
    """Which runs of an interrupted call had ended, after a check that they are those of the whole one."""
    partial = error.partial
    ended = partial.status >= 0
    assert_same_runs(partial, whole, ended, ended)
    assert np.isnan(partial.x[~ended]).all()
    assert np.isnan(partial.fun[~ended]).all()
    assert not partial.nit[~ended].any()
    assert f"{ended.sum()} of {ended.size}" in str(error)
    return ended


def slope(x: Any, out: Any) -> None:
    """Of x² where y is small, and of |x| where it is large, whose kink no step and no flow comes to rest at."""
    out[0] = gd.select(x[1] > 0.5, gd.select(x[0] > 0.0, 1.0, -1.0), 2.0 * x[0])
    out[1] = 0.0 * x[1]


KINK = gd.Problem(
    lambda x: gd.select(x[1] > 0.5, abs(x[0]), x[0] * x[0]), slope, dim=2, bounds=(-1.0, 1.0), name="kink"
)
GOES_ON = (np.arange(120) % 40) == 7  # one chunk


@pytest.mark.parametrize("case", ["rule", "recorded", "averaged", "flow"])
def test_runs_of_a_chunk_that_had_ended_are_kept(case: str) -> None:
    """Most runs of the one chunk end soon, and a few never do."""
    x0 = np.stack([np.linspace(0.4, 0.9, 120), np.where(GOES_ON, 0.9, 0.1)], axis=1)
    optimizer: Any = gd.GradientFlow() if case == "flow" else gd.GradientDescent(lr=0.1)
    options: dict[str, Any] = {}
    if case == "averaged":
        options["average"] = gd.SWA(start=10)
    if case == "recorded":
        options["record"] = 2**30
    whole = gd.minimize(KINK, x0, optimizer, max_steps=2000, **{**options, "record": None})
    with Struck(0.7) as struck, pytest.raises(gd.Interrupted) as caught:
        gd.minimize(KINK, x0, optimizer, max_steps=2**36, threads=1, **options)
    assert struck.after < SOON
    ended = partial_of(caught.value, whole)
    assert ended.tolist() == (~GOES_ON).tolist()
    partial = caught.value.partial
    if case == "recorded":
        assert np.array_equal(partial.trace[ended, 0], x0[ended])
        assert np.isnan(partial.trace[~ended]).all()
    if case == "averaged":
        assert np.array_equal(partial.x_avg[ended], whole.x_avg[ended])
        assert np.isnan(partial.x_avg[~ended]).all()
        assert np.isnan(partial.fun_avg[~ended]).all()


def test_ctrl_c_during_a_compilation_leaves_a_result_without_runs_and_spoils_nothing(tmp_path: Path) -> None:
    """The compilation goes on meanwhile, so the next call has its kernel, of lanes, sooner."""
    os.environ["FASTGD_CACHE_DIR"], before = str(tmp_path), os.environ.get("FASTGD_CACHE_DIR")
    problem = gd.Problem(lambda x: (x[0] - 0.123) ** 2 + (x[1] * x[0]) ** 2, dim=2, bounds=(-1.0, 1.0))
    x0 = problem.sample(40, seed=0)
    try:
        for optimizer in (gd.Adam(lr=0.05), gd.SciPy("CG"), gd.GradientFlow()):
            with Struck(0.15) as struck, pytest.raises(gd.Interrupted, match="after 0 of 40 runs") as caught:
                gd.minimize(problem, x0, optimizer)
            assert struck.after < SOON
            assert (caught.value.partial.status == gd.Status.NOT_RUN).all()
            assert np.isnan(caught.value.partial.x).all()
        with Struck(0.15) as struck, pytest.raises(KeyboardInterrupt):
            problem.hessian(x0)
        assert struck.after < SOON
        assert gd.minimize(problem, x0, gd.Adam(lr=0.05)).success.all()  # a warning would be an error
        assert not list(tmp_path.rglob("*.scalar"))
    finally:
        if before is None:
            del os.environ["FASTGD_CACHE_DIR"]
        else:
            os.environ["FASTGD_CACHE_DIR"] = before


def test_a_thousand_thousand_threads_are_one_for_each_chunk() -> None:
    himmelblau = gd.problems.himmelblau()
    x0 = himmelblau.sample(3000, seed=0)
    usual = gd.minimize(himmelblau, x0, gd.GradientDescent(lr=0.01))
    before = threading.active_count()
    for threads in (10**6, 10**15, *range(1, 41)):
        assert_same_runs(gd.minimize(himmelblau, x0, gd.GradientDescent(lr=0.01), threads=threads), usual)
    assert threading.active_count() <= max(before, 40)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_no_more_tasks_than_chunks_and_no_more_threads_than_tasks(count: int) -> None:
    started: set[str] = set()
    here = threading.active_count()
    at_once = threading.Barrier(count, timeout=SOON)

    def work(low: int, high: int) -> bool:
        at_once.wait()  # every chunk has a thread of its own
        started.add(f"{low}")
        return True

    parts = [(k, k + 1) for k in range(count)]
    assert run_chunks(work, parts, 10**9, np.zeros(1, np.uint8), None, count) == count
    assert len(started) == count
    assert threading.active_count() <= max(here, 1) + count


def test_helpers_are_as_many_as_tasks_at_once() -> None:
    pool, before = Helpers(), threading.active_count()
    for _ in range(50):
        assert pool.submit(abs, -3).result() == 3
    assert threading.active_count() == before + 1
    gate = threading.Event()
    tasks = [pool.submit(gate.wait) for _ in range(5)]
    assert threading.active_count() == before + 5
    gate.set()
    assert all(task.result() for task in tasks)
    for _ in range(50):
        pool.submit(int).result()
    assert threading.active_count() == before + 5
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()


def test_interruptible_work_is_in_the_callers_context_and_raises_its_errors() -> None:
    with np.errstate(divide="ignore"):
        assert interruptible(lambda: float(np.float64(1.0) / np.float64(0.0))) == np.inf
    with pytest.raises(KeyError, match="lost"):
        interruptible({}.__getitem__, "lost")
    names: list[str] = []
    other = threading.Thread(target=lambda: interruptible(lambda: names.append(threading.current_thread().name)))
    other.start()
    other.join()
    assert names == [other.name]  # signals are for the main thread
    with Struck(0.2) as struck, pytest.raises(KeyboardInterrupt):
        interruptible(time.sleep, 30.0)
    assert struck.after < SOON
    assert available_threads() >= 1
