"""Every update rule against the programs of others and against the papers' equations."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from cases import folded
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import (
    FRACTION,
    HIMMELBLAU,
    ORACLES,
    PROBLEMS,
    RANGES,
    RULES,
    RUNS,
    SOME_SLOW,
    STARTS,
    STEPS,
    assert_path,
    naive_paths,
    path_of,
    relative,
    settings_of,
)

import fastgd as gd
from fastgd.schedules import Exponential, LinearWarmup

REFERENCE = Path(__file__).parent / "reference"
PATHS, VARIANTS = (json.loads((REFERENCE / name).read_text()) for name in ("optimizers.json", "variants.json"))
GRADIENTS = {"quadratic": naive.quadratic, "himmelblau": naive.himmelblau, "rosenbrock": naive.rosenbrock}


def options_of(run: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a path under the library's names."""
    names = {"learning_rate": "lr", "b1": "beta1", "b2": "beta2", "b3": "beta3"}
    found = {names.get(name, name): value for name, value in run["hyper"].items() if name != "nesterov"}
    pairs = {"betas": ("beta1", "beta2"), "etas": ("eta_minus", "eta_plus"), "step_sizes": ("min_step", "max_step")}
    for pair, (first, second) in pairs.items():
        if pair in found:
            found[first], found[second] = found.pop(pair)
    return found


def label(run: dict[str, Any]) -> str:
    return "-".join([run["rule"], run["problem"], *run["hyper"]])


def with_marks(runs: list[dict[str, Any]]) -> list[Any]:
    """One path of each rule by default, the rest slow."""
    met: set[str] = set()
    marked = []
    for run in runs:
        quick = run["problem"] == "himmelblau" and run["rule"] not in met
        met |= {run["rule"]} if quick else set()
        marked.append(pytest.param(run, id=label(run), marks=() if quick else pytest.mark.slow))
    return marked


# Programs of others


def test_every_rule_has_paths() -> None:
    rules = {run["rule"] for run in PATHS}
    assert len(PATHS) == 69
    assert {(run["rule"], run["problem"]) for run in PATHS} == {(rule, name) for rule in rules for name in PROBLEMS}
    assert rules | {run["rule"] for run in VARIANTS} == set(RULES)


@pytest.mark.parametrize("run", with_marks(PATHS))
def test_paths_are_pytorchs_and_optaxs(run: dict[str, Any]) -> None:
    expected = np.array(run["x"])
    optimizer = gd.optimizers.make(run["rule"], **options_of(run))
    assert_path(path_of(PROBLEMS[run["problem"]], optimizer, expected[0], len(expected) - 1), expected)


@pytest.mark.parametrize("run", [pytest.param(run, id=label(run), marks=pytest.mark.slow) for run in VARIANTS])
def test_paths_of_further_options_are_those_of_other_programs(run: dict[str, Any]) -> None:
    expected, options, warmup = np.array(run["x"]), options_of(run), run.get("warmup_steps", 0)
    if warmup:  # lr min((t + 1) / warmup, 1)
        options["lr"] = LinearWarmup(options["lr"], steps=warmup - 1, start_factor=1 / warmup)
    path = path_of(HIMMELBLAU, gd.optimizers.make(run["rule"], **options), expected[0], len(expected) - 1)
    assert_path(path, expected)


@pytest.mark.parametrize("run", [pytest.param(run, id=label(run)) for run in PATHS + VARIANTS])
def test_the_oracles_paths_are_those_of_other_programs(run: dict[str, Any]) -> None:
    expected, options, warmup = np.array(run["x"]), options_of(run), run.get("warmup_steps", 0)
    if warmup:
        peak = options["lr"]
        options["lr"] = lambda t: peak * min((t + 1) / warmup, 1.0)
    rule = ORACLES[run["rule"]](**options)
    assert_path(naive.descend(rule, GRADIENTS[run["problem"]], expected[0], len(expected) - 1), expected)


# Equations


