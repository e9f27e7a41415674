"""Learning rates that change."""

import sys
from pathlib import Path

import fastgd as gd
from fastgd import schedules

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"

warm = schedules.LinearWarmup(0.1, steps=50, start_factor=0.01)
gd.plot.schedules(
    {
        "Exponential": schedules.Exponential(0.1, 0.993),
        "StepDecay": schedules.StepDecay(0.1, period=150, gamma=0.3),
        "Cosine": schedules.Cosine(0.1, period=500),
        "CosineWarmRestarts": schedules.CosineWarmRestarts(0.1, period=125, decay=0.7),
        "LinearWarmup, then Cosine": schedules.sequence(warm, schedules.Cosine(0.1, period=450), at=50),
        "OneCycle": schedules.OneCycle(0.1, steps=500),
    },
    500,
    out=OUT / "schedules.png",
)

problem = gd.problems.himmelblau()
x0 = problem.sample(1000, seed=0)
rules = {
    "constant": gd.RMSprop(lr=0.05),
    "cosine to zero": gd.RMSprop(lr=schedules.Cosine(0.05, period=1000)),
}
runs = {name: gd.minimize(problem, x0, rule, max_steps=1000, gtol=1e-8, record=2) for name, rule in rules.items()}
gd.plot.convergence(
    runs, out=OUT / "schedules-settle.png", title="himmelblau, RMSprop: median, 50 % and 90 % of 1,000 runs"
)
