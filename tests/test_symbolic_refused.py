"""What no derivative can be taken of is refused, with what was met, in which line, and what to write instead."""

import math

import numpy as np
import pytest
from scipy import sparse, special, stats
from scipy.special import erf
from scipy.stats import norm

from fastgd import DerivationError
from fastgd.symbolic import derive_gradient


class Held:
    exponential = np.exp


held = Held()
STANDARD = norm(0.0, 1.0)


def branching(x):
    if x[0] > 0:
        return x[0]
    return -x[0]


def by_an_import(x):
    from scipy.special import erfc

    return erfc(x[0])


OUTSIDE = "which cannot be derived here, and cannot be compiled: of functions outside math and numpy none can"


REFUSED = [
    (by_an_import, rf"scipy\.special\.erfc, {OUTSIDE}; write math\.erfc, in line .*return erfc"),
    (lambda x: erf(x[0]), rf"scipy\.special\.erf, {OUTSIDE}; write math\.erf, in line"),
    (lambda x: special.erf(x[0]), rf"scipy\.special\.erf, {OUTSIDE}; write math\.erf, in line"),
    (lambda x: special.gammaln(x[0]), r"scipy\.special\.gammaln, .*; write math\.lgamma, in line"),
    (lambda x: special.expit(x[0]), rf"scipy\.special\.expit, {OUTSIDE}; for expit\(u\) write 1\.0 / \(1\.0 \+ math"),
    (lambda x: special.factorial(x[0]), r"special\..*; for factorial\(u\) write math\.gamma\(u \+ 1\.0\), in"),
    (lambda x: special.cbrt(x[0]), rf"scipy\.special\.cbrt, {OUTSIDE}; write np\.cbrt, in line"),
    (lambda x: special.comb(4, x[0]), rf"scipy\.special\..*, {OUTSIDE}; write it with math"),
    (lambda x: special.j0(x[0]), rf"scipy\.special\.j0, {OUTSIDE}; write it with math\.\*, or as a numba\.njit"),
    (lambda x: stats.norm.pdf(x[0]), rf"scipy\.stats\.norm\.pdf, {OUTSIDE}; for norm\.pdf\(u\) write math\.exp\(-0\.5"),
    (lambda x: norm.logpdf(x[0]), r"scipy\.stats\.norm\.logpdf, .*; for norm\.logpdf\(u\) write -0\.5 \* u \* u"),
    (lambda x: stats.norm(1, 2).cdf(x[0]), r"scipy\.stats\.norm\.cdf, .*; for norm\.cdf\(u\) write 0\.5 \* math\.erfc"),
    (lambda x: STANDARD.sf(x[0]), r"scipy\.stats\.norm\.sf, .*; for norm\.sf\(u\) write 0\.5 \* math\.erfc"),
    (lambda x: stats.gamma(2.0).pdf(x[0]), r"scipy\.stats\.gamma\.pdf, .*; write its formula, as in math\.exp"),
    (lambda x: held.exponential(x[0]), r"met exp, .* not called by its name; call it as in np\.exp or math\.exp, in "),
    (branching, "comparison.*in line .* of branching: if x"),
    (lambda x: max(x[0], 0.0), "comparison.*min, max"),
    (lambda x: x[0] if x[0] else x[1], "branch"),
    (lambda x: 1.0 if x[0] == 0 else x[1], "comparison"),
    (lambda x: float(x[0]), r"float\(\)"),
    (lambda x: int(x[0]) * x[1], "integer"),
    (lambda x: np.maximum(x[0], 0.0), r"numpy\.maximum"),
    (lambda x: math.floor(x[0]) + x[1], r"math\.floor"),
    (lambda x: np.float64(1.0) < x[0], "comparison"),
    (lambda x: np.float64(1.0) // x[0], "integer division"),
    (lambda x: np.float64(-2.0) ** x[0], "power"),
    (lambda x: np.hypot.reduce([x[0], x[1]]), "conversion to an array|numpy"),
    (lambda x: math.gamma(x[0]), r"math\.gamma, which cannot be derived here, in line"),
    (lambda x: math.fmod(x[0], 2.0), r"math\.fmod, .* derived here, nor compiled; write np\.fmod, in line"),
    (lambda x: math.isclose(x[0], 2.0), r"math\.isclose, .*, nor compiled; for isclose\(u, v\) write abs\(u - v\) <="),
    (lambda x: math.remainder(x[0], 2.0), r"math\.remainder, .*, nor compiled; for remainder\(u, v\) write u - v \*"),
    (lambda x: math.modf(x[0])[0], r"math\.modf, .*, nor compiled; for modf\(u\)\[0\] write u - np\.trunc"),
    (lambda x: math.factorial(x[0]), r"math\.factorial, .*, nor compiled; work it out above .* write math\.gamma"),
    (lambda x: math.ulp(x[0]), r"math\.ulp, .*, nor compiled; write it with plain arithmetic"),
    (lambda x: np.clip(x[0], 0.0, 1.0), r"numpy\.clip, .*, nor compiled; for clip\(u, low, high\) write min\(max\(u"),
    (lambda x: np.clip(x[0], a_min=0.0, a_max=1.0), r"numpy\.clip, .*, nor compiled; for clip\(u, low, high\) write"),
    (lambda x: np.heaviside(x[0], 1.0), r"numpy\.heaviside, .*, nor compiled; for heaviside\(u, v\) write fastgd\."),
    (lambda x: np.exp(x[0], dtype=float), r"numpy\.exp, .* with dtype given by name: give it by position, or leave it"),
    (lambda x: np.fmod(x[0], 2.0), r"numpy\.fmod, which cannot be derived here, in line"),
    (lambda x: x[0] % 2, "remainder"),
    (lambda x: x[0] // 2, "integer division"),
    (lambda x: round(x[0]), "rounding"),
    (lambda x: (-2.0) ** x[0], "power"),
    (lambda x: x[0] * 1j, "complex"),
    (lambda x: x[0] * math.inf, "inf"),
    (lambda x: (x[0], x[1]), "tuple"),
    (lambda x: x[0] / 0, "ZeroDivisionError"),
    (lambda x: x[2], "IndexError"),
    (lambda x: x[0] + "a", "str"),
]


# Those of whose substitutes no gradient is derived either
BY_HAND = ("gammaln", "factorial", "fmod", "isclose", "clip", "heaviside", "remainder", "modf")


@pytest.mark.parametrize(("fun", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_refusals_say_what_was_met_and_what_to_write(fun, message):
    with pytest.raises(DerivationError, match=message) as caught:
        derive_gradient(fun, 2)
    text = str(caught.value)
    if "compiled" in text:  # with a gradient neither
        assert "write" in text
        assert "A gradient of your own would not help" in text or "A gradient of your own alone would not help" in text
        by_hand = any(word in text for word in BY_HAND)
        assert ("def grad" in text) == ("alone" in text) == by_hand
        return
    assert "def grad(x, out):\n        out[0] = ..." in text
    assert "out[1] = ..." in text


MATRIX = np.array([[2.0, 1.0], [1.0, 3.0]])


FOR_ARRAYS = [
    (lambda x: sum(x[:1]), "slice"),
    (lambda x: np.sum(x), r"numpy\.sum of a whole array"),
    (lambda x: np.sin(x)[0], r"numpy\.sin of a whole array"),
    (lambda x: np.dot(x, x), r"numpy\.dot of a whole array"),
    (lambda x: (MATRIX @ x)[0], "array operation on x as a whole"),
    (lambda x: np.mean(x), r"numpy\.mean of a whole array"),
    (lambda x: np.sum(x**2), "array operation on x as a whole"),
    (lambda x: np.array([1.0, 2.0]) * x[0], "arithmetic with an array"),
    (lambda x: np.sum((MATRIX[0] * x[0] - x[1]) ** 2), "arithmetic with an array"),
    (lambda x: x.sum(), r"met x\.sum, and x has only indices"),
    (lambda x: np.linalg.norm([x[0], x[1]]), r"numpy\.linalg\.norm of a whole array, .*; write math\.sqrt of a sum"),
]


@pytest.mark.parametrize(("fun", "message"), FOR_ARRAYS, ids=[m for _, m in FOR_ARRAYS])
def test_code_for_arrays_hears_that_it_must_be_scalar_code(fun, message):
    with pytest.raises(DerivationError, match=message) as caught:
        derive_gradient(fun, 2)
    assert "must be scalar code" in str(caught.value)
    assert "loops over range(len(x))" in str(caught.value)
    assert "Write the gradient" not in str(caught.value)


def test_the_skeleton_names_the_data_and_loops_where_dim_is_large():
    with pytest.raises(
        DerivationError, match=r"def grad\(x, out, slope\):\n        for i in range\(len\(x\)\)"
    ):
        derive_gradient(lambda x, slope: max(x[0], slope), 7, (1.0,))


def test_too_many_operations_are_refused_early():
    def long(x):
        total = 0.0
        for k in range(10**9):
            total += k * x[0] * x[1]
        return total

    with pytest.raises(DerivationError, match="5000 operations"):
        derive_gradient(long, 2)


SPARSE = sparse.csr_array(np.array([[0.0, 2.0], [3.0, 0.0]]))


def test_objects_of_scipy_that_are_no_functions_stay_as_they_are():
    gradient = derive_gradient(lambda x: SPARSE[0, 1] * x[0] * x[0], 1)
    out = np.zeros(1)
    gradient(np.array([3.0]), out)
    assert out[0] == 12.0
