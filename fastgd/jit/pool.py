"""Threads that stay: a step over large arrays takes milliseconds, which starting threads anew would lengthen."""

from __future__ import annotations

import contextvars
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from fastgd.checks import is_whole, past_int64, shown

__all__ = ["HELPERS", "available_threads", "checked_threads", "interruptible", "share_out"]

T = TypeVar("T")


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked_threads(threads: Any) -> int:
    """The number of threads asked for, all processors where it is None; ValueError if it is no such number."""
    if threads is None:
        return available_threads()
    if not is_whole(threads):
        raise ValueError(f"threads must be None or an integer >= 1, got {shown(threads)}{past_int64(threads)}")
    return int(threads)


class Helpers:
    """Threads that take one task after another, as many as there were tasks at once.

    They are daemons: one that is left to an endless loop does not keep the interpreter from leaving.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Have no thread yet."""
        self.lock, self.free = threading.Lock(), 0
        self.tasks: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have ``work(*arguments)`` called on a thread of its own, a new one if none is free."""
        task: Future[T] = Future()
        with self.lock:
            is_free = self.free > 0
            self.free -= is_free
        if not is_free:
            threading.Thread(target=self.serve, name="fastgd", daemon=True).start()
        self.tasks.put((task, work, arguments))
        return task

    def serve(self) -> None:
        while True:
            self.do(*self.tasks.get())

    def do(self, task: Future[Any], work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        tell: Callable[[Any], None] | None = None
        outcome: Any = None
        if task.set_running_or_notify_cancel():
            try:
                tell, outcome = task.set_result, work(*arguments)
            except BaseException as error:
                tell, outcome = task.set_exception, error
        with self.lock:
            self.free += 1  # before the outcome is known, or whoever waits for it would start another thread
        if tell is not None:
            tell(outcome)


HELPERS = Helpers()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=HELPERS.begin)  # the child of a fork has none of its parent's threads


def interruptible(work: Callable[..., T], *arguments: Any) -> T:
    """Call ``work(*arguments)``, compiled code that takes its time, so that Ctrl-C is heard meanwhile.

    Python hears signals on its main thread, between two of its instructions. So another thread does the work, and where
    a signal raises an exception here it is left to itself: it goes on to its end, and nobody hears of what comes out.
    """
    if threading.current_thread() is not threading.main_thread() or is_importing():
        return work(*arguments)
    return HELPERS.submit(contextvars.copy_context().run, work, *arguments).result()


def is_importing() -> bool:
    """Tell whether the caller stands in the import of a module, whose lock another thread would wait for."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def share_out(work: Callable[[Any], None], tasks: Iterable[Any], threads: int) -> None:
    """Call ``work(task)`` for every task on the calling thread and on ``threads - 1`` others, and wait for the last."""
    remaining, lock = iter(tasks), threading.Lock()

    def some() -> None:
        while True:
            with lock:
                task = next(remaining, None)
            if task is None:
                return
            work(task)

    if threads == 1:
        some()
        return
    others = [HELPERS.submit(some) for _ in range(threads - 1)]
    try:
        some()
    finally:  # the caller's arrays are in use until the others have finished; those that never began need not
        for other in others:
            if not other.cancel():
                other.result()
