"""The gradient flow: its path and its basins against closed forms and SciPy's integrators, and its statuses."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, edge, folded, form, same_bits
from hypothesis import given
from hypothesis import strategies as st

import fastgd as gd
from fastgd.baseline import flow, one_by_one
from fastgd.engine import cpu
from fastgd.jit import cuda as jit_cuda

HIMMELBLAU = gd.problems.himmelblau()
STARTS = HIMMELBLAU.sample(300, seed=4)
METHODS = ("rk", "LSODA", "BDF")
BORDER = 0.15673125678034  # between the two basins of Styblinski and Tang's function, in each dimension


def on_the_way(method: str, rtol: float, curvature: float = 3.0, **options: Any) -> gd.Result:
    """The flow on ½ (x² + c y²) from (1, 1), stopped well before its end: there y = x^c."""
    settings = {"gtol": 0.3, **options}
    return gd.minimize(form(1.0, curvature), [1.0, 1.0], gd.GradientFlow(rtol, rtol * 1e-2, method), **settings)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rtol", [1e-5, 1e-7, 1e-9, 1e-11])
def test_the_path_of_a_quadratic_form(method: str, rtol: float) -> None:
    """The components are powers of one another; the error follows the tolerance."""
    run = on_the_way(method, rtol)
    assert run.status == 0
    assert 0.05 < run.x[0] <= 0.3
    assert abs(run.x[1] - run.x[0] ** 3) < {"rk": 10, "LSODA": 100, "BDF": 1000}[method] * rtol


def test_steps_grow_with_the_fifth_root_of_the_tolerance() -> None:
    steps = [int(on_the_way("rk", rtol).nit) for rtol in (1e-6, 1e-11)]
    assert 6 < steps[1] / steps[0] < 14  # ten, for a hundred thousandth


@given(st.floats(1.0, 30.0), st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_the_path_for_random_curvatures(curvature: float, a: float, b: float) -> None:
    start = np.array([a, -b])
    run = gd.minimize(form(1.0, curvature), start, gd.GradientFlow(1e-9, 1e-11), gtol=0.2 * a)
    if run.nit:
        assert run.x[0] > 0
        assert run.x[1] == pytest.approx(-b * (run.x[0] / a) ** curvature, abs=1e-7)
    else:
        assert max(a, curvature * b) <= 0.2 * a


def test_the_batched_pair_ends_where_scipys_integrators_end() -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS[:60], gd.GradientFlow(), gtol=1e-8)
    for method in ("LSODA", "BDF"):
        other = gd.minimize(HIMMELBLAU, STARTS[:60], gd.GradientFlow(method=method), gtol=1e-8)
        assert runs.success.all()
        assert other.success.all()
        np.testing.assert_allclose(runs.x, other.x, atol=1e-8)


def test_the_same_steps_as_scipys_pair_of_the_same_orders() -> None:
    """SciPy's RK45 is the same pair with a simpler controller, so it needs about as many steps."""
    from scipy.integrate import RK45

    runs = gd.minimize(HIMMELBLAU, STARTS[:20], gd.GradientFlow(1e-8, 1e-10), gtol=1.0)
    ratios = []
    for start, own in zip(STARTS[:20], runs.nit, strict=True):
        solver = RK45(lambda t, x: -HIMMELBLAU.gradient(x), 0.0, start, math.inf, rtol=1e-8, atol=1e-10)
        steps = 0
        while np.max(np.abs(HIMMELBLAU.gradient(solver.y))) > 1.0:
            solver.step()
            steps += 1
        if steps:
            ratios.append(own / steps)
    assert 0.7 < np.mean(ratios) < 1.3


# Basins


def assert_styblinski_tang(starts: np.ndarray) -> None:
    """Every start goes to the corner on its side of the border, in each dimension."""
    problem = gd.problems.styblinski_tang(dim=3)
    runs = gd.minimize(problem, starts, gd.GradientFlow())
    assert runs.success.all()
    upper = starts > BORDER
    expected = np.where(upper, 2.746802770990837, -2.90353402777118)
    np.testing.assert_allclose(runs.x, expected, atol=1e-6)
    basins = gd.find_basins(runs)
    lower = np.round(basins.x[0], 3) == -2.904
    assert lower.all()
    share = 0.515673125678**3
    spread = math.sqrt(share * (1 - share) / len(starts))
    assert abs(basins.fractions[0] - share) < 4 * spread


def test_every_basin_of_styblinski_and_tang() -> None:
    assert_styblinski_tang(gd.problems.styblinski_tang(dim=3).sample(20_000, seed=3))


