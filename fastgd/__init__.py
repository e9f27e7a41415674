"""Thousands to millions of gradient descents at once, and where they go."""

from __future__ import annotations

import importlib
from typing import Any

from . import optimizers, problems, schedules
from ._version import __version__
from .averaging import EMA, SWA
from .baseline import GradientFlow, SciPy, SciPyCG
from .basins import Agreement, BasinMap, Basins, basin_agreement, find_basins, map_basins, wilson
from .compare import Comparison, compare
from .errors import DerivationError, Interrupted
from .ewma import ewma
from .jit.masks import select
from .landscape import GradientCheck, gradient_check
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
    "EMA", "SWA", "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan", "Agreement",
    "BasinMap", "Basins", "Comparison", "DerivationError", "GradientCheck", "GradientDescent", "GradientFlow",
    "Interrupted", "Lion", "Momentum", "NAdam", "Nesterov", "Problem", "RAdam", "RMSprop", "Result", "Rprop",
    "ScheduleFreeAdamW", "ScheduleFreeSGD", "SciPy", "SciPyCG", "Status", "Yogi", "__version__", "basin_agreement",
    "compare", "ewma", "find_basins", "gradient_check", "map_basins", "minimize", "optimizers", "plot", "problems",
    "schedules", "select", "wilson",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "plot":  # matplotlib is an extra, and slow to import
        return importlib.import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
