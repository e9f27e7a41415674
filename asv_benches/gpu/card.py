"""The GPU: what it is, what it could do at most, and how a call on it is timed."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable
from typing import Any

from numba import cuda

from fastgd.jit import cuda as jit_cuda
from fastgd.jit.cuda import simulated

# Results a clock cycle of one multiprocessor, by compute capability: CUDA C++ Programming Guide, "Arithmetic
# Instructions", throughput of native add, multiply, multiply-add
LANES = {
    "float64": {(8, 0): 32, (8, 6): 2, (8, 7): 2, (8, 9): 2, (9, 0): 64, (10, 0): 64, (12, 0): 2},
    "float32": {(8, 0): 64, (8, 6): 128, (8, 7): 128, (8, 9): 128, (9, 0): 128, (10, 0): 128, (12, 0): 128},
}
# A division or a root that IEEE rounds is a sequence of multiply-adds after an approximation
EXPANDED = {"add": 1, "sub": 1, "mul": 1, "fma": 1, "div": 9, "sqrt": 9}


def facts() -> dict[str, Any]:
    """Name, capability, multiprocessors, clock, memory and driver."""
    if simulated():
        return {"name": "Numba's CUDA simulator"}
    device, memory = cuda.get_current_device(), cuda.current_context().get_memory_info()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    return {
        "name": name, "capability": list(device.compute_capability), "multiprocessors": device.MULTIPROCESSOR_COUNT,
        "clock_MHz": device.CLOCK_RATE / 1000, "memory_GiB": memory.total / 2**30, "driver": driver(),
    }  # fmt: skip


def driver() -> str:
    import shutil
    import subprocess

    program = shutil.which("nvidia-smi")
    if program is None:
        return "not told: nvidia-smi is missing"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def limit(dtype: str) -> float | None:
    """Arithmetic instructions a second, at the clock that the driver tells; None for a card that is not in the list."""
    if simulated():
        return None
    device = cuda.get_current_device()
    lanes = LANES[dtype].get(tuple(device.compute_capability))
    return None if lanes is None else lanes * device.MULTIPROCESSOR_COUNT * device.CLOCK_RATE * 1e3


def operations(ptx: str, dtype: str) -> int:
    """Arithmetic instructions in a kernel's code, of which nearly all stand in its one loop."""
    kind = "f64" if dtype == "float64" else "f32"
    found = re.findall(rf"\b(add|sub|mul|fma|div|sqrt)\.rn\.{kind}\b", ptx)
    return sum(EXPANDED[name] for name in found)


def free_memory() -> float:
    gc.collect()
    return jit_cuda.free_memory()


def timed(call: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """The shortest of some calls in seconds, each waited for, and what the last one returned."""
    best, answer = float("inf"), None
    for _ in range(repeats):
        cuda.synchronize()
        start = time.perf_counter()
        answer = call()
        cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best, answer
