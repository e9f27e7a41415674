"""The gradient flow in batches and by its reference, and SciPy's methods through `minimize`."""

from __future__ import annotations

import fastgd as gd

# Problem, options, flow, runs.  The valley of Rosenbrock's function is stiff: LSODA does most of it.
FLOWS = {
    "himmelblau-rk": ("himmelblau", {}, gd.GradientFlow(), 100_000),
    "styblinski_tang-10-rk": ("styblinski_tang", {"dim": 10}, gd.GradientFlow(), 20_000),
    "rosenbrock-rk": ("rosenbrock", {}, gd.GradientFlow(), 100),
    "himmelblau-lsoda": ("himmelblau", {}, gd.GradientFlow(method="LSODA"), 200),
}
SCIPY = ["CG", "BFGS", "trust-ncg"]


class Flow:
    params = (list(FLOWS),)
    param_names = ("flow",)
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 300

    def setup(self, flow: str) -> None:
        name, options, self.optimizer, runs = FLOWS[flow]
        self.problem = gd.problems.make(name, **options)
        self.x0 = self.problem.sample(runs, seed=0)
        self.run()

    def run(self) -> gd.Result:
        return gd.minimize(self.problem, self.x0, self.optimizer)

    def time_flow(self, flow: str) -> None:
        self.run()

    def track_success_rate(self, flow: str) -> float:
        return float(self.run().success.mean())

    def track_steps(self, flow: str) -> float:
        return float(self.run().nit.mean())

    def track_gradients(self, flow: str) -> float:
        return float(self.run().njev.mean())

    track_success_rate.unit = "fraction"
    track_steps.unit = "steps"
    track_gradients.unit = "gradients"


class SciPy:
    params = (SCIPY,)
    param_names = ("method",)
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, method: str) -> None:
        self.problem = gd.problems.himmelblau()
        self.x0 = self.problem.sample(300, seed=0)
        self.run(method)

    def run(self, method: str) -> gd.Result:
        return gd.minimize(self.problem, self.x0, gd.SciPy(method), threads=1)

    def time_scipy(self, method: str) -> None:
        self.run(method)

    def track_success_rate(self, method: str) -> float:
        return float(self.run(method).success.mean())

    def track_evaluations(self, method: str) -> float:
        runs = self.run(method)
        return float((runs.nfev + runs.njev).mean())

    track_success_rate.unit = "fraction"
    track_evaluations.unit = "evaluations"


class Compare:
    timeout = 120
    number = 1

    def setup(self) -> None:
        self.problem = gd.problems.himmelblau()
        self.x0 = self.problem.sample(20_000, seed=0)
        self.run()

    def run(self) -> gd.Comparison:
        return gd.compare(self.problem, self.x0, [gd.Adam(lr=0.05), gd.Momentum(lr=0.005)])

    def time_compare(self) -> None:
        self.run()

    def track_elsewhere(self) -> float:
        return self.run()[0].agreement.share

    track_elsewhere.unit = "fraction"
