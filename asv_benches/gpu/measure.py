"""The figures of a GPU: steps of many runs, the step in place, whole calls, and the peers on the same card."""

from __future__ import annotations

import importlib.util
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from comparison.rows import Row
from comparison.speed import NEEDS
from numba import cuda
from peers.serve import Server

import fastgd as gd
from fastgd.jit.cuda import simulated

from . import card

PEERS = Path(__file__).parent.parent / "peers"
HIMMELBLAU_BOX, RASTRIGIN_BOX = 6.0, 5.0  # as in peers.py, whose imports are those of a program of its own
CASES: dict[str, tuple[Callable[[], gd.Problem], Callable[[], Any], float]] = {
    "himmelblau-adam": (gd.problems.himmelblau, lambda: gd.Adam(lr=0.05), HIMMELBLAU_BOX),
    "rosenbrock10-momentum": (
        lambda: gd.problems.rosenbrock(dim=10), lambda: gd.Momentum(lr=1e-5, momentum=0.9), 2.0,
    ),
    "rastrigin10-adam": (lambda: gd.problems.rastrigin(dim=10), lambda: gd.Adam(lr=0.05), RASTRIGIN_BOX),
}  # fmt: skip
LARGEST_STARTS = 4e9  # bytes: what is made on the host and sent over
TARGET_SECONDS = 0.4  # of a measured call
GTOL = 300.0 if simulated() else 1e-6  # on the simulator a step takes tens of milliseconds
Say = Callable[[str], None]


class Clock:
    """What is left of the time that the report was given."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        return self.end - time.monotonic()


def left_out(what: str) -> dict[str, Any]:
    """In place of a row that the time or the memory does not suffice for."""
    return {"left_out": what}


def affordable(call: Callable[[int], Any], size: int, least: int, calls: int, clock: Clock) -> int:
    """The size, halved until so many calls of it fit into the time, judged by one call of the least; 0 if none does."""
    least = min(size, least)
    call(least)  # which compiles
    start = time.monotonic()
    call(least)
    each = (time.monotonic() - start) / least
    while calls * each * size > clock.left():
        if size == least:
            return 0
        size = max(least, size // 2)
    return size


def starts_on_gpu(runs: int, dim: int, box: float, dtype: str) -> Any:
    some = np.random.default_rng(0).uniform(-box, box, (min(runs, 1 << 20), dim)).astype(dtype)
    return cuda.to_device(np.resize(some, (runs, dim)))


def burst_operations(problem: gd.Problem, optimizer: Any, dtype: str) -> int | None:
    """Arithmetic instructions of a step, read off the compiled kernel."""
    if simulated():
        return None
    from fastgd.engine.cuda import job
    from fastgd.engine.plan import make_plan
    from fastgd.stopping import StopTests

    plan = make_plan(problem, np.zeros(problem.dim), optimizer, StopTests(gtol=None), 0, dtype, None, None)
    kernels = job.kernels_of(plan, bare=False)
    compiled = list(kernels.burst.dispatcher.overloads.values())
    return card.operations(compiled[0].library.get_asm_str(), dtype) if compiled else None


def steps(sizes: list[int], dtypes: list[str], clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """Nanoseconds per step of one run, starts and results on the GPU, for every case, dtype and number of runs."""
    for case, (make_problem, make_optimizer, box) in CASES.items():
        problem, optimizer = make_problem(), make_optimizer()
        for dtype in dtypes:
            each, name = 1e-9, f"{case} {dtype}"
            for runs in sizes:
                size = runs * problem.dim * np.dtype(dtype).itemsize
                if size > min(LARGEST_STARTS, card.free_memory() / 8) or clock.left() < 10:
                    yield left_out(f"{name} with {runs:,} runs")
                    continue
                say(f"{name} with {runs:,} runs")
                x0 = starts_on_gpu(runs, problem.dim, box, dtype)
                count = 8 if simulated() else int(np.clip(TARGET_SECONDS / (each * runs), 128, 20_000))

                def call(count: int = count, x0: Any = x0, dtype: str = dtype) -> Any:
                    return gd.minimize(
                        problem, x0, optimizer, max_steps=count, gtol=None, dtype=dtype, device="cuda"  # noqa: B023
                    )

                call(min(count, 64))
                seconds, found = card.timed(call)
                failed = float(np.mean(found.status.copy_to_host() > 2))
                each = seconds / (runs * count)
                operations, limit = burst_operations(problem, optimizer, dtype), card.limit(dtype)
                yield {
                    "case": case, "dtype": dtype, "runs": runs, "steps": count, "ns_per_step": each * 1e9,
                    "failed": failed, "operations_per_step": operations,
                    "share_of_limit": operations / each / limit if operations and limit else None,
                }  # fmt: skip
                del x0, found


def step_and_copy(count: int, dtype: str) -> tuple[float, float]:
    """Seconds of ten steps of Adam, and of ten copies from device to device, of so many parameters."""
    x, g = (cuda.to_device(np.ones(count, dtype)) for _ in range(2))
    optimizer = gd.Adam(lr=1e-3)
    state = optimizer.init(x)
    optimizer.step(x, g, state)
    taken, _ = card.timed(lambda: [optimizer.step(x, g, state) for _ in range(10)])
    copied, _ = card.timed(lambda: [g.copy_to_device(x) for _ in range(10)])
    return taken, copied


def in_place(parameters: int, dtypes: list[str], clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """Adam's step on one large array: bytes a second, beside a copy from device to device of as many."""
    for dtype in dtypes:
        size = np.dtype(dtype).itemsize
        fits = int(min(parameters, card.free_memory() / (10 * size)))
        count = affordable(lambda some: step_and_copy(some, dtype), fits, 1 << 20, 2, clock)  # noqa: B023
        if not count:
            yield left_out(f"the step in place, {dtype}")
            continue
        say(f"the step in place on {count:,} parameters, {dtype}")
        taken, copied = step_and_copy(count, dtype)
        step_rate, copy_rate = 10 * 7 * size * count / taken, 10 * 2 * size * count / copied
        yield {
            "dtype": dtype, "parameters": count, "ms_per_step": taken * 100, "GB_per_s": step_rate / 1e9,
            "copy_GB_per_s": copy_rate / 1e9, "share_of_copy": step_rate / copy_rate,
        }  # fmt: skip


