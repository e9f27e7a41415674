"""Numba as this project uses it: its options, a cache of our own key, and explicit SIMD.

Importing this package registers the types and their operators with Numba.
"""

from . import added_math, gather, integers, masks, operators, overflow, rows, vecmath
from .about import info

__all__ = ["added_math", "gather", "info", "integers", "masks", "operators", "overflow", "rows", "vecmath"]
