"""The same work by fastgd, through its public interface, for the comparison (`python ours.py --serve`).

The fixed-step cases have `gtol=None`: the stop test is carried out at every step, as the C does, against a limit that
nothing meets, so that every run takes all of its steps, as the C counts them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from peers import HIMMELBLAU_BOX, Digits, starts
from serve import Work, serve

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.cases import CASES

import fastgd as gd


def fixed_steps(name: str, threads: int | None) -> Work:
    case = CASES[name]
    problem, x0 = case.make(), case.starts(case.runs)

    def count(result: gd.Result) -> float:
        if (result.status > 2).any():
            raise RuntimeError(f"{name}: {np.mean(result.status > 2):.2%} of the runs failed")
        return float(result.nit.sum())

    return Work(
        lambda: gd.minimize(problem, x0, case.optimizer, max_steps=case.steps, gtol=None, threads=threads), count
    )


def to_tolerance(runs: int, threads: int | None, unit: str) -> Work:
    """Adam to a largest gradient of 1e-6; the work is counted in steps or in starts."""
    problem, x0 = gd.problems.himmelblau(), starts(runs, 2, HIMMELBLAU_BOX)

    def count(result: gd.Result) -> float:
        if result.success.mean() < 0.999:
            raise RuntimeError(f"only {result.success.mean():.2%} of the runs came to the tolerance")
        return float(result.nit.sum()) if unit == "steps" else float(runs)

    return Work(lambda: gd.minimize(problem, x0, gd.Adam(lr=0.05), gtol=1e-6, threads=threads), count)


def by_conjugate_gradients(runs: int, threads: int | None) -> Work:
    """Conjugate gradients abreast to 1e-8; the work is counted in starts."""
    problem, x0 = gd.problems.himmelblau(), starts(runs, 2, HIMMELBLAU_BOX)

    def count(result: gd.Result) -> float:
        if not result.success.all():
            raise RuntimeError(f"only {result.success.mean():.2%} of the runs came to the tolerance")
        return float(runs)

    return Work(lambda: gd.minimize(problem, x0, gd.ConjugateGradient(), gtol=1e-8, threads=threads), count)


def by_scipy(runs: int) -> Work:
    """SciPy's conjugate gradients through fastgd, in one process; the work is counted in starts."""
    problem, x0 = gd.problems.himmelblau(), starts(runs, 2, HIMMELBLAU_BOX)
    return Work(lambda: gd.minimize(problem, x0, gd.SciPyCG(), gtol=1e-6, threads=1), lambda _: float(runs))


def mini_batches(case: str, threads: int | None) -> Work:
    """The runs of `Digits`; that the batches are those of the peers is seen in the first run."""
    digits = Digits(case)
    problem = gd.problems.logistic_regression(digits.X, digits.y)
    shared = digits.layout == "shared"
    rates, seeds = np.tile(digits.rates, 64), 0 if shared else digits.seeds
    if digits.layout == "grid":
        rates, seeds = digits.rates, digits.seeds[:, None]
    start = np.zeros(problem.dim)

    def descend() -> gd.Result:
        return gd.minimize(
            problem, start, gd.GradientDescent(lr=rates), batch_size=digits.size, seed=seeds, shared_batches=shared,
            max_steps=digits.steps, gtol=None, threads=threads,
        )  # fmt: skip

    first, w = descend().x.reshape(-1, problem.dim)[0], start
    for batch in digits.indices[:, 0]:
        rows = np.hstack([digits.X[batch], np.ones((digits.size, 1))])
        w = w - digits.rates[0] * rows.T @ (1 / (1 + np.exp(-rows @ w)) - digits.y[batch]) / digits.size
    if not np.allclose(first, w, rtol=1e-9, atol=1e-12):
        raise RuntimeError("the batches are not those that the peers are given")
    return Work(descend, lambda result: float(result.nit.sum()))


class InPlace:
    """The arrays of the one case whose turn it is; those of all rules at once would not fit into memory."""

    key: tuple[str, str, int] | None = None

    def make(self, rule: str, dtype: str, count: int) -> None:
        if self.key == (rule, dtype, count):
            return
        self.key = self.x = self.grad = self.state = None
        self.optimizer = gd.optimizers.make(rule, lr=1e-3)
        self.x, self.grad = np.ones(count, dtype), np.random.default_rng(0).standard_normal(count, dtype)
        self.state = self.optimizer.init(self.x)
        self.key = rule, dtype, count

    def work(self, rule: str, dtype: str, count: int, threads: int | None) -> Work:
        """One step; the work is counted in arrays that pass over the bus."""

        def step() -> None:
            self.make(rule, dtype, count)  # only before the first of the repeats, which is then not the best
            self.optimizer.step(self.x, self.grad, self.state, threads=threads)

        return Work(step, lambda _: 3.0 + 2.0 * self.state.slots)


IN_PLACE = InPlace()


def fastgd_work(case: str, threads: int | None = None, runs: int = 1 << 18, unit: str = "steps") -> Work:
    if case.startswith("inplace-"):
        _, rule, dtype = case.split("-")
        return IN_PLACE.work(rule, dtype, runs, threads)
    if case.startswith("digits"):
        return mini_batches(case, threads)
    if case == "himmelblau-adam-to-1e-6":
        return to_tolerance(runs, threads, unit)
    if case == "himmelblau-cg-to-1e-8":
        return by_conjugate_gradients(min(runs, 100_000), threads)
    if case == "himmelblau-scipy-cg-to-1e-6":
        return by_scipy(min(runs, 300))
    return fixed_steps(case, threads)


if __name__ == "__main__":
    serve(fastgd_work)
