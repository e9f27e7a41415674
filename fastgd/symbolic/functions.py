"""The functions that can be derived: their SymPy classes, and what ``math`` and ``np`` call them.

Where SymPy's own class would complicate (``Abs`` of an expression not known to be real, ``atan2`` of a
number), a small one of ours stands in its place.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

SAME_NAME = "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp log erf erfc".split()


@functools.cache
def symbolic_functions() -> dict[str, Any]:
    """SymPy classes by the name that the function has in ``math``."""
    import sympy
    from sympy.codegen.cfunctions import expm1, log1p, log2, log10

    class Sign(sympy.Function):
        """``math.copysign(1.0, u)``: 1 also at 0."""

        def fdiff(self, argindex: int = 1) -> Any:
            return sympy.Integer(0)

    class Absolute(sympy.Function):
        def fdiff(self, argindex: int = 1) -> Any:
            return Sign(self.args[0])

    class Copysign(sympy.Function):
        def fdiff(self, argindex: int = 1) -> Any:
            u, v = self.args
            return Sign(u) * Sign(v) if argindex == 1 else sympy.Integer(0)

    class CubeRoot(sympy.Function):
        """The real cube root, also of negative numbers."""

        def fdiff(self, argindex: int = 1) -> Any:
            return self**-2 / 3

    class Hypotenuse(sympy.Function):
        def fdiff(self, argindex: int = 1) -> Any:
            return self.args[argindex - 1] / self

    class Angle(sympy.Function):
        """``math.atan2(y, x)``."""

        def fdiff(self, argindex: int = 1) -> Any:
            y, x = self.args
            return (x if argindex == 1 else -y) / (x**2 + y**2)

    class Constant(sympy.Function):
        """A number that SymPy is not to take apart, such as the base of a power."""

        def fdiff(self, argindex: int = 1) -> Any:
            return sympy.Integer(0)

    class Power(sympy.Function):
        """A constant to a power that depends on x."""

        def fdiff(self, argindex: int = 1) -> Any:
            if argindex == 1:
                return sympy.Integer(0)
            (base,) = self.args[0].args
            return self * sympy.Rational(*math.log(base).as_integer_ratio())

    ours = {
        "expm1": expm1, "log1p": log1p, "log2": log2, "log10": log10, "fabs": Absolute, "copysign": Copysign,
        "sign": Sign, "cbrt": CubeRoot, "hypot": Hypotenuse, "atan2": Angle, "constant": Constant,
        "power": Power,
    }  # fmt: skip
    return {**{name: getattr(sympy, name) for name in SAME_NAME}, **ours}


def _unary(name: str) -> Any:
    return lambda u: u.tape.apply(name, u)


def _binary(name: str) -> Any:
    return lambda u, v: tape_of(u, v).apply(name, u, v)


def tape_of(*values: Any) -> Any:
    """Return the tape of the first traced value."""
    return next(v.tape for v in values if hasattr(v, "tape"))


def _hypot(*values: Any) -> Any:
    if len(values) == 2:
        return tape_of(*values).apply("hypot", *values)
    return sum((v * v for v in values), start=0) ** 0.5


def _log(u: Any, base: Any = None) -> Any:
    tape = tape_of(u, base)
    logarithm = tape.apply("log", u)
    if base is None:
        return logarithm
    return logarithm / (tape.apply("log", base) if hasattr(base, "tape") else math.log(base))


@functools.cache
def shims() -> dict[int, Any]:
    """Stand-ins for the functions of ``math`` and ``np``, by the id of the function that each replaces."""
    table: dict[str, Any] = {
        name: _unary(name) for name in (*SAME_NAME, "expm1", "log1p", "log2", "log10", "cbrt")
    }
    table |= {"atan2": _binary("atan2"), "copysign": _binary("copysign"), "hypot": _hypot, "log": _log}
    table |= {
        "fabs": abs, "absolute": abs, "abs": abs, "sqrt": lambda u: u**0.5, "square": lambda u: u * u,
        "exp2": lambda u: 2.0**u, "pow": lambda u, v: u**v, "power": lambda u, v: u**v,
        "float_power": lambda u, v: u**v, "reciprocal": lambda u: 1.0 / u, "negative": lambda u: -u,
        "positive": lambda u: u, "add": lambda u, v: u + v, "subtract": lambda u, v: u - v,
        "multiply": lambda u, v: u * v, "divide": lambda u, v: u / v, "true_divide": lambda u, v: u / v,
        "float64": lambda u: u, "fsum": lambda values: sum(values, start=0.0),
        "radians": lambda u: u * (math.pi / 180), "degrees": lambda u: u * (180 / math.pi),
        "where": lambda condition, yes, no: yes if condition else no,  # a condition that is the same for every x
        "prod": lambda values, start=1: functools.reduce(operator.mul, values, start),
        "deg2rad": lambda u: u * (math.pi / 180),
        "rad2deg": lambda u: u * (180 / math.pi),
    }  # fmt: skip
    for name in "sin cos tan sinh cosh tanh".split():
        table[f"arc{name}"] = table[f"a{name}"]
    table["arctan2"] = table["atan2"]
    found = {}
    for module in (math, np):
        for name, stand_in in table.items():
            original = getattr(module, name, None)
            # np.prod reduces an array, and math.prod any numbers
            if callable(original) and not (module is np and name == "prod"):
                found[id(original)] = stand_in
    return found
