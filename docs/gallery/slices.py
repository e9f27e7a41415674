"""Cuts through twenty parameters: random directions, and those in which a descent moves."""

import sys
from pathlib import Path

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"

problem = gd.problems.rosenbrock(dim=20)
run = gd.minimize(problem, problem.sample(1, seed=0)[0], gd.Adam(lr=0.02), record=5)
gd.plot.plane(
    gd.random_slice(problem, problem.minima[0]),
    out=OUT / "slice-random.png",
    title="rosenbrock, 20 parameters: random directions",
)
gd.plot.plane(
    gd.path_slice(problem, run), out=OUT / "slice-path.png", title="rosenbrock, 20 parameters: along a descent"
)
gd.plot.surface(gd.problems.himmelblau(), out=OUT / "surface.png", log=True)
