"""The kernel cache on disk: what is stored, found again, damaged and shared."""

import os
import pathlib
import sys
import threading

import numpy as np
import pytest
from sources import BASE, Opaque, defined, in_process

from fastgd import evaluate
from fastgd.jit import cache, targets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of this test's own, and no kernels from earlier in this process."""
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(targets, "KERNELS", {})
    monkeypatch.setattr(targets, "REFUSED", {})
    return tmp_path / "cache"


def entries(folder):
    """The kernels; that they were compared with plain Python is kept beside them."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".verified")


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
            path = folder / key[:2] / f"{key[2:]}.bytes"
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
