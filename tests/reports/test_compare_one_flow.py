"""A comparison with a gradient flow among its optimizers runs no second one, unless it is asked for."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

import fastgd as gd
from fastgd import comparison

PROBLEM = gd.problems.himmelblau()
STARTS = PROBLEM.sample(50, seed=0)
ADAM, FLOW, OTHER = gd.Adam(lr=0.05), gd.GradientFlow(rtol=1e-6), gd.GradientFlow(rtol=1e-7)


@pytest.mark.parametrize(
    ("optimizers", "more", "names", "reference"),
    [
        ([ADAM], {}, ["Adam", "GradientFlow"], "GradientFlow"),
        ([ADAM, FLOW], {}, ["Adam", "GradientFlow"], "GradientFlow"),
        ([FLOW, ADAM], {}, ["GradientFlow", "Adam"], "GradientFlow"),
        ({"mine": FLOW, "Adam": ADAM}, {}, ["mine", "Adam"], "mine"),
        ([FLOW], {}, ["GradientFlow"], "GradientFlow"),
        ([FLOW, OTHER], {}, ["GradientFlow 1", "GradientFlow 2"], "GradientFlow 1"),
        ([ADAM, FLOW], {"reference": FLOW}, ["Adam", "GradientFlow"], "GradientFlow"),
        ([ADAM, FLOW], {"reference": ADAM}, ["Adam", "GradientFlow"], "Adam"),
        ([ADAM, FLOW], {"reference": None}, ["Adam", "GradientFlow"], None),
        (
            [ADAM, FLOW], {"reference": OTHER}, ["Adam", "GradientFlow", "GradientFlow (reference)"],
            "GradientFlow (reference)",
        ),
    ],
)  # fmt: skip
def test_which_flow_is_the_reference(optimizers: Any, more: Any, names: list[str], reference: str | None) -> None:
    with mock.patch.object(comparison, "minimize", wraps=comparison.minimize) as runs:
        found = gd.compare(PROBLEM, STARTS, optimizers, **more)
    assert [each.name for each in found.all] == names
    assert (found.reference and found.reference.name) == reference
    assert runs.call_count == 2 * len(names)  # the look at the arguments, and the runs
    assert len(str(found).splitlines()) == 2 + len(names)
    if reference is not None:
        assert found.reference.row()["elsewhere"] == 0.0
        assert f"elsewhere: than {reference}" in str(found)
        assert found.to_dict()["reference"] == reference


def test_a_picture_has_one_map_of_the_flow() -> None:
    found = gd.compare(PROBLEM, PROBLEM.grid(8), [ADAM, FLOW])
    _, axes = gd.plot.compare(found)
    titles = [ax.get_title().partition("\n")[0] for ax in axes]
    assert titles.count("GradientFlow") == 1
    assert titles.count("Adam") == 1
