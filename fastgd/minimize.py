"""The public call: check, plan, run, wrap."""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from .arguments import PER_RUN, check_kinds, check_order
from .averaging import Average
from .calls import explain_calls, levels_to_caller
from .engine import devices
from .engine.plan import Arrays, Plan, make_plan
from .engine.starts import range_of
from .errors import Interrupted
from .jit.exchange import as_like
from .jit.pool import checked_threads
from .optimizers import Method
from .problem import Problem
from .result import Result
from .stopping import StopTests, take_raised
from .texts import counted

__all__ = ["minimize"]

ENTRIES = 1 << 20  # of a trace, that are looked at together


@explain_calls(passed_on=True)
def minimize(
    problem: Problem,
    x0: Any,
    optimizer: Method,
    *,
    max_steps: int = 10_000,
    gtol: float | None = 1e-6,
    xtol: float | None = None,
    ftol: float | None = None,
    patience: int | None = None,
    bound: float = 1e10,
    seed: Any = 0,
    device: str = "auto",
    dtype: Any = np.float64,
    record: int | None = None,
    average: Average | None = None,
    batch_size: Any = None,
    replace: bool = False,
    shuffle: bool = True,
    noise: Any = 0.0,
    shared_batches: bool | int = False,
    check_every: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    threads: int | None = None,
) -> Result:
    """Run a batch of gradient descents, one from each start, until every one has ended.

    The batch shape is ``np.broadcast_shapes(x0.shape[:-1], every hyperparameter's shape, seed's shape)``; a single
    start with plain numbers gives the batch shape ``()``.  A run depends on its problem, start, hyperparameters and
    seed alone: on one kind of device it ends at the same point, bit for bit, alone or in any batch, on any number of
    threads.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    x0 : array_like, shape (*batch, n)
        The starts; finite.  They are read while the runs go on, and not copied: leave them as they are until the call
        returns.  An array on a GPU (of CuPy, PyTorch, JAX or Numba) is taken without a copy, the runs stay
        there, and the result's arrays are of the same library; where it is broadcast it is copied to the host and the
        result is NumPy's.  SciPy's methods and integrators take none.
    optimizer : Method
        The update rule with its hyperparameters, such as ``fastgd.Adam(lr=0.05)``; or a method with a line search; or
        ``fastgd.SciPyCG()``, or ``fastgd.GradientFlow()``, which refuse the arguments below that mean nothing to them.
    max_steps : int, default 10000
        Steps after which a run ends with status 2.
    gtol : float or None, default 1e-6
        A run has converged (status 0) when the largest absolute component of its gradient is at most this.
        It is the gradient of the problem, without weight decay and before clipping; for a rule that takes it elsewhere
        (look-ahead), the gradient there has to be small too.
    xtol : float, optional
        A run ends (status 1) when a step changes no parameter by more than this.
    ftol : float, optional
        A run ends (status 1) when its best value has not fallen by more than ``ftol * max(|f|, 1)`` for `patience`
        steps.
    patience : int, optional
        See `ftol`; 1 where only `ftol` is given.  Given alone, any fall counts (``ftol=0``).
    bound : float, default 1e10
        A run has diverged (status 3) when its next point is not finite, or has a component beyond this.
    seed : int or array_like of int, default 0
        Where something is drawn (`batch_size`, `noise`), a run draws by a seed of its own, in [0, 2⁶³), and by the
        step's number.  An array, which takes part in the batch shape, gives these seeds; runs with the same one draw
        the same. One integer stands for ``fastgd.seeds(seed, batch_shape)``, a different seed for each run, the first
        run's being the integer itself.  So run k alone is repeated by ``seed=fastgd.seeds(seed, batch_shape)[k]``.
    device : {"auto", "cpu", "cuda"}, default "auto"
        Where to run: "cuda" is an NVIDIA GPU (needs the extra ``cuda``).  "auto" takes one if there is one and the runs
        are at least 100,000; that number is a default and no measurement.  SciPy's methods and integrators run on the
        CPU only.
    dtype : float64 or float32, default float64
        The arithmetic of the runs; schedules and bias corrections are computed in float64.
    record : int, optional
        Keep every `record`-th point of every run in ``result.trace``. It takes the memory of as many points of each run
        as the longest run has, and in memory the points of all runs after the same number of steps lie side by side.
    average : Average, optional
        Average the points of each run, as in ``fastgd.SWA(start=1000)``, into ``result.x_avg``. It has to start by
        step `max_steps`; a warning says so where all runs ended before it did.
    batch_size : int or array_like of int, optional
        For a `FiniteSum`: each step takes the mean gradient over so many samples instead of all of them.  An array
        takes part in the batch shape.
    replace : bool, default False
        Draw each sample independently of the others.  By default the samples come in epochs, each of which visits every
        sample once, in an order of its own; a batch that reaches the end of an epoch is filled up from the next.
    shuffle : bool, default True
        False: every epoch goes through the samples in the order of the data.
    noise : float or array_like, default 0
        Standard deviation of independent normal numbers that are added to each component of the gradient at each step,
        for any problem.
    shared_batches : bool or int, default False
        True: all runs see the same samples at the same step (common random numbers), those that a run with the seed
        `seed` sees, which must be one integer then.  It is faster too, as a sample is loaded once for many runs.  An
        integer is the seed of these batches, whatever `seed` is.
    check_every : int, optional
        With `batch_size` or `noise` the tests on the gradient and the value (`gtol`, `ftol`, `patience`), and schedules
        that watch the value, look at those of all samples, without noise, at the steps 0, check_every,
        2 check_every, ...; `patience` then counts looks.  By default every step where all samples are used anyway, else
        once in ten to twenty epochs (a power of two of steps, by the run's own batch size), so that the looks take a
        tenth of the time at most.
    progress : bool or callable, default False
        True shows a bar (needs the extra ``cli``); a callable is called as ``progress(done, total)``.
    threads : int, optional
        How many threads to use on the CPU; all processors by default.

    Returns
    -------
    Result
        Arrays over the runs: `x`, `fun`, `grad_norm`, `nit`, `status`.

    Raises
    ------
    TypeError, ValueError
        For bad arguments, before any work.  A run that fails is no exception but a status.  A ValueError is raised
        later where the trace that `record` asks for grows past the memory.
    DeviceError
        A ValueError: the GPU was asked for and cannot be used, or the problem's functions raise exceptions there.
    Interrupted
        On Ctrl-C: a `KeyboardInterrupt` whose `partial` is the result so far, with every run that had ended.  Where a
        function of the problem is in an endless loop, at the second one.

    Warns
    -----
    RuntimeWarning
        If every run ended before `average` began.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> problem = gd.Problem(lambda x: (x[0] - 1) ** 2 + 10 * x[1] ** 2, dim=2, bounds=(-3, 3))
    >>> runs = gd.minimize(problem, problem.sample(1000, seed=0), gd.GradientDescent(lr=0.05))
    >>> bool(runs.success.all()), runs.x.shape
    (True, (1000, 2))

    One start, and a learning rate for each run; on this function a rate above 0.1 diverges:

    >>> sweep = gd.minimize(problem, [0.0, 1.0], gd.GradientDescent(lr=[0.01, 0.05, 0.11]))
    >>> sweep.status
    array([0, 0, 3], dtype=int8)
    """
    check_order(x0, optimizer, "minimize(problem, x0, optimizer)")
    check_kinds(problem, optimizer, Method)
    stop = StopTests(gtol, xtol, ftol, patience, bound, max_steps)
    engine = optimizer.engine or Descents(x0)
    if isinstance(device, str) and device == "cuda" and not engine.takes_gpu(optimizer):
        raise ValueError(
            'device="cuda" is for update rules, line searches and the gradient flow by method="rk"; '
            f"{optimizer!r} runs on the CPU: leave device out"
        )
    place = devices.checked_device(device)
    draws = {
        "batch_size": batch_size, "replace": replace, "shuffle": shuffle, "noise": noise,
        "shared_batches": shared_batches, "check_every": check_every,
    }  # fmt: skip
    plan = engine.plan(problem, x0, optimizer, stop, seed, dtype, record, average, draws)
    count = checked_threads(threads)
    with ExitStack() as stack:
        report = reporter(progress, plan.runs, stack)
        try:
            arrays = engine.run(plan, place, count, report)
        except Interrupted as error:
            raise Interrupted(str(error), partial=engine.result(plan, error.partial)) from None
    return engine.result(plan, arrays)


