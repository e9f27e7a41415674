"""Seconds from the import to the first result, in this process (`python first_result.py PROBLEM`).

PROBLEM is `catalogue`, a problem with its gradient written out, or `derived`, a user's own function. Prints
a JSON object: `import`, and `first`, from the problem to the result of a thousand runs.
"""

from __future__ import annotations

import json
import sys
import time


def own(x):
    """Himmelblau's function as a user writes it."""
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def main(which: str) -> None:
    start = time.perf_counter()
    import fastgd as gd

    imported = time.perf_counter()
    derived = which == "derived"
    problem = gd.Problem(own, dim=2, bounds=(-6, 6)) if derived else gd.problems.himmelblau()
    result = gd.minimize(problem, problem.sample(1000, seed=0), gd.Adam(lr=0.05))
    done = time.perf_counter()
    if not result.success.all():
        raise RuntimeError(f"only {result.success.mean():.1%} of the runs came to the tolerance")
    print(json.dumps({"import": imported - start, "first": done - imported}))


if __name__ == "__main__":
    main(sys.argv[1])
