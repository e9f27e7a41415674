"""The landscape of a problem: its gradient checked against its values, and layer by layer."""

from fastgd.landscape.gradient_check import GradientCheck, gradient_check
from fastgd.landscape.layers import layer_gradients

__all__ = ["GradientCheck", "gradient_check", "layer_gradients"]
