"""Pictures that cannot be written are refused before anything is drawn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import fastgd as gd
from fastgd.plot import figures

pytest.importorskip("matplotlib")

HIMMELBLAU = gd.problems.himmelblau()


def refused_before_drawing(path: Any, match: str) -> None:
    for draw in (gd.plot.contour, gd.plot.surface):
        undrawn = mock.patch.object(figures, "new_figure", side_effect=AssertionError("it was drawn"))
        with undrawn, pytest.raises(ValueError, match=match):
            draw(HIMMELBLAU, out=path)


def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    refused_before_drawing(tmp_path / "nowhere" / "a.png", "in a folder that exists")
    refused_before_drawing(tmp_path / ("a" * 300 + ".png"), "can be written.*name too long")
    (tmp_path / "file").write_text("")
    refused_before_drawing(tmp_path / "file" / "a.png", "in a folder that exists")
    if Path("/proc").is_dir():
        refused_before_drawing("/proc/a.png", "can be written")
    (tmp_path / "to_nowhere.png").symlink_to(tmp_path / "nowhere" / "b.png")
    refused_before_drawing(tmp_path / "to_nowhere.png", "can be written")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    refused_before_drawing(folder / "a.png", "can be written.*Permission denied")
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "old.png").chmod(0o400)
    refused_before_drawing(tmp_path / "old.png", "can be written.*Permission denied")


def test_the_look_leaves_files_as_they_are(tmp_path: Path) -> None:
    there, new = tmp_path / "there.png", tmp_path / "new.png"
    there.write_bytes(b"old")
    os.utime(there, (1.0, 1.0))
    for path in (there, new):
        assert figures.checked_path(path) == path
    assert there.read_bytes() == b"old"
    assert there.stat().st_mtime == 1.0
    assert not new.exists()
    gd.plot.contour(HIMMELBLAU, out=new)
    assert new.stat().st_size > 1000


def test_a_movie_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    runs = gd.minimize(HIMMELBLAU, HIMMELBLAU.sample(3), gd.Momentum(lr=0.01), record=1, max_steps=5)
    with pytest.raises(ValueError, match=r"can be written.*name too long"):
        gd.plot.animation(runs, tmp_path / ("a" * 300 + ".gif"))
