"""Pictures, drawn with Matplotlib (``pip install "fastgd[plot]"``)."""

from fastgd.plot.basins import basins

__all__ = ["basins"]
