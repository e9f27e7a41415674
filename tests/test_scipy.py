"""SciPy's methods through `minimize`: its own counts, its own end points, and statuses for all that can happen."""

from __future__ import annotations

import math
import signal
import sys
import time
import types
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, edge, folded, form
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

import fastgd as gd
from fastgd.baseline import one_by_one
from fastgd.baseline.scipy import METHODS

HIMMELBLAU = gd.problems.himmelblau()
STARTS = HIMMELBLAU.sample(60, seed=5)
COUNTS = ("nit", "nfev", "njev")


def by_scipy(problem: gd.Problem, start: Any, method: str = "CG", options: Any = None, gtol: float = 1e-5) -> Any:
    """SciPy's own result, with the problem's functions as they stand in Python."""

    def gradient(x: np.ndarray) -> np.ndarray:
        out = np.empty(problem.dim)
        problem.grad(x, out, *problem.data)
        return out

    def hessian(x: np.ndarray) -> np.ndarray:
        return problem.hessian(x)

    form = METHODS[method]
    settings = ({"gtol": gtol} if form.gtol else {}) | ({"maxiter": 10_000} if form.maxiter else {}) | (options or {})
    return scipy_minimize(
        lambda x: problem.fun(x, *problem.data), np.array(start, float), jac=gradient,
        hess=hessian if form.hessian else None, method=method, options=settings,
    )  # fmt: skip


def numpys_rosen(x):
    """`scipy.optimize.rosen` of ten parameters, added in NumPy's order: 194 steps or 265 hang on it."""
    total = 0.0
    for half in (0, 4):
        quarter = 0.0
        for pair in (0, 2):
            i = half + pair
            a, b = x[i + 1] - x[i] * x[i], x[i + 2] - x[i + 1] * x[i + 1]
            p, q = 1.0 - x[i], 1.0 - x[i + 1]
            quarter += (100.0 * (a * a) + p * p) + (100.0 * (b * b) + q * q)
        total += quarter
    a, p = x[9] - x[8] * x[8], 1.0 - x[8]
    return total + (100.0 * (a * a) + p * p)


def numpys_rosen_der(x, out):
    out[0] = -400.0 * x[0] * (x[1] - x[0] * x[0]) - 2.0 * (1.0 - x[0])
    for i in range(1, 9):
        ahead = 400.0 * (x[i + 1] - x[i] * x[i]) * x[i]
        out[i] = 200.0 * (x[i] - x[i - 1] * x[i - 1]) - ahead - 2.0 * (1.0 - x[i])
    out[9] = 200.0 * (x[9] - x[8] * x[8])


ROSEN = gd.Problem(numpys_rosen, numpys_rosen_der, dim=10, minima=[(1.0,) * 10], name="rosen")

# Iterations and evaluations of SciPy 1.17 with its defaults; most shift by one or two with the rounding
PRINTED = {
    "rosenbrock": (gd.problems.rosenbrock(), (-1.2, 1.0), 36, 78),
    "rosenbrock 10": (ROSEN, (-1.2, 1.0) * 5, 265, 437),
    "powell singular": (gd.problems.powell_singular(), (3.0, -1.0, 0.0, 1.0), 74, 150),
    "beale": (gd.problems.beale(), (1.0, 1.0), 17, 41),
    "wood": (gd.problems.wood(), (-3.0, -1.0, -3.0, -1.0), 58, 122),
    "helical valley": (gd.problems.helical_valley(), (-1.0, 0.0, 0.0), 47, 88),
    "brown badly scaled": (gd.problems.brown_badly_scaled(), (1.0, 1.0), 14, 41),
}
# Sums by another BLAS, or by the same on another processor, are as good as a unit in the last place
HANGS_ON_ROUNDING = ("rosenbrock 10", "powell singular", "wood", "brown badly scaled")


@pytest.mark.parametrize("name", PRINTED)
def test_known_counts_of_cg(name: str) -> None:
    problem, start, iterations, evaluations = PRINTED[name]
    run = gd.minimize(problem, start, gd.SciPyCG(), gtol=1e-5)
    own = by_scipy(problem, start)
    assert (int(run.nit), int(run.nfev), int(run.njev)) == (own.nit, own.nfev, own.njev)
    assert run.success == own.success
    if name not in HANGS_ON_ROUNDING:
        assert abs(run.nit - iterations) <= 2
        assert abs(run.nfev - evaluations) <= 2
    if name != "brown badly scaled":
        assert run.success
        np.testing.assert_allclose(run.x, problem.minima[0], atol=0.06 if name == "powell singular" else 1e-4)


