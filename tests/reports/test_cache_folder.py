"""The cache folder: whose it is, what may be imported for it, how large it grows; and whence workers import."""

import ctypes
import json
import os
import pathlib
import pickle
import stat
import subprocess
import sys
import textwrap
import time

import pytest

import fastgd as gd
from fastgd.jit import about, cache, cuda, folder

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes of folders say nothing here")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache folder of this test's own that is not there yet, and a process that has warned of none."""
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "deep" / "cache"))
    monkeypatch.setattr(folder, "WARNED", set())
    monkeypatch.setattr(folder, "written", {})
    return tmp_path / "deep" / "cache"


def key(number):
    return f"{number:064x}"


@POSIX
@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_folders_are_made_for_the_user_alone(place, umask):
    before = os.umask(umask)
    try:
        assert cache.store(key(1), "bytes", b"x")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(os.stat(path).st_mode) for path in (place, place / "00")}
    assert modes == {0o700}
    assert stat.S_IMODE(os.stat(place / "00" / f"{key(1)[2:]}.bytes").st_mode) == 0o600
    assert cache.load(key(1), "bytes") == b"x"


@POSIX
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_used_and_told_once(place, mode):
    assert cache.store(key(1), "bytes", b"x")
    place.chmod(mode)
    with pytest.warns(UserWarning, match=f"others can write to it: .* chmod 700 {place}"):
        assert cache.load(key(1), "bytes") is None
    assert cache.load(key(1), "bytes") is None  # a warning would be an error here
    assert not cache.store(key(2), "bytes", b"y")
    assert "others can write" in about.info()["cache folder"]
    place.chmod(0o755)
    assert cache.load(key(1), "bytes") == b"x"


@POSIX
def test_a_folder_of_another_owner_is_not_used(place, monkeypatch):
    assert cache.store(key(1), "bytes", b"x")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(place).st_uid + 1)
    with pytest.warns(UserWarning, match="belongs to another user: name a folder of your own in FASTGD_CACHE_DIR"):
        assert cache.load(key(1), "bytes") is None
    assert not cache.store(key(2), "bytes", b"y")


