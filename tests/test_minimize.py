"""The public call: what broadcasts, when runs end, what is kept of them, and how the work is scheduled."""

from __future__ import annotations

import io
import math
import pickle
import signal
import threading
import time
import warnings
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, edge, folded, folded_gradient, folded_value, form, same_bits, trace_of

import fastgd as gd
from fastgd.engine import cpu

HIMMELBLAU = gd.problems.himmelblau()
BOWL = form(1.0, 10.0)


def in_chunks_of(size: int) -> Any:
    return mock.patch.object(cpu, "chunk_runs", return_value=size)


# Batch shapes


@pytest.mark.parametrize(
    ("start", "lr", "decay", "seed", "batch"),
    [
        ((2,), (), (), (), ()),
        ((5, 2), (), (), (), (5,)),
        ((2,), (3,), (), (), (3,)),
        ((5, 2), (5,), (), (), (5,)),
        ((5, 2), (4, 1), (), (), (4, 5)),
        ((2,), (4, 1), (5,), (), (4, 5)),
        ((1, 5, 2), (4, 1), (3, 1, 1), (5,), (3, 4, 5)),
        ((2,), (), (), (2, 3), (2, 3)),
        ((1, 2), (1,), (1, 1), (), (1, 1)),
    ],
)
def test_everything_broadcasts(start: Any, lr: Any, decay: Any, seed: Any, batch: Any) -> None:
    rng = np.random.default_rng(1)
    x0 = rng.uniform(-3, 3, start)
    rates, decays = rng.uniform(1e-3, 0.1, lr), rng.uniform(0.1, 0.2, decay)
    runs = gd.minimize(
        BOWL, x0, gd.GradientDescent(lr=rates, weight_decay=decays), max_steps=7, gtol=None, seed=np.zeros(seed, int)
    )
    assert runs.batch_shape == batch
    assert runs.x.shape == (*batch, 2)
    assert runs.fun.shape == runs.grad_norm.shape == runs.nit.shape == runs.status.shape == runs.success.shape == batch
    # on ½ c x² with decay w every step multiplies x by 1 - lr (c + w)
    c = np.array([1.0, 10.0])
    factor = 1 - rates[..., None] * (c + decays[..., None])
    expected = np.broadcast_to(x0 * factor**7, (*batch, 2))
    np.testing.assert_allclose(runs.x, expected, rtol=1e-12)
    np.testing.assert_allclose(runs.fun, 0.5 * np.sum(c * expected**2, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(runs.grad_norm, np.max(np.abs(c * expected), axis=-1), rtol=1e-12)


def test_lists_integers_and_strided_starts() -> None:
    x0 = np.asfortranarray(HIMMELBLAU.sample(30, seed=1))
    optimizer = gd.GradientDescent(lr=0.01)
    whole = gd.minimize(HIMMELBLAU, np.ascontiguousarray(x0), optimizer, max_steps=20)
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=20))
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, x0.tolist(), optimizer, max_steps=20))
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, np.repeat(x0, 2, axis=0)[::2], optimizer, max_steps=20))
    ints = gd.minimize(HIMMELBLAU, [[1, 2], [-3, 0]], optimizer, max_steps=20)
    assert_same_runs(ints, gd.minimize(HIMMELBLAU, [[1.0, 2.0], [-3.0, 0.0]], optimizer, max_steps=20))


def test_starts_are_not_written_to() -> None:
    x0 = HIMMELBLAU.sample(10, seed=1)
    kept = x0.copy()
    runs = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    assert same_bits(x0, kept)
    assert not np.shares_memory(runs.x, x0)


# How runs end


def test_value_and_gradient_are_those_of_the_end_point() -> None:
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(100, seed=2), gd.GradientDescent(lr=0.01), max_steps=15)
    assert set(np.unique(runs.status)) <= {0, 2, 3}
    np.testing.assert_allclose(runs.fun, HIMMELBLAU.value(runs.x), rtol=1e-13)
    np.testing.assert_allclose(runs.grad_norm, np.max(np.abs(HIMMELBLAU.gradient(runs.x)), axis=-1), rtol=1e-13)


def test_steps_to_the_gradient_tolerance_are_exact() -> None:
    """With curvature c and rate h the gradient after t steps is c x0 (1 - h c)^t."""
    rates, starts = np.linspace(0.02, 0.9, 50)[:, None], np.array([1e-3, 0.1, 1.0, 4.0])
    x0 = np.stack([starts, 0.0 * starts], axis=-1)
    for gtol in (1e-3, 1e-6, 3e-9):
        runs = gd.minimize(form(1.0, 1.0), x0, gd.GradientDescent(lr=rates), gtol=gtol)
        steps = np.maximum(0, np.ceil(np.log(gtol / starts) / np.log1p(-rates)))
        assert runs.success.all()
        assert runs.nit.tolist() == steps.astype(int).tolist()


