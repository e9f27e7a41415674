"""Arrays of other libraries that lie on a GPU, without importing any of them."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["as_like", "device_of", "interface_of", "is_numbas", "library_of", "on_gpu"]

CUDA_DEVICES = (2, 13)  # kDLCUDA and kDLCUDAManaged of DLPack
LEGACY_STREAM = 1  # the default stream, where 0 would be ambiguous


def on_gpu(x: Any) -> bool:
    """Whether `x` is an array on a GPU: of Numba, by DLPack, or by ``__cuda_array_interface__``."""
    if is_numbas(x):
        return True
    device = getattr(x, "__dlpack_device__", None)
    if device is not None:  # asked first, as PyTorch's parameters raise where they are asked for the other
        return int(device()[0]) in CUDA_DEVICES
    return hasattr(x, "__cuda_array_interface__")


def is_numbas(x: Any) -> bool:
    """Whether `x` is Numba's own device array, or its simulator's."""
    return type(x).__module__.startswith("numba.cuda")


def device_of(x: Any) -> int | None:
    """The number of the GPU that an array lies on; None of an array that does not tell."""
    if is_numbas(x):
        return int(x.gpu_data.context.device.id)
    device = getattr(x, "__dlpack_device__", None)
    return None if device is None else int(device()[1])


def interface_of(x: Any) -> dict[str, Any] | None:
    """What ``__cuda_array_interface__`` says of an array, and the stream its library works in; None if it has neither.

    PyTorch names no stream there, though its own may be another than the default one.  JAX names none either, and its
    arrays never change: what has been computed once is there for good, so it is waited for here.
    """
    name = library_of(x)
    if name == "torch":
        x = x.detach()  # the same memory; of parameters with a gradient PyTorch gives no address
    said = getattr(x, "__cuda_array_interface__", None)
    if said is None:
        return None
    if name == "torch":
        stream = sys.modules["torch"].cuda.current_stream(x.device).cuda_stream
        return {**said, "stream": stream or LEGACY_STREAM, "version": 3}
    if name == "jax":
        x.block_until_ready()
    return said


def library_of(x: Any) -> str:
    """The library of an array: the first part of its type's module."""
    name = type(x).__module__.partition(".")[0]
    return "jax" if name == "jaxlib" else name


def as_like(array: Any, like: Any) -> Any:
    """A Numba device array as one of the library of `like`; of a library not known here, as it is.

    It is the same memory, but for JAX, whose arrays by this interface do not keep it alive: it is copied on the GPU.
    """
    name = library_of(like)
    module = sys.modules.get("jax.numpy" if name == "jax" else name)
    if module is None:
        return array
    if name == "torch":
        return module.as_tensor(array, device=like.device)
    if name == "jax":
        return module.array(array, copy=True).block_until_ready()
    return module.asarray(array) if name == "cupy" else array
