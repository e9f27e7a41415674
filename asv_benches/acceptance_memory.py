"""Memory and throughput of many runs (`python acceptance_memory.py [RUNS]`, ten million unless told).

Himmelblau's function under Adam to 1e-6. Prints a JSON object: `peak_gib`, the largest resident size of the
whole process, interpreter and compiler included, less the input and output arrays; and the microseconds per
run of the large job and of a hundred thousand runs, taken in turn.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import fastgd as gd

SMALL = 100_000
ROUNDS = 3


def peak_bytes() -> int:
    """The largest resident size so far.

    Linux hands `ru_maxrss` of a large parent down to its children, so there the process's own mark is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def seconds(x0: np.ndarray) -> tuple[float, gd.Result]:
    start = time.perf_counter()
    result = gd.minimize(gd.problems.himmelblau(), x0, gd.Adam(lr=0.05), gtol=1e-6)
    return time.perf_counter() - start, result


def measure(runs: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    small, large = (rng.uniform(-6, 6, (n, 2)) for n in (SMALL, runs))
    seconds(small)
    _, result = seconds(large)
    peak = peak_bytes()
    outputs = (result.x, result.fun, result.grad_norm, result.nit, result.status)
    arrays = small.nbytes + large.nbytes + sum(array.nbytes for array in outputs)
    settled = float(result.success.mean())
    del result, outputs
    many = max(1, min(20, runs // SMALL))
    each: dict[str, list[float]] = {"small": [], "large": []}
    for _ in range(ROUNDS):
        # As many small jobs on either side of the large one, so that a slow spell falls on both.
        around = [seconds(small)[0] for _ in range(many)]
        each["large"].append(1e6 * seconds(large)[0] / runs)
        around += [seconds(small)[0] for _ in range(many)]
        each["small"].append(1e6 * float(np.median(around)) / SMALL)
    return {"runs": runs, "peak_gib": (peak - arrays) / 2**30, "settled": settled, **each}


if __name__ == "__main__":
    print(json.dumps(measure(int(float(sys.argv[1])) if len(sys.argv) > 1 else 10_000_000)))
