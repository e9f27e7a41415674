"""How kernels come to be launched, up to the driver's call, without a GPU."""

import contextlib
from unittest import mock

import numpy as np
import ptx
import pytest
from simulated_cases import LINE

import fastgd as gd

pytestmark = pytest.mark.skipif(ptx.missing() is not None, reason=str(ptx.missing()))
CAPABILITY = (9, 0)


class OnDevice(np.ndarray):
    """An array that stands in for one on a device."""

    def copy_to_device(self, source, stream=0):
        self[...] = source

    def copy_to_host(self, target=None, stream=0):
        if target is None:
            return np.array(self)
        target[...] = self
        return target


def on_device(content):
    return np.array(content).view(OnDevice)


@pytest.fixture
def launches(monkeypatch, tmp_path):
    """What would be launched: (kernel, blocks, threads, arguments); compiled kernels go to a folder of its own."""
    from numba import cuda
    from numba.cuda.dispatcher import _Kernel

    from fastgd.engine.cuda import job

    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(job, "KERNELS", {})
    seen = []

    def launch(kernel, arguments, blocks, threads, stream=0, shared=0):
        assert len(arguments) == len(kernel.argument_types)
        seen.append((kernel, blocks[0], threads[0], arguments))

    event, device = mock.Mock(), mock.Mock(compute_capability=CAPABILITY, id=0)
    stand_ins = {
        "device_array": lambda shape, dtype: np.zeros(shape, dtype).view(OnDevice), "to_device": on_device,
        "event": lambda: event, "get_current_device": lambda: device, "synchronize": lambda: None,
        "current_context": lambda: mock.Mock(get_memory_info=lambda: mock.Mock(free=1 << 30)),
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        stack.enter_context(ptx.no_device(CAPABILITY))
        for name, stand_in in stand_ins.items():
            stack.enter_context(mock.patch.object(cuda, name, stand_in))
        stack.enter_context(mock.patch.object(_Kernel, "launch", launch))
        assembled = lambda kernel: kernel.library.get_asm_str(cc=CAPABILITY)  # noqa: E731
        stack.enter_context(mock.patch.object(_Kernel, "bind", assembled))
        stack.enter_context(mock.patch.object(_Kernel, "local_mem_per_thread", 0))
        stack.enter_context(mock.patch("numba.cuda.cudadrv.driver._to_core_stream", side_effect=lambda stream: stream))
        yield seen


def plan_of(problem=None, **options):
    return ptx.plan_of(problem or gd.problems.himmelblau(), gd.Adam(lr=0.05), max_steps=100, **options)


def kernels_of(plan):
    from fastgd.engine.cuda.job import kernels_of

    found = kernels_of(plan, bare=False)
    drawn = ("draw",) if plan.shared_size else ()
    return {name: getattr(found, name) for name in ("begin", "fill", *drawn, "burst", "ends")}


SHARED = {"batch_size": 5, "shared_batches": True, "noise": 0.1}
OWN = {"batch_size": np.arange(1, 5), "dtype": np.float32}


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (gd.problems.himmelblau(), {}),
        (gd.problems.himmelblau(), {"record": 7, "average": gd.SWA(start=3), "dtype": np.float32}),
        (LINE, SHARED), (LINE, OWN),
    ],
    ids=["plain", "recorded", "shared batches", "own batches"],
)  # fmt: skip
def test_what_was_compiled_beforehand_is_what_is_launched(launches, problem, options):
    """The types that the kernels were compiled for are those of the arguments that come; nothing is compiled twice."""
    from fastgd.engine.cuda.job import Job

    plan = plan_of(problem, **options)
    job = Job(plan, 32)
    job.compile()
    kernels = kernels_of(plan)
    job.run(None)
    assert all(len(kernel.dispatcher.overloads) == len(kernel.known) == 1 for kernel in kernels.values())
    names = [
        name
        for kernel, *_ in launches
        for name, made in kernels.items()
        if kernel in made.dispatcher.overloads.values()
    ]
    assert names == list(kernels)  # no run is left: the stand-in counts no survivors
    for kernel, blocks, threads, _ in launches:
        drawing = "draw" in kernels and kernel in kernels["draw"].dispatcher.overloads.values()  # a block a step
        assert (blocks, threads) in (((1, 128),) if drawing else ((1, 128), (1, 1024))), kernel.entry_name


def test_survivors_are_placed_before_the_next_launch(launches):
    from fastgd.engine.cuda import job

    starts, tests = gd.problems.himmelblau().sample(1000, seed=0), gd.engine.plan.StopTests(max_steps=200)
    plan = gd.engine.plan.make_plan(gd.problems.himmelblau(), starts, gd.Adam(lr=0.05), tests, 0, float, None, None)
    alive = iter([950, 600, 600, 0])
    whole = job.Job(plan, 32)
    whole.compile()
    make_scan = job.make_scan

    def counted(threads):
        scan = make_scan(threads)

        def launch(blocks, width, stream, survivors, count, offsets, total):
            scan.launch(blocks, width, stream, survivors, count, offsets, total)
            total[0] = next(alive)

        return mock.Mock(launch=launch)

    with mock.patch.object(job, "make_scan", counted):
        whole.run(None)
    bursts = kernels_of(plan)["burst"].dispatcher.overloads.values()
    spans = [(blocks, arguments[3], arguments[7]) for kernel, blocks, _, arguments in launches if kernel in bursts]
    # 950 of 1000 go on as they are; 600 of 1000 are moved together, and fill fewer blocks
    assert spans == [
        (8, 1000, (0, 64, 200)), (8, 1000, (64, 128, 200)), (5, 600, (128, 192, 200)), (5, 600, (192, 200, 200)),
    ]  # fmt: skip


