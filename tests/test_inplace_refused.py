"""Steps in place: arrays, states and rules that are refused, before anything is changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from cases import same_bits

import fastgd as gd

PLATEAU = gd.schedules.ReduceOnPlateau(0.4, factor=0.5, patience=2)
X = np.ones((3, 4))
READ_ONLY = np.ones((3, 4))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0, 2.0], TypeError, r"x\[0\] must be a NumPy array, got float"),
        (1.0, TypeError, "x must be a NumPy array, got float; x is an array or a list of arrays"),
        ([], ValueError, "at least one array"),
        (np.ones(3, np.int64), ValueError, "x must have dtype float32 or float64, got int64"),
        (np.ones(3, ">f8"), ValueError, "float32 or float64, got >f8"),
        ([X, np.ones(3, np.float32)], ValueError, "arrays of one dtype, got float64 and float32"),
        (X[:, ::2], ValueError, r"x must be C-contiguous .* np.ascontiguousarray\(x\)"),
        ([X, np.asfortranarray(X)], ValueError, r"x\[1\] must be C-contiguous"),
        (READ_ONLY, ValueError, "must be writable"),
        ([X, X[1:]], ValueError, "must not overlap"),
    ],
)
def test_parameters_that_cannot_be_updated_in_place(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gd.Adam().init(x)


@pytest.mark.parametrize(
    ("x", "grad", "error", "message"),
    [
        (np.ones(12), np.ones(12), ValueError, r"x must have shape \(3, 4\), as in init, got \(12,\)"),
        (X, np.ones((4, 3)), ValueError, r"grad must have shape \(3, 4\), as in init, got \(4, 3\)"),
        (X, np.float64(1), TypeError, "grad must be a NumPy array"),
        (X, X.astype(np.float32), ValueError, "grad must have dtype float64, as in init, got float32"),
        (X, [X.copy()], ValueError, "grad must be one array, as init was given, got a list of 1"),
        (np.asfortranarray(X), np.ones((3, 4)), ValueError, "x must be C-contiguous"),
        (READ_ONLY, np.ones((3, 4)), ValueError, "x must be writable"),
        (X, X, ValueError, "grad must not share memory with x"),
    ],
)
def test_steps_with_arrays_that_do_not_fit_change_nothing(x: Any, grad: Any, error: Any, message: str) -> None:
    optimizer = gd.Adam()
    state = optimizer.init(X)
    before = np.array(x)
    with pytest.raises(error, match=message):
        optimizer.step(x, grad, state)
    assert state.t == 0
    assert same_bits(np.array(x), before)


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (gd.Momentum(lr=0.1), r"state is of momentum\(.*\) with 1 .* this optimizer is adam\(amsgrad=False\) with 2"),
        (gd.Adam(amsgrad=True), r"adam\(amsgrad=True\) with 3"),
        (gd.Adam(lr=PLATEAU), "state remembers 4 numbers"),
    ],
)
def test_states_of_other_optimizers_are_refused(maker: Any, message: str) -> None:
    state = maker.init(np.ones(3))
    for attempt in (
        lambda: gd.Adam().step(np.ones(3), np.ones(3), state),
        lambda: gd.Adam().restore(state.to_dict()),
        lambda: gd.Adam().probe(np.ones(3), state),
    ):
        with pytest.raises(ValueError, match=message):
            attempt()


@dataclasses.dataclass(frozen=True, eq=False)
class Branching(gd.optimizers.Optimizer):
    """A rule that lanes cannot take."""

    name = "branching"

    def rule(self) -> gd.optimizers.Rule:
        def coefficients(h, t):
            return h

        def update(x, g, s, c):
            if g > 0.0:
                return x - c[0], s
            return x + c[0], s

        return gd.optimizers.Rule(coefficients, update, slots=0)


def test_rules_that_branch_are_refused() -> None:
    with pytest.raises(TypeError, match=r"branching: .* in place of `if` use fastgd\.select"):
        Branching(lr=0.1).init(np.ones(3))


def test_what_else_is_refused() -> None:
    x, grad = np.ones(3), np.ones(3)
    optimizer = gd.Adam()
    state = optimizer.init(x)
    with pytest.raises(TypeError, match=r"state must be what optimizer\.init\(x\) returned, got dict"):
        optimizer.step(x, grad, state.to_dict())
    with pytest.raises(ValueError, match="threads must be None or an integer >= 1, got 0"):
        optimizer.step(x, grad, state, threads=0)
    with pytest.raises(ValueError, match=r"Adam: lr must be one number .* shape \(2,\)"):
        gd.Adam(lr=[0.1, 0.2]).init(x)
    watching = gd.Adam(lr=PLATEAU)
    with pytest.raises(TypeError, match=r"pass value=f\(x\)"):
        watching.step(x, grad, watching.init(x))
    assert same_bits(x, np.ones(3))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("t", None, "has no 't'"),
        ("slots0", None, "has no 'slots0'"),
        ("t", -1, "t must be at least 0"),
        ("memory", np.zeros((1, 1)), "memory a row of float64"),
        ("slots0", np.zeros((2, 3), np.int64), "slots0 must be float32 or float64"),
        ("slots1", np.zeros((1, 3)), r"slots1 .* got float64 \(1, 3\)"),
        ("slots1", np.zeros((2, 3)), "is_list must be true for 2 arrays"),
    ],
)
def test_what_no_state_has_told_is_refused(name: str, value: Any, message: str) -> None:
    saved = gd.Adam().init(np.ones(3)).to_dict()
    if value is None:
        del saved[name]
    else:
        saved[name] = value
    with pytest.raises(ValueError, match=message):
        gd.Adam().restore(saved)