@pytest.mark.parametrize("name", HANGS_ON_ROUNDING)
def test_known_counts_are_among_those_that_rounding_makes(name: str) -> None:
    """One unit in the last place of the start changes them by a third; the printed ones are of sums by a BLAS."""
    problem, start, iterations, evaluations = PRINTED[name]
    starts = np.array(start) * (1 + 3e-16 * np.random.default_rng(0).normal(size=(300, problem.dim)))
    runs = gd.minimize(problem, starts, gd.SciPyCG(), gtol=1e-5)
    assert runs.success.all() or name == "brown badly scaled"
    assert runs.nfev is not None
    assert runs.nit.min() <= iterations <= runs.nit.max()
    assert runs.nfev.min() <= evaluations <= runs.nfev.max()
    assert np.median(runs.nit) == pytest.approx(iterations, rel=0.3)


def test_the_printed_example_of_scipys_documentation() -> None:
    bowl = gd.Problem(
        lambda x: 2 * x[0] ** 2 + 3 * x[0] * x[1] + 7 * x[1] ** 2 + 8 * x[0] + 9 * x[1] + 10, dim=2, name="bowl"
    )
    run = gd.minimize(bowl, [0.0, 0.0], gd.SciPyCG(), gtol=1e-5)
    assert (int(run.nit), int(run.nfev), int(run.njev), int(run.status)) == (4, 8, 8, 0)
    np.testing.assert_allclose(run.x, [-85 / 47, -12 / 47], atol=1e-6)
    assert run.fun == pytest.approx(76 / 47)


def test_rosenbrock_with_the_function_that_scipy_comes_with() -> None:
    """Bit for bit the same function, so the same path all along.

    Not its gradient, as that squares its last numbers by `pow`, which may be off in the last place.
    """

    def gradient(x: np.ndarray) -> np.ndarray:
        out = np.empty(10)
        numpys_rosen_der(x, out)
        np.testing.assert_allclose(out, rosen_der(x), rtol=1e-12, atol=1e-12)
        return out

    start = np.array([-1.2, 1.0] * 5)
    run = gd.minimize(ROSEN, start, gd.SciPyCG(), gtol=1e-5)
    own = scipy_minimize(rosen, start, jac=gradient, method="CG")
    assert (int(run.nit), int(run.nfev), int(run.njev)) == (own.nit, own.nfev, own.njev)
    np.testing.assert_array_equal(run.x, own.x)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_scipys(method: str) -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS[:12], gd.SciPy(method), gtol=1e-5)
    for k, start in enumerate(STARTS[:12]):
        own = by_scipy(HIMMELBLAU, start, method)
        assert (runs.nit[k], runs.nfev[k]) == (own.nit, own.nfev)
        if "njev" in own:
            assert runs.njev[k] == own.njev
        np.testing.assert_allclose(runs.x[k], own.x, rtol=1e-9, atol=1e-12)
        gradient = np.max(np.abs(HIMMELBLAU.gradient(own.x)))
        assert (runs.status[k] == 0) == (gradient <= 1e-5)
        assert runs.grad_norm[k] == pytest.approx(gradient, rel=1e-3, abs=1e-9)
    assert runs.fun.shape == runs.nfev.shape == (12,)


def test_options_reach_scipy() -> None:
    settings = {"c1": 1e-3, "c2": 0.1}
    runs = gd.minimize(HIMMELBLAU, STARTS[:5], gd.SciPyCG(options=settings), gtol=1e-5)
    plain = gd.minimize(HIMMELBLAU, STARTS[:5], gd.SciPyCG(), gtol=1e-5)
    assert np.any(runs.nfev != plain.nfev)
    for k in range(5):
        own = by_scipy(HIMMELBLAU, STARTS[k], options=settings)
        assert (runs.nit[k], runs.nfev[k]) == (own.nit, own.nfev)


def test_limits_reach_scipy() -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS, gd.SciPyCG(), max_steps=3)
    assert runs.nit.max() == 3
    assert np.all(runs.status[runs.nit == 3] == 2)
    loose = gd.minimize(HIMMELBLAU, STARTS, gd.SciPyCG(), gtol=1.0)
    assert np.all(loose.grad_norm <= 1.0)
    assert np.median(loose.grad_norm) > 1e-3
    never = gd.minimize(HIMMELBLAU, STARTS[:4], gd.SciPyCG(), gtol=None, max_steps=50)
    assert not never.success.any()


@pytest.mark.parametrize("method", ["CG", "TNC", "Newton-CG"])
def test_step_limits_of_all_kinds(method: str) -> None:
    """TNC counts evaluations, not steps: its steps are counted here."""
    runs = gd.minimize(HIMMELBLAU, STARTS[:8], gd.SciPy(method), max_steps=2)
    assert runs.nit.tolist() == [2] * 8
    assert runs.status.tolist() == [2] * 8


# Statuses


