"""The gradient flow of many starts abreast: Dormand and Prince's pair of orders 5 and 4, each run with its own step.

It is plain scalar Python like the loop over update rules.  With a width of 1 its values are floats and bools; with more
they are vectors and masks.  A lane whose run has ended takes the next start that waits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from fastgd.engine.stages import make_largest
from fastgd.jit.masks import any_lane, select, without
from fastgd.jit.options import inlined, interpreted, kernel
from fastgd.jit.rows import align_stack, row_view
from fastgd.jit.targets import aligned, lane_width, lanes_or_scalar, named, shared_kernel
from fastgd.problem import Problem
from fastgd.stopping import CONVERGED, DIVERGED, NO_PROGRESS, RUNNING, STEP_LIMIT

__all__ = ["STIFF", "FlowJob", "Limits", "flow_job"]

STIFF, IDLE = 5, -2  # statuses of a lane that no run ends with

# rows of the control, of one integer for each lane; of the numbers, one float
STATUS, NIT, NJEV, RUN, REJECTED, LIMITED, FREE = range(7)
STEP, ERROR = range(2)

BURST = 16  # attempted steps between two looks at which runs have ended
CHUNK_RUNS = 4096

# E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed. 1993, table 5.2 of II.5
A2 = (1 / 5,)
A3 = (3 / 40, 9 / 40)
A4 = (44 / 45, -56 / 15, 32 / 9)
A5 = (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729)
A6 = (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656)
B = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
E = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)

# the controller of their DOPRI5: factors of the step, and the exponents of this error and the last one
SAFETY, SHRINK, GROW, BETA = 0.9, 0.2, 10.0, 0.04
EXPONENT = 0.2 - 0.75 * BETA
REFUSED = 1e10  # the error of a step that met no number
# A refused step is not made smaller where it would move the point by less than this part of the error allowed to it:
# what makes the error is then no curvature but a jump of the gradient, or the end of the region where there is one.
LEAST = 1e-3

# The pair is stable on the negative real axis up to 3.3.  A step is held below it by the estimate of the largest
# curvature, for at the border itself the point would hover at the tolerance's distance from the minimum, and never meet
# `gtol`.
STABLE = 2.75
MET, MISSED = 15, 6  # DOPRI5's count: so many steps held by stability make a run stiff, so many free ones forget them


def make_attempt(gradient: Callable, length: int, width: int) -> Callable:
    """Build ``attempt``, which tries one step of every running lane, and returns whether any goes on."""
    n = length
    largest = make_largest(n)
    point, ahead, inner = (row_view(width, n, k * n) for k in range(3))
    slope1, slope2, slope3, slope4, slope5, slope6, slope7 = (row_view(width, n, (3 + k) * n) for k in range(7))
    numbers_of, control_of = row_view(width, 2, 10 * n), row_view(width, 7)
    huge = float(np.finfo(np.float64).max)

    @inlined
    def end(control, runs, status):
        control[STATUS] = select(runs, status, control[STATUS])

    @inlined
    def begin(x, g, scratch, fresh, number, control, data, rtol, atol):
        """The first gradient, and a first step of a hundredth of the way to the scale on which the point changes."""
        gradient(x, scratch, *data)
        size, speed, bad = abs(x[0]) * 0.0, abs(x[0]) * 0.0, abs(x[0]) * 0.0
        for i in range(n):
            g[i] = select(fresh, scratch[i], g[i])
            scale = atol + rtol * abs(x[i])
            size = max(size, abs(x[i]) / scale)
            speed = max(speed, abs(g[i]) / scale)
            bad = select(abs(g[i]) <= huge, bad, 1.0)
        step = select((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
        number[STEP] = select(fresh, step, number[STEP])
        number[ERROR] = select(fresh, 1e-4, number[ERROR])
        control[NJEV] = select(fresh, 1, control[NJEV])
        end(control, fresh & (bad > 0.0), DIVERGED)

    @inlined
    def attempt(block, controls, data, limits):
        gtol, bound, rtol, atol, max_steps, stiff_from = limits
        x, y, z = point(block, 0), ahead(block, 0), inner(block, 0)
        g1, g2, g3, g4 = slope1(block, 0), slope2(block, 0), slope3(block, 0), slope4(block, 0)
        g5, g6, g7 = slope5(block, 0), slope6(block, 0), slope7(block, 0)
        number, control = numbers_of(block, 0), control_of(controls, 0)

        fresh = (control[STATUS] == RUNNING) & (control[NJEV] == 0)
        if any_lane(fresh):
            begin(x, g1, z, fresh, number, control, data, rtol, atol)
        end(control, (control[STATUS] == RUNNING) & (largest(g1) <= gtol), CONVERGED)
        end(control, (control[STATUS] == RUNNING) & (control[NIT] >= max_steps), STEP_LIMIT)
        on = control[STATUS] == RUNNING

        h = number[STEP]
        for i in range(n):
            y[i] = x[i] - h * (A2[0] * g1[i])
        gradient(y, g2, *data)
        for i in range(n):
            y[i] = x[i] - h * (A3[0] * g1[i] + A3[1] * g2[i])
        gradient(y, g3, *data)
        for i in range(n):
            y[i] = x[i] - h * (A4[0] * g1[i] + A4[1] * g2[i] + A4[2] * g3[i])
        gradient(y, g4, *data)
        for i in range(n):
            y[i] = x[i] - h * (A5[0] * g1[i] + A5[1] * g2[i] + A5[2] * g3[i] + A5[3] * g4[i])
        gradient(y, g5, *data)
        for i in range(n):
            z[i] = x[i] - h * (A6[0] * g1[i] + A6[1] * g2[i] + A6[2] * g3[i] + A6[3] * g4[i] + A6[4] * g5[i])
        gradient(z, g6, *data)
        for i in range(n):
            y[i] = x[i] - h * (B[0] * g1[i] + B[2] * g3[i] + B[3] * g4[i] + B[4] * g5[i] + B[5] * g6[i])
        gradient(y, g7, *data)

        total, bend, chord, reach = h * 0.0, h * 0.0, h * 0.0, h * 0.0
        finite = on
        for i in range(n):
            defect = E[0] * g1[i] + E[2] * g3[i] + E[3] * g4[i] + E[4] * g5[i] + E[5] * g6[i] + E[6] * g7[i]
            part = h * defect / (atol + rtol * max(abs(x[i]), abs(y[i])))
            total = total + part * part
            turn, way = g7[i] - g6[i], y[i] - z[i]
            bend, chord = bend + turn * turn, chord + way * way
            finite = finite & (abs(y[i]) <= huge) & (abs(g7[i]) <= huge)
            reach = max(reach, abs(y[i]))
        error = np.sqrt(total / n)  # in plain Python a number of NumPy's, which may be divided by where it is 0
        error = select(finite & (error <= REFUSED), error, REFUSED)
        curvature = select((chord > 0.0) & finite, np.sqrt(bend / chord), 0.0)  # Hairer and Wanner's estimate, IV.2

        good = on & (error <= 1.0)
        inside = good & (reach <= bound)
        power = error**EXPONENT
        factor = min(max(SAFETY * number[ERROR] ** BETA / power, SHRINK), GROW)
        factor = select(control[REJECTED] > 0, min(factor, 1.0), factor)
        factor = select(good, factor, max(SAFETY / power, SHRINK))
        held = good & (h * factor * curvature > STABLE)
        step = select(held, STABLE / select(held, curvature, 1.0), h * factor)
        control[REJECTED] = select(good, 0, control[REJECTED] + 1)
        number[ERROR] = select(good, max(error, 1e-4), number[ERROR])
        number[STEP] = select(on, step, h)
        control[NJEV] = select(on, control[NJEV] + 6, control[NJEV])
        control[NIT] = select(inside, control[NIT] + 1, control[NIT])
        end(control, without(good, inside), DIVERGED)

        move = h * 0.0
        for i in range(n):
            x[i] = select(inside, y[i], x[i])
            g1[i] = select(inside, g7[i], g1[i])
            move = max(move, step * abs(g1[i]) / (atol + rtol * abs(x[i])))
        stuck = without(on, good) & (move <= LEAST)
        end(control, stuck & (error < REFUSED), NO_PROGRESS)
        end(control, stuck & (error >= REFUSED), DIVERGED)

        control[LIMITED] = select(held, control[LIMITED] + 1, control[LIMITED])
        control[FREE] = select(held, 0, select(good, control[FREE] + 1, control[FREE]))
        control[LIMITED] = select(control[FREE] >= MISSED, 0, control[LIMITED])
        stiff = (control[STATUS] == RUNNING) & (control[LIMITED] >= MET) & (control[NIT] >= stiff_from)
        end(control, stiff & (largest(g1) > gtol), STIFF)
        return any_lane(control[STATUS] == RUNNING)

    return attempt


def make_flow(value: Callable, gradient: Callable, length: int, width: int) -> Any:
    """Build the kernel of a chunk of starts; it returns whether it finished."""
    attempt, largest = make_attempt(gradient, length, width), make_largest(length)
    point, slope1, results_of = row_view(width, length), row_view(width, length, 3 * length), row_view(width, 2)

    @inlined
    def load_run(lane, run, starts, block, control, status):
        for i in range(block.shape[1]):
            block[0, i, lane] = 0.0
        for i in range(length):
            block[0, i, lane] = starts[run, i]
        for k in range(control.shape[1]):
            control[0, k, lane] = 0
        control[0, STATUS, lane] = status
        control[0, RUN, lane] = run

    @inlined
    def evaluate(block, results, data):
        x, g, out = point(block, 0), slope1(block, 0), results_of(results, 0)
        out[0] = value(x, *data)
        out[1] = largest(g)
        for i in range(length):  # `largest` passes over NaN
            out[1] = select(g[i] == g[i], out[1], g[i])

    @inlined
    def write_run(lane, block, control, results, out):
        x, fun, norm, nit, status, njev = out
        run = control[0, RUN, lane]
        for i in range(length):
            x[run, i] = block[0, i, lane]
        fun[run], norm[run] = results[0, 0, lane], results[0, 1, lane]
        nit[run], njev[run] = control[0, NIT, lane], control[0, NJEV, lane]
        status[run] = control[0, STATUS, lane]

    @kernel
    def flow(starts, data, work, out, limits, cancel):
        align_stack()
        block, control, results = work
        count = starts.shape[0]
        waiting, alive = min(width, count), min(width, count)
        for lane in range(width):
            load_run(lane, min(lane, count - 1), starts, block, control, RUNNING if lane < count else IDLE)
        while alive > 0:
            if cancel[0]:
                return False
            tries = 0
            while tries < BURST and attempt(block, control, data, limits):
                tries += 1
            evaluated = False
            for lane in range(width):
                if control[0, STATUS, lane] == RUNNING or control[0, STATUS, lane] == IDLE:
                    continue
                if not evaluated:
                    evaluate(block, results, data)
                    evaluated = True
                write_run(lane, block, control, results, out)
                if waiting < count:
                    load_run(lane, waiting, starts, block, control, RUNNING)
                    waiting += 1
                else:
                    control[0, STATUS, lane] = IDLE
                    alive -= 1
        return True

    return flow


class Limits:
    """What the kernel compares with."""

    def __init__(self, gtol: float, bound: float, rtol: float, atol: float, max_steps: int) -> None:
        largest = float(np.finfo(np.float64).max)
        # A run that is still held by stability when half of its steps are gone is given to a method without that limit
        self.values = gtol, min(float(bound), largest), rtol, atol, max_steps, max(max_steps // 2, 1)


class FlowJob:
    """The compiled kernel of a problem."""

    def __init__(self, problem: Problem, key: str, width: int) -> None:
        self.problem, self.width = problem, width
        self.kernel = shared_kernel(key, width, functools.partial(self.build, width))

    def build(self, width: int) -> Any:
        return make_flow(inlined(self.problem.fun), inlined(self.problem.grad), self.problem.dim, width)

    def arguments(
        self, starts: np.ndarray, out: tuple[np.ndarray, ...], limits: Limits, cancel: np.ndarray
    ) -> tuple[Any, ...]:
        """The kernel's arguments; `out` holds x, fun, grad_norm, nit, status and njev."""
        work = (
            aligned((1, 10 * self.problem.dim + 2, self.width), np.float64),
            aligned((1, 7, self.width), np.int64),
            aligned((1, 2, self.width), np.float64),
        )
        return starts, self.problem.data, work, out, limits.values, cancel

    def compile(self) -> None:
        if not interpreted() and not self.kernel.signatures:
            n = self.problem.dim
            out = (
                np.empty((1, n)), np.empty(1), np.empty(1), np.empty(1, np.int64), np.empty(1, np.int8),
                np.empty(1, np.int64),
            )  # fmt: skip
            given = self.arguments(np.empty((1, n)), out, Limits(0.0, 1.0, 0.1, 0.1, 1), np.zeros(1, np.uint8))
            self.kernel.compile(tuple(numba.typeof(argument) for argument in given))

    def chunk(self, runs: int, threads: int) -> int:
        """Runs in a chunk: many for each lane, and some chunks for each thread."""
        return max(4 * self.width, min(CHUNK_RUNS, -(-runs // (4 * threads))))


def flow_job(problem: Problem) -> FlowJob:
    """The kernel for a problem, on lanes where its functions take them."""
    key = named((problem.fun, problem.grad), "flow", problem.dim, [str(numba.typeof(item)) for item in problem.data])
    width = lane_width(problem.dim, np.dtype(np.float64))
    return lanes_or_scalar(problem.name, key, width, functools.partial(FlowJob, problem, key), warn=True)
