"""Numba as this project uses it: its options, a cache of our own key, and explicit SIMD.

Importing this package registers the types and their operators with Numba.
"""

from . import masks, operators, rows, vecmath
from .about import info

__all__ = ["info", "masks", "operators", "rows", "vecmath"]