def test_a_start_at_a_minimum_takes_no_step() -> None:
    runs = gd.minimize(HIMMELBLAU, [3.0, 2.0], gd.GradientDescent(lr=0.01))
    assert (int(runs.nit), int(runs.status), float(runs.fun)) == (0, 0, 0.0)
    assert runs.x.tolist() == [3.0, 2.0]


def test_the_step_limit_is_exact_and_may_meet_the_tolerance() -> None:
    x0 = HIMMELBLAU.sample(200, seed=3)
    free = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    assert free.success.all()
    for limit in (1, 31, 32, 33, 45, 64):
        cut = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), max_steps=limit)
        assert cut.status.tolist() == np.where(free.nit <= limit, 0, 2).tolist()
        assert cut.nit.tolist() == np.minimum(free.nit, limit).tolist()
        done = free.nit <= limit
        assert_same_runs(cut, free, done, done)
    limit = int(np.median(free.nit))  # some run meets the tolerance with its last step
    assert np.any(free.nit == limit)
    at_limit = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), max_steps=limit)
    assert np.all(at_limit.status[free.nit == limit] == 0)


def test_without_tolerance_every_run_goes_to_the_limit() -> None:
    runs = gd.minimize(HIMMELBLAU, [[3.0, 2.0], [0.0, 0.0]], gd.GradientDescent(lr=0.01), gtol=None, max_steps=50)
    assert runs.status.tolist() == [2, 2]
    assert runs.nit.tolist() == [50, 50]
    exact = gd.minimize(HIMMELBLAU, [[3.0, 2.0], [0.0, 0.0]], gd.GradientDescent(lr=0.01), gtol=0.0, max_steps=50)
    assert exact.status.tolist() == [0, 2]


def test_xtol_ends_a_run_after_its_first_small_step() -> None:
    """The t-th step has the length h x0 (1 - h)^(t-1)."""
    xtol, rates = 1e-7, np.array([0.05, 0.3, 0.5])
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.0], gd.GradientDescent(lr=rates), gtol=None, xtol=xtol)
    steps = np.ceil(np.log(xtol / rates) / np.log1p(-rates)) + 1
    assert runs.status.tolist() == [1, 1, 1]
    assert runs.nit.tolist() == steps.astype(int).tolist()
    np.testing.assert_allclose(runs.x[:, 0], (1 - rates) ** steps, rtol=1e-12)


def test_a_rate_of_zero_is_no_progress() -> None:
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.0], gd.GradientDescent(lr=np.zeros(3)), xtol=0.0)
    assert runs.status.tolist() == [1, 1, 1]
    assert runs.nit.tolist() == [1, 1, 1]


def stalls_at(values: np.ndarray, ftol: float, patience: int) -> int:
    """The step at which the best value has not fallen enough for `patience` steps."""
    best, waited = math.inf, 0
    for t, f in enumerate(values):
        if f < best - ftol * max(abs(f), 1.0):
            best, waited = f, 0
        else:
            waited += 1
        if waited >= patience:
            return t
    return -1


@pytest.mark.parametrize(
    ("ftol", "patience"), [(1e-3, None), (1e-3, 4), (1e-9, 1), (0.0, 6), (None, 1), (None, 6), (0.5, 40)]
)
def test_ftol_and_patience(ftol: float | None, patience: int | None) -> None:
    """Under a rate past half the stability limit values rise and fall, so patience matters."""
    x0, optimizer = HIMMELBLAU.sample(40, seed=4), gd.Momentum(lr=0.002, momentum=0.95)
    runs = gd.minimize(HIMMELBLAU, x0, optimizer, gtol=None, ftol=ftol, patience=patience, record=1, max_steps=3000)
    assert np.all(runs.status == 1)
    values = HIMMELBLAU.value(trace_of(HIMMELBLAU, x0, optimizer, max_steps=3000))
    expected = [stalls_at(v, ftol or 0.0, patience or 1) for v in values]
    assert runs.nit.tolist() == expected
    assert len(set(expected)) > 3


