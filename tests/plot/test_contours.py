"""Landscapes from above: round levels, contrast, and the points that are marked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import fastgd as gd
from fastgd.plot.levels import level_texts, round_levels, roundest
from fastgd.plot.trajectories import draw_path


@pytest.fixture(scope="module")
def problem() -> gd.Problem:
    return gd.problems.himmelblau()


def digits(level: float) -> int:
    return len(f"{abs(level):.15e}".split("e")[0].replace(".", "").rstrip("0"))


@pytest.mark.parametrize(("name", "most"), [("rastrigin", 2), ("rosenbrock", 2), ("ackley", 3), ("styblinski_tang", 2)])
def test_levels_are_round_and_bands_about_equal(name, most):
    problem = gd.problems.make(name, dim=2)
    values = problem.value(problem.grid((101, 101))).ravel()
    levels = round_levels(values, 12)
    assert max(digits(level) for level in levels) <= most
    shares = np.diff(np.searchsorted(np.sort(values), [-np.inf, *levels, np.inf])) / values.size
    further = int(np.argmax(shares > 0.5 / 12))  # those that go down into narrow minima
    assert 8 <= levels.size - further <= 11
    assert shares[further:].min() > 0.5 / 12
    assert shares.max() < 2.5 / 12


def test_levels_go_down_into_narrow_minima():
    values = np.concatenate([np.linspace(0.0, 10.0, 1000), [-3.7]])
    levels = round_levels(values, 12)
    assert levels[:4].tolist() == [-3.0, -2.0, -1.0, 0.0]
    deep = round_levels(np.concatenate([values, [-1e4]]), 12)
    assert deep.size < 30
    assert deep[0] + 1e4 <= 1.25 * (deep[1] - deep[0])


def test_levels_of_many_decades_are_powers_of_ten():
    levels = round_levels(np.geomspace(1e-8, 1e4, 10_001), 12)
    np.testing.assert_allclose(levels, 10.0 ** np.arange(-7, 4), rtol=1e-12)


def test_a_flat_function_has_a_scale_too():
    assert round_levels(np.full(9, 3.5), 12).tolist() == [3.0, 4.0]
    assert round_levels(np.repeat([1.3, 7.1], 5), 12).tolist() == [1.3, 7.1]
    _, ax = gd.plot.contour(gd.Problem(lambda x: 0.0 * x[0] * x[1] + 3.7, dim=2, bounds=(-1, 1)), shape=11)
    assert ax.get_title()


def test_the_roundest_number_between():
    assert [roundest(*ends) for ends in ((0.9, 11.0), (3.0, 6.0), (180.0, 260.0), (-7.0, -3.0), (310.25, 310.35))] == [
        10.0, 5.0, 200.0, -5.0, 310.3
    ]  # fmt: skip
    assert level_texts(np.array([100_000, 1.5e7])) == ["1e5", "1.5e7"]


@pytest.mark.parametrize(("first", "width"), [(1e6, 5.0), (1e9, 1e-3), (-3e4, 1e-6), (0.0, 1.0), (1.0, 1e-15)])
def test_texts_tell_neighbouring_levels_apart(first, width):
    levels = round_levels(first + np.linspace(0.0, width, 1001), 12)
    texts = level_texts(levels)
    assert len(set(texts)) == levels.size > 1
    read = [float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in texts]
    np.testing.assert_allclose(read, levels, rtol=0, atol=0.01 * np.diff(levels).min())


def test_levels_have_no_more_digits_than_they_need():
    assert level_texts(np.array([1234567.0, 1234568.0])) == ["1.234567e6", "1.234568e6"]
    assert level_texts(np.array([1 / 3, 2 / 3, 12345.678912])) == ["0.333333", "0.666667", "12,345.7"]


def test_levels_of_numbers_near_the_largest_and_the_smallest():
    assert roundest(1.6e308, 1.7e308) == 1.6e308
    assert roundest(1.23e308, 1.71e308) == 1.5e308
    levels = round_levels(np.linspace(1.2e308, 1.7e308, 1001), 5)
    assert levels.tolist() == [1.3e308, 1.4e308, 1.5e308, 1.6e308]
    assert level_texts(levels) == ["1.3e308", "1.4e308", "1.5e308", "1.6e308"]
    assert level_texts(np.array([-1.7e308, 1.7e308])) == ["\N{MINUS SIGN}1.7e308", "1.7e308"]
    assert 1e-323 <= roundest(1e-323, 2e-323) <= 2e-323


def test_the_scale_names_every_level(problem):
    figure, ax = gd.plot.contour(problem, shape=51)
    (beside,) = ax.child_axes
    levels = [float(text.get_text().replace(",", "")) for text in beside.get_yticklabels()]
    np.testing.assert_array_equal(levels, ax.collections[0].levels)
    figure.canvas.draw()


def test_lines_below_zero_are_drawn_as_those_above():
    _, ax = gd.plot.contour(gd.problems.mueller_brown(), shape=31)
    assert {dashes for _, dashes in ax.collections[1].get_linestyle()} == {None}


def test_the_lowest_band_is_far_darker_than_the_highest(problem):
    _, ax = gd.plot.contour(problem, shape=51)
    colours = ax.collections[0].get_facecolor()[:, :3]
    # The contrast of WCAG 2.2, for which 4.5 is enough to read text
    luminance = [float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])
                 for c in colours]  # fmt: skip
    assert (max(luminance) + 0.05) / (min(luminance) + 0.05) > 4.5


def test_paths_and_marks_have_a_light_and_a_dark_edge(problem):
    _, ax = gd.plot.contour(problem, shape=11)
    (marks,) = ax.lines
    assert to_rgb(marks.get_color()) == (1, 1, 1)
    assert len(marks.get_path_effects()) == 2
    draw_path(ax, (np.array([0.0, 1.0]), np.array([0.0, 2.0])), "#0072B2", None, 0)
    path = ax.lines[1]
    edges = [effect._gc["foreground"] for effect in path.get_path_effects()[:-1]]
    assert edges == ["white", "black"]


def test_points_of_an_array_are_marked_alike_and_numbered(problem):
    _, ax = gd.plot.contour(problem, points=[[3.0, 2.0], [0.0, 0.0], [9.0, 9.0]], shape=11)
    assert ax.lines[0].get_xydata().tolist() == [[3, 2], [0, 0]]
    assert [text.get_text() for text in ax.texts] == ["0", "1"]
    assert ax.get_legend() is None
    _, ax = gd.plot.contour(problem, points=np.array([1.0, 2.0]), shape=11)
    assert ax.lines[0].get_xydata().tolist() == [[1, 2]]


def test_attractors_are_marked_with_their_kinds(problem):
    runs = gd.minimize(problem, problem.sample(100, seed=0), gd.Adam(lr=0.05))
    basins = gd.find_basins(runs)
    _, ax = gd.plot.contour(problem, points=basins, shape=11)
    assert ax.lines[0].get_label() == "minimum"
    np.testing.assert_allclose(ax.lines[0].get_xydata(), basins.x)
    map = gd.map_basins(problem, gd.Adam(lr=0.05), (8, 8))
    _, ax = gd.plot.contour(problem, points=map, shape=11)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), map.basins.x)


def test_the_legend_of_kinds_hides_no_mark(problem):
    figure, ax = gd.plot.contour(problem, points=gd.find_critical_points(problem, 200), shape=11)
    figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0
    # In small axes of one's own it is no wider than they are, or these would shrink
    figure = Figure(figsize=(3.5, 3.5), layout="constrained")
    gd.plot.contour(problem, figure.subplots(), points=gd.find_critical_points(problem, 200), shape=11, scale=False)
    figure.draw_without_rendering()
    assert figure.axes[0].get_legend().get_window_extent().width < 0.8 * figure.bbox.width


def test_points_on_a_slope_are_marked_as_not_critical(problem):
    _, ax = gd.plot.contour(problem, points=gd.classify(problem, [[3.0, 2.0], [1.0, 1.0]]), shape=11)
    assert [line.get_label() for line in ax.lines[:2]] == ["minimum", "not critical"]


def test_points_of_another_shape_are_refused(problem):
    with pytest.raises(ValueError, match=r"points must have shape \(\*batch, 2\) for himmelblau, got shape \(1, 3\)"):
        gd.plot.contour(problem, points=[[1.0, 2.0, 3.0]])
    runs = gd.minimize(problem, [[0.0, 0.0]], gd.Adam(lr=0.05))
    with pytest.raises(TypeError, match=r"got Result; of the ends of runs give runs\.x"):
        gd.plot.contour(problem, points=runs)


@pytest.fixture(scope="module")
def logs() -> gd.Problem:
    return gd.Problem(lambda x: np.log(x[0]) ** 2 + x[1] ** 2, dim=2, bounds=[(-1, 3), (-2, 2)], name="logs")


def drawn(figure) -> np.ndarray:
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def patch_of(ax, picture, low, high) -> np.ndarray:
    """The pixels between two points of the axes, without what is at its edges."""
    (left, bottom), (right, top) = np.sort(ax.transData.transform([low, high]).astype(int), axis=0)
    return picture[len(picture) - top : len(picture) - bottom, left:right]


def test_where_a_function_is_not_defined_lines_are_hatched(logs):
    figure, ax = gd.plot.contour(logs, scale=False)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not defined"]
    picture = drawn(figure)
    outside, inside = (patch_of(ax, picture, *ends) for ends in (
        ((-0.9, -1.5), (-0.1, 1.5)), ((0.95, -0.05), (1.05, 0.05)),
    ))  # fmt: skip
    assert outside.max() == 255
    assert 0.1 < np.mean(outside.min(axis=-1) < 200) < 0.9  # neither white nor one grey
    assert np.ptp(inside) < 5
    assert gd.plot.contour(gd.problems.himmelblau(), shape=11)[1].get_legend() is None


def test_the_legend_of_paths_tells_of_it_too(logs):
    runs = {name: gd.minimize(logs, [[2.5, 1.5]], rule, record=1) for name, rule in
            (("plain", gd.GradientDescent(lr=0.05)), ("Adam", gd.Adam(lr=0.05)))}  # fmt: skip
    for on in ("contour", "surface"):
        _, ax = gd.plot.trajectories(runs, on=on)
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert sorted(texts) == ["Adam", "not defined", "plain"]
    _, axes = gd.plot.learning_rates(logs, [2.5, 1.5], gd.GradientDescent(lr=0.05), [0.01, 0.1])
    assert [text.get_text() for text in axes[-1].get_legend().get_texts()] == ["lr 0.01", "lr 0.1", "not defined"]
    _, ax = gd.plot.plane(gd.random_slice(logs, [0.5, 0.0]))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not defined"]


def test_the_graph_of_one_parameter_is_hatched_where_it_is_not_defined():
    log = gd.Problem(lambda x: np.log(x[0]) ** 2, dim=1, bounds=[(-1, 3)], name="log")
    runs = gd.minimize(log, [[2.5]], gd.GradientDescent(lr=0.05), record=1)
    _, ax = gd.plot.trajectories(runs)
    (area,) = ax.collections
    x = area.get_paths()[0].vertices[:, 0]
    assert x.min() == -1
    assert x.max() == pytest.approx(0.0, abs=0.011)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not defined"]


def test_below_a_surface_that_ends_the_floor_is_grey(logs):
    figure, ax = gd.plot.surface(logs, shape=(41, 41))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not defined"]
    ground, floor = ax.collections
    picture = drawn(figure)
    assert np.mean((picture == 191).all(axis=-1)) > 0.005  # far more than the mark in the legend
    assert floor.get_zorder() < ground.get_zorder()
    walled = gd.Problem(lambda x: np.inf if x[0] > 1 else x[0] ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2))
    _, ax = gd.plot.surface(walled, shape=(21, 21))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["infinite"]


def test_a_line_that_leaves_where_a_function_is_defined(logs):
    cut = gd.line_slice(logs, [-0.5, 0.0], [2.0, 1.0])
    figure, ax = gd.plot.line(cut)
    (area,) = ax.collections
    x = area.get_paths()[0].vertices[:, 0]
    assert x.min() == cut.t[0]
    assert x.max() == pytest.approx(0.2, abs=0.02)  # where x[0] is 0
    assert ax.get_xlim()[0] < cut.t[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not defined"]
    figure.canvas.draw()
