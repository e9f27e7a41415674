"""The Python code in the README and in the documentation runs, page by page from top to bottom."""

import inspect
import re
from pathlib import Path

import pytest

import fastgd as gd

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    if "_build" not in path.parts and BLOCK.search(path.read_text(encoding="utf-8"))
)


def test_readme_shows_code() -> None:
    assert "README.md" in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    for block in BLOCK.finditer(text):
        # Leading newlines give an error the line number that it has in the page.
        source = "\n" * text[: block.start(1)].count("\n") + block.group(1)
        exec(compile(source, str(ROOT / page), "exec"), namespace)


def test_readme_example_finds_the_four_minima(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = BLOCK.search(text).group(1)
    assert "1_000_000" in example
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    exec(compile(example.split("gd.plot")[0], "README.md", "exec"), namespace)
    basins = namespace["basins"]
    # Himmelblau's minima to 15 digits, from the roots of its two factors.
    expected = (
        (3.0, 2.0),
        (-2.80511808695274, 3.13131251825057),
        (-3.77931025337775, -3.28318599128617),
        (3.58442834033049, -1.8481265269644),
    )
    assert len(basins) == 4
    for x, y in expected:
        assert min(max(abs(x - u), abs(y - v)) for u, v in basins.x) < 1e-8
    assert sum(basins.fractions) == pytest.approx(1.0, abs=1e-3)


def test_every_public_name_is_documented() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
    names = [name for name in gd.__all__ if not name.startswith("_")]
    missing = [name for name in names if not re.search(rf"\b{re.escape(name)}\b", pages)]
    assert not missing


def public_objects() -> dict[str, object]:
    """All that users reach by a public name: functions, classes, and the classes' public members."""
    found: dict[str, object] = {}
    for name in gd.__all__:
        thing = getattr(gd, name)
        members = list(getattr(thing, "__all__", ())) if inspect.ismodule(thing) else []
        if inspect.isclass(thing):
            members = [n for n in vars(thing) if not n.startswith("_")]
        for path, item in [(name, thing), *((f"{name}.{n}", getattr(thing, n)) for n in members)]:
            if callable(item) or inspect.isdatadescriptor(item) or inspect.ismodule(item):
                found[path] = item
    return found


def test_every_public_object_has_a_docstring() -> None:
    objects = public_objects()
    assert "Problem.sample" in objects
    assert "minimize" in objects
    assert [path for path, item in objects.items() if not inspect.getdoc(item)] == []
