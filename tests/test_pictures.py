"""What the pictures of landscapes, paths and many runs show."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
from contextlib import nullcontext

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import fastgd as gd
from fastgd.landscape.tree import disconnectivity_tree
from fastgd.plot import style
from fastgd.plot.colouring import common_attractors
from fastgd.plot.convergence import along, resolved

PLAIN, ADAM = gd.GradientDescent(lr=0.01), gd.Adam(lr=0.05)


@pytest.fixture(scope="module")
def problem() -> gd.Problem:
    return gd.problems.himmelblau()


@pytest.fixture(scope="module")
def recorded(problem) -> dict[str, gd.Result]:
    x0 = problem.sample(30, seed=0)
    return {name: gd.minimize(problem, x0, rule, record=5) for name, rule in (("plain", PLAIN), ("Adam", ADAM))}


def legend_texts(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_known_minima_are_marked(problem):
    figure, ax = gd.plot.contour(problem, shape=(101, 101))
    assert isinstance(figure, Figure)
    marks = np.concatenate([line.get_xydata() for line in ax.lines])
    np.testing.assert_allclose(marks, problem.minima)


def test_paths_begin_at_the_starts_and_end_at_the_ends(problem, recorded):
    figure, ax = gd.plot.trajectories(recorded, max_paths=3)
    assert legend_texts(ax) == ["plain", "Adam"]
    lines = [line for line in ax.lines if line.get_label() in ("plain", "Adam") or len(line.get_xdata()) > 4]
    starts = problem.sample(30, seed=0)[[0, 14, 29]]
    drawn = np.array([line.get_xydata()[0] for line in lines if to_hex(line.get_color()) == style.PALETTE[0].lower()])
    np.testing.assert_allclose(drawn, starts)
    ends = np.array([line.get_xydata()[-1] for line in lines if to_hex(line.get_color()) == style.PALETTE[0].lower()])
    np.testing.assert_allclose(ends, recorded["plain"].x[[0, 14, 29]])
    figure.canvas.draw()


def test_ends_tell_how_a_run_ended(problem):
    runs = gd.minimize(problem, [3.1, 2.1], gd.GradientDescent(lr=[0.01, 0.0001, 1.0]), max_steps=50, record=1)
    _, ax = gd.plot.trajectories(runs)
    assert runs.status.tolist() == [2, 2, 3] or runs.status.tolist() == [0, 2, 3]
    markers = [line.get_marker() for line in ax.lines if len(line.get_xdata()) == 1][1::2]
    assert (markers[0], markers[2]) == ("s", "X")  # in the order of the rates


def test_paths_on_a_surface(recorded):
    _, ax = gd.plot.trajectories(recorded["Adam"], on="surface", max_paths=2)
    assert ax.get_zlabel() == "log10(1 + f - lowest)"
    _, flat = gd.plot.surface(recorded["Adam"].problem, shape=(11, 11))
    assert flat.get_zlabel() == "value"


def test_paths_without_a_box():
    free = gd.Problem(lambda x: x[0] ** 2 + x[1] ** 2, dim=2)
    runs = gd.minimize(free, [[4.0, 2.0]], gd.GradientDescent(lr=0.1), record=1)
    _, ax = gd.plot.trajectories(runs)
    assert ax.get_xlim()[0] < 0 < 4 < ax.get_xlim()[1]


def test_a_moving_picture(recorded, tmp_path):
    from PIL import Image

    heard: list[tuple[int, int]] = []
    file = gd.plot.animation(
        recorded, tmp_path / "way.gif", frames=6, max_paths=2, progress=lambda *a: heard.append(a)
    )
    with Image.open(file) as movie:
        assert movie.n_frames == 6
    assert heard == [(k, 6) for k in range(1, 7)]
    with pytest.raises(ValueError, match=r"out must end in .gif or .mp4"):
        gd.plot.animation(recorded, tmp_path / "way.avi")
    with pytest.raises(ValueError, match="frames must be"):
        gd.plot.animation(recorded, tmp_path / "way.gif", frames=1)


def test_a_moving_picture_of_one_parameter_goes_along_the_graph(tmp_path):
    from PIL import Image

    wells = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + 0.3 * x[0], dim=1, bounds=(-2, 2), name="wells")
    runs = {name: gd.minimize(wells, [[-1.8], [1.9]], rule, record=every, max_steps=30)
            for name, rule, every in (("plain", PLAIN, 1), ("Adam", ADAM, 3))}  # fmt: skip
    heard: list[tuple[int, int]] = []
    file = gd.plot.animation(runs, tmp_path / "wells.gif", frames=4, progress=lambda *a: heard.append(a))
    assert heard == [(k, 4) for k in range(1, 5)]
    with Image.open(file) as movie:
        assert movie.n_frames == 4
        blue, orange = (np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)]) for code in style.PALETTE[:2])
        means = []
        for k in range(4):
            movie.seek(k)
            picture = np.asarray(movie.convert("RGB"), dtype=float)[:-60]  # without the legend
            where = [np.argwhere(np.abs(picture - colour).max(axis=-1) < 40) for colour in (blue, orange)]
            means.append([at[:, 0].mean() for at in where])
    # Rows count from the top, and both come down, each along a wall
    assert (np.diff(means, axis=0)[0] > 0).all()


def test_moving_pictures_of_results_recorded_at_other_distances(problem, monkeypatch, tmp_path):
    from fastgd.plot import movies

    seen = []

    class Writer:
        def saving(self, figure, path, dpi):
            self.ax = figure.axes[0]
            return nullcontext()

        def grab_frame(self):
            heads = [line.get_xydata()[0] for line in self.ax.lines if line.get_marker() == "o"]
            seen.append((int(self.ax.get_title().split()[-1].replace(",", "")), heads))

    monkeypatch.setattr(movies, "movie_writer", lambda target, fps: Writer())
    runs = {str(every): gd.minimize(problem, [[0.0, 0.0]], PLAIN, record=every, max_steps=24) for every in (1, 4)}
    gd.plot.animation(runs, tmp_path / "way.gif")
    assert [step for step, _ in seen] == list(range(len(seen)))
    for step, heads in seen:
        if step % 4 == 0:
            np.testing.assert_allclose(heads[0], heads[1])


def test_without_ffmpeg_an_mp4_is_refused_and_a_gif_is_named(recorded, tmp_path):
    with matplotlib.rc_context({"animation.ffmpeg_path": str(tmp_path / "no-such-program")}):
        with pytest.raises(RuntimeError, match=r"no-such-program' is not found: write a GIF, out='.*way\.gif'"):
            gd.plot.animation(recorded, tmp_path / "way.mp4")
        assert gd.plot.animation(recorded, tmp_path / "way.gif", frames=2, max_paths=1).stat().st_size > 0
    assert not (tmp_path / "way.mp4").exists()


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a script")
def test_an_mp4_is_written_by_the_ffmpeg_that_matplotlib_is_told_of(recorded, tmp_path):
    """A stand-in that takes ffmpeg's place and writes down what it is asked for, and how many bytes it is given."""
    program = tmp_path / "stand-in"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "given = {'arguments': sys.argv[1:], 'bytes': len(sys.stdin.buffer.read())}\n"
        "open(sys.argv[-1], 'w').write(json.dumps(given))\n"
    )
    program.chmod(0o755)
    with matplotlib.rc_context({"animation.ffmpeg_path": str(program)}):
        file = gd.plot.animation(recorded, tmp_path / "way.mp4", frames=4, max_paths=1, fps=12)
    given = json.loads(file.read_text())
    source = given["arguments"][: given["arguments"].index("-i")]
    arguments = dict(itertools.pairwise(source))
    width, height = (int(side) for side in arguments["-s"].split("x"))
    rate = arguments.get("-framerate", arguments.get("-r"))  # older Matplotlib says the latter
    assert (rate, arguments["-pix_fmt"]) == ("12", "rgba")
    assert given["bytes"] == 4 * width * height * 4  # frames, pixels, channels