@pytest.mark.slow
def test_every_basin_of_styblinski_and_tang_from_a_million_starts() -> None:
    assert_styblinski_tang(gd.problems.styblinski_tang(dim=3).sample(1_000_000, seed=3))


def distance_to_a_change(labels: np.ndarray) -> np.ndarray:
    """How many pixels each is from one with another label, in the larger of the two coordinates; 99 for far."""
    distance = np.full(labels.shape, 99)
    for reach in range(3, 0, -1):
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                moved = np.roll(np.pad(labels, reach, mode="edge"), (i, j), (0, 1))[reach:-reach, reach:-reach]
                distance[moved != labels] = reach
    return distance


def assert_same_map(size: int) -> None:
    options = {"shape": (size, size), "gtol": 1e-5}
    ours = gd.map_basins(HIMMELBLAU, gd.GradientFlow(), **options)
    theirs = gd.map_basins(HIMMELBLAU, gd.GradientFlow(1e-10, 1e-12, method="LSODA"), **options)
    found = gd.basin_agreement(ours, theirs)
    assert len(ours.basins) == len(theirs.basins) == 4
    assert found.share < 4 / size**2
    assert distance_to_a_change(theirs.labels)[found.elsewhere].max(initial=0) <= 2
    assert distance_to_a_change(theirs.labels).max() == 99


def test_the_map_of_the_batched_pair_is_that_of_lsoda() -> None:
    assert_same_map(20)


@pytest.mark.slow
def test_the_large_map_of_the_batched_pair_is_that_of_lsoda() -> None:
    assert_same_map(256)


# Statuses


@pytest.mark.parametrize("method", METHODS)
def test_a_start_at_a_stationary_point_stays(method: str) -> None:
    stationary = [[3.0, 2.0], [-0.270844590667348, -0.923038556479981], [0.0866775045553964, 2.88425470117478]]
    runs = gd.minimize(HIMMELBLAU, stationary, gd.GradientFlow(method=method))  # a minimum, a maximum, a saddle
    assert runs.success.all()
    assert runs.nit.tolist() == [0, 0, 0]
    assert runs.njev is not None
    assert runs.njev.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(runs.x, stationary)
    np.testing.assert_allclose(runs.fun, [0.0, 181.616521522583, 67.7191500875261], rtol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_a_ridge_leads_to_its_saddle_and_off_it_the_flow_leaves(method: str) -> None:
    runs = gd.minimize(form(1.0, -1.0), [[1.0, 0.0], [1.0, 1e-6]], gd.GradientFlow(method=method), bound=1e6)
    assert runs.status.tolist() == [0, 3]
    assert abs(runs.x[0, 0]) <= 1e-6
    assert runs.x[0, 1] == 0.0
    assert np.all(np.abs(runs.x[1]) <= 1e6)
    assert np.max(np.abs(runs.x[1])) > 1e5  # the last point before
    assert runs.fun[1] == pytest.approx(form(1.0, -1.0).value(runs.x[1]))


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_is_finite(method: str) -> None:
    runs = gd.minimize(edge(), [[-1.0, 1.0], [1.5, 1.0]], gd.GradientFlow(method=method))
    assert runs.status.tolist() == [3, 0]
    assert runs.x[0].tolist() == [-1.0, 1.0]
    assert runs.nit[0] == 0
    assert math.isnan(runs.grad_norm[0])
    np.testing.assert_allclose(runs.x[1], [1.0, 0.0], atol=2e-6)  # gtol over the curvature of 3/4


def pit_value(x):
    return math.sqrt(x[0]) + x[1] * x[1]


def pit_gradient(x, out):
    out[0] = 0.5 / math.sqrt(x[0])
    out[1] = 2.0 * x[1]


@pytest.mark.parametrize("method", METHODS)
def test_a_flow_that_runs_into_the_end_of_its_region(method: str) -> None:
    """√x ends at 0 with a slope without bound; the flow from 1 is there at the time 4/3."""
    pit = gd.Problem(pit_value, pit_gradient, dim=2, bounds=(0.5, 2), name="pit")
    run = gd.minimize(pit, [1.0, 1.0], gd.GradientFlow(method=method))
    assert run.status in (1, 3)
    assert 0.0 <= run.x[0] < 1e-4
    assert np.isfinite(run.fun)
    assert run.x[1] == pytest.approx(math.exp(-2 * 4 / 3), rel=1e-4)


def wall_value(x):
    return gd.select(x[0] > 0.0, 1e-3 * x[0], -1e9 * x[0]) + x[1] * x[1]


def wall_gradient(x, out):
    out[0] = gd.select(x[0] > 0.0, 1e-3, -1e9)
    out[1] = 2.0 * x[1]


def test_a_wall_is_no_progress() -> None:
    """A gentle slope down to x = 0, and a steep wall behind."""
    wall = gd.Problem(wall_value, wall_gradient, dim=2, name="wall")
    runs = gd.minimize(wall, [[1.0, 1.0], [0.5, 0.1]], gd.GradientFlow())
    assert runs.status.tolist() == [1, 1]
    np.testing.assert_allclose(runs.x, 0.0, atol=1e-9)


def kink_value(x):
    return abs(x[0]) + x[1] * x[1]


def kink_gradient(x, out):
    out[0] = gd.select(x[0] > 0.0, 1.0, -1.0)
    out[1] = 2.0 * x[1]


@pytest.mark.parametrize("method", METHODS)
def test_a_kink_is_no_success(method: str) -> None:
    kink = gd.Problem(kink_value, kink_gradient, dim=2, name="kink")
    run = gd.minimize(kink, [1.0, 1.0], gd.GradientFlow(method=method), max_steps=3000)
    assert run.status == 2 if method == "rk" else run.status in (1, 2)
    assert abs(run.x[0]) < 1e-8


@pytest.mark.parametrize("method", METHODS)
def test_the_step_limit(method: str) -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS[:9], gd.GradientFlow(method=method), max_steps=7)
    assert runs.status.tolist() == [2] * 9
    assert runs.nit.tolist() == [7] * 9
    np.testing.assert_allclose(runs.fun, HIMMELBLAU.value(runs.x), rtol=1e-12)
    np.testing.assert_allclose(runs.grad_norm, np.abs(HIMMELBLAU.gradient(runs.x)).max(axis=1), rtol=1e-9)
    assert np.all(runs.fun < HIMMELBLAU.value(STARTS[:9]))


