"""How far two labellings of the same starts agree."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastgd as gd

HIMMELBLAU = gd.problems.himmelblau()


STARTS = HIMMELBLAU.sample(400, seed=9)


@pytest.fixture(scope="module")
def flow() -> gd.Basins:
    return gd.find_basins(gd.minimize(HIMMELBLAU, STARTS, gd.GradientFlow()))


@pytest.fixture(scope="module")
def adam() -> gd.Basins:
    return gd.find_basins(gd.minimize(HIMMELBLAU, STARTS, gd.Adam(lr=0.05)))


def test_plain_labels_by_hand() -> None:
    reference = np.array([[0, 0, 0, 1], [1, 1, -1, -2]])
    labels = np.array([[0, 0, 1, 1], [-1, -2, 0, -2]])
    found = gd.basin_agreement(labels, reference)
    assert found.elsewhere.tolist() == [[False, False, True, False], [True, True, False, False]]
    assert found.share == 0.5
    assert found.agreement == 0.5
    np.testing.assert_array_equal(found.interval, gd.wilson(3, 6))
    # rows: the reference's 0, 1, diverged, not settled; columns: the same of the other side
    assert found.confusion.tolist() == [[2, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert found.confusion[-2, -2] == 1
    assert found.x is None


@given(
    hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(-2, 5)).flatmap(
        lambda a: st.tuples(st.just(a), hnp.arrays(np.int64, a.shape, elements=st.integers(-2, 5)))
    )
)
def test_the_counts_add_up(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, labels = pair
    found = gd.basin_agreement(labels, reference)
    confusion = found.confusion
    assert confusion.sum() == labels.size
    for k in range(-2, found.attractors):
        assert confusion[k].sum() == np.sum(reference == k)
        assert confusion[:, k].sum() == np.sum(labels == k)
    decided = np.sum(reference >= 0)
    same = np.trace(confusion[: found.attractors, : found.attractors])
    if decided:
        assert found.share == pytest.approx(1 - same / decided)
        assert found.interval[0] <= found.share <= found.interval[1]
    else:
        assert np.isnan(found.share)


def test_a_side_agrees_with_itself(flow: gd.Basins) -> None:
    found = gd.basin_agreement(flow, flow)
    assert found.share == 0.0
    assert not found.elsewhere.any()
    np.testing.assert_array_equal(found.x, flow.x)
    np.testing.assert_array_equal(np.diag(found.confusion)[:4], flow.counts)


def test_attractors_are_matched_by_position(flow: gd.Basins, adam: gd.Basins) -> None:
    """In another order, slightly displaced, one missing and one that only the optimizer knows."""
    order = np.array([2, 0, 3, 1])
    labels = np.argsort(order)[adam.labels]
    points = adam.x[order] + 0.4 * adam.tol
    shuffled = dataclasses.replace(adam, x=points, labels=labels, radius=adam.radius[order])
    plain, found = gd.basin_agreement(adam, flow), gd.basin_agreement(shuffled, flow)
    np.testing.assert_array_equal(found.elsewhere, plain.elsewhere)
    np.testing.assert_array_equal(found.confusion, plain.confusion)

    points[0] = [50.0, 50.0]  # what was attractor 2 of the flow
    moved = gd.basin_agreement(dataclasses.replace(shuffled, x=points), flow)
    assert moved.attractors == 5
    np.testing.assert_array_equal(moved.x[4], [50.0, 50.0])
    assert moved.confusion[2, 2] == 0
    assert moved.confusion[2, 4] == plain.confusion[2, 2]
    assert moved.share > plain.share


def test_one_attractor_beside_runs_that_diverge() -> None:
    """Labels -1 and -2 are no places among the attractors, of which there is one here."""
    bowl = gd.problems.quadratic(dim=1)
    result = gd.compare(bowl, [[1.0], [2.0], [1e9]], [gd.GradientDescent(lr=0.5)], bound=1e8)
    assert result[0].result.status.tolist() == [0, 0, 3]
    assert result[0].found.tolist() == [True, True, False]
    assert result[0].agreement is not None
    assert result[0].agreement.labels.tolist() == [0, 0, -2]


def test_the_nearest_pairs_come_first(flow: gd.Basins) -> None:
    """Two of our attractors lie within reach of one of the reference: the nearer one is the same, the other is new."""
    tol, at = flow.tol, flow.x[0]
    points = np.stack([at + 0.9 * tol, at + 0.1 * tol])
    ours = dataclasses.replace(
        flow, x=points, labels=flow.labels % 2, radius=np.ones(2), fun=np.zeros(2), counts=np.zeros(2, int)
    )
    found = gd.basin_agreement(ours, flow)
    assert set(found.labels[ours.labels == 1].tolist()) == {0}
    assert set(found.labels[ours.labels == 0].tolist()) == {4}


def ring_value(x):
    rest = x[0] * x[0] + x[1] * x[1] - 1.0
    return rest * rest


def ring_gradient(x, out):
    rest = 4.0 * (x[0] * x[0] + x[1] * x[1] - 1.0)
    out[0] = rest * x[0]
    out[1] = rest * x[1]


def test_curves_of_minima_are_matched_along_their_length() -> None:
    """The circle x² + y² = 1: each side shows another point of it as the representative."""
    ring = gd.Problem(ring_value, ring_gradient, dim=2, bounds=(-2, 2), name="ring")
    starts = ring.sample(4000, seed=0)
    one = gd.find_basins(gd.minimize(ring, starts, gd.GradientFlow(), gtol=1e-8), tol=0.02)
    other = gd.find_basins(gd.minimize(ring, starts, gd.GradientDescent(lr=0.05), gtol=1e-8), tol=0.02)
    assert len(one) == len(other) == 1
    assert gd.basin_agreement(other, one).share == 0.0


def test_it_prints_the_matrix(flow: gd.Basins, adam: gd.Basins) -> None:
    found = gd.basin_agreement(adam, flow)
    lines = str(found).splitlines()
    assert "of 400 starts go elsewhere (95 % interval" in lines[0]
    assert len(lines) == 6
    assert "(3.0000, 2.0000)" in lines[4]
    assert json.loads(json.dumps(found.to_dict()))["share"] == found.share
    many = gd.basin_agreement(np.arange(50), np.arange(50))
    assert str(many).splitlines() == ["0.00% of 50 starts go elsewhere (95 % interval 0.00 - 7.13 %); 50 attractors"]


@pytest.mark.parametrize(
    ("labels", "reference", "kind", "words"),
    [
        ([0, 1], [0, 1, 2], ValueError, ["same starts", "(2,)", "(3,)"]),
        ([0.5], [0], TypeError, ["labels must be Basins", "integer labels"]),
        ([0], "a", TypeError, ["reference must be Basins", "str"]),
        ([-3], [0], ValueError, ["labels >= -2", "-3"]),
    ],
)
def test_bad_labels(labels: Any, reference: Any, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind, match=r".") as caught:
        gd.basin_agreement(labels, reference)
    for word in words:
        assert word in str(caught.value)


def test_basins_on_one_side_only(flow: gd.Basins) -> None:
    with pytest.raises(TypeError, match="must both be Basins"):
        gd.basin_agreement(flow.labels, flow)
    other = gd.find_basins(gd.minimize(gd.problems.quadratic(dim=3), np.zeros((400, 3)), gd.GradientFlow()))
    with pytest.raises(ValueError, match="3 and 2 dimensions"):
        gd.basin_agreement(other, flow)
