"""A caller's arrays on the GPU: taken without a copy, and checked where they lie."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import cuda

from .cuda import DeviceKernel, on_device_of, require, simulated
from .exchange import LEGACY_STREAM, interface_of, is_numbas, library_of

__all__ = ["adopt", "common_stream", "count_not_finite", "filled", "sent", "settle", "wait_for", "zeros"]

THREADS = 256


def adopt(x: Any, name: str, written: bool = False) -> Any:
    """The caller's array as Numba's, without a copy; it is kept alive by the new one.

    Its `stream` is the one in which its library works, or 0.

    Raises
    ------
    ValueError
        If it is not C-contiguous.
    TypeError
        If it is to be `written` to, and is read-only.
    """
    require()
    if is_numbas(x):
        array, read_only = x, False
    else:
        owner, said = x, interface_of(x)
        if said is None:
            owner, said = by_dlpack(x)
        array, read_only = cuda.from_cuda_array_interface(said, owner=owner, sync=False), said["data"][1]
    if not array.is_c_contiguous():
        raise ValueError(
            f"{name} must be C-contiguous on the GPU, got shape {array.shape} with strides {array.strides}; pass a copy"
        )
    if written and read_only:
        raise TypeError(f"{name} must be writable to be updated in place, got a read-only array")
    return array


def by_dlpack(x: Any) -> tuple[Any, dict[str, Any]]:
    """What keeps the memory of an array alive that speaks DLPack only, and its interface.

    Its library has the default stream wait for what it has been asked to do.
    """
    from cuda.core.utils import StridedMemoryView

    view = StridedMemoryView.from_dlpack(x, stream_ptr=LEGACY_STREAM)
    dtype = np.dtype(view.dtype)
    strides = None if view.strides is None else tuple(step * dtype.itemsize for step in view.strides)
    return (x, view), {
        "shape": tuple(view.shape), "strides": strides, "typestr": dtype.str, "data": (view.ptr, view.readonly),
        "version": 3,
    }  # fmt: skip


def pointer_of(stream: Any) -> int:
    """The address of a stream, 0 for the default one."""
    pointer = 0 if simulated() or not stream else int(stream)
    return 0 if pointer == LEGACY_STREAM else pointer


@functools.lru_cache(128)
def stream_at(pointer: int) -> Any:
    """The stream of an address; the same object each time, which launches are remembered by."""
    return cuda.external_stream(pointer) if pointer else 0


def wait_in(pointer: int) -> None:
    if pointer:
        stream_at(pointer).synchronize()
    elif not simulated():
        cuda.default_stream().synchronize()


def wait_for(array: Any) -> None:
    """Return when everything is done that the stream of an adopted array has been given."""
    if pointer := pointer_of(array.stream):
        wait_in(pointer)


def settle(x: Any) -> None:
    """Wait until what was done to an array is there, unless its library works in the stream that it was done in."""
    if not is_numbas(x) and library_of(x) not in ("torch", "cupy"):
        cuda.synchronize()


def common_stream(arrays: Sequence[Any]) -> Any:
    """The stream of adopted arrays, 0 for the default one; where they have several, the others are waited for."""
    first, *others = dict.fromkeys(pointer_of(array.stream) for array in arrays)
    for other in others:
        wait_in(other)
    return stream_at(first)


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


@functools.cache
def make_filler() -> DeviceKernel:
    """``fill(numbers, size, value)``: the same value everywhere."""

    def fill(numbers, size, value):
        i = cuda.grid(1)
        if i < size:
            numbers[i] = value

    return DeviceKernel(fill, "fill")


def filled(array: Any, value: float) -> Any:
    """The array, with a value everywhere."""
    if array.size:
        make_filler().launch(-(-array.size // THREADS), THREADS, 0, array.reshape(array.size), array.size, value)
    return array


def zeros(shape: tuple[int, ...], dtype: Any, beside: Any) -> Any:
    """Zeros on the GPU that the array `beside` lies on, for a stream of any library."""
    with on_device_of(beside):
        array = filled(cuda.device_array(shape, dtype), 0)
        cuda.synchronize()
    return array


def sent(array: np.ndarray, beside: Any) -> Any:
    """An array of the host on the GPU that the array `beside` lies on, for a stream of any library."""
    with on_device_of(beside):
        there = cuda.to_device(np.ascontiguousarray(array))
        cuda.synchronize()
    return there