def crossover(sizes: list[int], clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """Seconds of a whole call to 1e-6, arrays of NumPy, on both devices."""
    problem, last = gd.problems.himmelblau(), 0.0

    def call(x0: np.ndarray, device: str) -> gd.Result:
        return gd.minimize(problem, x0, gd.Adam(lr=0.05), gtol=GTOL, device=device)

    for device in ("cuda", "cpu"):
        start = time.monotonic()
        call(problem.sample(min(sizes)), device)  # which compiles
        last = max(last, (time.monotonic() - start) / 4)
    for runs in sizes:
        if 4 * 6 * last > clock.left():  # four times as many runs, three calls on each device
            yield left_out(f"{runs:,} runs")
            continue
        say(f"GPU against CPU with {runs:,} runs")
        x0 = problem.sample(runs, seed=1)
        gpu, _ = card.timed(lambda: call(x0, "cuda"))  # noqa: B023
        cpu, _ = card.timed(lambda: call(x0, "cpu"))  # noqa: B023
        last = max(gpu, cpu)
        yield {"runs": runs, "gpu_seconds": gpu, "cpu_seconds": cpu}


def digits() -> gd.FiniteSum:
    """Logistic regression of odd and even digits; a few of them on the simulator, which is no measurement."""
    X, digit = gd.datasets.digits()
    count = 40 if simulated() else len(X)
    return gd.problems.logistic_regression(X[:count], digit[:count] % 2)


DRAWN: dict[str, tuple[Callable[[], gd.Problem], dict[str, Any]]] = {
    "digits, batches of 32": (digits, {"batch_size": 32}),
    "digits, shared batches of 32": (digits, {"batch_size": 32, "shared_batches": True}),
    "quadratic8, noise": (lambda: gd.problems.quadratic(dim=8), {"noise": 0.1}),
}  # fmt: skip


def stochastic(most: int, clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """Nanoseconds per step of one run with mini-batches and noise, on both devices, which draw the same.

    What a call does besides its steps, such as the value of all samples at every end, is taken off by a second call of
    twice the steps.
    """
    for k, (case, (make_problem, options)) in enumerate(DRAWN.items()):
        if clock.left() < 5:
            yield left_out(case)
            continue
        problem, optimizer = make_problem(), gd.GradientDescent(lr=0.01)

        def some(count: int) -> gd.Result:
            x0 = problem.sample(count, seed=0, method="normal")  # noqa: B023
            steps = 1 if simulated() else 20
            return gd.minimize(
                problem, x0, optimizer, max_steps=steps, gtol=None, device="cpu", **options  # noqa: B023
            )

        share = Clock(clock.left() / (len(DRAWN) - k))
        runs = affordable(some, most, 1024, 12, share)  # on the CPU, which is slower; the GPU takes as long at most
        if not runs:
            yield left_out(case)
            continue
        x0, row, found = problem.sample(runs, seed=0, method="normal"), {"case": case, "runs": runs}, {}
        for device, count in (("cuda", 100), ("cpu", 20)):
            say(f"{case} on {device}, {runs:,} runs")
            least = 1 if simulated() else count

            def call(steps: int, device: str = device) -> gd.Result:
                return gd.minimize(
                    problem, x0, optimizer, max_steps=steps, gtol=None, device=device, **options  # noqa: B023
                )

            found[device] = call(least if simulated() else 20).x
            once, _ = card.timed(lambda: call(least))  # noqa: B023
            twice, _ = card.timed(lambda: call(2 * least))  # noqa: B023
            row[f"{device}_ns_per_step"] = (twice - once) / (least * runs) * 1e9
        row["largest_difference"] = float(np.abs(found["cuda"] - found["cpu"]).max())  # after as many steps on both
        yield row


def whole_map(most: int, clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """A square map of Himmelblau's function under Adam to 1e-6, from starts of the host and from starts on the GPU."""
    problem = gd.problems.himmelblau()

    def call(x0: Any) -> gd.Result:
        return gd.minimize(problem, x0, gd.Adam(lr=0.05), gtol=GTOL, device="cuda")

    def some(runs: int) -> gd.Result:
        return call(problem.grid((math.isqrt(runs),) * 2))

    if not (side := math.isqrt(affordable(some, most * most, 1 << 16, 5, clock))):
        yield left_out("the map")
        return
    say(f"a map of {side} x {side}")
    x0 = problem.grid((side, side))
    seconds, runs = card.timed(lambda: call(x0), 2)
    there = cuda.to_device(x0)
    resident, _ = card.timed(lambda: call(there), 2)
    yield {
        "side": side, "seconds": seconds, "seconds_on_gpu": resident, "success": float(runs.success.mean()),
        "mean_steps": float(runs.nit.mean()),
    }  # fmt: skip


def flow(most: int, clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """The gradient flow of Himmelblau's function to 1e-6, arrays of NumPy."""
    problem = gd.problems.himmelblau()

    def call(runs: int) -> gd.Result:
        return gd.minimize(problem, problem.sample(runs, seed=1), gd.GradientFlow(), gtol=GTOL, device="cuda")

    if not (runs := affordable(call, most, 1 << 12, 3, clock)):
        yield left_out("the flow")
        return
    say(f"the gradient flow of {runs:,} starts")
    seconds, found = card.timed(lambda: call(runs), 2)
    yield {
        "flow_starts": runs, "seconds": seconds, "success": float(found.success.mean()),
        "ns_per_gradient": seconds * 1e9 / float(found.njev.sum()),
    }  # fmt: skip


def seconds_of_steps(problem: gd.Problem, x0: Any, count: int) -> float:
    def call() -> Any:
        return gd.minimize(problem, x0, gd.Adam(lr=1e-3), max_steps=count, gtol=None, device="cuda")

    call()
    return card.timed(call)[0]


def layouts(lengths: list[int], clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """Nanoseconds per step and parameter of Adam on Rosenbrock's function, in a thread's own memory and in place."""
    from fastgd.engine.cuda import job

    chosen = job.IN_PLACE_BYTES
    for length in lengths:
        if clock.left() < 10:
            yield left_out(f"the layouts with {length:,} parameters")
            continue
        say(f"both layouts with {length:,} parameters")
        problem, count = gd.problems.rosenbrock(dim=length), 2 if simulated() else 256
        runs = 2 if simulated() else int(min(1 << 18, card.free_memory() / (160 * length)))
        x0 = starts_on_gpu(runs, length, 2.0, "float64")
        row: dict[str, Any] = {"parameters": length, "runs": runs}
        for name, most in (("own_ns", 1 << 62), ("in_place_ns", 0)):
            job.IN_PLACE_BYTES = most
            try:
                row[name] = seconds_of_steps(problem, x0, count) * 1e9 / (runs * count * length)
            except (gd.DeviceError, MemoryError) as error:  # more than a thread may have
                say(str(error))
                row[name] = None
            finally:
                job.IN_PLACE_BYTES = chosen
        yield row


def ours_beside_peers(case: str, runs: int) -> float:
    """Seconds per step of one run for the work of a peer's case."""
    fixed = case in CASES
    make_problem, make_optimizer, box = CASES[case if fixed else "himmelblau-adam"]
    problem, optimizer = make_problem(), make_optimizer()
    x0 = starts_on_gpu(runs, problem.dim, box, "float64")
    most = {"rastrigin10-adam": 300}.get(case, 1000)
    options = {"max_steps": most, "gtol": None} if fixed else {"gtol": 1e-6}
    call = lambda: gd.minimize(problem, x0, optimizer, device="cuda", **options)  # noqa: E731
    call()
    seconds, found = card.timed(call)
    return seconds / float(found.nit.copy_to_host().sum())


JOBS = [
    ("jax", "JAX vmap of scan", "himmelblau-adam", 5.0), ("jax", "JAX vmap of scan", "rosenbrock10-momentum", None),
    ("jax", "JAX vmap of scan", "rastrigin10-adam", None),
    ("jax", "JAX vmap of while_loop", "himmelblau-adam-to-1e-6", 50.0),
    ("torch", "PyTorch fused", "himmelblau-adam", None), ("torch", "PyTorch fused", "rastrigin10-adam", None),
]  # fmt: skip


def peers(runs: int, clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """Rows against JAX and PyTorch on the same card, each in a process of its own; float64."""
    servers: dict[str, Server] = {}
    os.environ |= {"PEER_DEVICE": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        for name, peer, case, target in JOBS:
            row = Row(f"{case}, {runs:,} runs", peer, "ns/step", target=target)
            absent = [need for need in NEEDS[name] if not importlib.util.find_spec(need)]
            if absent:
                row.missing = f"{absent[0]} not installed"
            elif simulated():
                row.missing = "simulated"
            elif clock.left() < 15:
                row.missing = "no time left"
            if row.missing:
                yield row.as_json()
                continue
            say(f"{peer}: {case}")
            try:
                if name not in servers:
                    servers[name] = Server(PEERS / "peers.py", "--serve", name)
                answer = servers[name].ask(case=case, runs=runs, repeats=2)
            except RuntimeError as error:
                row.missing = str(error)
                servers.pop(name, None)
                yield row.as_json()
                continue
            row.peers.append(answer["seconds"] / answer["work"] * 1e9)
            row.ours.append(statistics.median(ours_beside_peers(case, runs) for _ in range(3)) * 1e9)
            yield row.as_json()
    finally:
        for server in servers.values():
            server.close()


def section(name: str, sizes: dict[str, Any], clock: Clock, say: Say) -> Iterator[dict[str, Any]]:
    """The rows of a section of the report, each as soon as it is measured."""
    dtypes = ["float64", "float32"]
    if name == "card":
        yield card.facts()
    elif name == "map":
        yield from whole_map(sizes["side"], clock, say)
    elif name == "in_place":
        yield from in_place(sizes["parameters"], dtypes, clock, say)
    elif name == "steps":
        yield from steps(sizes["runs"], dtypes, clock, say)
    elif name == "crossover":
        yield from crossover(sizes["crossover"], clock, say)
    elif name == "flow":
        yield from flow(sizes["flow_runs"], clock, say)
    elif name == "stochastic":
        yield from stochastic(sizes["stochastic_runs"], clock, say)
    elif name == "layouts":
        yield from layouts(sizes["lengths"], clock, say)
    elif name == "peers":
        yield from peers(sizes["peer_runs"], clock, say)
    else:
        raise ValueError(f"there is no section {name!r}")