@pytest.mark.parametrize("method", METHODS)
def test_a_start_at_a_minimum(method: str) -> None:
    run = gd.minimize(HIMMELBLAU, [3.0, 2.0], gd.SciPy(method))
    assert run.success
    assert run.x.tolist() == [3.0, 2.0]
    assert run.fun == 0.0
    if method not in ("SLSQP", "Newton-CG", "trust-constr"):  # these take a step before they look
        assert run.nit == 0


def points_on(x, out):
    out[0] = -1.0
    out[1] = 0.0


@pytest.mark.parametrize("method", ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "trust-ncg", "trust-exact"])
def test_without_a_minimum_a_run_stops_inside_the_bound(method: str) -> None:
    unbounded = gd.Problem(lambda x: -(x[0] ** 3) + x[1] ** 2, dim=2, name="unbounded")
    runs = gd.minimize(unbounded, [[1.0, 1.0], [2.0, 0.5]], gd.SciPy(method), bound=1e3, max_steps=2000)
    assert set(runs.status.tolist()) <= ({3, 4} if method == "BFGS" else {3})  # its line search may give up before
    assert np.all(np.abs(runs.x) <= 1e3)
    np.testing.assert_allclose(runs.fun, unbounded.value(runs.x), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_start_where_nothing_is_finite(method: str) -> None:
    start = [-1.0, 1.0]
    problem = gd.Problem(edge().fun, dim=2, name="edge") if METHODS[method].hessian else edge()
    run = gd.minimize(problem, start, gd.SciPy(method))
    assert run.status == 3
    assert run.x.tolist() == start
    assert math.isnan(run.fun)
    assert run.nit == 0


def test_a_line_search_that_fails_keeps_the_point() -> None:
    wrong = gd.Problem(HIMMELBLAU.fun, points_on, dim=2, name="wrong")
    for method in ("CG", "BFGS", "L-BFGS-B"):
        run = gd.minimize(wrong, [3.0, 2.0], gd.SciPy(method))  # its minimum, and a gradient that points on
        assert run.status == 4
        assert run.x.tolist() == [3.0, 2.0]


def test_what_scipy_calls_success_without_a_small_gradient_is_no_progress() -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS, gd.SciPy("L-BFGS-B", options={"ftol": 1e-2}))
    assert set(runs.status.tolist()) <= {0, 1}
    assert np.all(runs.grad_norm[runs.status == 1] > 1e-6)
    assert (runs.status == 1).any()


def test_the_result_prints_and_serves_find_basins() -> None:
    runs = gd.minimize(HIMMELBLAU, STARTS.reshape(6, 10, 2), gd.SciPyCG())
    assert runs.nfev is not None
    assert runs.nfev.shape == runs.status.shape == (6, 10)
    assert "by SciPy CG" in str(runs)
    assert len(gd.find_basins(runs)) == 4
    grid = gd.map_basins(HIMMELBLAU, gd.SciPyCG(), shape=(4, 5))
    assert grid.labels.shape == (4, 5)


def test_problems_with_data_and_with_branches() -> None:
    quadratic = form(1.0, 10.0)
    assert gd.minimize(quadratic, [1.0, 1.0], gd.SciPyCG()).success
    a, b = (gd.minimize(p, STARTS[:5], gd.SciPyCG()) for p in (folded(), HIMMELBLAU))
    np.testing.assert_allclose(a.x, b.x, atol=1e-6)


# Processes, threads, and interruption


def in_processes(worth: bool) -> Any:
    return mock.patch.multiple(one_by_one, WORTH_PROCESSES=0.0 if worth else math.inf, CHUNK=8)


def test_the_same_bits_alone_in_any_order_and_in_processes() -> None:
    captured = 7.0  # functions that are closures, which plain pickle refuses
    problem = gd.Problem(
        lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - captured) ** 2, dim=2, name="closure"
    )
    with in_processes(False):
        whole = gd.minimize(problem, STARTS, gd.SciPyCG(), threads=2)
        assert_same_runs(whole, gd.minimize(problem, STARTS[::-1], gd.SciPyCG()), slice(None, None, -1))
        assert_same_runs(whole, gd.minimize(problem, STARTS[7], gd.SciPyCG()), 7)
    with in_processes(True):
        heard: list[tuple[int, int]] = []
        spread = gd.minimize(problem, STARTS, gd.SciPyCG(), threads=2, progress=lambda *count: heard.append(count))
    assert_same_runs(whole, spread)
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(spread, name))
    assert heard == [(2, 60), *heard[1:-1], (60, 60)]
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