def test_convergence_shows_quantiles_of_all_runs(problem, recorded):
    steps, value, norm = along(recorded["Adam"], "Adam")
    runs = recorded["Adam"]
    assert steps[1] - steps[0] == runs.record == 5
    # A run that has ended keeps its last value.
    k = int(np.argmin(runs.nit))
    assert (value[k, steps > runs.nit[k]] == runs.fun[k]).all()
    assert (norm[k, steps > runs.nit[k]] == runs.grad_norm[k]).all()
    np.testing.assert_allclose(value[:, 0], problem.value(problem.sample(30, seed=0)))
    _, axes = gd.plot.convergence(recorded)
    (line,) = (line for line in axes[0].lines if line.get_label() == "Adam")
    np.testing.assert_allclose(line.get_ydata(), np.maximum(np.quantile(value, 0.5, axis=0), 1e-16), rtol=1e-12)
    assert legend_texts(axes[0]) == ["plain", "Adam"]


def test_few_runs_are_drawn_one_by_one(problem):
    few = {name: gd.minimize(problem, problem.sample(10, seed=0), rule, record=5) for name, rule in
           {"plain": PLAIN, "Adam": ADAM}.items()}  # fmt: skip
    figure, axes = gd.plot.convergence(few)
    assert figure.get_suptitle() == "himmelblau: 10 runs"
    assert [len(ax.lines) for ax in axes] == [20, 20]
    assert not axes[0].collections
    steps, value, _ = along(few["Adam"], "Adam")
    np.testing.assert_allclose(axes[0].lines[13].get_xydata(), np.c_[steps, np.maximum(value[3], 1e-16)], rtol=1e-12)
    assert legend_texts(axes[0]) == ["plain", "Adam"]
    more = gd.minimize(problem, problem.sample(11, seed=0), ADAM, record=5)
    figure, axes = gd.plot.convergence(more)
    assert figure.get_suptitle() == "himmelblau, Adam, lr 0.05: median, 50 % and 90 % of 11 runs"
    assert len(axes[0].lines) == 1


