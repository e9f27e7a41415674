"""Agreement with a reference, and several optimizers side by side."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import numpy as np
import pytest

import fastgd as gd
from fastgd import comparison
from fastgd.comparison import named_optimizers
from fastgd.jit import targets

HIMMELBLAU = gd.problems.himmelblau()
STARTS = HIMMELBLAU.sample(400, seed=9)
TABLE = np.random.default_rng(0).normal(size=(20, 4))
REGRESSION = gd.problems.linear_regression(TABLE[:, :3], TABLE[:, 3], bias=False)


@pytest.fixture(scope="module")
def flow() -> gd.Basins:
    return gd.find_basins(gd.minimize(HIMMELBLAU, STARTS, gd.GradientFlow()))


@pytest.fixture(scope="module")
def adam() -> gd.Basins:
    return gd.find_basins(gd.minimize(HIMMELBLAU, STARTS, gd.Adam(lr=0.05)))


# Comparison


@pytest.fixture(scope="module")
def found() -> gd.Comparison:
    contestants = {"adam": gd.Adam(lr=0.05), "wild": gd.GradientDescent(lr=0.02), "cg": gd.SciPyCG()}
    return gd.compare(HIMMELBLAU, STARTS, contestants)


def test_the_numbers_are_those_of_the_parts(found: gd.Comparison, flow: gd.Basins, adam: gd.Basins) -> None:
    own = gd.basin_agreement(adam, flow)
    row = found["adam"].row()
    assert row["elsewhere"] == own.share
    assert row["elsewhere_interval"] == tuple(own.interval.tolist())
    assert row["global"] == np.mean(adam.labels >= 0)  # all four minima have the lowest value
    runs = gd.minimize(HIMMELBLAU, STARTS, gd.Adam(lr=0.05))
    assert row["steps"] == pytest.approx(runs.nit.mean())
    assert (row["values"], row["gradients"]) == (0.0, pytest.approx(runs.nit.mean() + 1))
    cg = gd.minimize(HIMMELBLAU, STARTS, gd.SciPyCG())
    assert cg.nfev is not None
    assert cg.njev is not None
    assert found["cg"].row()["values"] == pytest.approx(cg.nfev.mean())
    assert found["cg"].row()["gradients"] == pytest.approx(cg.njev.mean())
    assert found.reference is not None
    assert found.reference.row()["elsewhere"] == 0.0
    assert all(row["seconds"] > 0 for row in found.rows())
    # at this rate gradient descent leaves two of the minima, whose curvature is above 2 / lr
    assert found["wild"].row()["global"] < 1
    assert found["wild"].row()["settled"] < 1


def test_only_the_lowest_minimum_counts_as_global() -> None:
    problem = gd.problems.styblinski_tang(dim=2)
    starts = problem.sample(1000, seed=2)
    result = gd.compare(problem, starts, [gd.GradientDescent(lr=0.01)])
    assert result[0].row()["global"] == np.mean(np.all(starts < 0.15673125678034, axis=1))
    assert result[0].name == "GradientDescent"
    unknown = gd.Problem(problem.fun, problem.grad, dim=2, bounds=(-5, 5), name="unknown")
    again = gd.compare(unknown, starts, [gd.GradientDescent(lr=0.01)])
    assert again.global_value == pytest.approx(2 * -39.1661657037714)
    assert again[0].row()["global"] == result[0].row()["global"]


def test_the_table(found: gd.Comparison) -> None:
    lines = str(found).splitlines()
    assert lines[0] == "himmelblau from 400 starts; global: to f = 0; elsewhere: than GradientFlow"
    assert [line.split()[0] for line in lines[1:]] == ["optimizer", "adam", "wild", "cg", "GradientFlow"]
    assert f"{found['adam'].row()['elsewhere']:.2%}" in lines[2]
    plain = json.loads(json.dumps(found.to_dict()))
    assert [row["optimizer"] for row in plain["rows"]] == ["adam", "wild", "cg", "GradientFlow"]
    assert plain["rows"][0]["global_interval"] == list(found["adam"].row()["global_interval"])
    with pytest.raises(KeyError, match="'adm' is not among adam, wild, cg"):
        found["adm"]


def test_without_a_reference() -> None:
    result = gd.compare(HIMMELBLAU, STARTS[:50], [gd.Adam(lr=0.05), gd.Adam(lr=0.1)], reference=None)
    assert [each.name for each in result.all] == ["Adam 1", "Adam 2"]
    assert "elsewhere" not in str(result)
    assert result[0].row()["elsewhere"] is None
    assert result.to_dict()["reference"] is None


def test_the_performance_profile_by_hand(found: gd.Comparison) -> None:
    """Three starts and two optimizers: 10 against 20, 40 against 10, and one that only the second solves."""
    two = dataclasses.replace(found, contestants=found.contestants[:2])
    costs = np.array([[10.0, 40.0, np.inf], [20.0, 10.0, 30.0]])
    nit = (costs - 1, costs - 1)
    contestants = []
    for k, each in enumerate(two.contestants):
        solved = np.isfinite(costs[k])
        steps = np.where(solved, nit[k][k], 0).astype(int)
        result = dataclasses.replace(each.result, nit=steps, status=np.zeros(3, np.int8))
        contestants.append(dataclasses.replace(each, result=result, found=solved))
    made = dataclasses.replace(two, contestants=tuple(contestants))
    np.testing.assert_array_equal(made.costs(), costs)
    expected = [[1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3], [2 / 3, 2 / 3, 1, 1, 1]]
    np.testing.assert_allclose(made.profile([1.0, 1.99, 2.0, 4.0, 1e9]), expected)


def test_a_profile_rises_to_the_share_that_is_solved(found: gd.Comparison) -> None:
    shares = found.profile(np.geomspace(1, 1e9, 50))
    assert np.all(np.diff(shares, axis=1) >= 0)
    np.testing.assert_allclose(shares[:, -1], [each.found.mean() for each in found.contestants])
    assert shares[:, 0].sum() >= 1  # somebody is best at every start


def test_a_frame_needs_pandas(found: gd.Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        found.to_frame()


def test_a_frame(found: gd.Comparison) -> None:
    pytest.importorskip("pandas")
    frame = found.to_frame()
    assert list(frame.index) == ["adam", "wild", "cg", "GradientFlow"]
    assert list(frame.columns[:3]) == ["global", "global_low", "global_high"]
    assert frame.loc["adam", "elsewhere"] == found["adam"].row()["elsewhere"]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"optimizers": []}, ValueError, ["optimizers is empty"]),
        ({"optimizers": gd.Adam()}, TypeError, ["a list of optimizers or a mapping"]),
        ({"optimizers": [3]}, TypeError, ["must be an optimizer", "3"]),
        ({"optimizers": [gd.Adam]}, TypeError, ["must be an optimizer"]),
        ({"optimizers": {"reference": gd.Adam()}}, ValueError, ["other than 'reference'"]),
        ({"optimizers": [gd.Adam(lr=[0.1, 0.2])]}, ValueError, ["Adam: lr must be one number", "(2,)"]),
        ({"reference": "flow"}, TypeError, ["reference must be an optimizer", "'flow'"]),
        ({"record": 3}, TypeError, ["record is not an option of compare"]),
        ({"xtol": 1e-3}, ValueError, ["reference: xtol=0.001 cannot be honoured by GradientFlow", "reference=None"]),
        ({"batch_size": 5, "problem": REGRESSION, "x0": np.zeros((2, 3))}, ValueError,
         ["reference: GradientFlow cannot honour batch_size", "or give reference=None, to compare without one"]),
        ({"maxiter": 5}, TypeError, ["compare has no argument 'maxiter'", "max_steps"]),
        ({"x0": [1.0, 2.0, 3.0]}, ValueError, ["x0 must have shape"]),
    ],
)
def test_mistakes(change: dict[str, Any], kind: type[Exception], words: list[str]) -> None:
    given = {"problem": HIMMELBLAU, "x0": [[1.0, 2.0]], "optimizers": [gd.Adam(lr=0.05)], **change}
    with pytest.raises(kind, match=r".") as caught:
        gd.compare(**given)
    for word in words:
        assert word in str(caught.value)
    if "max_steps" not in words and "reference=None" not in str(caught.value):
        assert "reference:" not in str(caught.value)


def test_mini_batches_without_a_reference_and_many_seeds() -> None:
    """The shares are over the runs, of which there is one for each seed and start."""
    starts = np.zeros((4, 3))
    options = {"batch_size": 5, "max_steps": 20, "gtol": None, "seed": np.arange(3)[:, None]}
    found = gd.compare(REGRESSION, starts, [gd.GradientDescent(lr=0.1)], reference=None, **options)
    assert found.runs == found[0].found.size == 12
    lines = str(found).splitlines()
    assert lines[0] == f"{REGRESSION.name}: 12 runs from 4 starts; global: to f = {found.global_value:.6g}"
    assert (found.to_dict()["runs"], found.to_dict()["starts"]) == (12, 4)
    grid = HIMMELBLAU.grid((3, 3))
    many = gd.compare(HIMMELBLAU, grid, [gd.Adam(lr=0.05)], noise=0.1, max_steps=5, seed=np.zeros((2, 1, 1), int),
                      reference=None)  # fmt: skip
    assert len(gd.plot.compare(many)[1]) == 1  # two runs a start are no map


def test_names() -> None:
    named = named_optimizers([gd.SciPy("BFGS"), gd.SciPyCG(), gd.Adam(), gd.SciPyCG()])
    assert list(named) == ["SciPy BFGS", "SciPy CG 1", "Adam", "SciPy CG 2"]


# The picture


def test_maps_side_by_side_and_the_profile(tmp_path: Any) -> None:
    grid = HIMMELBLAU.grid((12, 10))
    result = gd.compare(HIMMELBLAU, grid, [gd.Adam(lr=0.05), gd.SciPyCG()])
    figure, axes = gd.plot.compare(result, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert len(axes) == 4
    titles = [ax.get_title() for ax in axes[:3]]
    assert titles[0].startswith("GradientFlow")
    assert titles[1] == f"Adam\n{result['Adam'].agreement.share:.2%} elsewhere"
    pictures = [np.asarray(ax.images[0].get_array()) for ax in axes[:3]]
    assert pictures[0].shape == (10, 12, 3)
    assert result.reference is not None
    named = [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()]
    points = result.reference.basins.x
    assert named[:4] == [f"({a:.2f}, {b:.2f})" for a, b in points]
    assert result["Adam"].agreement is not None
    differing = np.any(pictures[0] != pictures[1], axis=-1).T  # the same colour for the same minimum
    np.testing.assert_array_equal(differing, result["Adam"].agreement.elsewhere)
    assert figure.get_suptitle() == "himmelblau from 120 starts"
    profile = axes[-1]
    assert [line.get_label() for line in profile.lines] == ["Adam", "SciPy CG"]
    x, y = profile.lines[1].get_data()
    np.testing.assert_allclose(y, result.profile(x)[1])
    assert figure.axes


def test_without_a_grid_there_is_only_the_profile(found: gd.Comparison) -> None:
    _, axes = gd.plot.compare(found, max_factor=8)
    assert len(axes) == 1
    assert axes[0].get_xlim() == (1.0, 8.0)
    many = gd.compare(HIMMELBLAU, HIMMELBLAU.sample(5, seed=0), {str(k): gd.Adam(lr=0.05) for k in range(9)})
    figure, (profile,) = gd.plot.compare(many)
    assert figure.get_suptitle() == "himmelblau from 5 starts"
    dashes = [line._dash_pattern for line in profile.lines]
    assert len({str(each) for each in dashes[:7]}) == 7
    assert len({(line.get_color(), str(each)) for line, each in zip(profile.lines, dashes, strict=True)}) == 9
    with pytest.raises(ValueError, match="max_factor must be above 1"):
        gd.plot.compare(found, max_factor=1)
    with pytest.raises(TypeError, match=r"what fastgd\.compare returns"):
        gd.plot.compare(3)


def test_the_axis_of_a_profile_fits_small_shares(found: gd.Comparison) -> None:
    problem = gd.problems.rastrigin(dim=2)
    few = gd.compare(problem, problem.grid((30, 30)), [gd.GradientDescent(lr=0.001), gd.GradientDescent(lr=0.002)])
    # Four of the 900 starts lie in the basin of the global minimum, around which the 121 basins are symmetric
    assert few.profile([1e6]).max() == pytest.approx(4 / 900)
    assert gd.plot.compare(few)[1][-1].get_ylim()[1] == pytest.approx(0.0103)
    assert gd.plot.compare(found)[1][-1].get_ylim()[1] == pytest.approx(1.03)


def test_pictures_when_nobody_finds_anything() -> None:
    lost = gd.compare(HIMMELBLAU, HIMMELBLAU.grid((4, 4)), [gd.Adam(lr=1e-6)], max_steps=3)
    assert not lost[0].found.any()
    assert np.isnan(lost[0].row()["elsewhere"])
    _, axes = gd.plot.compare(lost)
    assert len(axes) == 3
    assert [ax.get_title() for ax in axes[:2]] == ["GradientFlow\n", "Adam\n"]
    assert "nan" not in str(lost)
    assert "NaN" not in json.dumps(lost.to_dict())


def test_no_nan_is_printed_where_nothing_settles() -> None:
    unknown = gd.Problem(HIMMELBLAU.fun, HIMMELBLAU.grad, dim=2, bounds=(-6, 6), name="unknown")
    start = [[1.0, 2.0]]
    lost = gd.compare(unknown, start, [gd.Adam(lr=1e-6)], gd.GradientDescent(lr=1e-6), max_steps=3)
    first, *rows = str(lost).splitlines()
    assert first == "unknown from 1 start; lowest: to the lowest value found, f = -; elsewhere: than GradientDescent"
    assert rows[1].split()[:7] == ["Adam", "0.00%", "0.00", "-", "79.35", "%", "-"]
    assert "nan" not in str(lost)
    assert json.loads(json.dumps(lost.to_dict(), allow_nan=False))["global_value"] is None
    assert str(lost[0].agreement).splitlines()[0] == "the reference brings no start to an attractor"
    assert repr(lost[0].agreement) == "<Agreement on 1 start: the reference brings no start to an attractor>"


def test_a_comparison_compiles_before_its_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = gd.datasets.iris()
    fit = gd.problems.linear_regression(X, y.astype(float))
    made: list[int] = []

    def counted(*arguments: Any, **options: Any) -> gd.Result:
        before = set(targets.KERNELS)
        result = gd.minimize(*arguments, **options)
        made.append(len(set(targets.KERNELS) - before))
        return result

    monkeypatch.setattr(comparison, "minimize", counted)
    gd.compare(
        fit, fit.sample(64, seed=0, method="normal"), [gd.GradientDescent(lr=0.01)], reference=None, batch_size=5,
        seed=np.arange(2)[:, None], max_steps=5, gtol=None,
    )  # fmt: skip
    assert made == [1, 0]


def test_one_start_is_compared_as_many_are() -> None:
    found = gd.compare(HIMMELBLAU, [0.1, 0.2], [gd.GradientDescent(lr=0.01), gd.Adam(lr=0.05)])
    assert [bool(each.found) for each in found] == [True, True]
    assert found[0].found.shape == ()
