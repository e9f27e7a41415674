"""Thousands to millions of gradient descents at once, and where they go."""

from __future__ import annotations

import importlib
from typing import Any

from . import datasets, optimizers, problems, schedules
from ._version import __version__
from .averaging import EMA, SWA
from .basins import BasinMap, Basins, find_basins, map_basins, wilson
from .errors import DerivationError, Interrupted
from .ewma import ewma
from .finite_sum import FiniteSum
from .jit.gather import scratch
from .jit.masks import select
from .landscape import GradientCheck, gradient_check, layer_gradients
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
from .sampling import seeds
from .schedules import groups
from .stopping import Status

__all__ = [
    "EMA", "SWA", "AdEMAMix", "AdaBelief", "AdaGrad", "Adadelta", "Adam", "AdamW", "Adamax", "Adan", "BasinMap",
    "Basins", "DerivationError", "FiniteSum", "GradientCheck", "GradientDescent", "Interrupted", "Lion", "Momentum",
    "NAdam",
    "Nesterov", "Problem", "RAdam", "RMSprop", "Result", "Rprop", "ScheduleFreeAdamW", "ScheduleFreeSGD", "Status",
    "Yogi", "__version__", "datasets", "ewma", "find_basins", "gradient_check", "groups", "layer_gradients",
    "map_basins", "minimize", "optimizers", "plot",
    "problems", "schedules", "scratch", "seeds", "select", "wilson",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "plot":  # matplotlib is an extra, and slow to import
        return importlib.import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
