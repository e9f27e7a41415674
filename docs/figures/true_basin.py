"""The figure of true_basin.md: the share of starts that go elsewhere than by the gradient flow, against the rate.

``python docs/figures/true_basin.py [--starts N] [--rates N] [--out FILE]`` prints the figures and draws the picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import fastgd as gd
from fastgd.plot import figures, style

OUT = Path(__file__).parent.parent / "_static" / "true-basin.png"
# Optimizers with a learning rate, and the ends of the rates
SWEPT = {
    "gradient descent": (lambda lr: gd.GradientDescent(lr=lr), 1e-4, 0.0248),
    "momentum 0.9": (lambda lr: gd.Momentum(lr=lr), 1e-4, 0.04),
    "Adam": (lambda lr: gd.Adam(lr=lr), 3e-5, 1.0),
}
# Optimizers that find their own: by the names under which this version of fastgd may have them
SINGLE = {
    "CG": ("ConjugateGradient", ()), "L-BFGS": ("LBFGS", ()), "SciPy CG": ("SciPyCG", ()),
    "SciPy BFGS": ("SciPy", ("BFGS",)),
}  # fmt: skip


def share(problem: gd.Problem, starts: np.ndarray, flow: gd.Basins, optimizer: Any) -> gd.Agreement:
    runs = gd.minimize(problem, starts, optimizer, max_steps=1_000_000)
    return gd.basin_agreement(gd.find_basins(runs), flow)


def measure(starts: int, rates: int) -> tuple[dict[str, list[tuple[float, gd.Agreement]]], dict[str, gd.Agreement]]:
    """The shares of the optimizers with a rate, for each rate; and those of the others."""
    problem = gd.problems.himmelblau()
    x0 = problem.sample(starts, seed=0)
    flow = gd.find_basins(gd.minimize(problem, x0, gd.GradientFlow()))
    swept = {
        name: [(lr, share(problem, x0, flow, make(lr))) for lr in np.geomspace(low, high, rates).tolist()]
        for name, (make, low, high) in SWEPT.items()
    }
    made = {name: getattr(gd, kind)(*given) for name, (kind, given) in SINGLE.items() if hasattr(gd, kind)}
    few = x0[: min(starts, 10_000)]  # SciPy takes a millisecond for each
    flow = gd.find_basins(gd.minimize(problem, few, gd.GradientFlow()))
    single = {name: share(problem, few, flow, optimizer) for name, optimizer in made.items()}
    return swept, single | {"flow of the signs": gd.basin_agreement(by_signs(problem, few), flow.known[flow.labels])}


def by_signs(problem: gd.Problem, x0: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Where dx/dt = -sign(grad f) leads, to which Adam comes at small rates: the number of the nearest minimum."""
    x = x0.copy()
    for _ in range(int(12.0 / step)):  # twice the way across half of the box
        x -= step * np.sign(problem.gradient(x))
    return np.argmin(np.sum((x[:, None] - problem.minima) ** 2, axis=-1), axis=1)


def limits() -> list[float]:
    """The rates at which gradient descent leaves the four minima, 2 over the largest curvature."""
    problem = gd.problems.himmelblau()
    return sorted((2.0 / np.linalg.eigvalsh(problem.hessian(problem.minima))[:, -1]).tolist())


def draw(swept: Any, single: Any, out: Path) -> None:
    figure = figures.new_figure((8.8, 4.6))
    ax = figure.add_subplot()
    markers = "os^"
    for k, (name, found) in enumerate(swept.items()):
        x, y = [lr for lr, _ in found], [100 * each.share or np.nan for _, each in found]
        low, high = np.array([100 * each.interval for _, each in found]).T
        ax.fill_between(x, np.maximum(low, 1e-9), high, color=style.PALETTE[k], alpha=0.25, linewidth=0)
        ax.plot(x, y, markers[k] + "-", color=style.PALETTE[k], label=name, markersize=3.5)
    dashes = ("-", "--", "-.", ":")
    for k, (name, each) in enumerate(single.items()):
        colour = style.PALETTE[len(swept) + k].replace("#F0E442", "#000000")  # yellow is no colour for a line
        ax.axhline(100 * each.share, color=colour, linestyle=dashes[k % 4], label=name)
    for k, limit in enumerate(limits()):
        label = "2 / curvature of\nthe four minima\n(gradient descent)" if k == 0 else None
        ax.axvline(limit, color="#888888", linestyle=":", linewidth=1, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.002, 110)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("starts that go elsewhere\nthan by the gradient flow (%)")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_title("Himmelblau's function, starts drawn evenly from [-6, 6]²", fontsize="medium")
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=100_000)
    parser.add_argument("--rates", type=int, default=30)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    swept, single = measure(options.starts, options.rates)
    for name, found in swept.items():
        for lr, each in found:
            print(f"{name:<17} lr {lr:8.5f}  elsewhere {each.share:8.3%}")
    for name, each in single.items():
        print(f"{name:<17}              elsewhere {each.share:8.3%}")
    draw(swept, single, options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
