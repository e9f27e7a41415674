"""Pictures, drawn with Matplotlib (``pip install "fastgd[plot]"``)."""

from fastgd.plot.basins import basins
from fastgd.plot.compare import compare

__all__ = ["basins", "compare"]