def test_kernels_are_stored_and_found_again(launches, tmp_path):
    from fastgd.engine.cuda.compaction import make_place
    from fastgd.jit.cuda import DeviceKernel

    arguments = np.zeros((1, 2, 32), np.int32), 4, np.zeros(4, np.int64), np.zeros(4, np.int32)
    DeviceKernel(make_place(128).function, "place").launch(2, 128, 0, *arguments)
    assert len(list(tmp_path.rglob("*.cubin"))) == 1
    with mock.patch.object(DeviceKernel, "built", side_effect=AssertionError("compiled again")):
        DeviceKernel(make_place(128).function, "place").launch(2, 128, 0, *arguments)
    (first, *_), (second, *_) = launches
    assert first.entry_name == second.entry_name
    assert first.library.get_asm_str(cc=CAPABILITY) == second.library.get_asm_str(cc=CAPABILITY)
    DeviceKernel(make_place(128).function, "unnamed place").launch(2, 128, 0, *arguments)
    assert len(list(tmp_path.rglob("*.cubin"))) == 1


def test_a_stored_kernel_that_the_driver_does_not_take_is_compiled_anew(launches, tmp_path):
    from numba.cuda.dispatcher import _Kernel

    from fastgd.engine.cuda.compaction import make_count
    from fastgd.jit.cuda import DeviceKernel

    arguments = np.zeros((1, 2, 32), np.int32), 4, np.zeros(4, np.int64)
    DeviceKernel(make_count().function, "count").launch(2, 128, 0, *arguments)
    assert len(list(tmp_path.rglob("*.cubin"))) == 1
    refusal = RuntimeError("CUDA_ERROR_NO_BINARY_FOR_GPU")
    with mock.patch.object(_Kernel, "bind", side_effect=[refusal, None]) as bind:
        DeviceKernel(make_count().function, "count").launch(2, 128, 0, *arguments)
    assert bind.call_count == 2
    assert len(launches) == 2


def test_a_kernel_that_finds_no_memory_is_no_reason_to_try_another(launches):
    """Nor to remember that the functions take no lanes."""
    from numba.cuda.dispatcher import _Kernel

    from fastgd.engine import devices
    from fastgd.jit import targets

    scarce = RuntimeError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuLibraryLoadData results in an error")
    found, before = mock.patch("fastgd.jit.cuda.missing", return_value=None), dict(targets.REFUSED)
    failing = mock.patch.object(_Kernel, "bind", side_effect=scarce)
    with failing, found, pytest.raises(MemoryError, match=r"the GPU has no memory for the kernel: .*OUT_OF_MEMORY"):
        devices.run(plan_of(), "cuda", 1)
    assert before == targets.REFUSED


def test_a_gpu_that_another_process_has_for_itself():
    from numba import cuda

    from fastgd.engine import devices

    taken = mock.patch.object(cuda, "current_context", side_effect=RuntimeError("CUDA_ERROR_DEVICE_UNAVAILABLE"))
    with taken, mock.patch("fastgd.jit.cuda.missing", return_value=None):
        with pytest.raises(gd.DeviceError, match=r"takes no work \(CUDA_ERROR_DEVICE_UNAVAILABLE\); see in nvidia-smi"):
            devices.run(plan_of(), "cuda", 1)
        assert "takes no work" in devices.about()
        with mock.patch.multiple(devices, AUTO_RUNS=1, missing=lambda: None):
            assert np.all(devices.run(plan_of(), "auto", 1).nit > 0)


def test_a_driver_that_refuses_the_code_is_told_apart_from_a_function_that_does_not_compile(launches):
    from numba.cuda.dispatcher import _Kernel

    from fastgd.engine import devices

    plan = plan_of()
    refusal = RuntimeError("CUDA_ERROR_UNSUPPORTED_PTX_VERSION")
    found = mock.patch("fastgd.jit.cuda.missing", return_value=None)
    with mock.patch.object(_Kernel, "bind", side_effect=refusal), found:
        with pytest.raises(gd.DeviceError, match="driver does not take the compiled kernel: CUDA_ERROR_UNSUPPORTED"):
            devices.run(plan, "cuda", 1)
        with mock.patch.multiple(devices, AUTO_RUNS=1, missing=lambda: None):
            arrays = devices.run(plan, "auto", 1)  # goes to the CPU
    assert np.all(arrays.nit > 0)


def test_a_device_that_is_not_there_or_unheard_of():
    from fastgd.jit import cuda

    problem = gd.problems.himmelblau()
    with pytest.raises(ValueError, match=r"device must be one of auto, cpu, cuda, got 'gpu'"):
        gd.minimize(problem, [0.0, 0.0], gd.Adam(), device="gpu")
    cause = "the package numba-cuda is not installed"
    with mock.patch.object(cuda, "missing", return_value=cause), pytest.raises(gd.DeviceError, match=cause):
        gd.minimize(problem, [0.0, 0.0], gd.Adam(), device="cuda")
