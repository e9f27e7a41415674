"""A call that does not fit a function hears what is missing, too much or unknown, and what to write instead."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest
from cases import form, refused

import fastgd as gd
from fastgd.averaging import Average
from fastgd.searches import LineSearch

BOWL = form(1.0, 10.0)
HIMMELBLAU = gd.problems.himmelblau()
DESCENT = gd.GradientDescent(lr=0.01)
RATES = {"lr": [0.01, 0.02]}
START = [0.0, 0.0]
# The first two are called in compiled code, where a wrapper has no place; `make` tells the options of what it makes
EXPLAINED_ELSEWHERE = {gd.scratch, gd.select, gd.problems.make, gd.problems.names}


def bowl(x):
    return x[0] * x[0] + x[1] * x[1]


def bowl_gradient(x, out):
    out[0] = 2.0 * x[0]
    out[1] = 2.0 * x[1]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: gd.minimize(HIMMELBLAU),
            "minimize needs x0 and optimizer: write minimize(problem, x0=problem.sample(1000, seed=0), "
            "optimizer=fastgd.GradientDescent(lr=0.05)). It got a Problem as problem.",
        ),
        (
            lambda: gd.minimize(HIMMELBLAU, gd.Adam()),
            "minimize needs optimizer: write minimize(problem, x0, optimizer=fastgd.GradientDescent(lr=0.05)). "
            "It got a Problem as problem and an Adam as x0.",
        ),
        (
            lambda: gd.minimize(x0=START, optimizer=DESCENT),
            "minimize needs problem: write minimize(problem=fastgd.Problem(lambda x: (x[0] - 1) ** 2 + 10 * x[1] ** 2, "
            "dim=2, bounds=(-3, 3)), x0=..., optimizer=...).",
        ),
        (
            lambda: gd.sweep_basins(HIMMELBLAU, DESCENT),
            'sweep_basins needs over: write sweep_basins(problem, optimizer, over={"lr": [0.1, 0.5, 0.99, 1.01]}). '
            "It got a Problem as problem and a GradientDescent as optimizer.",
        ),
        (
            lambda: gd.find_basins(),
            "find_basins needs result: write find_basins(result=fastgd.minimize(problem, problem.sample(1000, seed=0), "
            "fastgd.Adam(lr=0.05), gtol=1e-8)).",
        ),
        (
            lambda: gd.map_basins(HIMMELBLAU),
            "map_basins needs optimizer: write map_basins(problem, optimizer=fastgd.Adam(lr=0.05)). "
            "It got a Problem as problem.",
        ),
        (lambda: gd.Problem(bowl), "Problem needs dim: write Problem(fun, dim=2). It got a function as fun."),
        (lambda: gd.GradientDescent(), "GradientDescent needs lr: write GradientDescent(lr=0.2)."),
        (
            lambda: gd.schedules.Exponential(0.1),
            "Exponential needs gamma: write Exponential(lr, gamma=0.5). It got a float as lr.",
        ),
        (
            lambda: gd.plot.basins(),
            'basins needs map: write basins(map=fastgd.map_basins(fastgd.problems.make("himmelblau"), '
            "fastgd.Adam(lr=0.05), shape=(64, 64))).",
        ),
        (
            lambda: gd.plot.layer_gradients(),
            'layer_gradients needs norms: write layer_gradients(norms={"sigmoid": fastgd.layer_gradients(network, '
            "network.sample(50, seed=0))}).",
        ),
        (lambda: HIMMELBLAU.sample(), "Problem.sample needs n: write problem.sample(n=1000)."),
    ],
)  # fmt: skip
def test_missing_arguments_hear_the_call_to_write(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said) + "$"):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: gd.minimize(HIMMELBLAU, START, DESCENT, 100),
            "minimize takes 3 arguments by position, problem, x0 and optimizer, and got 4: give others by name, as in "
            "max_steps=, gtol=, xtol=, ftol=, patience=.",
        ),
        (
            lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, RATES, [START], seed=1),
            "sweep_basins takes 3 arguments by position, problem, optimizer and over, and got 4: give others by name, "
            "as in n_starts=, x0=, tol=, coordinates=.",
        ),
        (
            lambda: gd.Problem(bowl, None, 2),
            "Problem takes 2 arguments by position, fun and grad, and got 3: give others by name, as in dim=, bounds=, "
            "data=, minima=, name=.",
        ),
        (lambda: gd.SWA(1, 2, 3), "SWA takes 2 arguments by position, start and every, and got 3."),
        (
            lambda: gd.minimize(HIMMELBLAU, START, gd.Adam(), optimizer=DESCENT),
            "minimize got optimizer twice: an Adam by position, and by name.",
        ),
    ],
)  # fmt: skip
def test_surplus_arguments_hear_of_the_names(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said) + "$"):
        call()


def public_callables() -> list[Any]:
    """All functions, optimizers, schedules, averages and line searches that a user calls."""
    places = (gd, gd.measures, gd.plot, gd.problems, gd.schedules)
    found = [getattr(place, name) for place in places for name in place.__all__]
    functions = [each for each in found if inspect.isfunction(each) and each not in EXPLAINED_ELSEWHERE]
    made = (gd.optimizers.Method, gd.schedules.Schedule, Average, LineSearch, gd.Problem)
    kinds = [each for each in found if inspect.isclass(each) and issubclass(each, made)]
    return [pytest.param(each, id=f"{each.__module__}.{each.__name__}") for each in [*functions, *kinds]]


@pytest.mark.parametrize("function", public_callables())
def test_every_public_function_can_be_pickled(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("function", public_callables())
def test_every_public_function_explains_its_calls(function: Any) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        with pytest.raises(TypeError, match=r"has no (argument|parameter) 'nothing_like_it'| needs "):
            function(nothing_like_it=1)
        return
    with pytest.raises(TypeError, match=r"^\w+ has no argument 'nothing_like_it'"):
        function(nothing_like_it=1)


@pytest.mark.parametrize("function", public_callables())
def test_every_argument_that_is_needed_has_an_example(function: Any) -> None:
    """But for the classes of what `problems.mlp`, `problems.gaussian_mixture` and `groups` return."""
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not needed or function.__name__ in ("Mixture", "Network", "Groups"):
        return
    with pytest.raises(TypeError, match=rf"^{function.__name__} needs .*: write {function.__name__}\(") as caught:
        function()
    written = str(caught.value).partition(": write ")[2].removesuffix(".")
    names = [word.arg for word in ast.parse(written, mode="eval").body.keywords]  # type: ignore[attr-defined]
    assert names == [p.name for p in needed]
    assert "=..." not in written


def test_an_error_inside_a_function_stays_as_it_is() -> None:
    from fastgd.calls import explain_calls

    @explain_calls()
    def calls_another(x: float) -> float:
        return pow(x)  # type: ignore[call-overload, no-any-return]

    with pytest.raises(TypeError, match="pow") as caught:
        calls_another(1.0)
    assert "calls_another" not in str(caught.value)
    with pytest.raises(TypeError, match=r"^calls_another needs x: write calls_another\(x=\.\.\.\)\.$"):
        calls_another()  # type: ignore[call-arg]


def test_unknown_arguments() -> None:
    with pytest.raises(TypeError, match=r"minimize has no argument 'maxsteps'\. Did you mean 'max_steps'\?"):
        gd.minimize(BOWL, START, DESCENT, maxsteps=10)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="by position"):
        gd.minimize(BOWL, START, DESCENT, 100)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, "here it is called max_steps") for name in ("maxiter", "n_steps")),
        *((name, "are max_steps=math.ceil(3 * n / batch_size)") for name in ("epochs", "n_epochs")),
        ("tol", "here it is called gtol or xtol or ftol"),
        ("callback", "record=k keeps every k-th point, and progress=function hears of finished runs"),
        ("jac", "give grad to the problem, as in fastgd.Problem(fun, grad"),
        ("bounds", "no descent is held within bounds or by constraints yet"),
        ("args", "give data to the problem"),
        ("learning_rate", "give lr to the optimizer, as in fastgd.Adam(lr=0.05)"),
        ("lr", "give lr to the optimizer"),
        ("beta1", "give beta1 to the optimizer"),
        ("method", "here it is called optimizer"),
        ("n_jobs", "here it is called threads"),
        ("n_runs", "there is a run for each start, as in x0=problem.sample(1000)"),
    ],
)
def test_names_of_other_libraries_in_minimize(name: str, said: str) -> None:
    words = [f"minimize has no argument {name!r}", said]
    refused(TypeError, words, lambda: gd.minimize(BOWL, START, DESCENT, **{name: 1}))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gd.Adam(learning_rate=0.1), ["Adam has no argument 'learning_rate'", "here it is called lr"]),
        (lambda: gd.AdamW(betas=(0.9, 0.99)), ["AdamW has no", "here it is called beta1 or beta2"]),
        (lambda: gd.Adam(0.1, epsilon=1e-8), ["here it is called eps"]),
        (lambda: gd.Adam(0.1, maxiter=100), ["Adam has no argument 'maxiter'", "give max_steps to fastgd.minimize"]),
        (lambda: gd.Momentum(0.1, beta1=0.9), ["Momentum has no argument 'beta1'", "here it is called momentum"]),
        (lambda: gd.GradientDescent(0.1, momentum=0.9), ["GradientDescent has no", "It takes lr, "]),
        (lambda: gd.ConjugateGradient(linesearch=1), ["ConjugateGradient has no", "here it is called line_search"]),
        (lambda: gd.SciPy(gtol=1e-8), ["SciPy has no argument 'gtol'", "give gtol to fastgd.minimize"]),
        (lambda: gd.GradientFlow(tol=1e-8), ["GradientFlow has no", "give gtol or xtol or ftol to fastgd.minimize"]),
        (lambda: gd.Problem(bowl, jac=bowl_gradient, dim=2), ["Problem has no", "here it is called grad"]),
        (lambda: gd.Problem(bowl, dim=2, bound=(-6, 6)), ["Problem has no argument 'bound'. Did you mean 'bounds'?"]),
        (lambda: gd.Problem(bowl, n=2), ["Problem has no argument 'n'", "here it is called dim"]),
        (lambda: gd.FiniteSum(bowl, args=(START,), dim=2), ["FiniteSum has no", "here it is called data"]),
    ],
)  # fmt: skip
def test_names_of_other_libraries_elsewhere(call: Any, words: list[str]) -> None:
    refused(TypeError, words, call)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gd.map_basins(HIMMELBLAU, DESCENT, shap=64), ["map_basins has no", "Did you mean 'shape'?"]),
        (lambda: gd.map_basins(HIMMELBLAU, DESCENT, resolution=64), ["map_basins has", "here it is called shape"]),
        (lambda: gd.map_basins(HIMMELBLAU, DESCENT, axes=(0, 1)), ["map_basins has", "here it is called plane"]),
        (lambda: gd.map_basins(HIMMELBLAU, DESCENT, maxsteps=64), ["map_basins has", "Did you mean 'max_steps'?"]),
        (lambda: gd.map_basins(HIMMELBLAU, DESCENT, lr=0.1), ["map_basins has", "give lr to the optimizer"]),
        (lambda: gd.map_basins(HIMMELBLAU, DESCENT, x0=START), ["give x0 to fastgd.minimize; the starts of a map are"]),
        (lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, RATES, starts=9), ["sweep_basins has no", "n_starts=1000 draws"]),
        (lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, RATES, nstarts=9), ["sweep_basins has no", "called n_starts"]),
        (lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, RATES, n_runs=9), ["sweep_basins has no", "called n_starts"]),
        (lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, RATES, maxiter=9), ["sweep_basins has", "called max_steps"]),
        (
            lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, lr=[0.1]),
            ["sweep_basins has no argument 'lr': give lr to over", 'over={"lr": [0.01, 0.1]}'],
        ),
        (lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, learning_rate=[0.1]), ["'learning_rate'", 'over={"lr": [']),
        (lambda: gd.compare(HIMMELBLAU, START, [DESCENT], epochs=3), ["has no", "max_steps=math.ceil(3 * n / b"]),
        (lambda: gd.compare(HIMMELBLAU, START, optimizer=DESCENT), ["compare has no", "Did you mean 'optimizers'?"]),
        (lambda: gd.compare(HIMMELBLAU, START, [DESCENT], max_step=9), ["compare has no", "mean 'max_steps'?"]),
        (lambda: gd.find_critical_points(HIMMELBLAU, nstarts=50), ["find_critical_points has", "called n_starts"]),
        (lambda: gd.minimize(HIMMELBLAU, START, method="BFGS"), ["called optimizer", "or fastgd.SciPy('BFGS') for"]),
        (lambda: gd.minimize(HIMMELBLAU, START, "BFGS"), ["or fastgd.SciPy('BFGS') for a method of SciPy's, got a"]),
        (lambda: gd.minimize(HIMMELBLAU, START, "adam"), ["such as fastgd.Adam(...), got a str, 'adam'"]),
        (lambda: gd.Problem(lambda x, a: a * x[0], dim=1, data=3.0), ["not a float, 3.0; write data=(3.0,)."]),
        (lambda: gd.Problem(lambda x, a: a * x[0], dim=1, data=np.float64(3)), ["write data=(3.0,)."]),
        (lambda: gd.find_critical_points(HIMMELBLAU, starts=50), ["'starts': n_starts=1000 draws so many, and x0="]),
        (lambda: gd.find_critical_points(HIMMELBLAU, n_start=50), ["Did you mean 'n_starts'?"]),
        (lambda: gd.find_critical_points(HIMMELBLAU, threads=2), ["no argument 'threads'. It takes problem, n_starts"]),
    ],
)  # fmt: skip
def test_functions_that_pass_options_on_name_themselves(call: Any, words: list[str]) -> None:
    refused(TypeError, words, call)


def slope_of_its_own(x, i, out, t):
    out[i] += 1.0


def test_an_epoch_is_as_many_steps_as_the_error_says() -> None:
    """Each sample moves a parameter of its own by lr / batch_size: all were seen three times, and not a step before."""
    each = gd.FiniteSum(lambda x, i, t: x[i], slope_of_its_own, data=(np.zeros(17),), dim=17)
    steps = math.ceil(3 * 17 / 5)
    for count, least in ((steps - 1, 2), (steps, 3)):
        run = gd.minimize(each, np.zeros(17), gd.GradientDescent(lr=5.0), batch_size=5, max_steps=count, gtol=None)
        assert -run.x.max() == least


def test_another_name_of_a_hyperparameter_in_a_sweep() -> None:
    words = ["over must name hyperparameters of GradientDescent", "got 'learning_rate'. Here it is called lr."]
    refused(ValueError, words, lambda: gd.sweep_basins(HIMMELBLAU, DESCENT, {"learning_rate": [0.1]}))


def test_the_explained_functions_keep_their_signatures() -> None:
    assert list(inspect.signature(gd.Adam).parameters)[:3] == ["lr", "beta1", "beta2"]
    assert list(inspect.signature(gd.minimize).parameters)[:4] == ["problem", "x0", "optimizer", "max_steps"]
    assert list(inspect.signature(gd.Problem).parameters)[:3] == ["fun", "grad", "dim"]
    assert list(inspect.signature(gd.map_basins).parameters)[:3] == ["problem", "optimizer", "shape"]
    assert pickle.loads(pickle.dumps(gd.sweep_basins)) is gd.sweep_basins
    assert pickle.loads(pickle.dumps(gd.Adam(0.1))).lr == 0.1


def test_what_other_libraries_call_an_optimizer() -> None:
    with pytest.raises(AttributeError, match=r"here it is fastgd.GradientDescent"):
        gd.SGD  # noqa: B018
    with pytest.raises(AttributeError, match=r"'fastgd' has no attribute 'minimise'\. Did you mean 'minimize'\?"):
        gd.minimise  # noqa: B018
    with pytest.raises(AttributeError, match=r"'fastgd.problems' has no .*'himelblau'\. Did you mean 'himmelblau'\?"):
        gd.problems.himelblau  # noqa: B018
    assert not hasattr(gd.problems, "nothing_like_it")
    assert not hasattr(gd, "nothing_like_it")
    assert sorted(gd.__all__) == dir(gd)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("basin_entropy", "measures.basin_entropy"), ("plot_basins", "plot.basins"), ("contour", "plot.contour"),
        ("rastrigin", "problems.rastrigin"), ("Cosine", "schedules.Cosine"), ("iris", "datasets.iris"),
    ],
)  # fmt: skip
def test_names_of_the_subpackages(name: str, place: str) -> None:
    with pytest.raises(AttributeError, match=rf"'fastgd' has no attribute '{name}'\. It is fastgd\.{place}$"):
        getattr(gd, name)


def test_a_second_number_of_gradient_descent_is_no_weight_decay() -> None:
    with pytest.raises(TypeError, match=r"GradientDescent takes 1 argument by position, lr, and got 2: give others by"):
        gd.GradientDescent(0.1, 0.9)  # type: ignore[misc]


def test_the_rest_of_a_problem_or_optimizer_by_name_is_given_by_name() -> None:
    words = ["make takes 1 argument by position, name, and got 2: give others by name."]
    refused(TypeError, words, lambda: gd.problems.make("rastrigin", 3))
    refused(TypeError, words, lambda: gd.optimizers.make("adam", 0.1))
    refused(TypeError, ["rastrigin has no option 'dm'"], lambda: gd.problems.make("rastrigin", dm=3))
    assert gd.problems.make("rastrigin", dim=3).dim == 3


def test_attributes_that_there_are_not_come_with_those_that_there_are() -> None:
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(10), DESCENT)
    basins = gd.find_basins(runs)
    for thing, name, hint in (
        (runs, "message", "'Result' object has no attribute 'message': here it is .messages"),
        (runs, "jac", "here it is .grad_norm"), (runs, "x_bset", "Did you mean 'x_best'?"),
        (basins, "minima", "'Basins' object has no attribute 'minima': here it is .x"),
        (basins, "label", "Did you mean 'labels'?"), (gd.schedules, "cosine", "Did you mean 'Cosine'?"),
        (gd.schedules, "Step", "Did you mean 'StepDecay'?"), (gd.optimizers, "adam_w", "Did you mean 'AdamW'?"),
    ):  # fmt: skip
        refused(AttributeError, [hint], lambda thing=thing, name=name: getattr(thing, name))
    for thing in (runs, basins):
        for other in (pickle.loads(pickle.dumps(thing)), copy.copy(thing), copy.deepcopy(thing)):
            assert np.array_equal(other.x, thing.x)
        assert not hasattr(thing, "_repr_html_")


def test_an_attribute_error_inside_a_property_is_not_hidden() -> None:
    runs = dataclasses.replace(gd.minimize(HIMMELBLAU, START, DESCENT), status=None)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'shape'"):
        _ = runs.batch_shape


def test_pictures_of_runs_say_what_draws_something_else() -> None:
    pytest.importorskip("matplotlib")
    map = gd.map_basins(HIMMELBLAU, DESCENT, (4, 4))
    refused(TypeError, ["got BasinMap: draw it by fastgd.plot.basins"], lambda: gd.plot.convergence(map))
    words = ["got Basins: draw it by fastgd.plot.contour(problem, points=basins); runs are of minimize"]
    refused(TypeError, words, lambda: gd.plot.waterfall(map.basins))
    refused(TypeError, words, lambda: gd.plot.trajectories(map.basins))
