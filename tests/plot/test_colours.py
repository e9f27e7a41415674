"""Colours of attractors: which have one, the same in several maps, and what legends say of the rest."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

import fastgd as gd
from fastgd.plot import style
from fastgd.plot.basins import map_picture, step_range
from fastgd.plot.colouring import coloured, coloured_like

PLAIN, ADAM, HEAVY = gd.GradientDescent(lr=0.01), gd.Adam(lr=0.05), gd.Momentum(lr=0.01, momentum=0.9)


@pytest.fixture(scope="module")
def rastrigin() -> gd.BasinMap:
    return gd.map_basins(gd.problems.rastrigin(dim=2), gd.GradientDescent(lr=0.001), (96, 96))


@pytest.fixture(scope="module")
def himmelblau() -> dict[str, gd.BasinMap]:
    problem = gd.problems.himmelblau()
    return {name: gd.map_basins(problem, rule, (48, 48)) for name, rule in
            {"plain": PLAIN, "Adam": ADAM, "heavy": HEAVY}.items()}  # fmt: skip


def legend_texts(owner) -> list[str]:
    legend = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in legend.get_texts()]


def swatches(legend) -> list[tuple[float, ...]]:
    """The colours in the swatches of a legend, one after the other."""
    return [patch.get_facecolor()[:3] for patch in legend.findobj(Rectangle)]


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB."""
    y = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def test_of_about_equal_basins_the_lowest_come_first(rastrigin):
    basins = rastrigin.basins
    assert len(basins) == 121
    named = np.flatnonzero(~coloured(basins.counts, basins.fun, "basin").other)
    # By value, then by position: as the basins are numbered, all within the middle of the box having about equal shares
    assert named.tolist() == list(range(16))
    _, ax = gd.plot.basins(rastrigin, color_by="basin")
    texts = legend_texts(ax)
    assert texts[0].startswith("(0.00, 0.00)   f = 0")
    assert texts[-2].startswith("4 more")
    assert texts[-1].startswith("others (105)")


def test_of_a_few_starts_more_or_less_nothing_depends():
    assert style.ranked(np.array([95, 100, 50, 41, 101, 39])).tolist() == [0, 1, 4, 2, 3, 5]
    assert style.ranked(np.zeros(0)).tolist() == []
    assert style.ranked(np.zeros(3, int)).tolist() == [0, 1, 2]


def test_the_rest_has_a_swatch_of_its_colours(rastrigin):
    _, ax = gd.plot.basins(rastrigin, color_by="basin")
    assert swatches(ax.get_legend()) == [to_rgb(code) for code in (*style.PALETTE, style.OTHER_COLOUR)]


def test_where_there_are_many_basins_colours_tell_values(rastrigin):
    figure, ax = gd.plot.basins(rastrigin)
    image = np.asarray(ax.images[0].get_array()).transpose(1, 0, 2) / 255.0
    middle = image[48, 48]
    far = image[10, 10]
    assert lightness(middle) < lightness(far) - 20
    (scale,) = ax.child_axes
    assert scale.get_ylabel() == "value where the descent ends"
    low, high = scale.get_ylim()
    fun, counts = rastrigin.basins.fun, rastrigin.basins.counts
    assert low == fun.min()
    assert 0.97 < counts[fun <= high].sum() / counts.sum() < 1.0
    texts = legend_texts(ax)
    assert len(texts) == 2
    assert texts[-1].startswith("120 more")
    # Lines between basins, whatever their values
    edge = rastrigin.labels[:-1, :-1] != rastrigin.labels[1:, :-1]
    inside = np.zeros_like(edge)
    inside[5:90, 5:90] = True
    here, there = image[:-1, :-1][edge & inside], image[:-1, :-1][~edge & inside]
    assert lightness(here).mean() < lightness(there).mean() - 10
    figure.canvas.draw()


