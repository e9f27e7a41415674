"""The triad of `triad.c` over all cores, for the comparison (`python triad.py --serve LIBRARY`).

A request `{"case": "store" or "stream", "bytes": N}` is answered with the seconds of a pass over three arrays of N
bytes, and with the bytes that pass over the bus: four arrays for `store` (write-allocate), three for `stream`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from serve import Work, serve

PART = 1 << 20  # numbers that a thread takes at a time
COUNTED = {"store": 4, "stream": 3}


def threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def triad_work(case: str, bytes: int, library: ctypes.CDLL, pool: ThreadPoolExecutor) -> Work:
    count = bytes // 8 // 4 * 4
    arrays = []
    for _ in range(3):
        room = np.ones(count + 8)
        start = -room.ctypes.data % 64 // 8
        arrays.append(room[start : start + count])
    function = getattr(library, f"triad_{case}")
    if case == "stream" and not function(*(ctypes.c_void_p(a.ctypes.data) for a in arrays), ctypes.c_size_t(4)):
        raise RuntimeError("this processor has no stores past its caches")
    starts = [a.ctypes.data for a in arrays]

    def part(low: int) -> None:
        addresses = (ctypes.c_void_p(start + 8 * low) for start in starts)
        function(*addresses, ctypes.c_size_t(min(PART, count - low)))

    return Work(lambda: list(pool.map(part, range(0, count, PART))), lambda _: 8.0 * COUNTED[case] * len(arrays[0]))


if __name__ == "__main__":
    loaded, workers = ctypes.CDLL(sys.argv[2]), ThreadPoolExecutor(threads())
    serve(lambda case, bytes: triad_work(case, bytes, loaded, workers))
