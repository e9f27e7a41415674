"""What to write in the place of functions that no compiled code can call: of SciPy, of NumPy's arrays, some of math."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numba import typeof
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

__all__ = [
    "FORMULA", "OTHERS", "can_be_compiled", "for_several", "has_no_derivative", "name_outside", "write_instead",
]  # fmt: skip

DENSITY = "math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)"
LENGTH = "write math.sqrt of a sum of squares, as in math.sqrt(x[0] ** 2 + x[1] ** 2)"
# Of a function that none of these is
FORMULA = "write it with math.*, or as a numba.njit function of plain arithmetic"
# Of one of math or NumPy
OTHERS = "write it with plain arithmetic, or with other functions of math"
BEFOREHAND = "work it out above the function where its numbers are fixed, as in C = math."
# By the end of the name with its module
INSTEAD = {
    "stats.norm.pdf": f"for norm.pdf(u) write {DENSITY}",
    "stats.norm.logpdf": "for norm.logpdf(u) write -0.5 * u * u - 0.5 * math.log(2.0 * math.pi)",
    "stats.norm.cdf": "for norm.cdf(u) write 0.5 * math.erfc(-u / math.sqrt(2.0))",
    "stats.norm.sf": "for norm.sf(u) write 0.5 * math.erfc(u / math.sqrt(2.0))",
    "special.ndtr": "for ndtr(u) write 0.5 * math.erfc(-u / math.sqrt(2.0))",
    "special.cbrt": "write np.cbrt",
    "special.factorial": "for factorial(u) write math.gamma(u + 1.0)",
    "special.gammaln": "write math.lgamma",
    "special.loggamma": "write math.lgamma",
    "special.expit": "for expit(u) write 1.0 / (1.0 + math.exp(-u))",
    "special.log_expit": "for log_expit(u) write -math.log1p(math.exp(-u)), which holds for u above -700",
    "special.logit": "for logit(u) write math.log(u / (1.0 - u))",
    "special.xlogy": "for xlogy(u, v) write u * math.log(v), which holds for v above 0",
    "special.xlog1py": "for xlog1py(u, v) write u * math.log1p(v), which holds for v above -1",
    "special.entr": "for entr(u) write -u * math.log(u), which holds for u above 0",
    "special.exprel": "for exprel(u) write math.expm1(u) / u, which holds for u other than 0",
    "linalg.norm": LENGTH,
    "distance.euclidean": LENGTH,
    "math.dist": LENGTH,
    "math.hypot": LENGTH,
    "math.fsum": "write the sum, as in x[0] + x[1], or a loop",
    "math.prod": "write the product, as in x[0] * x[1], or a loop",
    "math.sumprod": "write the sum of products, or a loop",
    "math.comb": f"{BEFOREHAND}comb(5, 2)",
    "math.perm": f"{BEFOREHAND}perm(5, 2)",
    "math.isqrt": f"{BEFOREHAND}isqrt(10)",
    "math.factorial": f"{BEFOREHAND}factorial(5), or for factorial(u) write math.gamma(u + 1.0)",
    "math.fmod": "write np.fmod",
    "math.modf": "for modf(u)[0] write u - np.trunc(u)",
    "math.remainder": "for remainder(u, v) write u - v * np.rint(u / v)",
    "math.isclose": "for isclose(u, v) write abs(u - v) <= 1e-9 * max(abs(u), abs(v))",
    "numpy.clip": "for clip(u, low, high) write min(max(u, low), high)",
    "numpy.heaviside": "for heaviside(u, v) write fastgd.select(u > 0.0, 1.0, fastgd.select(u < 0.0, 0.0, v))",
    "numpy.polyval": "write the polynomial, as in (2.0 * u + 3.0) * u + 1.0",
}
# Those of them whose substitute has no derivative here, so that the gradient has to be written too
NO_DERIVATIVE = (
    "special.factorial", "special.gammaln", "special.loggamma", "special.gamma", "math.factorial", "math.fmod",
    "math.modf", "math.remainder", "math.isclose", "numpy.clip", "numpy.heaviside",
)  # fmt: skip

# Functions of SciPy that math has under the same name, and Numba compiles; it has others that Numba does not know
OF_MATH = ("erf", "erfc", "exp2", "expm1", "gamma", "log1p")

TRUNCATED = "math.copysign(np.floor(abs(u)), u)"
# What takes one run alone, by its name in an error of Numba, and what takes several in its place
FOR_SEVERAL = {
    "mod": "In place of u % v write u - v * np.floor(u / v)",
    "floordiv": "In place of u // v write np.floor(u / v)",
    "divmod": "In place of divmod(u, v) write q = np.floor(u / v) and u - v * q",
    "round": "In place of round(u) write np.floor(u + 0.5), which rounds halves up",
    "rint": "In place of np.rint(u) write np.floor(u + 0.5), which rounds halves up",
    "round_": "In place of np.round(u) write np.floor(u + 0.5), which rounds halves up",
    "floor": "In place of math.floor write np.floor",
    "ceil": "In place of math.ceil write np.ceil",
    "trunc": f"In place of trunc(u) write {TRUNCATED}",
    "int": f"In place of int(u) write {TRUNCATED}",
    "fmod": "In place of np.fmod(u, v) write u - v * math.copysign(np.floor(abs(u / v)), u / v)",
    "float": "Leave float() out, as x[i] is a float",
    "minimum": "In place of np.minimum write min", "fmin": "In place of np.fmin write min",
    "maximum": "In place of np.maximum write max", "fmax": "In place of np.fmax write max",
    "min": "Write min of two at a time, as in min(min(u, v), w)",
    "max": "Write max of two at a time, as in max(max(u, v), w)",
    "sorted": "In place of sorted([u, v]) write min(u, v) and max(u, v)",
    "where": "In place of np.where write fastgd.select(condition, yes, no)",
    "not_": "In place of `not u` write fastgd.select(u == 0.0, 1.0, 0.0), or the opposite comparison",
    "isnan": "In place of isnan(u) write u != u", "isinf": "In place of isinf(u) write abs(u) == math.inf",
    "setitem": "In place of a list or array made inside, take variables of their own, or v = fastgd.scratch(x, n)",
    "array": "In place of an array made inside, take variables of their own, or v = fastgd.scratch(x, n)",
    "complex": "Compute with real and imaginary parts, as in math.sqrt(u * u + v * v) for abs(complex(u, v))",
}
A_CONDITION = "A condition is no number: in place of (u > 0.0) * v write fastgd.select(u > 0.0, v, 0.0)"
A_BRANCH = "In place of `if` use fastgd.select(condition, yes, no), in fun and in grad"
SCALAR_CODE = (
    "Several runs are taken by + - * / **, comparisons, min and max of two, abs, fastgd.select, and functions of math "
    "and NumPy of numbers"
)


def for_several(reason: str) -> str:
    """What takes several runs at once in the place of what an error of Numba is about.

    Examples
    --------
    >>> from fastgd.jit.outside import for_several
    >>> for_several("No implementation of function Function(<built-in function mod>) found for signature")
    'In place of u % v write u - v * np.floor(u / v)'
    >>> for_several("they branch on x")
    'In place of `if` use fastgd.select(condition, yes, no), in fun and in grad'
    """
    if reason.startswith("they branch on x"):
        return A_BRANCH
    reason = reason.partition(' File "')[0]  # what follows is the user's
    if re.search(r"complex(64|128)?\b|attribute '(real|imag)'", reason):
        return FOR_SEVERAL["complex"]
    met = re.search(r"Function\(<(?:ufunc|class|built-in function|function) '?(\w+)", reason)
    return FOR_SEVERAL.get(met[1] if met else "", A_CONDITION if "Mask(" in reason else SCALAR_CODE)


def write_instead(name: str) -> str:
    """What to write in the place of a function, whose name has its module; empty where nothing is known.

    Examples
    --------
    >>> from fastgd.jit.outside import write_instead
    >>> write_instead("scipy.special.erf"), write_instead("scipy.special.expit"), write_instead("scipy.special.j0")
    ('write math.erf', 'for expit(u) write 1.0 / (1.0 + math.exp(-u))', '')
    """
    for end, said in INSTEAD.items():
        if f".{name}".endswith(f".{end}"):
            return said
    if ".stats." in name:
        return f"write its formula, as in {DENSITY} for norm.pdf(u)"
    last = name.rpartition(".")[2]
    return f"write {'np' if last == 'exp2' else 'math'}.{last}" if name.startswith("scipy.") and last in OF_MATH else ""


def has_no_derivative(name: str) -> bool:
    """Whether no gradient is derived of what `write_instead` says either."""
    return any(f".{name}".endswith(f".{end}") for end in NO_DERIVATIVE)


def can_be_compiled(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether Numba knows a function for arguments of the types of these.

    Examples
    --------
    >>> import math
    >>> from fastgd.jit.outside import can_be_compiled
    >>> can_be_compiled(math.gamma, [1.0], {}), can_be_compiled(math.ulp, [1.0], {})
    (True, False)
    """
    context = cpu_target.typing_context
    context.refresh()
    try:
        kinds, named = tuple(map(typeof, args)), {name: typeof(value) for name, value in kwargs.items()}
        return context.resolve_value_type(function).get_call_type(context, kinds, named) is not None
    except (NumbaError, ValueError, TypeError):  # the second of what it has no type for at all
        return False


