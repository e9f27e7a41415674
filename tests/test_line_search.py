"""Conjugate gradients, L-BFGS and the line searches against SciPy, the equations, and what their pages promise."""

from __future__ import annotations

from typing import Any
from unittest import mock

import naive_search
import numpy as np
import pytest
import scipy.optimize
from cases import assert_same_runs
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd as gd
from fastgd.engine import cpu
from fastgd.jit.options import inlined, kernel

HIMMELBLAU = gd.problems.himmelblau()
ROSENBROCK = gd.problems.rosenbrock(dim=2)
BETAS = ["PR+", "FR", "HS", "DY", "HZ"]
METHODS: dict[str, Any] = {
    "cg": gd.ConjugateGradient(),
    "cg-hz": gd.ConjugateGradient("HZ", line_search=gd.HagerZhang()),
    "lbfgs": gd.LBFGS(memory=3),
    "backtracking": gd.GradientDescent(lr=gd.Backtracking(initial=0.1)),
}


# The line searches


def driver(search: gd.searches.LineSearch) -> Any:
    """A kernel that runs one search along sum_k w_k cos(k a + s_k) + q a^2 / 2 and writes down its steps."""
    begin, advance = inlined(type(search).begin), inlined(type(search).advance)

    @inlined
    def phi(w, s, q, a):
        f, g = q * a * a / 2, q * a
        for k in range(len(w)):
            f += w[k] * np.cos((k + 1) * a + s[k])
            g -= w[k] * (k + 1) * np.sin((k + 1) * a + s[k])
        return f, g

    @kernel
    def run(p, w, s, q, first, steps):
        f, g = phi(w, s, q, 0.0)
        m, a = begin(p, f, g, first)
        for count in range(len(steps)):
            steps[count] = a
            f, g = phi(w, s, q, a)
            m, following, accepted, failed = advance(p, m, a, f, g)
            if accepted or failed:
                return count + 1, accepted, f, g
            a = following
        return len(steps), False, f, g

    return run


WAVES = st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4)
WOLFE, HAGER_ZHANG = driver(gd.StrongWolfe()), driver(gd.HagerZhang())


@given(WAVES, WAVES, st.floats(0.05, 2.0), st.floats(1e-3, 10.0), st.floats(0.01, 0.9))
@settings(max_examples=200)
def test_strong_wolfe_takes_the_steps_of_scipys_dcsrch(w, s, q, first, c2):
    w, s, steps = np.array(w), np.array(s), np.zeros(100)
    k = np.arange(1, 5)
    phi = lambda a: q * a * a / 2 + np.sum(w * np.cos(k * a + s))  # noqa: E731
    slope = lambda a: q * a - np.sum(w * k * np.sin(k * a + s))  # noqa: E731
    if not slope(0.0) < -1e-3:
        return
    count, accepted, _, _ = WOLFE((1e-4, c2), w, s, q, first, steps)
    expected, good = naive_search.wolfe_steps(phi, slope, 1e-4, c2, first)
    agree = min(count, len(expected))
    # where a value lies on the edge of a test, rounding decides, and the last steps of one are not there in the other
    np.testing.assert_allclose(steps[: max(1, agree - 1)], expected[: max(1, agree - 1)], rtol=1e-6)
    if good and accepted:
        np.testing.assert_allclose(phi(steps[count - 1]), phi(expected[-1]), rtol=1e-6, atol=1e-9)


@given(WAVES, WAVES, st.floats(0.05, 2.0), st.floats(1e-3, 10.0), st.floats(0.15, 0.9))
@settings(max_examples=200)
def test_hager_zhang_ends_at_a_step_that_meets_its_conditions(w, s, q, first, sigma):
    w, s, steps, delta, epsilon = np.array(w), np.array(s), np.zeros(100), 0.1, 1e-6
    k = np.arange(1, 5)
    f0, g0 = np.sum(w * np.cos(s)), -np.sum(w * k * np.sin(s))
    if not g0 < -1e-3:
        return
    count, accepted, f, g = HAGER_ZHANG((delta, sigma, epsilon), w, s, q, first, steps)
    assert accepted
    a = steps[count - 1]
    assert g >= sigma * g0
    wolfe = f - f0 <= delta * a * g0 * (1 - 1e-12)
    approximate = f <= f0 + epsilon * abs(f0) and g <= (2 * delta - 1) * g0
    assert wolfe or approximate


# Whole descents against the equations


def numpy_of(problem: gd.Problem) -> tuple[Any, Any]:
    def gradient(x: np.ndarray) -> np.ndarray:
        out = np.empty(len(x))
        problem.grad(x, out, *problem.data)
        return out

    return lambda x: problem.fun(x, *problem.data), gradient


