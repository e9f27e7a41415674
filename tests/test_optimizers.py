"""Every rule against PyTorch's paths, and against the equations one run at a time."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import naive
import numpy as np
import pytest
from cases import derived, folded, form, trace_of
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd as gd

RULES = ["adam", "gradient_descent", "momentum", "nesterov"]
ORACLES = {
    "gradient_descent": naive.GradientDescent,
    "momentum": naive.Momentum,
    "nesterov": naive.Nesterov,
    "adam": naive.Adam,
}
PATHS = [
    run
    for run in json.loads((Path(__file__).parent / "reference" / "optimizers.json").read_text())
    if run["rule"] in RULES
]
PROBLEMS = {
    "quadratic": form(2.0, 4.0),
    "himmelblau": gd.problems.himmelblau(),
    "rosenbrock": gd.problems.rosenbrock(dim=5),
}
DERIVED = {name: derived(problem) for name, problem in PROBLEMS.items()}
# Each kernel compiles for seconds: the whole product is slow, and these stand for it.
QUICK = {"quadratic": ("nesterov",), "rosenbrock": ("momentum",), "himmelblau": ("adam",)}


def some_slow(*quick: str) -> list[Any]:
    """Every rule, those not named here marked slow."""
    return [rule if rule in quick else pytest.param(rule, marks=pytest.mark.slow) for rule in RULES]


def optimizer_of(run: dict[str, Any]) -> gd.optimizers.Optimizer:
    options = dict(run["hyper"])
    options.pop("nesterov", None)
    if "betas" in options:
        options["beta1"], options["beta2"] = options.pop("betas")
    return gd.optimizers.make(run["rule"], **options)


def label(run: dict[str, Any]) -> str:
    return "-".join([run["rule"], run["problem"], *run["hyper"]])


def quick(run: dict[str, Any]) -> bool:
    return run["rule"] in QUICK[run["problem"]] and not {"weight_decay", "amsgrad"} & set(run["hyper"])


def path_of(problem: gd.Problem, optimizer: gd.optimizers.Optimizer, start: Any, steps: int) -> np.ndarray:
    """The points after 0, 1, ..., `steps` steps."""
    return trace_of(problem, start, optimizer, max_steps=steps)


def assert_path(path: np.ndarray, expected: np.ndarray, early: float = 1e-12, late: float = 1e-9) -> None:
    """Agreement relative to the size of the point, over the first 20 steps and over all."""
    assert path.shape == expected.shape
    error = np.max(np.abs(path - expected), axis=-1) / np.max(np.abs(expected), axis=-1)
    assert np.max(error[..., :21]) <= early
    assert np.max(error) <= late


def test_every_rule_has_paths_on_every_problem() -> None:
    assert {(run["rule"], run["problem"]) for run in PATHS} == {(r, p) for r in RULES for p in PROBLEMS}
    assert set(ORACLES) == set(RULES)


@pytest.mark.parametrize("run", PATHS, ids=label)
def test_paths_are_pytorchs(run: dict[str, Any]) -> None:
    expected = np.array(run["x"])
    path = path_of(PROBLEMS[run["problem"]], optimizer_of(run), expected[0], len(expected) - 1)
    assert_path(path, expected)


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, id=label(run), marks=() if quick(run) else pytest.mark.slow)
        for run in PATHS
    ],
)
def test_paths_with_a_derived_gradient_are_pytorchs(run: dict[str, Any]) -> None:
    problem = DERIVED[run["problem"]]
    assert problem.has_derived_gradient
    expected = np.array(run["x"])
    assert_path(path_of(problem, optimizer_of(run), expected[0], len(expected) - 1), expected)


# hyperparameters that keep Himmelblau's function within its box, so that rounding does not grow
FRACTION, DECAY = st.floats(0.0, 0.97), st.floats(1e-3, 0.5)
RANGES: dict[str, dict[str, st.SearchStrategy[float]]] = {
    "gradient_descent": {"lr": st.floats(1e-4, 4e-3)},
    "momentum": {"lr": st.floats(1e-5, 5e-4), "momentum": FRACTION, "dampening": st.floats(0.0, 1.0)},
    "nesterov": {"lr": st.floats(1e-5, 5e-4), "momentum": FRACTION},
    "adam": {
        "lr": st.floats(1e-4, 0.1), "beta1": FRACTION, "beta2": st.floats(0.5, 0.9999), "eps": st.floats(1e-8, 1e-2),
    },
}  # fmt: skip
RUNS, STEPS = 5, 30


@st.composite
def settings_of(draw: st.DrawFn, rule: str, *, shared: bool = False, decay: bool = False) -> dict[str, Any]:
    """Hyperparameters: all shared by the runs, or the rate and perhaps others an array over them."""
    found: dict[str, Any] = {}
    for name, values in (RANGES[rule] | ({"weight_decay": DECAY} if decay else {})).items():
        array = not shared and (name == "lr" or draw(st.booleans()))
        found[name] = np.array(draw(st.lists(values, min_size=RUNS, max_size=RUNS))) if array else draw(values)
    return found


def naive_paths(rule: str, options: dict[str, Any], starts: np.ndarray, steps: int = STEPS, **more: Any) -> np.ndarray:
    paths = []
    for k, start in enumerate(starts):
        own = {name: float(np.broadcast_to(value, RUNS)[k]) for name, value in options.items()}
        paths.append(naive.descend(ORACLES[rule](**own, **more), naive.himmelblau, start, steps))
    return np.array(paths)


STARTS = gd.problems.himmelblau().sample(RUNS, seed=3) * 0.6


@pytest.mark.parametrize("rule", RULES)
def test_random_settings_of_each_run_follow_the_equations(rule: str) -> None:
    @given(options=settings_of(rule, decay=rule in ("momentum", "adam")))
    @settings(max_examples=30)
    def check(options: dict[str, Any]) -> None:
        path = path_of(gd.problems.himmelblau(), gd.optimizers.make(rule, **options), STARTS, STEPS)
        assert_path(path, naive_paths(rule, options, STARTS))

    check()


@pytest.mark.parametrize("rule", RULES)
def test_random_shared_settings_follow_the_equations(rule: str) -> None:
    @given(options=settings_of(rule, shared=True))
    @settings(max_examples=30)
    def check(options: dict[str, Any]) -> None:
        path = path_of(gd.problems.himmelblau(), gd.optimizers.make(rule, **options), STARTS, STEPS)
        assert_path(path, naive_paths(rule, options, STARTS))

    check()


@pytest.mark.parametrize("rule", some_slow("adam"))
def test_the_scalar_target_follows_the_equations(rule: str) -> None:
    @given(options=settings_of(rule, decay=True))
    @settings(max_examples=15)
    def check(options: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is slower, said once a process
            path = path_of(folded(), gd.optimizers.make(rule, **options), STARTS, STEPS)
        assert_path(path, naive_paths(rule, options, STARTS))

    check()


@pytest.mark.parametrize("rule", some_slow("adam"))
def test_single_precision_follows_the_equations_to_its_own_rounding(rule: str) -> None:
    @given(options=settings_of(rule))
    @settings(max_examples=15)
    def check(options: dict[str, Any]) -> None:
        optimizer = gd.optimizers.make(rule, **options)
        starts = STARTS.astype(np.float32)
        path = trace_of(gd.problems.himmelblau(), starts, optimizer, max_steps=10, dtype=np.float32)
        assert path.dtype == np.float32
        expected = naive_paths(rule, options, starts.astype(np.float64), steps=10)
        assert_path(path, expected, early=2e-4, late=2e-4)
        one = np.abs(path[:, 1] - expected[:, 1]) / np.max(np.abs(expected[:, 1]), axis=-1, keepdims=True)
        assert np.max(one) < 4e-6

    check()


@given(options=settings_of("adam"))
@settings(max_examples=20)
def test_amsgrad_follows_the_equations(options: dict[str, Any]) -> None:
    path = path_of(gd.problems.himmelblau(), gd.Adam(**options, amsgrad=True), STARTS, STEPS)
    assert_path(path, naive_paths("adam", options, STARTS, amsgrad=True))


def test_amsgrad_parts_from_adam_where_gradients_shrink() -> None:
    start = [0.7, -0.4]
    plain = path_of(PROBLEMS["quadratic"], gd.Adam(lr=0.05, beta2=0.9), start, 60)
    ams = path_of(PROBLEMS["quadratic"], gd.Adam(lr=0.05, beta2=0.9, amsgrad=True), start, 60)
    assert np.max(np.abs(plain - ams)) > 1e-2


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", [pytest.param("quadratic", marks=pytest.mark.slow), "himmelblau"])
def test_nesterovs_two_forms_are_one_method_at_two_points(name: str, momentum: float) -> None:
    """At a constant rate x + mu v of the one is x of the other, from the same start."""
    ahead = path_of(PROBLEMS[name], gd.Nesterov(lr=1e-3, momentum=momentum, look_ahead=True), [0.9, 1.4], 40)
    plain = path_of(PROBLEMS[name], gd.Nesterov(lr=1e-3, momentum=momentum), [0.9, 1.4], 40)
    velocity = np.diff(ahead, axis=0)
    assert_path(ahead[1:] + momentum * velocity, plain[1:])
    if momentum:
        assert np.max(np.abs(ahead - plain)) > 1e-3


def test_looking_ahead_stops_where_the_gradient_is_small_at_x() -> None:
    """The gradient that the rule uses is taken elsewhere; the test and `grad_norm` are about x."""
    problem = PROBLEMS["himmelblau"]
    runs = gd.minimize(problem, problem.sample(200, seed=1), gd.Nesterov(lr=0.005, look_ahead=True), gtol=1e-5)
    assert runs.success.all()
    norms = np.max(np.abs(problem.gradient(runs.x)), axis=-1)
    assert np.max(norms) <= 1.0001e-5
    np.testing.assert_allclose(runs.grad_norm, norms, atol=1e-12)


def test_momentum_of_zero_is_gradient_descent() -> None:
    start = PROBLEMS["himmelblau"].sample(20, seed=5) * 0.5
    plain = path_of(PROBLEMS["himmelblau"], gd.GradientDescent(lr=2e-3), start, 30)
    for optimizer in (gd.Momentum(lr=2e-3, momentum=0.0), gd.Nesterov(lr=2e-3, momentum=0.0)):
        np.testing.assert_allclose(path_of(PROBLEMS["himmelblau"], optimizer, start, 30), plain, rtol=1e-13)


def test_the_first_gradient_is_not_dampened() -> None:
    path = path_of(PROBLEMS["quadratic"], gd.Momentum(lr=0.1, momentum=0.5, dampening=0.25), [1.0, 1.0], 2)
    np.testing.assert_allclose(path[1], [0.8, 0.6], rtol=1e-15)
    # b = 0.5 g1 + 0.75 g2 with g1 = (2, 4), g2 = (1.6, 2.4)
    np.testing.assert_allclose(path[2], [0.8 - 0.1 * 2.2, 0.6 - 0.1 * 3.8], rtol=1e-15)


def test_weight_decay_is_a_bowl_around_the_origin() -> None:
    """On c/2 x² gradient descent with decay w shrinks x by 1 - lr (c + w) at each step."""
    path = path_of(PROBLEMS["quadratic"], gd.GradientDescent(lr=0.1, weight_decay=1.5), [1.0, -2.0], 10)
    t = np.arange(11)[:, None]
    np.testing.assert_allclose(path, np.array([1.0, -2.0]) * (1 - 0.1 * (np.array([2.0, 4.0]) + 1.5)) ** t, rtol=1e-13)


# The registry


def test_names_are_sorted_and_make_what_they_say() -> None:
    names = gd.optimizers.names()
    assert names == sorted(names)
    assert set(RULES) <= set(names)
    for name in RULES:
        optimizer = gd.optimizers.make(name, lr=0.25)
        assert type(optimizer).name == name
        assert optimizer.lr == 0.25


def test_made_optimizers_keep_their_options() -> None:
    adam = gd.optimizers.make("adam", lr=0.1, beta1=0.5, amsgrad=True)
    expected = {"lr": 0.1, "beta1": 0.5, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "amsgrad": True}
    assert dataclasses.asdict(adam).items() >= expected.items()
    with pytest.raises(dataclasses.FrozenInstanceError):
        adam.lr = 1.0  # type: ignore[misc]


def test_arrays_of_hyperparameters_are_copies_that_cannot_be_written_to() -> None:
    rates = np.array([0.1, 0.2])
    optimizer = gd.GradientDescent(lr=rates)
    rates[0] = 7.0
    assert optimizer.lr.tolist() == [0.1, 0.2]
    with pytest.raises(ValueError, match="read-only"):
        optimizer.lr[0] = 1.0


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("adm", {}, ["unknown optimizer 'adm'", "Did you mean 'adam'?", "nesterov"]),
        ("Momentun", {"lr": 1.0}, ["Did you mean 'momentum'?"]),
        ("zzz", {}, ["unknown optimizer 'zzz'", "Known: ", ", adam,"]),
        ("adam", {"beta_1": 0.9}, ["adam has no option 'beta_1'; here it is called beta1."]),
        ("momentum", {"lr": 0.1, "amsgrad": True}, ["momentum has no option 'amsgrad'", "dampening"]),
        ("gradient_descent", {}, ["gradient_descent needs lr"]),
    ],
)
def test_unknown_names_get_the_nearest_one_suggested(name: str, options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"optimizer|option|needs") as caught:
        gd.optimizers.make(name, **options)
    for word in words:
        assert word in str(caught.value)


# Methods that are no update rules


class Still:
    """An engine whose runs stay where they start, and which writes down what it is asked."""

    def __init__(self, stopped: bool) -> None:
        self.stopped, self.asked = stopped, []

    def plan(self, problem: gd.Problem, x0: Any, optimizer: Any, stop: Any, *rest: Any) -> Any:
        self.asked.append(("plan", stop.gtol, *rest))
        return SimpleNamespace(problem=problem, optimizer=optimizer, x0=np.asarray(x0), runs=len(x0))

    def takes_gpu(self, optimizer: Any) -> bool:
        return False

    def run(self, plan: Any, device: str, threads: int, report: Any) -> np.ndarray:
        self.asked.append(("run", device, threads))
        report(plan.runs, plan.runs)
        if self.stopped:
            raise gd.Interrupted("stopped", partial=plan.x0)
        return plan.x0

    def result(self, plan: Any, arrays: np.ndarray) -> gd.Result:
        zeros = np.zeros(len(arrays))
        fun, status = plan.problem.value(arrays), zeros.astype(np.int8)
        return gd.Result(arrays, fun, zeros, status, status, problem=plan.problem, optimizer=plan.optimizer)


@dataclasses.dataclass(frozen=True, eq=False)
class Stay(gd.optimizers.Method):
    name = "stay"
    engine: Any = None

    @property
    def label(self) -> str:
        return "staying"


def test_a_method_brings_its_own_engine() -> None:
    engine, heard = Still(False), []
    runs = gd.minimize(
        gd.problems.himmelblau(), [[3.0, 2.0], [0.0, 0.0]], Stay(engine), gtol=0.5, threads=3, record=7,
        progress=lambda *count: heard.append(count),
    )  # fmt: skip
    drawn = {
        "batch_size": None, "replace": False, "shuffle": True, "noise": 0.0, "shared_batches": False,
        "check_every": None,
    }  # fmt: skip
    assert engine.asked == [("plan", 0.5, 0, np.float64, 7, None, drawn), ("run", "auto", 3)]
    assert heard == [(2, 2)]
    assert runs.fun.tolist() == [0.0, 170.0]
    assert "by staying" in str(runs)
    stopped = Stay(Still(True))
    with pytest.raises(gd.Interrupted, match="stopped") as caught:
        gd.minimize(gd.problems.himmelblau(), [[3.0, 2.0]], stopped, progress=lambda *count: None)
    assert isinstance(caught.value.partial, gd.Result)


def test_a_method_without_an_engine_has_to_be_a_rule_or_a_line_search() -> None:
    with pytest.raises(TypeError, match="optimizer must be an optimizer such as"):
        gd.minimize(gd.problems.himmelblau(), [0.0, 0.0], Stay())


def test_registered_methods_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gd.optimizers, "REGISTRY", dict(gd.optimizers.REGISTRY))
    assert gd.optimizers.register(Stay) is Stay
    assert isinstance(gd.optimizers.make("stay"), Stay)
    assert "stay" in gd.optimizers.names()
    assert "stay" not in gd.optimizers.rules()
