"""Line searches: how far to go along a direction, decided from values and slopes."""

from fastgd.calls import explain_construction

from .backtracking import Backtracking
from .base import LineSearch
from .hager_zhang import HagerZhang
from .strong_wolfe import StrongWolfe

__all__ = ["Backtracking", "HagerZhang", "LineSearch", "StrongWolfe"]

for _kind in (Backtracking, HagerZhang, StrongWolfe):
    explain_construction(_kind)