def test_more_than_eight_colours_have_lines_between_them_and_lesser_shades():
    for count, lines in ((8, False), (9, True)):
        colouring = coloured(np.full(count, 10), np.zeros(count), "basin")
        assert colouring.crowded == lines
        labels = np.repeat(np.arange(count), 4)[:, None] * np.ones((1, 4), int)
        found = SimpleNamespace(labels=labels, nit=np.full(labels.shape, 100), shape=labels.shape)
        picture = map_picture(found, colouring, 10.0, 1000.0)
        assert (picture[3::4].sum(axis=-1)[:-1] < picture[2::4].sum(axis=-1)[:-1]).all() == lines
        found.nit[:] = 1
        first = map_picture(found, colouring, 10.0, 1000.0)[0, 0] / 255.0
        lightest = style.shades(colouring.table[:1], 3, 0.2 if lines else 0.6)[0, 0]
        np.testing.assert_allclose(first, lightest, atol=0.01)


def test_few_large_basins_keep_colours_of_their_own_beside_many_small_ones():
    counts, fun = np.array([900, 500, *[1] * 40]), np.arange(42.0)
    assert coloured(counts, fun, "auto").limits is None
    assert coloured(counts, fun, "value").limits is not None
    assert coloured(np.full(42, 10), fun, "auto").limits is not None
    # Equal values tell nothing apart
    assert coloured(np.full(42, 10), np.zeros(42), "value").limits is None
    assert coloured(np.zeros(0, int), np.zeros(0), "value").table.shape == (0, 3)


def test_colours_of_another_map(himmelblau):
    first = himmelblau["plain"]
    problem = first.problem
    quarter = gd.map_basins(problem, PLAIN, (24, 24), bounds=[(1, 5), (-5, 5)])
    base = coloured(first.basins.counts, first.basins.fun, "auto")
    like = coloured_like(quarter, first, "auto")
    assert len(quarter.basins) < 4
    for point, colour in zip(quarter.basins.x, like.table, strict=True):
        k = int(np.argmin(np.abs(first.basins.x - point).max(axis=1)))
        np.testing.assert_array_equal(colour, base.table[k])
    alone = coloured(quarter.basins.counts, quarter.basins.fun, "auto")
    assert not np.array_equal(alone.table, like.table)
    # And the other way round: what the first map has besides gets colours that are free
    back = coloured_like(first, quarter, "auto")
    assert len(np.unique(back.table, axis=0)) == 4
    _, ax = gd.plot.basins(quarter, colors_like=first)
    patches = ax.get_legend().legend_handles[: len(quarter.basins)]
    np.testing.assert_allclose([patch.get_facecolor()[:3] for patch in patches], like.table)


def test_a_scale_of_values_is_kept_too(rastrigin):
    part = gd.map_basins(rastrigin.problem, gd.GradientDescent(lr=0.001), (24, 24), bounds=(-1.4, 1.4))
    like = coloured_like(part, rastrigin, "auto")
    base = coloured(rastrigin.basins.counts, rastrigin.basins.fun, "auto")
    assert like.limits == base.limits
    np.testing.assert_allclose(like.table[0], base.table[0], atol=1e-6)


@pytest.mark.parametrize(("options", "error", "match"), [
    ({"colors_like": 3}, TypeError, "colors_like must be what map_basins returns"),
    ({"color_by": "depth"}, ValueError, "color_by must be one of 'auto', 'basin', 'value', got 'depth'"),
])  # fmt: skip
def test_colours_refuse(himmelblau, options, error, match):
    with pytest.raises(error, match=match):
        gd.plot.basins(himmelblau["plain"], **options)


def test_a_map_of_another_number_of_parameters_is_refused(himmelblau):
    cube = gd.map_basins(gd.problems.styblinski_tang(dim=3), gd.GradientDescent(lr=0.005), (8, 8))
    with pytest.raises(ValueError, match="with 2 parameters, got 3"):
        gd.plot.basins(himmelblau["plain"], colors_like=cube)


