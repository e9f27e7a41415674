"""Results can be pickled whatever their functions are, and open in other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import assert_same_runs

import fastgd as gd
from fastgd.jit.by_value import ByValue, opened
from fastgd.jit.targets import named


def bowl_of(scale: float) -> gd.Problem:
    """A problem of lambdas that capture a number and an array."""
    shift = np.array([0.25, -0.5])

    def grad(x: Any, out: Any) -> None:
        out[0], out[1] = 2.0 * scale * (x[0] - shift[0]), 2.0 * (x[1] - shift[1])

    return gd.Problem(
        lambda x: scale * (x[0] - shift[0]) ** 2 + (x[1] - shift[1]) ** 2, grad, dim=2, bounds=(-1.0, 1.0), name="bowl"
    )


def regression() -> gd.Problem:
    rng = np.random.default_rng(0)
    return gd.problems.linear_regression(rng.normal(size=(20, 2)), rng.normal(size=20))


def network() -> gd.Problem:
    rng = np.random.default_rng(0)
    return gd.problems.mlp(rng.normal(size=(12, 2)), rng.integers(0, 2, 12), hidden=(3,))


def local_sum() -> gd.Problem:
    a = np.linspace(0.0, 1.0, 8)
    return gd.FiniteSum(lambda x, i, a: (x[0] - a[i]) ** 2 + x[1] ** 2, dim=2, data=(a,), bounds=(-1.0, 1.0))


CASES = {
    "lambdas": lambda: bowl_of(3.0), "regression": regression, "network": network, "sum": local_sum,
    "catalogue": lambda: gd.problems.make("rastrigin", dim=3),
    "atoms": lambda: gd.problems.make("lennard_jones", atoms=4),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_problems_go_through_pickle_and_keep_their_kernels(case: str) -> None:
    problem = CASES[case]()
    again = pickle.loads(pickle.dumps(problem))
    assert repr(again) == repr(problem)
    function = (lambda each: each.loss) if isinstance(problem, gd.FiniteSum) else (lambda each: each.fun)
    assert named((function(again),)) == named((function(problem),))
    x = np.random.default_rng(1).normal(size=problem.dim)
    assert again.fun(x, *again.data) == problem.fun(x, *problem.data)


def test_results_basins_maps_and_comparisons_go_through_pickle_and_a_queue() -> None:
    problem = bowl_of(3.0)
    x0 = problem.sample(20, seed=0)
    runs = gd.minimize(problem, x0, gd.GradientDescent(lr=0.1))
    basins = gd.find_basins(runs)
    grid = gd.map_basins(problem, gd.GradientDescent(lr=0.1), shape=(4, 4))
    for thing in (runs, basins, grid):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(thing, protocol))
            assert str(again) == str(thing)
            assert again.problem.fun([0.5, 0.5]) == problem.fun([0.5, 0.5])
    again = pickle.loads(pickle.dumps(runs))
    assert_same_runs(gd.minimize(again.problem, x0, again.optimizer), runs)
    queue: Any = multiprocessing.get_context("spawn").Queue()
    queue.put(runs)
    assert_same_runs(queue.get(timeout=60.0), runs)
    queue.close()
    queue.join_thread()


def test_optimizers_and_schedules_of_local_classes_go_through_pickle() -> None:
    import dataclasses

    @dataclasses.dataclass(frozen=True, eq=False)
    class Falling(gd.schedules.Schedule):
        lr: float
        power: float = 0.5

        @staticmethod
        def rate(p: Any, t: Any) -> Any:
            return p[0] / (1.0 + t) ** p[1]

    @dataclasses.dataclass(frozen=True, eq=False)
    class Own(gd.GradientDescent):
        pass

    for optimizer in (gd.GradientDescent(lr=Falling(0.1)), Own(lr=0.1), Own(lr=Falling(0.3, power=0.25))):
        for again in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
            assert repr(again) == repr(optimizer)
            assert again.hyperparameters() == optimizer.hyperparameters()
            assert type(again).__mro__[1:] == type(optimizer).__mro__[1:]
        again = pickle.loads(pickle.dumps(optimizer))
        assert named(tuple(again.rule())) == named(tuple(optimizer.rule()))
        assert again.schedule.rate((0.1, 0.5), 3) == optimizer.schedule.rate((0.1, 0.5), 3)


def test_copies_share_the_functions() -> None:
    problem = bowl_of(2.0)
    for again in (copy.copy(problem), copy.deepcopy(problem)):
        assert again.fun is problem.fun
        assert again.grad is problem.grad


SCRIPT = """
import pickle, sys
import numpy as np
import fastgd as gd

FACTOR = 4.0

def helper(a):
    return FACTOR * a

def fun(x):
    return (x[0] - 1.0) ** 2 + 4.0 * x[1] ** 2

def grad(x, out):
    out[0], out[1] = 2.0 * (x[0] - 1.0), 8.0 * x[1]

if __name__ == "__main__":
    problem = gd.Problem(fun, grad, dim=2, bounds=(-2, 2))
    runs = gd.minimize(problem, problem.sample(10, seed=0), gd.GradientDescent(lr=0.1))
    with open(sys.argv[1], "wb") as file:
        pickle.dump(runs, file)
"""


def test_a_result_of_a_script_opens_in_another_process(tmp_path: Path) -> None:
    script, kept = tmp_path / "own_script.py", tmp_path / "runs.pickle"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, str(script), str(kept)], check=True, timeout=120.0)
    runs = pickle.loads(kept.read_bytes())
    assert runs.success.all()
    assert runs.problem.fun([1.0, 1.0]) == 4.0
    assert runs.problem.value([1.0, 1.0]) == 4.0


def test_what_does_not_open_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"2\.7.*put them into a module"):
        opened(b"", (2, 7))
    (tmp_path / "passing_module.py").write_text("def twice(a):\n    return 2.0 * a\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import passing_module  # type: ignore[import-not-found]

    content = pickle.dumps(ByValue({"fun": lambda x: passing_module.twice(x[0])}))
    assert pickle.loads(content).functions["fun"]([1.5]) == 3.0
    monkeypatch.delitem(sys.modules, "passing_module")
    (tmp_path / "passing_module.py").unlink()
    with pytest.raises(pickle.UnpicklingError, match=r"passing_module.*put them into a module"):
        pickle.loads(content)
    lock = threading.Lock()
    with pytest.raises(pickle.PicklingError, match="fun cannot be pickled, as something they use cannot"):
        pickle.dumps(ByValue({"fun": lambda x: lock}))


def test_functions_of_modules_are_pickled_by_name() -> None:
    rastrigin = gd.problems.make("rastrigin", dim=3)
    content = pickle.dumps(rastrigin)
    assert pickle.loads(content).fun is rastrigin.fun
    assert b"opened" not in content
    assert textwrap.dedent.__name__.encode() in pickle.dumps(ByValue({"f": textwrap.dedent}))
