"""Random programs give compiled what they give in plain Python; and the fuzz itself finds what differs.

``FASTGD_FUZZ_COUNT`` and ``FASTGD_FUZZ_SEED`` set how many programs there are, and which.
"""

import os

import numpy as np
import pytest
from fuzz import Fuzz
from fuzz_programs import DATA, Program, drawn, module, smaller
from fuzz_reference import Reference, judged


@pytest.mark.slow
def test_compiled_programs_agree_with_plain_python():
    fuzz = Fuzz(seed=int(os.environ.get("FASTGD_FUZZ_SEED", "0")))
    fuzz.run(int(os.environ.get("FASTGD_FUZZ_COUNT", "2000")))
    told = [min(found, key=lambda f: len(f.program.source())).report() for found in fuzz.kinds().values()]
    assert not fuzz.findings, "\n".join([fuzz.counts(), *told])
    agreed = sum(n for (_, outcome), n in fuzz.outcomes.items() if outcome == "agrees")
    assert agreed > 0.8 * sum(fuzz.outcomes.values()), fuzz.counts()


def answers(value, point, captured=""):
    program = Program(captured, value, "out[0] = x[0]\nout[1] = x[1]\nout[2] = x[2]", False)
    return Reference(program.source(), eval(DATA, {"np": np})).answers("fun", point)


POINT = [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("value", "right", "wrong"),
    [
        ("return 2 ** (-2) * x[0]", [0.25, 0.25 * (1 + 1e-15)], [0.0, 0.25 * (1 + 1e-10), np.nan, None]),
        ("return x[0] + 7 // (n - n)", [np.nan, None, np.inf], [1.0, 0.0]),
        ("return x[3] + x[0]", [np.nan, None], [1.0]),
        ("return x[-1] + A[-5]", [6.0], [3.0, np.nan]),
        ("return x[0] / (x[1] - 2.0)", [np.inf, np.nan, None], [0.0]),
        ("return 1.0 / (1.0 / (x[0] - 1.0)) + x[1]", [2.0, np.nan, None], [3.0]),
        ("return x[0] * 10 ** 30", [1e30, np.nan, None], [5.1e18]),
        ("return x[0] * (1 << -1)", [np.nan, None], [0.0, 0.5]),
    ],
)
def test_what_counts_as_the_same(value, right, wrong):
    known = answers(value, POINT)
    for found in (*right, *wrong):
        number = None if found is None else np.array([found])
        assert bool(judged(number, known)) == (found in wrong), found


@pytest.mark.parametrize(
    ("captured", "found"),
    [
        ("c = np.int8(100)", 300.0),
        ("c = np.uint8(100)", 300.0),
        ("c = np.float32(0.1)", 3 * float(np.float32(0.1))),
        ("c = True", 3.0),
    ],
)
def test_captured_values_of_numpy_may_be_read_as_pythons(captured, found):
    known = answers("return x[2] * c + 0.0 * x[0]", POINT, captured)
    assert judged(np.array([found * 1.01]), known)
    assert not judged(np.array([found]), known)


@pytest.mark.parametrize(
    "value", ["return A[int(x[0] * 0.1 + 0.8 + x[1] * 0.05)] + x[0]", "return (x[0] + 1e16) - 1e16"]
)
def test_answers_that_hang_on_rounding_are_not_judged(value):
    assert not judged(np.array([7.0]), answers(value, POINT))


def test_programs_of_a_seed_are_the_same_and_differ():
    first, second = drawn(20, 3, True), drawn(20, 3, True)
    assert first == second
    assert len(set(first)) == 20
    compile(module(first, True), "<module>", "exec")


def test_smaller_programs_are_smaller():
    program = drawn(5, 1, False)[-1]
    tries = smaller(program)
    assert tries
    for each in tries:
        compile(each.source(), "<program>", "exec")


def test_a_program_that_agrees_does_so_in_every_way():
    grad = "\n".join(f"out[{k}] = 2 * x[{k}] ** 3" for k in range(3))
    fuzz = Fuzz(jobs=1)
    ways = ["lanes", "scalar", "minimized", "alone", "derived"]
    fuzz.take(fuzz.child([Program("", "return x[0] + x[1] * x[2] ** 2", grad, False)], ways))
    assert fuzz.outcomes == {(way, "agrees"): 1 for way in ways}, fuzz.refused + fuzz.findings


def test_a_crash_ends_one_program_and_not_the_others():
    good = Program("", "return x[0]", "out[0] = x[0]\nout[1] = x[1]\nout[2] = x[2]", False)
    crash = "import ctypes\nctypes.string_at(0)"  # as the module of a program is run
    fuzz = Fuzz(jobs=1)
    fuzz.take(fuzz.child([good, Program(crash, good.value, good.grad, False)], ["lanes"]))
    assert fuzz.outcomes["lanes", "agrees"] == 1
    assert [finding.outcome for finding in fuzz.findings] == ["crashed"]
    assert "crashed" in fuzz.findings[0].report()