def test_what_diverges_leaves_the_picture_at_the_top(problem):
    rates = gd.GradientDescent(lr=[0.01, 0.1])
    runs = gd.minimize(problem, [4.0, 4.0], rates, record=1, max_steps=20)
    assert runs.status.tolist()[1] == gd.Status.DIVERGED
    _, axes = gd.plot.convergence(runs)
    first = [problem.value([4.0, 4.0]), np.abs(problem.gradient([4.0, 4.0])).max()]
    assert axes[0].dataLim.y1 > 1e5 * first[0]
    np.testing.assert_allclose([ax.get_ylim()[1] for ax in axes], 1e4 * np.array(first))
    _, panels = gd.plot.learning_rates(problem, [4.0, 4.0], PLAIN, [0.01, 0.1])
    assert panels[-1].get_ylim()[1] == pytest.approx(1e4 * first[0])
    # Without any, the axis goes on as far as the lines do
    slow = gd.minimize(problem, [4.0, 4.0], PLAIN, record=1, max_steps=20)
    assert gd.plot.convergence(slow)[1][0].get_ylim()[1] < 10 * first[0]


def test_the_axis_of_steps_ends_where_nothing_has_a_trend():
    # With the curvature 1, x shrinks by 1 - lr a step: 2 jumps from side to side for ever, and 1 is there at once
    valley = gd.Problem(lambda x: 0.5 * x[0] ** 2, dim=1, bounds=(-2, 2))
    starts = np.linspace(0.5, 1.5, 12)[:, None]
    runs = gd.minimize(valley, starts, gd.GradientDescent(lr=[[1.0], [0.5], [2.0]]), record=1, max_steps=2000)
    assert set(runs.nit.max(axis=1).tolist()) >= {1, 2000}
    steps = int(runs.nit[1].max())
    assert 15 < steps < 30  # values fall by 4 a step
    _, axes = gd.plot.convergence(runs)
    for ax in axes:
        assert steps <= ax.get_xlim()[1] <= 3 * steps
        assert ax.get_xlabel() == "step (no trend from there to 2,000)"
    halving = axes[1].lines[0]  # the lowest rate comes first; with a point for each step, as in a short run
    np.testing.assert_allclose(halving.get_ydata()[:10], 0.5 ** np.arange(10), rtol=1e-9)
    # What still falls, if slowly, is drawn to its end
    slow = gd.minimize(valley, starts, gd.GradientDescent(lr=[[0.5], [0.001]]), record=1, max_steps=2000)
    for ax in gd.plot.convergence(slow)[1]:
        assert ax.get_xlim()[1] == 2000
        assert ax.get_xlabel() == "step"
    # Of few runs each is a line, whose period here is two steps
    _, axes = gd.plot.convergence(gd.minimize(valley, starts[:3], gd.GradientDescent(lr=2.0), record=1, max_steps=999))
    assert axes[0].get_xlim()[1] < 20


