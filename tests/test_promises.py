"""A run depends on its problem, start, hyperparameters and seed alone; and nothing is silently wrong."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import assert_same_runs, edge, folded, form, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd as gd
from fastgd.engine import cpu

RUNS = 1000
RULES = ["adam", "gradient_descent", "momentum", "nesterov"]
OPTIONS: dict[str, dict[str, float]] = {
    "momentum": {"momentum": 0.8}, "nesterov": {"momentum": 0.8}, "adam": {"beta2": 0.99},
}  # fmt: skip
# Rates at which gradient descent leaves some runs short of the tolerance in 200 steps and others not; of a
# few problems some runs diverge.
RATES = {
    "ackley": 0.02, "beale": 0.01, "brown_badly_scaled": 2e-12, "double_well": 0.05, "goldstein_price": 1e-5,
    "griewank": 1.5, "helical_valley": 0.011, "himmelblau": 0.01, "lennard_jones": 2e-3, "levy": 0.05,
    "monkey_saddle": 0.05, "mueller_brown": 2e-4, "phase_oscillators": 0.3, "powell_singular": 0.01, "quadratic": 0.1,
    "rastrigin": 1e-3, "rosenbrock": 1e-3, "six_hump_camel": 0.03, "styblinski_tang": 5e-3, "three_hump_camel": 0.02,
    "wood": 3.4e-4,
}  # fmt: skip
NAMES = gd.problems.names()
PROBLEMS = {name: gd.problems.make(name) for name in NAMES} | {
    "rosenbrock": gd.problems.rosenbrock(dim=5), "folded": folded(),
}  # fmt: skip
# Each kernel compiles for seconds.  By default: every problem, every rule, both with shared and with own rates.
QUICK = {(name, "gradient_descent", False) for name in NAMES} | {
    (name, rule, own) for name in ("himmelblau", "quadratic") for rule in RULES for own in (False, True)
}
PRODUCT = [
    pytest.param(name, rule, own, marks=() if (name, rule, own) in QUICK else pytest.mark.slow)
    for name in [*NAMES, "folded"]
    for rule in RULES
    for own in (False, True)
]


def starts_of(problem: gd.Problem, seed: int) -> np.ndarray:
    return problem.sample(RUNS, seed=seed)


def descend(problem: gd.Problem, x0: Any, optimizer: gd.optimizers.Optimizer, **options: Any) -> gd.Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the scalar target is slower
        return gd.minimize(problem, x0, optimizer, **{"max_steps": 200, "gtol": 1e-3, **options})


def in_chunks_of(size: int) -> Any:
    return mock.patch.object(cpu, "chunk_runs", return_value=size)


def optimizer_of(name: str, rule: str, own: bool) -> gd.optimizers.Optimizer:
    """The rule at the problem's rate; with `own`, given once for every run."""
    rate = RATES.get(name, 0.01)
    if rule == "adam":
        rate = 0.05
    return gd.optimizers.make(rule, lr=np.full(RUNS, rate) if own else rate, **OPTIONS.get(rule, {}))


def part_of(optimizer: gd.optimizers.Optimizer, pick: Any) -> gd.optimizers.Optimizer:
    """The optimizer of some of the runs."""
    changes = {
        field.name: value[pick]
        for field in dataclasses.fields(optimizer)
        if isinstance(value := getattr(optimizer, field.name), np.ndarray)
    }
    return dataclasses.replace(optimizer, **changes)