class Descents:
    """The engine of update rules and line searches, for starts of one library's arrays."""

    def __init__(self, origin: Any) -> None:
        self.origin = origin

    def takes_gpu(self, optimizer: Method) -> bool:
        return True

    def plan(self, *arguments: Any) -> Plan:
        return make_plan(*arguments)

    def run(self, plan: Plan, device: str, threads: int, report: Callable[[int, int], None] | None) -> Arrays:
        return devices.run(plan, device, threads, report)

    def result(self, plan: Plan, arrays: Arrays) -> Result:
        return wrapped_on_gpu(plan, arrays, self.origin) if plan.on_gpu else wrapped(plan, arrays)


def reporter(progress: Any, total: int, stack: ExitStack) -> Callable[[int, int], None] | None:
    """What hears of finished runs: nothing, the caller's function, or a bar on the terminal."""
    if progress is False or progress is None:
        return None
    if callable(progress):
        return progress
    if progress is not True:
        raise TypeError(f"progress must be True, False or a callable (done, total), got {progress!r}")
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        raise ImportError("progress=True needs rich: pip install rich, or pass a callable") from None
    bar = stack.enter_context(Progress(console=Console(file=sys.stderr), transient=True))
    task = bar.add_task("descending", total=total)
    return lambda done, _: bar.update(task, completed=done)


