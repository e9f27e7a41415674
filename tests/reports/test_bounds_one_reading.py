"""Bounds are read in one way, wherever they are taken, and nothing promises that a descent keeps them."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds

import fastgd as gd


def off(x):
    return (x[0] - 3.0) ** 2 + (x[1] + 1.0) ** 2


def norm(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


BOX = gd.Problem(off, dim=2, bounds=(0, 2))
START = [[1.0, 1.0], [0.5, 1.5]]
array = np.array


@pytest.mark.parametrize(
    ("bounds", "dim", "words"),
    [
        (([0, 0.5], [1, 2]), 2, ["lows and highs write [(0.0, 1.0), (0.5, 2.0)]", "for rows [(0.0, 0.5), (1.0, 2.0)]"]),
        ((array([0, 0.5]), array([1, 2])), 2, ["lows and highs write [(0.0, 1.0), (0.5, 2.0)]", "for rows"]),
        ([array([0, 0.5]), array([1, 2])], 2, ["scipy.optimize.Bounds(lows, highs)", "for rows"]),
        (([-6, -6], [6, 6]), 2, ["[(-6, 6), (-6, 6)]"]),
        ((0, [1, 2]), 2, ["[(0, 1), (0, 2)] or scipy.optimize.Bounds"]),
        (([0, 0.5, 1], [1, 2, 3]), 3, ["write [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)]", "3 rows (low, high)"]),
        (array([[0, 0.5, 1], [1, 2, 3]]), 3, ["not a pair (lows, highs)"]),
        ((array([0, 0.5, 1]), 3), 3, ["[(0.0, 3.0), (0.5, 3.0), (1.0, 3.0)]"]),
        (([0], [1]), 1, ["one row (low, high)", "write [(0, 1)]"]),
        (array([[0], [1]]), 1, ["write [(0, 1)]"]),
        ((np.zeros(9), np.ones(9)), 9, ["write list(zip(lows, highs)) or scipy.optimize.Bounds(lows, highs)"]),
        ((0, None), 2, ["bounds must be finite, and a side is None"]),
        (Bounds(0, np.inf), 2, ["bounds must be finite; parameter 0 has (0, inf)"]),
        (Bounds([0, 0, 0], 1), 2, ["bounds.lb and bounds.ub", "shape (2,)", "(3,)"]),
        (Bounds(0, 1, keep_feasible=True), 2, ["keep_feasible=True, and descents may leave the box"]),
        (Bounds(1, 0), 2, ["low < high; parameter 0 has (1, 0)"]),
    ],
)  # fmt: skip
def test_lows_and_highs_are_refused_with_the_words_to_write(bounds: Any, dim: int, words: list[str]) -> None:
    with pytest.raises(ValueError, match="bounds") as caught:
        gd.Problem(norm, dim=dim, bounds=bounds)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("bounds", [([-1, -1], [1, 2]), (array([-1, -1]), array([1, 2]))])
def test_the_rule_holds_wherever_bounds_are_taken(bounds: Any) -> None:
    problem = gd.problems.himmelblau()
    for call in (
        lambda: problem.grid(3, bounds=bounds),
        lambda: gd.map_basins(problem, gd.Adam(lr=0.1), 8, bounds=bounds),
        lambda: gd.plot.contour(problem, bounds=bounds, shape=5),
        lambda: gd.plot.surface(problem, bounds=bounds, shape=5),
        lambda: gd.plot.learning_rates(problem, [0.0, 0.0], gd.GradientDescent(lr=1), [0.1, 0.2], bounds=bounds),
        lambda: gd.FiniteSum(lambda x, i, t: (x[0] - t[i]) ** 2 + x[1] ** 2, data=(np.ones(3),), dim=2, bounds=bounds),
    ):
        with pytest.raises(ValueError, match=r"not a pair \(lows, highs\)"):
            call()


def test_rows_and_scipys_bounds_are_the_same_box() -> None:
    for rows in ([(-1, 2), (0, 4)], ((-1, 2), (0, 4)), [[-1, 2], [0, 4]], array([[-1, 2], [0, 4]])):
        assert gd.Problem(off, dim=2, bounds=rows).bounds.tolist() == [[-1, 2], [0, 4]]
        assert BOX.grid(2, bounds=rows).tolist() == [[[-1, 0], [-1, 4]], [[2, 0], [2, 4]]]
    for sides in (Bounds([-1, 0], [2, 4]), Bounds(array([-1, 0]), array([2.0, 4.0]))):
        assert gd.Problem(off, dim=2, bounds=sides).bounds.tolist() == [[-1, 2], [0, 4]]
        assert BOX.grid(2, bounds=sides).tolist() == [[[-1, 0], [-1, 4]], [[2, 0], [2, 4]]]


def test_bounds_are_told_without_the_import_of_scipys_optimizers() -> None:
    code = (
        "import sys, fastgd as gd; gd.Problem(lambda x: x[0] ** 2, dim=1, bounds=[(0, 1)]); "
        "raise SystemExit('scipy.optimize' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("method", ["L-BFGS-B", "TNC", "SLSQP", "trust-constr"])
def test_methods_that_take_bounds_in_scipy_say_that_they_run_without(method: str) -> None:
    optimizer = gd.SciPy(method)
    assert optimizer.label == f"SciPy {method} without bounds"
    assert repr(optimizer).endswith("without bounds")
    with pytest.warns(UserWarning, match=f"2 runs of 2 by SciPy {method} without bounds came to rest outside the box"):
        runs = gd.minimize(BOX, START, optimizer)
    np.testing.assert_allclose(runs.x, [[3, -1], [3, -1]], atol=1e-4)


def test_no_warning_where_nobody_could_think_of_bounds() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gd.minimize(BOX, START, gd.SciPy("BFGS"))  # knows no bounds in SciPy either
        gd.minimize(gd.Problem(off, dim=2), START, gd.SciPy("L-BFGS-B"))  # no box
        gd.minimize(gd.Problem(off, dim=2, bounds=(-4, 4)), START, gd.SciPy("L-BFGS-B"))  # inside
    assert repr(gd.SciPyCG()) == "SciPyCG(method='CG', options=None)"


def test_a_comparison_says_it_too() -> None:
    with pytest.warns(UserWarning, match="came to rest outside the box"):
        found = gd.compare(BOX, START, [gd.SciPy("L-BFGS-B"), gd.SciPyCG()], reference=None)
    assert "SciPy L-BFGS-B without bounds" in str(found)


L_BFGS_B = gd.SciPy("L-BFGS-B")


@pytest.mark.parametrize(
    "call",
    [
        lambda: gd.minimize(BOX, START, L_BFGS_B, bounds=(0, 2)),
        lambda: gd.minimize(BOX, START, gd.Adam(lr=0.1), bounds=[(0, 2), (0, 2)]),
        lambda: gd.minimize(BOX, START, L_BFGS_B, constraints=()),
        lambda: gd.minimize(BOX, START, L_BFGS_B, lb=0.0),
        lambda: gd.minimize(BOX, START, gd.Adam(lr=0.1), bound=(0, 2)),
        lambda: gd.compare(BOX, START, [L_BFGS_B], bounds=(0, 2)),
        lambda: gd.sweep_basins(BOX, gd.Adam(lr=0.1), {"lr": [0.1, 0.2]}, bounds=(0, 2)),
        lambda: gd.SciPy("L-BFGS-B", bounds=(0, 2)),
        lambda: gd.SciPyCG(bounds=(0, 2)),
        lambda: gd.SciPy("L-BFGS-B", options={"bounds": [(0, 2), (0, 2)]}),
        lambda: gd.SciPy("SLSQP", options={"constraints": ()}),
        lambda: gd.SciPy("trust-constr", options={"keep_feasible": True}),
        lambda: gd.Adam(lr=0.1, bounds=(0, 2)),
        lambda: gd.LBFGS(lower=0.0),
        lambda: gd.GradientFlow(bounds=(0, 2)),
        lambda: gd.optimizers.make("scipy", method="TNC", bounds=(0, 2)),
        lambda: gd.Problem(off, dim=2, constraints=()),
    ],
)
def test_whoever_asks_for_bounds_hears_that_none_are_kept(call: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="no descent is held within bounds or by constr") as caught:
        call()
    for way in ("penalty", "substitute the variables", "scipy.optimize.minimize itself"):
        assert way in str(caught.value)
