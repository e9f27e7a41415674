"""The engine of methods that take one start after another, in Python with compiled functions."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fastgd.engine.scheduler import run_chunks
from fastgd.jit.pool import available_threads
from fastgd.result import Result
from fastgd.stopping import RAISED

from .runs import Ends, Task, make_task, result_of
from .workers import Workers

__all__ = ["OneByOne", "Runner"]

FIRST, CHUNK = 2, 64  # runs by which the time of the others is told, and most runs between two reports
BETWEEN = 0.1  # seconds between two reports, where a run does not take longer
WORTH_PROCESSES = 3.0  # seconds of work; starting a process takes about one


class Runner(Protocol):
    """Takes one start to its end: the values of `Ends` for it, or None where `cancel` was set meanwhile."""

    def __call__(self, *item: Any) -> tuple[Any, ...] | None: ...


class Catching:
    """Makes runners for which a function that raises is an end of its run: RAISED, with the message after the values.

    Parameters
    ----------
    make_runner : callable
        As for `OneByOne`.
    """

    def __init__(self, make_runner: Callable[..., Runner]) -> None:
        self.make_runner = make_runner

    def __call__(self, *order: Any) -> Runner:
        runner = self.make_runner(*order)

        def run(*item: Any) -> tuple[Any, ...] | None:
            try:
                return runner(*item)
            except Exception as error:
                return item[0], np.nan, np.nan, 0, RAISED, 0, 0, f"{type(error).__name__}: {error}"

        return run


class OneByOne:
    """Runs one start after another; where there is work for seconds, in processes side by side.

    Python code holds the interpreter lock, so threads would take turns.  The result is the same, bit for bit.

    Parameters
    ----------
    make_runner : callable
        ``make_runner(problem, optimizer, stop, cancel)`` returns a `Runner`; of a module, so that it can be sent.
    """

    def __init__(self, make_runner: Callable[..., Runner]) -> None:
        self.make_runner = Catching(make_runner)

    def plan(self, *arguments: Any) -> Task:
        return make_task(*arguments)

    def takes_gpu(self, optimizer: Any) -> bool:
        return False

    def run(self, task: Task, device: str, threads: int, report: Callable[[int, int], None] | None) -> Ends:
        ends = Ends.empty(task.runs, task.problem.dim)
        starts = task.starts_of(0, task.runs)
        self.fill(task, ends, np.arange(task.runs), lambda k: (starts[k],), threads, report)
        return ends

    def result(self, task: Task, ends: Ends) -> Result:
        return result_of(task, ends)

    def fill(
        self,
        task: Task,
        ends: Ends,
        which: np.ndarray,
        item: Callable[[int], tuple[Any, ...]],
        threads: int,
        report: Callable[[int, int], None] | None,
    ) -> None:
        """Do these runs of a task, and put what comes out into the arrays.

        ``item(run)`` is what the runner is called with.

        Raises
        ------
        Interrupted
            On Ctrl-C, with the arrays in `partial`.
        """
        cancel, total = np.zeros(1, np.uint8), len(which)
        order = self.make_runner, task.problem, task.optimizer, task.stop
        done = 0

        def heard(count: int, _: int) -> None:
            if report is not None:
                report(done + count, total)

        def here(low: int, high: int) -> bool:
            with np.errstate(all="ignore"):
                for k in which[low:high].tolist():
                    values = runner(*item(k))
                    if values is None:
                        return False
                    task.take(ends, k, values)
            return True

        first = min(FIRST, total)
        try:
            runner = self.make_runner(task.problem, task.optimizer, task.stop, cancel)
            with warnings.catch_warnings():  # what they warn of becomes a status
                warnings.simplefilter("ignore")
                began = time.perf_counter()
                done += run_chunks(here, [(0, first)], 1, cancel, heard, total)
                each = (time.perf_counter() - began) / first + 1e-9
                size, ahead = int(min(max(BETWEEN / each, 1), CHUNK)), each * (total - first)
                parts = [(low, min(low + size, total)) for low in range(first, total, size)]
                if threads > 1 and ahead > WORTH_PROCESSES and (pool := Workers.make(order, cancel)):
                    with pool:
                        def there(low: int, high: int) -> bool:
                            chosen = which[low:high].tolist()
                            rows = pool.ask([item(k) for k in chosen])
                            for k, values in zip(chosen, rows, strict=False):
                                task.take(ends, k, values)
                            return len(rows) == len(chosen)

                        run_chunks(there, parts, min(threads, available_threads()), cancel, heard, total)
                else:
                    run_chunks(here, parts, 1, cancel, heard, total)
        except KeyboardInterrupt:
            raise ends.interrupted() from None