@pytest.mark.parametrize("beta", BETAS)
def test_conjugate_gradients_against_the_equations(beta):
    steps = 8
    path, counts = naive_search.descend(
        *numpy_of(HIMMELBLAU), [1.0, 1.5], naive_search.conjugate(beta), naive_search.last_fall, c1=1e-4, c2=0.2,
        steps=steps, least=0.01,
    )  # fmt: skip
    optimizer = gd.ConjugateGradient(beta, line_search=gd.StrongWolfe(c2=0.2))
    run = gd.minimize(HIMMELBLAU, [1.0, 1.5], optimizer, max_steps=steps, gtol=0.0, record=1)
    np.testing.assert_allclose(run.trace, path, rtol=1e-7)
    assert run.nit == steps
    assert run.nfev == run.njev == counts[-1]


@pytest.mark.parametrize("memory", [1, 4])
def test_lbfgs_against_the_matrices(memory):
    steps = 9
    path, counts = naive_search.descend(
        *numpy_of(ROSENBROCK), [-1.2, 1.0], naive_search.quasi_newton(memory), naive_search.whole_step, c1=1e-4, c2=0.9,
        steps=steps,
    )  # fmt: skip
    run = gd.minimize(ROSENBROCK, [-1.2, 1.0], gd.LBFGS(memory=memory), max_steps=steps, gtol=0.0, record=1)
    np.testing.assert_allclose(run.trace, path, rtol=1e-7)
    assert run.nfev == counts[-1]


@pytest.mark.parametrize("method", [*BETAS, "LBFGS"])
def test_a_quadratic_in_n_dimensions_takes_n_steps_with_exact_searches(method):
    n = 6
    exact = gd.StrongWolfe(c1=1e-10, c2=1e-9)
    optimizer = gd.LBFGS(memory=n, line_search=exact) if method == "LBFGS" else gd.ConjugateGradient(method, exact)
    starts = np.random.default_rng(0).normal(size=(50, n))
    runs = gd.minimize(quadratic(n), starts, optimizer, gtol=0.0, max_steps=n)
    assert (runs.nit <= n).all()
    np.testing.assert_allclose(runs.x, np.broadcast_to(np.arange(n), (50, n)), atol=1e-10)


def quadratic_gradient(x, out, c):
    for i in range(len(x)):
        out[i] = c[i] * (x[i] - i)


def quadratic(n: int) -> gd.Problem:
    def value(x, c):
        total = 0.0
        for i in range(len(x)):
            total += c[i] * (x[i] - i) ** 2
        return total / 2

    return gd.Problem(value, quadratic_gradient, dim=n, data=(np.geomspace(1.0, 10.0, n),), name="quadratic form")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_comes_to_a_minimum_of_himmelblau(name):
    starts = HIMMELBLAU.sample(500, seed=1)
    runs = gd.minimize(HIMMELBLAU, starts, METHODS[name], gtol=1e-8)
    assert runs.success.all()
    assert HIMMELBLAU.minima is not None
    distance = np.abs(runs.x[:, None] - HIMMELBLAU.minima).max(axis=-1).min(axis=-1)
    at_minimum = distance < 1e-6
    assert at_minimum.mean() > 0.99  # the rest stopped at a saddle or at the maximum
    if name != "backtracking":
        fun, grad = numpy_of(HIMMELBLAU)
        peer = [scipy.optimize.minimize(fun, x, jac=grad, method="CG", options={"gtol": 1e-8}) for x in starts[:50]]
        assert runs.nfev[:50].sum() <= 1.3 * sum(found.nfev for found in peer)


CLASSICAL: dict[str, tuple[gd.Problem, tuple[float, ...]]] = {
    "rosenbrock": (ROSENBROCK, (-1.2, 1.0)),
    "rosenbrock 10": (gd.problems.rosenbrock(dim=10), (-1.2, 1.0) * 5),
    "powell singular": (gd.problems.powell_singular(), (3.0, -1.0, 0.0, 1.0)),
    "beale": (gd.problems.beale(), (1.0, 1.0)),
    "wood": (gd.problems.wood(), (-3.0, -1.0, -3.0, -1.0)),
    "helical valley": (gd.problems.helical_valley(), (-1.0, 0.0, 0.0)),
    "brown badly scaled": (gd.problems.brown_badly_scaled(), (1.0, 1.0)),
}