def test_maps_of_another_problem_are_refused(himmelblau, rastrigin):
    with pytest.raises(ValueError, match="the same problem as map, got himmelblau and rastrigin: draw each in"):
        gd.plot.basins(himmelblau["plain"], colors_like=rastrigin)
    for draw in (gd.plot.basins_grid, gd.plot.basins_stack):
        with pytest.raises(ValueError, match="maps must be of one problem, got himmelblau and rastrigin"):
            draw([himmelblau["plain"], rastrigin])


def test_a_problem_made_anew_with_other_data_or_another_name_is_the_same(himmelblau):
    first = himmelblau["plain"]
    again = gd.problems.himmelblau()
    renamed = gd.Problem(again.fun, dim=2, bounds=(-5, 5), name="mine")
    for problem in (again, renamed):
        map = gd.map_basins(problem, PLAIN, (8, 8))
        gd.plot.basins(map, colors_like=first)
        gd.plot.basins_grid([first, map])
    wells = [
        gd.Problem(lambda x, at: (x[0] ** 2 - at) ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2), data=(at,), name="wells")
        for at in (1.0, 1.2)
    ]
    gd.plot.basins_grid([gd.map_basins(problem, PLAIN, (8, 8)) for problem in wells])


def test_every_panel_has_shades_of_its_own_and_says_so(himmelblau):
    figure, axes = gd.plot.basins_grid(himmelblau)
    assert [ax.get_title() for ax in axes.flat] == ["plain", "Adam", "heavy"]
    for ax, map in zip(axes.flat, himmelblau.values(), strict=True):
        low, high = step_range([map])
        assert ax.texts[0].get_text() == f"{low:,.0f} to {high:,.0f} steps"
        # Nine tenths of each basin are no darker than three fifths of its colour
        image = np.asarray(ax.images[0].get_array()).transpose(1, 0, 2) / 255.0
        for k, code in enumerate(style.PALETTE[:4]):
            own = lightness(image[map.labels == k])
            assert np.quantile(own, 0.1) > 0.6 * lightness(style.rgb(code))
    assert legend_texts(figure)[-1] == "steps, few to many,\non a scale for each map"
    greys = swatches(figure.legends[0])[-5:]
    assert np.all(np.diff(lightness(np.array(greys))) < 0)


def test_maps_with_about_the_same_steps_everywhere_are_nearly_flat():
    problem = gd.problems.himmelblau()
    map = gd.map_basins(problem, HEAVY, (32, 32))
    low, high = step_range([map])
    assert high < 1.5 * low
    _, axes = gd.plot.basins_grid([map])
    image = np.asarray(axes[0, 0].images[0].get_array()).transpose(1, 0, 2) / 255.0
    own = lightness(image[map.labels == 0])
    _, alone = gd.plot.basins(map)
    full = lightness(np.asarray(alone.images[0].get_array()).transpose(1, 0, 2)[map.labels == 0] / 255.0)
    assert np.ptp(own) < 0.7 * np.ptp(full)


def test_many_basins_side_by_side_have_one_scale_of_values(rastrigin):
    figure, axes = gd.plot.basins_grid([rastrigin, rastrigin])
    assert not axes[0, 0].texts  # no shades, so no steps
    assert "value where the descent ends" in [ax.get_ylabel() for ax in figure.axes]
    np.testing.assert_array_equal(axes[0, 0].images[0].get_array(), axes[0, 1].images[0].get_array())
    figure.draw_without_rendering()
    assert axes[0, 0].get_window_extent().y1 > 0.8 * figure.bbox.height  # no gap below the title


