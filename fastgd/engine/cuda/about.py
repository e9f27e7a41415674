"""What GPU there is."""

from __future__ import annotations

from numba import cuda

from fastgd.jit.cuda import simulated

__all__ = ["description"]


def description() -> str:
    """Name, compute capability and memory of the current GPU."""
    if simulated():
        return "Numba's CUDA simulator"
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    major, minor = device.compute_capability
    free, total = cuda.current_context().get_memory_info()
    return f"{name}, compute capability {major}.{minor}, {total / 2**30:.0f} GiB of memory, {free / 2**30:.0f} free"
