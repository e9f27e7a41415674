"""What a user waits for: the import, the first result of all, the first result of a later process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from comparison.rows import Row

FIRST_RESULT = Path(__file__).parent.parent / "first_result.py"
PROBLEMS = {"catalogue": "catalogue problem", "derived": "derived gradient"}


def measure(quick: bool, say: Callable[[str], None]) -> list[Row]:
    """The rows on import and compilation."""
    say("import time")
    times = 3 if quick else 9
    imports = Row("import, over import numba", "limit", "s", target=0.15)
    imports.ours = [over_numba() for _ in range(times + 1)][1:]
    rows = [imports]
    for problem, words in PROBLEMS.items():
        say(f"first results: {words}")
        cold, warm, whole = [], [], []
        for _ in range(1 if quick else 3):
            with tempfile.TemporaryDirectory() as folder:
                fresh = first_result(problem, folder)
                cold.append(fresh["first"])
                whole.append(fresh["import"] + fresh["first"])
                warm += [first_result(problem, folder)["first"] for _ in range(3)]
        rows.append(Row(f"{words}: first result, compiled before", "limit", "s", [], warm, 0.5))
        rows.append(Row(f"{words}: first result, cold", "limit", "s", [], cold, 4.0))
        rows.append(Row(f"{words}: the same and the import", "limit", "s", [], whole, 4.0))
    return rows


def first_result(problem: str, cache: str) -> dict[str, float]:
    """Seconds in a process of its own whose kernels, and numba's, are cached in ``cache``."""
    environment = {**os.environ, "FASTGD_CACHE_DIR": cache, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, str(FIRST_RESULT), problem]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def over_numba() -> float:
    """Seconds that ``import fastgd`` takes beyond ``import numba``, each in a process of its own."""
    return import_seconds("fastgd") - import_seconds("numba")


def import_seconds(name: str) -> float:
    """The cumulative time of one import, as the interpreter tells it."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {name}"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # which no user waits with
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=True)
    table = [line.split("|") for line in done.stderr.splitlines() if line.count("|") == 2]
    (microseconds,) = [int(cumulative) for _, cumulative, module in table if module.strip() == name]
    return 1e-6 * microseconds
