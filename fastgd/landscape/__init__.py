"""The landscape of a problem: its gradient checked against its values, critical points, and cuts."""

from fastgd.landscape.classification import Classification, classify
from fastgd.landscape.critical_points import CriticalPoints, find_critical_points
from fastgd.landscape.gradient_check import GradientCheck, gradient_check
from fastgd.landscape.layers import layer_gradients
from fastgd.landscape.slices import LineSlice, PlaneSlice, line_slice, path_slice, random_slice
from fastgd.landscape.tree import DisconnectivityTree

__all__ = [
    "Classification", "CriticalPoints", "DisconnectivityTree", "GradientCheck", "LineSlice", "PlaneSlice", "classify",
    "find_critical_points", "gradient_check", "layer_gradients", "line_slice", "path_slice", "random_slice",
]  # fmt: skip
