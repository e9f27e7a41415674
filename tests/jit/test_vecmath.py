import math

import mpmath
import numpy as np
import pytest
from lanes import assert_same_bits, compiled, run, ulps

from fastgd.jit import vecmath

FLOATS = [np.float64, np.float32]
# spellings in `math` and `np`, mpmath's name, ordinary range
FUNCTIONS = [
    ("math.sin", "np.sin", "sin", -100, 100),
    ("math.cos", "np.cos", "cos", -100, 100),
    ("math.tan", "np.tan", "tan", -100, 100),
    ("math.asin", "np.arcsin", "asin", -1, 1),
    ("math.acos", "np.arccos", "acos", -1, 1),
    ("math.atan", "np.arctan", "atan", -50, 50),
    ("math.sinh", "np.sinh", "sinh", -20, 20),
    ("math.cosh", "np.cosh", "cosh", -20, 20),
    ("math.tanh", "np.tanh", "tanh", -10, 10),
    ("math.asinh", "np.arcsinh", "asinh", -1e3, 1e3),
    ("math.acosh", "np.arccosh", "acosh", 1, 1e3),
    ("math.atanh", "np.arctanh", "atanh", -1, 1),
    ("math.exp", "np.exp", "exp", -80, 80),
    ("math.expm1", "np.expm1", "expm1", -20, 20),
    ("np.exp2", "np.exp2", "exp2", -100, 100),
    ("math.log", "np.log", "log", 0, 1e3),
    ("math.log1p", "np.log1p", "log1p", -1, 1e3),
    ("math.log2", "np.log2", "log2", 0, 1e3),
    ("math.log10", "np.log10", "log10", 0, 1e3),
    ("np.cbrt", "np.cbrt", "cbrt", -1e3, 1e3),
    ("math.erf", "math.erf", "erf", -5, 5),
    ("math.erfc", "math.erfc", "erfc", -5, 8),
    ("math.gamma", "math.gamma", "gamma", 0.1, 30),
    ("math.lgamma", "math.lgamma", "loggamma", 3, 100),
    ("math.sqrt", "np.sqrt", "sqrt", 0, 1e3),
]
PAIRS = [
    ("math.pow", "np.power", "pow", 0.01, 10),
    ("math.atan2", "np.arctan2", "atan2", -10, 10),
    ("math.hypot", "np.hypot", "hypot", -100, 100),
]
EXACT = {
    "exp2": lambda u: mpmath.mpf(2) ** u,
    "log2": lambda u: mpmath.log(u) / mpmath.log(2),
    "cbrt": lambda u: mpmath.sign(u) * abs(u) ** (mpmath.mpf(1) / 3),
    "log10": mpmath.log10,
    "pow": lambda u, v: u**v,
}
SINGLE, DOUBLE = [row[2] for row in FUNCTIONS], [row[2] for row in PAIRS]
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 1e300, -1e300, 5e-324, 2.0, -2.5]


def written(name, lines):
    """A function ``name(x, out)`` of these lines."""
    scope = {"math": math, "np": np}
    source = f"def {name}(x, out):\n" + "\n".join(f"    out[{k}] = {line}" for k, line in enumerate(lines))
    exec(source, scope)
    return scope[name]


singles = written("singles", [f"{row[0]}(x[{k}])" for k, row in enumerate(FUNCTIONS)])
singles_of_numpy = written("singles_of_numpy", [f"{row[1]}(x[{k}])" for k, row in enumerate(FUNCTIONS)])
doubles = written("doubles", [f"{row[0]}(x[0], x[1])" for row in PAIRS])
doubles_of_numpy = written("doubles_of_numpy", [f"{row[1]}(x[0], x[1])" for row in PAIRS])


def points(dtype, count=120):
    """A column of numbers for each function: some tiny, most of them spread over the ordinary range."""
    rng = np.random.default_rng(7)
    columns = []
    for *_, low, high in FUNCTIONS:
        drawn = rng.uniform(low, high, count)
        tiny = rng.uniform(-1, 1, 20) * 10.0 ** -rng.integers(0, 12, 20)
        drawn[:20] = np.clip(1 + tiny if low > 0 else np.abs(tiny) if low == 0 else tiny, low, high)
        # strictly inside, where the ends are poles or branch points
        columns.append(np.clip(drawn, np.nextafter(dtype(low), dtype(high)), np.nextafter(dtype(high), dtype(low))))
    return np.array(columns, dtype=dtype)


def two_columns(dtype, count=120):
    rng = np.random.default_rng(9)
    return np.array([rng.uniform(0.01, 10, count), rng.uniform(-10, 10, count)], dtype=dtype)