def test_the_pair_counts_six_gradients_a_step() -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS, gd.GradientFlow())
    assert runs.njev is not None
    assert runs.nfev is not None
    assert not runs.nfev.any()
    rejected = (runs.njev - 1) / 6 - runs.nit
    np.testing.assert_array_equal(rejected, np.round(rejected))
    assert np.all(rejected >= 0)
    assert rejected.mean() < 10


# Stiffness


def test_stiff_runs_go_to_the_reference() -> None:
    """A hundred thousand times the curvature: the pair would need half a million steps."""
    stiff = form(1.0, 1e5)
    runs = gd.minimize(stiff, [[1.0, 1.0], [0.0, 1.0]], gd.GradientFlow())
    assert runs.success.all()
    assert 5000 < runs.nit[0] <= 10_000
    assert runs.nit[1] < 200  # along the steep direction alone nothing is stiff
    assert runs.njev is not None
    assert runs.njev[0] > 6 * 5000
    np.testing.assert_allclose(runs.x, 0.0, atol=1e-6)
    with mock.patch.object(flow.FlowEngine.reference, "fill", side_effect=AssertionError("stiff")):
        gd.minimize(form(1.0, 30.0), [1.0, 1.0], gd.GradientFlow())
        with pytest.raises(AssertionError, match="stiff"):
            gd.minimize(stiff, [1.0, 1.0], gd.GradientFlow())


def test_with_more_steps_the_pair_does_it_alone() -> None:
    valley = form(1.0, 3e3)
    with mock.patch.object(flow.FlowEngine.reference, "fill", side_effect=AssertionError("stiff")):
        run = gd.minimize(valley, [1.0, 1.0], gd.GradientFlow(), max_steps=50_000)
    assert run.success
    assert run.nit > 10_000


# One run, and many


def test_the_same_bits_alone_in_any_batch_and_on_any_number_of_threads() -> None:
    whole = gd.minimize(HIMMELBLAU, STARTS, gd.GradientFlow(), threads=2)
    assert_same_runs(whole, gd.minimize(HIMMELBLAU, STARTS[::-1], gd.GradientFlow(), threads=1), slice(None, None, -1))
    for k in (0, 57, 299):
        assert_same_runs(whole, gd.minimize(HIMMELBLAU, STARTS[k], gd.GradientFlow()), k)
    with mock.patch.object(cpu, "CHUNK_RUNS", 128):
        small = gd.minimize(HIMMELBLAU, STARTS.reshape(20, 15, 2), gd.GradientFlow(), threads=2)
    assert small.x.shape == (20, 15, 2)
    assert same_bits(small.x.reshape(-1, 2), whole.x)
    assert whole.njev is not None
    assert small.njev is not None
    np.testing.assert_array_equal(small.njev.reshape(-1), whole.njev)


