"""Parameters of very different scale: one rate for all of them, and a rate for each."""

import sys
from pathlib import Path

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"


def scales(x):
    return 0.5 * (x[0] ** 2 + 100 * x[1] ** 2 + 10_000 * x[2] ** 2)


problem = gd.Problem(scales, dim=3, bounds=(-1, 1))
optimizers = {
    "gradient descent": gd.GradientDescent(lr=1.9e-4),  # 2e-4 is the limit of the steepest direction
    "AdaGrad": gd.AdaGrad(lr=0.1),
    "RMSprop, rate falling": gd.RMSprop(lr=gd.schedules.Exponential(0.02, 0.99)),
    "Adam": gd.Adam(lr=0.02),
}
x0 = problem.sample(500, seed=0)
runs = {name: gd.minimize(problem, x0, rule, max_steps=1500, gtol=1e-8, record=5) for name, rule in optimizers.items()}
gd.plot.convergence(
    runs, out=OUT / "adaptive.png", title="curvatures 1, 100 and 10,000: median, 50 % and 90 % of 500 runs"
)
