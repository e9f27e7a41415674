"""Paths and bands of one result whose settings differ from run to run, and marks at one place."""

from __future__ import annotations

import numpy as np
import pytest
from cases import form
from matplotlib.colors import to_hex

import fastgd as gd
from fastgd.plot import style
from fastgd.plot.groups import groups

RATES = np.array([0.001, 0.01, 0.02])


@pytest.fixture(scope="module")
def problem() -> gd.Problem:
    return gd.problems.himmelblau()


@pytest.fixture(scope="module")
def rated(problem) -> gd.Result:
    return gd.minimize(problem, problem.sample(40, seed=0)[:, None], gd.GradientDescent(lr=RATES), record=5)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_runs_are_told_apart_by_what_varies(problem, rated):
    assert [group.label for group in groups(rated, 7)] == ["lr 0.001", "lr 0.01", "lr 0.02"]
    assert groups(rated, 7)[1].runs.tolist() == list(range(1, 120, 3))
    assert groups(rated, 2) == []
    close = gd.minimize(problem, [0.0, 0.0], gd.GradientDescent(lr=[0.01, 0.010001]), max_steps=1)
    assert [group.label for group in groups(close, 7)] == ["lr 0.01", "lr 0.010001"]
    both = gd.GradientDescent(lr=[0.01, 0.02], clip_norm=[1.0, 2.0])
    assert [group.label for group in groups(gd.minimize(problem, [0.0, 0.0], both, max_steps=1), 7)] == [
        "lr 0.01, clip_norm 1", "lr 0.02, clip_norm 2"
    ]  # fmt: skip


def test_paths_have_the_colour_of_their_rate(rated):
    _, ax = gd.plot.trajectories(rated, max_paths=9)
    assert texts(ax) == ["lr 0.001", "lr 0.01", "lr 0.02"]
    colours = [to_hex(line.get_color()).upper() for line in ax.lines if line.get_linestyle() == "-"]
    assert [colours.count(colour) for colour in style.PALETTE[:3]] == [3, 3, 3]
    ends = {line.get_label(): line.get_xydata()[-1] for line in ax.lines if line.get_label() in texts(ax)}
    np.testing.assert_allclose(list(ends.values()), rated.x[0])
    assert ax.get_title().endswith("9 of 120 runs")


def test_the_title_says_nothing_of_runs_where_all_are_drawn(problem):
    runs = gd.minimize(problem, [[0.0, 0.0], [1.0, 1.0]], gd.Adam(lr=0.05), record=1)
    assert gd.plot.trajectories(runs)[1].get_title() == "himmelblau, Adam, lr 0.05"
    two = gd.plot.trajectories({"a": runs, "b": runs}, max_paths=1)[1]
    assert two.get_title() == "himmelblau, 1 of 2 runs each"


def test_marks_at_one_place_lie_within_one_another(problem):
    rules = {"plain": gd.GradientDescent(lr=0.01), "Adam": gd.Adam(lr=0.05), "RMSprop": gd.RMSprop(lr=0.01)}
    runs = {name: gd.minimize(problem, [2.0, 2.0], rule, record=1, max_steps=2000) for name, rule in rules.items()}
    _, ax = gd.plot.trajectories(runs)
    marks = [line.get_markersize() for line in ax.lines if len(line.get_xdata()) == 1]
    first, last = marks[::2], marks[1::2]
    assert first[0] > first[1] > first[2]
    assert last[0] > last[1] > last[2]


def test_bands_of_each_rate(rated):
    figure, axes = gd.plot.convergence(rated)
    assert texts(axes[1]) == ["lr 0.001", "lr 0.01", "lr 0.02"]
    assert figure.get_suptitle().endswith("median, 50 % and 90 % of 40 runs each")
    best = axes[0].lines[2].get_ydata()[0]
    value = rated.problem.value(rated.trace[:, 2, 0])
    assert best == pytest.approx(np.median(value))


