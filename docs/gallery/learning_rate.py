"""Too small, good, too large and divergent rates; and where the minima of one function stop attracting."""

import sys
from pathlib import Path

import numpy as np

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"


def square(x):
    return x[0] ** 2


bowl = gd.Problem(square, dim=1, bounds=(-11, 11))
gd.plot.learning_rates(
    bowl,
    [10.0],
    gd.GradientDescent(lr=0.1),
    [0.01, 0.3, 0.95, 1.05],
    max_steps=30,
    out=OUT / "learning-rates.png",
    title="x², where 2 over the curvature is 1",
)

himmelblau = gd.problems.himmelblau()
rates = np.linspace(0.002, 0.03, 113)
sweep = gd.sweep_basins(himmelblau, gd.GradientDescent(lr=0.01), {"lr": rates}, max_steps=20_000)
gd.plot.sweep(sweep, out=OUT / "learning-rate-limits.png", title="himmelblau, gradient descent from 1,000 starts")