@pytest.mark.slow
def test_evaluations_on_the_classical_problems_against_scipys():
    """PR+ within 1.3 times SciPy's CG in total, to the same minima; L-BFGS with fewer than either."""
    totals = dict.fromkeys(("SciPy", "PR+", "HZ", "L-BFGS"), 0)
    methods = {"PR+": METHODS["cg"], "HZ": METHODS["cg-hz"], "L-BFGS": gd.LBFGS()}
    for problem, start in CLASSICAL.values():
        fun, grad = numpy_of(problem)
        peer = scipy.optimize.minimize(fun, np.array(start), jac=grad, method="CG")
        totals["SciPy"] += peer.nfev
        for name, method in methods.items():
            run = gd.minimize(problem, start, method, gtol=1e-5, bound=1e12)
            assert run.success
            assert problem.minima is not None
            # at this tolerance a flat minimum is known by its value
            assert run.fun - problem.value(problem.minima).min() < 1e-7
            totals[name] += int(run.nfev)
    assert totals["PR+"] <= 1.3 * totals["SciPy"]
    assert totals["L-BFGS"] <= totals["SciPy"]
    assert totals["HZ"] <= 2.0 * totals["SciPy"]  # its looser search takes more and shorter steps here


# Bits, shapes and records


@pytest.mark.parametrize("name", METHODS)
def test_bits_do_not_depend_on_batch_chunks_or_threads(name):
    starts = HIMMELBLAU.sample(200, seed=2)
    whole = gd.minimize(HIMMELBLAU, starts, METHODS[name], max_steps=60)
    with mock.patch.object(cpu, "chunk_runs", return_value=7):
        pieces = gd.minimize(HIMMELBLAU, starts, METHODS[name], max_steps=60, threads=2)
    alone = [gd.minimize(HIMMELBLAU, starts[k], METHODS[name], max_steps=60) for k in (0, 111, 199)]
    assert_same_runs(whole, pieces)
    np.testing.assert_array_equal(whole.nfev, pieces.nfev)
    for k, run in zip((0, 111, 199), alone, strict=True):
        assert run.nfev.shape == ()
        for field in ("x", "fun", "grad_norm", "nit", "status", "nfev"):
            np.testing.assert_array_equal(getattr(whole, field)[k], getattr(run, field))


def test_the_numbers_of_a_search_may_differ_from_run_to_run():
    c2 = np.array([0.05, 0.4, 0.9])
    starts = HIMMELBLAU.sample(40, seed=3)[:, None]
    sweep = gd.minimize(HIMMELBLAU, starts, gd.ConjugateGradient(line_search=gd.StrongWolfe(c2=c2)))
    assert sweep.x.shape == (40, 3, 2)
    for j, value in enumerate(c2):
        one = gd.minimize(HIMMELBLAU, starts[:, 0], gd.ConjugateGradient(line_search=gd.StrongWolfe(c2=value)))
        np.testing.assert_array_equal(sweep.x[:, j], one.x)
        np.testing.assert_array_equal(sweep.nfev[:, j], one.nfev)


def test_a_record_has_the_points_after_each_step():
    starts = HIMMELBLAU.sample(30, seed=4)
    every = gd.minimize(HIMMELBLAU, starts, gd.ConjugateGradient(), record=1)
    third = gd.minimize(HIMMELBLAU, starts, gd.ConjugateGradient(), record=3)
    np.testing.assert_array_equal(every.trace[:, 0], starts)
    for k in range(30):
        np.testing.assert_array_equal(every.trace[k, every.nit[k]], every.x[k])
        assert np.isnan(every.trace[k, every.nit[k] + 1 :]).all()
        np.testing.assert_array_equal(third.trace[k, : every.nit[k] // 3 + 1], every.trace[k, : every.nit[k] + 1 : 3])
    values = HIMMELBLAU.value(every.trace)
    assert (np.diff(values, axis=1)[~np.isnan(np.diff(values, axis=1))] <= 0).all()


def test_single_precision():
    starts = HIMMELBLAU.sample(200, seed=5)
    runs = gd.minimize(HIMMELBLAU, starts, gd.ConjugateGradient("HZ", gd.HagerZhang()), dtype=np.float32, gtol=1e-2)
    assert runs.x.dtype == np.float32
    assert runs.success.mean() > 0.98


def test_a_problem_that_branches_runs_alone():
    def bent(x):
        if x[0] > 0:
            return x[0] ** 2 + x[1] ** 2
        return 2 * x[0] ** 2 + x[1] ** 2

    def slope(x, out):
        out[0] = 2 * x[0] if x[0] > 0 else 4 * x[0]
        out[1] = 2 * x[1]

    problem = gd.Problem(bent, slope, dim=2)
    with pytest.warns(UserWarning, match="branch on x"):
        runs = gd.minimize(problem, [[1.0, 2.0], [-1.0, 2.0]], gd.ConjugateGradient())
    assert runs.success.all()