@pytest.mark.parametrize(("name", "rule", "own"), PRODUCT)
def test_a_run_is_the_same_in_any_company(name: str, rule: str, own: bool) -> None:
    problem, optimizer = PROBLEMS[name], optimizer_of(name, rule, own)

    @given(
        seed=st.integers(0, 2**20),
        few=st.lists(st.integers(0, RUNS - 1), min_size=1, max_size=4, unique=True),
        size=st.sampled_from([1, 3, 7, 7, 7, 61, 500]),
        threads=st.sampled_from([1, 2, 3]),
        record=st.integers(1, 60),
        steps=st.integers(1, 200),
    )
    @settings(max_examples=8)
    def check(seed: int, few: list[int], size: int, threads: int, record: int, steps: int) -> None:
        x0 = starts_of(problem, seed)
        whole = descend(problem, x0, optimizer, max_steps=steps, threads=1)
        assert_same_runs(whole, descend(problem, x0, optimizer, max_steps=steps, threads=2))
        for k in few:
            assert_same_runs(whole, descend(problem, x0[k], part_of(optimizer, k), max_steps=steps), k)
        with in_chunks_of(size):
            assert_same_runs(whole, descend(problem, x0, optimizer, max_steps=steps, threads=threads))
            kept = descend(problem, x0, optimizer, max_steps=steps, threads=threads, record=record)
        assert_same_runs(whole, kept)
        order = np.random.default_rng(seed).permutation(RUNS)
        shuffled = descend(problem, x0[order], part_of(optimizer, order), max_steps=steps)
        assert_same_runs(whole, shuffled, order)
        again = descend(problem, x0, optimizer, max_steps=steps, record=record)
        assert same_bits(kept.trace, again.trace)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_those_runs_end_at_different_steps(name: str) -> None:
    """So that the tests above have blocks with finished runs in them, and survivors that move."""
    problem = PROBLEMS[name]
    runs = descend(problem, starts_of(problem, 0), optimizer_of(name, "gradient_descent", own=False))
    assert len(np.unique(runs.nit)) >= 5
    assert np.mean(runs.nit < 200) > 0.02


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["himmelblau", "quadratic"])
def test_shared_and_own_hyperparameters_are_the_same(name: str, rule: str) -> None:
    problem = PROBLEMS[name]
    fields = [f.name for f in dataclasses.fields(gd.optimizers.REGISTRY[rule]) if "low" in f.metadata]
    fields = [field for field in fields if field in ("lr", "momentum", "dampening", "beta1", "beta2", "eps")]
    options = {"lr": 0.05 if rule == "adam" else RATES[name], **OPTIONS.get(rule, {})}
    shared = gd.optimizers.make(rule, **options)

    @given(seed=st.integers(0, 2**20), arrays=st.sets(st.sampled_from(fields), min_size=1), steps=st.integers(1, 200))
    @settings(max_examples=10)
    def check(seed: int, arrays: set[str], steps: int) -> None:
        x0 = starts_of(problem, seed)
        own = dataclasses.replace(shared, **{field: np.full(RUNS, getattr(shared, field)) for field in arrays})
        assert_same_runs(
            descend(problem, x0, shared, max_steps=steps), descend(problem, x0, own, max_steps=steps)
        )

    check()


@pytest.mark.parametrize(
    ("rule", "field", "other"),
    [
        ("momentum", "dampening", 0.5),
        ("momentum", "weight_decay", 0.1),
        ("schedule_free_sgd", "weight_decay", 0.1),
        ("schedule_free_adamw", "weight_decay", 0.1),
    ],
)
def test_a_term_that_is_left_out_where_it_is_zero_is_zero_beside_runs_that_have_it(
    rule: str, field: str, other: float
) -> None:
    problem = PROBLEMS["himmelblau"]
    x0, lr = starts_of(problem, 0), RATES["himmelblau"]
    values = np.where(np.arange(RUNS) % 2 == 0, 0.0, other)
    without = descend(problem, x0, gd.optimizers.make(rule, lr=lr), max_steps=100)
    beside = descend(problem, x0, gd.optimizers.make(rule, lr=lr, **{field: values}), max_steps=100)
    assert_same_runs(without, beside, values == 0.0, values == 0.0)
    assert not np.array_equal(without.x[1::2], beside.x[1::2])


def test_the_stop_tests_on_the_value_and_the_step_belong_to_the_run() -> None:
    """Best values and counts of stalled steps move with the runs that are moved."""
    problem, optimizer = PROBLEMS["himmelblau"], gd.GradientDescent(lr=0.01)
    x0 = starts_of(problem, 4)
    tests = {"gtol": None, "xtol": 1e-7, "ftol": 1e-9, "patience": 3, "max_steps": 500}
    whole = descend(problem, x0, optimizer, **tests)
    assert np.all(whole.status == 1)
    for size in (1, 7, 100):
        with in_chunks_of(size):
            assert_same_runs(whole, descend(problem, x0, optimizer, **tests))
    for k in (0, 17, 999):
        assert_same_runs(whole, descend(problem, x0[k], optimizer, **tests), k)


# Nothing is silently wrong


