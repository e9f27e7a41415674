"""Chunks of runs over threads: who takes the next one, progress, and interruption."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait

import numpy as np

from fastgd.errors import Interrupted
from fastgd.jit.pool import HELPERS

__all__ = ["run_chunks"]


def run_chunks(
    work: Callable[[int, int], bool],
    chunks: Iterable[tuple[int, int]],
    threads: int,
    cancel: np.ndarray,
    report: Callable[[int, int], None] | None,
    total: int,
) -> int:
    """Call ``work(low, high)`` for every chunk of runs, on `threads` threads, until `cancel` is set.

    An error or Ctrl-C sets it, and the call returns when all threads have seen it; at a second Ctrl-C it leaves them to
    themselves, as where one is in an endless loop.

    Parameters
    ----------
    work : callable
        Does the runs from `low` up to `high`, and returns whether it finished; it looks at `cancel` now and then.
    chunks : iterable of (int, int)
        The chunks.
    threads : int
        How many threads; at most one for each chunk is used.
    cancel : ndarray of uint8, shape (1,)
        Set to 1 where an error or Ctrl-C ends the work early.
    report : callable or None
        ``report(done, total)`` hears of every finished chunk, on the calling thread.
    total : int
        All runs.

    Returns
    -------
    int
        Runs done.

    Raises
    ------
    Interrupted
        On Ctrl-C, with nothing in `partial`; what `work` has finished by then is done.
    """
    parts = list(chunks)
    remaining, lock = iter(parts), threading.Lock()
    finished: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def some() -> None:
        try:
            while True:
                with lock:
                    part = next(remaining, None)
                if part is None or cancel[0] or not work(*part):
                    return
                finished.put(part[1] - part[0])
        except BaseException:
            cancel[0] = 1  # the rest would be lost with this part
            raise
        finally:
            finished.put(None)

    workers: list[Future[None]] = []
    done = 0
    active = threads = min(threads, len(parts))
    try:
        workers += [HELPERS.submit(some) for _ in range(threads)]
        while active:
            count = finished.get()
            active -= count is None
            done += count or 0
            if report is not None and count:
                report(done, total)
    except BaseException as error:
        cancel[0], interrupted = 1, isinstance(error, KeyboardInterrupt)
        try:
            wait([worker for worker in workers if not worker.cancel()])
        except KeyboardInterrupt:
            interrupted = True
        if interrupted:
            raise Interrupted(f"interrupted after {done} of {total} runs") from None
        raise
    for worker in workers:
        worker.result()
    return done
