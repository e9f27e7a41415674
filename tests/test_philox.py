"""Philox's known answers on every target, and what is made of its words."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent / "jit"))
from lanes import run

import fastgd as gd
from fastgd.jit.options import kernel
from fastgd.sampling.philox import below, normals, philox, stream_key, unit

# Random123's known-answer file kat_vectors, philox4x32 with 10 rounds: counter, key, output
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]  # fmt: skip
WIDTHS = [1, 8, 32]


def words(x, out):
    out[0], out[1], out[2], out[3] = philox(x[0], x[1], x[2], x[3], x[4], x[5])


@pytest.mark.parametrize("width", WIDTHS)
def test_known_answers(width):
    columns = np.array([[*counter, *key] for counter, key, _ in KNOWN]).T
    np.testing.assert_array_equal(run(words, columns, 4, width, np.int64).T, [answer for *_, answer in KNOWN])


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers_in_plain_python(counter, key, answer):
    assert philox.py_func(*counter, *key) == answer


@given(st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6))
def test_every_target_gives_the_same_words(drawn):
    expected = philox.py_func(*drawn)
    for width in WIDTHS:
        assert tuple(run(words, np.array(drawn)[:, None], 4, width, np.int64)[:, 0]) == expected


def keys(x, out):
    out[0], out[1] = stream_key(x[0])


@given(st.integers(0, 2**63 - 1))
def test_a_seed_is_a_key_of_two_words(seed):
    for width in WIDTHS:
        low, high = run(keys, [[seed]], 2, width, np.int64)[:, 0].tolist()
        assert low + 2**32 * high == seed
        assert 0 <= low < 2**32


def numbers_of_words(x, out):
    out[0] = unit(x[0])
    out[1] = below(x[0], 7)
    out[2], out[3], out[4], out[5] = normals(x[0], x[1], x[2], x[3])


def as_floats(columns, width):
    """`numbers_of_words` of whole numbers, as floats."""
    from fastgd.jit.options import inlined
    from fastgd.jit.rows import row_view
    from fastgd.jit.targets import aligned

    words_of, out_of, body = row_view(width, 4), row_view(width, 6), inlined(numbers_of_words)

    @kernel
    def once(given, out):
        body(words_of(given, 0), out_of(out, 0))

    given, out = aligned((1, 4, width), np.int64), aligned((1, 6, width), np.float64)
    given[0] = np.resize(columns, (4, width))
    once(given, out)
    return given[0], out[0]


@pytest.mark.parametrize("width", [1, 32])
def test_normals_are_box_and_mullers_within_a_few_units_in_the_last_place(width):
    extremes = [0, 2**32 - 1, 1, 2**31, 2**30, 12345, 4000000000, 77]
    drawn = np.random.default_rng(5).integers(0, 2**32, (4, width))
    if width > 1:
        drawn[0, :8], drawn[2, :8] = extremes, extremes[::-1]
        drawn[1, :8], drawn[3, :8] = extremes[::-1], extremes
    given, out = as_floats(drawn, width)
    with mpmath.workdps(50):
        for lane in range(width):
            w = [mpmath.mpf(int(v)) + mpmath.mpf("0.5") for v in given[:, lane]]
            u = [v / 2**32 for v in w]
            a, c = mpmath.sqrt(-2 * mpmath.log(u[0])), mpmath.sqrt(-2 * mpmath.log(u[2]))
            exact = [
                a * mpmath.cos(2 * mpmath.pi * u[1]), a * mpmath.sin(2 * mpmath.pi * u[1]),
                c * mpmath.cos(2 * mpmath.pi * u[3]), c * mpmath.sin(2 * mpmath.pi * u[3]),
            ]  # fmt: skip
            scale = float(max(a, c, 1))
            assert max(abs(float(z - v)) for z, v in zip(out[2:, lane], exact, strict=True)) < 4e-15 * scale
            assert out[0, lane] == float(u[0])
            assert out[1, lane] == int(given[0, lane]) * 7 // 2**32
    assert np.all(np.isfinite(out))


def test_no_normal_number_is_infinite():
    assert math.sqrt(-2 * math.log(0.5 * 2.0**-32)) < 6.8


@kernel
def fill_words(out, first, seed, purpose):
    """Philox's words of successive counters under one key."""
    for i in range(len(out) // 4):
        k0, k1 = stream_key(seed)
        count = first + i
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = philox(
            count & 0xFFFFFFFF, count >> 32, 0, purpose, k0, k1
        )


@kernel
def fill_first_words(out, first, step):
    """The first word of successive seeds, at one step."""
    for i in range(len(out)):
        k0, k1 = stream_key(first + i)
        out[i] = philox(0, step, 0, 0, k0, k1)[0]


@kernel
def fill_normals(out, seed):
    for i in range(len(out) // 4):
        k0, k1 = stream_key(seed)
        w = philox(i, 0, 0, 2, k0, k1)
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = normals(w[0], w[1], w[2], w[3])


def stream(count: int, seed: int = 12, first: int = 0) -> np.ndarray:
    out = np.empty(count, np.int64)
    fill_words(out, first, seed, 0)
    return out.astype(np.uint32)


def across_seeds(count: int, first: int = 1000, step: int = 3) -> np.ndarray:
    out = np.empty(count, np.int64)
    fill_first_words(out, first, step)
    return out.astype(np.uint32)


def p_values(words: np.ndarray) -> dict[str, float]:
    """A battery after Knuth's, TestU01's and the Diehard tests; each p-value is uniform for random words."""
    n = len(words)
    found = {}
    ones = int(np.bitwise_count(words).sum(dtype=np.int64))
    found["frequency of ones"] = 2 * stats.norm.sf(abs(ones - 16 * n) / math.sqrt(8 * n))
    flips = int(np.bitwise_count(words ^ ((words >> 1) | ((words & 1) << 31))).sum(dtype=np.int64))
    found["neighbouring bits"] = 2 * stats.norm.sf(abs(flips - 16 * n) / math.sqrt(8 * n))
    halves = words.view(np.uint16)
    found["16-bit values"] = stats.chisquare(np.bincount(halves, minlength=65536)).pvalue
    top = (words >> 24).astype(np.int64)
    found["successive high bytes"] = stats.chisquare(np.bincount(256 * top[:-1:2] + top[1::2], minlength=65536)).pvalue
    low = (words & 255).astype(np.int64)
    found["successive low bytes"] = stats.chisquare(np.bincount(256 * low[:-1:2] + low[1::2], minlength=65536)).pvalue
    u = words * 2.0**-32 - 0.5
    for lag in (1, 2, 4, 64):
        z = float(u[:-lag] @ u[lag:]) * 12 / math.sqrt(n - lag)
        found[f"correlation at lag {lag}"] = 2 * stats.norm.sf(abs(z))
    quads = u[: n // 4 * 4].reshape(-1, 4)
    ranks = np.argsort(quads, axis=1) @ np.array([64, 16, 4, 1])
    _, counts = np.unique(ranks, return_counts=True)
    found["orders of four"] = stats.chisquare(counts).pvalue if len(counts) == 24 else 0.0
    largest = np.max(u[: n // 8 * 8].reshape(-1, 8), axis=1) + 0.5
    found["largest of eight"] = stats.kstest(largest[:200_000] ** 8, "uniform").pvalue
    below_half = u < 0
    runs = 1 + int(np.count_nonzero(below_half[1:] != below_half[:-1]))
    found["runs"] = 2 * stats.norm.sf(abs(runs - (n + 1) / 2) / math.sqrt(n / 4))
    found["birthday spacings"] = birthday_spacings(words)
    found["rank of 32 x 32 bits"] = binary_ranks(words[: 32 * 4000])
    return found


def birthday_spacings(words: np.ndarray) -> float:
    """Marsaglia's: equal spacings among 4,096 birthdays in a year of 2³² days; 2⁻³⁴ 4096³ / ... = 4 are expected."""
    groups = words[: len(words) // 4096 * 4096].reshape(-1, 4096)[:2000]
    spacings = np.sort(np.diff(np.sort(groups.astype(np.int64), axis=1), axis=1), axis=1)
    equal = int(np.count_nonzero(np.diff(spacings, axis=1) == 0))
    mean = len(groups) * 4096**3 / (4 * 2**32)
    return min(1.0, 2 * min(stats.poisson.cdf(equal, mean), stats.poisson.sf(equal - 1, mean)))


def binary_ranks(words: np.ndarray) -> float:
    """Marsaglia's: the ranks of matrices over GF(2), whose distribution is known."""
    rows = words.reshape(-1, 32).astype(np.int64)
    rank = np.zeros(len(rows), int)
    for bit in range(32):
        pivot = ((rows >> bit) & 1).astype(bool)
        place = pivot.argmax(axis=1)
        has = pivot[np.arange(len(rows)), place]
        chosen = np.where(has, rows[np.arange(len(rows)), place], 0)
        rows = np.where(pivot & has[:, None], rows ^ chosen[:, None], rows)
        rank += has
    full = math.prod(1 - 2.0**-k for k in range(1, 33))
    one_less = full * 2 * (1 - 2.0**-32)
    seen = [np.count_nonzero(rank == 32), np.count_nonzero(rank == 31), np.count_nonzero(rank < 31)]
    return stats.chisquare(seen, np.array([full, one_less, 1 - full - one_less]) * len(rank)).pvalue


@pytest.mark.parametrize("make", [stream, across_seeds])
def test_words_pass_a_battery(make):
    """Along one stream, and from one run's stream to the next."""
    found = p_values(make(1 << 20))
    assert min(found.values()) > 1e-5, found


def test_the_battery_sees_a_poor_generator():
    state, poor = 1, []
    for _ in range(1 << 16):
        state = (65539 * state) % 2**31  # RANDU, doi:10.1073/pnas.61.1.25
        poor.append(2 * state)
    assert min(p_values(np.array(poor, np.uint32)).values()) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("make", [stream, across_seeds])
def test_a_thousand_million_bits_pass_a_battery(make):
    found = p_values(make(1 << 25))
    assert min(found.values()) > 1e-5, found


def test_normals_have_the_normal_distribution():
    z = np.empty(1 << 20)
    fill_normals(z, 99)
    assert stats.kstest(z, "norm").pvalue > 1e-4
    for k, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        error = np.std(z**k) / math.sqrt(len(z))
        assert abs(np.mean(z**k) - moment) < 5 * error
    pairs = z.reshape(-1, 4)
    assert np.abs(np.corrcoef(pairs.T) - np.eye(4)).max() < 5 / math.sqrt(len(pairs))
    assert np.abs(np.corrcoef(pairs.T**2) - np.eye(4)).max() < 5 / math.sqrt(len(pairs))


@given(st.integers(0, 2**63 - 1), st.integers(1, 200))
def test_seeds_begin_with_the_integer_itself_and_differ(seed, count):
    found = gd.seeds(seed, count)
    assert found[0] == seed
    assert len(set(found.tolist())) == count
    assert found.min() >= 0
    np.testing.assert_array_equal(gd.seeds(seed, (count, 1)).ravel(), found)


def test_seeds_of_neighbouring_integers_have_none_in_common():
    found = np.concatenate([gd.seeds(s, 10_000) for s in range(20)])
    assert len(np.unique(found)) == len(found)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", 2**63, True])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="seed must be an integer >= 0"):
        gd.seeds(seed, 3)


def test_seeds_are_made_of_one_integer():
    with pytest.raises(ValueError, match="one integer"):
        gd.seeds([1, 2], 2)
