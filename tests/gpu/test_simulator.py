"""The GPU target on Numba's simulator, against the CPU's scalar target.

Both are the same functions.  In plain Python (``NUMBA_DISABLE_JIT=1``) their arithmetic is the same to the last bit, so
any difference is one of the launches around it.  `make test` runs this file a second time with the simulator turned on.
"""

from unittest import mock

import numpy as np
import pytest
from simulated_cases import (
    BOWL,
    EXACT,
    LINE,
    ON_SIMULATOR,
    RUNS,
    SEARCHES,
    STARTS,
    STEPS,
    WEIGHTED,
    assert_same,
    on_gpu,
    optimizer_of,
    plan_of,
    rate_of,
    recorded,
    rule_plans,
    scalar_cpu,
    schedules_of,
)

import fastgd as gd
from fastgd.engine.plan import Arrays

pytestmark = ON_SIMULATOR
RULES = gd.optimizers.rules()
COMPILED = rule_plans
OWN = np.linspace(0.5, 1.0, RUNS)


@pytest.mark.parametrize("schedule", list(schedules_of(1.0)))
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_with_every_schedule(rule, schedule):
    optimizer = optimizer_of(rule, lr=schedules_of(rate_of(rule))[schedule])
    found = assert_same(plan_of(optimizer, starts=STARTS[:2], max_steps=7))
    assert np.all(found.nit > 0)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_with_all_there_is(rule):
    """Own hyperparameters, both clips, all stop tests, an average and a record."""
    optimizer = optimizer_of(rule, lr=rate_of(rule) * OWN, clip_value=20.0, clip_norm=15.0 * OWN)
    assert_same(
        plan_of(optimizer, xtol=1e-3, ftol=1e-3, patience=3, record=3, average=gd.SWA(start=4, every=2), bound=7.0)
    )


@pytest.mark.parametrize("options", [{}, {"dtype": np.float32, "gtol": 0.1}, {"record": 2, "xtol": 1e-3}], ids=str)
@pytest.mark.parametrize("name", SEARCHES)
def test_line_searches(name, options):
    found = assert_same(plan_of(SEARCHES[name], **{"gtol": 1e-6, "max_steps": 40, **options}))
    assert np.all(found.nfev > found.nit)
    assert_same(plan_of(SEARCHES[name], **{"gtol": 1e-6, "max_steps": 3, **options}))


def test_line_searches_with_numbers_of_their_own():
    assert_same(plan_of(gd.ConjugateGradient(line_search=gd.StrongWolfe(c2=np.linspace(0.1, 0.9, RUNS))), gtol=1e-6))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_with_a_memory_and_clips_and_an_average(rule):
    plateau = schedules_of(rate_of(rule))["ReduceOnPlateau"]
    assert_same(plan_of(optimizer_of(rule, lr=plateau, clip_norm=10.0), average=gd.EMA(beta=0.5, start=3), patience=4))


@pytest.mark.parametrize("rule", RULES)
def test_single_precision(rule):
    assert_same(plan_of(optimizer_of(rule), dtype=np.float32, record=5))


