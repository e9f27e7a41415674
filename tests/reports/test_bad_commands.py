"""Mistakes on the command line are one line each, and a reader that goes away takes no picture with it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
from bad_inputs_commands import DIGITS, LONG, ROWS
from numba.core.dispatcher import Dispatcher

from fastgd import cli
from fastgd.engine import cpu


@pytest.mark.parametrize(("line", "words"), ROWS, ids=[line for line, _ in ROWS])
def test_bad_commands(line: str, words: str, capsys: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = line.replace("LONG", LONG).replace("DIGITS", DIGITS).split()
    begun = AssertionError("work has begun")
    with mock.patch.object(Dispatcher, "compile", side_effect=begun), mock.patch.object(cpu, "run", side_effect=begun):
        code = cli.main(arguments)
    out, err = capsys.readouterr()
    assert code == 2
    assert err.startswith("fastgd: ")
    assert err.count("\n") == 1
    assert words in err
    assert len(err) < 700
    assert "Traceback" not in err
    assert not out
    assert not list(tmp_path.iterdir())


def closed(arguments: list[str], folder: pathlib.Path) -> tuple[int, str]:
    """Run the command with a reader that goes away at once: exit code, and what stands on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "fastgd", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(cli.__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    return process.wait(timeout=300), err


@pytest.mark.parametrize("command", ["problems", "optimizers", "info", "--help", "basins --help"])
def test_a_reader_that_goes_away_from_a_list(command: str, tmp_path: pathlib.Path) -> None:
    code, err = closed(command.split(), tmp_path)
    assert code == 1
    assert not err


@pytest.mark.parametrize(
    "command",
    [
        "basins himmelblau --shape 8 --optimizer gradient_descent --lr 0.01 --out r.png",
        pytest.param(
            "compare himmelblau --shape 8 --optimizers gradient_descent --lr 0.01 --out r.png", marks=pytest.mark.slow
        ),
        pytest.param(
            "compare himmelblau --starts 50 --optimizers gradient_descent --lr 0.01 --out r.pdf", marks=pytest.mark.slow
        ),
    ],
)
def test_a_reader_that_goes_away_takes_no_picture_with_it(command: str, tmp_path: pathlib.Path) -> None:
    code, err = closed(command.split(), tmp_path)
    name = command.split()[-1]
    assert code == 1
    assert err == f"fastgd: the output was closed before its end; picture: {name}\n"
    assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fastgd", "problems"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert done.returncode == 1
    assert done.stderr.startswith("fastgd: cannot write the output: ")
    assert done.stderr.count("\n") == 1
