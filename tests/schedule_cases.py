"""Every schedule with parameters for eight runs, and a slope that shows the rates a descent uses."""

from __future__ import annotations

import numpy as np
from cases import trace_of

import fastgd as gd
from fastgd.schedules import (
    Constant,
    Cosine,
    CosineWarmRestarts,
    Exponential,
    ExpRange,
    InverseTime,
    LinearWarmup,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    Schedule,
    StepDecay,
    Triangular,
    Triangular2,
    sequence,
)


def slope(x):
    return x[0] + 0.0 * x[1]


def slope_gradient(x, out):
    out[0] = 1.0
    out[1] = 0.0


SLOPE = gd.Problem(slope, slope_gradient, dim=2)  # a descent on it adds up its rates


def rates_used(schedule: Schedule, steps: int) -> np.ndarray:
    """The learning rates that a descent takes in its first `steps` steps: (..., steps)."""
    return -np.diff(trace_of(SLOPE, [0.0, 0.0], gd.GradientDescent(lr=schedule), max_steps=steps)[..., 0], axis=-1)


PEAKS, COUNTS = np.linspace(0.02, 0.16, 8), np.arange(3, 11)  # eight runs, for eight lanes
VARIED: dict[str, Schedule] = {
    "Constant": Constant(PEAKS),
    "InverseTime": InverseTime(PEAKS, 0.3),
    "Exponential": Exponential(PEAKS, 1 - PEAKS / 100),
    "StepDecay": StepDecay(PEAKS, COUNTS, 0.9),
    "PiecewiseConstant": PiecewiseConstant([5, 20], [PEAKS, 0.3, PEAKS / 2]),
    "PiecewiseConstant of one piece": PiecewiseConstant([], [PEAKS]),
    "Polynomial": Polynomial(PEAKS, COUNTS * 9, 1.5, 0.001),
    "LinearWarmup": LinearWarmup(PEAKS, COUNTS),
    "Cosine": Cosine(PEAKS, COUNTS, 0.001),
    "Cosine to 0": Cosine(PEAKS, COUNTS * 7),
    "CosineWarmRestarts": CosineWarmRestarts(PEAKS, COUNTS, min_lr=0.001, decay=0.99),
    "CosineWarmRestarts, longer": CosineWarmRestarts(PEAKS, COUNTS, 2, 0.001, np.linspace(0.3, 1.0, 8)),
    "Triangular": Triangular(PEAKS, 0.01, COUNTS, COUNTS[::-1]),
    "Triangular2": Triangular2(PEAKS, 0.01, COUNTS),
    "ExpRange": ExpRange(PEAKS, 0.01, COUNTS, gamma=0.999),
    "OneCycle": OneCycle(PEAKS, COUNTS * 8),
    "OneCycle, three lines": OneCycle(PEAKS, COUNTS * 8, three_phase=True, anneal_strategy="linear"),
    "sequence": sequence(LinearWarmup(PEAKS, COUNTS), sequence(Cosine(PEAKS, COUNTS), Constant(0.3), at=30), at=7),
}


def numbers_of(schedule: Schedule) -> list[tuple[float, ...]]:
    """The parameters of each run."""
    columns = np.broadcast_arrays(*schedule.parameters().values())
    return list(zip(*(np.atleast_1d(column).tolist() for column in columns), strict=True))
