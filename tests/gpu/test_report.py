"""The report of the GPU: its logic at tiny sizes on the simulator, where its figures mean nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "asv_benches" / "gpu_report.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    command = [sys.executable, str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=plain, check=False)


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--dry-run" in done.stdout


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    from fastgd.jit.cuda import missing

    if missing() is None:
        pytest.skip("there is one")
    done = run("--json", str(tmp_path / "report.json"))
    assert done.returncode == 1
    assert "no figures: " in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_part_runs(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = run("--dry-run", "--no-tests", "--json", str(path))
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["dry_run"] is True
    assert {(row["case"], row["dtype"]) for row in report["steps"]} == {
        (case, dtype)
        for case in ("himmelblau-adam", "rosenbrock10-momentum", "rastrigin10-adam")
        for dtype in ("float64", "float32")
    }
    assert all(row["ns_per_step"] > 0 for row in report["steps"])
    assert len(report["stochastic"]) == 3
    assert all(row["largest_difference"] < 1e-12 for row in report["stochastic"])
    assert [row["dtype"] for row in report["in_place"]] == ["float64", "float32"]
    assert len(report["crossover"]["rows"]) == 2
    assert report["flow"]["success"] == 1.0
    assert all(row["own_ns"] > 0 and row["in_place_ns"] > 0 for row in report["layouts"])
    assert report["map"]["success"] == 1.0
    assert all(row["verdict"].startswith("missing") for row in report["peers"])
