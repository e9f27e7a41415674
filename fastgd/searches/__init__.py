"""Line searches: how far to go along a direction, decided from values and slopes."""

from .backtracking import Backtracking
from .base import LineSearch
from .hager_zhang import HagerZhang
from .strong_wolfe import StrongWolfe

__all__ = ["Backtracking", "HagerZhang", "LineSearch", "StrongWolfe"]
