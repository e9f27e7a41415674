"""Arrays of other libraries that lie on a GPU, without importing any of them."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["as_like", "is_numbas", "library_of", "on_gpu"]

CUDA_DEVICES = (2, 13)  # kDLCUDA and kDLCUDAManaged of DLPack


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


def library_of(x: Any) -> str:
    """The library of an array: the first part of its type's module."""
    name = type(x).__module__.partition(".")[0]
    return "jax" if name == "jaxlib" else name


def as_like(array: Any, like: Any) -> Any:
    """A Numba device array as one of the library of `like`, without a copy; of a library not known here, as it is."""
    name = library_of(like)
    module = sys.modules.get("jax.numpy" if name == "jax" else name)
    if module is None:
        return array
    if name == "torch":
        return module.as_tensor(array, device=like.device)
    return module.asarray(array) if name in ("cupy", "jax") else array
