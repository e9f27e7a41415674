"""A caller's arrays on the GPU: taken without a copy, and checked where they lie."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import cuda

from .cuda import DeviceKernel, require
from .exchange import is_numbas, library_of

__all__ = ["adopt", "count_not_finite"]

THREADS = 256


def adopt(x: Any, name: str) -> Any:
    """The caller's array as Numba's, without a copy; it is kept alive by the new one.

    Raises
    ------
    ValueError
        If it is not C-contiguous.
    """
    require()
    if library_of(x) == "torch":
        x = x.detach()  # the same memory; of parameters with a gradient PyTorch gives no address
    if is_numbas(x):
        array = x
    elif hasattr(x, "__cuda_array_interface__"):
        array = cuda.as_cuda_array(x)
    else:
        array = cuda.from_cuda_array_interface(interface_of(x), owner=x)
    if not array.is_c_contiguous():
        raise ValueError(
            f"{name} must be C-contiguous on the GPU, got shape {array.shape} with strides {array.strides}; pass a copy"
        )
    return array


def interface_of(x: Any) -> dict[str, Any]:
    """What ``__cuda_array_interface__`` would say of an array that speaks DLPack only."""
    from cuda.core.utils import StridedMemoryView

    view = StridedMemoryView.from_dlpack(x, stream_ptr=-1)
    dtype = np.dtype(view.dtype)
    strides = None if view.strides is None else tuple(step * dtype.itemsize for step in view.strides)
    return {
        "shape": tuple(view.shape), "strides": strides, "typestr": dtype.str, "data": (view.ptr, view.readonly),
        "version": 3,
    }  # fmt: skip


@functools.cache
def make_counter() -> DeviceKernel:
    """``count(numbers, size, largest, found)``: how many numbers are NaN, or beyond the largest finite one."""

    def count(numbers, size, largest, found):
        i = cuda.grid(1)
        if i < size and not (abs(numbers[i]) <= largest):
            cuda.atomic.add(found, 0, 1)

    return DeviceKernel(count, "not finite")


def count_not_finite(array: Any, dtype: np.dtype) -> int:
    """How many of an array's numbers are NaN or too large for `dtype`."""
    found = cuda.to_device(np.zeros(1, np.int64))
    flat = array.reshape(array.size)
    largest = float(np.finfo(dtype).max)
    make_counter().launch(-(-array.size // THREADS), THREADS, 0, flat, array.size, largest, found)
    return int(found.copy_to_host()[0])
