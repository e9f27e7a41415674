"""Yardsticks: the optimizers of SciPy, and the gradient flow that defines the basins."""

from .scipy import SciPy, SciPyCG

__all__ = ["SciPy", "SciPyCG"]
