"""Minima and the passes between them: the Müller-Brown surface, its tree, and the straight line across."""

import sys
from pathlib import Path

import fastgd as gd

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "_static" / "gallery"

problem = gd.problems.mueller_brown()
found = gd.find_critical_points(problem)
print(found)

figure, ax = gd.plot.contour(problem, minima=False, title="Müller-Brown: minima and the passes between them")
looks = {"minimum": ("o", gd.plot.style.PALETTE[0]), "saddle": ("X", gd.plot.style.PALETTE[5])}
for kind, (marker, colour) in looks.items():
    points = found.x[found.kind == kind]
    ax.plot(*points.T, marker, color=colour, markeredgecolor="white", markersize=10, linestyle="none", label=kind)
for number, point in enumerate(found.x):
    ax.annotate(str(number), point, (8, 4), textcoords="offset points", fontsize=10)
ax.legend(loc="lower left")
figure.savefig(OUT / "passes.png", dpi=gd.plot.style.SAVED_DPI)

gd.plot.disconnectivity(found, out=OUT / "passes-tree.png", title="Müller-Brown")
gd.plot.line(
    gd.line_slice(problem, *found.x[found.minima[:2]], beyond=0.1),
    out=OUT / "passes-line.png",
    title="straight from minimum 0 to minimum 1",
)
