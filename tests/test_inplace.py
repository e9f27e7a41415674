"""Steps in place: the same bits as `minimize`, wherever a parameter stands and however the work is divided."""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import form, same_bits
from hypothesis import given
from hypothesis import strategies as st

import fastgd as gd
from fastgd.optimizers import inplace
from fastgd.optimizers.state import State

RULES = gd.optimizers.rules()
DTYPES = ["float64", "float32"]
CURVATURE = (2.0, 0.5, 4.0)
START = (1.5, -0.75, 0.3)
# those that take the gradient elsewhere
AHEAD = {
    "nesterov look_ahead": gd.Nesterov(lr=0.004, look_ahead=True),
    **{name: gd.optimizers.make(name, lr=0.004) for name in RULES if gd.optimizers.make(name, lr=0.004).rule().probe},
}
# each rule in float64; in float32, whose kernels are others, some of them, and the rest in the slow tests
QUICK = {"adam", "momentum", "rprop", "schedule_free_sgd"}
RULES_AND_DTYPES = [
    pytest.param(rule, dtype, marks=() if dtype == "float64" or rule in QUICK else pytest.mark.slow)
    for rule in RULES
    for dtype in DTYPES
]


def is_pytorchs(run: dict[str, Any]) -> bool:
    """Whether the path's options have PyTorch's names, or ours."""
    known = {field.name for field in dataclasses.fields(gd.optimizers.make(run["rule"], lr=0.1))}
    return set(run["hyper"]) <= known | {"betas", "nesterov"}


PATHS = [
    run for run in json.loads((Path(__file__).parent / "reference" / "optimizers.json").read_text()) if is_pytorchs(run)
]
SCHEDULES = {
    "exponential": gd.schedules.Exponential(0.05, gamma=0.9),
    "plateau": gd.schedules.ReduceOnPlateau(0.4, factor=0.5, patience=2),
}


def optimizer_of(run: dict[str, Any]) -> gd.optimizers.Optimizer:
    options = dict(run["hyper"])
    options.pop("nesterov", None)
    if "betas" in options:
        options["beta1"], options["beta2"] = options.pop("betas")
    return gd.optimizers.make(run["rule"], **options)


def label(run: dict[str, Any]) -> str:
    return "-".join([run["rule"], run["problem"], *run["hyper"]])


def descend(problem: gd.Problem, optimizer: Any, start: Any, steps: int) -> np.ndarray:
    """The points after 0, 1, ..., `steps` steps in place."""
    x = np.array(start, dtype=np.float64)
    state, path = optimizer.init(x), [x.copy()]
    for _ in range(steps):
        value = float(problem.value(x))
        optimizer.step(x, problem.gradient(optimizer.probe(x, state)), state, value=value)
        path.append(x.copy())
    return np.array(path)


def gradients(shape: Any, dtype: Any, steps: int = 4) -> list[np.ndarray]:
    """Gradients of very different sizes."""
    rng = np.random.default_rng(7)
    return [np.array(rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3, shape), dtype) for _ in range(steps)]


def stepped(optimizer: Any, x: Any, grads: list[Any], **more: Any) -> Any:
    """`x` after a step along each of the gradients, and its state."""
    state = optimizer.init(x)
    for grad in grads:
        optimizer.step(x, grad, state, **more)
    return x, state


def same_states(one: State, other: State) -> bool:
    a, b = one.to_dict(), other.to_dict()
    return a.keys() == b.keys() and all(same_bits(a[name], b[name]) for name in a)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(inplace, "CHUNK", 128)
    return 128


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_steps_as_minimize_does(rule: str) -> None:
    optimizer, problem = gd.optimizers.make(rule, lr=0.01), gd.problems.himmelblau()
    expected = gd.minimize(problem, [0.5, -1.0], optimizer, max_steps=40, gtol=None, record=1).trace
    assert same_bits(descend(problem, optimizer, [0.5, -1.0], 40), expected)


@pytest.mark.parametrize("name", AHEAD)
def test_rules_that_look_ahead_step_as_minimize_does(name: str) -> None:
    problem = gd.problems.himmelblau()
    expected = gd.minimize(problem, [0.5, -1.0], AHEAD[name], max_steps=40, gtol=None, record=1).trace
    assert same_bits(descend(problem, AHEAD[name], [0.5, -1.0], 40), expected)


