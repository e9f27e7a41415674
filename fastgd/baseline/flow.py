"""The gradient flow, whose end points define the basins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastgd import evaluate
from fastgd.boxes import box_scale
from fastgd.checks import is_real, shown
from fastgd.engine import devices
from fastgd.engine.plan import Arrays, Plan, Unscheduled, all_but_the_rate, stays
from fastgd.errors import Interrupted, nearest
from fastgd.optimizers import Engine, Method, Rule, register
from fastgd.problem import Problem
from fastgd.result import Result
from fastgd.stopping import STIFF, Status, StopTests, count_ended

from .one_by_one import OneByOne
from .runs import Ends, Task, is_good, make_task, result_of

__all__ = ["GradientFlow"]

METHODS = ("rk", "LSODA", "BDF")
ATOL = 1e-10  # of the scale of a parameter
SMALLEST = 1e-13  # of SciPy's integrators, a hundred times the rounding
PATIENCE = 100  # steps without a new smallest gradient after which the tolerances of the reference become tighter


@register
@dataclass(frozen=True, eq=False)
class GradientFlow(Method):
    r"""The gradient flow, :math:`\dot x = -\nabla f(x)`: the way of steepest descent with steps of no length.

    The flow defines what a basin is, so it is the yardstick for what an optimizer with steps of some length finds: see
    `fastgd.basin_agreement` and `fastgd.compare`.

    Parameters
    ----------
    rtol : float, default 1e-8
        Relative error of a component in one step, in [1e-13, 1).
    atol : float, optional
        Absolute error of a component in one step, > 0. By default 1e-10 of the scale of each parameter: a tenth of the
        side of the problem's box; without a box, the largest coordinate of the start, or 1 where that is 0.
    method : {"rk", "LSODA", "BDF"}, default "rk"
        "rk" takes many starts abreast, with the pair of orders 5 and 4 of Dormand and Prince, and a step of its own for
        each run, as in Hairer's DOPRI5, on the CPU or a GPU (the `device` of `minimize`, or where the starts lie).
        "LSODA" and "BDF" are SciPy's, one start after another: the reference.

    Raises
    ------
    TypeError, ValueError
        For a tolerance outside its range, and for an unknown method.

    Notes
    -----
    The flow never ends; a run does where the largest component of its gradient is at most `gtol`.  That is
    so at once for a start at a minimum, which has ``nit == 0``, and for one at a saddle or a maximum.  A start whose
    gradient leads exactly to a saddle converges to it: look at `Problem.hessian` to tell.

    A run ends with status 1 where no step is small enough for the tolerance, as before a wall; with 2 after `max_steps`
    steps, as where it goes to and fro across a kink; with 3 where the flow leaves the region in which values are
    finite, or passes `bound`.

    `nit` counts accepted steps, `njev` all gradients; `nfev` is 0, for the flow looks at no value.

    An explicit method takes steps in proportion to the smallest 1/curvature.  Where this is what holds the steps of
    "rk" back (15 steps in a row by the estimate of Hairer and Wanner) when half of `max_steps` is used up, the run is
    *stiff*, and LSODA goes on with it, on the CPU wherever it began; the result is where the starts are.  To have "rk"
    do it alone, give more `max_steps`.

    Near a minimum the error of "LSODA" and "BDF" can be larger than `gtol` allows.  Where the gradient finds no new low
    for 100 steps they go on with a tenth of the tolerances.

    References
    ----------
    J. R. Dormand, P. J. Prince, A family of embedded Runge-Kutta formulae, Journal of
    Computational and Applied Mathematics 6 (1980) 19-26, doi:10.1016/0771-050X(80)90013-3.  E. Hairer, S. P. Nørsett,
    G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., Springer 1993, doi:10.1007/978-3-540-78862-1,
    sections II.4 and II.5; E. Hairer, G. Wanner, the same II, 1996, doi:10.1007/978-3-642-05221-7, section IV.2.

    Examples
    --------
    The flow on half of a quadratic form multiplies each component by a power of e:

    >>> import fastgd as gd
    >>> bowl = gd.problems.quadratic(dim=2)
    >>> runs = gd.minimize(bowl, [[1.0, 1.0], [0.0, 0.0]], gd.GradientFlow())
    >>> runs.status, bool(runs.nit[0] > 0), int(runs.nit[1])
    (array([0, 0], dtype=int8), True, 0)
    """

    rtol: float = 1e-8
    atol: float | None = None
    method: str = "rk"

    name: ClassVar[str] = "gradient_flow"
    engine: ClassVar[Engine | None]

    def __post_init__(self) -> None:
        for name, low, high in (("rtol", SMALLEST, 1.0), ("atol", 0.0, math.inf)):
            value = getattr(self, name)
            if name == "atol" and value is None:
                continue
            if not is_real(value):
                raise TypeError(f"GradientFlow: {name} must be one number, got {shown(value)}")
            if not (low < value < high or value == SMALLEST):
                interval = "[1e-13, 1)" if name == "rtol" else "(0, inf)"
                raise ValueError(f"GradientFlow: {name} must be in {interval}, got {value!r}")
            object.__setattr__(self, name, float(value))
        known = {method.lower(): method for method in METHODS}
        if not isinstance(self.method, str) or self.method.lower() not in known:
            hint = nearest(self.method, METHODS)
            raise ValueError(f"GradientFlow: method must be one of {', '.join(METHODS)}, got {self.method!r}.{hint}")
        object.__setattr__(self, "method", known[self.method.lower()])


def errors_of(flow: GradientFlow, problem: Problem) -> np.ndarray:
    """The absolute error of each component, shape (n,), where the start says no more; see `at_start`."""
    if flow.atol is not None:
        return np.full(problem.dim, flow.atol)
    return ATOL * (np.ones(problem.dim) if problem.bounds is None else box_scale(problem.bounds))


def at_start(flow: GradientFlow, problem: Problem) -> bool:
    """Whether the absolute errors are parts of the start's largest coordinate, for want of a box."""
    return flow.atol is None and problem.bounds is None


