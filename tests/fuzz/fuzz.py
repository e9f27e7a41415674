"""Random programs, compiled and in plain Python: ``python tests/fuzz/fuzz.py --count 2000 --seed 0``.

Half of the programs can be compiled for lanes, and are for lanes and for scalars; the others branch on x. Many are
compiled together, as branches of one function, a share of them as problems of their own, with a step of a descent and
with derived gradients. Where one differs from plain Python, it is made smaller and printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_programs import Program, drawn, smaller

HERE = Path(__file__).resolve().parent
FAILED = ("differs", "crashed")
TOGETHER = 25


@dataclass
class Finding:
    """A program that differs from plain Python in one of the ways it was compiled."""

    program: Program
    way: str
    outcome: str
    words: list[str]

    @property
    def kind(self) -> str:
        """What is alike among findings of one cause: the outcome and what Python raises."""
        told = re.search(r"Python: (\w+Error: [a-z ]*)", self.words[0] if self.words else "")
        begins = self.words[0].split(" ")[0] if self.words else ""
        return f"{self.outcome}, {told[1] if told else 'another number'} ({begins})"

    def report(self) -> str:
        told = "\n".join(self.words[:3])
        return f"--- {self.way}: {self.kind}\n{self.program.source()}\n{told}\n"


@dataclass
class Fuzz:
    """Children that compile batches of programs, and what they found."""

    seed: int = 0
    jobs: int = 2
    seconds: int = 600
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="fastgd-fuzz-")))
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    children: int = 0

    def run(self, count: int) -> None:
        """Compare `count` programs in every way."""
        tasks: list[tuple[list[Program], list[str]]] = []
        for scalar in (False, True):
            programs = drawn(count // 2, self.seed + scalar, scalar)
            for k, start in enumerate(range(0, len(programs), TOGETHER)):
                batch = programs[start : start + TOGETHER]
                tasks.append((batch, ["scalar"] if scalar else ["lanes", "scalar"]))
                if k % 4 == 0:
                    tasks.append((batch[:12], ["minimized"]))
                tasks.append((batch[:1], ["alone", *([] if scalar else ["derived"])]))
                if not scalar:
                    tasks.append((batch[1:5], ["derived"]))
        with ThreadPoolExecutor(self.jobs) as pool:
            for found in pool.map(lambda task: self.child(*task), tasks):
                self.take(found)

    def take(self, found: list[Finding]) -> None:
        for each in found:
            self.outcomes[each.way, each.outcome] += 1
            if each.outcome in FAILED:
                self.findings.append(each)
            elif each.outcome != "agrees":
                self.refused.append(each)

    def child(self, programs: list[Program], ways: list[str]) -> list[Finding]:
        """Compare programs in a child process; where it dies as it compiles, in halves."""
        self.children += 1
        number = self.children
        task, told = self.folder / f"task_{number}.json", self.folder / f"found_{number}.json"
        content = {
            "programs": [p.described() for p in programs], "ways": ways, "number": number, "folder": str(self.folder),
        }  # fmt: skip
        task.write_text(json.dumps(content))
        tree = str(HERE.parent.parent)
        environment = os.environ | {"FASTGD_CACHE_DIR": str(self.folder / f"cache_{number}"), "PYTHONPATH": tree}
        command = [sys.executable, str(HERE / "fuzz_child.py"), str(task), str(told)]
        with open(self.folder / f"log_{number}.txt", "w") as log:
            try:
                code = subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=self.seconds).returncode
            except subprocess.TimeoutExpired:
                code = -1
        entries: list[dict[str, Any]] = json.loads(told.read_text()) if told.exists() else []
        found = [Finding(programs[e["program"]], e["way"], e["outcome"], e["words"]) for e in entries]
        if code == 0:
            return found
        if len(programs) > 1:
            half = len(programs) // 2
            return self.child(programs[:half], ways) + self.child(programs[half:], ways)
        log_text = (self.folder / f"log_{number}.txt").read_text()[-1500:]
        how = f"its process ran longer than {self.seconds} s" if code == -1 else f"its process ended by {code}"
        return [*found, Finding(programs[0], "+".join(ways), "crashed", [f"{how}: {log_text}"])]

    def counts(self) -> str:
        """Return how many programs came to which outcome, by the way they were compiled."""
        return "\n".join(f"{way:10} {outcome:12} {n}" for (way, outcome), n in sorted(self.outcomes.items()))

    def kinds(self) -> dict[str, list[Finding]]:
        """Return the findings by kind, the most frequent first."""
        found: dict[str, list[Finding]] = {}
        for each in self.findings:
            found.setdefault(each.kind, []).append(each)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    def reduced(self, finding: Finding, seconds: float = 90.0) -> Finding:
        """Return the smallest program of the same kind that was found in some time."""
        until, best = time.monotonic() + seconds, finding
        way = finding.way if finding.way in ("lanes", "scalar") else "alone"
        while time.monotonic() < until:
            tries = smaller(best.program)
            step = max(1, len(tries) // TOGETHER)
            alike = [f for f in self.child(tries[::step], [way]) if f.kind == finding.kind]
            if not alike:
                break
            best = min(alike, key=lambda f: len(f.program.source()))
        return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--reduce", type=int, default=10, help="how many kinds of findings are made smaller")
    options = parser.parse_args()
    fuzz = Fuzz(seed=options.seed, jobs=options.jobs)
    tell(f"sources in {fuzz.folder}")
    fuzz.run(options.count)
    tell(fuzz.counts())
    for each in fuzz.refused[:20]:
        tell(f"{each.outcome} ({each.way}): {each.words[0][-200:]}")
    for place, (kind, found) in enumerate(fuzz.kinds().items()):
        shortest = min(found, key=lambda f: len(f.program.source()))
        tell(f"\n{len(found)} times: {kind}")
        tell((fuzz.reduced(shortest) if place < options.reduce else shortest).report())
    sys.exit(bool(fuzz.findings))


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
