"""The key of a kernel names all that decides on it: two problems never share one."""

import enum
import functools
import os
import subprocess
import sys
import types
from collections import namedtuple
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.extending import intrinsic, overload, overload_method, register_jitable, type_callable

import fastgd as gd
from fastgd.jit import targets
from fastgd.jit.cache import fingerprint, settings

PAIRS = [namedtuple("C", names)(1.0, 2.0) for names in ("a b", "b a")]


def squares(c):
    return lambda x: (x[0] - c.a) ** 2 + x[1] ** 2


def gradient(x, out):
    out[0] = out[1] = 0.0


def test_fields_of_a_named_tuple_decide_on_the_value():
    problems = [gd.Problem(squares(c), gradient, dim=2, bounds=(-1, 1)) for c in PAIRS]
    assert [float(problem.value([0.0, 0.0])) for problem in problems] == [1.0, 4.0]


def ramp(x, out):
    out[0] = 0.0


def nested(c):
    return lambda x: x[0] * c[0].a


class Model(NamedTuple):
    a: float
    b: float


def method_of(body):
    """A named tuple of a class with a method, as which compiled code cannot call it, and a field more."""
    return type("Model", (namedtuple("Model", body),), {})(1.0, 2.0)


NAMED = {
    "in a tuple": [nested((c,)) for c in PAIRS],
    "default": [types.FunctionType((lambda x, c=None: c.a * x[0]).__code__, globals(), None, (c,)) for c in PAIRS],
    "subclass": [squares(method_of(names)) for names in ("a b", "b a")],
    "tuple or named tuple": [nested(((1.0, 2.0),)), nested((Model(1.0, 2.0),))],
}


@pytest.mark.parametrize("kind", list(NAMED))
def test_fields_of_named_tuples_count_wherever_they_are(kind):
    first, second = NAMED[kind]
    assert fingerprint(first) != fingerprint(second)


def test_equal_named_tuples_of_two_classes_are_one():
    assert fingerprint(squares(PAIRS[0])) == fingerprint(squares(namedtuple("C", "a b")(1.0, 2.0)))


def stub(x):
    raise NotImplementedError


def calls_of(number, register):
    """A function that calls a stub, which Numba replaces by what is registered for it."""
    source = types.FunctionType(stub.__code__, globals(), "stub")
    register(source, number)
    return lambda x: source(x[0])


def by_overload(source, number):
    @overload(source)
    def typed(x):
        return lambda x: x * number


def by_options(source, number):
    register_jitable(fastmath=number > 1)(source)


def by_inlining(source, number):
    @overload(source, inline="always" if number > 1 else "never")
    def typed(x):
        return lambda x: x


def by_literal(source, number):
    @overload(source, prefer_literal=number > 1)
    def typed(x):
        return lambda x: x


@pytest.mark.parametrize("register", [by_overload, by_options, by_inlining, by_literal])
def test_what_stands_behind_a_stub_counts(register):
    prints = [fingerprint(calls_of(number, register)) for number in (1.0, 2.0, 1.0)]
    assert prints[0] == prints[2] != prints[1]


def test_a_second_implementation_counts():
    function = calls_of(1.0, by_overload)
    before = fingerprint(function)
    by_overload(function.__closure__[0].cell_contents, 3.0)
    assert fingerprint(function) != before


def test_a_method_that_is_registered_counts():
    def uses(table):
        return lambda x: table.doubled_here() * x[0]

    function = uses(np.ones(2))
    before = fingerprint(function)

    @overload_method(numba.types.Array, "doubled_here")
    def doubled(array):
        return lambda array: 2 * array[0]

    assert fingerprint(function) != before


def test_a_stub_whose_code_cannot_be_told_counts_by_identity():
    def by_typing(source, number):
        @type_callable(source)
        def typed(context):
            return lambda x: x

    function = calls_of(1.0, by_typing)
    with pytest.raises(TypeError, match="cannot tell how"):
        fingerprint(function)
    assert targets.named((function,)).startswith("unnamed")


def test_an_intrinsic_counts_by_its_code():
    def made(number):
        @intrinsic
        def doubled(context, x):
            return x(x), lambda context, builder, sig, args: builder.fmul(args[0], args[0].type(number))

        return lambda x: doubled(x[0])

    assert fingerprint(made(1.0)) == fingerprint(made(1.0)) != fingerprint(made(2.0))


def helper(v):
    return v * 0.1


def with_helper(compiled):
    return lambda x: compiled(x[0])


HELPERS = {
    "types that are fixed": (numba.njit("float32(float32)"), numba.njit("float64(float64)")),
    "type of the result": (numba.njit("float32(float64)"), numba.njit("float64(float64)")),
    "some of the fast mathematics": (numba.njit(fastmath={"nnan"}), numba.njit(fastmath={"nnan", "ninf"})),
    "division by zero": (numba.njit(error_model="numpy"), numba.njit(error_model="python")),
    "types of locals": (numba.njit(locals={"v": numba.float32}), numba.njit(locals={"v": numba.float64})),
}


@pytest.mark.parametrize("kind", list(HELPERS))
def test_options_and_types_of_compiled_helpers_count(kind):
    first, second = (fingerprint(with_helper(compile_by(helper))) for compile_by in HELPERS[kind])
    assert first != second
    assert first == fingerprint(with_helper(HELPERS[kind][0](helper)))


class Loud(float):
    def __repr__(self):
        return "loud"


class Colour(enum.IntEnum):
    red = 1
    blue = 2


