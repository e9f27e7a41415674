"""What tables say: kinds that differences see too coarsely, ends at kinks and at infinity, zero hits, lost starts."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastgd as gd
from fastgd.basins.intervals import wilson
from fastgd.landscape.classification import classify_ends
from fastgd.texts import position_text


def ackley3(x):
    cone = -200 * math.exp(-0.2 * math.sqrt(x[0] ** 2 + x[1] ** 2))
    return cone + 5 * math.exp(math.cos(3 * x[0]) + math.sin(3 * x[1]))


def far_valley(x):
    return x[0] ** 2 + 1e-8 * x[1] ** 2


def folded(x):
    """A minimum at (1e-4, 0) beside a fold, so that nothing can be derived."""
    d = x[0] - 1e-4
    return d * d + x[1] * x[1] if x[0] > 0 else 1e-8 - 2e-4 * x[0] + x[1] * x[1]


def folded_slope(x, out):
    out[0] = 2 * (x[0] - 1e-4) if x[0] > 0 else -2e-4
    out[1] = 2 * x[1]


def narrow(x):
    return 1.0 - math.exp(-1e6 * (x[0] ** 2 + 2 * x[1] ** 2))


KINDS = [
    (ackley3, 32.0, (0.0, -0.0067734), "minimum", (114.26, 5777.55)),
    (far_valley, 1.0, (0.0, 0.0), "minimum", (2e-8, 2.0)),
    (narrow, 10.0, (0.0, 0.0), "minimum", (2e6, 4e6)),
    (lambda x: math.cos(200 * x[0]) + math.cos(200 * x[1]), 10.0, (math.pi / 200, 0.0), "saddle", (-4e4, 4e4)),
]


@pytest.mark.parametrize(("fun", "side", "point", "kind", "eigenvalues"), KINDS)
def test_kinds_of_ends_and_of_classify_are_one(fun, side, point, kind, eigenvalues):
    problem = gd.Problem(fun, dim=2, bounds=(-side, side))
    for found in (gd.classify(problem, [point]), classify_ends(problem, np.array([point]), None)):
        assert found.kind.tolist() == [kind]
        np.testing.assert_allclose(found.eigenvalues[0], eigenvalues, rtol=1e-3)


@pytest.mark.parametrize(("fun", "side", "point"), [(ackley3, 32.0, (0.0, -0.0067734)), (narrow, 10.0, (0.0, 0.0))])
def test_differences_are_halved_until_they_agree(fun, side, point):
    problem = gd.Problem(fun, dim=2, bounds=(-side, side))
    found = gd.classify(problem, [point], method="differences")
    assert found.kind.tolist() == ["minimum"]
    np.testing.assert_allclose(found.eigenvalues, gd.classify(problem, [point]).eigenvalues, rtol=1e-4)


def test_a_minimum_beside_a_fold_is_one_by_small_steps():
    problem = gd.Problem(folded, folded_slope, dim=2, bounds=(-1000, 1000))
    assert gd.classify(problem, [[1e-4, 0.0]]).kind.tolist() == ["minimum"]


def test_what_no_step_decides_is_undecided():
    def rough(x, out):  # a slope whose changes grow without end as steps become small
        out[0] = x[0] + 1e-3 * math.sin(1e14 * x[0])

    problem = gd.Problem(lambda x: 0.5 * x[0] ** 2 - 1e-17 * math.cos(1e14 * x[0]), rough, dim=1, bounds=(-1, 1))
    assert gd.classify(problem, [[0.0]], method="differences").kind.tolist() == ["undecided"]


KINKS = {
    "abs": (lambda x: abs(x[0]) + 2 * abs(x[1]), (0.0, 0.0)),
    "norm": (lambda x: math.sqrt((x[0] - 0.25) ** 2 + (x[1] + 0.5) ** 2), (0.25, -0.5)),
    "mixed": (lambda x: abs(x[0] - 0.5) + 10 * x[1] ** 2, (0.5, 0.0)),
    "steep": (lambda x: 10 * (abs(x[0]) + math.exp(x[1]) - x[1]), (0.0, 0.0)),
}


@pytest.mark.parametrize("name", sorted(KINKS))
def test_ends_beside_a_kink_have_a_row(name):
    fun, place = KINKS[name]
    problem = gd.Problem(fun, dim=2, bounds=(-1, 1))
    runs = gd.minimize(problem, problem.sample(40, seed=0), gd.GradientDescent(lr=1e-4), max_steps=20_000)
    found = gd.find_basins(runs)
    assert (found.labels < 0).all()  # a label is that of a minimum that was come to
    others = found.unlabelled
    assert others.kind.tolist() == ["kink"]
    assert others.counts.tolist() == [40]
    np.testing.assert_allclose(others.x, [place], rtol=0, atol=2e-3)
    assert others.fractions.tolist() == [1.0]
    text = str(found)
    assert "-  kink" in text
    assert "not settled" not in text
    assert found.to_dict()["unlabelled"]["counts"] == [40]


def test_a_start_at_the_kink_of_a_norm_is_at_its_minimum():
    problem = gd.Problem(KINKS["norm"][0], dim=2, bounds=(-1, 1))
    runs = gd.minimize(problem, [[0.25, -0.5]] * 3, gd.GradientDescent(lr=1e-3), max_steps=100)
    found = gd.find_basins(runs)
    assert found.unlabelled.kind.tolist() == ["kink"]
    assert "diverged" not in str(found)
    assert gd.classify(problem, [0.25, -0.5]).kind == "kink"


def test_line_searches_at_kinks_do_not_hear_of_rates():
    problem = gd.Problem(KINKS["abs"][0], dim=2, bounds=(-1, 1))
    text = str(gd.find_basins(gd.minimize(problem, problem.sample(50, seed=0), gd.LBFGS(), max_steps=500)))
    assert "-  kink" in text
    assert "another lr" not in text


NO_KINKS = [lambda x: x[0] ** 2 + x[1] ** 4, lambda x: abs(x[0]) + x[1], lambda x: math.cosh(x[0] - x[1])]


@pytest.mark.parametrize("fun", NO_KINKS)
def test_what_is_smooth_or_falls_on_is_no_kink(fun):
    problem = gd.Problem(fun, dim=2, bounds=(-1, 1))
    runs = gd.minimize(problem, problem.sample(20, seed=0), gd.GradientDescent(lr=1e-3), max_steps=300, gtol=1e-12)
    assert "kink" not in gd.find_basins(runs).unlabelled.kind
    assert "kink" not in gd.classify(problem, runs.x).kind


FALLING = {
    "saddle": lambda x: x[0] ** 2 - x[1] ** 2,
    "plane": lambda x: x[0] ** 2 - 3.0 * x[1],
    "cubic": lambda x: x[0] ** 3 + x[1] ** 2,
}


@pytest.mark.parametrize("name", sorted(FALLING))
def test_runs_to_infinity_have_a_row(name):
    problem = gd.Problem(FALLING[name], dim=2, bounds=(-1, 1))
    starts = -np.abs(problem.sample(30, seed=0))
    found = gd.find_basins(gd.minimize(problem, starts, gd.GradientDescent(lr=0.2), max_steps=200))
    assert found.unlabelled.kind.tolist() == ["to infinity"]
    assert found.unlabelled.counts.sum() == 30
    assert "to infinity" in str(found)
    assert "clip_norm" not in str(found)


def test_a_rate_that_is_too_large_is_no_way_to_infinity():
    problem = gd.problems.himmelblau()
    found = gd.find_basins(gd.minimize(problem, problem.sample(30, seed=0), gd.GradientDescent(lr=0.2)))
    assert len(found.unlabelled) == 0
    assert "a lower lr" in str(found)


@pytest.mark.parametrize(
    ("points", "scale", "texts"),
    [
        ([[2e6, 1e-3]], [4e5, 4e-4], ["(2000000, 0.0010000)"]),
        ([[9e-25, -1e-20]], [1.0, 1.0], ["(0.0000, 0.0000)"]),
        ([[9e-25, 3.0], [1e-12, 4.0]], [1.0, 1.0], ["(0.0000, 3.0000)", "(0.0000, 4.0000)"]),
        ([[3e-10, 2e-10], [-3e-10, 1e-22]], [1e-10, 1e-10], ["(3e-10, 2e-10)", "(-3e-10, 0)"]),
        ([[1.00000021, 0.0], [1.00000012, 0.0]], [1e-3, 1.0], ["(1.0000002, 0.0000000)", "(1.0000001, 0.0000000)"]),
        ([[1e9, 5.0], [1e9, 7.0]], [1e8, 1.0], ["(1e+09, 5.0000)", "(1e+09, 7.0000)"]),
    ],
)
def test_positions_have_the_digits_that_tell_rows_apart(points, scale, texts):
    array = np.array(points)
    assert [position_text(array, k, scale=np.array(scale)) for k in range(len(array))] == texts


def test_values_that_are_rounding_read_as_zero():
    problem = gd.problems.himmelblau()
    text = str(gd.find_basins(gd.minimize(problem, problem.sample(100, seed=0), gd.LBFGS(), gtol=1e-9)))
    assert all(line.split()[2] == "0" for line in text.splitlines()[2:])


@pytest.mark.parametrize("starts", [10, 2000, 10**6])
def test_no_hit_is_a_bound_and_no_share(starts):
    with pytest.warns(RuntimeWarning, match="at least"):
        needed = gd.measures.starts_needed(0, starts=starts)
    assert needed == gd.measures.starts_needed(wilson(0, starts)[1])
    assert 0.5 * starts < needed <= starts  # a bound from below, and finite
    assert gd.measures.starts_needed(0.25, starts=starts) == gd.measures.starts_needed(0.25)


def test_no_hit_of_an_unknown_number_of_starts_says_so():
    with pytest.warns(RuntimeWarning, match="give starts=N"):
        assert gd.measures.starts_needed(0) == math.inf
    with pytest.raises(ValueError, match="starts must be at least 1"):
        gd.measures.starts_needed(0.0, starts=0)


def test_the_lowest_value_seen_is_not_called_global():
    bowl = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + 0.1 * x[0], dim=1, bounds=(-2, 2))
    known = gd.Problem(bowl.fun, dim=1, bounds=(-2, 2), minima=[[-1.0122]])
    one, other = (
        str(gd.compare(p, p.sample(20, seed=0), [gd.GradientDescent(lr=0.01)], reference=None)) for p in (bowl, known)
    )
    assert "lowest: to the lowest value found" in one
    assert "global" not in one
    assert "global: to f" in other


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (gd.Problem(lambda x: math.exp(-x[0]), dim=1, bounds=(-1, 1)), "left the box"),
        (gd.Problem(lambda x: x[0] + 0.1 * math.sin(x[0]), dim=1, bounds=(-1, 1)), "start"),
        (gd.Problem(lambda x: math.log(x[0]), dim=1, bounds=(-2, -1)), "not finite"),
    ],
)
def test_starts_that_lead_to_no_critical_point_are_told_with_reasons(problem, why):
    found = gd.find_critical_points(problem, 16)
    assert len(found) == 0
    assert sum(found.lost.values()) == 16
    last = str(found).splitlines()[1:]
    assert any(line.startswith("16 starts") and why in line for line in last)
    assert "x0=" in last[0]


@pytest.mark.slow
def test_lennard_jones_says_where_its_starts_went_and_what_helps():
    problem = gd.problems.lennard_jones(7)
    found = gd.find_critical_points(problem, 200, zero_modes=6)
    assert sum(found.lost.values()) == 200
    assert "200 starts left the box" in str(found)
    ends = gd.minimize(problem, problem.sample(200, seed=0), gd.LBFGS()).x
    lowest = gd.find_critical_points(
        problem, x0=ends, zero_modes=6, coordinates=lambda x: problem.value(x)[:, None]
    ).fun.min()
    assert lowest == pytest.approx(-16.505384, abs=1e-6)  # Wales and Doye 1997
