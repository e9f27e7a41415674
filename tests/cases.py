"""Problems, optimizers and comparisons that several tests share, so that they share kernels as well."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any
from unittest import mock

import numpy as np
import pytest

import fastgd as gd
from fastgd.engine import cpu

FIELDS = ("x", "fun", "grad_norm", "nit", "status")
DRAWS = ("batch_size", "replace", "shuffle", "noise", "shared_batches", "check_every")


def draws_of(options: dict[str, Any]) -> dict[str, Any]:
    """What `make_plan` is told of batches and noise: what stands in `options`, else the defaults of `minimize`."""
    defaults = inspect.signature(gd.minimize).parameters
    return {name: options.get(name, defaults[name].default) for name in DRAWS}


def form(*curvature: float) -> gd.Problem:
    """The quadratic form of a diagonal matrix, which may be indefinite: ½ Σ cᵢ xᵢ²."""
    model = gd.problems.quadratic(dim=len(curvature))
    return gd.Problem(
        model.fun, model.grad, dim=len(curvature), bounds=(-5, 5), data=(np.array(curvature, float),), name="form"
    )


def derived(problem: gd.Problem) -> gd.Problem:
    """The same problem with the gradient that SymPy derives."""
    return gd.Problem(problem.fun, dim=problem.dim, bounds=problem.bounds, data=problem.data, name=problem.name)


def folded_value(x):
    """Himmelblau's function by another road where x[0] < 0: lanes cannot take it."""
    if x[0] < 0.0:
        total = (x[0] * x[0] + x[1] - 11.0) ** 2
    else:
        total = (x[1] + x[0] * x[0] - 11.0) ** 2
    return total + (x[0] + x[1] * x[1] - 7.0) ** 2


def folded_gradient(x, out):
    a = x[0] * x[0] + x[1] - 11.0
    b = x[0] + x[1] * x[1] - 7.0
    if x[0] < 0.0:
        out[0] = 4.0 * x[0] * a + 2.0 * b
    else:
        out[0] = 2.0 * b + 4.0 * a * x[0]
    out[1] = 2.0 * a + 4.0 * x[1] * b


def folded() -> gd.Problem:
    """A problem for the scalar target: its functions branch on x."""
    return gd.Problem(folded_value, folded_gradient, dim=2, bounds=(-6, 6), name="folded")


def edge_value(x):
    return x[0] * math.sqrt(x[0]) - 1.5 * x[0] + x[1] * x[1]


def edge_gradient(x, out):
    out[0] = 1.5 * math.sqrt(x[0]) - 1.5
    out[1] = 2.0 * x[1]


def edge() -> gd.Problem:
    """A problem that is not a number where x[0] < 0; its minimum is at (1, 0)."""
    return gd.Problem(edge_value, edge_gradient, dim=2, bounds=(0.5, 2), name="edge")


def trace_of(problem: gd.Problem, start: Any, optimizer: gd.optimizers.Optimizer, **options: Any) -> np.ndarray:
    """The recorded points; every one, and without a tolerance, unless said otherwise."""
    trace = gd.minimize(problem, start, optimizer, **{"gtol": None, "record": 1, **options}).trace
    assert trace is not None
    return trace


def same_bits(one: Any, other: Any) -> bool:
    """Whether two arrays are equal bit for bit, NaN and the sign of zero included."""
    one, other = np.ascontiguousarray(one), np.ascontiguousarray(other)
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def assert_same_runs(one: gd.Result, other: gd.Result, of_one: Any = (), of_other: Any = ()) -> None:
    """Two results, or parts of them, agree bit for bit."""
    for name in FIELDS:
        a, b = getattr(one, name)[of_one], getattr(other, name)[of_other]
        assert a.shape == b.shape, name
        assert same_bits(a, b), f"{name} differs at {np.argwhere(a != b)[:5].tolist()}"


def refused(kind: type[Exception], words: list[str], call: Any) -> None:
    """`call` raises `kind` with all the words, and no kernel is looked for."""
    begun = mock.patch.object(cpu, "run", side_effect=AssertionError("work has begun"))
    with begun, pytest.raises(kind, match=r".") as caught:
        call()
    assert type(caught.value) is kind
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert not re.search(r"numba|Traceback", str(caught.value))