@pytest.mark.parametrize("bound", [4.0, 100.0, 1e10])
def test_a_diverged_run_keeps_its_last_point_inside_the_bound(bound: float) -> None:
    """x is multiplied by 1 - h at each step, here by -3."""
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.5], gd.GradientDescent(lr=[4.0]), bound=bound)
    steps = math.floor(math.log(bound) / math.log(3.0))
    assert runs.status.tolist() == [3]
    assert runs.nit.tolist() == [steps]
    assert runs.x.tolist() == [[(-3.0) ** steps, 0.5 * (-3.0) ** steps]]
    assert runs.fun.tolist() == [0.5 * 1.25 * 9.0**steps]


@pytest.mark.parametrize("problem", [form(*[1.0] * 2), form(*[1.0] * 40)], ids=["2", "40"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bound_is_one_of_each_parameter_and_not_of_their_sum(problem: gd.Problem, dtype: str) -> None:
    """Every parameter changes its sign and nothing else at each step, at the bound or just past it."""
    x0 = np.full((40, problem.dim), 8.0)
    x0[::3, 1] = np.nextafter(np.float32(8.0), np.float32(9.0))
    runs = gd.minimize(problem, x0, gd.GradientDescent(lr=2.0), bound=8.0, gtol=None, max_steps=10, dtype=dtype)
    beyond = x0[:, 1] > 8.0
    assert np.all(runs.status == np.where(beyond, 3, 2))
    assert np.all(runs.nit == np.where(beyond, 0, 10))
    np.testing.assert_array_equal(runs.x, x0)


def test_one_diverging_run_leaves_the_others_bit_for_bit() -> None:
    x0, calm = HIMMELBLAU.sample(500, seed=5), np.full(500, 0.01)
    wild = calm.copy()
    wild[[3, 77, 78, 499]] = 1e200, 5.0, np.finfo(float).max, 0.3
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=calm))
    runs = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=wild))
    assert np.all(runs.status[wild != calm] == 3)
    assert np.all(np.isfinite(runs.x))
    assert_same_runs(runs, whole, wild == calm, wild == calm)


def test_without_a_bound_an_infinite_point_is_still_divergence() -> None:
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.5], gd.GradientDescent(lr=[1e250]), bound=np.inf)
    assert runs.status.tolist() == [3]
    assert runs.x.tolist() == [[1.0 - 1e250, 0.5 - 0.5e250]]
    runs = gd.minimize(BOWL, [1.0, 0.5], gd.GradientDescent(lr=[1e30]), bound=np.inf, dtype=np.float32)
    assert runs.status.tolist() == [3]
    assert np.isfinite(runs.x).all()


def nan_component(x):
    return 1e-9 * x[0] + math.sqrt(x[1]) + 1e-9 * x[2]


def nan_component_gradient(x, out):
    out[0] = 1e-9
    out[1] = 0.5 / math.sqrt(x[1])
    out[2] = 1e-9


def test_a_nan_among_tiny_components_is_not_convergence() -> None:
    problem = gd.Problem(nan_component, nan_component_gradient, dim=3)
    x0 = np.array([[0.0, -1.0, 0.0], [0.0, 1e16, 0.0]])
    runs = gd.minimize(problem, x0, gd.GradientDescent(lr=1e-3), bound=1e20, max_steps=5)
    assert runs.status.tolist() == [3, 0]
    assert runs.nit.tolist() == [0, 0]
    assert np.isnan(runs.grad_norm[0])
    assert np.isnan(runs.fun[0])
    last = gd.minimize(problem, x0, gd.GradientDescent(lr=0.0), bound=1e20, max_steps=1)
    assert last.status.tolist() == [3, 0]


# Recorded paths