@pytest.mark.parametrize(("rule", "dtype"), [p for p in RULES_AND_DTYPES if p.values[1] == "float32"])
def test_every_rule_steps_as_minimize_does_in_float32(rule: str, dtype: str) -> None:
    optimizer, curvature = gd.optimizers.make(rule, lr=0.01), np.array(CURVATURE, dtype)
    run = gd.minimize(form(*CURVATURE), START, optimizer, max_steps=30, gtol=None, record=1, dtype=dtype)
    x = np.array(START, dtype)
    state = optimizer.init(x)
    for point in run.trace:
        assert same_bits(x, point)
        optimizer.step(x, curvature * optimizer.probe(x, state), state)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_step_as_in_minimize(name: str) -> None:
    optimizer, problem = gd.Momentum(lr=SCHEDULES[name], momentum=0.5), gd.problems.rosenbrock(dim=3)
    start = [0.1, -0.2, 0.3]
    expected = gd.minimize(problem, start, optimizer, max_steps=30, gtol=None, record=1, bound=1e300).trace
    path = descend(problem, optimizer, start, len(expected) - 1)
    assert same_bits(path, expected)


def test_most_rules_have_paths_of_pytorchs() -> None:
    assert {"adam", "gradient_descent", "momentum", "nesterov", "adagrad", "rmsprop"} <= {run["rule"] for run in PATHS}
    assert len({run["rule"] for run in PATHS}) >= 10


@pytest.mark.parametrize("run", PATHS, ids=label)
def test_paths_are_pytorchs(run: dict[str, Any]) -> None:
    expected = np.array(run["x"])
    problem = {"quadratic": form(2.0, 4.0), "himmelblau": gd.problems.himmelblau()}.get(run["problem"])
    problem = problem or gd.problems.make(run["problem"], dim=expected.shape[1])
    path = descend(problem, optimizer_of(run), expected[0], len(expected) - 1)
    error = np.max(np.abs(path - expected), axis=1) / np.max(np.abs(expected), axis=1)
    assert np.max(error[:21]) <= 1e-12
    assert np.max(error) <= 1e-9


@pytest.mark.parametrize(("rule", "dtype"), RULES_AND_DTYPES)
def test_results_depend_on_no_place_and_no_division(rule: str, dtype: str, small_chunks: int) -> None:
    optimizer, size = gd.optimizers.make(rule, lr=0.05), 9 * small_chunks + 13
    start = np.random.default_rng(1).normal(size=size).astype(dtype)
    grads = gradients(size, dtype)
    whole, state = stepped(optimizer, start.copy(), grads, threads=1)
    assert not same_bits(whole, start)

    for threads in (2, 5):
        x, other = stepped(optimizer, start.copy(), grads, threads=threads)
        assert same_bits(x, whole)
        assert same_states(other, state)

    behind, _ = stepped(optimizer, start[::-1].copy(), [g[::-1] for g in grads])
    assert same_bits(behind[::-1], whole)

    room = np.zeros(size + 3, dtype)  # at an address that no vector would choose
    room[3:] = start
    shifted, _ = stepped(optimizer, room[3:], grads)
    assert same_bits(shifted, whole)
    assert not room[:3].any()

    cuts = [1, 17, 17, 100, 5 * small_chunks]
    parts = np.split(start.copy(), cuts)
    stepped(optimizer, parts, [np.split(g, cuts) for g in grads], threads=3)
    assert same_bits(np.concatenate(parts), whole)

    for k in (0, 12, size - 1):
        alone, own = stepped(optimizer, np.array(start[k]), [np.array(g[k]) for g in grads])
        assert same_bits(alone, whole[k].reshape(()))
        assert same_bits(own.to_dict()["slots0"], state.to_dict()["slots0"][:, k])


