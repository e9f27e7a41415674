"""Numba on a GPU: whether there is one, and kernels with the options and the cache of this project.

With the variable ``NUMBA_ENABLE_CUDASIM`` (and ``NUMBA_DISABLE_JIT`` beside it) everything runs on Numba's simulator,
thread by thread in plain Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.metadata
import importlib.util
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from numba.core import config

from fastgd.errors import DeviceError

from .cache import environment, fingerprint, is_unreadable, load, store, unpickled
from .exchange import device_of, on_gpu
from .options import interpreted

__all__ = [
    "DeviceKernel", "device_number", "free_memory", "is_out_of_memory", "library_of", "missing", "on_device_of",
    "ptx_of", "require", "simulated", "unusable",
]  # fmt: skip

INSTALL = 'pip install "numba-cuda[cu13]" (or "numba-cuda[cu12]" for a driver of CUDA 12)'

DRIVER = "install NVIDIA's driver, and see that nvidia-smi lists the GPU"
NO_GPU = "the driver finds no GPU; see nvidia-smi, and whether CUDA_VISIBLE_DEVICES hides it"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE

# fma: products and sums are fused where the source is lowered (`jit/operators.py`), as on the CPU, and nowhere else
NVVM_OPTIONS = {"opt": 3, "fma": 0}

# What makes machine code of a kernel: by Numba's own wheel, and those of CUDA 13 and of CUDA 12
TOOLS = ("numba-cuda", "cuda-core", "nvidia-nvvm", "nvidia-nvjitlink", "nvidia-cuda-nvcc-cu12", "nvidia-nvjitlink-cu12")


def simulated() -> bool:
    """Whether the simulator stands in for a GPU."""
    return bool(config.ENABLE_CUDASIM)


@functools.cache
def missing() -> str | None:
    """Why no GPU can be used, with the remedy; None where one can."""
    if importlib.util.find_spec("numba_cuda") is None and not simulated():
        return f"the package numba-cuda is not installed: {INSTALL}"
    if not simulated() and (reason := no_device()):
        return reason
    try:
        from numba import cuda
    except ImportError as error:
        return f"numba-cuda cannot be imported ({error}): {INSTALL}"
    if simulated():
        if not interpreted():
            return "the simulator takes no compiled functions: set NUMBA_DISABLE_JIT=1 beside NUMBA_ENABLE_CUDASIM=1"
        return None
    try:
        count = len(cuda.gpus)
    except Exception as error:  # the driver's own errors are of many classes
        return f"no CUDA driver answers ({said(error)}); {DRIVER}"
    return None if count else NO_GPU


def no_device() -> str | None:
    """Why the driver has no GPU to offer; it is asked by itself, as Numba takes two seconds to be imported."""
    windows = sys.platform == "win32"
    load = getattr(ctypes, "WinDLL", ctypes.CDLL) if windows else ctypes.CDLL
    names = ["nvcuda.dll"] if windows else ["libcuda.so", "libcuda.so.1"]
    for path in [*names, *(f"{folder}/{name}" for folder in ("/usr/lib", "/usr/lib64") for name in names)]:
        with contextlib.suppress(OSError):
            driver = load(path)
            break
    else:
        return f"no CUDA driver answers ({names[-1]} is not found); {DRIVER}"
    count = ctypes.c_int(0)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code not in (0, NO_DEVICE):
        return f"no CUDA driver answers (it returns error {code}); {DRIVER}"
    return None if count.value else NO_GPU


def said(error: BaseException) -> str:
    """An error of the driver in one line."""
    return " ".join(str(error).split()).strip(" :") or type(error).__name__


def unusable() -> str | None:
    """Why no GPU can be used, or takes no work, as where another process has it for itself; None if one does."""
    if reason := missing():
        return reason
    from numba import cuda

    try:
        cuda.current_context()
    except Exception as error:  # the driver's own errors are of many classes
        return f"the GPU takes no work ({said(error)}); see in nvidia-smi which processes use it"
    return None


def require() -> None:
    """Raise DeviceError unless a GPU can be used."""
    if reason := unusable():
        raise DeviceError(f'device="cuda": {reason}; or use device="cpu"')


def device_number() -> int:
    """Which GPU is the current one."""
    from numba import cuda

    return 0 if simulated() else int(cuda.get_current_device().id)


def on_device_of(x: Any) -> contextlib.AbstractContextManager[Any]:
    """Within this context the GPU that an array lies on is the current one; one of the host changes nothing."""
    if simulated() or not on_gpu(x):
        return contextlib.nullcontext()
    require()
    from numba import cuda

    number = device_of(x)
    return contextlib.nullcontext() if number is None else cuda.gpus[number]


def free_memory() -> float:
    """Bytes of the current GPU's memory that an allocation may take, those included that Numba has yet to give back."""
    from numba import cuda

    context = cuda.current_context()
    if pending := getattr(getattr(context, "memory_manager", None), "deallocations", None):
        pending.clear()
    try:
        return float(context.get_memory_info().free)
    except NotImplementedError:  # by some memory managers that Numba can be given
        return math.inf