def make_runner(problem: Problem, flow: GradientFlow, stop: StopTests, cancel: np.ndarray) -> Callable[..., Any]:
    """A function that takes one start to its end by one of SciPy's integrators."""
    from scipy import integrate

    kind = integrate.BDF if flow.method == "BDF" else integrate.LSODA
    n, data = problem.dim, problem.data
    value, gradient = evaluate.scalar_at(problem.fun, n, data), evaluate.vector_at(problem.grad, n, n, data)
    gtol = -1.0 if stop.gtol is None else stop.gtol
    errors, by_start = errors_of(flow, problem), at_start(flow, problem)

    def run(start: np.ndarray, limit: int) -> tuple[Any, ...] | None:
        x, tighter, nit, njev, finite = start, 1.0, 0, 1, True
        atol = errors * (float(np.max(np.abs(start))) or 1.0) if by_start else errors
        slope = gradient(x)
        lowest, since = math.inf, 0
        solver: Any = None

        def downhill(t: float, at: np.ndarray) -> np.ndarray:
            nonlocal njev, finite
            njev += 1
            g = gradient(at)
            finite &= bool(np.all(np.isfinite(g)))
            return -g

        while True:
            norm = float(np.max(np.abs(slope)))  # NaN if any component is
            if not norm <= np.finfo(np.float64).max:
                status = Status.DIVERGED
                break
            if norm <= gtol:
                status = Status.CONVERGED
                break
            if nit >= limit:
                status = Status.STEP_LIMIT
                break
            if cancel[0]:
                return None
            lowest, since = (norm, 0) if norm < lowest else (lowest, since + 1)
            if since == PATIENCE and flow.rtol * tighter > SMALLEST:
                tighter, since, solver = max(0.1 * tighter, SMALLEST / flow.rtol), 0, None
            finite = True
            try:
                if solver is None:
                    solver = kind(downhill, 0.0, x, math.inf, rtol=flow.rtol * tighter, atol=atol * tighter)
                solver.step()
                failed = solver.status == "failed"
            except (ValueError, np.linalg.LinAlgError):  # its linear algebra has met what is not finite
                if finite:
                    raise
                failed = True
            if failed:
                status = Status.NO_PROGRESS if finite else Status.DIVERGED
                break
            if not is_good(solver.y, stop.bound):
                status = Status.DIVERGED
                break
            before = x, slope, norm
            x = np.array(solver.y)
            slope = gradient(x)
            njev += 1
            nit += 1
            if not np.all(np.isfinite(slope)):
                x, slope, norm = before
                status = Status.DIVERGED
                break
        return x, value(x), norm, nit, status, 0, njev

    return run


