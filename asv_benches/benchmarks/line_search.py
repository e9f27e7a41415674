"""Methods with a line search, to a tolerance: evaluations differ from run to run."""

from __future__ import annotations

import numpy as np

import fastgd as gd

from .cases import skip_unless_cores

METHODS = {
    "cg": gd.ConjugateGradient(),
    "cg-hager-zhang": gd.ConjugateGradient("HZ", line_search=gd.HagerZhang()),
    "lbfgs": gd.LBFGS(),
}


class LineSearch:
    """A hundred thousand starts of Himmelblau's function to 1e-8."""

    params = (list(METHODS), [1, 2])
    param_names = ("method", "threads")
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, method: str, threads: int) -> None:
        skip_unless_cores(threads)
        self.problem = gd.problems.himmelblau()
        self.x0 = self.problem.sample(100_000, seed=0)
        self.run(self.x0[:100], method, threads)

    def run(self, x0: np.ndarray, method: str, threads: int) -> gd.Result:
        return gd.minimize(self.problem, x0, METHODS[method], gtol=1e-8, threads=threads)

    def time_minimize(self, method: str, threads: int) -> None:
        self.run(self.x0, method, threads)

    def track_success_rate(self, method: str, threads: int) -> float:
        return float(self.run(self.x0, method, threads).success.mean())

    def track_evaluations(self, method: str, threads: int) -> float:
        return float(self.run(self.x0, method, threads).nfev.mean())

    track_success_rate.unit = "fraction"
    track_evaluations.unit = "evaluations"
