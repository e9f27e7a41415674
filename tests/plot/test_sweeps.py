"""Pictures of sweeps: lines over one hyperparameter, heat maps over two, and the largest stable rates in both."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from cases import form
from matplotlib.figure import Figure

import fastgd as gd
from fastgd.plot.heat_maps import lowest_attractors
from fastgd.plot.sides import Side, geometric

RATES, MOMENTA = np.geomspace(2e-3, 0.2, 9), np.linspace(0.0, 0.9, 4)


@pytest.fixture(scope="module")
def over_two() -> gd.BasinSweep:
    over = {"lr": RATES, "momentum": MOMENTA}
    return gd.sweep_basins(gd.problems.himmelblau(), gd.Momentum(lr=0.1), over, n_starts=60, max_steps=2000)


def mesh(ax) -> np.ma.MaskedArray:
    return np.ma.asarray(ax.collections[0].get_array())


def dotted(ax) -> list:
    return [line for line in ax.lines if line.get_linestyle() == ":"]


def test_heat_maps_show_the_numbers_of_the_sweep(over_two):
    figure, axes = gd.plot.sweep(over_two)
    titles = ["any attractor reached", "entropy of the outcome", "mean steps", "diverged"]
    assert [ax.get_title() for ax in axes] == titles
    assert {(ax.get_xlabel(), ax.get_ylabel()) for ax in axes} == {("learning rate", "momentum")}
    assert {(ax.get_xscale(), ax.get_yscale()) for ax in axes} == {("log", "linear")}
    # All four minima have the same value. The first hyperparameter runs to the right, so pictures are transposed.
    np.testing.assert_allclose(mesh(axes[0]), 100 * over_two.fractions.sum(axis=-1).T)
    np.testing.assert_allclose(mesh(axes[1]), over_two.entropy.T)
    np.testing.assert_allclose(mesh(axes[3]), 100 * over_two.diverged.T)
    steps = mesh(axes[2])
    none = over_two.fractions.sum(axis=-1).T == 0
    assert np.array_equal(np.ma.getmaskarray(steps), none)
    assert none.any()
    runs = gd.minimize(
        gd.problems.himmelblau(), over_two.starts, gd.Momentum(lr=RATES[2], momentum=MOMENTA[1]), max_steps=2000
    )
    assert steps[1, 2] == pytest.approx(runs.nit[runs.success].mean())
    assert [ax.get_ylabel() for ax in figure.axes[4:]] == ["starts (%)", "nats", "steps", "starts (%)"]
    assert figure.get_suptitle() == "himmelblau, Momentum"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    line = r"largest rate that stays at any of the minima: $2\,(1 + \mu) / \lambda_{\max}$ with momentum $\mu$"
    assert texts == [line, "no start settled"]


def test_scales_of_shares_fit_them_and_say_so():
    over = {"lr": [0.0005, 0.001, 0.05], "momentum": [0.0, 0.5]}
    found = gd.sweep_basins(gd.problems.rastrigin(dim=2), gd.Momentum(lr=0.1), over, n_starts=150)
    figure, axes = gd.plot.sweep(found, show=["lowest", "unsettled"])
    largest = 100.0 * found.fractions[..., 0].max()
    end = axes[0].collections[0].norm.vmax
    assert 0 < largest <= end < 2.5 * largest + 1.0
    assert axes[1].collections[0].norm.vmax == 100
    assert [ax.get_ylabel() for ax in figure.axes[2:]] == [f"starts (%), scale up to {end:g} %", "starts (%)"]


def test_which_panels_is_for_the_caller(over_two):
    _, axes = gd.plot.sweep(over_two, show=[1, "unsettled"], title="mine")
    assert axes[0].get_title() == "at 1: (-2.81, 3.13)"
    np.testing.assert_allclose(mesh(axes[0]), 100 * over_two.fractions[..., 1].T)
    np.testing.assert_allclose(mesh(axes[1]), 100 * over_two.unsettled.T)
    own = Figure().subplots(1, 3)
    figure, drawn = gd.plot.sweep(over_two, own, show=["lowest", "steps", "diverged"])
    assert figure is own[0].figure
    assert list(drawn) == list(own)


def test_the_largest_stable_rate_is_a_line_over_rate_and_momentum(over_two):
    _, axes = gd.plot.sweep(over_two, show=["lowest"])
    (line,) = dotted(axes[0])
    flattest = over_two.basins.curvature.sharpness.min()
    np.testing.assert_allclose(line.get_ydata(), MOMENTA)
    np.testing.assert_allclose(line.get_xdata(), 2 * (1 + MOMENTA) / flattest)
    swapped = gd.sweep_basins(
        gd.problems.himmelblau(), gd.Nesterov(lr=0.1), {"momentum": MOMENTA, "lr": RATES}, n_starts=40, max_steps=2000
    )
    _, axes = gd.plot.sweep(swapped, show=["lowest"])
    (line,) = dotted(axes[0])
    np.testing.assert_allclose(line.get_ydata(), 2 * (1 + MOMENTA) / (1 + 2 * MOMENTA) / flattest, rtol=1e-5)
    by_adam = gd.sweep_basins(
        gd.problems.himmelblau(), gd.Adam(lr=0.1), {"lr": [0.01, 0.1], "beta1": [0.5, 0.9]}, n_starts=20
    )
    _, axes = gd.plot.sweep(by_adam)
    assert not dotted(axes[0])


def test_over_the_rate_the_lines_are_those_of_the_rule():
    problem = gd.problems.himmelblau()
    over = {"lr": np.linspace(0.002, 0.05, 12)}
    for rule, factor in (
        (gd.Momentum(lr=0.1, momentum=0.5), 3.0), (gd.Nesterov(lr=0.1, momentum=0.5), 1.5),
        (gd.Momentum(lr=0.1, momentum=0.5, averaged=True), 6.0),
    ):  # fmt: skip
        found = gd.sweep_basins(problem, rule, over, n_starts=50)
        figure, axes = gd.plot.sweep(found)
        limits = np.sort(factor / found.basins.curvature.sharpness[found.basins.kind == "minimum"])
        at = sorted(line.get_xdata()[0] for line in dotted(axes[0]))
        np.testing.assert_allclose([x for x in at if np.isfinite(x)], limits)
        (text,) = [text.get_text() for text in figure.legends[1].get_texts()]
        assert text.replace("\n", " ") == f"largest rate that stays at each: {rule.stable_rate().text}"
        assert "momentum 0.5" in axes[0].get_title()


def test_the_legend_has_the_formula_of_the_values_swept():
    problem = form(1.0, 4.0)
    dampening = [0.5, 0.0, 0.25]
    over = {"lr": [0.1, 1.5], "dampening": dampening}
    found = gd.sweep_basins(problem, gd.Momentum(lr=0.1, momentum=0.5), over, n_starts=5)
    figure, axes = gd.plot.sweep(found, show=["lowest"])
    (line,) = dotted(axes[0])
    np.testing.assert_allclose(line.get_ydata(), [0.0, 0.25, 0.5])
    np.testing.assert_allclose(line.get_xdata(), 3.0 / (4.0 * (1.0 - np.array([0.0, 0.25, 0.5]))), rtol=1e-5)
    text = figure.legends[0].get_texts()[0].get_text()
    assert text.endswith(gd.Momentum(lr=1, dampening=0.1).stable_rate().text)


@pytest.mark.parametrize("rule", [gd.GradientDescent(lr=0.1), gd.Momentum(lr=0.1, weight_decay=0.1)])
def test_over_the_weight_decay_there_is_no_line(rule):
    over = {"lr": [0.1, 0.2], "weight_decay": [0.0, 1.0]}
    found = gd.sweep_basins(form(1.0, 4.0), rule, over, n_starts=5)
    figure, axes = gd.plot.sweep(found, show=["lowest"])
    assert not dotted(axes[0])
    assert not any("largest rate" in text.get_text() for legend in figure.legends for text in legend.get_texts())


def test_titles_of_panels_tell_where_coordinates_are_left_out():
    found = gd.sweep_basins(
        form(1.0, 2.0, 3.0, 4.0), gd.Momentum(lr=0.1), {"lr": [0.1, 0.2], "momentum": [0.0, 0.5]}, n_starts=5
    )
    _, axes = gd.plot.sweep(found, show=[0])
    assert axes[0].get_title().endswith(", ...)")
    assert axes[0].get_title().count(",") == 3


def test_cells_are_around_their_values():
    side = Side("lr", np.array([1.0, 0.01, 0.1]))
    assert side.log
    np.testing.assert_allclose(side.edges, 10.0 ** np.array([-2.5, -1.5, -0.5, 0.5]))
    assert side.order.tolist() == [1, 2, 0]
    even = Side("momentum", np.array([0.0, 0.5]))
    np.testing.assert_allclose(even.edges, [-0.25, 0.25, 0.75])
    assert Side("eps", np.array([0.0])).edges.tolist() == [-0.5, 0.5]
    assert not geometric(np.array([0.0, 1.0, 10.0]))
    assert geometric(np.array([0.01, 1.0]))


def test_a_sweep_in_which_nothing_settles():
    found = gd.sweep_basins(
        form(1.0, -1.0), gd.Momentum(lr=0.1), {"lr": [0.5, 0.7], "momentum": [0.0, 0.5]}, n_starts=10
    )
    assert lowest_attractors(found).size == 0
    figure, axes = gd.plot.sweep(found)
    assert mesh(axes[0]).max() == 0
    assert np.ma.getmaskarray(mesh(axes[2])).all()
    figure.canvas.draw()


@pytest.mark.parametrize(("options", "error", "match"), [
    ({"show": "lowest"}, TypeError, "show must be a list of what to show"),
    ({"show": []}, TypeError, "show must be a list"),
    ({"show": ["speed"]}, ValueError, "show must name some of lowest, entropy, steps, diverged, unsettled"),
    ({"show": [9]}, ValueError, "numbered from 0 to 3, got 9"),
    ({"axes": [1, 2]}, TypeError, "axes must be 4 Matplotlib axes, one for each of show"),
])  # fmt: skip
def test_heat_maps_refuse(over_two, options, error, match):
    with pytest.raises(error, match=match):
        gd.plot.sweep(over_two, **options)


def test_over_one_or_over_three():
    problem = form(1.0, 2.0)
    one = gd.sweep_basins(problem, gd.Momentum(lr=0.1), {"lr": [0.1, 0.2]}, n_starts=5)
    with pytest.raises(ValueError, match="show is for two hyperparameters"):
        gd.plot.sweep(one, show=["lowest"])
    over = {"lr": [0.1], "momentum": [0.5], "dampening": [0.0]}
    three = gd.sweep_basins(problem, gd.Momentum(lr=0.1), over, n_starts=5)
    with pytest.raises(ValueError, match="over one or two hyperparameters to be drawn, got lr, momentum, dampening"):
        gd.plot.sweep(three)


def test_saddles_have_no_limit_and_level_valleys_have_one():
    over = {"lr": [0.01, 0.05, 0.2]}
    wells = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2))
    found = gd.sweep_basins(wells, gd.GradientDescent(lr=0.1), over, x0=[[0.0, 1.0], [0.5, 1.0], [-0.5, 1.0]])
    assert found.basins.kind.tolist() == ["minimum", "minimum", "saddle"]
    figure, axes = gd.plot.sweep(found)
    assert np.isnan(dotted(axes[0])[2].get_xdata()).all()
    figure.canvas.draw()
    valley = gd.Problem(lambda x: x[0] ** 2 + 0.0 * x[1], dim=2, bounds=(-2, 2))
    found = gd.sweep_basins(valley, gd.GradientDescent(lr=0.1), over, x0=[[0.5, 1.0]])
    assert found.basins.kind.tolist() == ["degenerate"]
    assert dotted(gd.plot.sweep(found)[1][0])[0].get_xdata()[0] == pytest.approx(1.0)


def test_long_legends_stand_beside_both_axes_and_small_shares_fill_theirs():
    problem = gd.problems.rastrigin(dim=2)
    found = gd.sweep_basins(problem, gd.GradientDescent(lr=0.001), {"lr": [0.0005, 0.001]}, n_starts=300)
    figure, axes = gd.plot.sweep(found)
    figure.draw_without_rendering()
    upper, lower = (ax.get_window_extent() for ax in axes)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(texts) == 13
    # All shares together are the whole, though those of the many others lie above the axis
    named, others = np.array([line.get_ydata() for line in axes[0].lines[:12]]), axes[0].lines[12].get_ydata()
    rest = 100.0 * (1.0 - found.unsettled - found.diverged)
    np.testing.assert_allclose(named.sum(axis=0) + others, rest)
    low, high = (f"{end:.3g}" for end in (others.min(), others.max()))
    assert texts[12] == f"{len(found.basins) - 12} others: {low if low == high else f'{low} to {high}'} %"
    assert upper.y0 - lower.y1 < 0.1 * figure.bbox.height
    largest = 100.0 * found.fractions.max()
    assert largest < axes[0].get_ylim()[1] < 2.5 * largest + 1.0
    figure, axes = gd.plot.sweep(found, Figure().subplots(2, 1))
    assert not figure.legends
    assert axes[0].get_legend() is not None


def test_no_panel_is_for_what_never_happened():
    over = {"lr": [0.001, 0.002], "momentum": [0.0, 0.5]}
    found = gd.sweep_basins(gd.problems.himmelblau(), gd.Momentum(lr=0.1), over, n_starts=50)
    assert not found.diverged.any()
    figure, axes = gd.plot.sweep(found)
    assert not figure.legends  # the largest stable rate is out of sight
    titles = [ax.get_title() for ax in axes]
    assert titles == ["any attractor reached", "entropy of the outcome", "mean steps"]
    # Axes of one's own are as many, whatever happened
    assert len(gd.plot.sweep(found, Figure().subplots(2, 2))[1]) == 4


def test_three_panels_stand_side_by_side_and_four_in_a_square(over_two):
    def places(count):
        _, axes = gd.plot.sweep(over_two, show=["lowest", "entropy", "steps", "diverged", 0, 1, 2][:count])
        spans = [ax.get_subplotspec() for ax in axes]
        return [(span.rowspan.start, span.colspan.start) for span in spans]

    assert places(3) == [(0, 0), (0, 1), (0, 2)]
    assert places(4) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert places(5) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


@pytest.mark.filterwarnings("error")
def test_a_sweep_over_one_value_has_points_side_by_side():
    problem = gd.problems.himmelblau()
    found = gd.sweep_basins(problem, gd.GradientDescent(lr=0.1), {"lr": [0.01]}, n_starts=100)
    figure, axes = gd.plot.sweep(found)
    shares = [bars.lines[0].get_xydata()[0] for bars in axes[0].containers]
    np.testing.assert_allclose([share for _, share in shares], 100 * found.fractions[0])
    low, high = axes[0].get_xlim()
    assert all(low < left < right < high for (left, _), (right, _) in itertools.pairwise(shares))
    ends = [bars.lines[2][0].get_segments()[0][:, 1] for bars in axes[0].containers]
    np.testing.assert_allclose(ends, 100 * found.intervals[0], atol=1e-9)
    np.testing.assert_allclose([line.get_ydata()[0] for line in axes[1].lines], found.mean_nit[0])
    assert axes[1].get_xticks().tolist() == [0.01]
    assert not dotted(axes[0])
    figure.canvas.draw()
    still = gd.sweep_basins(problem, gd.Momentum(lr=0.01), {"momentum": [0.0]}, n_starts=20)
    gd.plot.sweep(still)[0].canvas.draw()


@pytest.mark.parametrize(("first", "last"), [(1e-5, 0.1), (1e-8, 1.0), (1e-4, 0.5), (1e-3, 1.0), (2e-4, 1e-2)])
def test_labels_of_the_swept_axis_do_not_touch(first, last):
    over = {"lr": np.geomspace(first, last, 30)}
    found = gd.sweep_basins(form(1.0, 2.0), gd.GradientDescent(lr=0.1), over, n_starts=5, max_steps=50)
    figure, axes = gd.plot.sweep(found)
    figure.canvas.draw()
    low, high = axes[1].get_xlim()
    ticks = zip(axes[1].get_xticks(), axes[1].get_xticklabels(), strict=True)
    boxes = [label.get_window_extent() for at, label in ticks if low <= at <= high]
    assert 3 <= len(boxes) <= 10
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
