"""A narrow valley: plain descent, heavy ball and Nesterov's, at rest and moving; a sweep over two numbers."""

import sys
from pathlib import Path

import numpy as np

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"


def valley(x):
    return 0.05 * x[0] ** 2 + x[1] ** 2


flat, steep = 0.1, 2.0  # the two curvatures
k = steep / flat
best = ((np.sqrt(k) - 1) / (np.sqrt(k) + 1)) ** 2
optimizers = {
    "gradient descent": gd.GradientDescent(lr=2 / (steep + flat)),
    "heavy ball": gd.Momentum(lr=4 / (np.sqrt(steep) + np.sqrt(flat)) ** 2, momentum=best),
    "Nesterov": gd.Nesterov(lr=1 / steep, momentum=(np.sqrt(k) - 1) / (np.sqrt(k) + 1)),
}
problem = gd.Problem(valley, dim=2, bounds=[(-6, 2), (-4, 4)])
runs = {name: gd.minimize(problem, [[-5.0, -2.0]], rule, record=1) for name, rule in optimizers.items()}
gd.plot.trajectories(runs, out=OUT / "momentum-paths.png", title="a valley with curvatures 0.1 and 2")
gd.plot.convergence(runs, out=OUT / "momentum-convergence.png", title="one run of each")

himmelblau = gd.problems.himmelblau()
over = {"lr": np.geomspace(0.001, 0.1, 81), "momentum": np.linspace(0.0, 0.98, 50)}
sweep = gd.sweep_basins(himmelblau, gd.Momentum(lr=0.01), over, n_starts=500, max_steps=5000)
gd.plot.sweep(sweep, out=OUT / "momentum-sweep.png", title="himmelblau, momentum from 500 starts")

gd.plot.animation(runs, OUT / "momentum.gif", frames=60, fps=12)
