"""What interrupts a compilation, or a load from disk, is no verdict on the functions, and leaves no trace."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading

import numba
import numpy as np
import pytest

import fastgd as gd
from fastgd.errors import DeviceError
from fastgd.jit import cache, targets
from fastgd.jit.verdicts import is_verdict


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache folder of this test's own, and a process that has seen no kernel."""
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("KERNELS", "TAKEN", "REFUSED", "HOPELESS", "WARNED"):
        monkeypatch.setattr(targets, name, type(getattr(targets, name))())
    return tmp_path / "cache"


def entries(folder):
    return sorted(path.name.partition(".")[2] for path in folder.rglob("*") if path.is_file())


class Job:
    """A job whose compilations raise, one after the other, what they are told to, at any width or at these."""

    def __init__(self, errors, width, widths):
        self.errors, self.width, self.widths = errors, width, widths

    def compile(self):
        if self.width in self.widths and self.errors:
            raise self.errors.pop(0)


class Limit(Exception):
    """Of the caller's."""


INTERRUPTIONS = [
    Limit("my time limit"), KeyboardInterrupt(), TimeoutError("too long"), MemoryError(), OSError("disk"),
    ImportError("no such module"), RecursionError("maximum recursion depth exceeded"), UserWarning("as an error"),
    DeviceError("gone"), RuntimeError("my time limit"), ValueError("my time limit"), pickle.UnpicklingError("short"),
    numba.errors.TypingError("x: RecursionError: maximum recursion depth exceeded"),
]  # fmt: skip


@pytest.mark.parametrize("error", INTERRUPTIONS, ids=repr)
@pytest.mark.parametrize("width", [8, 1])
def test_an_interruption_is_raised_and_forgotten(error, width, folder):
    errors = [error] if width == 8 else [numba.errors.LoweringError("no lanes"), error]

    def compiled():
        return targets.lanes_or_scalar("some", "a key", 8, lambda w: Job(errors, w, (8, 1)), warn=False)

    with pytest.raises(type(error)) as caught:
        compiled()
    assert caught.value is error or isinstance(error, RecursionError)
    assert (targets.REFUSED, targets.HOPELESS, entries(folder)) == ({}, {}, [])
    assert compiled().width == 8  # nothing of it is left


VERDICTS = [
    numba.errors.TypingError("no such function"), numba.errors.LoweringError("no such code"),
    numba.errors.UnsupportedError("no such construct"), numba.errors.UnsupportedBytecodeError("no such opcode"),
]  # fmt: skip


@pytest.mark.parametrize("error", VERDICTS, ids=repr)
def test_a_verdict_is_kept_where_scalars_go(error, folder):
    job = targets.lanes_or_scalar("some", "a key", 8, lambda w: Job([error], w, (8,)), warn=False)
    assert job.width == 1
    assert entries(folder) == ["scalar"]
    targets.REFUSED.clear()
    assert targets.lanes_or_scalar("some", "a key", 8, lambda w: Job([], w, ()), warn=False).width == 1


def test_a_verdict_on_both_is_kept_in_this_process_and_told_at_once(folder):
    built = []

    def make(width):
        built.append(width)
        return Job([numba.errors.TypingError("Untyped global name 'h'")], width, (8, 1))

    told = []
    for _ in range(3):
        with pytest.raises(TypeError, match="numba cannot compile the problem's functions") as caught:
            targets.lanes_or_scalar("some", "a key", 8, make, warn=False)
        told.append(str(caught.value))
    assert built == [8, 1]
    assert len(set(told)) == 1
    assert entries(folder) == []


def uncompilable(x):
    return x[0] + len({}.fromkeys([1]))


def ramp(x, out):
    out[0] = 1.0


def test_a_problem_that_cannot_be_compiled_is_told_again_without_a_compilation():
    problem = gd.Problem(uncompilable, ramp, dim=1)
    with numba.core.event.install_recorder("numba:compile") as recorder:
        with pytest.raises(TypeError, match="numba cannot compile"):
            problem.value([0.5])
        first = len(recorder.buffer)
        with pytest.raises(TypeError, match="numba cannot compile"):
            problem.value([0.5])
    assert len(recorder.buffer) == first > 0


