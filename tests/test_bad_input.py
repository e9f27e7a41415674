"""Every bad argument is an error before any work, which names it, what came and what was expected."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import numpy.lib.recfunctions
import pytest
from cases import form, refused

import fastgd as gd

HIMMELBLAU = gd.problems.himmelblau()
BOWL = form(1.0, 10.0)
DESCENT = gd.GradientDescent(lr=0.01)
START = [0.0, 0.0]


def bowl(x):
    return x[0] * x[0] + x[1] * x[1]


T = np.linspace(0.0, 1.0, 10)


def straight(x, i, t, y):
    return (x[0] * t[i] - y[i]) ** 2


STARTS: list[tuple[Any, type[Exception], list[str]]] = [
    ([np.nan, 0.0], ValueError, ["x0 must be finite", "nan", "index (0,)"]),
    ([[0.0, 0.0], [0.0, np.inf]], ValueError, ["x0 must be finite", "inf", "index (1, 1)"]),
    ([[0.0, 0.0], [-np.inf, 1.0]], ValueError, ["x0 must be finite", "-inf", "index (1, 0)"]),
    ([1.0, 2.0, 3.0], ValueError, ["x0 must have shape (*batch, 2)", "shape (3,)"]),
    (np.zeros((2, 5)), ValueError, ["x0 must have shape (*batch, 2)", "shape (2, 5)"]),
    (1.0, ValueError, ["x0 must have shape (*batch, 2)", "shape ()"]),
    ([], ValueError, ["x0 must have shape (*batch, 2)", "shape (0,)"]),
    (np.zeros((0, 2)), ValueError, ["x0 is empty", "(0, 2)"]),
    (None, TypeError, ["x0 must be an array of real numbers", "(*batch, 2)", "NoneType"]),
    (["a", "b"], TypeError, ["x0 must be an array of real numbers", "list"]),
    ([1j, 0.0], TypeError, ["x0 must be an array of real numbers"]),
    ([[0.0, 0.0], [0.0]], TypeError, ["x0 must be an array of real", "list of starts with 1 or 2 components"]),
    ([np.zeros(2), np.zeros(3)], TypeError, ["x0 must be", "(*batch, 2)", "starts with 2 or 3 components"]),
    ([[[0.0, 0.0]], [[0.0, 0.0], [0.0]]], TypeError, ["x0 must be an array of real numbers", "list"]),
    ([[0.0, 0.0], 1.0], TypeError, ["x0 must be an array of real numbers", "list"]),
    ([10**400, 0], TypeError, ["x0 must be an array of real numbers"]),
    (np.array([1j, 0.0]), TypeError, ["got ndarray of dtype complex128; write x0.real if the imaginary parts are"]),
    (np.array([1.0, 2.0], object), TypeError, ["got ndarray of dtype object; write x0.astype(float)"]),
    (np.array([True, False]), TypeError, ["got ndarray of dtype bool; write x0.astype(float)"]),
    (np.array(["1", "2"]), TypeError, ["got ndarray of dtype <U1; write x0.astype(float)"]),
    (
        np.zeros(3, [("a", float), ("b", float)]), TypeError,
        ["got ndarray of dtype [('a', '<f8'), ('b', '<f8')]; write numpy.lib.recfunctions.structured_to_unstructured"],
    ),
    (np.ma.masked_greater(np.eye(2), 0.5), ValueError, ["x0 has 2 masked entries", "np.ma.compress_rows(x0)"]),
    (
        [np.ma.masked_greater(np.eye(2)[0], 0.5), START], ValueError,
        ["x0 has 1 masked entry", "compress_rows(np.ma.array(x0))", "np.ma.array(x0).filled(0.0)"],
    ),
    ([np.ma.masked, 0.0], ValueError, ["x0 has 1 masked entry"]),
]  # fmt: skip


@pytest.mark.parametrize(("x0", "kind", "words"), STARTS)
def test_starts(x0: Any, kind: type[Exception], words: list[str]) -> None:
    refused(kind, words, lambda: gd.minimize(HIMMELBLAU, x0, DESCENT))


MASKED = np.ma.masked_less(np.linspace(0.0, 1.0, 10), 0.3)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("lr", lambda: PLAIN(lr=MASKED)),
        ("x", lambda: BOWL.value(MASKED.reshape(-1, 2))),
        ("x", lambda: gd.gradient_check(BOWL, MASKED.reshape(-1, 2))),
        ("x0", lambda: gd.compare(BOWL, MASKED.reshape(-1, 2), [DESCENT])),
        ("data[0]", lambda: gd.Problem(lambda x, a: a[0] * x[0] ** 2, dim=1, data=(MASKED,))),
        ("data[1]", lambda: gd.FiniteSum(straight, dim=1, data=(T, MASKED))),
        ("over['lr']", lambda: gd.sweep_basins(BOWL, DESCENT, {"lr": MASKED})),
        ("minima", lambda: gd.Problem(bowl, dim=2, minima=MASKED[:2])),
    ],
)
def test_masked_entries_are_refused(name: str, call: Any) -> None:
    refused(ValueError, [f"{name} has", "masked entries, whose values would be used: leave them out"], call)


def test_a_mask_that_hides_nothing_is_taken() -> None:
    seen = np.ma.masked_greater(np.eye(2), 5.0)
    np.testing.assert_array_equal(BOWL.value(seen), BOWL.value(np.eye(2)))
    rows = np.ma.compress_rows(np.ma.masked_greater([[1.0, 2.0], [9.0, 1.0]], 5.0))  # as the error says
    assert gd.minimize(BOWL, rows, DESCENT).x.shape == (1, 2)
    listed = np.ma.compress_rows(np.ma.array([np.ma.masked_greater([9.0, 1.0], 5.0), [1.0, 2.0]]))
    np.testing.assert_array_equal(listed, rows)
    named = np.lib.recfunctions.structured_to_unstructured(np.zeros(3, [("a", float), ("b", float)]))
    assert gd.minimize(BOWL, named, DESCENT).x.shape == (3, 2)


def test_a_start_too_large_for_single_precision() -> None:
    refused(
        ValueError, ["x0 must be finite", "float32", "inf"],
        lambda: gd.minimize(HIMMELBLAU, [1e300, 0.0], DESCENT, dtype=np.float32),
    )  # fmt: skip


def test_flat_starts_in_one_dimension_are_told_how_to_be_written() -> None:
    line = gd.problems.double_well(dim=1)
    refused(ValueError, ["x0[:, None]", "3 starts"], lambda: gd.minimize(line, [1.0, 2.0, 3.0], DESCENT))


SHAPES: list[tuple[Any, dict[str, Any], Any, list[str]]] = [
    (np.zeros((5, 2)), {"lr": [0.1] * 4}, 0, ["x0 (without its last axis) (5,)", "lr (4,)", "do not broadcast"]),
    (START, {"lr": [0.1] * 4, "weight_decay": [0.1] * 3}, 0, ["lr (4,)", "weight_decay (3,)", "lr[:, None]"]),
    (np.zeros((5, 2)), {"lr": 0.1}, [1, 2, 3], ["x0 (without its last axis) (5,)", "seed (3,)"]),
    (START, {"lr": []}, 0, ["lr is empty", "(0,)"]),
    (START, {"lr": 0.1, "weight_decay": np.zeros((3, 0))}, 0, ["weight_decay is empty", "(3, 0)"]),
]


@pytest.mark.parametrize(("x0", "options", "seed", "words"), SHAPES)
def test_shapes_that_do_not_broadcast(x0: Any, options: dict[str, Any], seed: Any, words: list[str]) -> None:
    refused(ValueError, words, lambda: gd.minimize(BOWL, x0, gd.GradientDescent(**options), seed=seed))


def test_the_parameters_of_a_schedule_take_part_in_the_shapes() -> None:
    schedule = gd.schedules.Exponential([0.1, 0.2], 0.9)
    refused(
        ValueError, ["lr (2,)", "x0 (without its last axis) (5,)"],
        lambda: gd.minimize(BOWL, np.zeros((5, 2)), gd.GradientDescent(lr=schedule)),
    )  # fmt: skip


MOMENTUM, NESTEROV, ADAM, PLAIN = gd.Momentum, gd.Nesterov, gd.Adam, gd.GradientDescent
HYPERPARAMETERS: list[tuple[Any, dict[str, Any], type[Exception], list[str]]] = [
    (PLAIN, {"lr": -0.1}, ValueError, ["GradientDescent: lr", "[0, inf)", "-0.1"]),
    (PLAIN, {"lr": np.nan}, ValueError, ["GradientDescent: lr must be finite", "nan"]),
    (PLAIN, {"lr": np.inf}, ValueError, ["GradientDescent: lr must be finite", "inf"]),
    (PLAIN, {"lr": [0.1, -0.2]}, ValueError, ["GradientDescent: lr", "-0.2"]),
    (PLAIN, {"lr": [[0.1], [np.nan]]}, ValueError, ["GradientDescent: lr", "nan"]),
    (PLAIN, {"lr": None}, TypeError, ["GradientDescent: lr must hold real numbers"]),
    (PLAIN, {"lr": "0.1"}, TypeError, ["GradientDescent: lr must hold real numbers"]),
    (PLAIN, {"lr": True}, TypeError, ["GradientDescent: lr must hold real numbers", "bool"]),
    (PLAIN, {"lr": 0.1j}, TypeError, ["GradientDescent: lr must hold real numbers", "complex"]),
    (PLAIN, {"lr": [[0.1], [0.1, 0.2]]}, TypeError, ["GradientDescent: lr", "not a regular array"]),
    (PLAIN, {"lr": lambda t: 0.1}, TypeError, ["GradientDescent: lr must be a number", "is a schedule, such as"]),
    (PLAIN, {"lr": gd.schedules.Cosine}, TypeError, ["GradientDescent: lr: give an instance, Cosine(...)"]),
    (ADAM, {"lr": gd.Backtracking}, TypeError, ["Adam: lr: give an instance, Backtracking(...)"]),
    (PLAIN, {"lr": 0.1, "weight_decay": -1e-3}, ValueError, ["GradientDescent: weight_decay", "-0.001"]),
    (MOMENTUM, {"lr": -1.0}, ValueError, ["Momentum: lr", "-1"]),
    (MOMENTUM, {"lr": 0.1, "momentum": 1.0}, ValueError, ["Momentum: momentum", "[0, 1)", "got 1"]),
    (MOMENTUM, {"lr": 0.1, "momentum": -0.1}, ValueError, ["Momentum: momentum", "[0, 1)", "-0.1"]),
    (MOMENTUM, {"lr": 0.1, "momentum": [0.5, 2.0]}, ValueError, ["Momentum: momentum", "[0, 1)", "got 2"]),
    (MOMENTUM, {"lr": 0.1, "dampening": 1.5}, ValueError, ["Momentum: dampening", "[0, 1]", "1.5"]),
    (NESTEROV, {"lr": 0.1, "momentum": 1.0}, ValueError, ["Nesterov: momentum", "[0, 1)"]),
    (NESTEROV, {"lr": 0.1, "look_ahead": "yes"}, TypeError, ["Nesterov: look_ahead", "True or False", "'yes'"]),
    (ADAM, {"lr": -1e-3}, ValueError, ["Adam: lr", "-0.001"]),
    (ADAM, {"beta1": 1.0}, ValueError, ["Adam: beta1", "[0, 1)"]),
    (ADAM, {"beta2": 1.0}, ValueError, ["Adam: beta2", "[0, 1)"]),
    (ADAM, {"beta2": np.nan}, ValueError, ["Adam: beta2 must be finite", "nan"]),
    (ADAM, {"eps": -1e-8}, ValueError, ["Adam: eps", "-1e-08"]),
    (ADAM, {"weight_decay": np.inf}, ValueError, ["Adam: weight_decay must be finite"]),
    (ADAM, {"amsgrad": 1}, TypeError, ["Adam: amsgrad", "True or False", "got 1"]),
    (ADAM, {"beta1": gd.schedules.Constant(0.9)}, TypeError, ["Adam: beta1", "only lr may be a schedule"]),
]


@pytest.mark.parametrize(
    ("make", "options", "kind", "words"),
    HYPERPARAMETERS,
    ids=[f"{make.__name__}-{k}" for k, (make, *_) in enumerate(HYPERPARAMETERS)],
)
def test_hyperparameters(make: Any, options: dict[str, Any], kind: type[Exception], words: list[str]) -> None:
    refused(kind, words, lambda: make(**options))


LIMITS: list[tuple[dict[str, Any], type[Exception], list[str]]] = [
    *(
        ({"max_steps": value}, ValueError, ["max_steps must be an integer >= 1", repr(value)])
        for value in (0, -5, 10.0, "10", None, True, np.nan)
    ),
    ({"max_steps": 1e4}, ValueError, ["got 10000.0; write max_steps=int(10000.0)"]),
    ({"max_steps": np.float64(1e4)}, ValueError, ["; write max_steps=int(10000.0)"]),
    *(
        ({name: value}, ValueError, [f"{name} must be None or a finite number >= 0", repr(value)])
        for name in ("gtol", "xtol", "ftol")
        for value in (-1e-9, np.nan, np.inf, "small", True, [1e-6])
    ),
    *(
        ({"patience": value}, ValueError, ["patience must be an integer >= 1", repr(value)])
        for value in (0, -1, 2.5, "2", True)
    ),
    *(
        ({"bound": value}, ValueError, ["bound must be a number > 0", repr(value)])
        for value in (0, -1.0, np.nan, None, "1")
    ),
    *(
        ({"record": value}, ValueError, ["record must be None or an integer >= 1", repr(value)])
        for value in (0, -1, 2.0, True, "1")
    ),
    *(
        ({"threads": value}, ValueError, ["threads must be None or an integer >= 1", repr(value)])
        for value in (0, -2, 1.5, True, "2")
    ),
    *(
        ({"seed": value}, ValueError, ["seed must be an integer >= 0", repr(value)])
        for value in (-1, 0.5, [1, -2], "1", None)
    ),
    ({"dtype": np.int64}, ValueError, ["dtype must be float64 or float32", "int64"]),
    ({"dtype": "float16"}, ValueError, ["dtype must be float64 or float32", "float16"]),
    ({"dtype": "double precision"}, TypeError, ["dtype must be float64 or float32", "double precision"]),
    ({"progress": "yes"}, TypeError, ["progress must be True, False or a callable", "'yes'"]),
]


@pytest.mark.parametrize(("options", "kind", "words"), LIMITS, ids=[str(options) for options, *_ in LIMITS])
def test_options(options: dict[str, Any], kind: type[Exception], words: list[str]) -> None:
    refused(kind, words, lambda: gd.minimize(BOWL, START, DESCENT, **options))


@pytest.mark.parametrize(
    ("problem", "optimizer", "words"),
    [
        (bowl, DESCENT, ["problem must be a fastgd.Problem", "write fastgd.Problem(bowl, dim=...)"]),
        (gd.problems.himmelblau, DESCENT, ["got the function that makes one: write himmelblau()"]),
        (DESCENT, BOWL, ["problem and optimizer are swapped"]),
        ("himmelblau", DESCENT, ["problem must be a fastgd.Problem", "'himmelblau'"]),
        (BOWL, "adam", ["optimizer must be an optimizer such as", "'adam'"]),
        (BOWL, gd.Adam, ["optimizer must be an instance: write Adam(...)"]),
        (BOWL, None, ["optimizer must be an optimizer such as", "None"]),
        (BOWL, 0.1, ["optimizer must be an optimizer such as", "0.1"]),
    ],
)
def test_problem_and_optimizer(problem: Any, optimizer: Any, words: list[str]) -> None:
    refused(TypeError, words, lambda: gd.minimize(problem, START, optimizer))


@pytest.mark.parametrize(
    "call",
    [
        lambda fun: gd.find_critical_points(fun), lambda fun: gd.gradient_check(fun),
        lambda fun: gd.map_basins(fun, DESCENT), lambda fun: gd.sweep_basins(fun, DESCENT, {"lr": [0.1]}),
        lambda fun: gd.compare(fun, START, [DESCENT]), lambda fun: gd.layer_gradients(fun, START),
        lambda fun: gd.line_slice(fun, START, START), lambda fun: gd.random_slice(fun, START),
        lambda fun: gd.path_slice(fun, [START]), lambda fun: gd.plot.contour(fun), lambda fun: gd.plot.surface(fun),
        lambda fun: gd.plot.learning_rates(fun, START, DESCENT, [0.1, 0.2]), lambda fun: gd.classify(fun, START),
        lambda fun: gd.measures.uncertainty_by_pairs(fun, DESCENT),
    ],
)  # fmt: skip
def test_a_function_is_no_problem_anywhere(call: Any) -> None:
    words = ["problem must be a fastgd.Problem, got the function bowl; write fastgd.Problem(bowl, dim=...)"]
    refused(TypeError, words, lambda: call(bowl))


def test_starts_and_optimizers_in_each_others_place() -> None:
    words = ["x0 and optimizer are swapped: write minimize(problem, x0, optimizer)"]
    refused(TypeError, words, lambda: gd.minimize(BOWL, DESCENT, START))
    for given in ({"a": DESCENT}, [DESCENT]):
        words = ["x0 and optimizers are swapped: write compare(problem, x0, optimizers)"]
        refused(TypeError, words, lambda given=given: gd.compare(BOWL, given, np.zeros((100, 2))))
    words = ["optimizers must be a list of optimizers", "got an array of shape (100, 2)"]
    refused(TypeError, words, lambda: gd.compare(BOWL, START, np.zeros((100, 2))))


def test_starts_in_columns_are_told_to_be_turned() -> None:
    words = ["got shape (2, 1000); write x0.T, with one start in each of its 1000 rows"]
    refused(ValueError, words, lambda: gd.minimize(BOWL, np.zeros((2, 1000)), DESCENT))


def test_a_map_without_a_box_says_how_to_give_one() -> None:
    words = ["bounds must be given, as bowl has no box: write bounds=(-1, 1) here or in Problem(...)"]
    refused(ValueError, words, lambda: gd.map_basins(gd.Problem(bowl, dim=2), DESCENT))


def test_a_problem_is_not_called() -> None:
    refused(TypeError, ["write problem.value(x) or problem.gradient(x)"], lambda: BOWL(START))


def test_what_the_attractors_of_a_map_have() -> None:
    found = gd.map_basins(HIMMELBLAU, gd.GradientDescent(lr=0.01), (3, 3))
    refused(AttributeError, ["the attractors have it, write map.basins.fractions"], lambda: found.fractions)
    refused(AttributeError, ["'BasinMap' object has no attribute 'colours'"], lambda: found.colours)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).labels, found.labels)


RATES = {"lr": [0.01, 0.02]}


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (4.0, ["got 4.0; write batch_size=int(4.0)"]), (np.float32(4.0), ["; write batch_size=int(4.0)"]),
        (np.array([1.0, 4.0]), ["got array([1., 4.]); write np.array(...).astype(int)"]), (2.5, ["got 2.5"]),
        ([1.0, np.nan], ["an integer >= 1 or an array of them, got [1.0, nan]"]), (0.0, ["got 0.0"]),
    ],
)  # fmt: skip
def test_batch_sizes_that_are_no_integers(size: Any, words: list[str]) -> None:
    line = gd.FiniteSum(straight, dim=1, data=(T, T))
    with pytest.raises(ValueError, match="batch_size must be") as caught:
        gd.minimize(line, [0.0], DESCENT, batch_size=size)
    assert words[0] in str(caught.value)
    assert ("write" in str(caught.value)) == ("write" in words[0])


def test_an_optimizer_is_looked_at_before_the_device() -> None:
    words = ["optimizer must be an instance: write Adam(...)"]
    refused(TypeError, words, lambda: gd.minimize(BOWL, START, gd.Adam, device="cuda"))
    refused(TypeError, ["problem must be"], lambda: gd.minimize(bowl, START, DESCENT, device="cuda"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "gpu"}, ["device must be one of auto, cpu, cuda, got 'gpu'", "Did you mean: 'cuda'?"]),
        ({"device": "NVIDIA"}, ["got 'NVIDIA'", "Did you mean: 'cuda'?"]),
        ({"device": "cpus"}, ["got 'cpus'", "Did you mean 'cpu'?"]),
        ({"device": None}, ["device must be one of auto, cpu, cuda, got None"]),
    ],
)
def test_devices(options: dict[str, Any], words: list[str]) -> None:
    refused(ValueError, words, lambda: gd.minimize(BOWL, START, DESCENT, **options))


@pytest.mark.parametrize("optimizer", [gd.SciPyCG(), gd.GradientFlow(method="LSODA")], ids=str)
def test_methods_that_run_on_the_cpu_only(optimizer: Any) -> None:
    words = ['device="cuda" is for update rules, line searches and the gradient flow', "CPU: leave device out"]
    refused(ValueError, words, lambda: gd.minimize(BOWL, START, optimizer, device="cuda"))


@pytest.mark.parametrize("optimizer", [gd.SciPyCG(), gd.GradientFlow()], ids=str)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": 0.1}, ["cannot honour noise: leave it out"]),
        ({"record": 5}, ["record=5 cannot be honoured by"]),
        ({"dtype": np.float32}, ["dtype must be float64 for"]),
    ],
)
def test_what_methods_with_an_engine_of_their_own_refuse(optimizer: Any, options: Any, words: list[str]) -> None:
    refused(ValueError, words, lambda: gd.minimize(BOWL, START, optimizer, **options))


@pytest.mark.parametrize(
    "call",
    [
        lambda optimizer: gd.map_basins(HIMMELBLAU, optimizer, (3, 3)),
        lambda optimizer: gd.sweep_basins(HIMMELBLAU, optimizer, {"lr": [0.1]}),
        lambda optimizer: gd.minimize(HIMMELBLAU, START, optimizer),
    ],
)
def test_a_class_is_no_optimizer(call: Any) -> None:
    refused(TypeError, ["optimizer must be an instance: write Adam(...)"], lambda: call(gd.Adam))
    refused(TypeError, ["optimizer must be an optimizer such as fastgd.Adam(lr=0.05)", "0.1"], lambda: call(0.1))


def test_find_basins_of_what_is_no_result() -> None:
    found = gd.map_basins(HIMMELBLAU, gd.GradientDescent(lr=0.01), (3, 3))
    write = "write find_basins(minimize(problem, x0, optimizer))"
    for given, words in (
        (found.runs, ["not an int, 9", write]), (found, [": its basins are found already, as its .basins"]),
        (found.basins, [": these are basins already"]), (np.zeros((3, 2)), ["an array of shape (3, 2)", write]),
        (HIMMELBLAU, ["not a Problem", write]), (None, ["not None", write]),
    ):  # fmt: skip
        refused(TypeError, ["result must be what minimize returns", *words], lambda given=given: gd.find_basins(given))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: gd.problems.make("himelblau"), ValueError, ["'himelblau'", "Did you mean 'himmelblau'?"]),
        (lambda: gd.problems.make("Rosenbrok"), ValueError, ["Did you mean 'rosenbrock'?"]),
        (lambda: gd.problems.make("rosenbrock", dims=3), TypeError, ["'dims'", "Did you mean 'dim'?"]),
        (lambda: gd.optimizers.make("momentun"), ValueError, ["'momentun'", "Did you mean 'momentum'?"]),
        (lambda: gd.optimizers.make("adam", epsilon=1e-8), ValueError, ["'epsilon'", "here it is called eps."]),
        (lambda: HIMMELBLAU.sample(5, method="sobel"), ValueError, ["'sobel'", "Did you mean 'sobol'?"]),
    ],
)
def test_unknown_names_get_the_nearest_one(call: Any, kind: type[Exception], words: list[str]) -> None:
    refused(kind, words, call)


def test_bad_input_leaves_nothing_behind() -> None:
    """After an error the same call with a good argument works as if nothing had been."""
    with pytest.raises(ValueError, match="max_steps"):
        gd.minimize(BOWL, [1.0, 1.0], DESCENT, max_steps=0)
    runs = gd.minimize(BOWL, [1.0, 1.0], DESCENT, max_steps=1)
    np.testing.assert_allclose(runs.x, [0.99, 0.9], rtol=1e-15)