def test_recorded_points_are_those_of_the_path() -> None:
    x0 = HIMMELBLAU.sample(150, seed=6)
    rates = np.full(150, 0.01)
    rates[[20, 70]] = 3.0, 1e-4
    optimizer = gd.GradientDescent(lr=rates)
    plain = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=100)
    every = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=100, record=1)
    assert_same_runs(plain, every)
    assert plain.trace is None
    assert set(np.unique(every.status)) == {0, 2, 3}
    trace = every.trace
    assert trace is not None
    assert trace.shape == (150, every.nit.max() + 1, 2)
    for k in range(150):
        t = every.nit[k]
        assert same_bits(trace[k, 0], x0[k])
        assert same_bits(trace[k, t], every.x[k])
        assert np.isfinite(trace[k, : t + 1]).all()
        assert np.isnan(trace[k, t + 1 :]).all()
    for steps in (1, 13, 32, 57):  # the points between are those of shorter descents
        short = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=steps)
        going = every.nit >= steps
        assert same_bits(trace[going, steps], short.x[going])
    for k in (2, 7, 32, 33, 99, 100, 101, 5000):
        for size in (7, 4096):
            with in_chunks_of(size):
                some = gd.minimize(HIMMELBLAU, x0, optimizer, max_steps=100, record=k)
            assert_same_runs(plain, some)
            assert same_bits(some.trace, trace[:, ::k])


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_a_step_that_ends_a_run_by_xtol_is_recorded(k: int) -> None:
    rates = np.linspace(0.05, 0.9, 30)
    runs = gd.minimize(form(1.0, 1.0), [1.0, 0.0], gd.GradientDescent(lr=rates), gtol=None, xtol=1e-6, record=k)
    assert runs.trace is not None
    last = runs.nit // k
    t = np.arange(last.max() + 1)
    expected = np.where(t <= last[:, None], (1 - rates[:, None]) ** (k * t), np.nan)
    np.testing.assert_allclose(runs.trace[..., 0], expected, rtol=1e-12)
    assert np.any(runs.nit % k == 0)


def test_traces_keep_the_batch_shape() -> None:
    grid = gd.GradientDescent(lr=np.full((2, 3), 0.01))
    assert trace_of(BOWL, [1.0, 1.0], grid, max_steps=8, record=4).shape == (2, 3, 3, 2)
    assert trace_of(BOWL, [1.0, 1.0], gd.GradientDescent(lr=0.01), max_steps=8, record=3).shape == (3, 2)


# Single precision, threads, progress


def test_single_precision() -> None:
    x0 = HIMMELBLAU.sample(500, seed=7)
    runs = gd.minimize(HIMMELBLAU, x0, gd.Adam(lr=np.full(500, 0.05)), dtype=np.float32, gtol=1e-3, max_steps=3000)
    for name in ("x", "fun", "grad_norm"):
        assert getattr(runs, name).dtype == np.float32
    assert np.mean(runs.success) > 0.99
    assert np.all(runs.grad_norm[runs.success] <= np.float32(1e-3))
    distance = np.max(np.abs(runs.x[:, None] - HIMMELBLAU.minima), axis=-1).min(axis=-1)
    assert np.max(distance[runs.success]) < 1e-4


@pytest.mark.parametrize("threads", [1, 2, 5, np.int64(3)])
def test_any_number_of_threads(threads: int) -> None:
    x0 = HIMMELBLAU.sample(3000, seed=8)
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01), threads=threads))