@pytest.mark.parametrize(("optimizer", "text"), [
    (gd.GradientDescent(lr=0.1), "GradientDescent, lr 0.1"),
    (gd.GradientDescent(lr=gd.Backtracking()), "GradientDescent, lr Backtracking"),
    (gd.GradientDescent(lr=0.1, clip_norm=5), "GradientDescent, lr 0.1, clip_norm 5"),
    (gd.Adam(), "Adam, lr 0.001"),
    (gd.Adam(lr=0.1, beta1=0.5, amsgrad=True), "Adam, lr 0.1, beta1 0.5, amsgrad"),
    (gd.Momentum(lr=gd.schedules.Cosine(0.1, period=9), momentum=0.9), "Momentum, lr Cosine(0.1)"),
    (gd.Momentum(lr=np.array([0.1, 0.3])), "Momentum, lr 0.1 to 0.3"),
    (gd.SciPyCG(), "SciPy CG"), (gd.GradientFlow(), "GradientFlow"), (None, "runs"),
    (gd.GradientFlow(rtol=1e-4), "GradientFlow, rtol 0.0001"),
])  # fmt: skip
def test_titles_name_what_is_not_at_default(optimizer, text):
    assert style.optimizer_text(optimizer) == text


def test_long_titles_are_broken_at_commas():
    rule = gd.Adam(lr=0.05, beta1=0.8, beta2=0.99, eps=1e-6, amsgrad=True)
    map = gd.map_basins(gd.problems.himmelblau(), rule, (8, 8))
    _, axes = gd.plot.basins_grid([map, map])
    assert axes[0, 0].get_title() == "Adam, lr 0.05, beta1 0.8, beta2 0.99,\neps 1e-06, amsgrad"


def test_learning_rates_are_headed_by_the_rule_without_its_rate():
    rule = gd.Momentum(lr=0.1, momentum=0.5)
    figure, _ = gd.plot.learning_rates(gd.problems.himmelblau(), [0.0, 0.0], rule, [0.01, 0.1], max_steps=5)
    assert figure.get_suptitle() == "himmelblau, Momentum, momentum 0.5"


def test_marks_of_very_many_attractors_are_small():
    sizes = []
    for side in (1.4, 5.4, 8.4):
        map = gd.map_basins(gd.problems.rastrigin(dim=2), gd.GradientDescent(lr=0.001), (64, 64), bounds=(-side, side))
        _, ax = gd.plot.basins(map)
        sizes.append(ax.lines[0].get_markersize())
    assert sizes == [7.0, 4.0, 2.5]


def test_titles_say_how_many_attractors_may_be_none():
    """Two of the notes of `Basins.notes`, where a curve is all that is reached, and where runs stop on a slope."""
    ring = gd.Problem(lambda x: (x[0] ** 2 + x[1] ** 2 - 1) ** 2, dim=2, bounds=(-2, 2), name="ring")
    himmelblau = gd.problems.himmelblau()
    pieces = gd.map_basins(ring, gd.GradientDescent(lr=0.05), (16, 16))
    stopped = gd.map_basins(himmelblau, gd.Adam(lr=0.05), (32, 32), ftol=1e-2)
    clean = gd.map_basins(himmelblau, gd.Adam(lr=0.05), (8, 8))
    lines = [gd.plot.basins(map)[1].get_title().splitlines() for map in (pieces, stopped, clean)]
    assert lines[0][1] == f"degenerate: {len(pieces.basins)} attractors, 100.0% (may be pieces of one curve)"
    loose = stopped.basins.kind == "not critical"
    share = stopped.basins.fractions[loose].sum()
    assert lines[1][1] == f"not critical: {loose.sum()} attractors, {share:.1%} (runs stopped on a slope)"
    assert lines[2] == ["himmelblau, Adam, lr 0.05"]


def test_of_thousands_of_attractors_only_frequent_ones_are_marked():
    well = gd.Problem(lambda x: -np.exp(-(x[0] ** 2) - x[1] ** 2), dim=2, bounds=(-20, 20))
    map = gd.map_basins(well, gd.Adam(lr=0.05), (64, 64))
    assert len(map.basins) > 3000
    _, ax = gd.plot.basins(map)
    marked = {tuple(np.round(line.get_xydata()[0], 3) + 0.0) for line in ax.lines}
    assert marked == {(0.0, 0.0)}
