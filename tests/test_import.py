"""`import fastgd` is cheap: it loads nothing that only a part of its users needs."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fastgd

HEAVY = (
    "numba.cuda",
    "matplotlib",
    "sympy",
    "mpmath",
    "dask",
    "rich",
    "typer",
    "click",
    "scipy.optimize",
    "scipy.integrate",
    "scipy.stats",
    "pandas",
    "torch",
    "jax",
)


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded once it has run `code`."""
    program = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def after_import() -> set[str]:
    return modules_after("import fastgd")


@pytest.mark.parametrize("module", HEAVY)
def test_import_leaves_out(after_import: set[str], module: str) -> None:
    assert "fastgd" in after_import
    assert module not in after_import, f"`import fastgd` loads {module}"


def test_the_check_sees_a_heavy_module() -> None:
    assert "sympy" in modules_after("import fastgd, sympy")


def test_plot_is_loaded_on_first_use() -> None:
    before = modules_after("import fastgd")
    after = modules_after("import fastgd as gd; gd.plot.basins")
    assert "fastgd.plot" not in before
    assert "fastgd.plot" in after


def imports_of_numba_cuda(path: Path) -> list[int]:
    """The lines at which a file imports ``numba.cuda``."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import) and any(alias.name.startswith("numba.cuda") for alias in node.names):
            lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            lines += [node.lineno] if any(name.startswith("numba.cuda") for name in whole) else []
    return lines


def test_only_modules_named_after_it_import_numba_cuda() -> None:
    package = Path(fastgd.__file__).parent
    found = {path.relative_to(package) for path in package.rglob("*.py") if imports_of_numba_cuda(path)}
    assert Path("engine/cuda/kernels.py") in found
    others = [str(path) for path in found if not any(part.startswith("cuda") for part in path.parts)]
    assert others == []


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is not None, reason="numba-cuda is installed")
def test_a_large_batch_without_the_extra_loads_no_cuda() -> None:
    code = """
import numpy, fastgd as gd
gd.minimize(gd.problems.himmelblau(), numpy.zeros((100_000, 2)), gd.Adam(lr=0.05), max_steps=1)
"""
    assert "numba.cuda" not in modules_after(code)


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert fastgd.__version__ == version("fastgd")


def test_public_names_exist_and_are_unique() -> None:
    assert len(set(fastgd.__all__)) == len(fastgd.__all__)
    for name in fastgd.__all__:
        assert hasattr(fastgd, name), name


@pytest.mark.parametrize("name", ["", "datasets", "measures", "optimizers", "plot", "problems", "schedules"])
def test_completion_offers_the_public_names_only(name: str) -> None:
    place = getattr(fastgd, name) if name else fastgd
    assert dir(place) == sorted(place.__all__)
