"""Thousands to millions of gradient descents at once, and where they go."""

from __future__ import annotations

import importlib
from typing import Any

from . import optimizers, problems, schedules
from ._version import __version__
from .averaging import EMA, SWA
from .basins import BasinMap, Basins, find_basins, map_basins, wilson
from .errors import DerivationError, DeviceError, Interrupted
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
    "EMA", "SWA", "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan", "BasinMap",
    "Basins", "DerivationError", "DeviceError", "GradientCheck", "GradientDescent", "Interrupted", "Lion", "Momentum",
    "NAdam", "Nesterov", "Problem", "RAdam", "RMSprop", "Result", "Rprop", "ScheduleFreeAdamW", "ScheduleFreeSGD",
    "Status", "Yogi", "__version__", "ewma", "find_basins", "gradient_check", "map_basins", "minimize", "optimizers",
    "plot", "problems", "schedules", "select", "wilson",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "plot":  # matplotlib is an extra, and slow to import
        return importlib.import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