def test_the_lowest_value_is_that_of_the_minimum_nearby():
    bowl = gd.Problem(lambda x: (x[0] - 1) ** 2 + x[1] ** 2 - 7, dim=2)
    runs = gd.minimize(bowl, [[3.0, 1.0]], gd.GradientDescent(lr=0.1), record=1, max_steps=10)
    _, axes = gd.plot.convergence(runs)
    drawn = axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, 5 * 0.64 ** np.arange(11), rtol=1e-9)


def test_a_waterfall_keeps_every_step_of_a_million_runs():
    values = np.repeat([0.0, 1.0, 2.0, 5.0], [3, 600_000, 399_990, 7])
    pick = resolved(values)
    assert pick.size < 5000
    assert np.unique(values[pick]).tolist() == [0, 1, 2, 5]
    assert {2, 3, 600_002, 600_003, 999_992, 999_993} <= set(pick.tolist())
    problem = gd.problems.himmelblau()
    runs = gd.Result(np.zeros((10**6, 2)), values, values, values.astype(int), np.zeros(10**6, np.int8), None, problem)
    figure, ax = gd.plot.waterfall(runs)
    (line,) = ax.lines
    assert line.get_xdata()[-1] == 100
    assert len(line.get_xdata()) < 5000
    _, logged = gd.plot.waterfall({"a": runs, "b": runs}, log=True)
    assert logged.get_yscale() == "log"
    assert legend_texts(logged) == ["a", "b"]


@pytest.mark.parametrize("value", [0.0, -7.0, 500.0])
def test_runs_of_one_value_are_a_level_line(value):
    bowl = gd.Problem(lambda x: (x[0] - 1) ** 2 + x[1] ** 2 + value, dim=2, bounds=(-2, 2), name="bowl")
    runs = gd.minimize(bowl, bowl.sample(50, seed=0), ADAM)
    assert np.ptp(runs.fun) > 0
    figure, ax = gd.plot.waterfall(runs)
    line = ax.lines[0]
    assert line.get_xdata()[[0, -1]].tolist() == [0, 100]
    heights = ax.transAxes.inverted().transform(ax.transData.transform(line.get_xydata()))[:, 1]
    assert np.ptp(heights) < 1e-5
    assert ax.get_title() == f"bowl, 50 runs, all at {value:g}"
    figure.canvas.draw()
    assert ax.yaxis.get_offset_text().get_text() == ""
    assert any(float(text.get_text().replace("\N{MINUS SIGN}", "-")) == value for text in ax.get_yticklabels())
    logged = gd.plot.waterfall(runs, log=True)[1]
    assert np.ptp(logged.lines[0].get_ydata()) == 0
    above = gd.plot.waterfall(runs, log=True, best=value - 3.0)[1]  # a better value is known
    assert above.get_ylim()[0] < 3.0 < above.get_ylim()[1]


def test_a_waterfall_of_one_run_is_a_line():
    runs = gd.minimize(gd.problems.himmelblau(), [[0.0, 0.0]], ADAM)
    _, ax = gd.plot.waterfall(runs)
    assert ax.lines[0].get_xdata().tolist() == [0, 100]
    assert ax.get_title() == "himmelblau, 1 run, all at 0"
    values, none = np.array([0.0, 0.0, np.nan]), np.zeros(3, dtype=np.int8)
    parted = gd.Result(np.zeros((3, 2)), values, values, none.astype(int), none, None, gd.problems.himmelblau())
    assert gd.plot.waterfall(parted)[1].get_title() == "himmelblau, 3 runs, 1 without a finite value"


