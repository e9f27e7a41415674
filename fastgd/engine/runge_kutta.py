"""The step of the gradient flow: one attempt by Dormand and Prince's pair of orders 5 and 4.

Each run has a step size of its own.  An attempt that is refused costs its own run a pass of the loop, and none of its
neighbours.  ``nit`` counts accepted steps and ``nfev`` gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastgd.jit.masks import any_lane, select, without
from fastgd.jit.options import inlined
from fastgd.stopping import CONVERGED, DIVERGED, NFEV, NIT, NO_PROGRESS, RUNNING, STATUS, STEP_LIMIT, STIFF

from .stages import Parts, Shape, Views, make_largest

__all__ = ["FLOW_POINTS", "behind_errors", "flow_rows", "make_flow_step"]

FLOW_POINTS = 7  # of working memory: the gradients of the stages behind the first, and the point of the sixth
# numbers of each run besides its gradient: the step, the last error, three counts, and the unit of the absolute errors
OWN = 6

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
TINY = 1e-300  # in place of a zero that something is divided by, where the quotient is not used or cut off
# A refused step is not made smaller where it would move the point by less than this part of the error allowed to it:
# what makes the error is then no curvature but a jump of the gradient, or the end of the region where there is one.
LEAST = 1e-3

# The pair is stable on the negative real axis up to 3.3.  A step is held below it by the estimate of the largest
# curvature, for at the border itself the point would hover at the tolerance's distance from the minimum, and never meet
# `gtol`.
STABLE = 2.75
MET, MISSED = 15, 6  # DOPRI5's count: so many steps held by stability make a run stiff, so many free ones forget them


def flow_rows(length: int) -> int:
    """Numbers that each run keeps: the gradient at its point, and its own."""
    return length + OWN


def behind_errors(value: Callable, gradient: Callable) -> tuple[Callable, Callable]:
    """Value and gradient for kernels whose data begin with the absolute errors of the flow, one for each parameter."""

    @inlined
    def value_behind(x, errors, *data):
        return value(x, *data)

    @inlined
    def gradient_behind(x, out, errors, *data):
        gradient(x, out, *data)

    return value_behind, gradient_behind


def make_flow_step(parts: Parts, shape: Shape, views: Views) -> Callable:
    """Build ``step``, of the signature of `descend.make_step`; its `limits` have the step limit at the end.

    A run that is still held by stability when half of its steps are gone ends as `STIFF`, for a method without that
    limit to go on with.
    """
    gradient, n = parts.gradient, shape.length
    largest, huge = make_largest(n), float(np.finfo(np.float64).max)
    state_of, control_of = views.state, views.control
    stage2, stage3, stage4, stage5, stage6, stage7, inner = views.working[:FLOW_POINTS]
    step_at, error_at, rejected_at, held_at, free_at, unit_at = range(n, n + OWN)

    @inlined
    def end(control, runs, status):
        control[STATUS] = select(runs, status, control[STATUS])

    @inlined
    def begin(x, s, scratch, fresh, control, data, rtol, by_start):
        """The first gradient, and a first step of a hundredth of the way to the scale on which the point changes."""
        gradient(x, scratch, *data)
        size, speed, bad = abs(x[0]) * 0.0, abs(x[0]) * 0.0, abs(x[0]) * 0.0
        unit = largest(x)
        unit = select((by_start > 0.0) & (unit > 0.0), unit, 1.0)
        s[unit_at] = select(fresh, unit, s[unit_at])
        for i in range(n):
            s[i] = select(fresh, scratch[i], s[i])
            scale = unit * data[0][i] + rtol * abs(x[i])
            size = max(size, abs(x[i]) / scale)
            speed = max(speed, abs(s[i]) / scale)
            bad = select(abs(s[i]) <= huge, bad, 1.0)
        first = select((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
        s[step_at] = select(fresh, first, s[step_at])
        s[error_at] = select(fresh, 1e-4, s[error_at])
        control[NFEV] = select(fresh, 1, control[NFEV])
        end(control, fresh & (bad > 0.0), DIVERGED)

    @inlined
    def step(x, y, scratch, b, block, hypers, controls, c, data, t, limits, k, table, drawn):
        gtol, _, _, _, bound, max_steps = limits
        rtol, errors = c[0], data[0]
        s, control = state_of(block, b), control_of(controls, b)  # the first n rows of the state are the gradient at x
        g2, g3, g4, g5 = stage2(scratch, b), stage3(scratch, b), stage4(scratch, b), stage5(scratch, b)
        g6, g7, z = stage6(scratch, b), stage7(scratch, b), inner(scratch, b)

        fresh = (control[STATUS] == RUNNING) & (control[NFEV] == 0)
        if any_lane(fresh):
            begin(x, s, z, fresh, control, data, rtol, c[1])
        end(control, (control[STATUS] == RUNNING) & (largest(s) <= gtol), CONVERGED)
        end(control, (control[STATUS] == RUNNING) & (control[NIT] >= max_steps), STEP_LIMIT)
        on = control[STATUS] == RUNNING

        h, unit = s[step_at], s[unit_at]
        for i in range(n):
            y[i] = x[i] - h * (A2[0] * s[i])
        gradient(y, g2, *data)
        for i in range(n):
            y[i] = x[i] - h * (A3[0] * s[i] + A3[1] * g2[i])
        gradient(y, g3, *data)
        for i in range(n):
            y[i] = x[i] - h * (A4[0] * s[i] + A4[1] * g2[i] + A4[2] * g3[i])
        gradient(y, g4, *data)
        for i in range(n):
            y[i] = x[i] - h * (A5[0] * s[i] + A5[1] * g2[i] + A5[2] * g3[i] + A5[3] * g4[i])
        gradient(y, g5, *data)
        for i in range(n):
            z[i] = x[i] - h * (A6[0] * s[i] + A6[1] * g2[i] + A6[2] * g3[i] + A6[3] * g4[i] + A6[4] * g5[i])
        gradient(z, g6, *data)
        for i in range(n):
            y[i] = x[i] - h * (B[0] * s[i] + B[2] * g3[i] + B[3] * g4[i] + B[4] * g5[i] + B[5] * g6[i])
        gradient(y, g7, *data)

        total, bend, chord, reach = h * 0.0, h * 0.0, h * 0.0, h * 0.0
        finite = on
        for i in range(n):
            defect = E[0] * s[i] + E[2] * g3[i] + E[3] * g4[i] + E[4] * g5[i] + E[5] * g6[i] + E[6] * g7[i]
            part = h * defect / (unit * errors[i] + rtol * max(abs(x[i]), abs(y[i])))
            total = total + part * part
            turn, way = g7[i] - g6[i], y[i] - z[i]
            bend, chord = bend + turn * turn, chord + way * way
            finite = finite & (abs(y[i]) <= huge) & (abs(g7[i]) <= huge)
            reach = max(reach, abs(y[i]))
        error = math.sqrt(total / n)
        error = select(finite & (error <= REFUSED), error, REFUSED)
        curvature = select((chord > 0.0) & finite, math.sqrt(bend / chord), 0.0)  # Hairer and Wanner's estimate, IV.2

        good = on & (error <= 1.0)
        inside = good & (reach <= bound)
        power = max(error, TINY) ** EXPONENT
        factor = min(max(SAFETY * s[error_at] ** BETA / power, SHRINK), GROW)
        factor = select(s[rejected_at] > 0.0, min(factor, 1.0), factor)
        factor = select(good, factor, max(SAFETY / power, SHRINK))
        held = good & (h * factor * curvature > STABLE)
        following = select(held, STABLE / max(curvature, TINY), h * factor)
        s[rejected_at] = select(good, 0.0, s[rejected_at] + 1.0)
        s[error_at] = select(good, max(error, 1e-4), s[error_at])
        s[step_at] = select(on, following, h)
        control[NFEV] = select(on, control[NFEV] + 6, control[NFEV])
        control[NIT] = select(inside, control[NIT] + 1, control[NIT])
        end(control, without(good, inside), DIVERGED)

        move = h * 0.0
        for i in range(n):
            y[i] = select(inside, y[i], x[i])
            s[i] = select(inside, g7[i], s[i])
            move = max(move, following * abs(s[i]) / (unit * errors[i] + rtol * abs(y[i])))
        stuck = without(on, good) & (move <= LEAST)
        end(control, stuck & (error < REFUSED), NO_PROGRESS)
        end(control, stuck & (error >= REFUSED), DIVERGED)

        s[held_at] = select(held, s[held_at] + 1.0, s[held_at])
        s[free_at] = select(held, 0.0, select(good, s[free_at] + 1.0, s[free_at]))
        s[held_at] = select(s[free_at] >= MISSED, 0.0, s[held_at])
        halfway = control[NIT] >= max(max_steps // 2, 1)
        stiff = (control[STATUS] == RUNNING) & (s[held_at] >= MET) & halfway
        end(control, stiff & (largest(s) > gtol), STIFF)
        return any_lane(control[STATUS] == RUNNING)

    return step