VALUES = {
    "number that prints as it likes": (Loud(1.0), Loud(2.0)),
    "member of an enumeration": (Colour.red, Colour.blue),
    "member beside others": (Colour.red, enum.IntEnum("Colour", {"red": 1, "blue": 3}).red),
    "range": (range(3), range(4)),
    "dtype": (np.dtype("f4"), np.dtype("f8")),
    "Numba's type": (numba.float32, numba.float64),
    "NumPy number of another width": (np.float32(0.5), np.float64(0.5)),
    "text": ("a\udc80", "a\udc81"),
    "integer of many digits": (10**5000, 10**5000 + 1),
    "frozen set of tuples": (frozenset({(1, 2.0)}), frozenset({(1, 2)})),
    "record": tuple(np.ones(1, [(name, float)])[0] for name in "ab"),
}


@pytest.mark.parametrize("kind", list(VALUES))
def test_captured_values_count_by_content(kind):
    def made(value):
        return lambda x: x[0] if value else 0.0

    first, second = VALUES[kind]
    assert fingerprint(made(first)) != fingerprint(made(second))
    assert fingerprint(made(first)) == fingerprint(made(first))


def fake_builtin(number):
    scope = {}
    exec(f"class float64:\n    a = {number}", scope)  # a class that says it is of `builtins`
    return scope["float64"]


def module_of(value):
    made = types.ModuleType("consts")
    made.a = value
    return made


UNKNOWN = {
    "partial": functools.update_wrapper(functools.partial(helper, 1.0), helper),
    "object that wraps a function": functools.update_wrapper(type("Call", (), {})(), helper),
    "class that says it is of builtins": fake_builtin(1.0),
    "module in a tuple": (module_of(1.0),),
    "ufunc of the user's": np.frompyfunc(helper, 1, 1),
    "vectorized function": numba.vectorize(helper),
    "method of an object": [1.0].append,
}


@pytest.mark.parametrize("kind", list(UNKNOWN))
def test_what_cannot_be_told_counts_by_identity(kind):
    thing = UNKNOWN[kind]

    def function(x):
        return x[0] if thing else 0.0

    with pytest.raises(TypeError, match="cannot tell the content"):
        fingerprint(function)
    assert targets.named((function,)).startswith("unnamed")


def test_a_function_that_knows_itself_by_a_cell_that_is_empty_yet():
    def outer():
        def inner(x):
            return later(x)

        found = fingerprint(inner)
        later = helper
        return found, fingerprint(inner)

    first, second = outer()
    assert first != second


def test_handlers_of_exceptions_count():
    code = helper.__code__
    if not hasattr(code, "co_exceptiontable"):
        pytest.skip("before Python 3.11 they are in the bytecode")
    other = types.FunctionType(code.replace(co_exceptiontable=b"\x80\x01\x02\x03"), globals())
    assert fingerprint(other) != fingerprint(helper)


CHANGED = {"BOUNDSCHECK": 1, "OPT": 1, "CPU_NAME": "generic", "LOOP_VECTORIZE": 0, "DISABLE_INTEL_SVML": 1}


@pytest.mark.parametrize("name", list(CHANGED))
def test_settings_of_numba_are_in_the_key(name, monkeypatch):
    before, key = settings(), targets.named((helper,))
    monkeypatch.setattr(numba.config, name, CHANGED[name])
    assert settings() != before
    assert targets.named((helper,)) != key


def test_settings_of_the_environment_are_in_the_key():
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}

    def key(**variables):
        code = "from fastgd.jit.cache import settings; print(settings())"
        done = subprocess.run([sys.executable, "-c", code], env={**plain, **variables}, capture_output=True, check=True)
        return done.stdout

    told = [key(NUMBA_NUM_THREADS="1"), key(NUMBA_BOUNDSCHECK="1"), key(NUMBA_OPT="2"), key(NUMBA_SLP_VECTORIZE="1")]
    assert len(set(told)) == 4
    assert told[0] == key()


def test_a_problem_compiled_without_checks_of_bounds_is_compiled_anew_with_them(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path))
    table = np.arange(4.0)
    problem = gd.Problem(lambda x: table[int(x[0])], ramp, dim=1, bounds=(0, 3))
    problem.value([1.0])
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    with pytest.raises(IndexError):
        problem.value([100.0])


EVERYDAY = """
import math
import numpy as np
import fastgd as gd
from fastgd.jit import targets
absolute, norm, total = abs, np.linalg.norm, np.sum
def fun(x):
    y = abs(x[0]) + len(x) + np.sin(x[1]) + min(x[0], 1.0) + sum((x[0], 1.0)) + round(2.5) + pow(x[0], 2) + float(3)
    y += gd.select(x[0] > 1, np.float64(1.0), math.log(x[0], 2)) + np.linalg.norm(np.array([1.0])) + absolute(x[0])
    return y + norm(np.array([2.0])) + total(np.array([1.0])) + np.random.random() + math.floor(x[0]) + divmod(3, 2)[0]
before = targets.named((fun,))
gd.problems.himmelblau().value([0.0, 0.0])  # with which Numba fills its registries
print(before, targets.named((fun,)))
"""


def test_everyday_functions_are_told_alike_in_every_process_and_at_any_time():
    done = subprocess.run([sys.executable, "-c", EVERYDAY], capture_output=True, text=True, check=True)
    before, after = done.stdout.split()
    assert before == after
    assert not before.startswith("unnamed")
