"""The step loop: runs of fixed length, runs to a tolerance, and the width of the float."""

from __future__ import annotations

import numpy as np

import fastgd as gd

from .cases import CASES, skip_unless_cores


class FixedSteps:
    """Every run takes the same number of steps: the bare speed of the loop."""

    params = (list(CASES), [1, 2], ["float64", "float32"])
    param_names = ("case", "threads", "dtype")
    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self, case: str, threads: int, dtype: str) -> None:
        skip_unless_cores(threads)
        self.case = CASES[case]
        self.threads = threads
        self.dtype = np.dtype(dtype)
        self.problem = self.case.make()
        self.x0 = self.case.starts(self.case.runs)
        self.run(self.x0[:256])

    def run(self, x0: np.ndarray) -> gd.Result:
        return gd.minimize(
            self.problem,
            x0,
            self.case.optimizer,
            max_steps=self.case.steps,
            gtol=None,
            dtype=self.dtype,
            threads=self.threads,
        )

    def time_minimize(self, case: str, threads: int, dtype: str) -> None:
        self.run(self.x0)

    def track_steps(self, case: str, threads: int, dtype: str) -> float:
        return float(self.run(self.x0).nit.mean())

    track_steps.unit = "steps"


class ToTolerance:
    """Every run stops by itself: burst and compact are in the figure."""

    params = (list(CASES), [1, 2])
    param_names = ("case", "threads")
    repeat = (3, 10, 20.0)
    number = 1
    timeout = 300

    def setup(self, case: str, threads: int) -> None:
        skip_unless_cores(threads)
        self.case = CASES[case]
        self.threads = threads
        self.problem = self.case.make()
        self.x0 = self.case.starts(self.case.runs_to_tolerance)
        self.run(self.x0[:256])

    def run(self, x0: np.ndarray) -> gd.Result:
        return gd.minimize(
            self.problem,
            x0,
            self.case.optimizer_to_tolerance or self.case.optimizer,
            max_steps=self.case.max_steps,
            gtol=self.case.gtol,
            threads=self.threads,
        )

    def time_minimize(self, case: str, threads: int) -> None:
        self.run(self.x0)

    def track_success_rate(self, case: str, threads: int) -> float:
        return float(self.run(self.x0).success.mean())

    def track_steps(self, case: str, threads: int) -> float:
        return float(self.run(self.x0).nit.mean())

    track_success_rate.unit = "fraction"
    track_steps.unit = "steps"


class Memory:
    """Memory beyond the arrays that go in and come out does not grow with the number of runs."""

    params = ([100_000, 1_000_000],)
    param_names = ("runs",)
    timeout = 120

    def setup(self, runs: int) -> None:
        self.problem = CASES["himmelblau-adam"].make()
        self.x0 = CASES["himmelblau-adam"].starts(runs)

    def peakmem_minimize(self, runs: int) -> None:
        gd.minimize(self.problem, self.x0, gd.Adam(lr=0.05), gtol=1e-6)


class Sweep:
    """Hyperparameters as arrays: a learning rate and a momentum of its own for every run."""

    repeat = (3, 10, 10.0)
    number = 1
    timeout = 120

    def setup(self) -> None:
        self.problem = gd.problems.make("himmelblau")
        self.optimizer = gd.Momentum(
            lr=np.logspace(-4, -1, 200)[:, None], momentum=np.linspace(0.0, 0.99, 200)
        )
        self.run()

    def run(self) -> gd.Result:
        return gd.minimize(self.problem, [0.0, 0.0], self.optimizer, max_steps=2000)

    def time_minimize(self) -> None:
        self.run()

    def track_success_rate(self) -> float:
        return float(self.run().success.mean())

    def track_steps(self) -> float:
        return float(self.run().nit.mean())

    track_success_rate.unit = "fraction"
    track_steps.unit = "steps"
