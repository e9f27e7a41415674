"""Which device a plan runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgd.errors import DeviceError, nearest
from fastgd.jit.cuda import missing, require, unusable

from . import cpu
from .plan import Arrays, Plan

__all__ = ["AUTO_RUNS", "about", "checked_device", "run"]

DEVICES = ("auto", "cpu", "cuda")
AUTO_RUNS = 100_000  # from which "auto" takes a GPU: a default, not yet a measurement


def checked_device(device: Any) -> str:
    """The device asked for; raises ValueError if it is none, and DeviceError where there is no GPU to use."""
    if not isinstance(device, str) or device not in DEVICES:
        hint = " Did you mean: 'cuda'?" if str(device).lower() in ("gpu", "nvidia") else nearest(device, DEVICES)
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}.{hint}")
    if device == "cuda":
        require()
    return device


def run(plan: Plan, device: str, threads: int, report: Callable[[int, int], None] | None = None) -> Arrays:
    """Run a plan where it was asked for; "auto" takes the GPU if there is one and the runs are many.

    Raises
    ------
    DeviceError
        If the GPU was asked for and cannot be used, or the problem's functions raise exceptions there.
    Interrupted
        On Ctrl-C, with the arrays in `partial`.
    """
    if plan.on_gpu and device == "cpu":
        raise ValueError('device="cpu" takes no starts that lie on a GPU: copy x0 to the host, or leave device out')
    if device == "cuda" or plan.on_gpu or (device == "auto" and plan.runs >= AUTO_RUNS and missing() is None):
        from . import cuda

        try:
            return cuda.run(plan, report)
        except (DeviceError, MemoryError, TypeError):
            if device == "cuda" or plan.on_gpu:
                raise
    return cpu.run(plan, threads, report)


def about() -> str:
    """One line on the GPU, and from what size on "auto" takes it."""
    if reason := unusable():
        return f"none: {reason}"
    from . import cuda

    return f'{cuda.description()}; device="auto" takes it from {AUTO_RUNS:,} runs on (a default, not a measurement)'