def halves(x, i, t):
    return 0.5 * (x[0] - t[i]) ** 2


def test_batch_sizes_and_noises_are_told_apart():
    """On this form runs end around the mean of the data, with a variance that is less for larger batches."""
    line = gd.FiniteSum(halves, data=(np.arange(10.0),), dim=1, bounds=(-1, 1), name="line")
    sizes = {"batch_size": [[1], [4]], "replace": True, "gtol": None, "max_steps": 100, "record": 20}
    runs = gd.minimize(line, line.sample(500), gd.GradientDescent(lr=0.1), **sizes)
    np.testing.assert_array_equal(runs.batch_size, [[1], [4]])
    assert [group.label for group in groups(runs, 7)] == ["batch_size 1", "batch_size 4"]
    figure, axes = gd.plot.convergence(runs)
    assert texts(axes[1]) == ["batch_size 1", "batch_size 4"]
    assert figure.get_suptitle().endswith("median, 50 % and 90 % of 500 runs each")
    spread = [runs.x.reshape(-1)[group.runs].var() for group in groups(runs, 7)]
    # lr / (2 - lr) of the variance of a gradient, that of the data over the batch size
    np.testing.assert_allclose(spread, 0.1 / 1.9 * np.var(np.arange(10.0)) / [1, 4], rtol=0.2)
    noisy = gd.minimize(form(1.0), np.zeros((3, 1, 1)), gd.GradientDescent(lr=0.1), noise=[0.1, 0.2], max_steps=9)
    assert [(group.label, group.runs.tolist()) for group in groups(noisy, 7)] == [
        ("noise 0.1", [0, 2, 4]), ("noise 0.2", [1, 3, 5])
    ]  # fmt: skip
    plain = gd.minimize(line, [0.0], gd.GradientDescent(lr=0.1))
    assert (plain.batch_size, plain.noise) == (None, None)
    assert gd.minimize(line, [0.0], gd.GradientDescent(lr=0.1), batch_size=2, max_steps=9).batch_size == 2


def test_bands_of_many_rates_together_are_named_so(problem):
    many = gd.GradientDescent(lr=np.linspace(0.001, 0.01, 12))
    runs = gd.minimize(problem, [0.0, 0.0], many, record=5)
    figure, axes = gd.plot.convergence(runs)
    assert len(axes[0].lines) == 1
    assert figure.get_suptitle().endswith("of 12 runs with every lr together")


def test_paths_of_one_parameter_lie_on_the_graph():
    double = gd.Problem(lambda x: (x[0] ** 2 - 1.0) ** 2, dim=1, bounds=(-2, 2), name="two wells")
    runs = gd.minimize(double, [[-1.8], [0.3]], gd.GradientDescent(lr=0.05), record=1)
    _, ax = gd.plot.trajectories(runs)
    graph, *paths = (line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 1)
    np.testing.assert_allclose(graph.get_ydata(), double.value(graph.get_xdata()[:, None]))
    for path, start in zip(paths, (-1.8, 0.3), strict=True):
        assert path.get_xydata()[0].tolist() == [start, double.value([start])]
    assert (ax.get_xlim(), ax.get_ylabel()) == ((-2.0, 2.0), "value")
    with pytest.raises(ValueError, match="at least two parameters"):
        gd.plot.trajectories(runs, on="surface")


def test_along_one_graph_earlier_paths_are_wider():
    double = gd.Problem(lambda x: (x[0] ** 2 - 1.0) ** 2, dim=1, bounds=(-2, 2))
    rules = [gd.GradientDescent(lr=rate) for rate in (0.01, 0.02, 0.05)]
    runs = {str(rule.lr): gd.minimize(double, [[-1.8]], rule, record=1) for rule in rules}
    _, ax = gd.plot.trajectories(runs)
    widths = [line.get_linewidth() for line in ax.lines if line.get_label() in runs]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