@pytest.mark.parametrize("module", ["__main__", "made_here"])
def test_functions_that_no_other_process_can_import(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a script they are sent by value; those of a module that only this process has are called in it."""
    made = types.ModuleType(module)
    if module != "__main__":
        monkeypatch.setitem(sys.modules, module, made)
    source = "def fun(x):\n    return (x[0] ** 2 + x[1] - 11.0) ** 2 + (x[0] + x[1] ** 2 - 7.0) ** 2\n"
    exec(source, made.__dict__)
    assert made.fun.__module__ == module
    problem = gd.Problem(made.fun, dim=2, name=module)
    with in_processes(False):
        expected = gd.minimize(problem, STARTS[:20], gd.SciPyCG(), threads=2)
    with in_processes(True):
        assert_same_runs(gd.minimize(problem, STARTS[:20], gd.SciPyCG(), threads=2), expected)


@pytest.mark.parametrize("processes", [False, True])
def test_an_interruption_keeps_what_is_done(processes: bool) -> None:
    whole = gd.minimize(HIMMELBLAU, STARTS, gd.SciPyCG())

    def progress(done: int, total: int) -> None:
        if done >= 32:
            raise KeyboardInterrupt

    with in_processes(processes), pytest.raises(gd.Interrupted) as caught:
        gd.minimize(HIMMELBLAU, STARTS, gd.SciPyCG(), threads=2, progress=progress)
    partial = caught.value.partial
    done = partial.status >= 0
    assert done.sum() >= 32
    assert f"{done.sum()} of 60" in str(caught.value)
    assert_same_runs(partial, whole, done, done)
    assert np.isnan(partial.x[~done]).all()
    assert not partial.nit[~done].any()


def test_ctrl_c_is_heard_within_a_run() -> None:
    """Rosenbrock's valley in many dimensions takes seconds; the alarm strikes in the middle."""
    long = gd.problems.rosenbrock(dim=400)
    gd.minimize(long, np.zeros(400), gd.SciPyCG(), max_steps=1)

    def strike(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        began = time.perf_counter()
        with pytest.raises(gd.Interrupted) as caught:
            gd.minimize(long, long.sample(2000, seed=0), gd.SciPyCG(), gtol=1e-10, max_steps=100_000, threads=1)
        assert time.perf_counter() - began < 1.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert (caught.value.partial.status == -1).any()


# Mistakes


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: gd.SciPy("cgg"), ValueError, ["method must be one of CG", "'cgg'"]),
        (lambda: gd.SciPy("bfg"), ValueError, ["Did you mean 'BFGS'?"]),
        (lambda: gd.SciPy("Nelder-Mead"), ValueError, ["none without gradients"]),
        (lambda: gd.SciPy(None), ValueError, ["method must be one of"]),
        (lambda: gd.SciPyCG(options={"gtol": 1e-3}), ValueError, ["'gtol'", "minimize(..., gtol=...)"]),
        (lambda: gd.SciPyCG(options={"maxiter": 3}), ValueError, ["'maxiter'", "minimize(..., max_steps=...)"]),
        (lambda: gd.SciPyCG(options={"disp": True}), ValueError, ["'disp'"]),
        (lambda: gd.SciPyCG(options={"c3": 3}), ValueError, ["CG does not take", "c3", "show_options"]),
        (lambda: gd.SciPyCG(options={"c1": 0.9, "c2": 0.1}), ValueError, ["CG does not take", "c1"]),
        (lambda: gd.SciPyCG(options=3), TypeError, ["options must be a mapping", "3"]),
    ],
)
def test_bad_settings(make: Any, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind, match=r".") as caught:
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"xtol": 1e-3}, ["xtol=0.001 cannot be honoured by SciPyCG"]),
        ({"ftol": 1e-3}, ["ftol=0.001 cannot be honoured"]),
        ({"patience": 3}, ["patience=3 cannot"]),
        ({"record": 1}, ["record=1 cannot"]),
        ({"average": gd.SWA(start=1)}, ["average=", "cannot"]),
        ({"dtype": np.float32}, ["dtype must be float64 for SciPyCG", "float32"]),
    ],
)
def test_what_cannot_be_honoured(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.SciPyCG(), **options)
    for word in words:
        assert word in str(caught.value)


def test_a_class_is_no_optimizer() -> None:
    with pytest.raises(TypeError, match=r"write SciPyCG\(\.\.\.\)"):
        gd.minimize(HIMMELBLAU, [0.0, 0.0], gd.SciPyCG)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x0 must have shape"):
        gd.minimize(HIMMELBLAU, [0.0, 0.0, 0.0], gd.SciPyCG())


def test_by_name() -> None:
    made = gd.optimizers.make("scipy_cg", options={"c2": 0.1})
    assert isinstance(made, gd.SciPyCG)
    assert made.method == "CG"
    with pytest.raises(ValueError, match="no option 'lr'"):
        gd.optimizers.make("scipy_cg", lr=0.1)
    assert "scipy_cg" in gd.optimizers.names()
    assert "scipy_cg" not in gd.optimizers.rules()