def test_functions_that_branch_run_one_by_one_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="cannot take several runs at once") as caught:
        alone = gd.minimize(folded(), STARTS[:50], gd.GradientFlow())
    assert caught[0].filename == __file__
    abreast = gd.minimize(HIMMELBLAU, STARTS[:50], gd.GradientFlow())
    np.testing.assert_allclose(alone.x, abreast.x, atol=1e-6)
    assert np.mean(np.abs(alone.nit - abreast.nit) <= 1) > 0.9


@pytest.mark.parametrize("method", ["rk", "LSODA"])
def test_an_interruption_keeps_what_is_done(method: str) -> None:
    optimizer = gd.GradientFlow(method=method)
    starts = HIMMELBLAU.sample(1024 if method == "rk" else 64, seed=1)
    whole = gd.minimize(HIMMELBLAU, starts, optimizer)
    small = len(starts) // 4

    def progress(done: int, total: int) -> None:
        assert total == len(starts)
        if done >= small:
            raise KeyboardInterrupt

    small_chunks = mock.patch.object(cpu, "CHUNK_RUNS", 128), mock.patch.object(one_by_one, "CHUNK", 8)
    with small_chunks[0], small_chunks[1], pytest.raises(gd.Interrupted) as caught:
        gd.minimize(HIMMELBLAU, starts, optimizer, threads=1, progress=progress)
    partial = caught.value.partial
    done = partial.status >= 0
    assert small <= done.sum() <= len(starts)
    assert_same_runs(partial, whole, done, done)
    assert np.isnan(partial.x[~done]).all()
    assert np.isnan(partial.fun[~done]).all()
    assert not partial.nit[~done].any()


def test_an_interruption_among_the_stiff() -> None:
    starts, heard = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 1.0]]), []

    def progress(done: int, total: int) -> None:
        heard.append((done, total))
        if done >= 2:  # the second part: the two that are stiff
            raise KeyboardInterrupt

    with mock.patch.object(one_by_one, "FIRST", 1), pytest.raises(gd.Interrupted) as caught:
        gd.minimize(form(1.0, 1e5), starts, gd.GradientFlow(), progress=progress)
    partial = caught.value.partial
    assert heard == sorted(heard)
    assert {total for _, total in heard} == {3}
    assert partial.status[0] == 0
    assert set(partial.status[1:].tolist()) <= {0, -1}
    assert np.isnan(partial.x[partial.status == -1]).all()


# Mistakes


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"rtol": 0.0}, ValueError, ["rtol must be in [1e-13, 1)", "0.0"]),
        ({"rtol": 1.0}, ValueError, ["rtol", "1.0"]),
        ({"rtol": math.nan}, ValueError, ["rtol", "nan"]),
        ({"atol": 0}, ValueError, ["atol must be in (0, inf)", "0"]),
        ({"atol": math.inf}, ValueError, ["atol", "inf"]),
        ({"rtol": [1e-6, 1e-8]}, TypeError, ["rtol must be one number"]),
        ({"method": "RK"}, None, []),
        ({"method": "lsod"}, ValueError, ["method must be one of rk, LSODA, BDF", "Did you mean 'LSODA'?"]),
        ({"method": 3}, ValueError, ["method must be one of", "3"]),
    ],
)
def test_settings(options: dict[str, Any], kind: type[Exception] | None, words: list[str]) -> None:
    if kind is None:
        assert gd.GradientFlow(**options).method == "rk"
        return
    with pytest.raises(kind, match=r".") as caught:
        gd.GradientFlow(**options)
    for word in words:
        assert word in str(caught.value)


def test_what_cannot_be_honoured() -> None:
    for name, value in {"xtol": 1e-3, "ftol": 1e-3, "record": 1, "average": gd.SWA(start=1)}.items():
        with pytest.raises(ValueError, match=f"{name}=.* cannot be honoured by GradientFlow"):
            gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientFlow(), **{name: value})
    with pytest.raises(ValueError, match="dtype must be float64 for GradientFlow"):
        gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientFlow(), dtype=np.float32)


def test_a_gpu_is_for_the_batched_pair_alone() -> None:
    for method in ("LSODA", "BDF"):
        with pytest.raises(ValueError, match=rf"GradientFlow\(.*{method}.*\) runs on the CPU: leave device out"):
            gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientFlow(method=method), device="cuda")
    with (
        mock.patch.object(jit_cuda, "missing", return_value="the package numba-cuda is not installed"),
        pytest.raises(gd.DeviceError, match='device="cuda": the package numba-cuda is not installed'),
    ):
        gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.GradientFlow(), device="cuda")
