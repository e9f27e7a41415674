"""With ``NUMBA_DISABLE_JIT=1`` everything runs in plain Python, to the results of compiled code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from cases import folded

import fastgd as gd

SCRIPT = """
import itertools, json, sys
import numpy as np
import fastgd as gd
from cases import folded, folded_gradient, folded_value

calls = itertools.count(), itertools.count()  # a list of numbers would be constants, which may not change

def value(x):
    next(calls[0])
    return folded_value(x)

def gradient(x, out):
    next(calls[1])
    folded_gradient(x, out)

def told(runs):
    return {name: getattr(runs, name).tolist() for name in ("x", "nit", "status")}

start = [[1.0, 1.0], [-3.0, 2.0]]
problem = folded()
found = {
    "seeds": gd.seeds(5, (3,)).tolist(),
    "scipy": told(gd.minimize(problem, start, gd.SciPyCG())),
    "flow": told(gd.minimize(problem, start, gd.GradientFlow(), max_steps=40)),
    "value": problem.value(start).tolist(),
}
counting = gd.Problem(value, gradient, dim=2)
for name, options in {"plain": {}, "ftol": {"ftol": 1e-9, "patience": 50}}.items():
    before = [next(each) for each in calls]
    runs = gd.minimize(counting, [1.0, 1.0], gd.ConjugateGradient(), threads=1, **options)
    made = [next(each) - b - 1 for each, b in zip(calls, before)]
    found[name] = {"calls": made, "nfev": int(runs.nfev), "nit": int(runs.nit)}
json.dump(found, sys.stdout)
"""
START = [[1.0, 1.0], [-3.0, 2.0]]


@pytest.fixture(scope="module")
def interpreted() -> dict[str, Any]:
    """What the script finds in a process of its own."""
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.pathsep.join([here, os.path.dirname(here), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_seeds_are_the_same(interpreted: dict[str, Any]) -> None:
    assert interpreted["seeds"] == gd.seeds(5, (3,)).tolist()


def test_values_are_the_same(interpreted: dict[str, Any]) -> None:
    np.testing.assert_allclose(interpreted["value"], folded().value(START), rtol=1e-14)


@pytest.mark.filterwarnings("ignore:folded")
@pytest.mark.parametrize("name", ["scipy", "flow"])
def test_the_baselines_run_and_end_at_the_same_points(name: str, interpreted: dict[str, Any]) -> None:
    optimizer, limit = (gd.SciPyCG(), 10_000) if name == "scipy" else (gd.GradientFlow(), 40)
    runs = gd.minimize(folded(), START, optimizer, max_steps=limit)
    assert interpreted[name]["status"] == runs.status.tolist()
    np.testing.assert_allclose(interpreted[name]["x"], runs.x, atol=1e-7)
    np.testing.assert_allclose(interpreted[name]["nit"], runs.nit, atol=1)


@pytest.mark.parametrize("name", ["plain", "ftol"])
def test_a_line_search_counts_every_value_that_it_computes(name: str, interpreted: dict[str, Any]) -> None:
    """`nfev` is the number of calls of `fun`, but for that of the result at the end point."""
    counted = interpreted[name]
    assert counted["nit"] > 5
    assert counted["calls"] == [counted["nfev"] + 1, counted["nfev"] + 1]
