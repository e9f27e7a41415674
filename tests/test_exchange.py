"""Arrays of other libraries: which lie on a GPU, and what a result becomes."""

import sys
import types

import numpy as np
import pytest

import fastgd as gd
from fastgd.jit.exchange import as_like, device_of, interface_of, library_of, on_gpu


class Interface:
    """What CuPy's arrays have."""

    __cuda_array_interface__ = {"shape": (2,), "typestr": "<f8", "data": (0, False), "version": 3}  # noqa: RUF012


class DLPack:
    def __init__(self, kind):
        self.kind = kind

    def __dlpack_device__(self):
        return self.kind, 0


class Parameter(DLPack):
    """PyTorch's parameters give no interface."""

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (Interface(), True), (DLPack(2), True), (DLPack(13), True), (DLPack(1), False), (Parameter(2), True),
        (Parameter(1), False), (np.zeros(3), False), ([1.0, 2.0], False), (1.0, False), (None, False),
    ],
)  # fmt: skip
def test_where_an_array_lies(array, expected):
    assert on_gpu(array) is expected


def test_arrays_of_the_host_of_other_libraries_are_starts_as_before():
    for name in ("torch", "jax.numpy"):
        module = pytest.importorskip(name)
        x0 = module.zeros((3, 2))
        assert not on_gpu(x0)
        runs = gd.minimize(gd.problems.himmelblau(), x0, gd.Adam(lr=0.05), max_steps=2)
        assert isinstance(runs.x, np.ndarray)


def test_a_result_becomes_an_array_of_the_callers_library(monkeypatch):
    made, waited = [], []
    copied = types.SimpleNamespace(block_until_ready=lambda: waited.append(True) or "jax's")
    stand_in = types.SimpleNamespace(
        asarray=lambda array: made.append(array) or "cupy's", as_tensor=lambda array, device: ("torch's", device),
        array=lambda array, copy: made.append((array, copy)) or copied,
    )
    for name in ("cupy", "torch", "jax.numpy"):
        monkeypatch.setitem(sys.modules, name, stand_in)

    def of(module, **attributes):
        return type("Array", (), {"__module__": module, **attributes})()

    array = np.zeros(3)
    assert as_like(array, of("cupy")) == "cupy's"
    assert as_like(array, of("jaxlib.xla")) == "jax's"  # a copy that is there before the memory is given back
    assert waited == [True]
    assert as_like(array, of("torch", device="cuda:1")) == ("torch's", "cuda:1")
    assert made == [array, (array, True)]
    assert as_like(array, of("unheard_of")) is array
    assert library_of(of("jaxlib.xla")) == "jax"


def test_which_gpu_an_array_lies_on():
    class Second(DLPack):
        def __dlpack_device__(self):
            return self.kind, 1

    context = types.SimpleNamespace(device=types.SimpleNamespace(id=2))
    memory = types.SimpleNamespace(context=context)
    numbas = type("DeviceNDArray", (), {"__module__": "numba.cuda.cudadrv.devicearray", "gpu_data": memory})()
    assert [device_of(array) for array in (DLPack(2), Second(2), numbas, Interface())] == [0, 1, 2, None]


@pytest.mark.parametrize(("handle", "stream"), [(0, 1), (7, 7)])
def test_a_tensors_interface_names_the_stream_that_pytorch_works_in(monkeypatch, handle, stream):
    """PyTorch itself names none, and 0 is ambiguous."""
    asked = []
    cuda = types.SimpleNamespace(
        current_stream=lambda device: asked.append(device) or types.SimpleNamespace(cuda_stream=handle)
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    said = Interface.__cuda_array_interface__
    tensor = type("Tensor", (), {
        "__module__": "torch", "detach": lambda self: self, "device": "cuda:1",
        "__cuda_array_interface__": {**said, "version": 2},
    })()  # fmt: skip
    assert interface_of(tensor) == {**said, "stream": stream}
    assert asked == ["cuda:1"]
    assert interface_of(Interface()) is said
    assert interface_of(DLPack(2)) is None


def test_an_array_of_jax_is_waited_for():
    waited = []
    array = type("ArrayImpl", (), {
        "__module__": "jaxlib._jax", "block_until_ready": lambda self: waited.append(self),
        "__cuda_array_interface__": Interface.__cuda_array_interface__,
    })()  # fmt: skip
    assert interface_of(array) is Interface.__cuda_array_interface__
    assert waited == [array]


def test_starts_on_a_gpu_where_there_is_none():
    from fastgd.jit.cuda import missing

    if missing() is None:
        pytest.skip("there is one")
    with pytest.raises(gd.DeviceError, match='device="cuda": '):
        gd.minimize(gd.problems.himmelblau(), DLPack(2), gd.Adam())
