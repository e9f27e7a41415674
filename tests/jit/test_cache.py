import enum
import math
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import types
from collections import namedtuple

import numba
import numpy as np
import pytest

import fastgd as gd
from fastgd import evaluate
from fastgd.jit import cache, targets
from fastgd.jit.cache import fingerprint


def defined(source, **scope):
    """The function ``fun`` of a source, defined anew among these globals."""
    scope = {"math": math, "np": np, **scope}
    exec(textwrap.dedent(source), scope)
    return scope["fun"]


BASE = """
def fun(x):
    return x[0] ** 2 + 3.0 * x[1]
"""

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


class Opaque:
    a = 1.0


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


def in_process(source, folder, **environment):
    """The output lines of a Python process with a cache folder of its own."""
    variables = {**os.environ, "FASTGD_CACHE_DIR": str(folder), **environment}
    code = textwrap.dedent(source)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of this test's own, and no kernels from earlier in this process."""
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(targets, "KERNELS", {})
    monkeypatch.setattr(targets, "REFUSED", {})
    return tmp_path / "cache"


def entries(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def forget():
    """As a new process would begin."""
    targets.KERNELS.clear()
    targets.REFUSED.clear()


def value_at(fun, x=(2.0, 3.0)):
    return float(evaluate.value(fun, np.array(x), ()))


def test_different_problems_never_share_an_entry(folder):
    factory = "def make(a):\n    return lambda x: a * x[0] + x[1]\n"
    for k in (1.0, 2.0):
        for _ in range(2):
            assert value_at(defined(factory + f"fun = make({k})")) == 2 * k + 3
            forget()
    assert len(entries(folder)) == 2


def test_an_edited_function_misses_and_a_restored_one_hits(folder):
    before, after = defined(BASE), defined(BASE.replace("3.0", "4.0"))
    assert value_at(before) == 13.0
    first = entries(folder)
    forget()
    assert value_at(after) == 16.0
    assert len(entries(folder)) == len(first) + 1
    forget()
    assert value_at(before) == 13.0
    assert len(entries(folder)) == len(first) + 1


SECOND = """
import numpy as np
from numba.core import event
from fastgd.problems import himmelblau
problem = himmelblau()
with event.install_recorder("numba:compile") as recorder:
    value = problem.value([0.0, 0.0])
print(float(value), len(recorder.buffer))
"""


def test_a_second_process_compiles_nothing(tmp_path):
    value, compilations = in_process(SECOND, tmp_path)
    assert float(value) == 170.0
    assert int(compilations) > 0
    stored = {path: path.read_bytes() for path in entries(tmp_path)}
    assert len(stored) == 1
    assert in_process(SECOND, tmp_path) == ["170.0", "0"]
    assert {path: path.read_bytes() for path in entries(tmp_path)} == stored


NOWHERE = """
import warnings
import fastgd as gd
warnings.simplefilter("error")
scope = {"__name__": "a_module_that_is_not_there"}
exec("def fun(x):\\n    return (x[0] - 3.5) ** 2", scope)
problem = gd.Problem(scope["fun"], dim=1)
print(float(gd.minimize(problem, [0.0], gd.GradientDescent(lr=0.5)).x[0]))
"""


def test_a_function_from_no_module_is_compiled_anew_and_still_for_lanes(tmp_path):
    assert in_process(NOWHERE, tmp_path) == ["3.5"]
    assert in_process(NOWHERE, tmp_path) == ["3.5"]


DAMAGE = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "cut in the checksum": lambda content: content[:7],
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "longer": lambda content: content + b"\0",
    "something else": lambda content: b"no kernel at all" * 40,
}


def test_a_damaged_entry_is_compiled_anew(folder):
    fun = defined(BASE)
    assert value_at(fun) == 13.0
    (path,) = entries(folder)
    key, content = path.parent.name + path.name.partition(".")[0], path.read_bytes()
    assert cache.load(key, "kernel") is not None
    for damage in DAMAGE.values():
        path.write_bytes(damage(content))
        assert cache.load(key, "kernel") is None
    for name in ("one bit", "cut short"):
        path.write_bytes(DAMAGE[name](content))
        forget()
        assert value_at(fun) == 13.0
        assert cache.load(key, "kernel") is not None  # whole again
        assert entries(folder) == [path]


def test_a_damaged_reason_is_found_anew(folder):
    fun = defined("def fun(x):\n    return x[0] if x[0] > 0 else x[1]")
    assert value_at(fun) == 2.0
    (path,) = folder.rglob("*.scalar")
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + b"\xff\xfe\xfd")
    forget()
    assert value_at(fun) == 2.0
    assert path.read_bytes() == whole


def test_what_is_stored_is_what_is_loaded(folder):
    for content in (b"", b"x", bytes(range(256)) * 100):
        assert cache.store("ab" * 32, "bytes", content)
        assert cache.load("ab" * 32, "bytes") == content
    assert cache.load("cd" * 32, "bytes") is None
    assert [path.name for path in entries(folder)] == ["ab" * 31 + ".bytes"]


def test_a_folder_that_cannot_be_is_no_error(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("in the way")
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(file / "cache"))
    monkeypatch.setattr(targets, "KERNELS", {})
    assert cache.store("ab" * 32, "bytes", b"x") is False
    assert cache.load("ab" * 32, "bytes") is None
    assert value_at(defined(BASE)) == 13.0


def test_a_write_that_fails_leaves_nothing_behind(folder, monkeypatch):
    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cache.store("ab" * 32, "bytes", b"x") is False
    assert entries(folder) == []


def test_writers_and_readers_never_see_half_an_entry(folder):
    key, contents = "ef" * 32, [bytes([k]) * 200_000 for k in range(4)]
    wrong, stop = [], threading.Event()

    def write(content):
        for _ in range(25):
            assert cache.store(key, "bytes", content)

    def read():
        while not stop.is_set():
            path = cache.entry(key, "bytes")
            if path.exists() and cache.load(key, "bytes") not in contents:
                wrong.append(True)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert wrong == []
    assert cache.load(key, "bytes") in contents
    assert len(entries(folder)) == 1


def test_functions_of_unknown_content_work_and_are_not_stored(folder):
    opaque = Opaque()
    source = "def fun(x):\n    if False:\n        unknown\n    return {} * x[0]"
    funs = [defined(source.format(k), unknown=opaque) for k in (1.0, 2.0)]
    assert [value_at(fun) for fun in funs] == [2.0, 4.0]
    assert [value_at(fun) for fun in funs] == [2.0, 4.0]
    assert entries(folder) == []


def test_the_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("FASTGD_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.cache_folder() == tmp_path / "fastgd"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.cache_folder() == pathlib.Path.home() / "Library" / "Caches" / "fastgd"
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "here"))
    assert cache.cache_folder() == tmp_path / "here"


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
