"""Mini-batches and noise on the GPU target, on Numba's simulator, against the CPU's scalar target: the same streams.

What is drawn is held against theory in `tests/test_stochastic.py`; here the two targets have to agree to the last bit.
"""

from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_cases import (
    BOWL,
    LINE,
    ON_SIMULATOR,
    RUNS,
    SAMPLES,
    STARTS,
    WEIGHTED,
    assert_same,
    drawing_plans,
    line_gradient,
    line_loss,
    on_gpu,
    optimizer_of,
    plan_of,
    rate_of,
    recorded,
    scalar_cpu,
    schedules_of,
)

import fastgd as gd
from fastgd.engine.plan import Arrays

pytestmark = ON_SIMULATOR
RULES = gd.optimizers.rules()
COMPILED = drawing_plans
SIZES = np.array([1, 7, 3, 4, 6])
SEEDS = np.array([5, 0, 2**63 - 1, 5, 2**32])
DESCENT = gd.GradientDescent(lr=0.03)
BATCHES = {
    "one": {"batch_size": 1}, "three": {"batch_size": 3}, "five": {"batch_size": 5}, "all": {"batch_size": SAMPLES},
    "replaced": {"batch_size": 6, "replace": True}, "more than all": {"batch_size": 9, "replace": True},
    "in order": {"batch_size": 3, "shuffle": False}, "shared": {"batch_size": 5, "shared_batches": True, "seed": 8},
    "shared by a seed of their own": {"batch_size": 2, "shared_batches": 4},
    "shared, replaced": {"batch_size": 6, "replace": True, "shared_batches": 2**62 + 1},
    "own sizes": {"batch_size": SIZES}, "own sizes, replaced": {"batch_size": SIZES + 2, "replace": True},
    "own sizes, in order": {"batch_size": SIZES, "shuffle": False},
}  # fmt: skip


def stochastic(optimizer=DESCENT, **options):
    """A plan on the line, whose runs all take the same number of steps."""
    return plan_of(optimizer, **{"problem": LINE, "gtol": None, "max_steps": 13, **options})


@pytest.mark.parametrize("noise", [0.0, 0.3, np.linspace(0.0, 1.0, RUNS)], ids=["no noise", "noise", "own noise"])
@pytest.mark.parametrize("kind", BATCHES)
def test_every_kind_of_batch(kind, noise):
    seeds = {} if "seed" in BATCHES[kind] else {"seed": SEEDS}
    found = assert_same(stochastic(noise=noise, **{**BATCHES[kind], **seeds}))
    assert np.all(found.nit == 13)
    moved = np.abs(found.x - on_gpu(stochastic()).x).max()
    assert moved < 1e-9 if kind == "all" and np.all(noise == 0.0) else moved > 1e-3


def test_runs_with_equal_seeds_draw_the_same_and_others_do_not():
    for options in ({"batch_size": 2}, {"noise": 0.5}, {"batch_size": 2, "replace": True}, {"batch_size": SIZES[:1]}):
        found = on_gpu(stochastic(starts=np.tile(STARTS[0], (RUNS, 1)), seed=SEEDS, **options))
        np.testing.assert_array_equal(found.x[0], found.x[3])
        assert len(np.unique(found.x[:, 0])) == RUNS - 1


@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule):
    optimizer = optimizer_of(rule, lr=rate_of(rule) * 5)
    assert_same(stochastic(optimizer, batch_size=3, noise=0.1))


@pytest.mark.parametrize("rule", ["nesterov", "schedule_free_adamw"])
@pytest.mark.parametrize("kind", ["five", "shared", "own sizes"])
def test_with_all_there_is(rule, kind):
    """Own hyperparameters, both clips, all stop tests with looks in between, an average and a record."""
    own = np.linspace(0.5, 1.0, RUNS)
    extra = {"look_ahead": True} if rule == "nesterov" else {}
    optimizer = optimizer_of(rule, lr=0.02 * own, clip_value=4.0, clip_norm=3.0 * own, **extra)
    assert_same(
        stochastic(
            optimizer, xtol=1e-3, ftol=1e-2, patience=2, gtol=0.5, record=3, average=gd.SWA(start=4, every=2),
            bound=5.5, check_every=2, noise=0.05 * own, max_steps=30, **BATCHES[kind],
        )
    )  # fmt: skip


