"""One table of fastgd against the C ceiling, the peers that are installed, and the limits it has set itself.

`make compare`, or `python asv_benches/compare.py [--quick] [--rounds N] [--only ceiling,jax,...] [--json
FILE]`. Everything is warm and measured in this one run, peer and fastgd in turn. `ratio` is the median over
the rounds of peer/fastgd; beside it stands the ratio of the best rounds, whose figures are shown. Both must
reach the target; for the step in place, whose bus changes its speed between the rounds, the median alone,
and for the rules against C, where other work on the machine can only add time, the best rounds alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from comparison import inplace, rules, speed, startup
from comparison.rows import Row, machine, show

GROUPS = (*speed.GROUPS, rules.GROUP, inplace.GROUP, "memory", "startup")
MEMORY = Path(__file__).parent / "acceptance_memory.py"


def say(text: str) -> None:
    """Tell on standard error what is being measured, so that the table stands alone on standard output."""
    print(text, file=sys.stderr, flush=True)


def memory(runs: int) -> list[Row]:
    """The rows on many runs, from a process of their own."""
    say(f"memory and throughput of {runs:,} runs")
    done = subprocess.run([sys.executable, str(MEMORY), str(runs)], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    case = f"{runs:,} runs to 1e-6"
    return [
        Row(f"{case}: peak over the arrays", "limit", "GiB", [], [found["peak_gib"]], 1.0),
        Row(f"{case}: time per run", "fastgd, 100,000 runs", "us/run", found["small"], found["large"], 0.9),
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, smaller work: to see that it runs")
    parser.add_argument("--rounds", type=int, default=None, help="rounds of the speed rows (7; with --quick 1)")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--json", type=Path, default=None, help="write every figure to this file")
    options = parser.parse_args()
    options.only = set(options.only.split(","))
    if unknown := sorted(options.only - set(GROUPS)):
        parser.error(f"--only: no such part {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    if options.rounds is None:
        options.rounds = 1 if options.quick else 7
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {options.rounds}")
    return options


def measure(options: argparse.Namespace) -> list[Row]:
    """Every row asked for."""
    with tempfile.TemporaryDirectory() as folder:
        rows = speed.measure(options.only, options.rounds, options.quick, Path(folder), say)
        for group in (rules, inplace):
            if group.GROUP in options.only:
                rows += group.measure(options.rounds, options.quick, Path(folder), say)
    if "memory" in options.only:
        rows += memory(1_000_000 if options.quick else 10_000_000)
    if "startup" in options.only:
        rows += startup.measure(options.quick, say)
    return rows


def main() -> None:
    options = arguments()
    where = machine()
    try:
        rows = measure(options)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"compare.py: {error}") from None
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    show(
        rows,
        [
            f"{where['cpu']}, {where['cores']} cores, load {where['load']:.2f} at the start",
            versions,
            where["date"],
        ],
    )
    if where["load"] > 0.5:
        print("The machine was busy before the comparison began: take the figures with care.")
    if options.json:
        options.json.write_text(json.dumps({"machine": where, "rows": [row.as_json() for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
