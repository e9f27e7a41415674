"""Compiled functions are compared with plain Python once, and rounding is told from a difference."""

import math

import numpy as np
import pytest

import fastgd as gd
from fastgd import verification
from fastgd.jit.options import interpreted

pytestmark = pytest.mark.skipif(interpreted(), reason="nothing is compiled")


def chaotic(x):
    z = 0.5 + 0.4 * math.sin(x[0])
    for _ in range(80):
        z = 3.99 * z * (1.0 - z)
    return z


def cancelling(x):
    return (x[0] + 1e9) ** 2 - x[0] ** 2 - 2e9 * x[0] - 1e18


def stepped(x):
    return math.floor(x[0] * 3.0 / 0.3) + x[0]


def overflowing(x):
    return 1.0 / (1.0 + math.exp(700.0 * x[0]) ** 2)


@pytest.mark.parametrize("fun", [chaotic, cancelling, stepped, overflowing])
def test_rounding_is_no_difference(fun):
    problem = gd.Problem(fun, dim=1, bounds=(-2.0, 2.0))
    assert np.isfinite(problem.value([[0.3]]))


def plain(x):
    return np.array([x[0] ** 2, 2 * x[0], 1e-3 * x[1]])


@pytest.mark.parametrize(
    ("error", "named"), [((0, 1e-3), "value"), ((1, -1e-3), r"gradient\[0\]"), ((2, 1e-5), r"gradient\[1\]")]
)
def test_a_difference_is_an_error_that_names_its_place(error, named):
    place, by = error

    def compiled(points):
        found = np.array([plain(x) for x in points])
        found[3, place] += by
        return found

    points = verification.probes(2, np.array([[-3.0, 3.0]] * 2))
    with pytest.raises(ValueError, match=rf"f: compiled code and plain Python disagree at x = \(.*the {named} is"):
        verification.verify("unnamed", 1, "f", ("value", "gradient"), plain, compiled, points)


def test_a_function_that_raises_where_plain_python_has_a_value():
    def compiled(points):
        if (points[:, 0] > 0).any():
            raise OverflowError("an integer leaves the 64 bits")
        return np.array([plain(x) for x in points])

    points = verification.probes(2, np.array([[-3.0, 3.0]] * 2))
    with pytest.raises(ValueError, match=r"raises OverflowError: .*begin with a float"):
        verification.verify("unnamed", 1, "f", ("value", "gradient"), plain, compiled, points)


def test_points_lie_all_over_the_box_and_some_are_whole():
    box = np.array([[-4.0, 4.0], [10.0, 30.0]])
    points = verification.probes(2, box)
    assert (points >= box[:, 0]).all()
    assert (points <= box[:, 1]).all()
    assert (np.rint(points) == points).all(1).sum() == 2
    assert np.ptp(points, axis=0) == pytest.approx(np.ptp(box, axis=1), rel=0.7)


def test_it_is_done_once_for_each_kernel_and_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "cache"))
    asked = []
    monkeypatch.setattr(verification, "compare", lambda *arguments: asked.append(arguments[0]))
    problem = gd.Problem(lambda x: x[0] ** 2 + 0.125 * x[1] ** 2, dim=2, name="once")
    for _ in range(2):
        problem.value([1.0, 2.0])
    assert len(asked) == 1
    verification.VERIFIED.clear()  # as a new process begins
    problem.value([1.0, 2.0])
    assert len(asked) == 1
    (kept,) = (tmp_path / "cache").rglob("*.verified")
    kept.unlink()
    verification.VERIFIED.clear()
    problem.value([1.0, 2.0])
    assert len(asked) == 2


def test_a_kernel_that_differed_is_not_kept_as_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path / "cache"))
    small = np.int8(90)
    problem = gd.Problem(lambda x: x[0] * (small + small), constant_slope, dim=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="disagree"):
            problem.value([1.0])
        with pytest.raises(ValueError, match="disagree"):
            gd.minimize(problem, [1.0], gd.Adam())
    assert not list((tmp_path / "cache").rglob("*.verified"))


def constant_slope(x, out):
    out[0] = 1.0


def test_many_samples_are_compared_by_the_first_few():
    t = np.linspace(0.0, 1.0, 100_000)
    mean = gd.FiniteSum(lambda x, i, t: (x[0] - t[i]) ** 2, data=(t,), dim=1)
    few = verification.shortened(mean.fun, mean.data)
    assert [len(each) for each in few] == [verification.SAMPLES]
    assert verification.shortened(lambda x, t: 0.0, mean.data) is mean.data
