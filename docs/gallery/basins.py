"""Which start leads where: four rules, many basins, a pile of slices in three dimensions, final values in order."""

import sys
from pathlib import Path

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"

problem = gd.problems.himmelblau()
rules = {
    "GradientDescent, lr 0.01": gd.GradientDescent(lr=0.01),
    "GradientDescent, lr 0.0185": gd.GradientDescent(lr=0.0185),
    "Momentum, lr 0.01, 0.9": gd.Momentum(lr=0.01, momentum=0.9),
    "Adam, lr 0.05": gd.Adam(lr=0.05),
}
maps = {name: gd.map_basins(problem, rule, shape=(400, 400)) for name, rule in rules.items()}
gd.plot.basins_grid(maps, OUT / "basins-rules.png", columns=2)
for name, found in maps.items():  # of the labels, as runs that circle around a minimum for good are an outcome as well
    print(f"{name:30} {gd.measures.uncertainty_exponent(found.labels)}")

cube = gd.problems.styblinski_tang(dim=3)
heavy = gd.Momentum(lr=0.02, momentum=0.9)
layers = [gd.map_basins(cube, heavy, (96, 96), at=[0, 0, z]) for z in (-4, -1, 1, 4)]
gd.plot.basins_stack(layers, out=OUT / "basins-stack.png")

rastrigin = gd.problems.rastrigin(dim=2)
many = gd.map_basins(rastrigin, gd.Momentum(lr=0.002, momentum=0.95), shape=(400, 400))
gd.plot.basins(many, out=OUT / "basins-many.png")
starts = rastrigin.sample(100_000, seed=0)
gd.plot.waterfall(
    {
        "GradientDescent, lr 0.001": gd.minimize(rastrigin, starts, gd.GradientDescent(lr=0.001)),
        "Adam, lr 0.5": gd.minimize(rastrigin, starts, gd.Adam(lr=0.5)),
    },
    out=OUT / "waterfall.png",
)
