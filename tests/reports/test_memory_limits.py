"""Limits of memory: of containers and shells, told before any work, and of arguments that ask for too much."""

from __future__ import annotations

import numpy as np
import pytest

import fastgd as gd
from fastgd import memory

H = gd.problems.himmelblau()
FLOWERS, KINDS = gd.datasets.iris()
MEBI = 1 << 20


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Give a process the files of /proc and of its control groups; returns what writes them."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    monkeypatch.setattr(memory, "_PROC", proc)
    monkeypatch.setattr(memory, "_CGROUPS", groups)

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write("proc/meminfo", f"MemTotal: {4096 * MEBI} kB\nMemAvailable: {2048 * 1024} kB\nSwapFree: 0 kB\n")
    return write


def test_a_limit_of_version_2(machine):
    machine("proc/self/cgroup", "0::/job\n")
    machine("cgroup/job/memory.max", f"{256 * MEBI}\n")
    machine("cgroup/job/memory.current", f"{100 * MEBI}\n")
    machine("cgroup/job/memory.stat", f"anon {60 * MEBI}\ninactive_file {40 * MEBI}\n")
    assert memory.memory_limit() == 256 * MEBI
    assert memory.available_memory() == (256 - 60) * MEBI
    with pytest.raises(ValueError, match=r"this machine has 256 MiB of memory"):
        H.sample(20_000_000)
    with pytest.raises(ValueError, match=r"of the 256 MiB of memory that this machine has 196 MiB are free"):
        H.sample(14_000_000)


def test_the_tightest_of_nested_groups_counts(machine):
    machine("proc/self/cgroup", "0::/outer/inner\n")
    machine("cgroup/outer/inner/memory.max", "max\n")
    machine("cgroup/outer/memory.max", f"{300 * MEBI}\n")
    machine("cgroup/outer/memory.current", f"{299 * MEBI}\n")
    machine("cgroup/memory.max", f"{900 * MEBI}\n")
    assert memory.memory_limit() == 300 * MEBI
    assert memory.available_memory() == MEBI


def test_a_limit_of_version_1_under_the_path_outside_of_a_container(machine):
    machine("proc/self/cgroup", "9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n")
    machine("cgroup/memory/memory.limit_in_bytes", f"{200 * MEBI}\n")
    machine("cgroup/memory/memory.usage_in_bytes", f"{50 * MEBI}\n")
    machine("cgroup/memory/memory.stat", f"total_inactive_file {10 * MEBI}\n")
    assert memory.memory_limit() == 200 * MEBI
    assert memory.available_memory() == 160 * MEBI


def test_groups_without_a_limit_count_for_nothing(machine):
    machine("proc/self/cgroup", "4:memory:/a\n0::/b\n")
    machine("cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n")
    machine("cgroup/unified/b/memory.max", "max\n")
    assert memory.memory_limit() == memory.physical_memory()
    assert memory.limited_groups() == []


def test_where_nothing_can_be_told_nothing_is_refused(machine, monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: float("inf"))
    machine("proc/meminfo", "")
    assert memory.memory_limit() == float("inf")
    memory.check_memory("a table", 10**30, "give fewer")


def test_runs_count_with_all_their_arrays(machine):
    """A run of two parameters takes 41 bytes, of a line search 57, of SciPy's methods 57."""
    machine("proc/self/cgroup", "0::/\n")
    starts = np.broadcast_to(np.zeros(2), (500_000, 2))
    for optimizer, each in ((gd.Adam(lr=0.1), 41), (gd.LBFGS(), 57), (gd.SciPyCG(), 57), (gd.GradientFlow(), 57)):
        size = memory.amount(each * 500_000)
        machine("cgroup/memory.max", f"{4 * MEBI}\n")
        memory._limited_groups.cache_clear()
        with pytest.raises(ValueError, match=rf"batch of shape \(500000,\), whose result would take {size}, and"):
            gd.minimize(H, starts, optimizer)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: gd.seeds(0, 10**13), r"shape=10000000000000: 10,000,000,000,000 seeds would take 72\.8 TiB"),
    (lambda: gd.seeds(0, (10**13, 10**13)), r"seeds would take 6\.94e\+08 EiB"),
    (lambda: gd.problems.softmax_regression(FLOWERS, KINDS, classes=10**10), r"dim=50,000,000,000: .* would take"),
    (lambda: gd.problems.mlp(FLOWERS, KINDS, hidden=(10**10,)), r"dim=80,000,000,003: .* would take"),
    (lambda: gd.problems.mlp(FLOWERS, KINDS, loss="mse", classes=10**11), r"targets of 100,000,000,000 classes"),
    (lambda: gd.minimize(H, [0.0, 0.0], gd.LBFGS(memory=10**11)), "LBFGS keeps .* numbers of each run.* would take"),
    (lambda: gd.problems.rastrigin(10**12), r"dim=1,000,000,000,000: .* would take 72\.8 TiB"),
    (lambda: gd.problems.rosenbrock(10**12), r"dim=1,000,000,000,000: .* would take 72\.8 TiB"),
    (lambda: gd.problems.quadratic(10**6, rotation=0), r"rotation=0: a matrix of 1,000,000 x 1,000,000 .* would take"),
    (lambda: gd.problems.matrix_factorization(FLOWERS, 10**12), r"dim=154,000,000,000,000: .* would take"),
    (lambda: gd.Problem(lambda x: x[0], dim=10**18), r"dim=1,0.* would take"),
])  # fmt: skip
def test_arguments_that_ask_for_too_much_say_what_it_would_take(call, said):
    with pytest.raises(ValueError, match=said + ".*this machine has"):
        call()


def test_seeds_made_in_parts_are_those_made_at_once():
    from fastgd.sampling.seeds import BLOCK, spawned

    np.testing.assert_array_equal(gd.seeds(5, (2, BLOCK)), spawned(5, 0, 2 * BLOCK).reshape(2, BLOCK))


def test_a_trace_has_the_points_of_every_run_and_no_others():
    """The batch keeps its shape without a copy; what each run did alone stands there, and NaN behind it."""
    starts = H.sample(40, seed=3).reshape(8, 5, 2)
    whole = gd.minimize(H, starts, gd.GradientDescent(lr=0.01), record=7)
    assert whole.trace.shape == (8, 5, int(whole.nit.max()) // 7 + 1, 2)
    for place in ((0, 0), (3, 4), (7, 2)):
        alone = gd.minimize(H, starts[place], gd.GradientDescent(lr=0.01), record=7)
        count = int(whole.nit[place]) // 7 + 1
        np.testing.assert_array_equal(whole.trace[place][:count], alone.trace)
        assert np.isnan(whole.trace[place][count:]).all()
