"""The GPU target on the card at hand: its tests, its figures, and the peers on the same card, in one call.

    python asv_benches/gpu_report.py [--seconds 460] [--json gpu_report.json] [--no-tests] [--no-peers] [--dry-run]

Prints tables and writes everything to a JSON file after each part, so that what was measured is there even if the call
is cut short. Sizes follow the memory of the card, and what the time does not suffice for is left out and said so.
With `--dry-run` it runs at tiny sizes on Numba's CUDA simulator, where the figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = "tests/gpu/test_gpu.py"


def say(text: str) -> None:
    """Tell on standard error what is under way, so that the tables stand alone on standard output."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=460.0, help="for everything (default: %(default)g)")
    parser.add_argument("--json", type=Path, default=Path("gpu_report.json"), help="where to (default: %(default)s)")
    parser.add_argument("--tests-only", action="store_true", help="no figures")
    parser.add_argument("--no-tests", action="store_true", help="leave out the tests marked gpu")
    parser.add_argument("--no-peers", action="store_true", help="leave out JAX and PyTorch")
    parser.add_argument("--runs", type=float, nargs="+", default=[1e4, 1e5, 1e6, 1e7, 1e8], help="numbers of runs")
    parser.add_argument("--peer-runs", type=int, default=1 << 20, help="runs beside the peers (default: %(default)d)")
    parser.add_argument(
        "--stochastic-runs", type=int, default=1 << 16, help="with mini-batches or noise (default: %(default)d)"
    )
    parser.add_argument("--parameters", type=float, default=2e8, help="of the step in place (default: %(default)g)")
    parser.add_argument("--side", type=int, default=4096, help="of the map (default: %(default)d)")
    parser.add_argument("--dry-run", action="store_true", help="on the simulator, at tiny sizes")
    return parser.parse_args()


def run_tests(seconds: float) -> dict[str, Any]:
    """The tests that need a GPU, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu and not slow", "-p", "no:cacheprovider", "-rA", TESTS]
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(min(8, os.cpu_count() or 1))]
    start = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
        code, text = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, text = -1, (error.stdout or b"").decode() + f"\ncut short after {seconds:.0f} s"
    lines = text.strip().splitlines()
    shown = [line for line in lines if line.startswith(("FAILED", "ERROR", "measured:"))]
    return {"code": code, "seconds": time.monotonic() - start, "summary": lines[-1] if lines else "", "lines": shown}


def table(rows: list[dict[str, Any]]) -> None:
    """Print dictionaries of the same keys."""
    if not rows:
        return

    def text(value: Any) -> str:
        if value is None:
            return "-"
        return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)

    cells = [tuple(rows[0]), *(tuple(map(text, row.values())) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print()


def figures(options: argparse.Namespace, clock: Any, keep: Callable[[str, Any], None]) -> None:
    """Measure everything, show it, and keep it."""
    from comparison.rows import show
    from gpu import measure

    dtypes, sizes = ["float64", "float32"], [int(runs) for runs in options.runs]
    whole = measure.whole_map(options.side, say)
    table([whole])
    keep("map", whole)
    in_place = list(measure.in_place(int(options.parameters), dtypes, say))
    table(in_place)
    keep("in_place", in_place)
    if not options.no_peers:
        rows = measure.peers(options.peer_runs, clock, say)
        show(rows, [])
        keep("peers", [row.as_json() for row in rows])
    drawn = list(measure.stochastic(options.stochastic_runs, clock, say))
    table(drawn)
    keep("stochastic", drawn)
    # The rest of the time is for the steps, the crossing and the tests, by their worth in this order
    clock_of_steps = measure.Clock(0.45 * clock.left() if not options.dry_run else clock.left())
    steps = list(measure.steps(sizes, dtypes, clock_of_steps, say))
    table(steps)
    keep("steps", steps)
    flow = measure.flow(4 if options.dry_run else 1 << 20, say)
    table([flow])
    keep("flow", flow)
    layouts = list(measure.layouts([2, 3] if options.dry_run else [10, 40, 160, 640, 2560], clock, say))
    table(layouts)
    keep("layouts", layouts)
    crossing = measure.crossover([2, 4] if options.dry_run else [1 << k for k in range(8, 23, 2)], clock, say)
    table(crossing["rows"])
    print(f"the GPU is faster from {crossing['gpu_faster_from']} runs on\n")
    keep("crossover", crossing)


def main() -> int:
    options = arguments()
    if options.dry_run:
        os.environ |= {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
        options.runs, options.parameters, options.side = [2, 4], 40, 2
        options.peer_runs = options.stochastic_runs = 2
    from fastgd.jit.cuda import missing

    if reason := missing():
        say(f"no figures: {reason}")
        return 1
    from comparison.rows import machine
    from gpu import card, measure

    clock = measure.Clock(options.seconds)
    report: dict[str, Any] = {"gpu": card.facts(), "machine": machine(), "dry_run": options.dry_run}

    def keep(name: str, content: Any) -> None:
        report[name] = content
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    print(json.dumps(report["gpu"]), report["machine"]["date"], "\n")
    if not options.tests_only:
        figures(options, clock, keep)
    if not options.no_tests:
        tests = run_tests(max(10.0, clock.left() - 10))
        print("tests:", tests["summary"], *tests["lines"], sep="\n  ")
        keep("tests", tests)
    say(f"written: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