def plan_of(task: Task) -> Plan:
    """The flow from all starts abreast, for the loop that update rules share."""
    flow = task.optimizer
    return Plan(
        task.problem, flow, task.starts, task.batch, Rule(all_but_the_rate, stays, slots=0), None, Unscheduled(), (),
        None, (flow.rtol, float(at_start(flow, task.problem))), task.stop, np.dtype(np.float64), None, flow=True,
        errors=errors_of(flow, task.problem), raised=task.errors,
    )  # fmt: skip


def ends_of(arrays: Arrays) -> Ends:
    """The loop's arrays; it counts gradients, as there is no value to look at."""
    ends = Ends(*arrays[:5], np.zeros_like(arrays.nfev), arrays.nfev)
    ends.forget(ends.status == Status.NOT_RUN)
    return ends


def ends_on_gpu(arrays: Any) -> Ends | None:
    """The loop's arrays on a GPU, if all runs have come to their ends there and none goes on elsewhere."""
    from fastgd.jit.cuda_arrays import zeros

    if count_ended(arrays.status.copy_to_host()) < len(arrays.status):
        return None
    x, fun, norm, nit, status, *_, gradients = arrays
    return Ends(x, fun, norm, nit, status, zeros(gradients.shape, np.int64, gradients), gradients)


def taken_home(arrays: Any) -> Arrays:
    """Arrays of the host, of those that lie on a GPU as well."""
    return Arrays(*(each if isinstance(each, np.ndarray) else each.copy_to_host() for each in arrays))


class FlowEngine:
    """Starts abreast by the explicit pair, and what is stiff, or asked for, one by one by SciPy's integrators."""

    reference = OneByOne(make_runner)

    def takes_gpu(self, optimizer: GradientFlow) -> bool:
        return optimizer.method == "rk"

    def plan(self, problem: Any, x0: Any, optimizer: GradientFlow, *rest: Any) -> Task:
        return make_task(problem, x0, optimizer, *rest, takes_gpu=self.takes_gpu(optimizer))

    def result(self, task: Task, ends: Ends) -> Result:
        return result_of(task, ends)

    def run(self, task: Task, device: str, threads: int, report: Callable[[int, int], None] | None) -> Ends:
        if task.optimizer.method != "rk":
            ends, limit = Ends.empty(task.runs, task.problem.dim), task.stop.max_steps
            starts = task.starts_of(0, task.runs)
            self.reference.fill(task, ends, np.arange(task.runs), lambda k: (starts[k], limit), threads, report)
            return ends
        try:
            arrays = devices.run(plan_of(task), device, threads, report)
        except Interrupted as interruption:
            ends = ends_of(taken_home(interruption.partial))
            ends.forget(ends.status == STIFF)
            raise ends.interrupted() from None
        if task.on_gpu and (there := ends_on_gpu(arrays)):
            return there
        ends = ends_of(taken_home(arrays))
        try:
            self.one_by_one(task, ends, threads, report)
        except KeyboardInterrupt:
            ends.forget(ends.status == STIFF)
            raise ends.interrupted() from None
        return ends

    def one_by_one(
        self, task: Task, ends: Ends, threads: int, report: Callable[[int, int], None] | None
    ) -> None:
        """Go on with the runs that are stiff."""
        stiff = np.flatnonzero(ends.status == STIFF)
        if not stiff.size:
            return
        rest = Ends.empty(task.runs, task.problem.dim)
        limit = int(task.stop.max_steps)

        def item(k: int) -> tuple[np.ndarray, int]:
            return ends.x[k], limit - int(ends.nit[k])

        def ended(count: int, _: int) -> None:
            if report is not None:
                report(task.runs - stiff.size + count, task.runs)

        try:
            self.reference.fill(task, rest, stiff, item, threads, ended)
        finally:
            done = stiff[rest.status[stiff] != Status.NOT_RUN]
            rest.nit[done] += ends.nit[done]
            rest.njev[done] += ends.njev[done]
            ends.put(done, (array[done] for array in rest))


GradientFlow.engine = FlowEngine()
