"""Every schedule against PyTorch's rates, against closed forms in 50 digits, and compiled."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_cases import COUNTS, PEAKS, VARIED, numbers_of

from fastgd import schedules
from fastgd.jit.options import inlined, kernel
from fastgd.jit.rows import align_stack, row_view
from fastgd.jit.targets import aligned
from fastgd.jit.tuples import load_tuple
from fastgd.schedules import (
    Constant,
    Cosine,
    CosineWarmRestarts,
    Exponential,
    ExpRange,
    InverseTime,
    LinearWarmup,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    Triangular,
    Triangular2,
    sequence,
)

ROWS = {
    row["schedule"]: row
    for row in json.loads((Path(__file__).parent / "reference" / "schedules.json").read_text(encoding="utf-8"))
}
FROM_PYTORCH: dict[str, Callable[..., Schedule]] = {
    "step_decay": lambda lr, step_size, gamma: StepDecay(lr, step_size, gamma),
    "piecewise_constant": lambda lr, milestones, gamma: PiecewiseConstant(
        milestones, [lr * gamma**k for k in range(len(milestones) + 1)]
    ),
    "exponential": lambda lr, gamma: Exponential(lr, gamma),
    "polynomial": lambda lr, total_iters, power: Polynomial(lr, total_iters, power),
    "linear_warmup": lambda lr, start_factor, end_factor, total_iters: LinearWarmup(
        lr, total_iters, start_factor, end_factor
    ),
    "cosine": lambda lr, T_max, eta_min: Cosine(lr, T_max, eta_min),
    "cosine_warm_restarts": lambda lr, T_0, T_mult, eta_min: CosineWarmRestarts(lr, T_0, T_mult, eta_min),
    "triangular": lambda lr, base_lr, max_lr, step_size_up, **_: Triangular(max_lr, base_lr, step_size_up),
    "triangular2": lambda lr, base_lr, max_lr, step_size_up, **_: Triangular2(max_lr, base_lr, step_size_up),
    "exp_range": lambda lr, base_lr, max_lr, step_size_up, gamma, **_: ExpRange(
        max_lr, base_lr, step_size_up, gamma=gamma
    ),
    "one_cycle": lambda lr, max_lr, total_steps, pct_start, **_: OneCycle(max_lr, total_steps, pct_start),
}
STEPS = np.concatenate([np.arange(120), [10**4, 10**6]])


def exact(number: Any) -> mpmath.mpf:
    return mpmath.mpf(float(number))


# The definitions again, in 50 digits and the words of the papers, by branches and counting.


def exact_restarts(t: int, lr: float, period: int, t_mult: int, low: float, decay: float) -> mpmath.mpf:
    height, length, since = exact(lr) - exact(low), period, t
    if t_mult == 1:
        restarts, since = divmod(t, period)
        height *= exact(decay) ** restarts
    while since >= length:
        since -= length
        length *= t_mult
        height *= exact(decay)
    return exact(low) + height * (1 + mpmath.cos(mpmath.pi * since / length)) / 2


def exact_triangle(t: int, up: int, down: int) -> mpmath.mpf:
    since = t % (up + down)
    return mpmath.mpf(since) / up if since <= up else mpmath.mpf(up + down - since) / down


def exact_cycle(t: int, lr: float, steps: int, start: float, div: float, final: float, three: bool, line: bool):
    """The list of phases of PyTorch's OneCycleLR, walked through."""
    peak, first = exact(lr), exact(lr) / exact(div)
    ends = [exact(start) * steps - 1, 2 * exact(start) * steps - 2, mpmath.mpf(steps - 1)]
    rates = [first, peak, first, first / exact(final)]
    if not three:
        del ends[1], rates[2]
    begin, t = mpmath.mpf(0), min(t, steps - 1)
    for k, end in enumerate(ends):
        if t <= end or k == len(ends) - 1:
            part = (t - begin) / (end - begin)
            part = part if line else (1 - mpmath.cos(mpmath.pi * part)) / 2
            return rates[k] + (rates[k + 1] - rates[k]) * part
        begin = end
    raise AssertionError