def check_equations(rule: str, problem: gd.Problem, examples: int, *, shared: bool = False, **more: Any) -> None:
    @given(options=settings_of(rule, shared=shared))
    @settings(max_examples=examples)
    def check(options: dict[str, Any]) -> None:
        path = path_of(problem, gd.optimizers.make(rule, **options, **more), STARTS, STEPS)
        expected = naive_paths(rule, options, STARTS, **more)
        # Some settings are unstable, and rounding grows: as much as a change of the starts by theirs tells
        nearby = naive_paths(rule, options, STARTS * (1 + 1e-15), **more)
        error, growth = relative(path, expected), np.maximum.accumulate(relative(nearby, expected), axis=-1)
        assert np.all(error[..., :21] <= 1e-10 + 1000 * growth[..., :21])
        assert np.all(error <= 1e-9 + 1000 * growth)

    check()


def test_every_rule_has_ranges_of_all_its_hyperparameters() -> None:
    for name in gd.optimizers.rules():
        numeric = {field.name for field in dataclasses.fields(gd.optimizers.REGISTRY[name]) if "low" in field.metadata}
        assert set(RANGES[name]) == numeric - {"clip_value", "clip_norm"}


@pytest.mark.parametrize("rule", SOME_SLOW)
def test_random_settings_of_each_run_follow_the_equations(rule: str) -> None:
    check_equations(rule, HIMMELBLAU, 25)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_random_shared_settings_follow_the_equations(rule: str) -> None:
    check_equations(rule, HIMMELBLAU, 25, shared=True)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_the_scalar_target_follows_the_equations(rule: str) -> None:
    check_equations(rule, folded(), 15)


OPTIONS = [
    ("adagrad", {"eps_inside_root": True}), ("rmsprop", {"eps_inside_root": True}), ("adan", {"as_published": True}),
    ("rmsprop", {"centered": True}), ("rmsprop", {"centered": True, "eps_inside_root": True}),
    ("adam", {"amsgrad": True}), ("adamw", {"amsgrad": True}), ("nadam", {"decoupled_weight_decay": True}),
    ("radam", {"decoupled_weight_decay": True}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "options"), OPTIONS)
def test_options_follow_the_equations(rule: str, options: dict[str, bool]) -> None:
    check_equations(rule, HIMMELBLAU, 15, **options)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_single_precision_follows_the_equations_to_its_own_rounding(rule: str) -> None:
    starts = STARTS.astype(np.float32)

    @given(options=settings_of(rule))
    @settings(max_examples=15)
    def check(options: dict[str, Any]) -> None:
        path = path_of(HIMMELBLAU, gd.optimizers.make(rule, **options), starts, 10, dtype=np.float32)
        assert path.dtype == np.float32
        expected = naive_paths(rule, options, starts.astype(float), steps=10)
        assert_path(path[:, :2], expected[:, :2], early=4e-6)
        assert_path(path, expected, early=1e-3)

    check()


@pytest.mark.parametrize("corrected", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_averaged_momentum_follows_the_equations(corrected: bool) -> None:
    @given(lr=st.floats(1e-4, 5e-3), momentum=st.lists(FRACTION, min_size=RUNS, max_size=RUNS))
    @settings(max_examples=25)
    def check(lr: float, momentum: list[float]) -> None:
        options = {"lr": lr, "momentum": np.array(momentum)}
        more = {"averaged": True, "bias_correction": corrected}
        path = path_of(HIMMELBLAU, gd.Momentum(**options, **more), STARTS, STEPS)
        assert_path(path, naive_paths("momentum", options, STARTS, **more))

    check()


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["schedule_free_sgd", "schedule_free_adamw"])
@pytest.mark.parametrize("gamma", [0.9, 1.1])
def test_the_weights_of_schedule_free_rules_follow_the_largest_rate(rule: str, gamma: float) -> None:
    path = path_of(HIMMELBLAU, gd.optimizers.make(rule, lr=Exponential(2e-3, gamma)), STARTS, STEPS)
    slow = ORACLES[rule](lr=naive.exponential(2e-3, gamma))
    assert_path(path, np.array([naive.descend(slow, naive.himmelblau, start, STEPS) for start in STARTS]))
