"""Every update rule with its oracle, the ranges of its hyperparameters, and comparisons of paths."""

from __future__ import annotations

import warnings
from typing import Any

import naive
import naive_rules
import numpy as np
import pytest
from cases import form
from hypothesis import strategies as st

import fastgd as gd

RULES = gd.optimizers.rules()
ORACLES = {
    name: getattr(naive_rules, kind.__name__, None) or getattr(naive, kind.__name__)
    for name, kind in gd.optimizers.REGISTRY.items()
    if name in RULES
}
HIMMELBLAU = gd.problems.himmelblau()
PROBLEMS = {"quadratic": form(2.0, 4.0), "himmelblau": HIMMELBLAU, "rosenbrock": gd.problems.rosenbrock(dim=5)}
# Each kernel compiles for seconds: these rules stand for the others where a test is not marked slow.
QUICK = ("lion", "nadam", "schedule_free_adamw")


def some_slow(rules: Any, quick: tuple[str, ...] = QUICK) -> list[Any]:
    """These rules, all but the quick ones marked slow."""
    return [rule if rule in quick else pytest.param(rule, marks=pytest.mark.slow) for rule in rules]


SOME_SLOW = some_slow(RULES)


def path_of(problem: gd.Problem, optimizer: gd.optimizers.Optimizer, start: Any, steps: int, **more: Any) -> np.ndarray:
    """The points after 0, 1, ..., `steps` steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the scalar target is slower
        return gd.minimize(problem, start, optimizer, max_steps=steps, gtol=None, bound=1e12, record=1, **more).trace


def relative(path: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The error of each point, relative to its size."""
    assert path.shape == expected.shape
    return np.max(np.abs(path - expected), axis=-1) / np.max(np.abs(expected), axis=-1)


def assert_path(path: np.ndarray, expected: np.ndarray, early: float = 1e-12, late: float = 1e-9) -> None:
    """Agreement relative to the size of the point, over the first 20 steps and over all."""
    error = relative(path, expected)
    assert np.max(error[..., :21]) <= early
    assert np.max(error) <= max(early, late)


# Hyperparameters that keep Himmelblau's function within its box, so that rounding does not grow
FRACTION, KEPT, DECAY = st.floats(0.0, 0.97), st.floats(0.5, 0.99), st.floats(1e-3, 0.5)
EPS, FLOOR = st.floats(1e-8, 1e-2), st.floats(1e-6, 1e-2)
ADAM = {"lr": st.floats(1e-4, 0.1), "beta1": FRACTION, "beta2": KEPT, "eps": EPS}
RANGES: dict[str, dict[str, st.SearchStrategy[float]]] = {
    # With a small beta1 the average is close to the gradient, and steps are huge
    "adabelief": {**ADAM, "lr": st.floats(1e-4, 0.02), "beta1": KEPT, "eps_root": FLOOR},
    "adadelta": {"lr": st.floats(0.1, 2.0), "rho": KEPT, "eps": FLOOR, "weight_decay": DECAY},
    "adagrad": {
        "lr": st.floats(1e-3, 0.4), "lr_decay": st.floats(0.0, 1.0), "weight_decay": DECAY,
        "initial_accumulator_value": st.floats(0.0, 2.0), "eps": EPS,
    },
    "adam": {**ADAM, "weight_decay": DECAY},
    "adamax": {**ADAM, "weight_decay": DECAY},
    "adamw": {**ADAM, "weight_decay": DECAY},
    "adan": {**ADAM, "lr": st.floats(1e-4, 0.02), "beta3": KEPT, "eps_root": FLOOR, "weight_decay": DECAY},
    "ademamix": {
        **ADAM, "lr": st.floats(1e-4, 0.02), "beta3": KEPT, "alpha": st.floats(0.0, 5.0), "weight_decay": DECAY,
    },
    "gradient_descent": {"lr": st.floats(1e-4, 4e-3), "weight_decay": DECAY},
    "lion": {"lr": st.floats(1e-4, 0.1), "beta1": FRACTION, "beta2": FRACTION, "weight_decay": DECAY},
    "momentum": {
        "lr": st.floats(1e-5, 5e-4), "momentum": FRACTION, "dampening": st.floats(0.0, 1.0), "weight_decay": DECAY,
    },
    "nadam": {**ADAM, "weight_decay": DECAY, "momentum_decay": st.floats(0.0, 2.0)},
    "nesterov": {"lr": st.floats(1e-5, 5e-4), "momentum": FRACTION, "weight_decay": DECAY},
    "radam": {**ADAM, "lr": st.floats(1e-5, 1e-3), "weight_decay": DECAY},
    "rmsprop": {
        "lr": st.floats(1e-4, 0.02), "alpha": KEPT, "eps": FLOOR, "weight_decay": DECAY,
        "momentum": st.floats(1e-3, 0.9),
    },
    "rprop": {
        "lr": st.floats(1e-3, 0.1), "eta_minus": st.floats(0.1, 0.9), "eta_plus": st.floats(1.0, 1.3),
        "min_step": st.floats(1e-6, 1e-3), "max_step": st.floats(0.1, 0.5),
    },
    "schedule_free_adamw": {**ADAM, "lr": st.floats(1e-4, 0.5), "weight_decay": DECAY},
    "schedule_free_sgd": {"lr": st.floats(1e-4, 0.01), "beta": st.floats(0.0, 1.0), "weight_decay": DECAY},
    "yogi": {**ADAM, "initial_accumulator_value": st.floats(1e-6, 1.0)},
}  # fmt: skip
RUNS, STEPS = 5, 30
STARTS = HIMMELBLAU.sample(RUNS, seed=3) * 0.6


@st.composite
def settings_of(draw: st.DrawFn, rule: str, *, shared: bool = False) -> dict[str, Any]:
    """Hyperparameters: all shared by the runs, or the rate and perhaps others an array over them."""
    found: dict[str, Any] = {}
    for name, values in RANGES[rule].items():
        array = not shared and (name == "lr" or draw(st.booleans()))
        found[name] = np.array(draw(st.lists(values, min_size=RUNS, max_size=RUNS))) if array else draw(values)
    return found


def naive_paths(rule: str, options: dict[str, Any], starts: np.ndarray, steps: int = STEPS, **more: Any) -> np.ndarray:
    grad = more.pop("grad", naive.himmelblau)
    paths = []
    for k, start in enumerate(starts):
        own = {name: float(np.broadcast_to(value, RUNS)[k]) for name, value in options.items()}
        paths.append(naive.descend(ORACLES[rule](**own, **more), grad, start, steps))
    return np.array(paths)
