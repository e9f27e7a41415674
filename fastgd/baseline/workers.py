"""Processes that do runs, each fed by one thread.

They are started by name and told their work, functions included, over a pipe: nothing of the caller's program runs a
second time in them, so a script needs no guard, and its threads are no danger as they would be to a fork.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np
from numba.core.serialize import dumps

__all__ = ["Workers"]

# The processes share the processors, and the linear algebra of a few parameters is none to be shared out once more
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Python puts the current folder first on the path of a -c, but for -P, which came with 3.11
START = "import sys; sys.path = [p for p in sys.path if p]; from fastgd.baseline.workers import serve; serve()"
LOOK = 0.05  # seconds between two looks at whether to stop


class Workers:
    """A process for each thread that asks.

    Parameters
    ----------
    order : bytes
        The pickled arguments of `serve`'s runner.
    cancel : ndarray of uint8, shape (1,)
        Set where the work is to stop.
    """

    def __init__(self, order: bytes, cancel: np.ndarray) -> None:
        self.order, self.cancel = order, cancel
        self.mine = threading.local()
        self.all: list[Worker] = []
        self.idle: list[Worker] = []

    @classmethod
    def make(cls, order: tuple[Any, ...], cancel: np.ndarray) -> Workers | None:
        """Workers for an order; None where there can be none: on Windows, or for functions that cannot be sent.

        What a module holds is sent by its name, so the first worker has to say that it has found everything.
        """
        if os.name != "posix" or not sys.executable:
            return None
        try:
            pool = cls(dumps((list(sys.path), dumps(order))), cancel)
        except Exception:  # whatever a captured object raises when it is pickled: the work is done here instead
            return None
        first = Worker(pool.order)
        try:
            fit = first.is_ready(cancel)
        except BaseException:
            first.close()
            raise
        if not fit:
            first.close()
            return None
        pool.all.append(first)
        pool.idle.append(first)
        return pool

    def ask(self, items: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """What the calling thread's process makes of some runs, of the first of them if `cancel` was set meanwhile."""
        worker: Worker | None = getattr(self.mine, "worker", None)
        if worker is None:
            with contextlib.suppress(IndexError):
                worker = self.idle.pop()
        if worker is None:
            worker = Worker(self.order)
            self.all.append(worker)
            worker.is_ready(self.cancel)  # the first one was
        self.mine.worker = worker
        return worker.ask(items, self.cancel)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.all:
            worker.close()


class Worker:
    """One process."""

    def __init__(self, order: bytes) -> None:
        command = [sys.executable, "-c", START]
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        settings = {**os.environ, "PYTHONPATH": path, **dict.fromkeys(ONE_THREAD, "1")}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=settings)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.to = Connection(os.dup(self.process.stdin.fileno()), readable=False)
        self.back = Connection(os.dup(self.process.stdout.fileno()), writable=False)
        self.process.stdin.close()
        self.process.stdout.close()
        self.to.send_bytes(order)

    def hears(self, cancel: np.ndarray) -> bool:
        """Wait for an answer; False where `cancel` was set before there was one."""
        while not cancel[0]:
            if self.back.poll(LOOK):
                return True
        return False

    def is_ready(self, cancel: np.ndarray) -> bool:
        """Wait until the process has its order, or has found that it cannot do it."""
        try:
            return self.hears(cancel) and self.back.recv() is None
        except EOFError:
            return False

    def ask(self, items: list[tuple[Any, ...]], cancel: np.ndarray) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        if not cancel[0]:
            self.to.send(items)
        while len(rows) < len(items) and self.hears(cancel):
            try:
                answer = self.back.recv()
            except EOFError:
                raise RuntimeError(f"a worker process ended with exit code {self.process.wait()}") from None
            if isinstance(answer, BaseException):
                raise answer
            rows += answer
        return rows

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.to.close()
        self.back.close()


def leave_with(orders: int) -> None:
    """End this process, whatever it is at, when the one that holds the other end of the pipe has ended."""
    ended = select.poll()
    ended.register(orders, 0)  # that nobody can write any more is told in any case
    ended.poll()
    os._exit(0)


def in_portions(runner: Any, items: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """What comes out of runs, handed over now and then, as an interruption may leave no time for the rest."""
    rows, began = [], time.perf_counter()
    for item in items:
        rows.append(runner(*item))
        if time.perf_counter() - began > LOOK:
            yield rows
            rows, began = [], time.perf_counter()
    if rows:
        yield rows


def serve() -> None:
    """What a worker process does: an order, then runs for as long as there are any."""
    import pickle
    import warnings

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the asking process decides
    back = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # what a user's module prints must not come between the answers
    orders = Connection(os.dup(0), writable=False)
    threading.Thread(target=leave_with, args=(orders.fileno(),), daemon=True).start()
    try:
        sys.path[:], order = pickle.loads(orders.recv_bytes())
        make_runner, *rest = pickle.loads(order)
        warnings.simplefilter("ignore")
        runner = make_runner(*rest, np.zeros(1, np.uint8))
        back.send(None)
        while True:
            items = orders.recv()
            with np.errstate(all="ignore"):
                for rows in in_portions(runner, items):
                    back.send(rows)
    except (EOFError, BrokenPipeError):  # who asked has gone
        return
    except BaseException as error:
        with contextlib.suppress(BrokenPipeError):
            back.send(error)
