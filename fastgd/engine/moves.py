"""How a run's numbers get into a block, and its results out: for a lane of a chunk as for a thread of a GPU.

A run stands in lane `lane` of block `b`; a thread's own arrays are a block of one lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fastgd.jit.options import inlined
from fastgd.stopping import CONVERGED, DIVERGED, NFEV, NIT, NO_PROGRESS, STATUS, STEP_LIMIT

from .stages import Parts, Shape

__all__ = ["average_row", "counts_of", "make_begin_run", "make_keep_point", "make_write_run", "status_at_end"]


def average_row(shape: Shape) -> int:
    """Where the average begins among the rows of a block: after the points, the state and the best value."""
    return shape.length + shape.states + 1


def make_begin_run(shape: Shape) -> Callable:
    """``begin_run(b, lane, run, starts, block)``: the start of a run, and everything else blank."""
    length, best = shape.length, average_row(shape) - 1

    @inlined
    def begin_run(b, lane, run, starts, block):
        for i in range(length):
            block[b, i, lane] = starts[run, i]
        for i in range(length, block.shape[1]):
            block[b, i, lane] = 0.0
        block[b, best, lane] = math.inf

    return begin_run


@inlined
def counts_of(control, b, lane):
    """The steps of a run, its status and its evaluations."""
    return control[b, NIT, lane], control[b, STATUS, lane], control[b, NFEV, lane]


def make_write_run(parts: Parts, shape: Shape) -> Callable:
    """``write_run(b, lane, run, block, counts, x, nit, status, x_avg, nfev)``: what a run has come to.

    `counts` is what `counts_of` tells.
    """
    length, own_steps = shape.length, parts.own_steps
    averaged, average_start, first_average = parts.weight is not None, parts.average_start, average_row(shape)

    @inlined
    def write_run(b, lane, run, block, counts, x, nit, status, x_avg, nfev):
        steps = counts[0]
        nit[run] = steps
        status[run] = counts[1]
        if own_steps:
            nfev[run] = counts[2]
        for i in range(length):
            x[run, i] = block[b, i, lane]
        for i in range(length if averaged else 0):  # a run that ends before the average begins is its own average
            point, average = block[b, i, lane], block[b, first_average + i, lane]
            x_avg[run, i] = average if steps >= average_start else point

    return write_run


def make_keep_point(shape: Shape) -> Callable:
    """``keep_point(b, lane, block, trace, j, k)``: the point of a run into ``trace[j, k]``."""
    length = shape.length

    @inlined
    def keep_point(b, lane, block, trace, j, k):
        for i in range(length):
            trace[j, k, i] = block[b, i, lane]

    return keep_point


@inlined
def status_at_end(status, value, norm, gtol):
    """How a run ended, once value and gradient norm at its end are known.

    The last step may have brought it to where the gradient is small enough; and where the value is not finite no run
    has arrived, whatever the gradient says.
    """
    if status in (CONVERGED, NO_PROGRESS, STEP_LIMIT):
        if not math.isfinite(value):
            return DIVERGED
        if status == STEP_LIMIT and norm <= gtol:
            return CONVERGED
    return status
