"""Threads that stay: a step over large arrays takes milliseconds, which starting threads anew would lengthen."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastgd.checks import is_whole, past_int64, shown

__all__ = ["available_threads", "checked_threads", "helpers", "share_out"]


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


@functools.cache
def helpers(count: int) -> ThreadPoolExecutor:
    """The pool of so many threads."""
    return ThreadPoolExecutor(count, thread_name_prefix="fastgd")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=helpers.cache_clear)  # the child of a fork has the pools without their threads


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
    others = [helpers(threads - 1).submit(some) for _ in range(threads - 1)]
    try:
        some()
    finally:  # the caller's arrays are in use until the others have finished; those that never began need not
        for other in others:
            if not other.cancel():
                other.result()