@functools.cache
def toolchain() -> dict[str, str]:
    """The versions of those of `TOOLS` that are installed."""
    found = {}
    for name in TOOLS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the GPU, or the memory pinned for it, is exhausted."""
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error)


@contextlib.contextmanager
def checked_indices() -> Iterator[None]:
    """Have what is compiled meanwhile check each index of an array, which numba-cuda has no option for."""
    from numba.cuda.target import CUDATargetContext

    usual = CUDATargetContext.enable_boundscheck
    CUDATargetContext.enable_boundscheck = property(lambda context: True)
    try:
        with warnings.catch_warnings():  # that Numba's own checks ask the context, and no longer the function
            warnings.filterwarnings("ignore", "Context.call_conv is deprecated", DeprecationWarning)
            yield
    finally:
        CUDATargetContext.enable_boundscheck = usual


def library_of(function: Callable, types: Sequence[Any], capability: tuple[int, ...]) -> Any:
    """Compile a kernel for argument types and a compute capability; return Numba's compile result."""
    from numba.core import types as numba_types
    from numba.cuda.compiler import compile_cuda, kernel_fixup
    from numba.cuda.core.compiler_lock import global_compiler_lock

    options = dict(NVVM_OPTIONS)
    with global_compiler_lock, checked_indices():
        result = compile_cuda(function, numba_types.void, tuple(types), nvvm_options=options, cc=capability)
        library = result.library
        entry = library.get_function(result.fndesc.llvm_func_name)
        library._entry_name = entry.name
        kernel_fixup(entry, False)
    return result


def ptx_of(function: Callable, types: Sequence[Any], capability: tuple[int, int]) -> str:
    """The PTX of a kernel."""
    return library_of(function, types, capability).library.get_asm_str(cc=capability)


def kind_of(argument: Any) -> Any:
    """Equal for arguments of one kernel that have the same types, as all its arrays are contiguous in the same way."""
    if isinstance(argument, tuple):
        return tuple(map(kind_of, argument))
    dtype = getattr(argument, "dtype", None)
    return type(argument) if dtype is None else (type(argument), dtype, argument.ndim)


class DeviceKernel:
    """A kernel, compiled at its first launch or loaded from disk.

    Parameters
    ----------
    function : callable
        Plain Python that uses ``numba.cuda``.
    key : str
        Names what the kernel is made from; one that begins with "unnamed" is not stored.
    """

    def __init__(self, function: Callable, key: str) -> None:
        from numba import cuda

        self.key, self.function = key, function
        self.dispatcher = cuda.jit(function)
        self.known: dict[Any, Any] = {}  # compiled, by the kinds of arguments that they have been launched with

    def compile(self, arguments: Sequence[Any]) -> Any:
        """Have it ready for arguments like these, on the current device; return it."""
        if simulated():
            return None
        kind = kind_of(tuple(arguments))
        if (kernel := self.known.get(kind)) is not None:
            return kernel
        from numba import cuda

        types = tuple(self.dispatcher.typeof_pyval(argument) for argument in arguments)
        if types not in self.dispatcher.overloads:
            capability = tuple(cuda.get_current_device().compute_capability)
            self.dispatcher.add_overload(self.stored(types, capability) or self.built(types, capability), types)
        return self.known.setdefault(kind, self.dispatcher.overloads[types])

    def name(self, types: Sequence[Any], capability: tuple[int, ...]) -> str:
        made_by = sorted(NVVM_OPTIONS.items()), sorted(toolchain().items())
        return fingerprint(self.key, environment(), str(types), capability, made_by)

    def stored(self, types: Sequence[Any], capability: tuple[int, ...]) -> Any:
        """The kernel as it was stored, or None, as where the driver does not take it."""
        from numba.cuda.dispatcher import _Kernel

        content = None if self.key.startswith("unnamed") else load(self.name(types, capability), "cubin")
        if content is None:
            return None
        try:
            kernel = _Kernel._rebuild(**unpickled(content))
            kernel.bind()
        except Exception as error:  # the driver's own errors are of many classes, and so are those of a pickle
            if is_out_of_memory(error):
                raise MemoryError(f"the GPU has no memory for the kernel: {said(error)}") from error
            if is_unreadable(error):
                return None
            raise
        return kernel

    def built(self, types: Sequence[Any], capability: tuple[int, ...]) -> Any:
        """The kernel compiled and assembled, and stored."""
        from numba.cuda.dispatcher import _Kernel
        from numba.cuda.serialize import dumps

        result = library_of(self.function, types, capability)
        kernel = _Kernel._rebuild(
            cooperative=False, name=result.library._entry_name, signature=result.signature, codelibrary=result.library,
            debug=False, lineinfo=False, call_helper=result.call_helper, extensions=[],
        )  # fmt: skip
        try:
            kernel.bind()  # which assembles it, so that there is machine code to store
        except Exception as error:  # the driver's own errors are of many classes
            if is_out_of_memory(error):
                raise MemoryError(f"the GPU has no memory for the kernel: {said(error)}") from error
            raise DeviceError(f"the GPU's driver does not take the compiled kernel: {said(error)}") from error
        if not self.key.startswith("unnamed"):
            store(self.name(types, capability), "cubin", dumps(kernel._reduce_states()))
        return kernel

    def local_bytes(self) -> int:
        """What a thread takes of the memory that CUDA reserves for all threads that the GPU can hold at a time."""
        if simulated():
            return 0
        return max((kernel.local_mem_per_thread for kernel in self.dispatcher.overloads.values()), default=0)

    def launch(self, blocks: int, threads: int, stream: Any, *arguments: Any) -> None:
        """Put a launch into the stream."""
        kernel = self.compile(arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that few blocks do not fill the GPU
            place = self.dispatcher[blocks, threads, stream]
        if kernel is None:
            place(*arguments)
        else:  # as the dispatcher does once it has told the types of all arguments, which takes several times longer
            kernel.launch(arguments, place.griddim, place.blockdim, place.stream, place.sharedmem)
