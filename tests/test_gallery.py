"""The scripts of the gallery make the pictures of the guide."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
SCRIPTS = sorted((DOCS / "gallery").glob("*.py"))
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
MADE = re.compile(r'OUT / "([^"]+)"')


def pages() -> list[Path]:
    return [page for page in DOCS.glob("**/*.md") if "_build" not in page.parts]


def test_every_picture_of_the_documentation_exists_and_is_described() -> None:
    shown = [(page, *found) for page in pages() for found in PICTURE.findall(page.read_text(encoding="utf-8"))]
    assert len(shown) > 20
    for page, description, target in shown:
        assert (page.parent / target).is_file(), f"{page.name}: {target}"
        assert description, f"{page.name}: {target} has no description"


def test_every_script_and_every_picture_is_in_the_gallery() -> None:
    gallery = (DOCS / "gallery.md").read_text(encoding="utf-8")
    made = {name for script in SCRIPTS for name in MADE.findall(script.read_text(encoding="utf-8"))}
    assert {path.name for path in (DOCS / "_static" / "gallery").iterdir()} == made
    for name in made:
        assert f"_static/gallery/{name}" in gallery
    for script in SCRIPTS:
        assert f"gallery/{script.name}" in gallery


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_run(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    assert {path.name for path in tmp_path.iterdir()} == set(MADE.findall(script.read_text(encoding="utf-8")))
