"""The picture of a map: what it shows where, what it says, and how it is saved."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fastgd as gd
from fastgd.basins import BasinMap, find_basins, map_basins
from fastgd.plot import basins as draw
from fastgd.plot import style
from fastgd.result import Result

# Machado, Oliveira and Fernandes 2009, severity 1, doi:10.1109/TVCG.2009.113: what colour-blind eyes see.
EYES = {
    "usual": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


@pytest.fixture(scope="module")
def himmelblau() -> BasinMap:
    return map_basins(gd.problems.make("himmelblau"), gd.Adam(lr=0.05), (24, 16), bounds=[(-6, 6), (-4, 4)])


def synthetic(labels, nit) -> BasinMap:
    """A map with these labels and steps, on unit steps from 0; attractor k lies at (k, 0) with value k."""
    labels, nit = np.asarray(labels), np.asarray(nit)
    status = np.select([labels == -1, labels == -2], [2, 3], 0)
    x = np.stack([labels.astype(float), np.zeros(labels.shape)], axis=-1)
    problem = gd.problems.make("himmelblau")
    runs = Result(x, x[..., 0], np.full(labels.shape, 1e-9), nit, status, None, problem, None)
    axes = (np.arange(labels.shape[0], dtype=float), np.arange(labels.shape[1], dtype=float))
    return BasinMap(find_basins(runs), nit, status, axes, (0, 1), np.zeros(2), problem, gd.Adam(lr=0.05))


def pixels(ax: Axes) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


def legend_texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_axes_title_and_extent(himmelblau):
    figure, ax = draw(himmelblau)
    assert isinstance(figure, Figure)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x[0]", "x[1]")
    assert ax.get_title() == "himmelblau, Adam, lr 0.05"
    assert ax.get_aspect() == 1.0
    # Pixels are centred on the starts, so the picture is half a step wider on each side.
    assert ax.images[0].get_extent() == pytest.approx((-6 - 6 / 23, 6 + 6 / 23, -4 - 4 / 15, 4 + 4 / 15))
    assert pixels(ax).shape == (16, 24, 3)


def test_the_title_says_where_other_parameters_are_held():
    rule = gd.GradientDescent(lr=0.005)
    found = map_basins(gd.problems.make("styblinski_tang", dim=3), rule, (8, 8), plane=(2, 0))
    _, ax = draw(found)
    assert ax.get_title() == "styblinski_tang, GradientDescent, lr 0.005\nx[1] = -2.90"
    assert draw(found, title="a")[1].get_title() == "a"
    other = map_basins(found.problem, rule, (8, 8), plane=(2, 0), at=[0, 1, 0])
    assert gd.plot.basins_grid([found, found])[0].get_suptitle() == "styblinski_tang; x[1] = -2.90"
    assert gd.plot.basins_grid([found, other])[0].get_suptitle() == "styblinski_tang"
    assert style.held_text(np.zeros(2), (0, 1)) == ""
    assert style.held_text(np.array([1.0, 0.0, 5.0, -1e-12, 120.0]), (0, 1)) == "x[2] = 5, x[3] = 0, x[4] = 120"
    assert style.held_text(np.arange(8.0), (0, 1)) == "the 6 others at a fixed point"


def test_each_start_has_the_hue_of_its_attractor_and_darkens_with_its_steps():
    found = synthetic([[0, 0, 0], [1, 1, -1], [1, 0, -2]], [[10, 30, 90], [10, 90, 5], [30, 30, 5]])
    _, ax = draw(found)
    image = pixels(ax).astype(int)
    blue, orange = (255 * style.colours(np.ones(2))).round()
    # Start [a, b] is column a of row b, rows upwards.
    assert ax.images[0].origin == "lower"
    assert tuple(image[2, 1]) == tuple(int(style.UNSETTLED_COLOUR[k : k + 2], 16) for k in (1, 3, 5))
    assert tuple(image[2, 2]) == (0, 0, 0)
    assert image[0, 0].sum() > image[1, 0].sum() > image[2, 0].sum()
    assert np.abs(image[1, 0] - blue).max() <= 4
    assert np.abs(image[0, 2] - orange).max() <= 4


def test_legend_says_where_what_and_how_often():
    found = synthetic([[0, 0, 0, 1], [0, 0, 1, -1], [0, 0, 1, -2]], np.arange(12).reshape(3, 4))
    _, ax = draw(found)
    assert legend_texts(ax) == [
        "(0.00, 0.00)   f = 0   58.3%",
        "(1.00, 0.00)   f = 1   25.0%",
        "not settled   8.3%",
        "diverged   8.3%",
    ]


def test_long_legends_are_cut_to_the_largest_shares():
    labels = np.concatenate([np.arange(30), np.full(70, 17)]).reshape(10, 10)
    _, ax = draw(synthetic(labels, np.ones((10, 10), int)), max_legend=3, color_by="basin")
    texts = legend_texts(ax)
    assert any("f = 17" in text and "71.0%" in text for text in texts)
    assert texts[3:] == ["13 more   13.0%", "others (14)   14.0%"]
    _, ax = draw(synthetic(labels[:2], np.ones((2, 10), int)), max_legend=3, color_by="basin")
    assert legend_texts(ax)[3:] == ["13 more   65.0%", "others (4)   20.0%"]


def test_minima_are_marked(himmelblau):
    _, ax = draw(himmelblau)
    marks = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in ax.lines}
    assert marks == {tuple(point) for point in himmelblau.basins.x.tolist()}


def test_saddles_and_maxima_have_the_marks_and_the_names_of_their_kinds():
    # Descents from the column x[0] = 0 end at the saddle, and the start at the origin of the other stays at its maximum
    wells = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, dim=2, bounds=(-2, 2), name="wells")
    _, ax = draw(map_basins(wells, gd.GradientDescent(lr=0.02), (21, 21)))
    marks = {(line.get_xdata().round(3)[0], line.get_marker()) for line in ax.lines}
    assert marks == {(-1.0, "o"), (1.0, "o"), (0.0, "X")}
    assert legend_texts(ax)[2] == "saddle (0.00, 0.00)   f = 1   4.8%"
    four = gd.Problem(lambda x: (x[0] ** 2 - 1) ** 2 + (x[1] ** 2 - 1) ** 2, dim=2, bounds=(-1.5, 1.5))
    _, ax = draw(map_basins(four, gd.GradientDescent(lr=0.02), (21, 21)))
    assert [line.get_marker() for line in ax.lines] == ["o"] * 4 + ["X"] * 4 + ["^"]
    assert legend_texts(ax)[-1] == "maximum (0.00, 0.00)   f = 2   0.2%"


def test_only_attractors_in_the_plane_are_marked():
    problem = gd.problems.make("styblinski_tang", dim=3)
    rule = gd.GradientDescent(lr=0.005)
    low = map_basins(problem, rule, (8, 8), plane=(0, 2), at=[0.0, -2.903534, 0.0])
    off = map_basins(problem, rule, (8, 8), plane=(0, 2), at=[0.0, -2.0, 0.0])
    assert len(low.basins) == len(off.basins) == 4
    assert len(draw(low)[1].lines) == 4
    assert len(draw(off)[1].lines) == 0
    assert draw(low)[1].get_ylabel() == "x[2]"
    assert legend_texts(draw(low)[1])[0].startswith("0:   f = -117.5")


@pytest.mark.parametrize(("kind", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_saved_by_extension(himmelblau, tmp_path, kind, magic):
    out = tmp_path / f"map.{kind}"
    draw(himmelblau, out=out)
    assert out.read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["map.xyz", "map", "missing/map.png"])
def test_bad_file_names_are_told_before_drawing(himmelblau, tmp_path, name):
    told = r"out must (end in one of .*\.pdf, .*\.png|name a file in a folder)"
    with pytest.raises(ValueError, match=told):
        draw(himmelblau, out=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_draws_on_given_axes(himmelblau):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    nested = figure.subfigures(1, 1).add_subplot()
    assert draw(himmelblau, ax=left, legend=False) == (figure, left)
    assert draw(himmelblau, ax=nested)[0] is figure
    assert left.get_legend() is None
    assert not right.images


@pytest.mark.parametrize("label", [-1, -2])
def test_a_map_without_attractors(label):
    _, ax = draw(synthetic(np.full((3, 3), label), np.ones((3, 3), int)))
    assert len(legend_texts(ax)) == 1
    assert not ax.lines


def test_it_refuses(himmelblau):
    with pytest.raises(TypeError, match="what map_basins returns"):
        draw(himmelblau.basins)
    with pytest.raises(TypeError, match="ax must be"):
        draw(himmelblau, ax="left")
    with pytest.raises(ValueError, match="max_legend"):
        draw(himmelblau, max_legend=0)


def test_missing_matplotlib_names_the_extra(himmelblau, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "\.\[plot\]"'):
        draw(himmelblau)


def test_a_file_leaves_pyplot_alone_and_nothing_is_imported_early(tmp_path):
    code = (
        "import sys, numpy as np, fastgd, fastgd.plot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from fastgd.basins import map_basins\n"
        "found = map_basins(fastgd.problems.make('himmelblau'), fastgd.Adam(lr=0.05), (4, 4))\n"
        f"fastgd.plot.basins(found, out={str(tmp_path / 'a.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lightness(rgb):
    """CIE L* of sRGB."""
    y = linear(rgb) @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def lab(rgb):
    """CIE L*a*b* of linear sRGB, white D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(rgb.clip(0, 1) @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("eye", EYES)
def test_the_first_colours_differ_to_every_eye(eye):
    seen = lab(linear(style.colours(np.ones(7))) @ EYES[eye].T)
    distance = np.linalg.norm(seen[:, None] - seen[None, :], axis=-1)
    # A difference of 2.3 is just noticeable; colours of a map must differ several times as much.
    assert distance[~np.eye(7, dtype=bool)].min() > 10


def test_shades_darken_evenly_and_pass_through_the_colour():
    colours = style.colours(np.ones(7))
    table = style.shades(colours, 65)
    assert table.shape == (7, 65, 3)
    assert np.allclose(table[:, 32], colours, atol=1e-5)
    steps = -np.diff(lightness(table), axis=1)
    assert np.all(steps > 0)
    for half in (steps[:, :32], steps[:, 32:]):
        assert np.all(half.max(axis=1) < 2.5 * half.min(axis=1))


def test_past_the_palette_the_largest_basins_have_its_colours_and_the_rest_one_of_its_own():
    sizes = np.arange(40) % 20  # the largest 16 are those of 12 to 19, twice
    many = style.colours(sizes)
    other = style.is_other(many)
    assert np.array_equal(other, sizes < 12)
    assert len(np.unique(many, axis=0)) == 17
    np.testing.assert_array_equal(many[~other], style.colours(np.ones(16)))  # in the order of their numbers
    assert not style.is_other(style.colours(np.ones(16))).any()
    assert style.colours(np.zeros(0)).shape == (0, 3)
    tones = lightness(np.array([style.rgb(code) for code in (style.DIVERGED_COLOUR, style.OTHER_COLOUR)]))
    assert np.diff([*tones, lightness(style.rgb(style.UNSETTLED_COLOUR))]).min() > 25  # of 100 from black to white


def test_the_other_minima_are_drawn_without_shades():
    labels = np.repeat(np.arange(20), [9, 9, 9, 1, *[5] * 14, 1, 1]).reshape(4, 25)
    found = synthetic(labels, np.arange(100).reshape(4, 25))
    _, ax = draw(found)
    image, small = pixels(ax).transpose(1, 0, 2), np.isin(found.labels, [3, 18, 19, 17])
    grey = np.round(255 * style.rgb(style.OTHER_COLOUR))
    assert np.array_equal((image == grey).all(axis=-1), small)
    assert legend_texts(ax)[-1] == "others (4)   8.0%"


def test_a_map_is_frozen(himmelblau):
    with pytest.raises(dataclasses.FrozenInstanceError):
        himmelblau.nit = None
    assert repr(himmelblau) == "<BasinMap of himmelblau: 24 x 16 starts in x[0], x[1], 4 attractors>"
    assert repr(synthetic([[0, 0]], [[1, 2]])).endswith("1 x 2 starts in x[0], x[1], 1 attractor>")
