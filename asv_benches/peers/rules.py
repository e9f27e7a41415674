"""Every rule of fastgd beside the same rule of `rules.c` (`python rules.py --serve LIBRARY`), on one thread.

A request is `{"side": "C" or "fastgd" or "difference", "rule": ..., "race": ...}`.  Both sides get the same starts, and
the hyperparameters from fastgd's own optimizer.  `difference` answers with the share of the runs, in the place of the
work, whose points differ after a few steps: two programs that round differently are still alike then.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
from serve import Work, serve

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.cases import RACES

import fastgd as gd

ALIKE = 30  # steps after which the two are compared
TOLERANCE = 1e-9


class Race:
    """One rule on one problem, by either side."""

    def __init__(self, rule: str, race: str, library: ctypes.CDLL) -> None:
        self.rule, self.library = rule, library
        self.case, self.optimizer = RACES[race].case, RACES[race].optimizer(rule)
        self.problem = self.case.make()
        self.x0 = self.case.starts(self.case.runs)
        self.out = np.empty_like(self.x0)
        self.hypers = np.array(list(self.optimizer.hyperparameters().values()))

    def by_c(self, steps: int) -> np.ndarray:
        """The end points of the hand-written program; KeyError where it has no such rule."""
        starts, out, hypers = (ctypes.c_void_p(array.ctypes.data) for array in (self.x0, self.out, self.hypers))
        names = self.case.problem.encode(), self.rule.encode()
        if self.library.descend(*names, starts, out, len(self.x0), steps, ctypes.c_double(0.0), hypers):
            raise KeyError(f"rules.c has no {self.rule} on {self.case.problem}")
        return self.out

    def by_fastgd(self, steps: int) -> gd.Result:
        return gd.minimize(self.problem, self.x0, self.optimizer, max_steps=steps, gtol=None, threads=1)

    def difference(self) -> float:
        """The share of the runs whose points are not the same: all of them where the C does not know the rule."""
        try:
            theirs = self.by_c(ALIKE)
        except KeyError:
            return 1.0
        ours = self.by_fastgd(ALIKE).x
        return float((np.abs(theirs - ours) > TOLERANCE * (1.0 + np.abs(ours))).any(axis=1).mean())


def race_work(side: str, rule: str, race: str, library: ctypes.CDLL) -> Work:
    """The work is counted in steps of one run."""
    runner = Race(rule, race, library)
    steps = runner.case.steps

    def count(result: gd.Result) -> float:
        if (result.nit < steps).any():
            raise RuntimeError(f"{rule} on {race}: {np.mean(result.nit < steps):.2%} of the runs ended early")
        return float(result.nit.sum())

    if side == "difference":
        return Work(runner.difference, float)
    if side == "C":
        return Work(lambda: runner.by_c(steps), lambda _: float(len(runner.x0) * steps))
    return Work(lambda: runner.by_fastgd(steps), count)


if __name__ == "__main__":
    loaded = ctypes.CDLL(sys.argv[2])
    serve(lambda side, rule, race: race_work(side, rule, race, loaded))
