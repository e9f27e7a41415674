"""The landscape of a problem: its gradient checked against its values."""

from fastgd.landscape.gradient_check import GradientCheck, gradient_check

__all__ = ["GradientCheck", "gradient_check"]
