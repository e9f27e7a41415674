"""Minima and the passes between them: the Müller-Brown surface, its tree, and the straight line across."""

import sys
from pathlib import Path

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"

problem = gd.problems.mueller_brown()
found = gd.find_critical_points(problem)
print(found)

gd.plot.contour(
    problem, points=found, out=OUT / "passes.png", title="Müller-Brown: minima and the passes between them"
)
gd.plot.disconnectivity(found, out=OUT / "passes-tree.png", title="Müller-Brown")
gd.plot.line(
    gd.line_slice(problem, *found.x[found.minima[:2]], beyond=0.1),
    out=OUT / "passes-line.png",
    title="straight from minimum 0 to minimum 1",
)
