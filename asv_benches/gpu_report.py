"""The GPU target on the card at hand: its figures, the peers on the same card, and its tests, in one call.

    python asv_benches/gpu_report.py [--seconds 460] [--json gpu_report.json] [--no-tests] [--no-peers] [--dry-run]

Each section is a process of its own with a share of the time.  One that fails, hangs or is killed by the driver is
recorded with what it had measured by then, and the others go on.  Prints a table of each and writes everything to a
JSON file after each, so that what was measured is there even if the call is cut short.  Sizes follow the memory of the
card and the time; what finds no place in them is left out and said so.  With `--dry-run` it runs at tiny sizes on
Numba's CUDA simulator, where the figures mean nothing, and without the tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = "tests/gpu/test_gpu.py"
# Each section's part of what is left of the time when its turn comes, beside those behind it
SHARES = {
    "card": 1.0, "map": 2.0, "in_place": 2.0, "steps": 6.0, "crossover": 3.0, "flow": 2.0, "stochastic": 3.0,
    "layouts": 3.0, "peers": 4.0, "tests": 8.0,
}  # fmt: skip
OWN_SHARE = 0.85  # of a section's time, which it plans by; at the end of the whole it is killed
FAREWELL = 10.0  # seconds in which the tests tell what they have come to when they are cut short


def say(text: str) -> None:
    """Tell on standard error what is under way, so that the tables stand alone on standard output."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=460.0, help="for everything (default: %(default)g)")
    parser.add_argument("--json", type=Path, default=Path("gpu_report.json"), help="where to (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=SHARES, metavar="SECTION", help=f"some of {', '.join(SHARES)}")
    parser.add_argument("--no-tests", action="store_true", help="leave out the tests marked gpu")
    parser.add_argument("--no-peers", action="store_true", help="leave out JAX and PyTorch")
    parser.add_argument("--runs", type=float, nargs="+", default=[1e4, 1e5, 1e6, 1e7, 1e8], help="numbers of runs")
    parser.add_argument("--peer-runs", type=int, default=1 << 20, help="runs beside the peers (default: %(default)d)")
    parser.add_argument(
        "--stochastic-runs", type=int, default=1 << 16, help="with mini-batches or noise (default: %(default)d)"
    )
    parser.add_argument("--flow-runs", type=int, default=1 << 20, help="of the flow (default: %(default)d)")
    parser.add_argument("--parameters", type=float, default=2e8, help="of the step in place (default: %(default)g)")
    parser.add_argument("--side", type=int, default=4096, help="of the map (default: %(default)d)")
    parser.add_argument("--dry-run", action="store_true", help="on the simulator, at tiny sizes")
    parser.add_argument("--section", help=argparse.SUPPRESS)  # what the process of a section is told
    return parser.parse_args()


def sizes_of(options: argparse.Namespace) -> dict[str, Any]:
    """How much each section measures."""
    if options.dry_run:
        return {
            "runs": [2, 4], "peer_runs": 2, "stochastic_runs": 2, "flow_runs": 4, "parameters": 40, "side": 2,
            "lengths": [2, 3], "crossover": [2, 4],
        }  # fmt: skip
    return {
        "runs": [int(runs) for runs in options.runs], "peer_runs": options.peer_runs, "side": options.side,
        "stochastic_runs": options.stochastic_runs, "flow_runs": options.flow_runs,
        "parameters": int(options.parameters), "lengths": [10, 40, 160, 640, 2560],
        "crossover": [1 << k for k in range(8, 23, 2)],
    }  # fmt: skip


def be_section(told: str) -> int:
    """The process of a section: a line of JSON for each row, as soon as it is there, and one for an error."""
    what = json.loads(told)
    with open(what["rows"], "w", encoding="utf-8") as file:
        try:
            from gpu import measure

            for row in measure.section(what["name"], what["sizes"], measure.Clock(what["seconds"]), say):
                print(json.dumps(row), file=file, flush=True)
        except Exception as error:  # of whatever class: it is recorded, and the other sections go on
            traceback.print_exc()
            print(json.dumps({"error": one_line(error)}), file=file, flush=True)
    return 0


def one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def end(process: subprocess.Popen[Any], kind: signal.Signals) -> None:
    """Send a signal to a process and to those that it has started."""
    try:
        os.killpg(process.pid, kind)
    except ProcessLookupError:  # it has ended meanwhile
        return


def wait_for(process: subprocess.Popen[Any], seconds: float, farewell: float = 0.0) -> str | None:
    """Wait until a process ends, or end it; why it has not ended well, or None."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        if farewell:
            end(process, signal.SIGINT)
            try:
                process.wait(farewell)
            except subprocess.TimeoutExpired:
                say("the process does not end by itself")
        return f"cut short after {seconds:.0f} s"
    finally:
        end(process, signal.SIGKILL)
        process.wait()
    return None if code == 0 else f"ended by signal {-code}" if code < 0 else f"ended with status {code}"


def measured(name: str, sizes: dict[str, Any], seconds: float) -> dict[str, Any]:
    """A section's rows, what it left out, and its error, by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        told = {"name": name, "sizes": sizes, "seconds": OWN_SHARE * seconds, "rows": str(path)}
        command = [sys.executable, __file__, "--section", json.dumps(told)]
        with subprocess.Popen(command, start_new_session=True, stdout=sys.stderr) as process:
            error = wait_for(process, seconds)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]  # the last one may be cut
    errors = [row["error"] for row in found if "error" in row] + ([error] if error else [])
    return {
        "rows": [row for row in found if not row.keys() & {"error", "left_out"}],
        "left_out": [row["left_out"] for row in found if "left_out" in row], "error": "; ".join(errors) or None,
    }  # fmt: skip


