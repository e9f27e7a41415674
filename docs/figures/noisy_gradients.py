"""Draw docs/_static/noisy-gradients.png: what noise in the gradient does to conjugate gradients, and to momentum.

python docs/figures/noisy_gradients.py [RUNS] [FILE]

A quadratic of ten parameters with curvatures from 1 to 1,000.  A line search is refused noise by `minimize`, so the
noise is a part of the function here: a ripple of 1e12 radians to the unit, added to the value and to each derivative.
It has the standard deviation that is asked for, and any two points that a search compares are many waves apart.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import fastgd as gd

N, CONDITION, STEPS = 10, 1000.0, 400
CURVATURES = np.geomspace(1.0, CONDITION, N)
NOISES = np.concatenate([[0.0], np.geomspace(1e-10, 10.0, 12)])
CONJUGATE = gd.ConjugateGradient(line_search=gd.StrongWolfe(c2=0.01))  # the search is nearly exact
SHOWN = (0.0, 1e-6, 1e-3, 1e-1)


def value(x, curvatures, noise):
    total, place = 0.0, 0.0
    for j in range(len(x)):
        total += 0.5 * curvatures[j] * x[j] * x[j]
        place += (1.37 + j) * x[j]
    return total + noise * math.sqrt(2.0) * math.sin(1e12 * place)


def gradient(x, out, curvatures, noise):
    place = 0.0
    for j in range(len(x)):
        place += (1.37 + j) * x[j]
    for j in range(len(x)):
        out[j] = curvatures[j] * x[j] + noise * math.sqrt(2.0) * math.sin((1.1e12 + 1e11 * j) * place + j)


def noisy(noise: float) -> gd.Problem:
    return gd.Problem(value, gradient, dim=N, data=(CURVATURES, float(noise)), name="noisy quadratic")


def starts(runs: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((runs, N))


def excess(x: np.ndarray) -> np.ndarray:
    """The value above the minimum's, without noise."""
    return 0.5 * np.sum(CURVATURES * x * x, axis=-1)


def conjugacy(trace: np.ndarray) -> np.ndarray:
    """Of each step but the first the largest cosine with a step before it, in the metric of the curvatures.

    It is 0 where all directions are conjugate.
    """
    steps = np.diff(trace, axis=-2) * np.sqrt(CURVATURES)
    steps = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
    cosines = np.abs(steps @ np.swapaxes(steps, -1, -2))
    return np.stack([cosines[..., k, :k].max(axis=-1) for k in range(1, cosines.shape[-1])], axis=-1)


def searched(noise: float, runs: int) -> gd.Result:
    """The first steps of conjugate gradients, recorded."""
    return gd.minimize(noisy(noise), starts(runs), CONJUGATE, gtol=0.0, max_steps=N + 4, record=1)


def finals(noise: float, runs: int) -> dict[str, np.ndarray]:
    """The excess at the end: of searches where they fail, of momentum after STEPS gradients and ten times that."""
    problem, x0 = noisy(noise), starts(runs)
    rule = gd.Momentum(lr=1.0 / CONDITION, momentum=0.9)
    short = gd.minimize(problem, x0, rule, gtol=None, max_steps=STEPS)
    long = gd.minimize(problem, x0, rule, gtol=None, max_steps=10 * STEPS, average=gd.SWA(5 * STEPS))
    return {
        "conjugate gradients": excess(gd.minimize(problem, x0, CONJUGATE, gtol=0.0).x),
        "L-BFGS": excess(gd.minimize(problem, x0, gd.LBFGS(), gtol=0.0).x),
        f"momentum, {STEPS} gradients": excess(short.x),
        f"momentum, {10 * STEPS:,} gradients, averaged": excess(long.x_avg),
    }


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    file = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent.parent / "_static" / "noisy-gradients.png")
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks = gd.plot.style.PALETTE
    for noise, colour, marker in zip(SHOWN, (looks[0], looks[2], looks[1], looks[5]), "osD^", strict=True):
        found = searched(noise, runs)
        path = np.nanmedian(excess(found.trace), axis=0)[: N + 4]
        name = "exact" if noise == 0 else f"noise {gd.plot.style.tick_text(noise)}"
        left.semilogy(path, marker + "-", color=colour, markersize=4, label=name)
        lost = np.nanmedian(conjugacy(found.trace), axis=0)
        print(f"noise {noise:g}: after {N} steps {path[N]:.1e}, largest cosines {np.round(lost[: N - 1], 3)}")
    left.axvline(N, color="#888888", linestyle=":", linewidth=1)
    left.set_xlabel("steps of conjugate gradients")
    left.set_title("ten parameters: ten exact steps would do", fontsize="medium")
    table = [finals(noise, runs) for noise in NOISES]
    at = np.concatenate([[NOISES[1] / 100.0], NOISES[1:]])
    sizes = (8, 4, 4, 4)  # of the marks without noise, where the first two end at one place
    for name, colour, marker, size in zip(
        table[0], (looks[0], looks[5], looks[3], looks[2]), "os^D", sizes, strict=True
    ):
        middle = [max(float(np.median(row[name])), 1e-31) for row in table]
        right.loglog(at[1:], middle[1:], marker + "-", color=colour, markersize=4, label=name)
        right.loglog(at[:1], middle[:1], marker, color=colour, markersize=size)
        print(name, " ".join(f"{m:.1e}" for m in middle))
    ticks = [1e-10, 1e-7, 1e-4, 1e-1]
    right.set_xticks([at[0], *ticks], ["none", *(f"$10^{{{round(math.log10(t))}}}$" for t in ticks)])
    right.minorticks_off()
    right.set_xlabel("standard deviation of the noise")
    right.set_title("where they end", fontsize="medium")
    for ax in (left, right):
        ax.set_ylabel("value above the minimum (median)")
        ax.grid(alpha=0.3, linewidth=0.6)
        ax.legend(fontsize="small")
    figure.savefig(file, dpi=160)


if __name__ == "__main__":
    main()
