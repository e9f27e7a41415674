"""Line searches on lanes against one run after the other (`python line_search.py`).

One value and one gradient is the unit of the loop, so that runs whose searches differ can stay side by side in the
lanes of a vector. This prints what that is worth: microseconds per start, and nanoseconds per evaluation, on one
thread, with one vector of lanes and with the scalar target, from the same source.
"""

from __future__ import annotations

import time
from unittest import mock

import numpy as np

import fastgd as gd
from fastgd.engine import cpu

PROBLEMS = {
    "himmelblau": (gd.problems.himmelblau(), 100_000, 1e-8),
    "rosenbrock-10": (gd.problems.rosenbrock(dim=10), 20_000, 1e-6),
    "rastrigin-10": (gd.problems.rastrigin(dim=10), 20_000, 1e-6),
}
METHODS = {
    "PR+, StrongWolfe": gd.ConjugateGradient(),
    "HZ, HagerZhang": gd.ConjugateGradient("HZ", line_search=gd.HagerZhang()),
    "L-BFGS": gd.LBFGS(),
}
ROUNDS = 3


def seconds(problem: gd.Problem, x0: np.ndarray, optimizer: gd.optimizers.Method, gtol: float) -> float:
    start = time.perf_counter()
    gd.minimize(problem, x0, optimizer, gtol=gtol, threads=1)
    return time.perf_counter() - start


def main() -> None:
    print("problem         method              us/start (lanes, scalar)   ns/evaluation      ratio  evaluations  found")
    lanes = cpu.vector_width(np.dtype(np.float64))
    for name, (problem, runs, gtol) in PROBLEMS.items():
        x0 = problem.sample(runs, seed=0)
        for method, optimizer in METHODS.items():
            best = {}
            for width in (lanes, 1):
                with mock.patch.object(cpu, "vector_width", return_value=width):
                    result = gd.minimize(problem, x0, optimizer, gtol=gtol, threads=1)
                    best[width] = min(seconds(problem, x0, optimizer, gtol) for _ in range(ROUNDS))
            wide, alone = (1e6 * best[width] / runs for width in (lanes, 1))
            each = [1e9 * best[width] / result.nfev.sum() for width in (lanes, 1)]
            print(
                f"{name:15} {method:18} {wide:10.3f} {alone:10.3f} {each[0]:14.1f} {each[1]:8.1f} {alone / wide:10.1f}"
                f" {result.nfev.mean():10.1f} {result.success.mean():11.2%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
