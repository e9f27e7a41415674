"""Pictures, drawn with Matplotlib (``pip install "fastgd[plot]"``)."""

from fastgd.plot.basins import basins
from fastgd.plot.disconnectivity import disconnectivity

__all__ = ["basins", "disconnectivity"]