def test_a_waterfall_leaves_out_what_diverged():
    values = np.array([2.0, 7e35, 1.0, np.nan, np.nan])
    status = np.array([0, 3, 2, 3, 1], dtype=np.int8)
    runs = gd.Result(np.zeros((5, 2)), values, values, np.zeros(5, dtype=int), status, None, gd.problems.himmelblau())
    _, ax = gd.plot.waterfall(runs)
    assert ax.get_title() == "himmelblau, 5 runs, 2 diverged, 1 without a finite value"
    # Two of the five runs are drawn, and take 40 % of the axis
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 1], [20, 1], [40, 2]])
    assert ax.get_ylim()[1] < 3
    _, several = gd.plot.waterfall({"a": runs, "b": runs})
    assert several.get_title() == "himmelblau, 5 runs, some diverged, some without a finite value"
    assert runs.summary()["fun_min"] == 1.0
    assert runs.summary()["fun_median"] == 1.5
    lost = dataclasses.replace(runs, status=np.full(5, 3, dtype=np.int8))
    assert lost.summary()["fun_min"] == 1.0  # of none else is there a value
    with pytest.raises(ValueError, match="every run diverged"):
        gd.plot.waterfall(lost)


def test_learning_rates_say_how_each_went():
    bowl = gd.Problem(lambda x: x[0] ** 2, dim=1, bounds=(-11, 11), name="square")
    figure, axes = gd.plot.learning_rates(bowl, [10.0], PLAIN, [0.01, 0.3, 0.95, 1.1], max_steps=30)
    assert [ax.get_title() for ax in axes[:4]] == [
        "lr 0.01: not there in 30 steps", "lr 0.3: there in 19 steps", "lr 0.95: not there in 30 steps",
        "lr 1.1: moving away",
    ]  # fmt: skip
    # x shrinks by 1 - 2 lr a step.
    line = axes[-1].lines[0]
    np.testing.assert_allclose(line.get_ydata(), 100 * 0.98 ** (2 * np.arange(31)), rtol=1e-9)
    _, two = gd.plot.learning_rates(gd.problems.himmelblau(), [0.0, 0.0], ADAM, [0.01, 0.1])
    assert two.shape == (3,)


def test_a_bounded_run_does_not_move_away():
    waves = gd.Problem(
        lambda x: np.sin(3 * x[0]) * np.cos(2 * x[1]) + 0.1 * (x[0] ** 2 + x[1] ** 2), dim=2, bounds=(-3, 3)
    )
    for start, rates in (([2.5, 2.0], [0.3, 0.5]), ([0.3, -2.0], [0.3, 0.5, 0.8])):
        # The gradient of 0.1 r^2 pulls by 0.2 x, and that of the waves is at most 3: so none gets past |x| = 15
        rule = gd.GradientDescent(lr=rates)
        long = gd.minimize(waves, start, rule, max_steps=5000, record=1)
        assert not long.success.any()
        assert np.abs(long.trace).max() < 15.0
        _, axes = gd.plot.learning_rates(waves, start, PLAIN, rates)
        assert [ax.get_title() for ax in axes[:-1]] == [f"lr {rate:g}: not there in 50 steps" for rate in rates]
    # In a bowl, descent along the curvature 4 grows where lr is above 2 / 4: here by 1.04 a step
    bowl = gd.Problem(lambda x: 0.5 * (x[0] ** 2 + 4 * x[1] ** 2), dim=2, bounds=(-2, 2))
    _, axes = gd.plot.learning_rates(bowl, [1.0, 1.0], PLAIN, [0.49, 0.51])
    assert [ax.get_title() for ax in axes[:2]] == ["lr 0.49: not there in 50 steps", "lr 0.51: moving away"]


def test_schedules_are_drawn_as_they_are():
    cosine = gd.schedules.Cosine(0.1, period=100)
    _, ax = gd.plot.schedules({"cosine": cosine, "half": gd.schedules.Constant(0.05)}, 100)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), cosine(np.arange(100)))
    assert legend_texts(ax) == ["cosine", "half"]


