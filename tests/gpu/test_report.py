"""The report of the GPU: its logic at tiny sizes on the simulator, where its figures mean nothing."""

import importlib.util
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


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("gpu_report", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_section_that_fails_is_recorded(program) -> None:
    found = program.measured("unheard_of", {}, 60.0)
    assert found["rows"] == found["left_out"] == []
    assert found["error"] == "ValueError: there is no section 'unheard_of'"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", None), ("raise SystemExit(3)", "ended with status 3"), ("import os; os.abort()", "ended by signal 6"),
        ("import time; time.sleep(60)", "cut short after 1 s"),
    ],
)  # fmt: skip
def test_how_a_section_ends(program, code, expected) -> None:
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as process:
        assert program.wait_for(process, 1.0 if "sleep" in code else 60.0) == expected
        assert process.returncode is not None


def test_sections_share_what_is_left_of_the_time(program, tmp_path, monkeypatch, capsys) -> None:
    """A section that fails takes nothing from the others, nor does one that takes too long."""
    now, given, path = [0.0], {}, tmp_path / "report.json"

    def measured(name, sizes, seconds):
        given[name] = seconds
        if name == "map":
            raise OSError("no process")
        now[0] += seconds if name == "in_place" else 1.0
        rows = [{"runs": runs, "gpu_seconds": 2.0, "cpu_seconds": seconds} for runs, seconds in ((10, 1.0), (40, 3.0))]
        return {"rows": rows, "left_out": ["160 runs"], "error": None}

    monkeypatch.setattr(program, "measured", measured)
    monkeypatch.setattr(program.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(program, "be_section", None)
    monkeypatch.setattr("fastgd.jit.cuda.missing", lambda: None)
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    monkeypatch.setattr(sys, "argv", ["gpu_report.py", "--seconds", "300", "--json", str(path), "--no-tests"])
    assert program.main() == 2
    report = json.loads(path.read_text(encoding="utf-8"))
    assert list(report["sections"]) == [name for name in program.SHARES if name != "tests"]
    assert report["sections"]["map"] == {"rows": [], "left_out": [], "error": "OSError: no process", "seconds": 0.0}
    assert report["gpu_faster_from"] == 40
    assert report["seconds"] < 300.0
    assert given["steps"] > given["in_place"] > 10.0
    shown = capsys.readouterr().out
    assert "FAILED: OSError: no process" in shown
    assert "left out: 160 runs" in shown


@pytest.mark.parametrize(("gpu", "cpu", "expected"), [([1, 1], [2, 2], 4), ([3, 1], [2, 2], 8), ([1, 3], [2, 2], None)])
def test_from_how_many_runs_the_gpu_is_faster(program, gpu, cpu, expected) -> None:
    rows = [
        {"runs": runs, "gpu_seconds": one, "cpu_seconds": other}
        for runs, one, other in zip((4, 8), gpu, cpu, strict=True)
    ]
    assert program.faster_from(rows) == expected
    assert program.faster_from([]) is None


@pytest.mark.slow
def test_every_section_runs(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = run("--dry-run", "--seconds", "2000", "--json", str(path))
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["dry_run"] is True
    rows = {name: found["rows"] for name, found in report["sections"].items()}
    assert rows["card"] == [{"name": "Numba's CUDA simulator"}]
    assert {(row["case"], row["dtype"]) for row in rows["steps"]} == {
        (case, dtype)
        for case in ("himmelblau-adam", "rosenbrock10-momentum", "rastrigin10-adam")
        for dtype in ("float64", "float32")
    }
    assert all(row["ns_per_step"] > 0 for row in rows["steps"])
    assert len(rows["stochastic"]) == 3
    assert all(row["largest_difference"] < 1e-12 for row in rows["stochastic"])
    assert [row["dtype"] for row in rows["in_place"]] == ["float64", "float32"]
    assert len(rows["crossover"]) == 2
    assert rows["flow"][0]["success"] == 1.0
    assert all(row["own_ns"] > 0 and row["in_place_ns"] > 0 for row in rows["layouts"])
    assert rows["map"][0]["success"] == 1.0
    assert all(row["verdict"].startswith("missing") for row in rows["peers"])
    for name in rows:
        assert f"{name}, " in done.stdout
