"""Permutations without memory: bijections, all of them equally likely."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fastgd.jit.options import kernel
from fastgd.sampling import shuffled
from fastgd.sampling.philox import philox, stream_key
from fastgd.sampling.shuffle import ODD, PRIME, STRIDE, rounds_for, shuffle


def swap_or_not(n: int, seed: int, epoch: int) -> list[int]:
    """From the description in the paper, one round after the other over the whole list."""
    keys = list(philox.py_func(epoch % 2**32, epoch // 2**32, 0, 1, *stream_key.py_func(seed)))
    places = list(range(n))
    for _ in range(rounds_for(n)):
        pivot = keys[0] * n // 2**32
        moved = []
        for x in places:
            partner = (pivot - x) % n
            word = (max(x, partner) + keys[1]) * ODD % 2**32
            word = (word ^ word // 2**15) * PRIME % 2**32
            moved.append(partner if word >= 2**31 else x)
        places = moved
        keys = [*keys[1:], ((keys[0] ^ keys[0] // 2**15) * ODD + STRIDE) % 2**32]
    return places


@given(st.integers(1, 300), st.integers(0, 2**63 - 1), st.integers(0, 2**40))
def test_it_is_the_papers_permutation(n, seed, epoch):
    found = shuffled(n, seed, epoch)
    assert found == swap_or_not(n, seed, epoch)
    assert sorted(found) == list(range(n))


@pytest.mark.parametrize("n", [1797, 60_000])
def test_large_permutations_visit_everything(n):
    assert sorted(shuffled(n, 3, 5)) == list(range(n))


@kernel
def fill(out, n, rounds, first):
    for k in range(len(out)):
        for i in range(out.shape[1]):
            out[k, i] = i
        shuffle(out[k], out.shape[1], n, rounds, first + k, 0)


def many(count: int, n: int, places: int, first: int = 0) -> np.ndarray:
    """The first `places` of the permutations of successive seeds."""
    out = np.empty((count, places), np.int64)
    fill(out, n, rounds_for(n), first)
    return out


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7])
def test_every_permutation_is_equally_likely(n):
    found = many(200_000, n, n) @ n ** np.arange(n)
    codes = [sum(p * n**i for i, p in enumerate(order)) for order in itertools.permutations(range(n))]
    counts = (
        np.array([np.count_nonzero(found == code) for code in codes])
        if n < 6
        else np.unique(found, return_counts=True)[1]
    )
    assert len(counts) == math.factorial(n)
    assert stats.chisquare(counts).pvalue > 1e-5


@pytest.mark.parametrize("n", [30, 100])
def test_every_pair_of_neighbours_is_equally_likely(n):
    found = many(2_000_000, n, 2)
    counts = np.bincount(found[:, 0] * n + found[:, 1], minlength=n * n).reshape(n, n)
    assert np.all(np.diag(counts) == 0)
    assert stats.chisquare(counts[~np.eye(n, dtype=bool)]).pvalue > 1e-5
    distance = np.abs(found[:, 0] - found[:, 1])
    expected = 2 * (n - np.arange(1, n)) / (n * (n - 1)) * len(found)
    assert stats.chisquare(np.bincount(distance, minlength=n)[1:], expected).pvalue > 1e-5


def test_large_permutations_look_random():
    n = 1797
    found = many(3_000, n, n, first=10**9)
    fixed = (found == np.arange(n)).sum(axis=1)  # fixed points: nearly Poisson with mean 1
    seen = np.bincount(np.minimum(fixed, 5), minlength=6)
    expected = stats.poisson.pmf(np.arange(5), 1)
    assert stats.chisquare(seen, len(found) * np.append(expected, 1 - expected.sum())).pvalue > 1e-5
    rises = (np.diff(found) > 0).sum(axis=1)  # mean (n-1)/2, variance (n+1)/12
    assert abs(rises.mean() - (n - 1) / 2) < 5 * math.sqrt((n + 1) / 12 / len(found))
    assert abs(rises.var() / ((n + 1) / 12) - 1) < 5 * math.sqrt(2 / len(found))
