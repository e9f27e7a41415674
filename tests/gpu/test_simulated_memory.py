"""The gradient flow on Numba's simulator, and runs that step in global memory, against the CPU's scalar target."""

from unittest import mock

import numpy as np
import pytest
from simulated_cases import (
    BOWL,
    ON_SIMULATOR,
    RUNS,
    SEARCHES,
    STARTS,
    WEIGHTED,
    assert_same,
    optimizer_of,
    plan_of,
    rate_of,
    schedules_of,
    steep_gradient,
    steep_value,
)

import fastgd as gd
from fastgd.stopping import STIFF, StopTests

pytestmark = ON_SIMULATOR
RULES = gd.optimizers.rules()
OWN = np.linspace(0.5, 1.0, RUNS)


def flow_plan(starts=STARTS, problem=BOWL, **tests):
    from fastgd.baseline import flow, runs

    stop = StopTests(**{"max_steps": 40, "gtol": 1e-3, **tests})
    return flow.plan_of(runs.Task(problem, gd.GradientFlow(1e-5, 1e-7), starts, starts.shape[:-1], stop))


@pytest.mark.parametrize(
    "tests", [{}, {"max_steps": 3}, {"gtol": None, "max_steps": 9}, {"bound": 3.0, "gtol": 10.0}], ids=str
)
def test_the_gradient_flow(tests):
    found = assert_same(flow_plan(np.vstack([STARTS, [[3.0, 2.0]]]), **tests))  # the last one is a minimum
    assert np.all((found.nfev - 1) % 6 == 0)
    assert found.nit[-1] == (0 if tests.get("gtol", 1.0) is not None else 9)


def test_the_flow_of_a_problem_with_data():
    assert_same(flow_plan(WEIGHTED.sample(RUNS, seed=1), WEIGHTED))


def test_the_flow_in_chunks_with_stiff_runs_and_its_progress():
    """Those that are stiff go to the CPU's reference; what is told of them grows from end to end."""
    from fastgd.engine.cuda import memory

    steep = gd.Problem(steep_value, steep_gradient, dim=2, name="steep")
    starts, stiff = np.zeros((36, 2)), [3, 20, 35]
    starts[stiff] = 1.0
    ended = assert_same(flow_plan(starts, steep, max_steps=60, gtol=1e-6))
    assert np.flatnonzero(ended.status == STIFF).tolist() == stiff
    heard: list[tuple[int, int]] = []
    options = {"max_steps": 60, "progress": lambda done, total: heard.append((done, total))}
    with mock.patch.object(memory, "CHUNK_RUNS", 32):
        gpu = gd.minimize(steep, starts, gd.GradientFlow(1e-5, 1e-7), device="cuda", **options)
    assert heard == sorted(heard)
    assert heard[-1] == (36, 36)
    assert (33, 36) in heard
    cpu = gd.minimize(steep, starts, gd.GradientFlow(1e-5, 1e-7), device="cpu", max_steps=60)
    for name in ("x", "fun", "grad_norm", "nit", "status", "nfev", "njev"):
        np.testing.assert_array_equal(getattr(gpu, name), getattr(cpu, name), err_msg=name)
    assert np.all(gpu.nit[stiff] > 30)


def test_a_flow_whose_starts_lie_on_the_gpu_stays_there():
    from numba import cuda

    starts = np.vstack([STARTS, [[3.0, 2.0]]]).reshape(2, 3, 2)
    options = {"max_steps": 40, "gtol": 1e-3}
    host = gd.minimize(BOWL, starts, gd.GradientFlow(1e-5, 1e-7), device="cpu", **options)
    given = cuda.to_device(starts)
    copied = type(given).copy_to_host
    with mock.patch.object(type(given), "copy_to_host", autospec=True, side_effect=copied) as home:
        runs = gd.minimize(BOWL, given, gd.GradientFlow(1e-5, 1e-7), **options)
        assert not any(call.args[0].dtype == np.float64 for call in home.call_args_list)
    for name in ("x", "fun", "grad_norm", "nit", "status", "nfev", "njev"):
        found = getattr(runs, name)
        assert type(found) is type(given)
        np.testing.assert_array_equal(found.copy_to_host(), getattr(host, name), err_msg=name)
    with pytest.raises(TypeError, match="x0 must lie in the host's memory for GradientFlow"):
        gd.minimize(BOWL, given, gd.GradientFlow(method="LSODA"))
    with pytest.raises(TypeError, match="x0 must lie in the host's memory for SciPyCG"):
        gd.minimize(BOWL, given, gd.SciPyCG())
    with pytest.raises(ValueError, match='device="cpu" takes no starts that lie on a GPU'):
        gd.minimize(BOWL, given, gd.GradientFlow(), device="cpu")


