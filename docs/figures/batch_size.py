"""Draw docs/_static/batch-size.png: what the size of a batch buys, and what it leaves.

python docs/figures/batch_size.py [SEEDS] [FILE]

A straight line is fitted to 256 samples.  All values are means over the seeds of the value above the minimum's.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import fastgd as gd

SAMPLES, LR = 256, 0.3
SIZES = (1, 8, 64)


def line() -> gd.FiniteSum:
    """Fits of 1 + 3 t, with noise, over [-1, 1]; the minimum is known."""
    t = np.linspace(-1.0, 1.0, SAMPLES)
    return gd.problems.linear_regression(t[:, None], 1.0 + 3.0 * t + np.random.default_rng(0).standard_normal(SAMPLES))


def excess(problem: gd.FiniteSum, x: np.ndarray) -> np.ndarray:
    return problem.value(x) - problem.value(problem.minima)[0]


def noise_at_the_minimum(problem: gd.FiniteSum) -> tuple[np.ndarray, np.ndarray]:
    """The curvatures, and along each of them the variance of the gradient of one sample."""
    X, y, _ = problem.data
    slope, height = problem.minima[0]
    r = X[:, 0] * slope + height - y
    gradients = np.stack([r * X[:, 0], r], axis=1)
    curvatures, directions = np.linalg.eigh(problem.hessian(problem.minima[0]))
    return curvatures, (gradients @ directions).var(axis=0)


def theory(problem: gd.FiniteSum, lr: Any, size: int) -> np.ndarray:
    """Where descent with independent batches hovers: the sum of lr s² / (2 b (2 - lr L)) over the curvatures L."""
    curvatures, variances = noise_at_the_minimum(problem)
    lr = np.asarray(lr)[..., None]
    return np.sum(lr * variances / (2.0 * size * (2.0 - lr * curvatures)), axis=-1)


def floors(problem: gd.FiniteSum, lr: float, size: int, seeds: int, replace: bool) -> float:
    """The mean excess of runs that begin at the minimum, long after, in the middle of an epoch."""
    epoch = SAMPLES // size
    steps = epoch * math.ceil(10.0 / lr / epoch) + epoch // 2
    runs = gd.minimize(
        problem, problem.minima[0], gd.GradientDescent(lr=lr), gtol=None, max_steps=steps, batch_size=size,
        replace=replace, seed=np.arange(seeds),
    )  # fmt: skip
    return float(excess(problem, runs.x).mean())


def paths(problem: gd.FiniteSum, size: int, epochs: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples seen, and the mean excess then, from a start far away."""
    steps = epochs * SAMPLES // size
    runs = gd.minimize(
        problem, [-2.0, -2.0], gd.GradientDescent(lr=LR), gtol=None, max_steps=steps, batch_size=size, record=1,
        seed=np.arange(seeds),
    )  # fmt: skip
    at = np.unique(np.geomspace(1, steps, 60).astype(int))
    return at * size, excess(problem, runs.trace[:, at]).mean(axis=0)


def settled(problem: gd.FiniteSum, size: int, steps: int, seeds: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same batches with a constant rate, with one that falls, and with an average; against the step."""
    found = {}
    at = np.unique(np.geomspace(1, steps, 60).astype(int))
    options: dict[str, Any] = {"gtol": None, "batch_size": size, "seed": np.arange(seeds), "max_steps": steps}
    rates = {
        f"lr {LR}": LR,
        f"lr {LR} / (1 + t/20)": gd.schedules.InverseTime(LR, decay=0.05),
    }
    for name, lr in rates.items():
        runs = gd.minimize(problem, [-2.0, -2.0], gd.GradientDescent(lr=lr), record=1, **options)
        found[name] = at, excess(problem, runs.trace[:, at]).mean(axis=0)
        if lr == LR:
            averages = runs.trace[:, 20:].cumsum(axis=1) / np.arange(1, steps - 18)[:, None]
            late = at[at > 20]
            found[f"lr {LR}, average since step 20"] = late, excess(problem, averages[:, late - 20]).mean(axis=0)
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    file = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent.parent / "_static" / "batch-size.png")
    problem, looks = line(), gd.plot.style.PALETTE
    figure = Figure(figsize=(10.8, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3, sharey=True)
    colours = {1: looks[5], 8: looks[0], 64: looks[2], SAMPLES: "#000000"}
    for (size, colour), style in zip(colours.items(), ("-", "--", "-.", ":"), strict=True):
        seen, value = paths(problem, size, 40, seeds)
        name = "all samples" if size == SAMPLES else f"batch {size}"
        left.loglog(seen, value, style, color=colour, label=name)
        print(f"{name}: after one epoch {np.interp(SAMPLES, seen, value):.1e}, at the end {value[-1]:.1e}")
    left.axvline(SAMPLES, color="#888888", linestyle=":", linewidth=1)
    left.set_xlabel(f"samples seen ({SAMPLES} are one epoch)")
    left.set_ylabel("value above the minimum (mean)")
    left.set_title(f"rate {LR}: the way", fontsize="medium")
    rates = np.geomspace(0.005, 0.9, 9)
    for size, marker in zip(SIZES, "os^", strict=True):
        drawn = [floors(problem, lr, size, seeds, replace=True) for lr in rates]
        shuffled = [floors(problem, lr, size, seeds, replace=False) for lr in rates]
        fine = np.geomspace(rates[0], rates[-1], 100)
        for values, fill, how in ((drawn, "full", "independent"), (shuffled, "none", "in epochs")):
            look = {"color": colours[size], "markersize": 5, "fillstyle": fill}
            middle.loglog(rates, values, marker, label=f"batch {size}, {how}", **look)
        middle.loglog(fine, theory(problem, fine, size), color=colours[size], linewidth=1)
        expected = theory(problem, rates, size)
        print(f"batch {size}, over theory: independent {np.round(drawn / expected, 2)}")
        print(f"batch {size}, over theory: in epochs {np.round(shuffled / expected, 3)}")
    middle.set_xlabel("learning rate")
    middle.set_title("the floor; lines: theory", fontsize="medium")
    styles = (("-", looks[0]), ("-.", looks[5]), ("--", looks[2]))
    found = settled(problem, 8, 10_000, seeds)
    for (name, (steps, value)), (style, colour) in zip(found.items(), styles, strict=True):
        right.loglog(steps, value, style, color=colour, label=name)
        print(f"{name}: at the end {value[-1]:.1e}")
    right.set_xlabel("step")
    right.set_title("batch 8: what lowers the floor", fontsize="medium")
    left.set_ylim(1e-8, 20.0)
    for ax in (left, middle, right):
        ax.grid(alpha=0.3, linewidth=0.6)
        ax.legend(fontsize="small", loc="lower left" if ax is not middle else "lower right")
    figure.savefig(file, dpi=160)


if __name__ == "__main__":
    main()
