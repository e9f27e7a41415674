"""A row of the comparison, its verdict, and the one table that shows them all."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADER = ("case", "peer", "unit", "peer's", "fastgd's", "ratio", "of the best", "target", "verdict")


@dataclass
class Row:
    """One figure of fastgd's, beside a peer's or under a limit.

    Attributes
    ----------
    peers, ours : one figure a round, in ``unit``; less is better.
    target : the least ratio peer/fastgd, or, without a peer's figures, the largest figure allowed.
    missing : why there is nothing to show.
    judged_by : which ratios must reach the target: the "median" of the rounds, that of the "best" rounds, or "both".
    """

    case: str
    peer: str
    unit: str
    peers: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    target: float | None = None
    missing: str | None = None
    judged_by: str = "both"

    @property
    def ratio(self) -> float | None:
        """The median over the rounds of peer/fastgd, whose figures of a round were taken in turn."""
        ratios = [peer / own for peer, own in zip(self.peers, self.ours, strict=False)]
        return statistics.median(ratios) if ratios else None

    @property
    def best_ratio(self) -> float | None:
        """The best of the peer's rounds over the best of fastgd's."""
        return min(self.peers) / min(self.ours) if self.peers and self.ours else None

    @property
    def verdict(self) -> str:
        """Whether the target was met: by the median of the rounds and by the best ones, where nothing else is said.

        A busy machine slows PyTorch, with its barrier at every step, tenfold: the best rounds undo that.
        """
        if self.missing:
            return f"missing: {self.missing}"
        if self.target is None:
            return ""
        if self.ratio is not None and self.best_ratio is not None:
            ratios = {"median": self.ratio, "best": self.best_ratio, "both": min(self.ratio, self.best_ratio)}
            return "met" if ratios[self.judged_by] >= self.target else "MISSED"
        return "met" if statistics.median(self.ours) <= self.target else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of ``HEADER``."""
        figure = min if self.peers else statistics.median
        relation = "<=" if self.peer == "limit" else ">="
        return (
            self.case,
            self.peer,
            self.unit,
            number(min(self.peers) if self.peers else None),
            number(figure(self.ours) if self.ours else None),
            number(self.ratio),
            number(self.best_ratio),
            f"{relation} {self.target:.3g}" if self.target is not None else "",
            self.verdict,
        )

    def as_json(self) -> dict[str, Any]:
        """Everything measured, and what was made of it."""
        names = ("case", "peer", "unit", "peers", "ours", "ratio", "best_ratio", "target", "verdict")
        return {name: getattr(self, name) for name in names}


def number(value: float | None) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def show(rows: list[Row], notes: list[str]) -> None:
    """Print the table, by rich where it is installed, and the notes under it."""
    cells = [row.cells() for row in rows]
    if importlib.util.find_spec("rich"):
        from rich.console import Console
        from rich.table import Table

        table = Table()
        for i, name in enumerate(HEADER):
            table.add_column(name, justify="right" if 3 <= i <= 7 else "left", no_wrap=i in (3, 4, 5, 6, 7))
        for line in cells:
            table.add_row(*line)
        # A pipe has no width of its own, and rich would fold the table at 80 columns.
        Console(width=None if sys.stdout.isatty() else 150, highlight=False).print(table)
    else:
        widths = [max(map(len, column)) for column in zip(HEADER, *cells, strict=True)]
        for line in [HEADER, tuple("-" * width for width in widths), *cells]:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    for note in notes:
        print(note)


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, load, versions, date."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = {"python": platform.python_version()}
    for name in ("fastgd", "numba", "llvmlite", "numpy", "scipy", "jax", "optax", "torch"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    if shutil.which("gcc"):
        line = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False).stdout
        versions["gcc"] = line.strip()
    return {
        "cpu": model,
        "cores": cores(),
        "load": os.getloadavg()[0],
        "versions": versions,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
