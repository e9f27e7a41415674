"""Fields of schedules that are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fastgd.schedules import (
    Constant,
    Cosine,
    CosineWarmRestarts,
    Exponential,
    InverseTime,
    LinearWarmup,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    ReduceOnPlateau,
    StepDecay,
    Triangular,
    sequence,
)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: StepDecay(0.1, 2.5), ValueError, r"StepDecay: period must be an integer >= 1, got 2\.5"),
        (lambda: StepDecay(0.1, [3, 0]), ValueError, "StepDecay: period must be an integer >= 1, got 0"),
        (lambda: StepDecay(0.1, True), TypeError, "StepDecay: period must hold real numbers"),
        (lambda: StepDecay(-0.1, 3), ValueError, r"StepDecay: lr must be finite and >= 0, got -0\.1"),
        (lambda: InverseTime(0.1, math.inf), ValueError, "InverseTime: decay must be finite and >= 0, got inf"),
        (lambda: Exponential([0.1, 0.2], [0.5, 0.6, 0.7]), ValueError, r"do not broadcast: lr \(2,\), gamma \(3,\)"),
        (lambda: Exponential.decade(0.1, 0), ValueError, r"Exponential\.decade: steps must be finite and > 0, got 0"),
        (lambda: Polynomial(0.1, 10, power=0), ValueError, "Polynomial: power must be finite and > 0, got 0"),
        (lambda: Polynomial(0.1, 10, min_lr=0.2), ValueError, "Polynomial: min_lr must be <= lr"),
        (lambda: LinearWarmup(0.1, 5, -1), ValueError, "LinearWarmup: start_factor must be finite and >= 0, got -1"),
        (lambda: Cosine(0.1, 5, [0.0, 0.2]), ValueError, "Cosine: min_lr must be <= lr"),
        (lambda: CosineWarmRestarts(0.1, 5, 0), ValueError, "CosineWarmRestarts: t_mult must be at least 1; it is 0"),
        (lambda: CosineWarmRestarts(0.1, 5, 1.5), TypeError, "CosineWarmRestarts: t_mult must be a positive integer"),
        (lambda: CosineWarmRestarts(0.1, 5, decay=2), ValueError, "decay must be finite and >= 0 and <= 1, got 2"),
        (lambda: Triangular(0.01, 0.1, 5), ValueError, "Triangular: min_lr must be <= lr"),
        (lambda: Triangular(0.1, 0.01, 5, 0), ValueError, "Triangular: down must be an integer >= 1, got 0"),
        (lambda: OneCycle(0.1, 10, 1.5), ValueError, r"OneCycle: pct_start must be .* <= 1, got 1\.5"),
        (lambda: OneCycle(0.1, 10, 0.6, three_phase=True), ValueError, r"pct_start must be <= 0\.5 with three_phase"),
        (lambda: OneCycle(0.1, 10, three_phase=1), TypeError, "OneCycle: three_phase must be True or False, got 1"),
        (lambda: OneCycle(0.1, 10, anneal_strategy="line"), ValueError, 'must be "cos" or "linear", got \'line\''),
        (lambda: OneCycle(0.1, 10, div_factor=0), ValueError, "OneCycle: div_factor must be finite and > 0, got 0"),
        (lambda: PiecewiseConstant([3, 3], [1, 2, 3]), ValueError, "boundaries must be >= 1 and increase"),
        (lambda: PiecewiseConstant([0], [1, 2]), ValueError, "boundaries must be >= 1 and increase"),
        (lambda: PiecewiseConstant([1.5], [1, 2]), TypeError, "boundaries must be a sequence of integers"),
        (lambda: PiecewiseConstant(3, [1, 2]), TypeError, "boundaries must be a sequence of integers, got 3"),
        (lambda: PiecewiseConstant([3], 0.1), TypeError, r"values must be a sequence, got 0\.1"),
        (lambda: PiecewiseConstant([3], [0.1]), ValueError, "1 boundaries need 2 values, got 1"),
        (lambda: PiecewiseConstant([3], [0.1, -1]), ValueError, r"values\[1\] must be finite and >= 0"),
        (lambda: ReduceOnPlateau(0.1, factor=1), ValueError, "factor must be finite and >= 0 and < 1, got 1"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), ValueError, "patience must be an integer >= 0, got -1"),
        (lambda: ReduceOnPlateau(0.1, threshold=1.0), ValueError, r"a relative threshold must be below 1, got 1\.0"),
        (lambda: ReduceOnPlateau(0.1, threshold_mode="x"), ValueError, 'must be "rel" or "abs", got \'x\''),
        (lambda: ReduceOnPlateau(0.1, min_lr=1.0), ValueError, "ReduceOnPlateau: min_lr must be <= lr"),
        (lambda: sequence(0.1, Constant(0.1), at=3), TypeError, r"sequence: first must be a schedule, .* got 0\.1"),
        (lambda: sequence(Constant(0.1), Constant(0.1), at=0), ValueError, "sequence: at must be >= 1, got 0"),
        (lambda: sequence(Constant(0.1), Constant(0.1), at=[3]), TypeError, "sequence: at must be an integer"),
        (
            lambda: sequence(Constant(0.1), ReduceOnPlateau(0.1), at=3),
            TypeError,
            "sequence: then must depend on the step alone; ReduceOnPlateau needs the values too",
        ),
        (
            lambda: sequence(Constant([0.1, 0.2]), Constant([0.1, 0.2, 0.3]), at=3),
            ValueError,
            r"the shapes do not broadcast: first\.lr \(2,\), then\.lr \(3,\)",
        ),
    ],
)  # fmt: skip
def test_bad_fields(make: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()
