"""What results print: tables whose numbers are those of the arrays."""

from __future__ import annotations

import numpy as np
import pytest
from cases import form

import fastgd as gd
from fastgd.texts import position_text

HIMMELBLAU = gd.problems.himmelblau()


def cells(text: str) -> list[list[str]]:
    """The lines of a table after its title, split where two blanks or more stand."""
    return [[cell for cell in line.split("  ") if cell.strip()] for line in text.splitlines()[1:]]


def columns_line_up(lines: list[str]) -> bool:
    """Whether all lines of numbers end in the same column, that of the head."""
    return len({len(line) for line in lines}) == 1


def test_a_classification_prints_kinds_curvatures_and_rates():
    found = gd.find_critical_points(HIMMELBLAU, 300)
    shape = gd.classify(HIMMELBLAU, found.x)
    head, *rows = cells(str(shape))
    assert str(shape).splitlines()[0] == "Classification of 9 points: 1 maximum, 4 minima, 4 saddles"
    assert [cell.strip() for cell in head] == [
        "kind", "position", "gradient", "lowest eigenvalue", "highest", "largest lr",
    ]  # fmt: skip
    assert len(rows) == 9
    for k, row in enumerate(rows):
        number, kind, position, gradient, lowest, highest, rate = (cell.strip() for cell in row)
        assert int(number) == k
        assert kind == (f"saddle {shape.index[k]}" if shape.kind[k] == "saddle" else shape.kind[k])
        np.testing.assert_allclose([float(v) for v in position.strip("()").split(",")], found.x[k], atol=1e-4)
        assert float(gradient) <= 1e-8
        np.testing.assert_allclose([float(lowest), float(highest)], shape.eigenvalues[k], rtol=1e-3)
        assert float(rate) == pytest.approx(shape.max_lr[k], rel=1e-3)
    assert columns_line_up(str(shape).splitlines()[1:])
    assert shape.summary(limit=2).splitlines()[-1] == "and 7 more"


def test_points_of_any_shape_and_none_at_all_print():
    grid = HIMMELBLAU.grid(3)
    shape = gd.classify(HIMMELBLAU, grid)
    assert shape.kind.shape == (3, 3)
    assert len(str(shape).splitlines()) == 2 + 9
    assert str(gd.classify(HIMMELBLAU, np.zeros((0, 2)))) == "Classification of 0 points: none"
    kink = gd.Problem(lambda x: abs(x[0]) ** 0.5, lambda x, out: out.__setitem__(0, np.nan), dim=1)
    assert "undefined" in str(gd.classify(kink, [[0.0], [np.inf]]))


def test_a_sweep_prints_a_line_for_each_value():
    lr = np.array([0.005, 0.01, 0.02, 10.0])
    sweep = gd.sweep_basins(HIMMELBLAU, gd.GradientDescent(lr=0.01), {"lr": lr}, n_starts=200)
    lines = str(sweep).splitlines()
    assert lines[0].startswith("BasinSweep of himmelblau: 4 values of lr, 200 starts, ")
    assert columns_line_up(lines[1 : 2 + len(lr)])
    head = [cell.strip() for cell in cells(str(sweep))[0]]
    assert head[0] == "lr"
    assert head[1] == "to 0"
    assert f"0: {position_text(sweep.basins.x, 0)}" in lines
    assert head[-2:] == ["diverged", "entropy"]
    for k, row in enumerate(cells(str(sweep))[1 : 1 + len(lr)]):
        assert float(row[0]) == lr[k]
        shown = min(6, len(sweep.basins))
        np.testing.assert_allclose(
            [float(cell.strip(" %")) / 100 for cell in row[1 : 1 + shown]], sweep.fractions[k, :shown], atol=1e-4
        )
        assert float(row[-2].strip(" %")) / 100 == pytest.approx(sweep.diverged[k], abs=1e-4)
        assert float(row[-1]) == pytest.approx(sweep.entropy[k], abs=1e-3)


def test_a_sweep_over_two_and_many_values_is_thinned_out_from_end_to_end():
    over = {"lr": np.geomspace(0.001, 0.1, 30), "beta1": [0.5, 0.9]}
    sweep = gd.sweep_basins(HIMMELBLAU, gd.Adam(), over, n_starts=20, max_steps=50)
    lines = sweep.summary(limit=5).splitlines()
    rows = cells(sweep.summary(limit=5))[1:6]
    assert [(float(r[0]), float(r[1])) for r in (rows[0], rows[-1])] == [(0.001, 0.5), (0.1, 0.9)]
    assert lines[7].startswith("55 rows left out, ")
    assert lines[7].endswith("; summary(limit=) shows more")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        sweep.summary(limit=0)
    nothing = gd.sweep_basins(HIMMELBLAU, gd.GradientDescent(lr=1.0), {"lr": [1e-9]}, n_starts=5, max_steps=2)
    assert "not settled" in str(nothing)


