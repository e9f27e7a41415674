"""Pictures, drawn with Matplotlib (in a checkout, ``pip install ".[plot]"``).

Each function returns the figure and the axes, takes axes to draw on where it draws on one, and writes a file where
`out` names one. A new figure that is not written is given to pyplot, so a notebook shows it at the end of its cell and
``plt.show()`` elsewhere.
"""

from fastgd.plot.basins import basins
from fastgd.plot.compare import compare
from fastgd.plot.contours import contour, surface
from fastgd.plot.convergence import convergence, waterfall
from fastgd.plot.disconnectivity import disconnectivity
from fastgd.plot.grids import basins_grid, basins_stack
from fastgd.plot.layers import layer_gradients
from fastgd.plot.movies import animation
from fastgd.plot.rates import learning_rates, schedules
from fastgd.plot.slices import line, plane
from fastgd.plot.sweeps import sweep
from fastgd.plot.trajectories import trajectories

__all__ = [
    "animation", "basins", "basins_grid", "basins_stack", "compare", "contour", "convergence", "disconnectivity",
    "layer_gradients", "learning_rates", "line", "plane", "schedules", "surface", "sweep", "trajectories",
    "waterfall",
]  # fmt: skip


def __dir__() -> list[str]:
    return list(__all__)
