"""Learning rates that change with the step.

A schedule is a frozen dataclass whose numeric fields may be arrays, one value a run.  Its ``rate(p, t)`` is a plain
scalar function of these fields `p`, in their order, and the step t = 0, 1, ...; the kernels compile it.
"""

from typing import TYPE_CHECKING

from fastgd.calls import explain_construction
from fastgd.errors import suggesting
from fastgd.texts import brief

from .base import Constant, Schedule
from .cyclic import Cosine, CosineWarmRestarts, ExpRange, OneCycle, Triangular, Triangular2
from .decay import Exponential, InverseTime, PiecewiseConstant, Polynomial, StepDecay
from .groups import Groups, groups
from .plateau import ReduceOnPlateau
from .warmup import LinearWarmup, sequence

__all__ = [
    "Constant", "Cosine", "CosineWarmRestarts", "ExpRange", "Exponential", "Groups", "InverseTime", "LinearWarmup",
    "OneCycle", "PiecewiseConstant", "Polynomial", "ReduceOnPlateau", "Schedule", "StepDecay", "Triangular",
    "Triangular2", "groups", "sequence",
]  # fmt: skip

for _kind in list(globals().values()):
    if isinstance(_kind, type) and issubclass(_kind, Schedule):
        brief(explain_construction(_kind))


def __dir__() -> list[str]:
    return list(__all__)


if not TYPE_CHECKING:  # which would take any name then
    __getattr__ = suggesting(__name__, __all__)
