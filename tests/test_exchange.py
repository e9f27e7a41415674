"""Arrays of other libraries: which lie on a GPU, and what a result becomes."""

import sys
import types

import numpy as np
import pytest

import fastgd as gd
from fastgd.jit.exchange import as_like, library_of, on_gpu


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
    made = []
    stand_in = types.SimpleNamespace(
        asarray=lambda array: made.append(array) or "cupy's", as_tensor=lambda array, device: ("torch's", device)
    )
    for name in ("cupy", "torch", "jax.numpy"):
        monkeypatch.setitem(sys.modules, name, stand_in)

    def of(module, **attributes):
        return type("Array", (), {"__module__": module, **attributes})()

    array = np.zeros(3)
    assert as_like(array, of("cupy")) == "cupy's"
    assert as_like(array, of("jaxlib.xla")) == "cupy's"
    assert as_like(array, of("torch", device="cuda:1")) == ("torch's", "cuda:1")
    assert made == [array, array]
    assert as_like(array, of("unheard_of")) is array
    assert library_of(of("jaxlib.xla")) == "jax"


def test_starts_on_a_gpu_where_there_is_none():
    from fastgd.jit.cuda import missing

    if missing() is None:
        pytest.skip("there is one")
    with pytest.raises(gd.DeviceError, match='device="cuda": '):
        gd.minimize(gd.problems.himmelblau(), DLPack(2), gd.Adam())
