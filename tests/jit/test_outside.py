"""What is said to be written in the place of functions that cannot be compiled is right, and can be compiled."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import fastgd as gd
from fastgd.jit.outside import INSTEAD, NO_DERIVATIVE, OF_MATH, can_be_compiled, name_outside, write_instead

SCOPE = {"math": math, "np": np, "fastgd": gd}
MODULES = {"math": math, "numpy": np, "special": special, "stats.norm": stats.norm}
FORMULAS = {name: said for name, said in INSTEAD.items() if said.startswith("for ")}
NAMED = ["math.fmod", "special.cbrt", "special.gammaln", *(f"scipy.special.{name}" for name in OF_MATH)]
AT = {1: [(0.3,), (0.8,), (0.55,)], 2: [(7.3, 2.0), (0.5, 0.5), (3.5, 4.25)], 3: [(0.5, 0.0, 1.0), (3.0, 0.0, 1.0)]}


def original(name: str) -> Any:
    module, _, last = name.removeprefix("scipy.").rpartition(".")
    return getattr(MODULES[module], last)


def substitute(name: str) -> tuple[list[str], str]:
    """The arguments, and the expression to write."""
    head, _, rest = INSTEAD[name].removeprefix("for ").partition(" write ")
    return re.split(r", ", head[head.index("(") + 1 : head.index(")")]), rest.partition(", which")[0]


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_are_right_and_compile(name: str) -> None:
    names, expression = substitute(name)
    by_formula = eval(f"lambda {', '.join(names)}: {expression}", SCOPE)
    given = original(name)
    for point in AT[len(names)] if name != "math.isclose" else [(1.0, 1.0 + 1e-10), (1.0, 1.0 + 2e-9), (0.0, 1e-9)]:
        expected = given(*point)
        expected = expected[0] if name == "math.modf" else expected  # of its two parts
        assert by_formula(*point) == pytest.approx(float(expected), rel=1e-14), point
    scope: dict[str, Any] = dict(SCOPE)
    reads = ", ".join(f"{each} = x[{k}]" for k, each in enumerate(names)).replace(", ", "\n    ")
    exec(f"def fun(x):\n    {reads}\n    return ({expression}) * 1.0\n", scope)
    compiled = gd.Problem(scope["fun"], written_gradient, dim=len(names))
    for point in AT[len(names)]:
        assert compiled.value(point) == pytest.approx(float(by_formula(*point)), rel=1e-14)
    derived = gd.Problem(scope["fun"], dim=len(names))
    if name in NO_DERIVATIVE:
        with pytest.raises(gd.DerivationError):
            derived.gradient(AT[len(names)][0])
    else:
        assert np.isfinite(derived.gradient(AT[len(names)][0])).all()


def written_gradient(x, out):
    for k in range(len(out)):
        out[k] = 0.0


@pytest.mark.parametrize("name", NAMED)
def test_functions_of_another_module_are_right_and_compile(name: str) -> None:
    named = eval(write_instead(name if name.startswith(("math", "scipy")) else f"scipy.{name}")[6:], SCOPE)
    given = original(name)
    for point in AT[2 if name == "math.fmod" else 1]:
        assert float(named(*point)) == pytest.approx(float(given(*point)), rel=1e-13)
        assert can_be_compiled(named, point, {})


def test_what_is_fixed_may_be_worked_out_above_the_function() -> None:
    ways = math.comb(5, 2)
    assert gd.Problem(lambda x: ways * x[0], dim=1).value([2.0]) == 20.0


@pytest.mark.parametrize(
    "name", ["math.comb", "math.dist", "math.fsum", "math.isqrt", "math.perm", "math.prod", "numpy.polyval"]
)
def test_what_has_a_substitute_is_not_compiled_itself(name: str) -> None:
    assert not can_be_compiled(original(name), [1.0], {})
    assert write_instead(name)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: math.ulp(x[0]), "math.ulp"), (lambda x: math.hypot(x[0], 1.0, 2.0), "math.hypot"),
        (lambda x: np.heaviside(x[0], 1.0), "numpy.heaviside"), (lambda x: np.clip(x[0], 0.0, 1.0), "numpy.clip"),
        (lambda x: math.factorial(3) * x[0], "math.factorial"), (lambda x: math.prod((x[0], 2.0)), "math.prod"),
    ],
)  # fmt: skip
def test_the_compiler_names_the_function(call: Any, name: str) -> None:
    with pytest.raises(TypeError, match="numba cannot compile") as caught:
        gd.Problem(call, written_gradient, dim=1).value([1.5])
    assert f"{name} cannot be compiled, or not for these arguments: write" in str(caught.value) or (
        f"{name} cannot be compiled, or not for these arguments: {INSTEAD[name]}" in str(caught.value)
    )
    assert "math.*, scalar np.*" not in str(caught.value)


def test_operators_are_no_functions_of_math() -> None:
    assert name_outside("No implementation of function Function(<built-in function add>) found for signature:") == ""
    assert name_outside("Untyped global name 'len': Cannot determine Numba type of <class 'str'>") == ""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="math.cbrt came with Python 3.11")
def test_logarithms_to_a_base_and_cube_roots_need_no_substitute() -> None:
    both = gd.Problem(lambda x: math.log(x[0], 3.0) + math.cbrt(x[1]), dim=2)
    assert both.value([9.0, -8.0]) == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(both.gradient([9.0, -8.0]), [1 / (9 * math.log(3)), 1 / 12], rtol=1e-15)
    folded = gd.Problem(lambda x: math.log(x[0], 3.0) if x[0] > 1.0 else math.cbrt(x[0]), written_gradient, dim=1)
    np.testing.assert_allclose(folded.value([[9.0], [0.125]]), [2.0, 0.5], rtol=1e-15)
