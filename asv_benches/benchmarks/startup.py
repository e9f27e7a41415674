"""What a new process pays: the import, and the way to its first result with a kernel already compiled."""

from __future__ import annotations

import statistics
import subprocess
import sys

FIRST_RESULT = """
import time
import numpy as np
import fastgd as gd
started = time.perf_counter()
fun = lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2
problem = gd.Problem(fun, dim=2, bounds=(-6, 6))
result = gd.minimize(problem, problem.sample(1000, seed=0), gd.Adam(lr=0.05))
seconds = time.perf_counter() - started
assert result.success.all(), result
print(seconds)
"""


def printed_by(code: str) -> float:
    """The last line that a new interpreter prints, as a number."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def import_seconds(module: str, first: str = "sys") -> float:
    """Seconds to import `module` once `first` is there, in the median of five processes."""
    code = (
        f"import time, {first}; started = time.perf_counter(); import {module}; "
        "print(time.perf_counter() - started)"
    )
    return statistics.median(printed_by(code) for _ in range(5))


class Import:
    """`import fastgd`, whole and beyond what numba takes."""

    timeout = 120

    def setup(self) -> None:
        printed_by("import fastgd; print(0)")

    def track_import(self) -> float:
        return import_seconds("fastgd")

    def track_import_beyond_numba(self) -> float:
        return import_seconds("fastgd", first="numba")

    track_import.unit = "seconds"
    track_import_beyond_numba.unit = "seconds"


class SecondProcess:
    """The first result of a process whose kernel another process has compiled, after the import."""

    timeout = 120

    def setup(self) -> None:
        printed_by(FIRST_RESULT)

    def track_first_result(self) -> float:
        return min(printed_by(FIRST_RESULT) for _ in range(3))

    track_first_result.unit = "seconds"
