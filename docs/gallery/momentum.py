"""A narrow valley: plain descent, the heavy ball and Nesterov's look-ahead, at rest and moving."""

import sys
from pathlib import Path

import numpy as np

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"


def valley(x):
    return 0.05 * x[0] ** 2 + x[1] ** 2


mu, L = 0.1, 2.0  # the two curvatures
k = L / mu
beta = ((np.sqrt(k) - 1) / (np.sqrt(k) + 1)) ** 2
optimizers = {
    "gradient descent, lr 2/(L + μ)": gd.GradientDescent(lr=2 / (L + mu)),
    "heavy ball": gd.Momentum(lr=4 / (np.sqrt(L) + np.sqrt(mu)) ** 2, momentum=beta),
    "Nesterov": gd.Nesterov(lr=1 / L, momentum=(np.sqrt(k) - 1) / (np.sqrt(k) + 1)),
}
problem = gd.Problem(valley, dim=2, bounds=[(-6, 2), (-3, 3)])
runs = {name: gd.minimize(problem, [[-5.0, -2.0]], rule, record=1) for name, rule in optimizers.items()}
gd.plot.trajectories(runs, out=OUT / "momentum-paths.png", title="a valley with curvatures 0.1 and 2")
gd.plot.convergence(runs, out=OUT / "momentum-convergence.png", title="one run of each")
gd.plot.animation(runs, OUT / "momentum.gif", frames=60, fps=12)
