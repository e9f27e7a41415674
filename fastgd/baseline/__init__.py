"""Yardsticks: the optimizers of SciPy, and the gradient flow that defines the basins."""

from .flow import GradientFlow
from .scipy import SciPy, SciPyCG

__all__ = ["GradientFlow", "SciPy", "SciPyCG"]