def test_a_schedule_that_watches_the_value_hears_of_it_at_the_looks():
    plateau = schedules_of(0.05)["ReduceOnPlateau"]
    for every in (1, 3, None):
        assert_same(stochastic(gd.Momentum(lr=plateau), batch_size=3, check_every=every, max_steps=25))


def test_runs_with_batch_sizes_of_their_own_look_at_steps_of_their_own():
    plateau = schedules_of(0.05)["ReduceOnPlateau"]
    found = assert_same(stochastic(gd.Momentum(lr=plateau), batch_size=SIZES, ftol=1e-2, patience=2, max_steps=150))
    assert len(np.unique(found.nit)) > 2


@pytest.mark.parametrize("options", [{"batch_size": 5, "noise": 0.2}, {"batch_size": SIZES}, {"noise": 0.2}], ids=str)
def test_single_precision(options):
    found = assert_same(stochastic(gd.Adam(lr=0.1), dtype=np.float32, record=5, **options))
    assert found.x.dtype == np.float32


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 8, 9])
def test_noise_in_any_number_of_parameters(dim):
    """Four normal numbers come of one draw; the last one may be for fewer parameters."""
    bowl = gd.Problem(WEIGHTED.fun, WEIGHTED.grad, dim=dim, data=(np.arange(1.0, dim + 1), 0.5), name="bowl")
    starts = np.ones((RUNS, dim))
    found = assert_same(plan_of(gd.GradientDescent(lr=0.01), bowl, starts, noise=0.4, seed=SEEDS, gtol=None))
    moved = np.concatenate([found.x[[0, 1, 2, 4]].ravel()])
    assert len(np.unique(moved)) == moved.size


def test_full_batches_with_looks_in_between():
    assert_same(plan_of(gd.GradientDescent(lr=0.004), check_every=4, gtol=60.0, max_steps=30))


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 3}, {"batch_size": 5, "shared_batches": True}, {"batch_size": np.arange(13) % SAMPLES + 1}],
    ids=["own", "shared", "own sizes"],
)
def test_survivors_that_move_keep_their_seeds(options):
    starts = BOWL.sample(13, seed=0)
    found = assert_same(
        stochastic(starts=starts, max_steps=40, gtol=1.5, check_every=1, record=7, noise=0.2, seed=3, **options)
    )
    assert len(np.unique(found.nit)) > 5


@pytest.mark.parametrize("options", [
    {"batch_size": 3, "noise": 0.1, "seed": 5}, {"batch_size": 3, "seed": np.arange(75) * 3},
    {"batch_size": np.arange(75) % SAMPLES + 1, "seed": 5}, {"batch_size": 3, "shared_batches": True, "noise": 0.1},
], ids=["one seed", "seeds", "sizes", "shared"])  # fmt: skip
def test_chunks_smaller_than_the_batch_draw_the_same(options):
    from fastgd.engine.cuda import memory

    plan = stochastic(starts=BOWL.sample(75, seed=4), record=4, max_steps=8, **options)
    with mock.patch.object(memory, "CHUNK_RUNS", 32):
        found = on_gpu(plan)
    for name, a, b in zip(Arrays._fields, recorded(scalar_cpu(plan), 4), recorded(found, 4), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("places", [1, 12, 1000])
def test_large_shared_batches_shorten_the_launches(places):
    from fastgd.engine.cuda import job

    with mock.patch.object(job, "TABLE_PLACES", places):
        plan = stochastic(batch_size=6, shared_batches=True, seed=1)
        assert job.Job(plan, 1).steps == {1: 1, 12: 2, 1000: 5}[places]
        assert_same(plan)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("replace", [False, True])
def test_a_block_of_threads_shares_the_places_of_a_table(threads, replace):
    """However many threads there are, each place is worked out once, and as on the CPU."""
    from fastgd.engine.cuda import job

    with mock.patch.object(job, "THREADS", threads):
        for size in (1, 3, 4, 9, 31):
            t = np.linspace(-1.0, 1.0, 31)
            line = gd.FiniteSum(line_loss, line_gradient, data=(t, t * t), dim=2, name="line")
            options = {"batch_size": size, "replace": replace, "shared_batches": True, "seed": 2}
            assert_same(stochastic(problem=line, **options))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])  # it sets constants only
