"""Thousands to millions of gradient descents at once, and where they go."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import datasets, optimizers, problems, schedules
from ._version import __version__
from .averaging import EMA, SWA
from .baseline import GradientFlow, SciPy, SciPyCG
from .basins import (
    Agreement,
    BasinMap,
    Basins,
    BasinSweep,
    basin_agreement,
    find_basins,
    map_basins,
    sweep_basins,
    wilson,
)
from .errors import DerivationError, DeviceError, Interrupted
from .ewma import ewma
from .finite_sum import FiniteSum
from .jit.gather import scratch
from .jit.masks import select
from .minimize import minimize
from .optimizers import (
    LBFGS,
    AdaBelief,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    Adan,
    AdEMAMix,
    ConjugateGradient,
    GradientDescent,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSprop,
    Rprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Yogi,
)
from .problem import Problem
from .result import Result
from .sampling import seeds
from .schedules import groups
from .searches import Backtracking, HagerZhang, StrongWolfe
from .stopping import Status

if TYPE_CHECKING:
    from . import plot
    from .basins import measures
    from .comparison import Comparison, compare
    from .landscape import (
        Classification,
        CriticalPoints,
        DisconnectivityTree,
        GradientCheck,
        LineSlice,
        PlaneSlice,
        classify,
        find_critical_points,
        layer_gradients,
        line_slice,
        path_slice,
        random_slice,
    )
    from .landscape.gradient_check import gradient_check

__all__ = [
    "EMA", "LBFGS", "SWA", "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan",
    "Agreement", "Backtracking", "BasinMap", "BasinSweep", "Basins", "Classification", "Comparison",
    "ConjugateGradient", "CriticalPoints", "DerivationError", "DeviceError", "DisconnectivityTree", "FiniteSum",
    "GradientCheck", "GradientDescent", "GradientFlow", "HagerZhang", "Interrupted", "LineSlice", "Lion", "Momentum",
    "NAdam", "Nesterov", "PlaneSlice", "Problem", "RAdam", "RMSprop", "Result", "Rprop", "ScheduleFreeAdamW",
    "ScheduleFreeSGD", "SciPy", "SciPyCG", "Status", "StrongWolfe", "Yogi", "__version__", "basin_agreement",
    "classify", "compare", "datasets", "ewma", "find_basins", "find_critical_points", "gradient_check", "groups",
    "layer_gradients", "line_slice", "map_basins", "measures", "minimize", "optimizers", "path_slice", "plot",
    "problems", "random_slice", "schedules", "scratch", "seeds", "select", "sweep_basins", "wilson",
]  # fmt: skip


# What most programs never ask for is imported when it is
LAZY = {
    "plot": ".plot", "measures": ".basins.measures", **dict.fromkeys(("Comparison", "compare"), ".comparison"),
    **dict.fromkeys(
        (
            "Classification", "CriticalPoints", "DisconnectivityTree", "GradientCheck", "LineSlice",
            "PlaneSlice", "classify", "find_critical_points", "gradient_check", "layer_gradients",
            "line_slice", "path_slice", "random_slice",
        ),
        ".landscape",
    ),
}  # fmt: skip


NAMES_ELSEWHERE = {"SGD": "GradientDescent", "CG": "ConjugateGradient", "BFGS": 'SciPy("BFGS")'}

SUBPACKAGES = ("measures", "plot", "problems", "schedules", "datasets")


def elsewhere(name: str) -> str:
    """A hint at the subpackage that has this name, or has it without the subpackage's own in front; else empty."""
    for package in SUBPACKAGES:
        names = importlib.import_module(LAZY.get(package, f".{package}"), __name__).__all__
        short = name.removeprefix(f"{package}_")
        if short in names:
            return f" It is fastgd.{package}.{short}"
    return ""


def __getattr__(name: str) -> Any:
    if name in NAMES_ELSEWHERE:
        ours = NAMES_ELSEWHERE[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: here it is fastgd.{ours}")
    if name not in LAZY:
        from .errors import nearest

        hint = "" if name.startswith("_") else elsewhere(name) or nearest(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
    module = importlib.import_module(LAZY[name], __name__)
    value = module if LAZY[name].endswith(f".{name}") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
