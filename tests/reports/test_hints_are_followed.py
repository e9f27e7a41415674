"""Each hint names what was met and a way that works: the ways are followed here, compiled, and where said derived."""

from __future__ import annotations

import math
import warnings

import numba
import numpy as np
import pytest

import fastgd as gd
from fastgd.evaluate import make_evaluator, value_of
from fastgd.jit.options import inlined
from fastgd.jit.outside import FOR_SEVERAL, for_several
from fastgd.jit.targets import aligned, first_cause
from fastgd.symbolic import derive_gradient

WIDTH = 8


def refusal_by_lanes(fun):
    """The cause that the compiler gives for not taking several runs of a function at once."""
    kernel = make_evaluator(value_of(inlined(fun)), 3, 1, WIDTH)
    arguments = (np.ones((1, 3)), (), np.ones((1, 3, WIDTH)), np.ones((1, 1, WIDTH)), np.ones((1, 1)))
    try:
        kernel.compile(tuple(numba.typeof(argument) for argument in arguments))
    except Exception as error:
        return first_cause(error)
    return ""


def writes_to_a_list(x):
    kept = [0.0, 0.0]
    kept[0] = x[0]
    return kept[0] * x[1]


def writes_to_an_array(x):
    kept = np.zeros(2)
    kept[0] = x[0]
    return kept[0] * x[1]


def branches(x):
    if x[0] > 0.0:
        return x[0]
    return x[1]


def truncated(u):
    return math.copysign(np.floor(abs(u)), u)


