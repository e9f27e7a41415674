"""The step in place on thirty million parameters: against PyTorch's fused Adam, and against the bus.

A rule's traffic is counted as x read and written, the gradient read, each slot of state read and written: seven arrays
for Adam.  It writes only to lines that it has just read, so that nothing is added for write-allocate.  How long the bus
takes for that many bytes is told by a triad of as many threads, timed just before.  It is run with ordinary stores,
which count four arrays for the three of the formula, as each line is read before it is written, and with stores past
the caches, which count three; the faster way of the two, in bytes per second, is the bound.

The bus itself is twice as fast at some times as at others on shared machines, and for seconds at a time.  So each
round is short, the two sides follow each other within it, and the verdict is the median of the rounds' ratios alone:
the best rounds of the two may have met different buses.  Before each side the machine rests a moment, as the threads
of PyTorch spin for some milliseconds after a step and would take a core from whoever is measured next.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from peers.serve import Server

from comparison.ceiling import compiled
from comparison.rows import Row
from comparison.servers import rule_names, started

GROUP = "inplace"
PARAMETERS, FEW = 30_000_000, 6_000_000
SIZES = {"float32": 4, "float64": 8}
TURNS = 5  # short rounds for each round that was asked for
REPEATS = 2  # of each triad; a step is repeated as often as both of them together
REST = 0.05  # seconds
TRIAD = ["-O3", "-march=native", "-shared", "-fPIC"]
ADAM, OTHERS = 0.95, 0.9  # of the bandwidth


def measure(rounds: int, quick: bool, folder: Path, say: Callable[[str], None]) -> list[Row]:
    """A row for Adam against PyTorch, and one for every rule against its traffic, in each float type."""
    count = FEW if quick else PARAMETERS
    words = f"{count // 1_000_000} M parameters"
    rows = []
    with ExitStack() as stack:
        fastgd = started(stack, "ours.py", "--serve")
        rules = sorted(rule_names(), key=lambda name: name != "adam")
        for dtype in SIZES:
            row = Row(
                f"step in place: adam, {words}, {dtype}", "PyTorch fused", "ms/step", target=1.0, judged_by="median"
            )
            if importlib.util.find_spec("torch") is None:
                row.missing = "torch not installed"
            else:
                torch = started(stack, "peers.py", "--serve", "torch")
                say(f"{row.case}, PyTorch")
                for _ in range(TURNS * rounds):
                    row.peers.append(seconds(torch, f"adam-step-30M-{dtype}", count))
                    row.ours.append(seconds(fastgd, f"inplace-adam-{dtype}", count))
            rows.append(row)
        try:
            triad = started(stack, "triad.py", "--serve", str(compiled("triad.c", folder / "triad.so", *TRIAD)))
            missing = None
        except FileNotFoundError as error:
            missing = str(error)
        for dtype, size in SIZES.items():
            for rule in rules:
                target = ADAM if rule == "adam" else OTHERS
                case = f"step in place: {rule}, {words}, {dtype}"
                row = Row(case, "", "ms/step", target=target, missing=missing, judged_by="median")
                rows.append(row)
                if missing:
                    continue
                arrays = int(fastgd.ask(case=f"inplace-{rule}-{dtype}", runs=0, repeats=1)["work"])
                row.peer = f"{arrays} arrays at the triad's speed"
                say(row.case)
                for _ in range(TURNS * rounds):
                    row.peers.append(1e3 * arrays * size * count * seconds_per_byte(triad, size * count))
                    row.ours.append(seconds(fastgd, f"inplace-{rule}-{dtype}", count))
    return rows


def seconds(server: Server, case: str, count: int) -> float:
    """Milliseconds of one step."""
    time.sleep(REST)
    return 1e3 * server.ask(case=case, runs=count, repeats=2 * REPEATS)["seconds"]


def seconds_per_byte(triad: Server, size: int) -> float:
    time.sleep(REST)
    answers = [triad.ask(case=case, bytes=size, repeats=REPEATS) for case in ("store", "stream")]
    return min(answer["seconds"] / answer["work"] for answer in answers)