@given(st.data())
def test_any_samples_sizes_and_seeds(data):
    samples = data.draw(st.integers(1, 20))
    replace = data.draw(st.booleans())
    size = st.integers(1, 25 if replace else samples)
    own = data.draw(st.booleans())
    seed = st.integers(0, 2**63 - 1)
    options = {
        "batch_size": np.array(data.draw(st.lists(size, min_size=2, max_size=2))) if own else data.draw(size),
        "replace": replace, "shuffle": replace or data.draw(st.booleans()),
        "shared_batches": False if own else data.draw(st.one_of(st.just(False), seed)),
        "seed": data.draw(st.one_of(seed, st.lists(seed, min_size=2, max_size=2).map(np.array))),
        "noise": data.draw(st.sampled_from([0.0, 0.25])), "check_every": data.draw(st.sampled_from([None, 1, 4])),
    }  # fmt: skip
    t = np.linspace(-1.0, 1.0, samples)
    line = gd.FiniteSum(line_loss, line_gradient, data=(t, np.sin(3 * t)), dim=2, name="line")
    assert_same(stochastic(problem=line, starts=STARTS[:2], max_steps=9, gtol=0.1, **options))


@pytest.mark.parametrize("kind", drawing_plans())
def test_against_the_compiled_scalar_target(kind, compiled):
    """To the last bit; normal numbers but for the rounding of logarithm, sine and cosine."""
    found = on_gpu(drawing_plans()[kind])
    for name in ("nit", "status", "x", "fun", "grad_norm"):
        expected = compiled[f"{kind}.{name}"]
        if kind in ("own sizes", "noise") and name not in ("nit", "status"):
            np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(getattr(found, name), expected, err_msg=name)


def test_minimize_draws_on_the_gpu():
    starts, seeds = BOWL.sample(6, seed=5).reshape(2, 3, 2), np.array([[3], [9]])
    options = {"max_steps": 20, "batch_size": 2, "noise": 0.1, "seed": seeds, "record": 5, "average": gd.EMA(beta=0.9)}
    cpu, gpu = (gd.minimize(LINE, starts, gd.Adam(lr=0.3), device=device, **options) for device in ("cpu", "cuda"))
    assert gpu.x.shape == (2, 3, 2)
    for name in ("x", "fun", "grad_norm", "nit", "status", "trace", "x_avg", "fun_avg"):
        np.testing.assert_array_equal(getattr(gpu, name), getattr(cpu, name), err_msg=name)
    one = gd.minimize(LINE, starts[1, 2], gd.Adam(lr=0.3), device="cuda", **{**options, "seed": 9})
    np.testing.assert_array_equal(one.x, gpu.x[1, 2])


def test_many_runs_go_to_the_gpu_by_themselves():
    from fastgd.engine import cuda, devices

    calls = []
    run = cuda.run
    with (
        mock.patch.object(devices, "AUTO_RUNS", 4),
        mock.patch.object(cuda, "run", side_effect=lambda *given: calls.append(given) or run(*given)),
    ):
        for runs in (3, 5):
            gd.minimize(LINE, STARTS[:runs], DESCENT, batch_size=2, max_steps=5)
    assert [plan.runs for plan, _ in calls] == [5]


def test_starts_on_the_gpu():
    from numba import cuda

    starts = BOWL.sample(6, seed=5).reshape(2, 3, 2)
    options = {"max_steps": 20, "batch_size": 2, "noise": 0.1, "seed": np.arange(3)}
    host = gd.minimize(LINE, starts, gd.Adam(lr=0.3), device="cpu", **options)
    runs = gd.minimize(LINE, cuda.to_device(starts), gd.Adam(lr=0.3), **options)
    np.testing.assert_array_equal(runs.x.copy_to_host(), host.x)
    np.testing.assert_array_equal(runs.grad_norm.copy_to_host(), host.grad_norm)


def test_a_line_search_still_draws_nothing():
    with pytest.raises(ValueError, match="a line search needs exact values"):
        gd.minimize(LINE, STARTS, gd.ConjugateGradient(), device="cuda", batch_size=2)
    with pytest.raises(TypeError, match="batch_size needs a problem that is a mean over samples"):
        gd.minimize(BOWL, STARTS, gd.Adam(), device="cuda", batch_size=2)
