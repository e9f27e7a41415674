"""Functions that cannot be derived or compiled are refused before any work, and hear what to write instead."""

from __future__ import annotations

from typing import Any

import numba
import pytest
from scipy import special
from scipy.special import expit
from scipy.stats import norm

import fastgd as gd
from fastgd.jit.targets import KERNELS

DESCENT = gd.GradientDescent(lr=0.01)


def branching(x):
    return x[0] * x[0] if x[0] > 0.0 else -x[0]


def test_a_gradient_that_cannot_be_derived_is_an_error_before_any_work() -> None:
    problem = gd.Problem(branching, dim=1)
    kernels = len(KERNELS)
    with pytest.raises(gd.DerivationError, match=r"(?s)branching.*grad\(x, out"):
        gd.minimize(problem, [0.5], DESCENT)
    assert len(KERNELS) == kernels


def unknown_to_numba(x):
    return float(str(1.0)) * x[0] * x[0]


def unknown_gradient(x, out):
    out[0] = 2.0 * x[0] * float(format(1.0, "f"))


def test_what_cannot_be_compiled_is_a_type_error_that_says_what_may_be_used() -> None:
    problem = gd.Problem(unknown_to_numba, unknown_gradient, dim=1, name="strange")
    with pytest.raises(TypeError, match=r"strange: .*plain arithmetic, loops, math"):
        gd.minimize(problem, [0.5], DESCENT)


def squared(v):
    return v * v


def by_a_plain_function(x):
    return squared(x[0])


def by_scipy(x):
    return special.erf(x[0])


def by_scipy_without_a_formula(x):
    return special.j0(x[0])


def by_a_name_of_scipys(x):
    return expit(x[0])


def by_a_distribution(x):
    return norm.pdf(x[0])


def by_an_import(x):
    import math

    return math.sin(x[0])


def slope(x, out):
    out[0] = 2.0 * x[0]


@pytest.mark.parametrize(
    ("fun", "words"),
    [
        (
            by_a_plain_function,
            "'squared' is a plain function: put @numba.njit above its def (or squared = numba.njit(squared))",
        ),
        (by_scipy, "'erf' is none of math or numpy, and of others none can be compiled: write math.erf."),
        (by_scipy_without_a_formula, "none can be compiled: write it with math.*, or as a numba.njit function of"),
        (by_a_name_of_scipys, "of others none can be compiled: for expit(u) write 1.0 / (1.0"),
        (by_a_distribution, "'norm' is none of math or numpy, and of others none can be compiled: write its formula"),
        (by_an_import, "they cannot import anything: put their imports at the top of the file"),
    ],
)
def test_what_cannot_be_compiled_hears_what_to_write(fun: Any, words: str) -> None:
    with pytest.raises(TypeError, match="numba cannot compile") as caught:
        gd.minimize(gd.Problem(fun, slope, dim=1), [0.5], DESCENT)
    assert words in str(caught.value)


def test_a_helper_by_njit_is_compiled() -> None:
    helper = numba.njit(squared)
    assert gd.Problem(lambda x: helper(x[0]), dim=1).value([3.0]) == 9.0