def exact_rate(schedule: Schedule, p: tuple[float, ...], t: int) -> mpmath.mpf:
    name, v = type(schedule).__name__, [exact(number) for number in p]
    if name == "Sequence":
        count = len(schedule.first.parameters())
        if t < schedule.at:
            return exact_rate(schedule.first, p[:count], t)
        return exact_rate(schedule.then, p[count:], t - schedule.at)
    if name == "CosineWarmRestarts":
        return exact_restarts(t, p[0], int(p[1]), schedule.t_mult, p[2], p[3])
    if name == "OneCycle":
        line = schedule.anneal_strategy == "linear"
        return exact_cycle(t, p[0], int(p[1]), *p[2:], three=schedule.three_phase, line=line)
    if name == "PiecewiseConstant":
        return v[sum(t >= boundary for boundary in schedule.boundaries)]
    forms: dict[str, Callable[[], Any]] = {
        "Constant": lambda: v[0],
        "InverseTime": lambda: v[0] / (1 + v[1] * t),
        "Exponential": lambda: v[0] * v[1] ** t,
        "StepDecay": lambda: v[0] * v[2] ** (t // int(p[1])),
        "Polynomial": lambda: v[3] + (v[0] - v[3]) * (1 - min(t, int(p[1])) / v[1]) ** v[2],
        "LinearWarmup": lambda: v[0] * (v[2] + (v[3] - v[2]) * min(t, int(p[1])) / v[1]),
        "Cosine": lambda: v[2] + (v[0] - v[2]) * (1 + mpmath.cos(mpmath.pi * t / int(p[1]))) / 2,
        "Triangular": lambda: v[1] + (v[0] - v[1]) * exact_triangle(t, int(p[2]), int(p[3])),
        "Triangular2": lambda: (
            v[1] + (v[0] - v[1]) * exact_triangle(t, int(p[2]), int(p[3])) / mpmath.mpf(2) ** (t // int(p[2] + p[3]))
        ),
        "ExpRange": lambda: v[1] + (v[0] - v[1]) * exact_triangle(t, int(p[2]), int(p[3])) * v[4] ** t,
    }
    return forms[name]()


def relative_error(found: float, true: mpmath.mpf) -> float:
    """How far off `found` is; what the floats have no digits for counts as 0."""
    floor = mpmath.mpf(10) ** -300
    return float(abs(exact(found) - true) / max(abs(true), floor))


def errors(schedule: Schedule, rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
    with mpmath.workdps(50):
        runs = numbers_of(schedule)
        return np.array(
            [
                [relative_error(rate, exact_rate(schedule, p, int(t))) for rate, t in zip(row, steps, strict=True)]
                for p, row in zip(runs, np.reshape(rates, (len(runs), -1)), strict=True)
            ]
        )


def compiled_rates(schedule: Schedule, steps: np.ndarray, width: int) -> np.ndarray:
    """The rates by compiled code, of shape (runs, steps): `width` runs abreast, or one after the other for 1."""
    count = len(schedule.parameters())
    rate, load = inlined(schedule.rate_function()), load_tuple(count)
    numbers_at, rates_at = row_view(width, count), row_view(width, 1)

    @kernel
    def fill(numbers, out, steps):
        align_stack()
        for k in range(steps.shape[0]):
            rates_at(out, k)[0] = rate(load(numbers_at(numbers, 0), 0), steps[k])

    runs = np.array(numbers_of(schedule))
    blocks = []
    for low in range(0, len(runs), width):
        numbers, out = aligned((1, count, width), np.float64), aligned((len(steps), 1, width), np.float64)
        numbers[0] = runs[low : low + width].T
        fill(numbers, out, steps)
        blocks.append(out[:, 0, :].T.copy())
    return np.concatenate(blocks)


# PyTorch


@pytest.mark.parametrize("name", sorted(set(FROM_PYTORCH) - {"cosine"}))
def test_rates_are_pytorchs(name: str) -> None:
    row = ROWS[name]
    rates = FROM_PYTORCH[name](row["lr"], **row["args"])(np.arange(len(row["lrs"])))
    np.testing.assert_allclose(rates, row["lrs"], rtol=1e-14, atol=0)


def test_cosine_is_what_pytorchs_recursion_approximates() -> None:
    """PyTorch computes a rate from the last one; its rounding errors add up to 2e-14 in the 60 steps."""
    row = ROWS["cosine"]
    period, lr, low = row["args"]["T_max"], row["lr"], row["args"]["eta_min"]

    def recursion(lr: Any, low: Any, cos: Callable, pi: Any) -> list[Any]:
        rates = [lr]
        for t in range(1, len(row["lrs"])):
            if (t - 1 - period) % (2 * period) == 0:
                rates.append(rates[-1] + (lr - low) * (1 - cos(pi / period)) / 2)
            else:
                ratio = (1 + cos(pi * t / period)) / (1 + cos(pi * (t - 1) / period))
                rates.append(ratio * (rates[-1] - low) + low)
        return rates

    rates = Cosine(lr, period, low)(np.arange(len(row["lrs"])))
    np.testing.assert_allclose(recursion(lr, low, math.cos, math.pi), row["lrs"], rtol=1e-15)
    with mpmath.workdps(50):
        unrounded = [float(rate) for rate in recursion(exact(lr), exact(low), mpmath.cos, mpmath.pi)]
    np.testing.assert_allclose(rates, unrounded, rtol=1e-14, atol=0)
    np.testing.assert_allclose(rates, row["lrs"], rtol=3e-14, atol=0)
    np.testing.assert_allclose(rates[:31], row["lrs"][:31], rtol=1e-14, atol=0)


def test_reduce_on_plateau_is_pytorchs() -> None:
    row = ROWS["reduce_on_plateau"]
    rates = ReduceOnPlateau(row["lr"], **row["args"]).replay(row["losses"])
    np.testing.assert_allclose(rates, row["lrs"], rtol=1e-14, atol=0)
    assert len(set(row["lrs"])) == 6


def test_every_reference_is_used() -> None:
    assert set(FROM_PYTORCH) | {"reduce_on_plateau"} == set(ROWS)


# Closed forms


@pytest.mark.parametrize("name", VARIED)
def test_rates_are_the_closed_form(name: str) -> None:
    schedule = VARIED[name]
    rates = schedule(STEPS)
    assert rates.shape == (8, len(STEPS))
    assert errors(schedule, rates, STEPS).max() < 1e-14


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("name", VARIED)
def test_compiled_rates_are_the_closed_form(name: str, width: int) -> None:
    """Powers by squaring lose half a unit in the last place a step at most; nothing else grows with the step."""
    schedule = VARIED[name]
    rates = compiled_rates(schedule, STEPS, width)
    by_squaring = 1.2e-16 * STEPS if name in ("Exponential", "ExpRange") else 0.0
    assert (errors(schedule, rates, STEPS) <= 1e-14 + by_squaring).all()
    np.testing.assert_allclose(rates[:, :120], schedule(STEPS[:120]), rtol=2e-14, atol=0)


@pytest.mark.parametrize("name", VARIED)
def test_arrays_are_runs_of_their_own(name: str) -> None:
    schedule = VARIED[name]
    if name == "sequence":
        alone = [
            sequence(LinearWarmup(peak, n), sequence(Cosine(peak, n), Constant(0.3), at=30), at=7)
            for peak, n in zip(PEAKS, COUNTS, strict=True)
        ]
    elif isinstance(schedule, PiecewiseConstant):
        alone = [PiecewiseConstant(schedule.boundaries, p) for p in numbers_of(schedule)]
    else:
        names = list(schedule.parameters())
        alone = [dataclasses.replace(schedule, **dict(zip(names, p, strict=True))) for p in numbers_of(schedule)]
    np.testing.assert_array_equal(schedule(STEPS), [one(STEPS) for one in alone])


counts = st.integers(1, 50)
peaks = st.floats(1e-6, 10.0)
fractions = st.floats(0.0, 1.0)
WAVES = st.one_of(
    st.builds(lambda lr, n, low: Cosine(lr, n, low * lr), peaks, counts, fractions),
    st.builds(
        lambda lr, n, m, low, d: CosineWarmRestarts(lr, n, m, low * lr, d), peaks, counts, st.integers(1, 4), fractions,
        st.floats(0.1, 1.0),
    ),
    st.builds(lambda lr, a, b, low: Triangular(lr, low * lr, a, b), peaks, counts, counts, fractions),
    st.builds(lambda lr, a, b, low: Triangular2(lr, low * lr, a, b), peaks, counts, counts, fractions),
    st.builds(lambda lr, n, q, low: Polynomial(lr, n, q, low * lr), peaks, counts, st.floats(0.1, 4.0), fractions),
    st.builds(lambda lr, n, a, b: LinearWarmup(lr, n, a, b), peaks, counts, fractions, fractions),
    st.builds(lambda lr, n, f: StepDecay(lr, n, f), peaks, counts, st.floats(0.1, 1.0)),
)  # fmt: skip


@settings(max_examples=100)
@given(WAVES, st.lists(st.integers(0, 2000), min_size=1, max_size=8))
def test_any_wave_is_its_closed_form_and_stays_in_range(schedule: Schedule, steps: list[int]) -> None:
    rates = schedule(np.array(steps))
    # a power of a rounded base is off by its exponent times that rounding
    assert errors(schedule, rates, np.array(steps)).max() < 3e-14
    top = schedule.lr * (1 + 1e-14)
    assert ((rates >= getattr(schedule, "min_lr", 0.0) * (1 - 1e-14)) & (rates <= top)).all()


@given(
    st.integers(2, 300), st.floats(0.01, 0.5), st.floats(1.5, 100.0), st.floats(1.5, 1e5), st.booleans(), st.booleans(),
    st.lists(st.integers(0, 400), min_size=1, max_size=8),
)  # fmt: skip
def test_any_one_cycle_is_pytorchs_list_of_phases(steps, start, div, final, three, line, at) -> None:
    kind = "linear" if line else "cos"
    schedule = OneCycle(0.1, steps, start, div, final, anneal_strategy=kind, three_phase=three)
    rates = schedule(np.array(at))
    # a kink moves by the rounding of its place, some 1e-14 steps; the rate there by that times the slope
    slack = 1e-13 * (1 + 0.1 / rates.min() * 1e-2)
    assert errors(schedule, rates, np.array(at)).max() < slack


def test_one_cycle_without_a_way_up_or_down() -> None:
    assert OneCycle(1.0, 10, pct_start=0.1)(0) == 1.0
    assert OneCycle(1.0, 10, pct_start=1.0)([9, 50]).tolist() == [1.0, 1.0]
    assert OneCycle(1.0, 1)(0) == pytest.approx(1 / 25 / 1e4, rel=1e-15)
    falling = OneCycle(1.0, 10, pct_start=0.0, anneal_strategy="linear")(np.arange(10))
    np.testing.assert_allclose(falling, 4e-6 + (1 - 4e-6) * np.linspace(0.9, 0.0, 10), rtol=1e-14)


def test_a_restart_falls_exactly_on_its_step() -> None:
    """Where logarithms would round to the wrong side: the first step of each period is at the peak."""
    for t_mult in (1, 2, 3, 7):
        starts = [5 * sum(t_mult**k for k in range(n)) for n in range(9)]
        schedule = CosineWarmRestarts(0.5, 5, t_mult, decay=0.5)
        np.testing.assert_allclose(schedule(starts), 0.5 * 0.5 ** np.arange(9), rtol=1e-15)
        length = 5 * t_mult**7
        last = 0.5 * 0.5**7 * math.sin(0.5 * math.pi / length) ** 2
        assert schedule(starts[8] - 1) == pytest.approx(last, rel=1e-14)


def test_decade() -> None:
    schedule = Exponential.decade([1.0, 3.0], steps=[50, 200])
    steps = np.array([0, 50, 100, 200])
    expected = np.array([[1.0], [3.0]]) * 10.0 ** (-steps / np.array([[50], [200]]))
    np.testing.assert_allclose(schedule(steps), expected, rtol=4e-14)


def test_waves_touch_their_ends_exactly() -> None:
    assert Cosine(0.1, 7)([0, 7, 14, 21, 7 * 10**9]).tolist() == [0.1, 0.0, 0.1, 0.0, 0.1]
    assert Triangular(0.3, 0.0, 3, 4)([0, 3, 7, 10, 7 * 10**9]).tolist() == [0.0, 0.3, 0.0, 0.3, 0.0]
    assert Polynomial(0.1, 5, 0.5)([0, 5, 6, 10**9]).tolist() == [0.1, 0.0, 0.0, 0.0]


def test_rates_past_the_range_of_floats() -> None:
    assert Exponential(1.0, 2.0)(10**6) == math.inf
    assert Exponential(1.0, 0.5)(10**6) == 0.0
    assert InverseTime(1.0, 1e300)(10**10) == 0.0


# Sequences


def test_a_sequence_hands_over() -> None:
    schedule = sequence(LinearWarmup(0.2, 4), Cosine([0.2, 0.4], 6), at=4)
    steps = np.arange(20)
    warm, cosine = LinearWarmup(0.2, 4)(steps), Cosine([0.2, 0.4], 6)(steps)
    expected = np.concatenate([np.broadcast_to(warm[:4], (2, 4)), cosine[:, :16]], axis=1)
    np.testing.assert_array_equal(schedule(steps), expected)
    assert list(schedule.parameters()) == [
        "first.lr", "first.steps", "first.start_factor", "first.end_factor", "then.lr", "then.period", "then.min_lr",
    ]  # fmt: skip
    assert isinstance(sequence(Constant(0.1), Constant(0.2), at=1)(0), float)


def test_sequences_nest_on_either_side() -> None:
    left = sequence(sequence(Constant(1.0), Constant(2.0), at=2), Constant(3.0), at=5)
    right = sequence(Constant(1.0), sequence(Constant(2.0), Constant(3.0), at=3), at=2)
    steps = np.arange(9)
    assert left(steps).tolist() == right(steps).tolist() == [1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert list(left.parameters()) == ["first.first.lr", "first.then.lr", "then.lr"]


def test_every_public_schedule_is_tested() -> None:
    kinds = {type(schedule).__name__ for schedule in VARIED.values()} | {
        "Groups", "ReduceOnPlateau", "Schedule", "groups", "sequence",  # groups: tests/test_groups.py
    }  # fmt: skip
    assert kinds - {"Sequence"} == set(schedules.__all__)