def exactly(name, *columns):
    function = EXACT.get(name) or getattr(mpmath, name)
    with mpmath.workdps(50):
        return [function(*map(mpmath.mpf, row)) for row in zip(*(c.tolist() for c in columns), strict=True)]


def worst(found, name, *columns):
    with mpmath.workdps(50):
        return ulps(found, exactly(name, *columns)).max()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("spelling", "width"), [(singles, 32), (singles_of_numpy, 16)])
def test_functions_are_within_four_units_in_the_last_place(spelling, width, dtype):
    columns = points(dtype)
    found = run(spelling, columns, len(SINGLE), width, dtype)
    errors = {name: worst(found[k], name, columns[k]) for k, name in enumerate(SINGLE)}
    assert {name: error for name, error in errors.items() if error >= 4} == {}
    assert errors["sqrt"] <= 0.5


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spelling", [doubles, doubles_of_numpy])
def test_functions_of_two_are_within_four_units_in_the_last_place(spelling, dtype):
    columns = two_columns(dtype)
    found = run(spelling, columns, len(DOUBLE), 32, dtype)
    errors = {name: worst(found[k], name, *columns) for k, name in enumerate(DOUBLE)}
    assert {name: error for name, error in errors.items() if error >= 4} == {}


def mixed(x, out, n, v):
    out[0] = math.pow(x[0], n)
    out[1] = math.pow(2, x[1])
    out[2] = math.atan2(v, x[1])
    out[3] = np.arctan2(x[1], 1)
    out[4] = math.hypot(x[1], 3)
    out[5] = np.power(v, x[1])
    out[6] = math.copysign(x[0], x[1])
    out[7] = math.copysign(2, x[1])
    out[8] = np.copysign(x[1], -1.0)


@pytest.mark.parametrize("width", [1, 8])
def test_either_argument_may_be_a_number(width):
    a, b = two_columns(np.float64)
    found = run(mixed, [a, b], 9, width, extra=(3, 0.75))
    expected = [
        a**3, 2**b, np.arctan2(0.75, b), np.arctan2(b, 1), np.hypot(b, 3), 0.75**b, np.copysign(a, b),
        np.copysign(2, b), -np.abs(b),
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def to_bases(x, out, n, v):
    out[0] = math.log(x[0], 3.0)
    out[1] = math.log(x[0], 2)
    out[2] = math.log(10, x[1])
    out[3] = math.log(x[0], v)
    out[4] = math.log(x[0], x[1])
    out[5] = math.log(n, v) * x[0]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [1, 16])
def test_logarithms_to_a_base(width, dtype):
    """Two logarithms and a division, each within a few units in the last place."""
    u, b = two_columns(dtype)[0], np.linspace(1.5, 4.0, 120).astype(dtype)
    found = run(to_bases, [u, b], 6, width, dtype, extra=(3, 0.75))
    with mpmath.workdps(50):
        log_u, log_b = (np.array([mpmath.log(float(w)) for w in column], object) for column in (u, b))
        exact = [
            log_u / mpmath.log(3), log_u / mpmath.log(2), mpmath.log(10) / log_b, log_u / mpmath.log(0.75),
            log_u / log_b, mpmath.log(3) / mpmath.log(0.75) * u.astype(object),
        ]  # fmt: skip
    np.testing.assert_allclose(found, np.array(exact, dtype=float), rtol=40 * np.finfo(dtype).eps)


@pytest.mark.skipif(not hasattr(math, "cbrt"), reason="math.cbrt came with Python 3.11")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [1, 16])
def test_the_cube_root_of_math(width, dtype):
    def roots(x, out):
        out[0] = math.cbrt(x[0])
        out[1] = math.cbrt(27) * x[0]

    u = two_columns(dtype)[1]
    found = run(roots, [u], 2, width, dtype)
    assert worst(found[0], "cbrt", u) < 4
    assert_same_bits(found[1], dtype(3) * u)


def plain(x, out):
    a = x[0]
    out[0] = math.fabs(a)
    out[1] = np.abs(a)
    out[2] = np.fabs(a)
    out[3] = np.floor(a)
    out[4] = np.ceil(a)
    out[5] = np.sign(a)
    out[6] = np.square(a)
    out[7] = abs(a)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [8, 32])