def name_outside(cause: str) -> str:
    """The function, with its module, that an error of Numba is about; empty where it is about something else.

    Examples
    --------
    >>> from fastgd.jit.outside import name_outside
    >>> name_outside("Unknown attribute 'erf' of type Module(<module 'scipy.special' from 'x.py'>)")
    'scipy.special.erf'
    >>> name_outside("No implementation of function Function(<built-in function hypot>) found for signature")
    'math.hypot'
    """
    if met := re.search(r"attribute '(\w+)' of type Module\(<module '((?:scipy|numpy|math)[\w.]*)'", cause):
        return f"{met[2]}.{met[1]}"
    if met := re.search(r"unsupported NumPy function '(numpy[\w.]*)'", cause):
        return met[1]
    if met := re.search(r"Untyped global name '(\w+)':.*<class 'numpy.ufunc'>", cause):
        return f"{'numpy' if hasattr(np, met[1]) else 'scipy.special'}.{met[1]}"
    if met := re.search(r"Untyped global name '(\w+)':.*<class '(scipy\.\w+)\.", cause):
        return f"{met[2]}.{met[1]}"
    if met := re.search(r"Untyped global name '(\w+)':.*<class 'builtin_function_or_method'>", cause):
        return f"math.{met[1]}" if hasattr(math, met[1]) else ""
    if met := re.search(r"No implementation of function Function\(<(built-in )?function (\w+)", cause):
        name = f"{'math' if met[1] else 'numpy'}.{met[2]}"
        return name if write_instead(name) else ""  # else it may be an operator
    return ""
