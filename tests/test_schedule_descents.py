"""Schedules inside a descent: the rates that it takes, of runs side by side and alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from schedule_cases import COUNTS, PEAKS, VARIED, numbers_of, rates_used

from fastgd.schedules import Constant, Cosine, LinearWarmup, PiecewiseConstant, sequence


@pytest.mark.parametrize("name", VARIED)
def test_a_descent_uses_these_rates(name: str) -> None:
    used = rates_used(VARIED[name], 70)
    np.testing.assert_allclose(used, VARIED[name](np.arange(70)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", VARIED)
def test_a_run_alone_takes_the_same_steps(name: str) -> None:
    """Shared numbers go another way through the kernel than numbers of each run."""
    schedule = VARIED[name]
    if name == "sequence":
        one = sequence(
            LinearWarmup(PEAKS[3], COUNTS[3]), sequence(Cosine(PEAKS[3], COUNTS[3]), Constant(0.3), at=30), at=7
        )
    elif isinstance(schedule, PiecewiseConstant):
        one = PiecewiseConstant(schedule.boundaries, numbers_of(schedule)[3])
    else:
        one = dataclasses.replace(schedule, **dict(zip(schedule.parameters(), numbers_of(schedule)[3], strict=True)))
    np.testing.assert_array_equal(rates_used(one, 70), rates_used(schedule, 70)[3])