def test_attractors_have_one_colour_in_all_maps(problem):
    maps = [gd.map_basins(problem, rule, (48, 48)) for rule in (PLAIN, ADAM)]
    quarter = gd.map_basins(problem, ADAM, (48, 48), bounds=[(1, 4), (1, 4)])
    groups, places, _ = common_attractors([*maps, quarter])
    assert len(places) == 4
    for map, numbers in zip([*maps, quarter], groups, strict=True):
        np.testing.assert_allclose(places[numbers], map.basins.x, atol=1e-3)
    figure, axes = gd.plot.basins_grid({"a": maps[0], "b": maps[1], "c": quarter}, columns=2)
    assert axes.shape == (2, 2)
    assert [ax.get_visible() for ax in axes.flat] == [True, True, True, False]
    assert len(figure.legends[0].get_texts()) == 5  # and what the shades tell


def test_a_stack_of_maps():
    problem = gd.problems.styblinski_tang(dim=3)
    maps = [gd.map_basins(problem, gd.GradientDescent(lr=0.005), (24, 24), at=[0, 0, z]) for z in (-3, 3)]
    figure, ax = gd.plot.basins_stack(maps)
    assert (ax.get_xlabel(), ax.get_zlabel()) == ("x[0]", "x[2]")
    assert len(figure.legends[0].get_texts()) == 9
    with pytest.raises(ValueError, match="differ in one parameter"):
        gd.plot.basins_stack(maps[:1])


def test_several_maps_tell_what_may_be_no_attractor():
    ring = gd.Problem(lambda x: (x[0] ** 2 + x[1] ** 2 - 1) ** 2 + 0 * x[2], dim=3, bounds=(-2, 2), name="ring")
    bowl = gd.Problem(lambda x: x[0] ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2), name="ring")
    rule = gd.GradientDescent(lr=0.05)
    maps = [gd.map_basins(ring, rule, (8, 8), at=[0, 0, z]) for z in (-1, 1)]
    count = len(maps[0].basins)
    assert (maps[0].basins.kind == "degenerate").all()  # a circle of minima, which differences of gradients tell
    note = f"degenerate: {count} attractors, 100.0%"
    _, ax = gd.plot.basins_stack(maps)
    assert ax.get_title().splitlines()[1:] == [f"x[2] = -1: {note}", f"x[2] = 1: {note}"]
    assert gd.plot.basins_stack(maps, title="mine")[1].get_title() == "mine"
    figure, axes = gd.plot.basins_grid(maps)
    figure.draw_without_rendering()
    for panel in axes[0]:
        (text,) = panel.texts
        assert text.get_text().splitlines()[-1] == note
        assert not text.get_window_extent().overlaps(panel.title.get_window_extent())
    _, axes = gd.plot.basins_grid([gd.map_basins(bowl, rule, (8, 8))])
    assert [text.get_text().count("\n") for text in axes[0, 0].texts] == [0]


def test_more_attractors_than_colours_share_one_in_all_maps():
    problem = gd.problems.rastrigin(dim=2)
    maps = [gd.map_basins(problem, gd.GradientDescent(lr=0.001), (48, 48), bounds=(-2.4, top)) for top in (2.4, 1.4)]
    figure, _ = gd.plot.basins_grid(maps, color_by="basin")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[-3:-1] == ["4 more", "others (9)"]


