"""The landscape of a problem: its gradient checked against its values, and its critical points."""

from fastgd.landscape.classification import Classification, classify
from fastgd.landscape.critical_points import CriticalPoints, find_critical_points
from fastgd.landscape.gradient_check import GradientCheck, gradient_check
from fastgd.landscape.tree import DisconnectivityTree

__all__ = [
    "Classification", "CriticalPoints", "DisconnectivityTree", "GradientCheck", "classify", "find_critical_points",
    "gradient_check",
]  # fmt: skip
