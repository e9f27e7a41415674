"""Pictures, drawn with Matplotlib (``pip install "fastgd[plot]"``)."""

from fastgd.plot.basins import basins
from fastgd.plot.layers import layer_gradients

__all__ = ["basins", "layer_gradients"]