@pytest.mark.parametrize("rule", RULES)
def test_a_run_that_fails_is_a_status_and_leaves_the_others_alone(rule: str) -> None:
    problem = PROBLEMS["himmelblau"]

    @given(
        seed=st.integers(0, 2**20),
        powers=st.lists(st.floats(-4, 300), min_size=1, max_size=20),
        places=st.lists(st.integers(0, 99), min_size=20, max_size=20),
        bound=st.sampled_from([10.0, 1e10, 1e300, np.inf]),
    )
    @settings(max_examples=25)
    def check(seed: int, powers: list[float], places: list[int], bound: float) -> None:
        x0 = problem.sample(100, seed=seed)
        calm = np.full(100, 1e-3)
        wild = calm.copy()
        wild[places[: len(powers)]] = 10.0 ** np.array(powers)
        options: dict[str, Any] = {"gtol": 1e-3, "max_steps": 300, "bound": bound}
        runs = gd.minimize(problem, x0, gd.optimizers.make(rule, lr=wild), **options)
        assert np.all(np.isfinite(runs.x))
        assert np.all(np.abs(runs.x) <= np.maximum(bound, 6.0))
        assert np.all(runs.grad_norm[runs.status == 0] <= 1e-3)
        assert np.all(np.isfinite(runs.fun[runs.status == 0]))
        assert set(np.unique(runs.status)) <= {0, 2, 3}
        same = wild == calm
        assert_same_runs(runs, gd.minimize(problem, x0, gd.optimizers.make(rule, lr=calm), **options), same, same)

    check()


def test_leaving_the_domain_is_divergence() -> None:
    """Past the edge the gradient is not a number: x is the last finite point, one step beyond the domain."""
    runs = gd.minimize(edge(), [[1.5, 1.0], [0.6, 1.0], [1.2, 1.0]], gd.GradientDescent(lr=[10.0, 0.1, 0.1]))
    assert runs.status.tolist() == [3, 0, 0]
    assert runs.nit[0] == 1
    assert runs.x[0, 0] == pytest.approx(1.5 - 10.0 * 1.5 * (np.sqrt(1.5) - 1.0), rel=1e-14)
    assert np.isnan(runs.fun[0])
    assert np.isnan(runs.grad_norm[0])
    np.testing.assert_allclose(runs.x[1:], [[1.0, 0.0]] * 2, atol=2e-6)
    with pytest.raises(ValueError, match="all of them diverged"):
        _ = gd.minimize(edge(), [[1.5, 1.0]], gd.GradientDescent(lr=[10.0])).best


def test_a_start_outside_the_domain_stays_where_it_is() -> None:
    runs = gd.minimize(edge(), [[-1.0, 1.0], [1.2, 1.0]], gd.GradientDescent(lr=[0.1, 0.1]))
    assert runs.status.tolist() == [3, 0]
    assert runs.nit[0] == 0
    assert runs.x[0].tolist() == [-1.0, 1.0]


def test_a_gradient_that_is_not_a_number_is_never_a_small_one() -> None:
    """One component is NaN and the other is 0, which is below any tolerance."""
    for optimizer in (gd.GradientDescent(lr=[0.1]), gd.GradientDescent(lr=[0.0])):
        for gtol in (1e-6, 1e9):
            runs = gd.minimize(edge(), [[-1.0, 0.0]], optimizer, gtol=gtol)
            assert runs.status.tolist() == [3]
            assert np.isnan(runs.grad_norm[0])
    stuck = gd.minimize(edge(), [[-1.0, 0.0], [1.0, 0.0]], gd.GradientDescent(lr=[0.1, 0.1]), max_steps=1)
    assert stuck.status.tolist() == [3, 0]


def test_quadratics_overflow_without_a_trace_of_nan() -> None:
    problem = form(1.0, 1.0)
    runs = gd.minimize(problem, [1.0, -1.0], gd.GradientDescent(lr=np.array([1e3, 1e30, 1e200, 0.5])), bound=np.inf)
    assert runs.status.tolist() == [3, 3, 3, 0]
    assert np.all(np.isfinite(runs.x))
    # (1 - lr)^t grows by 1e200 a step: one step fits, the next does not
    np.testing.assert_allclose(runs.x[2], [-1e200, 1e200], rtol=1e-12)
    assert runs.nit[2] == 1