@pytest.mark.parametrize("shape", [(), (1,), (31,), (4, 8), (3, 5, 7), (0,), (2, 0, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_have_any_shape(shape: tuple[int, ...], dtype: str) -> None:
    grads = gradients(shape, dtype)
    start = np.ones(shape, dtype)
    x, state = stepped(gd.Adam(lr=0.1), start.copy(), grads)
    flat, _ = stepped(gd.Adam(lr=0.1), start.reshape(-1).copy(), [g.reshape(-1) for g in grads])
    assert same_bits(x, flat.reshape(shape))
    assert state.to_dict()["slots0"].shape == (2, *shape)


def test_gradient_descent_with_a_constant_gradient_is_a_straight_line() -> None:
    x = np.array([[1.0, 2.0, -4.0]])
    stepped(gd.GradientDescent(lr=0.25), x, [np.array([[1.0, -2.0, 8.0]])] * 5)
    assert x.tolist() == [[-0.25, 4.5, -14.0]]


def test_momentum_holds_the_sum_of_a_constant_gradient() -> None:
    x = np.zeros(40)
    _, state = stepped(gd.Momentum(lr=1.0, momentum=0.5), x, [np.full(40, 2.0)] * 4)
    assert state.t == 4
    assert state.to_dict()["slots0"].tolist() == [[2.0 * (2.0 - 0.5**3)] * 40]


@pytest.mark.parametrize("dtype", DTYPES)
def test_adam_follows_the_equations_at_many_parameters(dtype: str) -> None:
    start, grads = np.linspace(-1, 1, 333).astype(dtype), gradients(333, dtype)
    x, _ = stepped(gd.Adam(lr=0.1), start.copy(), grads)
    y, m, v = start.astype(np.float64), np.zeros(333), np.zeros(333)
    for t, g in enumerate(grads, 1):
        m, v = 0.9 * m + 0.1 * g.astype(float), 0.999 * v + 0.001 * g.astype(float) ** 2
        y = y - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(x, y, rtol=0, atol=1e-14 if dtype == "float64" else 1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_that_is_not_a_number_reaches_its_own_parameter_only(rule: str) -> None:
    optimizer, grad = gd.optimizers.make(rule, lr=0.1), np.ones(50)
    clean, _ = stepped(optimizer, np.ones(50), [grad])
    grad[[3, 49]] = math.nan
    x, _ = stepped(optimizer, np.ones(50), [grad])
    assert np.flatnonzero(np.isnan(x)).tolist() == [3, 49]
    others = np.delete(np.arange(50), [3, 49])
    assert same_bits(x[others], clean[others])


@pytest.mark.parametrize(("rule", "dtype"), RULES_AND_DTYPES)
def test_a_restored_run_is_the_run_that_never_stopped(rule: str, dtype: str, tmp_path: Path) -> None:
    optimizer, grads = gd.optimizers.make(rule, lr=0.05), gradients((5, 13), dtype, 8)
    whole, last = stepped(optimizer, np.ones((5, 13), dtype), grads)
    x, state = stepped(optimizer, np.ones((5, 13), dtype), grads[:3])
    np.savez(tmp_path / "run.npz", x=x, **state.to_dict())

    with np.load(tmp_path / "run.npz") as saved:
        x, again = saved["x"], gd.optimizers.make(rule, lr=0.05)
        restored = again.restore(saved)
    assert same_states(restored, state)
    assert repr(restored) == repr(state)
    for grad in grads[3:]:
        again.step(x, grad, restored)
    assert same_bits(x, whole)
    assert same_states(restored, last)


def test_lists_and_memories_of_schedules_are_restored_as_well() -> None:
    optimizer = gd.Momentum(lr=SCHEDULES["plateau"])
    values = [3.0, 2.0, 2.0, 2.0, 2.0, 2.5, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    grads = gradients((2, 40), np.float64, len(values))

    def run(x: list[np.ndarray], state: State, first: int, last: int) -> None:
        for grad, value in zip(grads[first:last], values[first:last], strict=True):
            optimizer.step(x, [grad[0], grad[1]], state, value=value)

    x = [np.ones(40), np.ones(40)]
    state = optimizer.init(x)
    run(x, state, 0, len(values))
    assert state.memory[0] < 0.4
    for stop in (0, 5, 9):
        y = [np.ones(40), np.ones(40)]
        begun = optimizer.init(y)
        run(y, begun, 0, stop)
        resumed = State.from_dict(begun.to_dict())
        run(y, resumed, stop, len(values))
        assert same_bits(y, x)
        assert same_states(resumed, state)


def test_what_a_state_tells_is_a_copy() -> None:
    _, state = stepped(gd.Adam(), np.ones(20), gradients(20, np.float64))
    told = state.to_dict()
    before = told["slots0"].copy()
    told["slots0"][:] = 0
    assert same_bits(state.to_dict()["slots0"], before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_value_bounds_every_component(dtype: str) -> None:
    grads = gradients(70, dtype)
    clipped, _ = stepped(gd.Momentum(lr=0.1, clip_value=0.5), np.ones(70, dtype), grads)
    by_hand, _ = stepped(gd.Momentum(lr=0.1), np.ones(70, dtype), [np.clip(g, -0.5, 0.5) for g in grads])
    assert same_bits(clipped, by_hand)
    assert any((np.abs(g) > 0.5).any() for g in grads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_norm_bounds_the_norm_over_all_arrays(dtype: str, small_chunks: int) -> None:
    shapes = [(3, 200), (), (77,)]
    rng = np.random.default_rng(4)
    grads = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    norm = math.sqrt(math.fsum(math.fsum(np.square(g, dtype=np.float64).flat) for g in grads))
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    for limit, scale in ((norm / 8, 1 / 8), (norm * 1.01, 1.0)):
        points = []
        for threads in (1, 4):
            x = [np.zeros(shape, dtype) for shape in shapes]
            stepped(gd.GradientDescent(lr=1.0, clip_norm=limit), x, [grads], threads=threads)
            points.append(x)
        for one, other, g in zip(*points, grads, strict=True):
            assert same_bits(one, other)
            np.testing.assert_allclose(one, -scale * g, rtol=tolerance)


def test_clip_norm_of_gradients_whose_squares_overflow() -> None:
    x = np.zeros(2)
    stepped(gd.GradientDescent(lr=1.0, clip_norm=10.0), x, [np.array([3e200, -4e200])])
    np.testing.assert_allclose(x, [-6.0, 8.0], rtol=1e-15)


def test_both_clips_as_in_minimize() -> None:
    optimizer = gd.Momentum(lr=0.01, clip_value=3.0, clip_norm=3.5)
    problem = gd.problems.himmelblau()
    expected = gd.minimize(problem, [0.5, -1.0], optimizer, max_steps=40, gtol=None, record=1).trace
    np.testing.assert_allclose(descend(problem, optimizer, [0.5, -1.0], 40), expected, rtol=1e-13)


@pytest.mark.parametrize("name", AHEAD)
def test_probe_writes_where_it_is_told(name: str) -> None:
    optimizer, x = AHEAD[name], np.linspace(1, 2, 50)
    _, state = stepped(optimizer, x, gradients(50, np.float64, 3))
    before, out = x.copy(), np.empty(50)
    point = optimizer.probe(x, state)
    assert optimizer.probe(x, state, out=out) is out
    assert same_bits(out, point)
    assert not same_bits(point, x)
    assert same_bits(x, before)
    assert state.t == 3


def test_probe_of_nesterov_is_where_the_momentum_leads() -> None:
    x, optimizer = np.zeros(33), gd.Nesterov(lr=0.5, momentum=0.5, look_ahead=True)
    _, state = stepped(optimizer, x, [np.full(33, 2.0)])
    assert optimizer.probe([x], optimizer.init([x]))[0].tolist() == x.tolist()
    assert optimizer.probe(x, state).tolist() == [-1.5] * 33


def test_probe_of_other_rules_is_the_point_itself() -> None:
    x, optimizer = np.ones(5), gd.Adam()
    state = optimizer.init(x)
    out = np.empty(5)
    assert optimizer.probe(x, state) is x
    assert optimizer.probe(x, state, out=out) is out
    assert same_bits(out, x)


def test_gradients_may_be_read_only_and_strided() -> None:
    grad = np.arange(60.0).reshape(6, 10)
    expected, _ = stepped(gd.Adam(lr=0.1), np.ones((6, 10)), [grad])
    strided = np.zeros((6, 20))
    strided[:, ::2] = grad
    grad.flags.writeable = False
    for same in (grad, strided[:, ::2], np.asfortranarray(grad)):
        x, _ = stepped(gd.Adam(lr=0.1), np.ones((6, 10)), [same])
        assert same_bits(x, expected)


def test_threads_of_the_caller_can_step_at_once(small_chunks: int) -> None:
    optimizer, grads = gd.Adam(lr=0.1), gradients(5000, np.float64, 20)
    expected, _ = stepped(optimizer, np.ones(5000), grads)
    points = [np.ones(5000) for _ in range(6)]
    threads = [threading.Thread(target=stepped, args=(optimizer, x, grads), kwargs={"threads": 3}) for x in points]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same_bits(x, expected) for x in points)


def test_optimizers_of_one_rule_share_a_state() -> None:
    x = np.zeros(3)
    slow, fast = gd.Momentum(lr=0.5, momentum=0.5), gd.Momentum(lr=1.0, momentum=0.5)
    state = slow.init(x)
    slow.step(x, np.ones(3), state)
    fast.step(x, np.ones(3), state)
    assert x.tolist() == [-0.5 - 1.5] * 3


@given(st.lists(st.integers(0, 16), min_size=1, max_size=200), st.integers(2, 9))
def test_tasks_are_every_piece_once_and_become_smaller(counts: list[int], threads: int) -> None:
    pieces = np.array([(0, 0, 0, count) for count in counts], np.int64)
    parts: list[slice] = []
    with mock.patch.object(inplace, "CHUNK", 16):
        inplace.each_task(parts.append, pieces, threads)
    parts.sort(key=lambda part: part.start or 0)
    if sum(counts) < 32:
        assert parts == [slice(None)]
        return
    assert [k for part in parts for k in range(part.start, part.stop)] == list(range(len(counts)))
    sizes = [sum(counts[part]) for part in parts]
    assert all(size >= 16 for size in sizes[:-1])
    # a task is at most a piece above its share, which falls; the last one is small
    left = [sum(sizes[k:]) for k in range(len(sizes))]
    shares = [max(16, whole // (2 * threads)) for whole in left]
    assert all(size < share + 16 for size, share in zip(sizes, shares, strict=True))
