"""Draw docs/_static/trainability.png: where training succeeds, over the learning rates of two layers.

python docs/figures/trainability.py [SIDE] [FILE]

One hidden layer of 16 tanh units without bias, 4 inputs, 16 samples; data and targets are normal.  Full batch, 500
steps. Training has converged where the mean of the last 20 losses is below the first, as in J. Sohl-Dickstein, The
boundary of neural network trainability is fractal, arXiv:2402.06184.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import fastgd as gd

STEPS, LAST = 500, 20


def losses(
    network: gd.problems.Network, start: np.ndarray, optimizer: gd.GradientDescent
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the last losses over the first, infinite where a run diverged; and the steps until then."""
    options = {"gtol": None, "bound": 1e6}
    runs = gd.minimize(network, start, optimizer, max_steps=STEPS - LAST, **options)
    steps, total, alive = runs.nit.copy(), np.zeros(runs.batch_shape), runs.status == gd.Status.STEP_LIMIT
    for _ in range(LAST):  # gradient descent has no state, so it goes on from where it was
        runs = gd.minimize(network, runs.x, optimizer, max_steps=1, **options)
        alive &= runs.status == gd.Status.STEP_LIMIT
        steps += alive
        total += runs.fun / LAST
    return np.where(alive, total / network.value(start), np.inf), steps


def stable_limit(network: gd.problems.Network, x: np.ndarray) -> tuple[float, float]:
    """Up to which rate the output layer alone is stable, 2 over its curvature; and how many nodes are saturated."""
    X, place = network.data[0], network.layers[0]
    a = np.tanh(X @ x[place].reshape(16, 4).T)
    return 2 / np.linalg.eigvalsh(2 / len(X) * a.T @ a)[-1], float(np.mean(np.abs(a) > 0.99))


def draw(ratio: np.ndarray, steps: np.ndarray, rates: tuple[np.ndarray, np.ndarray], file: Path) -> None:
    figure = Figure(figsize=(7.6, 6.0), layout="constrained")
    ax = figure.add_subplot()
    extent = np.log10([rates[1][0], rates[1][-1], rates[0][0], rates[0][-1]])
    converged = ratio < 1
    trained = np.ma.masked_where(~converged, np.log10(np.clip(ratio, 1e-4, None)))
    lost = np.ma.masked_where(converged, np.log10(np.maximum(steps, 1)))
    below = ax.imshow(trained, origin="lower", extent=extent, cmap="Blues_r", vmin=-4, vmax=0.3, aspect="auto")
    above = ax.imshow(lost, origin="lower", extent=extent, cmap="Oranges", vmin=0, vmax=2.7, aspect="auto")
    ax.set_xlabel("learning rate of the output layer, log$_{10}$")
    ax.set_ylabel("learning rate of the hidden layer, log$_{10}$")
    # The first one stands outside, so in the order of the picture the last one comes first
    figure.colorbar(above, ax=ax, label="not converged: steps until then, log$_{10}$", shrink=0.8)
    figure.colorbar(below, ax=ax, label="converged: last losses over the first, log$_{10}$", shrink=0.8)
    figure.savefig(file, dpi=160)


def main() -> None:
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    file = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent.parent / "_static" / "trainability.png")
    rng = np.random.default_rng(1)
    network = gd.problems.mlp(rng.standard_normal((16, 4)), rng.standard_normal(16), hidden=(16,), bias=False)
    start = network.sample(1, seed=0, method="normal", scale=0.5)[0]
    rates = np.logspace(-1.5, 2, side), np.logspace(-1.5, 0.5, side)
    optimizer = gd.GradientDescent(lr=gd.groups(rates[0][:, None], rates[1]))
    gd.minimize(network, start, gd.GradientDescent(lr=gd.groups([0.1], 0.1)), max_steps=1, gtol=None)  # compiles
    began = time.perf_counter()
    ratio, steps = losses(network, start, optimizer)
    taken = time.perf_counter() - began
    print(
        f"{side} x {side}: {taken:.1f} s, {np.mean(ratio < 1):.1%} converged, {np.mean(np.isinf(ratio)):.1%} diverged"
    )
    draw(ratio, steps, rates, file)
    print(
        "hidden rate: stable limit of the output rate and saturated values, after 500 steps at an output rate of 0.05"
    )
    print("start: {:.2f}, {:.0%}".format(*stable_limit(network, start)))
    for rate in (0.1, 1.0, 10.0, 30.0):
        optimizer = gd.GradientDescent(lr=gd.groups(rate, 0.05))
        end = gd.minimize(network, start, optimizer, max_steps=STEPS, gtol=None).x
        print("{}: {:.2f}, {:.0%}".format(rate, *stable_limit(network, end)))


if __name__ == "__main__":
    main()