def test_errors_of_numba_that_are_none_of_its_classes_are_verdicts():
    def recursive(x):
        def inner(n):
            return x[0] if n < 1 else inner(n - 1)

        return inner(2)

    def with_keywords(x):
        def inner(**names):
            return names["a"]

        return inner(a=x[0])

    for function in (recursive, with_keywords):
        with pytest.raises(Exception) as caught:
            numba.njit(function)(np.ones(2))
        assert not isinstance(caught.value, numba.errors.NumbaError)
        assert is_verdict(caught.value)


def test_what_llvm_refuses_is_a_verdict():
    from llvmlite import binding

    for text in ("no code at all", "define i32 @f() { ret i64 0 }", "define void @f() {"):
        with pytest.raises(RuntimeError) as caught:
            binding.parse_assembly(text)
        assert is_verdict(caught.value)


class Alarm:
    """Handlers of signals of several kinds."""

    def method(self, *_):
        raise ValueError("my time limit")

    def __call__(self, *_):
        raise KeyError("my time limit")


def function(*_):
    raise NotImplementedError("my time limit")


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarms here")
@pytest.mark.parametrize("handler", [function, Alarm().method, Alarm(), lambda *_: [][1]], ids=range(4))
def test_a_handlers_error_inside_numba_is_no_verdict(handler):
    def compiled(width):
        class Inside:
            def compile(self):
                def typed(x):
                    return x

                template = numba.njit(typed)
                template._compiler.compile = lambda *_: os.kill(os.getpid(), signal.SIGALRM)
                template(1.0)

        return Inside()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises((ValueError, KeyError, NotImplementedError, IndexError)) as caught:
            targets.lanes_or_scalar("some", "a key", 8, compiled, warn=False)
        assert not is_verdict(caught.value)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert targets.REFUSED == {}


ALARM = """
import contextlib, json, signal, sys, warnings
import numpy as np
import fastgd as gd
warnings.simplefilter("error")
class Limit(Exception): ...
def alarm(*_): raise Limit
signal.signal(signal.SIGALRM, alarm)
H = gd.problems.himmelblau()
starts = H.sample(50, seed=0)
for after in np.linspace(0.1, 3.0, int(sys.argv[1])):
    signal.setitimer(signal.ITIMER_REAL, after)
    with contextlib.suppress(Limit):
        gd.minimize(H, starts, gd.Momentum(lr=0.01), max_steps=50)
    signal.setitimer(signal.ITIMER_REAL, 0)
from fastgd.jit import targets
print(json.dumps([len(targets.REFUSED), gd.minimize(H, starts, gd.Momentum(lr=0.01), max_steps=50).x.tolist()]))
"""


def output_of(code, folder, *arguments, **options):
    variables = {**os.environ, "FASTGD_CACHE_DIR": str(folder)}
    command = [sys.executable, *options.pop("flags", ()), "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarms here")
def test_alarms_change_no_bit(tmp_path):
    refused, interrupted = json.loads(output_of(ALARM, tmp_path / "alarmed", "6"))
    assert refused == 0
    assert "scalar" not in entries(tmp_path / "alarmed")
    assert json.loads(output_of(ALARM, tmp_path / "alarmed", "0"))[1] == interrupted
    assert json.loads(output_of(ALARM, tmp_path / "undisturbed", "0"))[1] == interrupted


DEEP = """
import sys
import fastgd as gd
def at(depth, call):
    return call() if depth == 0 else at(depth - 1, call)
H = gd.problems.himmelblau()
right = []
for depth in (970, 930, 880, 850, 700):
    try:
        right.append(float(at(depth, lambda: H.value([0.0, 0.0]))) == 170.0)
    except RecursionError as error:
        right.append("of Python's stack" in str(error) or depth > 900)
print(all(right), float(H.value([0.0, 0.0])))
"""