def test_a_sweep_marks_the_limits_of_plain_descent(problem):
    found = gd.sweep_basins(problem, PLAIN, {"lr": np.linspace(0.002, 0.03, 15)}, n_starts=100)
    figure, axes = gd.plot.sweep(found)
    dotted = sorted(line.get_xdata()[0] for line in axes[0].lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(dotted, np.sort(found.limits))
    assert axes[0].get_title() == "himmelblau, GradientDescent"
    (text,) = [text.get_text() for text in figure.legends[1].get_texts()]
    assert text.startswith("largest rate that\nstays at each")
    assert figure.legends[0].get_texts()[-1].get_text() == "95 % intervals"
    by_adam = gd.sweep_basins(problem, ADAM, {"lr": [0.01, 0.1]}, n_starts=100)
    figure, axes = gd.plot.sweep(by_adam)
    assert not [line for line in axes[0].lines if line.get_linestyle() == ":"]
    assert len(figure.legends) == 1
    small = gd.sweep_basins(problem, PLAIN, {"lr": [0.001, 0.002]}, n_starts=100)
    figure, _ = gd.plot.sweep(small)
    assert len(figure.legends) == 1  # none of the lines is in the picture
    momentum = gd.sweep_basins(problem, gd.Momentum(lr=0.01), {"momentum": [0.1, 0.5]}, n_starts=100)
    _, axes = gd.plot.sweep(momentum)
    assert axes[0].get_title() == "himmelblau, Momentum, lr 0.01"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (520, 940, ["600", "800"]), (210, 690, ["300", "400", "600"]), (8, 450, ["10", "20", "50", "100", "200"]),
        (3, 2e6, ["10", "100", "1,000", "10,000", "100,000", "1,000,000"]), (0.2, 1.5, ["0.2", "0.4", "1"]),
    ],
)  # fmt: skip
def test_ticks_of_logarithmic_axes_are_plain_numbers(low, high, shown):
    figure = Figure(figsize=(4, 3))
    ax = figure.add_subplot()
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    style.plain_log_ticks(ax.yaxis)
    inside = [label.get_text() for value, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
              if low <= value <= high]  # fmt: skip
    assert set(shown) <= set(inside)
    assert len(inside) <= 8
    assert all(label.get_text() == "" for label in ax.get_yticklabels(minor=True))


def test_planes_and_lines(problem):
    cut = gd.random_slice(gd.problems.rosenbrock(dim=20), np.ones(20), shape=(11, 11))
    _, ax = gd.plot.plane(cut)
    assert "20 parameters" in ax.get_title()
    run = gd.minimize(problem, [0.0, 0.0], ADAM, record=1)
    _, ax = gd.plot.plane(gd.path_slice(problem, run, shape=(11, 11)))
    assert "% of the path" in ax.get_xlabel()
    _, ax = gd.plot.line(gd.line_slice(problem, *problem.minima[:2]))
    assert any("barrier" in text.get_text() for text in ax.texts)


DRAWINGS = {
    "contour": lambda **o: gd.plot.contour(gd.problems.himmelblau(), shape=(21, 21), **o),
    "surface": lambda **o: gd.plot.surface(gd.problems.himmelblau(), shape=(11, 11), **o),
    "schedules": lambda **o: gd.plot.schedules({"a": gd.schedules.Constant(0.1)}, 10, **o),
    "line": lambda **o: gd.plot.line(gd.line_slice(gd.problems.himmelblau(), [0, 0], [1, 1]), **o),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_picture_is_saved_and_refuses_bad_names(name, tmp_path):
    DRAWINGS[name](out=tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="out must end in one of"):
        DRAWINGS[name](out=tmp_path / "picture.xyz")
    with pytest.raises(TypeError, match="ax must be"):
        DRAWINGS[name](ax=3)


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda p, r: gd.plot.contour(gd.problems.styblinski_tang(dim=1)), ValueError, "at least two parameters"),
    (lambda p, r: gd.plot.trajectories(3), TypeError, "runs must be what minimize returns"),
    (lambda p, r: gd.plot.trajectories({}), TypeError, "got an empty one"),
    (lambda p, r: gd.plot.trajectories(gd.minimize(p, [0.0, 0.0], ADAM)), ValueError, "must have a trace"),
    (lambda p, r: gd.plot.trajectories(r, on="ground"), ValueError, "on must be"),
    (lambda p, r: gd.plot.trajectories(r, max_paths=0), ValueError, "max_paths must be"),
    (lambda p, r: gd.plot.convergence(r, axes=[1, 2]), TypeError, "axes must be two"),
    (lambda p, r: gd.plot.learning_rates(p, [0.0, 0.0], ADAM, [0.1]), ValueError, "lr must be 2 to 6"),
    (lambda p, r: gd.plot.learning_rates(p, [[0.0, 0.0]], ADAM, [0.1, 1]), ValueError, "x0 must be one start"),
    (lambda p, r: gd.plot.schedules({}, 10), TypeError, "named must map"),
    (lambda p, r: gd.plot.schedules({"a": 0.1}, 10), TypeError, "named must map"),
    (lambda p, r: gd.plot.schedules({"a": gd.schedules.ReduceOnPlateau(0.1)}, 10), ValueError, "depends on the values"),
    (lambda p, r: gd.plot.schedules({"a": gd.schedules.Constant([0.1, 0.2])}, 10), ValueError, "plain numbers"),
    (lambda p, r: gd.plot.basins_grid([]), TypeError, "maps must be"),
    (lambda p, r: gd.plot.plane(3), TypeError, "cut must be"),
    (lambda p, r: gd.plot.line(3), TypeError, "cut must be"),
    (lambda p, r: gd.plot.sweep(3), TypeError, "found must be"),
])  # fmt: skip
def test_pictures_refuse(problem, recorded, call, error, match):
    with pytest.raises(error, match=match):
        call(problem, recorded)


