"""Draw docs/_static/escape.png: how often noise carries a descent off a saddle, and out of a poor minimum.

python docs/figures/escape.py [SEEDS] [FILE]

Both functions are means over 64 samples that differ by a linear term alone, whose coefficients have mean 0; so the full
gradient is that of the smooth function, and a batch adds noise to it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

import fastgd as gd

SAMPLES = 64
LR, SADDLE_STEPS, WELL_STEPS, FAR = 0.05, 100, 2000, 0.25


def saddle(x, i, tilts):
    return 0.5 * x[0] * x[0] - 0.5 * x[1] * x[1] + 0.25 * x[1] ** 4 + tilts[i] * x[1]


def well(x, i, tilts):
    return 0.25 * x[0] ** 4 - 0.5 * x[0] * x[0] + 0.15 * x[0] + tilts[i] * x[0]


def problems() -> tuple[gd.FiniteSum, gd.FiniteSum]:
    tilts = np.random.default_rng(4).standard_normal(SAMPLES)
    tilts = (tilts - tilts.mean()) / tilts.std()
    return (
        gd.FiniteSum(saddle, data=(0.02 * tilts,), dim=2, name="saddle"),
        gd.FiniteSum(well, data=(4.0 * tilts,), dim=1, name="well"),
    )


def off_saddle(**options: Any) -> np.ndarray:
    problem, _ = problems()
    x = gd.minimize(problem, [0.0, 0.0], gd.GradientDescent(lr=LR), gtol=None, max_steps=SADDLE_STEPS, **options).x
    return np.abs(x[..., 1]) > FAR


def out_of_well(**options: Any) -> np.ndarray:
    _, problem = problems()
    poor = max(np.roots([1.0, 0.0, -1.0, 0.15]).real)
    x = gd.minimize(problem, [poor], gd.GradientDescent(lr=LR), gtol=None, max_steps=WELL_STEPS, **options).x
    return x[..., 0] < 0


def linear_theory(noise: np.ndarray) -> np.ndarray:
    """The saddle without its fourth power: x grows by 1 + lr, and takes lr noise z, at each step."""
    growth = (1 + LR) ** 2
    spread = LR * noise * np.sqrt((growth**SADDLE_STEPS - 1) / (growth - 1))
    return 2 * stats.norm.sf(FAR / spread)


def draw_line(ax: Any, at: np.ndarray, escaped: np.ndarray, **style: Any) -> None:
    hits, runs = escaped.sum(axis=1), escaped.shape[1]
    low, high = np.transpose([gd.wilson(int(k), runs) for k in hits])
    share = hits / runs
    ax.errorbar(at, share, [share - low, high - share], markersize=4, linewidth=1.2, capsize=2, **style)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    file = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent.parent / "_static" / "escape.png")
    seeds = np.arange(count)
    sizes = np.array([1, 2, 4, 8, 16, 32, 64])
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, sharey=True)
    cases = (
        (off_saddle, np.geomspace(2e-3, 0.5, 13), f"off a saddle within {SADDLE_STEPS} steps"),
        (out_of_well, np.geomspace(0.5, 5.0, 13), f"out of a poor minimum within {WELL_STEPS:,} steps"),
    )
    for (escaped, noise, title), (left, right) in zip(cases, panels, strict=True):
        draw_line(left, noise, escaped(noise=noise[:, None], seed=seeds), color="#0072B2", marker="o", label="fastgd")
        if escaped is off_saddle:
            at = np.geomspace(noise[0], noise[-1], 200)
            left.plot(at, linear_theory(at), color="black", linestyle="--", linewidth=1, label="linear theory")
            left.legend()
        left.set_xlabel("standard deviation of the noise")
        for replace, colour, marker, name in (
            (True, "#D55E00", "s", "with replacement"), (False, "#009E73", "o", "epochs, without"),
        ):  # fmt: skip
            found = escaped(batch_size=sizes[:, None], seed=seeds, replace=replace)
            draw_line(right, sizes, found, color=colour, marker=marker, label=name)
        right.set_xscale("log", base=2)
        right.set_xticks(sizes, [str(size) for size in sizes])
        right.set_xlabel(f"batch size, of {SAMPLES} samples")
        right.legend()
        left.set_xscale("log")
        if escaped is out_of_well:
            left.set_xticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
            left.minorticks_off()
        left.set_ylim(-0.03, 1.03)
        left.set_ylabel("share of the runs")
        left.set_title(f"{title}, gradient noise", fontsize="medium")
        right.set_title(f"{title}, mini-batches", fontsize="medium")
        for ax in (left, right):
            ax.grid(alpha=0.3, linewidth=0.6)
    figure.savefig(file, dpi=160)


if __name__ == "__main__":
    main()