def test_calls_from_several_threads_at_once() -> None:
    x0 = HIMMELBLAU.sample(2000, seed=9)
    whole = gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))
    found: list[gd.Result] = []
    callers = [
        threading.Thread(target=lambda: found.append(gd.minimize(HIMMELBLAU, x0, gd.GradientDescent(lr=0.01))))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4
    for runs in found:
        assert_same_runs(whole, runs)


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


# Interruption


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
    assert not done[10_500:].any()
    assert threading.active_count() < 20


def test_an_interruption_can_be_pickled() -> None:
    runs = gd.minimize(BOWL, [1.0, 1.0], gd.GradientDescent(lr=0.01), max_steps=5)
    copy = pickle.loads(pickle.dumps(gd.Interrupted("stopped", partial=runs)))
    assert str(copy) == "stopped"
    assert_same_runs(copy.partial, runs)


# The scalar target


def twice_folded_value(x):
    return 2.0 * x[0] * x[0] + x[1] * x[1] if x[0] > 0.5 else x[0] * x[0] + 0.25 + x[1] * x[1]


def twice_folded_gradient(x, out):
    out[0] = 4.0 * x[0] if x[0] > 0.5 else 2.0 * x[0]
    out[1] = 2.0 * x[1]


def test_a_branch_on_x_runs_on_scalars_with_one_warning() -> None:
    problem = gd.Problem(twice_folded_value, twice_folded_gradient, dim=2, name="twice_folded")
    with pytest.warns(UserWarning, match=r"twice_folded: .*slower.*branch on x.*select") as caught:
        runs = gd.minimize(problem, [[2.0, 1.0], [-2.0, 1.0]], gd.GradientDescent(lr=0.1))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert runs.success.all()
    np.testing.assert_allclose(runs.x, 0.0, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = gd.minimize(problem, [[2.0, 1.0], [-2.0, 1.0]], gd.GradientDescent(lr=0.1))
    assert_same_runs(runs, again)


def test_both_targets_find_the_same() -> None:
    x0 = HIMMELBLAU.sample(100, seed=3)
    optimizer = gd.Adam(lr=np.full(100, 0.05), weight_decay=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scalar = gd.minimize(folded(), x0, optimizer)
    lanes = gd.minimize(HIMMELBLAU, x0, gd.Adam(lr=np.full(100, 0.05)))
    assert scalar.success.all()
    minima = np.array(HIMMELBLAU.minima)
    basins, others = (np.max(np.abs(r.x[:, None] - minima), axis=-1).argmin(axis=-1) for r in (scalar, lanes))
    assert np.mean(basins == others) > 0.97
    np.testing.assert_allclose(scalar.x, minima[basins], atol=1e-6)
    assert folded_value([3.0, 2.0]) == 0.0
    out = [1.0, 1.0]
    folded_gradient([3.0, 2.0], out)
    assert out == [0.0, 0.0]


# The result


def test_the_best_run_has_the_lowest_value_of_those_that_stayed() -> None:
    optimizer = gd.GradientDescent(lr=[[0.01, 5.0], [1e-6, 0.001]])
    runs = gd.minimize(HIMMELBLAU, [0.0, 0.0], optimizer, max_steps=30)
    assert runs.status[0, 1] == 3
    assert runs.best == (0, 0)
    assert runs.fun[runs.best] == runs.fun_best == np.nanmin(runs.fun)
    np.testing.assert_array_equal(runs.x_best, runs.x[0, 0])
    one = gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientDescent(lr=0.01))
    assert one.best == ()
    assert one.fun_best == one.fun
    np.testing.assert_array_equal(one.x_best, one.x)
    lost = gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientDescent(lr=[5.0, 6.0]), max_steps=30)
    with pytest.raises(ValueError, match="no run is left to choose from"):
        _ = lost.x_best


def test_what_is_said_of_a_result() -> None:
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(64, seed=1), gd.GradientDescent(lr=np.r_[[5.0] * 4, [0.01] * 60]))
    facts = runs.summary()
    assert facts["runs"] == 64
    assert facts["counts"] == {"converged": 60, "diverged": 4}
    assert facts["success_rate"] == 60 / 64
    assert facts["nit_max"] == runs.nit.max()
    assert set(runs.messages) == {0, 3}
    text = str(runs)
    for words in ("64 runs on himmelblau by GradientDescent", "converged", "93.75%", "diverged", "6.25%"):
        assert words in text
    lost = gd.minimize(HIMMELBLAU, [np.sqrt(1e308), 0.0], gd.GradientDescent(lr=0.01))
    assert str(lost).startswith("1 run on himmelblau")
    assert "nan" not in str(lost)
    assert runs.problem is HIMMELBLAU
    assert isinstance(runs.optimizer, gd.GradientDescent)


def test_a_problem_with_a_singular_edge_still_counts_in_the_summary() -> None:
    runs = gd.minimize(edge(), [[-1.0, 1.0], [1.2, 1.0]], gd.GradientDescent(lr=[0.1, 0.1]))
    facts = runs.summary()
    assert facts["counts"] == {"converged": 1, "diverged": 1}
    assert facts["fun_min"] == pytest.approx(-0.5, abs=1e-9)


def nowhere(x):
    return math.log(x[0]) + 0.5 * x[0] ** 2 + 2.5 * x[0] + x[1] ** 2


def slope_of_nowhere(x, out):
    out[0] = 1.0 / x[0] + x[0] + 2.5  # 0 at -2 and at -1/2, where there is no logarithm
    out[1] = 2.0 * x[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_the_value_is_not_finite_no_run_has_arrived(dtype):
    problem = gd.Problem(nowhere, slope_of_nowhere, dim=2, bounds=(-3, 3))
    starts = np.array([[-2.0, 0.0], [-2.5, 1.0], [-1.5, 1.0]])
    runs = gd.minimize(problem, starts, gd.GradientDescent(lr=0.05), dtype=dtype, gtol=1e-4)
    assert np.isnan(runs.fun).all()
    assert np.all(runs.grad_norm <= 1e-4)
    assert np.all(runs.status == gd.Status.DIVERGED)
    assert not runs.success.any()
    assert np.all(gd.find_basins(runs).labels == -2)
    early = gd.minimize(problem, starts[1:], gd.GradientDescent(lr=0.05), dtype=dtype, max_steps=3)
    assert np.all(early.status == gd.Status.DIVERGED)
