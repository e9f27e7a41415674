"""Numba as this project uses it: its options, a cache of our own key, and explicit SIMD.

Importing this package registers the types and their operators with Numba.
"""

from . import gather, integers, masks, operators, rows, vecmath
from .about import info

__all__ = ["gather", "info", "integers", "masks", "operators", "rows", "vecmath"]