# What one writes, a word of its hint, and what the hint says to write
WAYS = {
    "%": (lambda x: x[0] % x[1], "u % v", lambda x: x[0] - x[1] * np.floor(x[0] / x[1])),
    "//": (lambda x: x[0] // x[1], "u // v", lambda x: np.floor(x[0] / x[1])),
    "divmod": (lambda x: divmod(x[0], x[1])[0], "divmod", lambda x: np.floor(x[0] / x[1])),
    "round": (lambda x: round(x[0]), "round(u)", lambda x: np.floor(x[0] + 0.5)),
    "rint": (lambda x: np.rint(x[0]), "np.rint(u)", lambda x: np.floor(x[0] + 0.5)),
    "floor": (lambda x: 1.0 * math.floor(x[0]), "math.floor", lambda x: np.floor(x[0])),
    "ceil": (lambda x: 1.0 * math.ceil(x[0]), "math.ceil", lambda x: np.ceil(x[0])),
    "trunc": (lambda x: np.trunc(x[0]), "trunc(u)", lambda x: truncated(x[0])),
    "int": (lambda x: 1.0 * int(x[0]), "int(u)", lambda x: truncated(x[0])),
    "fmod": (lambda x: np.fmod(x[0], x[1]), "np.fmod(u, v)", lambda x: x[0] - x[1] * truncated(x[0] / x[1])),
    "float": (lambda x: float(x[0]), "Leave float() out", lambda x: x[0]),
    "minimum": (lambda x: np.minimum(x[0], x[1]), "write min", lambda x: min(x[0], x[1])),
    "fmax": (lambda x: np.fmax(x[0], x[1]), "write max", lambda x: max(x[0], x[1])),
    "three": (lambda x: max(x[0], x[1], x[2]), "max(max(u, v), w)", lambda x: max(max(x[0], x[1]), x[2])),
    "sorted": (lambda x: sorted([x[0], x[1]])[0], "sorted([u, v])", lambda x: min(x[0], x[1])),
    "where": (lambda x: 1.0 * np.where(x[0] > 0, x[0], x[1]), "np.where", lambda x: gd.select(x[0] > 0, x[0], x[1])),
    "not": (lambda x: 1.0 * (not x[0]), "`not u`", lambda x: gd.select(x[0] == 0.0, 1.0, 0.0)),
    "isnan": (lambda x: 1.0 * math.isnan(x[0]), "u != u", lambda x: gd.select(x[0] != x[0], 1.0, 0.0)),
    "mask": (lambda x: (x[0] > 0.0) * x[1], "A condition is no number", lambda x: gd.select(x[0] > 0.0, x[1], 0.0)),
    "complex": (lambda x: abs(complex(x[0], x[1])), "real and imag", lambda x: math.sqrt(x[0] * x[0] + x[1] * x[1])),
    "imaginary": (lambda x: abs(x[0] + 1j * x[1]), "real and imag", lambda x: math.sqrt(x[0] * x[0] + x[1] * x[1])),
    "list": (writes_to_a_list, "fastgd.scratch(x, n)", lambda x: x[0] * x[1]),
    "array": (writes_to_an_array, "fastgd.scratch(x, n)", lambda x: x[0] * x[1]),
    "if": (branches, "In place of `if`", lambda x: gd.select(x[0] > 0.0, x[0], x[1])),
}  # fmt: skip
POINTS = np.array([[2.75, 0.5, 1.0], [-2.75, 1.25, 3.0], [0.0, -0.75, -9.0], [7.1, 2.0, 8.0], [-0.4, 3.5, 0.3]])


@pytest.mark.parametrize("name", WAYS)
def test_the_hint_is_about_what_was_met(name) -> None:
    fun, word, _ = WAYS[name]
    cause = refusal_by_lanes(fun)
    assert cause, "taken by lanes"
    assert word in for_several(cause), cause
    assert ("In place of `if`" in for_several(cause)) == (name == "if")


def test_what_the_hints_say_is_taken_by_several_runs_at_once_and_says_the_same() -> None:
    ways = tuple(numba.njit(way) for _, _, way in WAYS.values())
    globals()["truncated"] = numba.njit(truncated)
    lines = "\n".join(f"    out[{k}] = way{k}(x)" for k in range(len(ways)))
    space = {f"way{k}": way for k, way in enumerate(ways)}
    exec(f"def every(x, out):\n{lines}", space)
    kernel = make_evaluator(inlined(space["every"]), 3, len(ways), WIDTH)
    out = np.empty((len(POINTS), len(ways)))
    kernel(POINTS, (), aligned((1, 3, WIDTH), float), aligned((1, len(ways), WIDTH), float), out)
    for k, (fun, _, _) in enumerate(WAYS.values()):
        expected = [float(fun(point)) for point in POINTS]
        np.testing.assert_allclose(out[:, k], expected, rtol=1e-14, atol=1e-14, err_msg=list(WAYS)[k])


def test_every_hint_is_followed() -> None:
    said = {for_several(f"Function(<function {name}>)") for name in FOR_SEVERAL}
    words = [word for _, word, _ in WAYS.values()]
    untried = [hint for hint in said if not any(word in hint for word in words)]
    assert [hint.split(" write ")[0] for hint in sorted(untried)] == [
        "In place of isinf(u)", "Write min of two at a time, as in min(min(u, v), w)",
    ]  # fmt: skip


def test_the_warning_names_the_line_and_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def remainder(x):
        return x[0] % 0.75

    def slope(x, out):
        out[0] = 1.0

    problem = gd.Problem(remainder, slope, dim=1)
    with pytest.warns(UserWarning, match=r"followed.py\", line \d+: return x\[0\] % 0.75\).  In place of u %"):
        gd.minimize(problem, [1.0], gd.GradientDescent(lr=0.1), max_steps=1)


def test_what_is_derived_of_min_and_max_by_the_hint() -> None:
    with pytest.raises(gd.DerivationError, match=r"max\(u, v\) is 0\.5 \* \(u \+ v \+ abs\(u - v\)\)"):
        derive_gradient(lambda x: max(x[0], x[1]), 2)
    out = np.zeros(2)
    derive_gradient(lambda x: 0.5 * (x[0] + x[1] + abs(x[0] - x[1])), 2)([3.0, 1.0], out)
    assert out.tolist() == [1.0, 0.0]
    derive_gradient(lambda x: 0.5 * (x[0] + x[1] - abs(x[0] - x[1])), 2)([3.0, 1.0], out)
    assert out.tolist() == [0.0, 1.0]


def by_where(x):
    return np.where(x[0] > 0.0, x[0], -x[0])


def test_the_way_from_where_ends() -> None:
    with pytest.raises(TypeError, match=r"write fastgd\.select\(condition, yes, no\), and give grad too"):
        gd.Problem(by_where, dim=1)

    def selected(x):
        return gd.select(x[0] > 0.0, x[0], -x[0])

    with pytest.raises(gd.DerivationError, match=r"(?s)fastgd\.select, of which no gradient is derived.*def grad"):
        gd.Problem(selected, dim=1).gradient([1.0])

    def slope(x, out):
        out[0] = gd.select(x[0] > 0.0, 1.0, -1.0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = gd.minimize(gd.Problem(selected, slope, dim=1), [1.0], gd.GradientDescent(lr=0.25), max_steps=4)
    assert run.x.tolist() == [0.0]


def test_an_array_made_inside_hears_of_scratch_which_is_derived() -> None:
    with pytest.raises(gd.DerivationError, match=r"a write to an array made in the function.*scratch\(x, n\), in line"):
        derive_gradient(writes_to_an_array, 2)

    def kept(x):
        v = gd.scratch(x, 2)
        v[0] = x[0]
        v[1] = v[0] * x[1]
        return v[1]

    problem = gd.Problem(kept, dim=2)
    assert problem.gradient([2.0, 3.0]).tolist() == [3.0, 2.0]
    assert problem.value([2.0, 3.0]) == 6.0


def by_name_only(x, *, a=2.0):
    return a * x[0]


def in_an_expression(x):
    return (y := x[0]) * y


def test_arguments_by_name_only_and_assignments_in_expressions_hear_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"takes a by name only, .*: take the \* out, as in by_name_only\(x, a=2\.0\)"):
        gd.Problem(by_name_only, dim=1)
    with pytest.raises(TypeError, match=r"gets its value inside an expression, by :=, give it in a line of its own"):
        gd.Problem(in_an_expression, dim=1).value([1.0])


def test_the_decay_of_an_average_is_named_by_its_name() -> None:
    for call, name in (
        (lambda: gd.RMSprop(decay=0.9), "alpha"), (lambda: gd.RMSprop(rho=0.9), "alpha"),
        (lambda: gd.Adadelta(decay=0.9), "rho"), (lambda: gd.Adadelta(alpha=0.9), "rho"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"average is called {name} here"):
            call()
    with pytest.raises(TypeError, match="here it is called weight_decay"):
        gd.Adam(decay=0.9)
    assert gd.RMSprop(alpha=0.9).alpha == gd.Adadelta(rho=0.9).rho == 0.9