def test_a_long_sweep_shows_the_rows_where_something_changes():
    """On x²/2 descent holds up to a rate of 2; beyond, runs diverge."""
    lr = np.linspace(0.5, 3.0, 400)
    last, first = lr[lr < 2].max(), lr[lr > 2].min()
    sweep = gd.sweep_basins(form(1.0), gd.GradientDescent(lr=0.1), {"lr": lr}, n_starts=5, max_steps=20_000)
    table = cells(sweep.summary(limit=9))[1:10]
    shown = [float(row[0]) for row in table]
    assert len(shown) == 9
    for value in (0.5, last, first, 3.0):
        assert min(abs(np.array(shown) - value)) < 1e-5
    change = "beside a change of the attractors reached or of the most frequent outcome; summary(limit=) shows more"
    assert f"391 rows left out, none {change}" in sweep.summary(limit=9).splitlines()
    assert f"397 rows left out, 1 of them {change}" in sweep.summary(limit=3).splitlines()
    assert "left out" not in sweep.summary(limit=400)
    coarse = lr[::8]
    over = {"lr": coarse, "weight_decay": [0.0, 1e-3]}
    two = gd.sweep_basins(form(1.0), gd.GradientDescent(lr=0.1), over, n_starts=5, max_steps=20_000)
    around = np.repeat([coarse[coarse < 2].max(), coarse[coarse > 2].min()], 2)
    assert [row[0] for row in cells(two.summary(limit=6))[2:6]] == [f"{value:.6g}" for value in around]


def test_all_tables_of_points_show_positions_alike_and_count_the_rest():
    found = gd.find_critical_points(HIMMELBLAU, 300)
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(50), gd.Adam(lr=0.05))
    basins = gd.find_basins(runs)
    for table, points in ((found, found.x), (found.shape, found.x), (basins, basins.x)):
        text = table.summary(limit=1)
        assert str(table) == table.summary()
        assert f"and {len(points) - 1} more" in text
        assert position_text(points, 0) in text.splitlines()[2]
        with pytest.raises(ValueError, match="limit must be at least 1"):
            table.summary(limit=0)


def test_what_did_not_settle_comes_with_advice():
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(50), gd.GradientDescent(lr=1e-4), max_steps=3)
    assert "not settled: 100.00% (not at rest when they ended: more max_steps," in str(gd.find_basins(runs))


@pytest.mark.parametrize("draws", [{"noise": 0.1}, {"noise": [0.1, 0.2]}])
def test_after_noise_the_advice_is_to_go_on_without(draws):
    rule = gd.GradientDescent(lr=0.01)
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(2), rule, max_steps=200, **draws)
    said = str(gd.find_basins(runs))
    assert "not settled: 100.00% (batches and noise let no run come to rest: go on from its end with all " in said
    assert "samples, find_basins(minimize(problem, runs.x, optimizer))" in said
    settled = gd.find_basins(gd.minimize(HIMMELBLAU, runs.x, rule))
    assert settled.unsettled == 0.0
    assert not settled.drawn


@pytest.mark.parametrize("refine", [0, 2])
def test_a_map_with_noise_says_so_too(refine):
    noisy = gd.map_basins(HIMMELBLAU, gd.GradientDescent(lr=0.01), (8, 8), refine=refine, max_steps=20, noise=0.1)
    assert "batches and noise let no run come to rest" in str(noisy)
    assert noisy.basins.to_dict()["drawn"]


def test_a_comparison_says_what_is_a_mean():
    found = gd.compare(HIMMELBLAU, HIMMELBLAU.sample(20), [gd.Adam(lr=0.05)])
    head = str(found).splitlines()[1]
    assert head.split()[-4:] == ["values/run", "gradients/run", "steps/run", "seconds"]


def test_an_agreement_on_nothing_is_json():
    undecided = gd.basin_agreement([0, 1], [-1, -1])
    assert undecided.to_dict()["share"] is None
    assert undecided.to_dict()["interval"] is None


def test_large_arrays_of_an_optimizer_are_told_by_shape_and_range():
    rates = np.linspace(0.001, 0.1, 50)[:, None]
    assert repr(gd.GradientDescent(lr=rates)).startswith("GradientDescent(lr=array of shape (50, 1), 0.001 to 0.1, ")
    decay = gd.schedules.Exponential(rates, gamma=0.5)
    assert repr(decay) == "Exponential(lr=array of shape (50, 1), 0.001 to 0.1, gamma=0.5)"
    assert "lr=array([0.1, 0.2])" in repr(gd.Adam(lr=[0.1, 0.2]))