def settings(plan: Plan) -> dict[str, Any]:
    """What a result keeps of the arguments, besides problem and optimizer."""
    sampling = plan.sampling
    drawn = {} if sampling is None else {name: getattr(sampling, name) for name in PER_RUN}
    return {"record": plan.record, "start_range": range_of(plan.starts, plan.problem), **drawn}


def wrapped(plan: Plan, arrays: Arrays) -> Result:
    """The engine's arrays in the batch's shape."""
    batch, left_out = plan.batch, arrays.status < 0
    for array in (arrays.x, arrays.fun, arrays.grad_norm, arrays.x_avg, arrays.fun_avg):
        array[left_out[: len(array)]] = np.nan  # an interruption left these runs without numbers

    def shaped(array: np.ndarray) -> np.ndarray:
        return array.reshape(batch + array.shape[1:])

    x, fun, norm, nit, status = map(shaped, arrays[:5])
    trace = trimmed_trace(plan, arrays)
    failed = take_raised(status, plan.raised)
    result = Result(x, fun, norm, nit, status, trace, plan.problem, plan.optimizer, **settings(plan), **failed)
    if plan.average is not None:
        warn_of_no_average(plan.average, nit[status >= 0])
        result = dataclasses.replace(result, x_avg=shaped(arrays.x_avg), fun_avg=shaped(arrays.fun_avg))
    if plan.search is not None:  # each evaluation is one of both
        result = dataclasses.replace(result, nfev=shaped(arrays.nfev), njev=shaped(arrays.nfev.copy()))
    return result


def warn_of_no_average(average: Average, nit: np.ndarray) -> None:
    """Warn where every run ended before the average began, so that it is of none of them."""
    longest = int(nit.max(initial=0))
    if nit.size and longest < average.start:
        warnings.warn(
            f"x_avg is x: the average starts at step {average.start:,}, and the longest run ended after "
            f"{counted(longest, 'step')}; an earlier start, or gtol=None for runs of max_steps",
            RuntimeWarning,
            stacklevel=levels_to_caller(),
        )


def wrapped_on_gpu(plan: Plan, arrays: Arrays, origin: Any) -> Result:
    """The engine's arrays on the GPU as arrays of the library of `origin`."""

    def shaped(array: Any, *rest: int) -> Any:
        return as_like(array.reshape((*plan.batch, *rest)), origin)

    n = plan.length
    trace = None if plan.record is None else shaped(arrays.trace, arrays.trace.shape[1], n)
    fun, norm, nit, status = map(shaped, arrays[1:5])
    x = shaped(arrays.x, n)
    result = Result(x, fun, norm, nit, status, trace, plan.problem, plan.optimizer, **settings(plan))
    if plan.average is not None:
        result = dataclasses.replace(result, x_avg=shaped(arrays.x_avg, n), fun_avg=shaped(arrays.fun_avg))
    if plan.search is not None:
        result = dataclasses.replace(result, nfev=shaped(arrays.nfev), njev=shaped(arrays.nfev))
    return result


def trimmed_trace(plan: Plan, arrays: Arrays) -> np.ndarray | None:
    """The recorded points up to the longest run's last, NaN past the end of the shorter ones."""
    if plan.record is None:
        return None
    last = np.where(arrays.status < 0, -1, arrays.nit // plan.record)
    points = int(max(0, last.max())) + 1
    trace = arrays.trace[:, :points]
    by_point, some = trace.swapaxes(0, 1), max(1, ENTRIES // plan.runs)
    for low in range(0, points, some):
        part = by_point[low : low + some]
        part[np.arange(low, low + len(part))[:, None] > last] = np.nan
    return trace.reshape(*plan.batch, points, plan.length)