def test_functions_without_rounding_are_numpys(width, dtype):
    a = np.array([*SPECIAL[:7], 2.5, -2.5, 0.3, -0.3, 1e6 + 0.5, -7.0], dtype=dtype)
    found = run(plain, [a], 8, width, dtype)
    size = np.abs(a)
    expected = np.array([size, size, size, np.floor(a), np.ceil(a), np.sign(a), a * a, size])
    np.testing.assert_array_equal(found, expected)


def outcome(function, *values):
    """What `math` gives, in the terms of IEEE 754 where it raises instead."""
    try:
        return function(*values)
    except ValueError:
        return None  # a pole or an invalid argument
    except OverflowError:
        return math.inf


@pytest.mark.parametrize("width", [8, 32])
def test_special_values_are_those_of_ieee(width):
    values = np.array(SPECIAL)
    found = run(singles, np.tile(values, (len(SINGLE), 1)), len(SINGLE), width)
    for k, name in enumerate(SINGLE):
        numpys = FUNCTIONS[k][1]
        with np.errstate(all="ignore"):
            if numpys.startswith("np."):
                expected = getattr(np, numpys[3:])(values)
            else:
                python = getattr(math, numpys[5:])
                expected = np.array([math.nan if (u := outcome(python, v)) is None else u for v in SPECIAL])
                valid = np.array([outcome(python, v) is not None for v in SPECIAL])
                # at a pole Python raises and C gives an infinity or NaN
                assert not np.isfinite(found[k][~valid]).any()
                found[k][~valid] = math.nan
        assert_special(found[k], expected, name)


def assert_special(found, expected, name):
    ordinary = np.isfinite(expected) & (expected != 0)
    np.testing.assert_array_equal(found[~ordinary], expected[~ordinary], err_msg=name)
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(expected[zeros]), err_msg=name)
    np.testing.assert_allclose(found[ordinary], expected[ordinary], rtol=1e-15, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("width", [8, 32])
def test_special_values_of_functions_of_two(width):
    a, b = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
    found = run(doubles_of_numpy, [a, b], len(DOUBLE), width)
    with np.errstate(all="ignore"):
        expected = [np.power(a, b), np.arctan2(a, b), np.hypot(a, b)]
    for row, true, name in zip(found, expected, DOUBLE, strict=True):
        assert_special(row, true, name)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sines_of_huge_arguments(dtype):
    largest = float(np.finfo(dtype).max)
    powers = np.geomspace(1e3, largest / 2, 60)
    columns = np.tile(np.concatenate([powers, -powers]).astype(dtype), (len(SINGLE), 1))
    found = run(singles, columns, len(SINGLE), 32, dtype)
    with mpmath.workdps(400):
        for k, name in enumerate(SINGLE[:3]):
            exact = [getattr(mpmath, name)(mpmath.mpf(u)) for u in columns[k].tolist()]
            assert ulps(found[k], exact).max() < 4, name


@pytest.fixture
def without_library(monkeypatch):
    """The vector library out of reach, and kernels compiled for this test alone."""
    monkeypatch.setattr(vecmath, "vector_symbol", lambda name, arguments, bits: None)
    compiled.cache_clear()
    yield
    compiled.cache_clear()


@pytest.mark.parametrize("dtype", FLOATS)
def test_without_the_library_each_lane_is_the_scalar_function(without_library, dtype):
    with np.errstate(over="ignore"):
        special = np.array(SPECIAL).astype(dtype)
    columns = np.hstack([points(dtype), np.tile(special, (len(SINGLE), 1))])
    assert_same_bits(run(singles, columns, len(SINGLE), 16, dtype), run(singles, columns, len(SINGLE), 1, dtype))
    columns = two_columns(dtype)
    lanes, scalars = (run(doubles, columns, len(DOUBLE), width, dtype) for width in (16, 1))
    assert_same_bits(lanes, scalars)


def test_a_width_that_the_library_does_not_fit_is_taken_by_lanes(monkeypatch):
    monkeypatch.setattr(vecmath, "vector_symbol", lambda name, arguments, bits: ("never_called", 64))
    compiled.cache_clear()
    columns = points(np.float64, 40)
    assert_same_bits(run(singles, columns, len(SINGLE), 8), run(singles, columns, len(SINGLE), 1))
    compiled.cache_clear()


def test_what_is_told_of_the_library_is_so():
    found = vecmath.vector_functions()
    assert set(found) <= set(vecmath.FUNCTIONS)
    if vecmath.vector_library() is None:
        assert found == []
    else:
        assert {"sin", "cos", "exp", "log", "pow"} <= set(found)  # in glibc since 2.22
    letter, bits = vecmath.piece()
    assert (letter, bits) in {("e", 512), ("d", 256), ("b", 128), ("n", 128)}
