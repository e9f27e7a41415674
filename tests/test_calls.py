"""A call that does not fit a function hears what is missing, too much or unknown, and what to write instead."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import fastgd as gd
from fastgd.averaging import Average
from fastgd.searches import LineSearch

HIMMELBLAU = gd.problems.himmelblau()
DESCENT = gd.GradientDescent(lr=0.01)
RATES = {"lr": [0.01, 0.02]}
START = [0.0, 0.0]
IN_KERNELS = {gd.scratch, gd.select}  # are called in compiled code, where a wrapper has no place


def bowl(x):
    return x[0] * x[0] + x[1] * x[1]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: gd.minimize(HIMMELBLAU),
            "minimize needs x0 and optimizer: write minimize(problem, x0=problem.sample(1000), "
            "optimizer=fastgd.Adam(lr=0.05)). It got a Problem as problem.",
        ),
        (
            lambda: gd.minimize(HIMMELBLAU, gd.Adam()),
            "minimize needs optimizer: write minimize(problem, x0, optimizer=fastgd.Adam(lr=0.05)). "
            "It got a Problem as problem and an Adam as x0.",
        ),
        (
            lambda: gd.minimize(x0=START, optimizer=DESCENT),
            "minimize needs problem: write minimize(problem=fastgd.Problem(fun, dim=2), x0=..., optimizer=...).",
        ),
        (
            lambda: gd.sweep_basins(HIMMELBLAU, DESCENT),
            'sweep_basins needs over: write sweep_basins(problem, optimizer, over={"lr": [0.01, 0.1]}). '
            "It got a Problem as problem and a GradientDescent as optimizer.",
        ),
        (
            lambda: gd.find_basins(),
            "find_basins needs result: write find_basins(result=fastgd.minimize(problem, x0, optimizer)).",
        ),
        (
            lambda: gd.map_basins(HIMMELBLAU),
            "map_basins needs optimizer: write map_basins(problem, optimizer=fastgd.Adam(lr=0.05)). "
            "It got a Problem as problem.",
        ),
        (lambda: gd.Problem(bowl), "Problem needs dim: write Problem(fun, dim=2). It got a function as fun."),
        (lambda: gd.GradientDescent(), "GradientDescent needs lr: write GradientDescent(lr=0.05)."),
        (
            lambda: gd.schedules.Exponential(0.1),
            "Exponential needs gamma: write Exponential(lr, gamma=0.99). It got a float as lr.",
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
    found = [getattr(place, name) for place in (gd, gd.measures, gd.schedules) for name in place.__all__]
    tables = [getattr(gd.problems, name) for name in ("linear_regression", "matrix_factorization", "mlp")]
    functions = [each for each in found if inspect.isfunction(each) and each not in IN_KERNELS] + tables
    made = (gd.optimizers.Method, gd.schedules.Schedule, Average, LineSearch, gd.Problem)
    kinds = [each for each in found if inspect.isclass(each) and issubclass(each, made)]
    return [pytest.param(each, id=f"{each.__module__}.{each.__name__}") for each in [*functions, *kinds]]


@pytest.mark.parametrize("function", public_callables())
def test_every_public_function_explains_its_calls(function: Any) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        with pytest.raises(TypeError, match=r"has no (argument|parameter) 'nothing_like_it'| needs "):
            function(nothing_like_it=1)
        return
    with pytest.raises(TypeError, match=r"^\w+ has no argument 'nothing_like_it'"):
        function(nothing_like_it=1)


def test_an_error_inside_a_function_stays_as_it_is() -> None:
    from fastgd.calls import explain_calls

    @explain_calls()
    def calls_another(x: float) -> float:
        return pow(x)  # type: ignore[call-overload, no-any-return]

    with pytest.raises(TypeError, match="pow") as caught:
        calls_another(1.0)
    assert "calls_another" not in str(caught.value)
