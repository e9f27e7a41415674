"""Pictures appear where they are drawn: in a notebook's cell once, with ``plt.show()``, and none stays behind."""

import gc
import subprocess
import sys
import threading
import weakref

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastgd as gd
from fastgd.basins import map_basins


@pytest.fixture(scope="module")
def himmelblau():
    return map_basins(gd.problems.himmelblau(), gd.Adam(lr=0.05), (12, 12))


def bowl():
    return gd.problems.himmelblau()


DRAWN = {
    "contour": lambda **k: gd.plot.contour(bowl(), **k),
    "surface": lambda **k: gd.plot.surface(bowl(), **k),
    "schedules": lambda **k: gd.plot.schedules({"cosine": gd.schedules.Cosine(0.1, period=50)}, 50, **k),
    "layer_gradients": lambda **k: gd.plot.layer_gradients({"a": np.ones((3, 4))}, **k),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_new_figure_is_pyplots(name):
    figure, _ = DRAWN[name]()
    assert plt.gcf() is figure
    assert len(plt.get_fignums()) == 1
    plt.close(figure)
    assert plt.get_fignums() == []


def test_maps_are_pyplots(himmelblau):
    figure, ax = gd.plot.basins(himmelblau)
    assert plt.gcf() is figure
    assert plt.gca() in figure.axes
    assert ax in figure.axes
    other, _ = gd.plot.basins(himmelblau)
    assert plt.gcf() is other
    assert len(plt.get_fignums()) == 2


def test_savefig_of_pyplot_writes_the_picture(himmelblau, tmp_path):
    gd.plot.basins(himmelblau)
    plt.savefig(tmp_path / "a.png")
    assert len(np.unique(plt.imread(tmp_path / "a.png").reshape(-1, 4), axis=0)) > 10


def test_axes_of_ones_own_make_no_other_figure(himmelblau):
    figure, ax = plt.subplots(layout="constrained")
    drawn, same = gd.plot.basins(himmelblau, ax=ax)
    assert (drawn, same) == (figure, ax)
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", DRAWN)
def test_a_file_is_all_there_is(name, tmp_path):
    figure, _ = DRAWN[name](out=tmp_path / "a.png")
    assert plt.get_fignums() == []
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert figure.axes


def test_another_thread_leaves_pyplot_alone():
    thread = threading.Thread(target=DRAWN["schedules"])
    thread.start()
    thread.join()
    assert plt.get_fignums() == []


def test_a_picture_that_fails_is_not_left_open(himmelblau):
    with pytest.raises(ValueError, match="max_legend"):
        gd.plot.basins(himmelblau, max_legend=0)
    assert plt.get_fignums() == []


def test_figure_and_axes_are_still_a_pair(himmelblau):
    drawn = gd.plot.basins(himmelblau)
    assert isinstance(drawn, tuple)
    assert len(drawn) == 2
    assert drawn == (drawn[0], drawn[1])


def count_written(folder, times):
    kept = []
    for _ in range(times):
        figure, _ = gd.plot.layer_gradients({"a": np.ones((2, 3))}, out=folder / "a.svg")
        kept.append(weakref.ref(figure))
    del figure
    gc.collect()
    return sum(ref() is not None for ref in kept)


def test_pictures_that_are_written_are_not_pyplots(tmp_path):
    count_written(tmp_path, 25)  # more than the twenty that Matplotlib warns of
    assert plt.get_fignums() == []


@pytest.mark.slow
def test_a_thousand_pictures_leave_nothing(tmp_path):
    """The warning of more than 20 figures would be an error here."""
    assert count_written(tmp_path, 1000) < 100  # Matplotlib holds the texts of the last ones
    assert plt.get_fignums() == []


CELL = """
import sys, types
shown = []
display = types.ModuleType("IPython.display")
display.display = shown.append
notebook = types.ModuleType("IPython")
notebook.version_info, notebook.get_ipython = (9, 0), lambda: None
sys.modules["IPython"], sys.modules["IPython.display"] = notebook, display
import fastgd as gd
import matplotlib.pyplot as plt
picture = gd.plot.contour(gd.problems.himmelblau())
picture._ipython_display_()
assert shown == [] and plt.get_fignums() == [1], "the cell's end shows it"
plt.close("all")
picture._ipython_display_()
assert shown == [picture[0]], "in a later cell"
"""


def test_a_cell_shows_a_picture_once():
    """A notebook asks the value of a cell to show itself, and shows and closes what pyplot has open at its end."""
    subprocess.run([sys.executable, "-c", CELL], check=True)
