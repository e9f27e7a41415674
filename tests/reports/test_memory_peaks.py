"""Peaks of memory, measured in processes of their own as the growth of the largest resident set over a smaller call."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource")
pytestmark = pytest.mark.slow

HEAD = """
import resource, sys
import numpy as np
import fastgd as gd

H = gd.problems.himmelblau()

def peak():  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
"""


def child(script: str) -> list[float]:
    """The numbers that a script prints last."""
    done = subprocess.run([sys.executable, "-c", HEAD + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


TRACE = """
x0 = {starts}
gd.minimize(H, x0[:64], {optimizer}, record={record}, device="cpu", **{options})
before = peak()
runs = gd.minimize(H, x0, {optimizer}, record={record}, device="cpu", **{options})
print(runs.trace.nbytes, peak() - before, runs.nit.max() // {record} + 1, runs.trace.shape[-2])
"""


@pytest.mark.parametrize(("optimizer", "starts", "record", "options"), [
    ("gd.GradientDescent(lr=0.01)", "H.sample(20_000, seed=0)", 1, {}),  # 142 of 10,000 steps
    ("gd.LBFGS()", "H.sample(20_000, seed=0)", 1, {}),
    ("gd.GradientDescent(lr=0.01)", "H.sample(20_000, seed=0)", 3, {"max_steps": 100_000}),
    ("gd.Adam(lr=0.05)", "H.sample(2_000, seed=0)", 1, {"max_steps": 2_000_000, "dtype": "float32", "gtol": 1e-3}),
    ("gd.GradientDescent(lr=np.full(2, 0.01))", "H.sample(20_000, seed=0)[:, None]", 1, {"threads": 1}),
])  # fmt: skip
def test_a_trace_takes_the_memory_of_the_points_that_runs_come_to(optimizer, starts, record, options):
    trace, grown, last, points = child(TRACE.format(optimizer=optimizer, starts=starts, record=record, options=options))
    assert points == last
    assert grown < 1.3 * trace + 24e6  # the results beside it, each thread's chunk, and pages of 2 MB


MAP = """
optimizer = gd.Momentum(lr=0.002)
gd.map_basins({problem}, optimizer, 64, device="cpu", **{options})
before = peak()
found = gd.map_basins({problem}, optimizer, {side}, device="cpu", **{options})
print((peak() - before) / {side}**2, len(found.basins))
"""


@pytest.mark.parametrize(("problem", "side", "options", "most"), [
    ("H", 2048, {}, 60),
    ("gd.problems.ackley(2)", 1500, {}, 60),  # thousands of attractors
    ("gd.problems.styblinski_tang(2)", 2048, {"dtype": "float32", "gtol": 1e-3}, 60),
    ("gd.Problem(lambda x: (x[0] * x[0] + x[1] * x[1] - 1) ** 2, dim=2, bounds=(-2, 2))", 1500, {}, 70),  # a curve
])  # fmt: skip
def test_a_map_takes_some_tens_of_bytes_a_start(problem, side, options, most):
    each, _ = child(MAP.format(problem=problem, side=side, options=options))
    assert each < most


def test_a_refined_map_takes_less_than_twice_a_whole_one():
    each, _ = child(MAP.format(problem="H", side=2048, options={"refine": 4}))
    assert each < 150


def test_a_trace_that_grows_past_the_memory_ends_in_an_error_that_names_record():
    (met,) = child("""
from fastgd.engine import plan
plan.available_memory = lambda: 40e6
try:
    gd.minimize(H, H.sample(20_000, seed=0), gd.GradientDescent(lr=0.01), record=1, device="cpu")
except ValueError as error:
    print(int("record=1 keeps the points of 20,000 runs" in str(error) and "record fewer points" in str(error)))
""")
    assert met == 1


def test_a_limit_of_the_address_space_is_known_beforehand():
    said = child("""
gd.minimize(H, H.sample(64, seed=0), gd.GradientDescent(lr=0.01), device="cpu")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, resource.RLIM_INFINITY))
starts = np.broadcast_to(np.zeros(2), (10_000_000, 2))
try:
    gd.minimize(H, starts, gd.GradientDescent(lr=0.01), device="cpu")
except ValueError as error:
    print(int("are free" in str(error)))
""") if sys.platform == "linux" else [1.0]
    assert said == [1.0]
