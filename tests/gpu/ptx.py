"""The kernels of a plan as PTX and as registers, without a GPU: arrays of NumPy stand in for those on a device."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numba
import numpy as np
from cases import draws_of

import fastgd as gd
from fastgd.baseline.flow import plan_of as flow_plan_of
from fastgd.baseline.runs import Task
from fastgd.engine.plan import Plan, make_plan
from fastgd.stopping import StopTests

CAPABILITIES = ((8, 0), (9, 0), (10, 0))


@functools.cache
def assembler() -> str | None:
    """The path of ptxas: in the wheel nvidia-cuda-nvcc, which fits the wheel of the compiler, or on the PATH."""
    spec = importlib.util.find_spec("nvidia")
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    return next((str(path) for place in places for path in sorted(place.glob("**/bin/ptxas"))), shutil.which("ptxas"))


def missing() -> str | None:
    """Why nothing can be compiled for a GPU here."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    if assembler() is None:
        return "ptxas is neither on the PATH nor in a wheel"
    return None


@contextlib.contextmanager
def no_device(capability: tuple[int, int]) -> Iterator[None]:
    """Compile for a capability where no device answers."""
    from numba import cuda

    device = types.SimpleNamespace(compute_capability=capability, id=0)
    stand_ins = {
        "device_array": np.empty, "pinned_array": np.empty, "to_device": np.array, "stream": lambda: 0,
        "event": lambda: None, "get_current_device": lambda: device,
    }  # fmt: skip
    with mock.patch("numba.cuda.dispatcher.get_current_device", return_value=device), contextlib.ExitStack() as stack:
        for name, stand_in in stand_ins.items():
            stack.enter_context(mock.patch.object(cuda, name, stand_in))
        yield


def plan_of(problem: gd.Problem, optimizer: gd.optimizers.Optimizer, **options: Any) -> Plan:
    tests = {field.name for field in dataclasses.fields(StopTests)}
    stop = StopTests(**{name: value for name, value in options.items() if name in tests})
    rest = {name: options.get(name) for name in ("record", "average")}
    x0 = problem.sample(4, seed=0, method="normal")
    return make_plan(problem, x0, optimizer, stop, 0, options.get("dtype", np.float64), draws=draws_of(options), **rest)


def flow_plan(problem: gd.Problem, **tests: Any) -> Plan:
    """The gradient flow's plan."""
    x0 = problem.sample(4, seed=0, method="normal")
    return flow_plan_of(Task(problem, gd.GradientFlow(), x0, x0.shape[:-1], StopTests(**tests)))


def kernels_of(plan: Plan, capability: tuple[int, int], width: int = 32) -> dict[str, str]:
    """The PTX of every kernel of a plan, by its name."""
    from fastgd.engine.cuda import job
    from fastgd.jit.cuda import DeviceKernel, ptx_of

    found: dict[str, str] = {}

    def compile_only(kernel: DeviceKernel, arguments: Any) -> None:
        kinds = [numba.typeof(argument) for argument in arguments]
        found[kernel.key.split()[-1]] = ptx_of(kernel.function, kinds, capability)

    with no_device(capability), mock.patch.object(DeviceKernel, "compile", compile_only):
        made = job.Job(plan, width)
        made.compile()
    return found


@dataclasses.dataclass
class Use:
    """What ptxas says of a kernel."""

    registers: int
    stack: int  # bytes of local memory
    spills: int  # bytes stored and loaded


def assembled(ptx: str, capability: tuple[int, int]) -> Use:
    """Assemble a kernel, and read what it takes."""
    program = assembler()
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        arch = f"sm_{capability[0]}{capability[1]}"
        command = [program, "-v", f"-arch={arch}", "-o", str(Path(folder) / "kernel.cubin"), str(source)]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    text = said.stderr + said.stdout

    def number(pattern: str) -> int:
        return sum(int(value) for value in re.findall(pattern, text))

    return Use(
        number(r"Used (\d+) registers"), number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
    )  # fmt: skip
