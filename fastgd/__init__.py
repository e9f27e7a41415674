"""Thousands to millions of gradient descents at once, and where they go."""

from __future__ import annotations

import importlib
from typing import Any

from . import optimizers, problems, schedules
from ._version import __version__
from .averaging import EMA, SWA
from .basins import BasinMap, Basins, BasinSweep, find_basins, map_basins, measures, sweep_basins, wilson
from .errors import DerivationError, Interrupted
from .ewma import ewma
from .jit.masks import select
from .landscape import (
    Classification,
    CriticalPoints,
    DisconnectivityTree,
    GradientCheck,
    LineSlice,
    PlaneSlice,
    classify,
    find_critical_points,
    gradient_check,
    line_slice,
    path_slice,
    random_slice,
)
from .minimize import minimize
from .optimizers import (
    AdaBelief,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    Adan,
    AdEMAMix,
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
from .stopping import Status

__all__ = [
    "EMA", "SWA", "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan", "BasinMap",
    "BasinSweep", "Basins", "Classification", "CriticalPoints", "DerivationError", "DisconnectivityTree",
    "GradientCheck", "GradientDescent", "Interrupted", "LineSlice", "Lion", "Momentum", "NAdam", "Nesterov",
    "PlaneSlice", "Problem", "RAdam", "RMSprop", "Result", "Rprop", "ScheduleFreeAdamW", "ScheduleFreeSGD",
    "Status", "Yogi", "__version__", "classify", "ewma", "find_basins", "find_critical_points", "gradient_check",
    "line_slice", "map_basins", "measures", "minimize", "optimizers", "path_slice", "plot", "problems",
    "random_slice", "schedules", "select", "sweep_basins", "wilson",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "plot":  # matplotlib is an extra, and slow to import
        return importlib.import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