@POSIX
def test_a_link_to_a_folder_of_others_is_not_used(place, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    place.parent.mkdir()
    place.symlink_to(tmp_path / "open")
    with pytest.warns(UserWarning, match="others can write to it"):
        assert not cache.store(key(1), "bytes", b"x")
    assert list((tmp_path / "open").iterdir()) == []


def test_without_a_home_there_is_no_cache_and_no_error(place, monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", nowhere)
    monkeypatch.delenv("FASTGD_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for platform in ("linux", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        assert cache.cache_folder() is None
        assert cache.load(key(1), "bytes") is None
        assert not cache.store(key(1), "bytes", b"x")
        assert about.info()["cache folder"].startswith("none: there is no home folder")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    assert cache.cache_folder() == place / "fastgd"
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(place))
    assert cache.cache_folder() == place


def output_of(code, *flags, cwd=None, **variables):
    environment = {**os.environ, **variables}
    environment = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, *flags, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


NOBODY = """
import pathlib
def nowhere(*_): raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = nowhere
import fastgd as gd
print(float(gd.problems.himmelblau().value([0.0, 0.0])))
"""


def test_a_user_without_a_home_computes():
    assert output_of(NOBODY, FASTGD_CACHE_DIR=None, XDG_CACHE_HOME=None) == ["170.0"]


@pytest.mark.parametrize("given", ["~/x", "~"])
def test_the_home_folder_is_expanded(given, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("FASTGD_CACHE_DIR", given)
    assert cache.cache_folder() == tmp_path / given[2:]


def test_a_home_that_is_unknown_is_no_error(monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_DIR", "~no_such_user_at_all/x")
    assert cache.cache_folder() is None


MODULE = """
import pathlib, sys
import numpy as np
import fastgd as gd
pathlib.Path(__file__).with_name("imported_" + __name__).touch()
scale = 3.0
def fun(x):
    if x[0] > 1e6:
        raise ValueError("far")
    return scale * x[0] ** 2
def grad(x, out):
    out[0] = 2 * scale * x[0]
problem = gd.Problem(fun, grad, dim=1, bounds=(-1, 1))
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    print(float(problem.value([2.0])), float(gd.minimize(problem, [[0.5]], gd.GradientDescent(lr=0.1)).fun[0]) < 1e-9)
    print(len(recorder.buffer))
"""


def test_a_hit_does_not_import_the_module_that_compiled_the_function(tmp_path):
    (tmp_path / "m1.py").write_text(MODULE)
    (tmp_path / "m2.py").write_text(MODULE)
    places = {"FASTGD_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    first = output_of("import warnings; warnings.simplefilter('ignore'); import m1", **places)
    assert first[:2] == ["12.0", "True"]
    (tmp_path / "imported_m1").unlink()
    second = output_of("import warnings; warnings.simplefilter('ignore'); import m2", **places)
    assert second == ["12.0", "True", "0"]  # compiled nothing
    assert (tmp_path / "imported_m2").exists()
    assert not (tmp_path / "imported_m1").exists()


ASKED = [b"cthis_is_imported_by_no_test\nthing\n.", b"cnumba.cloudpickle\nsubimport\n.", b"cantigravity\nfly\n."]


@pytest.mark.parametrize("asked", ASKED)
def test_nothing_is_imported_for_an_entry(asked):
    with pytest.raises(ImportError, match="nothing is imported for an entry"):
        cache.unpickled(asked)
    assert "antigravity" not in sys.modules


def test_what_entries_hold_is_read():
    things = (1, "text", gd.GradientDescent, pickle.PicklingError)
    assert cache.unpickled(pickle.dumps(things)) == things


def sizes_in(place):
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def test_the_folder_keeps_to_its_limit_and_forgets_what_was_used_longest_ago(place, monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_MB", "1")
    now = time.time()
    for number in range(40):
        assert cache.store(key(number), "bytes", bytes(50_000))
        os.utime(place / key(number)[:2] / f"{key(number)[2:]}.bytes", (now - 1000 + number,) * 2)
        assert sizes_in(place) < 1_130_000  # the limit and a sixteenth
        if number == 15:
            assert cache.load(key(0), "bytes") is not None  # used just now
    kept = [number for number in range(40) if cache.load(key(number), "bytes") is not None]
    assert 0 in kept
    assert kept[1:] == list(range(40 - len(kept) + 1, 40))
    assert 10 <= len(kept) < 21


def test_a_hit_looks_at_one_file(place, monkeypatch):
    for number in range(3):
        cache.store(key(number), "bytes", b"x")
    monkeypatch.setattr(os, "scandir", lambda *_: pytest.fail("the folder was looked through"))
    assert cache.load(key(1), "bytes") == b"x"
    assert cache.store(key(4), "bytes", b"y")  # nor is it at each of them


def test_files_of_others_in_the_folder_are_left_alone(place, monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_MB", "0.01")
    (place / "00").mkdir(parents=True)
    place.chmod(0o700)
    mine = [place / "thesis.tex", place / "00" / "photo.jpg", place / "00" / "deep" / f"{'0' * 62}.kernel"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(30_000))
    abandoned, fresh = place / "00" / ".new-abc", place / "00" / ".new-def"
    for path in (abandoned, fresh):
        path.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    for number in range(5):
        assert cache.store(key(number), "bytes", bytes(6_000))
    assert all(path.exists() for path in mine)
    assert not abandoned.exists()
    assert fresh.exists()
    assert sum(cache.load(key(number), "bytes") is not None for number in range(5)) == 1


@pytest.mark.parametrize("given", ["many", "-1", "nan", "1,5"])
def test_a_limit_that_is_none_is_an_error_before_any_work(place, given, monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_MB", given)
    for work in (lambda: cache.load(key(1), "bytes"), lambda: cache.store(key(1), "bytes", b"x"), about.info):
        with pytest.raises(ValueError, match=f"FASTGD_CACHE_MB must be a number of megabytes .*{given}"):
            work()


def test_limits_of_nothing_and_of_everything(place, monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_MB", "0")
    assert not cache.store(key(1), "bytes", b"x")
    assert not place.exists()
    monkeypatch.setenv("FASTGD_CACHE_MB", "inf")
    assert cache.store(key(1), "bytes", b"x")
    assert cache.load(key(1), "bytes") == b"x"
    assert about.info()["cache size"] == "0.0 MB in 1 files, without a limit (FASTGD_CACHE_MB)"
    monkeypatch.delenv("FASTGD_CACHE_MB")
    assert "at most 1,000 MB" in about.info()["cache size"]


SHADOWS = """
raise SystemExit("the module of the current folder was imported")
"""
WORKS = """
import sys
import numpy as np
from fastgd.baseline.workers import Workers
import helping
cancel = np.zeros(1, np.uint8)
with Workers.make((helping.maker, 2.0), cancel) as workers:
    print(workers.ask([(1.0,), (2.0,)]))
"""
HELPING = """
def maker(factor, cancel):
    return lambda x: factor * x
"""


@POSIX
def test_workers_import_nothing_from_the_current_folder(tmp_path):
    (tmp_path / "current").mkdir()
    (tmp_path / "beside").mkdir()
    for name in ("numpy", "subprocess", "signal", "contextlib", "numba", "helping"):
        (tmp_path / "current" / f"{name}.py").write_text(SHADOWS)
    (tmp_path / "beside" / "helping.py").write_text(HELPING)
    (tmp_path / "beside" / "script.py").write_text(WORKS)
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "beside" / "script.py")], cwd=tmp_path / "current", timeout=300, check=False,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("[2.0, 4.0]", 0), done.stderr


@POSIX
def test_workers_import_what_the_caller_can(tmp_path):
    (tmp_path / "helping.py").write_text(HELPING)
    path = os.pathsep.join(filter(None, sys.path))
    assert output_of(WORKS, cwd=tmp_path, PYTHONPATH=path) == ["[2.0,", "4.0]"]  # by the path of a -c
    (tmp_path / "away").mkdir()
    inserted = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + textwrap.dedent(WORKS)
    assert output_of(inserted, cwd=tmp_path / "away", PYTHONPATH=path) == ["[2.0,", "4.0]"]


AUTO = """
import sys, importlib.machinery, json
import numpy as np
sys.modules["numba_cuda"] = type(sys)("numba_cuda")
sys.modules["numba_cuda"].__spec__ = importlib.machinery.ModuleSpec("numba_cuda", None)
import ctypes
calls = []
class Driver:
    def __init__(self, name): calls.append(str(name))
    def cuInit(self, flags): return int(sys.argv[1])
    def cuDeviceGetCount(self, count): return 0
real = ctypes.CDLL
ctypes.CDLL = lambda name, *more: Driver(name) if "libcuda" in str(name) and sys.argv[1] else real(name, *more)
from fastgd.jit import cuda
reason = cuda.missing()
print(json.dumps([reason, any(name.startswith("numba.cuda.") for name in sys.modules)]))
"""


NO_GPU = "the driver finds no GPU"


@pytest.mark.skipif(sys.platform != "linux", reason="the driver's name is that of Linux")
@pytest.mark.parametrize(("code", "said"), [("0", NO_GPU), ("100", NO_GPU), ("999", "returns error 999")])
def test_a_driver_without_a_gpu_is_told_without_numbas_import(code, said):
    done = subprocess.run(
        [sys.executable, "-c", AUTO, code], capture_output=True, text=True, timeout=300, check=True,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "0"},
    )  # fmt: skip
    reason, imported = json.loads(done.stdout)
    assert said in reason
    assert not imported


def test_without_a_driver_nothing_of_numbas_is_imported(monkeypatch):
    def absent(name, *_):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    monkeypatch.setattr(ctypes, "WinDLL", absent, raising=False)
    assert "no CUDA driver answers (" in cuda.no_device()
    assert "is not found" in cuda.no_device()