def test_stiff_runs_from_starts_on_the_gpu_come_back_to_it():
    from numba import cuda

    steep = gd.Problem(steep_value, steep_gradient, dim=2, name="steep")
    starts, flow = np.array([[0.0, 0.0], [1.0, 1.0]]), gd.GradientFlow(1e-5, 1e-7)
    host, runs = (gd.minimize(steep, x0, flow, max_steps=60) for x0 in (starts, cuda.to_device(starts)))
    assert host.nit[1] > 30
    for name in ("x", "fun", "grad_norm", "nit", "status", "nfev", "njev"):
        np.testing.assert_array_equal(getattr(runs, name).copy_to_host(), getattr(host, name), err_msg=name)

    def progress(done, total):
        raise KeyboardInterrupt

    with pytest.raises(gd.Interrupted, match="interrupted after 1 of 2 runs") as caught:
        gd.minimize(steep, cuda.to_device(starts), flow, max_steps=60, progress=progress)
    partial = caught.value.partial
    assert partial.status.copy_to_host().tolist() == [0, -1]
    assert np.isnan(partial.x.copy_to_host()[1]).all()


def test_an_interrupted_flow_has_no_stiff_runs():
    steep = gd.Problem(steep_value, steep_gradient, dim=2, name="steep")

    def progress(done, total):
        raise KeyboardInterrupt

    starts = [[0.0, 0.0], [1.0, 1.0]]
    with pytest.raises(gd.Interrupted, match="interrupted after 1 of 2 runs") as caught:
        gd.minimize(steep, starts, gd.GradientFlow(1e-5, 1e-7), device="cuda", max_steps=60, progress=progress)
    partial = caught.value.partial
    assert partial.status.tolist() == [0, -1]
    assert np.isnan(partial.x[1]).all()
    assert partial.nit[1] == partial.njev[1] == 0


def test_a_comparison_on_the_gpu():
    found = gd.compare(BOWL, STARTS, [gd.GradientDescent(lr=0.01)], device="cuda", max_steps=60, gtol=1e-1)
    assert found["GradientDescent"].agreement.share <= 1.0
    for each in found.all:
        cpu = gd.minimize(BOWL, STARTS, each.optimizer, device="cpu", max_steps=60, gtol=1e-1)
        np.testing.assert_array_equal(each.result.x, cpu.x)
    with pytest.raises(ValueError, match=r'device="cuda" is for .*; SciPyCG\(.* runs on the CPU: leave device out'):
        gd.compare(BOWL, STARTS, [gd.GradientDescent(lr=0.01), gd.SciPyCG()], device="cuda", max_steps=2)
    with pytest.raises(ValueError, match=r"GradientFlow\(.*LSODA.*\) runs on the CPU"):
        gd.compare(BOWL, STARTS, [gd.Adam()], gd.GradientFlow(method="LSODA"), device="cuda", max_steps=2)


@pytest.fixture
def in_place():
    """Every run steps in global memory, as those with many parameters do."""
    from fastgd.engine.cuda import job

    with mock.patch.object(job, "IN_PLACE_BYTES", 0):
        yield


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize("options", [{}, {"record": 3, "dtype": np.float32}], ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_in_global_memory(rule, options):
    optimizer = optimizer_of(rule, lr=rate_of(rule) * OWN, clip_value=20.0)
    average = gd.SWA(start=4, every=2)
    assert_same(plan_of(optimizer, xtol=1e-3, ftol=1e-3, patience=3, average=average, bound=7.0, **options))


@pytest.mark.usefixtures("in_place")
def test_many_runs_in_global_memory():
    """Survivors move from warp to warp, and launches end after odd and even numbers of steps."""
    starts, plateau = BOWL.sample(40, seed=0), schedules_of(0.01)["ReduceOnPlateau"]
    found = assert_same(plan_of(gd.GradientDescent(lr=plateau), starts=starts, max_steps=33, gtol=5.0))
    assert len(np.unique(found.nit)) > 5
    assert_same(plan_of(gd.GradientDescent(lr=0.01), starts=starts, max_steps=32, gtol=5.0, record=5))
    assert_same(plan_of(gd.Momentum(lr=0.05), problem=WEIGHTED, starts=WEIGHTED.sample(RUNS, seed=1), gtol=1e-3))


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize("name", SEARCHES)
def test_line_searches_in_global_memory(name):
    assert_same(plan_of(SEARCHES[name], gtol=1e-6, max_steps=20))


@pytest.mark.usefixtures("in_place")
def test_the_gradient_flow_in_global_memory():
    assert_same(flow_plan())