@pytest.mark.parametrize(
    "options",
    [
        {"gtol": None}, {"gtol": 50.0}, {"xtol": 0.05}, {"ftol": 1.0, "patience": 2}, {"bound": 4.0},
        {"max_steps": 1}, {"max_steps": 5}, {"max_steps": 6, "record": 1}, {"record": 4}, {"record": 100},
    ],
    ids=str,
)  # fmt: skip
def test_stop_tests_and_records(options):
    found = assert_same(plan_of(gd.Adam(lr=0.4), **options))
    every = options.get("record")
    assert found.trace.shape[1] == (0 if every is None else options.get("max_steps", STEPS) // every + 1)


def test_runs_that_end_at_many_different_steps():
    starts = BOWL.sample(23, seed=0)
    found = assert_same(plan_of(gd.GradientDescent(lr=0.02), starts=starts, max_steps=60, gtol=0.5, record=7))
    assert len(np.unique(found.nit)) > 5
    assert len(np.unique(found.status)) == 3


def test_a_point_that_is_not_finite_is_kept_back():
    found = assert_same(plan_of(gd.GradientDescent(lr=10.0), gtol=None, bound=np.inf))
    assert np.all(found.status == 3)
    assert np.isfinite(found.x).all()


def test_runs_without_an_end_have_met_an_exception():
    """A thread whose function raises ends on the spot; the simulator raises instead, so a status is taken away here."""
    from fastgd.engine import devices
    from fastgd.engine.cuda import job

    whole = job.Job.finish

    def lossy(self, room, low, high):
        yield from whole(self, room, low, high)
        self.arrays.status[2] = -1

    expected = scalar_cpu(plan_of(gd.Adam(lr=0.4)))
    with mock.patch.object(job.Job, "finish", lossy):
        with pytest.raises(gd.DeviceError, match=rf"bowl: its functions raised an exception in 1 of {RUNS} runs"):
            devices.run(plan_of(gd.Adam(lr=0.4)), "cuda", 1)
        with mock.patch.object(devices, "AUTO_RUNS", 1):
            found = devices.run(plan_of(gd.Adam(lr=0.4)), "auto", 1)  # goes to the CPU, which would raise it
    np.testing.assert_array_equal(found.status, expected.status)


def test_data_of_a_problem():
    starts = WEIGHTED.sample(RUNS, seed=1)
    for dtype in (np.float64, np.float32):
        assert_same(plan_of(gd.Momentum(lr=0.05), problem=WEIGHTED, starts=starts, dtype=dtype, gtol=1e-3))


@pytest.mark.parametrize("own", [False, True])
def test_chunks_smaller_than_the_batch_give_the_same(own):
    from fastgd.engine.cuda import memory

    starts = BOWL.sample(75, seed=4)
    lr = 0.004 * np.linspace(0.5, 1.0, 75) if own else 0.004
    plan = plan_of(gd.Momentum(lr=lr), starts=starts, average=gd.SWA(start=3), record=4, max_steps=8)
    reports: list[tuple[int, int]] = []
    with mock.patch.object(memory, "CHUNK_RUNS", 32):
        found = on_gpu(plan, lambda done, total: reports.append((done, total)))
    for name, a, b in zip(Arrays._fields, recorded(scalar_cpu(plan), 4), recorded(found, 4), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    done = [count for count, _ in reports]
    assert done == sorted(done)
    assert reports[-1] == (75, 75)


def test_memory_that_does_not_suffice_halves_the_chunk():
    from fastgd.engine.cuda import memory

    plan, sizes = plan_of(gd.Adam(lr=0.05), starts=BOWL.sample(100, seed=2), max_steps=2), []
    whole = memory.device_array

    def scarce(shape, dtype):
        if len(shape) == 3 and shape[2] == 32 and dtype == np.float64:
            sizes.append(shape[0] * 32)
            if shape[0] > 2:
                raise RuntimeError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuMemAlloc results in an error")
        return whole(shape, dtype)

    with mock.patch.object(memory, "device_array", scarce):
        found = on_gpu(plan)
    np.testing.assert_array_equal(found.x, scalar_cpu(plan).x)
    assert max(sizes) >= 100  # what was tried first
    with (
        mock.patch.object(memory, "device_array", side_effect=RuntimeError("CUDA_ERROR_OUT_OF_MEMORY")),
        pytest.raises(MemoryError, match="the GPU has no memory for 32 runs"),
    ):
        memory.allocate(lambda size: memory.device_array((size,), float), 300, (1000, 1000))


def test_an_error_that_is_not_of_memory_is_raised_at_once():
    from fastgd.engine.cuda import memory

    calls: list[int] = []

    def broken(size):
        calls.append(size)
        raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")

    with pytest.raises(RuntimeError, match="ILLEGAL_ADDRESS"):
        memory.allocate(broken, 300, (1000, 1000))
    assert len(calls) == 1


def test_an_interruption_keeps_the_runs_that_had_ended():
    plan = plan_of(gd.GradientDescent(lr=0.01), starts=BOWL.sample(40, seed=0), max_steps=60, gtol=5.0)

    def interrupt(done, total):
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(gd.Interrupted, match="of 40 runs") as caught:
        on_gpu(plan, interrupt)
    found, expected = caught.value.partial, scalar_cpu(plan)
    ended = found.status >= 0
    assert 10 <= ended.sum() < 40
    for name in ("x", "fun", "grad_norm", "nit", "status"):
        np.testing.assert_array_equal(getattr(found, name)[ended], getattr(expected, name)[ended], err_msg=name)
    assert np.all(found.nit[~ended] == 0)


def test_an_interruption_leaves_chunks_alone_that_have_not_begun():
    from fastgd.engine.cuda import memory

    starts = BOWL.sample(150, seed=0)
    plan, expected = (plan_of(gd.GradientDescent(lr=0.01), starts=starts, max_steps=8, gtol=5.0) for _ in range(2))

    def interrupt(done, total):
        if done >= 64:
            raise KeyboardInterrupt

    with mock.patch.object(memory, "CHUNK_RUNS", 32), pytest.raises(gd.Interrupted) as caught:
        on_gpu(plan, interrupt)
    found, ended = caught.value.partial, caught.value.partial.status >= 0
    assert 64 <= ended.sum() < 150
    assert not ended[128:].any()
    np.testing.assert_array_equal(found.x[ended], scalar_cpu(expected).x[ended])


def test_memory_that_gives_out_between_launches_halves_the_chunk_and_goes_on():
    """As where the threads' own arrays find no room; runs of chunks that had ended are not run again."""
    from fastgd.engine.cuda import job, memory

    plan = plan_of(gd.GradientDescent(lr=0.01), starts=BOWL.sample(200, seed=2), max_steps=12, gtol=5.0)
    whole, lows, told = job.Job.finish, [], []

    def scarce(self, room, low, high):
        lows.append(low)
        if high - low > 40 and low >= 128:
            raise RuntimeError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuLaunchKernelEx results in an error")
        return whole(self, room, low, high)

    with mock.patch.object(job.Job, "finish", scarce), mock.patch.object(memory, "CHUNK_RUNS", 64):
        found = on_gpu(plan, lambda done, total: told.append(done))
    expected = scalar_cpu(plan)
    for name in ("x", "fun", "grad_norm", "nit", "status"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert lows.count(0) == lows.count(64) == 1
    assert lows.count(128) == 2
    assert set(lows) == {0, 64, 128, 160, 192}
    assert told == sorted(told)
    assert told[-1] == 200
    with (
        mock.patch.object(job.Job, "finish", side_effect=RuntimeError("CUDA_ERROR_OUT_OF_MEMORY")),
        pytest.raises(MemoryError, match="the GPU's memory does not suffice for 2 parameters"),
    ):
        on_gpu(plan)


@pytest.mark.parametrize("problem", [BOWL, LINE], ids=lambda problem: problem.name)
def test_launches_that_take_long_become_short(problem):
    """What a launch takes changes no number; a sum over samples begins with a launch of one step."""
    from fastgd.engine.cuda import job

    spans = []
    arguments = job.Job.burst_arguments

    def watched(self, room, old, new, order, slots, span, out):
        spans.append(span)
        return arguments(self, room, old, new, order, slots, span, out)

    plan, lengths = plan_of(gd.GradientDescent(lr=1e-4), problem=problem, gtol=None, max_steps=20), []
    for long in (0.0, np.inf):
        spans.clear()
        with mock.patch.object(job, "LONG", long), mock.patch.object(job.Job, "burst_arguments", watched):
            assert_same(plan)
        lengths.append([last - first for first, last in spans if last - first and (first, last) != (0, 1)][:5])
    assert lengths[0] == ([5, 2] + [1] * 3 if problem is BOWL else [1] * 5)
    assert lengths[1] == ([5, 5, 5, 5] if problem is BOWL else [2, 4, 5, 5, 3])


def test_batch_sizes_of_their_own_keep_their_sums_in_working_memory():
    """So no thread has to have room for them, and runs of any number of parameters may have them."""
    from fastgd.engine.cuda import job

    options = {"problem": LINE, "gtol": None, "max_steps": 6}
    own, one = (plan_of(gd.Adam(lr=0.1), batch_size=size, **options) for size in (np.arange(1, RUNS + 1), 3))
    assert own.working == one.working + 1
    with mock.patch.object(job, "IN_PLACE_BYTES", 0):
        assert job.Job(own, 1).kernels.layout.working == job.Job(one, 1).kernels.layout.working + 2
        assert_same(own)


def test_the_order_of_the_survivors_does_not_change():
    """Which run ends when is read off the places that the survivors are given."""
    from fastgd.engine.cuda import job

    orders: list[list[int]] = []
    make_place = job.make_place

    def watched(threads):
        kernel = make_place(threads)

        def launch(blocks, width, stream, tags, slots, offsets, order):
            kernel.launch(blocks, width, stream, tags, slots, offsets, order)
            alive = int((tags[:, 0].copy_to_host().reshape(-1)[:slots] >= 0).sum())
            orders.append(order.copy_to_host()[:alive].tolist())

        return mock.Mock(launch=launch)

    with mock.patch.object(job, "make_place", watched):
        on_gpu(plan_of(gd.GradientDescent(lr=0.01), starts=BOWL.sample(40, seed=0), max_steps=60, gtol=5.0))
    assert len(orders) >= 2
    for order in orders:
        assert order == sorted(set(order))


@pytest.mark.parametrize("counts", [[], [3], [1, 0, 2, 5], list(range(40))], ids=len)
def test_the_sums_over_blocks(counts):
    from fastgd.engine.cuda.compaction import make_scan

    offsets, total = np.full(max(1, len(counts)), -1), np.zeros(1, np.int64)
    make_scan(4).launch(1, 4, 0, np.array(counts or [0], np.int64), len(counts), offsets, total)
    assert total[0] == sum(counts)
    assert offsets[: len(counts)].tolist() == np.cumsum([0, *counts])[:-1].tolist()


def test_minimize_takes_the_gpu_that_is_asked_for():
    starts = BOWL.sample(6, seed=5).reshape(2, 3, 2)
    runs = gd.minimize(BOWL, starts, gd.Adam(lr=0.3), device="cuda", max_steps=10, gtol=1.0, record=5)
    expected = scalar_cpu(plan_of(gd.Adam(lr=0.3), starts=starts, max_steps=10, record=5))
    assert runs.x.shape == (2, 3, 2)
    np.testing.assert_array_equal(runs.x.reshape(6, 2), expected.x)
    np.testing.assert_array_equal(runs.nit.reshape(6), expected.nit)
    cpu = gd.minimize(BOWL, starts, gd.Adam(lr=0.3), device="cpu", max_steps=10, gtol=1.0, record=5)
    np.testing.assert_array_equal(runs.x, cpu.x)
    np.testing.assert_array_equal(runs.trace, cpu.trace)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_against_the_compiled_scalar_target(rule, compiled):
    """To the last bit where IEEE rounds every operation; elsewhere powers and their like differ in a few units."""
    found = on_gpu(rule_plans()[rule])
    for name in ("nit", "status", "x", "fun", "grad_norm"):
        expected = compiled[f"{rule}.{name}"]
        if rule in EXACT or name in ("nit", "status"):
            np.testing.assert_array_equal(getattr(found, name), expected, err_msg=name)
        else:
            np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-11, atol=1e-13, err_msg=name)


def test_starts_on_the_gpu_give_results_there():
    from numba import cuda

    starts = BOWL.sample(6, seed=5).reshape(2, 3, 2)
    options = {"max_steps": 10, "gtol": 1.0, "record": 5, "average": gd.SWA(start=2)}
    host = gd.minimize(BOWL, starts, gd.Adam(lr=0.3), device="cuda", **options)
    given = cuda.to_device(starts)
    runs = gd.minimize(BOWL, given, gd.Adam(lr=0.3), **options)
    for name in ("x", "fun", "grad_norm", "nit", "status", "x_avg", "fun_avg"):
        found = getattr(runs, name)
        assert type(found) is type(given)
        np.testing.assert_array_equal(found.copy_to_host(), getattr(host, name), err_msg=name)
    points = host.trace.shape[-2]
    np.testing.assert_array_equal(runs.trace.copy_to_host()[..., :points, :], host.trace)
    np.testing.assert_array_equal(given.copy_to_host(), starts)


@pytest.mark.parametrize("optimizer", [gd.Adam(lr=0.3), gd.ConjugateGradient(), gd.GradientFlow(1e-3, 1e-5)], ids=str)
def test_a_single_start_on_the_gpu(optimizer):
    from numba import cuda

    options = {"max_steps": 5, "gtol": 1.0}
    host = gd.minimize(BOWL, STARTS[0], optimizer, device="cuda", **options)
    runs = gd.minimize(BOWL, cuda.to_device(STARTS[0]), optimizer, **options)
    assert runs.fun.shape == ()
    for name in ("x", "fun", "grad_norm", "nit", "status"):
        np.testing.assert_array_equal(getattr(runs, name).copy_to_host(), getattr(host, name), err_msg=name)


def test_one_start_on_the_gpu_for_many_rates():
    from numba import cuda

    lr = np.array([0.1, 0.2, 0.3])
    runs = gd.minimize(BOWL, cuda.to_device(STARTS[0]), gd.Adam(lr=lr), device="cuda", max_steps=9)
    np.testing.assert_array_equal(
        runs.x, gd.minimize(BOWL, STARTS[0], gd.Adam(lr=lr), device="cuda", max_steps=9).x
    )


def test_starts_on_the_gpu_are_checked():
    from numba import cuda

    with pytest.raises(ValueError, match=r"x0 must be finite .*, got 2 numbers that are not"):
        gd.minimize(BOWL, cuda.to_device(np.array([[1.0, np.nan], [np.inf, 0.0]])), gd.Adam())
    with pytest.raises(ValueError, match=r"shape \(\*batch, 2\)"):
        gd.minimize(BOWL, cuda.to_device(np.zeros((4, 3))), gd.Adam())
    with pytest.raises(TypeError, match="float64 or float32, got int64"):
        gd.minimize(BOWL, cuda.to_device(np.zeros((4, 2), int)), gd.Adam())
    with pytest.raises(ValueError, match='device="cpu" takes no starts that lie on a GPU'):
        gd.minimize(BOWL, cuda.to_device(np.zeros((4, 2))), gd.Adam(), device="cpu")