def test_deep_in_the_stack_a_compilation_goes_well_or_says_that_it_is_deep(tmp_path):
    assert output_of(DEEP, tmp_path).split() == ["True", "170.0"]
    assert "scalar" not in entries(tmp_path)
    assert "kernel" in entries(tmp_path)


@pytest.fixture
def stored(folder):
    """A function that was compiled and stored, and its entry."""

    def fun(x):
        return x[0] + 3.0

    problem = gd.Problem(fun, ramp, dim=1)
    assert problem.value([1.0]) == 4.0
    (path,) = folder.rglob("*.kernel")
    targets.KERNELS.clear()
    targets.TAKEN.clear()
    return problem, path


class Names:
    """Pickled, a call of something by its name."""

    def __init__(self, function, *arguments):
        self.way = function, arguments

    def __reduce__(self):
        return self.way


BAD = {
    "no pickle": b"no pickle at all",
    "of another shape": pickle.dumps((1, 2, 3)),
    "a name that is gone": b"cnumba.core\nnot_there\n.",
    "a module that is gone": b"cnot_there_at_all\nthing\n.",
    "what raises when it is called": pickle.dumps(Names(int, "no number")),
    "cut short": pickle.dumps(tuple(range(9)))[:-4],
}


@pytest.mark.parametrize("kind", list(BAD))
def test_an_entry_that_cannot_be_read_is_compiled_anew(kind, stored):
    problem, path = stored
    whole = path.read_bytes()
    key, suffix = path.parent.name + path.name.partition(".")[0], path.name.partition(".")[2]
    cache.store(key, suffix, BAD[kind])
    assert problem.value([1.0]) == 4.0
    assert targets.REFUSED == {}
    assert len(path.read_bytes()) == pytest.approx(len(whole), rel=0.1)


def test_what_interrupts_a_load_is_raised_and_stores_nothing(stored, monkeypatch):
    problem, path = stored
    before = path.read_bytes()

    def alarmed(content):
        raise Limit

    with monkeypatch.context() as patch:
        patch.setattr(cache, "unpickled", alarmed)
        patch.setattr(cache, "READERS", ("numba",))  # as where a handler of a signal raises
        with pytest.raises(Limit):
            problem.value([1.0])
    assert targets.REFUSED == {}
    assert path.read_bytes() == before


FORK = """
import os, sys, threading, time
import numba
import numpy as np
import fastgd as gd

H = gd.problems.himmelblau()
if sys.argv[1] == "fastgd":
    work = lambda: gd.minimize(H, H.sample(20, seed=0), gd.Adam(lr=0.01), max_steps=5)
else:
    work = lambda: numba.njit(lambda x: np.sort(x).sum() + np.linalg.norm(x))(np.ones(3))
thread = threading.Thread(target=work)
thread.start()
lock = numba.core.compiler_lock.global_compiler_lock._lock
while lock.acquire(blocking=False):  # the other thread has not begun
    lock.release()
    time.sleep(0.001)
time.sleep(float(sys.argv[2]))
child = os.fork()
if child == 0:
    right = float(H.value([0.0, 0.0])) == 170.0
    os._exit(0 if right else 1)
for _ in range(1200):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    time.sleep(0.1)
else:
    os.kill(child, 9)
    os.waitpid(child, 0)
    status = "hung"
thread.join()
print(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize(("compiler", "after"), [("fastgd", 0.3), ("numba", 0.0)])
def test_a_fork_while_another_thread_compiles_does_not_hang(compiler, after, tmp_path):
    assert output_of(FORK, tmp_path, compiler, str(after)).split() == ["0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_leaves_the_locks_as_they_were():
    from numba.core.compiler_lock import global_compiler_lock

    pid = os.fork()
    if pid == 0:
        got = []
        thread = threading.Thread(target=lambda: got.append(global_compiler_lock._lock.acquire(timeout=1)))
        thread.start()
        thread.join()
        os._exit(0 if got == [True] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with global_compiler_lock:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if global_compiler_lock.is_locked() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not global_compiler_lock.is_locked()
