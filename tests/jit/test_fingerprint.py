"""Fingerprints: what a kernel depends on counts, and nothing else."""

import enum
import math
import types
from collections import namedtuple

import numba
import numpy as np
import pytest
from sources import BASE, Opaque, defined, in_process

import fastgd as gd
from fastgd.jit import targets
from fastgd.jit.cache import fingerprint

EDITS = {
    "constant": (BASE, BASE.replace("3.0", "3.5")),
    "kind of constant": (BASE, BASE.replace("3.0", "3")),
    "sign of zero": (BASE.replace("3.0", "0.0"), BASE.replace("3.0", "-0.0")),
    "exponent": (BASE, BASE.replace("** 2", "** 3")),
    "operator": (BASE, BASE.replace("+", "-")),
    "index": (BASE, BASE.replace("x[1]", "x[-1]")),
    "function": (
        "def fun(x):\n    return math.sin(x[0])",
        "def fun(x):\n    return math.cos(x[0])",
    ),
    "module": (
        "def fun(x):\n    return math.sin(x[0])",
        "def fun(x):\n    return np.sin(x[0])",
    ),
    "default": (
        "def fun(x, a=1.0):\n    return a * x[0]",
        "def fun(x, a=2.0):\n    return a * x[0]",
    ),
    "keyword default": (
        "def fun(x, *, a=1.0):\n    return a * x[0]",
        "def fun(x, *, a=2.0):\n    return a * x[0]",
    ),
    "nested function": (
        "def fun(x):\n    def inner(v):\n        return v + 1\n    return inner(x[0])",
        "def fun(x):\n    def inner(v):\n        return v + 2\n    return inner(x[0])",
    ),
    "captured value": (
        "def make(a):\n    return lambda x: a * x[0]\nfun = make(1.0)",
        "def make(a):\n    return lambda x: a * x[0]\nfun = make(2.0)",
    ),
    "captured array": (
        "def make(a):\n    return lambda x: a[0] * x[0]\nfun = make(np.array([1.0, 2.0]))",
        "def make(a):\n    return lambda x: a[0] * x[0]\nfun = make(np.array([1.0, 3.0]))",
    ),
    "dtype of an array": (
        "A = np.array([1.0, 2.0])\ndef fun(x):\n    return A[0] * x[0]",
        "A = np.array([1.0, 2.0]).view(np.int64)\ndef fun(x):\n    return A[0] * x[0]",
    ),
    "shape of an array": (
        "A = np.ones((2, 3))\ndef fun(x):\n    return len(A) * x[0]",
        "A = np.ones((3, 2))\ndef fun(x):\n    return len(A) * x[0]",
    ),
    "names of fields": (
        "A = np.ones(1, [('a', float), ('b', float)])\ndef fun(x):\n    return A[0].a * x[0]",
        "A = np.ones(1, [('b', float), ('a', float)])\ndef fun(x):\n    return A[0].a * x[0]",
    ),
    "global": (
        "a = 1.0\ndef fun(x):\n    return a * x[0]",
        "a = 2.0\ndef fun(x):\n    return a * x[0]",
    ),
    "global tuple": (
        "a = (1.0, 2.0)\ndef fun(x):\n    return a[0] * x[0]",
        "a = (1.0, 2.5)\ndef fun(x):\n    return a[0] * x[0]",
    ),
    "global in a nested function": (
        "a = 1.0\ndef fun(x):\n    return (lambda v: a * v)(x[0])",
        "a = 2.0\ndef fun(x):\n    return (lambda v: a * v)(x[0])",
    ),
    "helper": (
        "def helper(v):\n    return v + 1\ndef fun(x):\n    return helper(x[0])",
        "def helper(v):\n    return v + 2\ndef fun(x):\n    return helper(x[0])",
    ),
    "helper of a helper": (
        "def deep(v):\n    return v + 1\ndef helper(v):\n    return deep(v)\ndef fun(x):\n    return helper(x[0])",
        "def deep(v):\n    return v - 1\ndef helper(v):\n    return deep(v)\ndef fun(x):\n    return helper(x[0])",
    ),
    "which helper": (
        "def f(v):\n    return v + 1\ndef g(v):\n    return v + 2\na, b = f, g\ndef fun(x):\n    return a(b(a(x[0])))",
        "def f(v):\n    return v + 1\ndef g(v):\n    return v + 2\na, b = g, f\ndef fun(x):\n    return a(b(a(x[0])))",
    ),
}


@pytest.mark.parametrize("edit", list(EDITS))
def test_an_edit_changes_the_fingerprint(edit):
    before, after = EDITS[edit]
    assert fingerprint(defined(before)) == fingerprint(defined(before))
    assert fingerprint(defined(before)) != fingerprint(defined(after))


def module(name, **contents):
    made = types.ModuleType(name)
    vars(made).update(contents)
    return made


