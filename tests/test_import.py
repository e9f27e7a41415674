"""`import fastgd` is cheap: it loads nothing that only a part of its users needs."""

import json
import subprocess
import sys

import pytest

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


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    import fastgd

    assert fastgd.__version__ == version("fastgd")


def test_public_names_exist_and_are_unique() -> None:
    import fastgd

    assert len(set(fastgd.__all__)) == len(fastgd.__all__)
    for name in fastgd.__all__:
        assert hasattr(fastgd, name), name