def tested(seconds: float) -> dict[str, Any]:
    """The tests that need a GPU, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu and not slow", "-p", "no:cacheprovider", "-rA", TESTS]
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(min(8, os.cpu_count() or 1))]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        with subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        ) as process:
            error = wait_for(process, max(1.0, seconds - FAREWELL), FAREWELL)
        file.seek(0)
        lines = file.read().strip().splitlines()
    shown = [line for line in lines if line.startswith(("FAILED", "ERROR", "measured:"))]
    told = [line for line in lines if " passed" in line or " failed" in line or " skipped" in line][-1:]
    return {"rows": [{"test": line} for line in [*told, *shown]], "left_out": [], "error": error}


def table(rows: list[dict[str, Any]]) -> None:
    """Print dictionaries of the same keys."""
    if not rows:
        return

    def text(value: Any) -> str:
        if isinstance(value, list):
            value = min(value, default=None)
        if value is None:
            return "-"
        return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)

    cells = [tuple(rows[0]), *(tuple(map(text, row.values())) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def show(name: str, found: dict[str, Any]) -> None:
    print(f"{name}, {found['seconds']:.0f} s")
    if name in ("card", "tests"):
        for row in found["rows"]:
            print(*(f"  {key}: {value}" for key, value in row.items()), sep="\n")
    else:
        table(found["rows"])
    for text in found["left_out"]:
        print(f"left out: {text}")
    if found["error"]:
        print(f"FAILED: {found['error']}")
    print(flush=True)


def faster_from(rows: list[dict[str, Any]]) -> int | None:
    """The number of runs from which on the GPU is faster in all of the rows, if in any."""
    slower = [row["runs"] for row in rows if row["gpu_seconds"] >= row["cpu_seconds"]]
    return min((row["runs"] for row in rows if row["runs"] > max(slower, default=0)), default=None)


def main() -> int:
    options = arguments()
    if options.section:
        return be_section(options.section)
    if options.dry_run:
        os.environ |= {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    start = time.monotonic()
    from fastgd.jit.cuda import missing

    if reason := missing():
        say(f"no figures: {reason}")
        return 1
    from comparison.rows import machine

    wanted = {"tests": not (options.no_tests or options.dry_run), "peers": not options.no_peers}
    names = [name for name in SHARES if name in (options.only or SHARES) and wanted.get(name, True)]
    report: dict[str, Any] = {"machine": machine(), "dry_run": options.dry_run, "sections": {}}
    for k, name in enumerate(names):
        begun = time.monotonic()
        rest = start + options.seconds - begun
        seconds = rest * SHARES[name] / sum(SHARES[each] for each in names[k:])
        say(f"{name}: at most {seconds:.0f} s")
        try:
            found = tested(seconds) if name == "tests" else measured(name, sizes_of(options), seconds)
        except Exception as error:  # of whatever class: it is recorded, and the other sections go on
            traceback.print_exc()
            found = {"rows": [], "left_out": [], "error": one_line(error)}
        found["seconds"] = time.monotonic() - begun
        report["sections"][name] = found
        if name == "crossover":
            report["gpu_faster_from"] = faster_from(found["rows"])
        report["seconds"] = time.monotonic() - start
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        show(name, found)
    if "gpu_faster_from" in report:
        print(f"the GPU is faster from {report['gpu_faster_from']} runs on\n")
    failed = [name for name, found in report["sections"].items() if found["error"]]
    say(f"written: {options.json}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