def test_minima_and_passes_bear_the_numbers_of_the_table():
    found = gd.find_critical_points(gd.problems.mueller_brown(), 200)
    _, ax = gd.plot.disconnectivity(found)
    heights = {int(text.get_text()): text.xy[1] for text in ax.texts}
    assert sorted(heights) == [0, 1, 2, *found.tree().saddles]
    for number, height in heights.items():
        assert height == found.fun[number]
    _, ax = gd.plot.disconnectivity(found, max_labels=2)
    assert len(ax.texts) == 0
    assert ax.get_xlabel() == "3 minima, the lowest marked"
    (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert dot.get_ydata()[0] == found.fun[found.kind == "minimum"].min()


@pytest.mark.parametrize("count", [5, 30, 60])
def test_numbers_of_a_tree_have_room(count):
    minima, saddles = np.arange(count) + 100, np.arange(count - 1) + 300
    joined = [(100 + k, 101 + k) for k in range(count - 1)]
    tree = disconnectivity_tree(minima, np.linspace(0, 1, count), saddles, np.linspace(1.1, 2, count - 1), joined)
    figure, ax = gd.plot.disconnectivity(tree, max_labels=count)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_visible()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    shown = {text.get_text() for text in ax.texts if text.get_visible()}
    assert count > 30 or shown >= set(map(str, minima))


def test_lines_of_optimizers_have_no_colour_of_a_minimum(problem):
    found = gd.compare(problem, problem.grid((8, 8)), [gd.Adam(lr=0.05), PLAIN])
    profile = gd.plot.compare(found)[1][-1]
    assert not {to_hex(line.get_color()).upper() for line in profile.lines} & set(style.PALETTE)
    assert len({line.get_linestyle() for line in profile.lines}) == 2


def test_points_are_marked_by_their_kinds():
    problem = gd.problems.himmelblau()
    found = gd.find_critical_points(problem, 300)
    _, ax = gd.plot.contour(problem, points=found, shape=31)
    marked = {line.get_label(): len(line.get_xdata()) for line in ax.lines}
    assert marked == {"minimum": 4, "saddle": 4, "maximum": 1}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["minimum", "saddle", "maximum"]
    assert [text.get_text() for text in ax.texts] == [str(k) for k in range(9)]
    _, ax = gd.plot.contour(problem, points=gd.classify(problem, [[3.0, 2.0], [9.0, 9.0]]), shape=31)
    assert [len(line.get_xdata()) for line in ax.lines] == [1]
    many = gd.classify(problem, np.tile([3.0, 2.0], (31, 1)))
    _, ax = gd.plot.contour(problem, points=many, shape=31)
    assert len(ax.texts) == 0


def test_only_points_in_the_plane_are_marked():
    problem = gd.problems.styblinski_tang(dim=3)
    shape = gd.classify(problem, problem.minima[0] + np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]]))
    _, ax = gd.plot.contour(problem, points=shape, shape=21)
    assert [len(line.get_xdata()) for line in ax.lines] == [1]