ATTRIBUTE = "def fun(x):\n    return consts.a * x[0]"


@pytest.mark.parametrize(
    "source",
    [
        ATTRIBUTE,
        "def fun(x):\n    return (lambda v: consts.a * v)(x[0])",
        "def make(c):\n    return lambda x: c.a * x[0]\nfun = make(consts)",
    ],
    ids=["global", "nested", "captured"],
)
def test_what_is_taken_from_a_module_counts(source):
    prints = {fingerprint(defined(source, consts=module("consts", a=value, b=0.0))) for value in (1.0, 2.0)}
    assert len(prints) == 2
    again = fingerprint(defined(source, consts=module("consts", a=1.0, b=7.0)))
    assert again in prints  # what the function does not name is not its content


def test_what_is_taken_from_a_module_within_a_module_counts():
    source = "def fun(x):\n    return package.consts.a * x[0]"
    trees = [module("package", consts=module("package.consts", a=value)) for value in (1.0, 2.0)]
    for tree in trees:
        tree.consts.package = tree  # as packages and their parts often know of one another
    first, second = (fingerprint(defined(source, package=tree)) for tree in trees)
    assert first != second


def test_classes_count_by_what_compiled_code_takes_from_them():
    source = "def fun(x):\n    return Kind.a.value * x[0]"
    kinds = [enum.Enum("Kind", {"a": value, "b": 0.0}) for value in (1.0, 2.0)]
    first, second = (fingerprint(defined(source, Kind=kind)) for kind in kinds)
    assert first != second
    source = "def fun(x):\n    return Pair(x[0], 2.0).a"
    pairs = [namedtuple("Pair", names) for names in ("a b", "b a")]
    first, second = (fingerprint(defined(source, Pair=pair)) for pair in pairs)
    assert first != second


def test_options_of_compiled_helpers_count():
    def helper(v):
        return v * v

    source = "def fun(x):\n    return helper(x[0])"
    plain, fast = numba.njit(helper), numba.njit(fastmath=True)(helper)
    assert fingerprint(defined(source, helper=plain)) != fingerprint(defined(source, helper=fast))


@pytest.mark.parametrize("thing", [Opaque(), Opaque, {1.0}, np.array([None]), object()], ids=range(5))
def test_unknown_objects_are_refused(thing):
    with pytest.raises(TypeError, match="cannot tell the content"):
        fingerprint(thing)
    with pytest.raises(TypeError, match="cannot tell the content"):
        fingerprint(defined("def fun(x):\n    return thing.a * x[0]", thing=thing))


def test_values_of_different_kinds_differ():
    things = [
        None, True, 1, 1.0, 1j, "1", b"1", (1,), [1], (1, (2,)), ((1, 2),), (1, 2), {"a": 1}, frozenset({1}),
        np.float64(1.0), np.float32(1.0), np.array(1.0), np.array([1.0]), np.array([[1.0]]), math, np, math.sin, np.sin,
        float, int, math.nan, math.inf, ..., "", (), [],
    ]  # fmt: skip
    assert len({fingerprint(thing) for thing in things}) == len(things)
    assert fingerprint(1, 2) != fingerprint((1, 2))
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_recursion_ends():
    source = "def fun(x):\n    return fun(x) if x is None else 1.0"
    assert fingerprint(defined(source)) == fingerprint(defined(source))


PRINTS = """
import numpy as np
from fastgd.jit.cache import fingerprint
table = np.arange(4.0)
def helper(v):
    return v in {"one", "two", "three"}
def fun(x, a=1.0):
    return x[0] * a + table[1] if x[0] in {1, 2, 3} else helper("two")
print(fingerprint(fun))
"""


def test_fingerprints_are_the_same_in_every_process(tmp_path):
    found = [in_process(PRINTS, tmp_path, PYTHONHASHSEED=seed) for seed in ("0", "1")]
    assert found[0] == found[1]


def test_rules_of_the_optimizers_can_be_told():
    rules = [gd.GradientDescent(lr=0.1), gd.Momentum(lr=0.1), gd.Nesterov(lr=0.1), gd.Adam(lr=0.1)]
    prints = [fingerprint(*rule.rule()) for rule in rules]
    assert len(set(prints)) == len(rules)
    assert not any(targets.named((*rule.rule(),)).startswith("unnamed") for rule in rules)
    for name in gd.problems.names():
        problem = gd.problems.make(name)
        assert not targets.named((problem.fun, problem.grad)).startswith("unnamed")


def test_an_array_taken_from_a_module_counts_by_content() -> None:
    module = types.ModuleType("measurements")

    def function(x):
        return x[0] * module.table[0]

    prints = set()
    for number in (1.0, 2.0, 1.0):
        module.table = np.array([number, 3.0])
        prints.add(fingerprint(function))
    assert len(prints) == 2
