import math
import os
import subprocess
import sys
import warnings

import numba
import numpy as np
import pytest

import fastgd as gd
from fastgd.jit import about, targets


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache folder of this test's own, and a process that has seen no kernel and given no warning."""
    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path))
    for name in ("KERNELS", "REFUSED", "WARNED"):
        monkeypatch.setattr(targets, name, type(getattr(targets, name))())
    return tmp_path


def forget():
    """As a new process would begin."""
    for remembered in (targets.KERNELS, targets.REFUSED, targets.WARNED):
        remembered.clear()


def huber(x):
    s = 0.0
    for i in range(len(x)):
        if abs(x[i] - i) < 1:
            s += 0.5 * (x[i] - i) ** 2
        else:
            s += abs(x[i] - i) - 0.5
    return s + math.exp(0.1 * x[0])


def huber_gradient(x, out):
    for i in range(len(x)):
        d = x[i] - i
        if abs(d) < 1:
            out[i] = d
        else:
            out[i] = 1.0 if d > 0 else -1.0
    out[0] += 0.1 * math.exp(0.1 * x[0])


def branching():
    return gd.Problem(huber, huber_gradient, dim=3, bounds=(-4, 6))


def descended(x, lr, momentum, gtol, max_steps):
    """One descent with momentum, by the interpreter: point, value, steps."""
    x, g, b = list(x), [0.0] * len(x), [0.0] * len(x)
    for t in range(max_steps + 1):
        huber_gradient(x, g)
        if max(map(abs, g)) <= gtol or t == max_steps:
            return x, huber(x), t
        b = [gi if t == 0 else momentum * bi + gi for gi, bi in zip(g, b, strict=True)]
        x = [xi - lr * bi for xi, bi in zip(x, b, strict=True)]
    raise AssertionError("unreachable")


def warnings_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return caught


def test_a_problem_that_branches_descends_as_in_python_and_warns_once():
    problem = branching()
    starts = problem.sample(41, seed=0)
    results = []

    def descents():
        optimizer = gd.Momentum(lr=0.1, momentum=0.5)
        results.append(gd.minimize(problem, starts, optimizer, gtol=1e-9, max_steps=400))
        gd.minimize(problem, starts, gd.Momentum(lr=0.2, momentum=0.5), max_steps=2)
        gd.minimize(problem, starts, gd.GradientDescent(lr=0.1), max_steps=2)
        problem.gradient(starts)

    caught = warnings_of(descents)
    (result,) = results
    assert result.success.all()
    for k, start in enumerate(starts):
        x, value, steps = descended(start.tolist(), 0.1, 0.5, 1e-9, 400)
        np.testing.assert_allclose(result.x[k], x, rtol=1e-12, atol=1e-12)
        assert result.fun[k] == pytest.approx(value, rel=1e-13)
        assert abs(result.nit[k] - steps) <= 1
    np.testing.assert_array_equal(problem.value(result.x), result.fun)

    assert [warning.category for warning in caught] == [UserWarning]
    assert caught[0].filename == __file__  # it points at the caller of `minimize`
    message = str(caught[0].message)
    assert message.startswith("huber: ")
    assert "they branch on x" in message
    assert os.path.basename(__file__) in message
    assert "fastgd.select(condition, yes, no)" in message
    forget()  # the next process knows the reason from the cache
    again = warnings_of(
        lambda: gd.minimize(problem, starts, gd.Momentum(lr=0.1, momentum=0.5), gtol=1e-9, max_steps=400)
    )
    assert [str(warning.message) for warning in again] == [message]


def test_select_takes_the_place_of_the_branch():
    def smooth(x):
        s = 0.0
        for i in range(len(x)):
            d = abs(x[i] - i)
            s += gd.select(d < 1, 0.5 * d**2, d - 0.5)
        return s + math.exp(0.1 * x[0])

    def smooth_gradient(x, out):
        for i in range(len(x)):
            d = x[i] - i
            out[i] = gd.select(abs(d) < 1, d, gd.select(d > 0, 1.0, -1.0))
        out[0] += 0.1 * math.exp(0.1 * x[0])

    problem, plain = gd.Problem(smooth, smooth_gradient, dim=3, bounds=(-4, 6)), branching()
    starts = problem.sample(41, seed=0)
    found = problem.value(starts), problem.gradient(starts)
    assert targets.REFUSED == {}
    np.testing.assert_allclose(found[0], plain.value(starts), rtol=1e-14)
    np.testing.assert_allclose(found[1], plain.gradient(starts), rtol=1e-14)
    assert len(targets.REFUSED) == 2


def test_a_refusal_is_met_once():
    attempts = []

    class Job:
        def __init__(self, width):
            self.width = width

        def compile(self):
            attempts.append(self.width)
            if self.width > 1:
                raise targets_error()

    def targets_error():
        return numba.errors.LoweringError("vectors of this kind")

    for _ in range(3):
        job = targets.lanes_or_scalar("some", "unnamed key", 8, Job, warn=False)
        assert job.width == 1
    assert attempts == [8, 1, 1, 1]
    with pytest.warns(UserWarning, match="some: .*vectors of this kind"):
        targets.lanes_or_scalar("some", "unnamed key", 8, Job, warn=True)


def ramp(x, out):
    out[0] = 1.0


def catches(x):
    try:
        return x[0]
    except ValueError:
        return 0.0


TABLE = {"a": 1.0}


def looks_up(x):
    return TABLE["a"] * x[0]


def squares(x):
    return sum(v * v for v in x)


def generates(x):  # a generator in `fun` itself is met before
    return squares(x)


def imports(x):
    import math as mathematics

    return mathematics.sin(x[0])


def unknown_function(x):
    return math.dist([x[0]], [1.0])


def keywords(x):
    def inner(**names):
        return names["a"]

    return inner(a=x[0])


def recursive(x):
    def inner(n):
        return x[0] if n < 1 else inner(n - 1)

    return inner(2)


UNCOMPILABLE = [catches, looks_up, generates, imports, unknown_function, keywords, recursive]
WAYS_OUT = {
    looks_up: "lists, dictionaries and sets from around the functions cannot be, as 'TABLE' is: put the numbers into",
    generates: r"'squares' is a plain function: put @numba\.njit above its def",
    imports: "they cannot import anything: put their imports at the top of the file",
    unknown_function: r"math\.dist cannot be compiled, or not for these arguments: write math\.sqrt of a sum",
}


@pytest.mark.parametrize("fun", UNCOMPILABLE)
def test_what_numba_cannot_compile_is_a_type_error(fun):
    problem = gd.Problem(fun, ramp, dim=1)
    use = WAYS_OUT.get(fun, r"they may use .*: write x\[i\] and loops over range\(len\(x\)\)")
    expected = rf"{fun.__name__}: numba cannot compile the problem's functions; {use}.*\w"
    with pytest.raises(TypeError, match=expected) as caught:
        problem.value([0.5])
    assert len(str(caught.value)) < 450
    assert "During" not in str(caught.value)


def test_a_descent_of_what_numba_cannot_compile_names_the_problem():
    problem = gd.Problem(looks_up, ramp, dim=1, name="my problem")
    with pytest.raises(TypeError, match=r"my problem: numba cannot compile .*'TABLE'"):
        gd.minimize(problem, [[0.5]], gd.GradientDescent(lr=0.1), max_steps=2)


def of_arrays(x):
    return np.sum(np.array([x[0], x[1]]) ** 2)


def chooses(x):
    return x[0] if x[0] > x[1] and x[1] > 0 else x[1]


def halves(x):
    s = x[0]
    while s > 1:
        s = s / 2
    return s + x[1]


def remainder(x):
    return x[0] % 2.0 + x[1] // 2.0


def true_power(x):
    return x[0] ** True + x[1]


@pytest.mark.parametrize("fun", [of_arrays, chooses, halves, remainder, true_power])
def test_what_lanes_cannot_take_runs_as_scalars(fun):
    def grad(x, out):
        out[0] = out[1] = 1.0

    problem = gd.Problem(fun, grad, dim=2)
    points = np.array([[2.5, 0.5], [0.25, 3.0], [7.0, -1.0]])
    expected = [fun(point) for point in points]
    np.testing.assert_allclose(problem.value(points), expected, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("length", [1, 2, 3, 10, 50, 1000])
def test_the_width_fits_vectors_and_cache(length, dtype):
    width = targets.lane_width(length, np.dtype(dtype))
    assert width & (width - 1) == 0
    assert 64 // np.dtype(dtype).itemsize <= width <= 64


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 8), (2, 7, 64)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_aligned_arrays_are_aligned(shape, dtype):
    for _ in range(20):
        array = targets.aligned(shape, dtype)
        assert array.ctypes.data % 64 == 0
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_names_tell_equal_content():
    make = lambda a: lambda x: a * x[0]  # noqa: E731
    assert targets.named((make(1.0),), 2) == targets.named((make(1.0),), 2)
    assert targets.named((make(1.0),), 2) != targets.named((make(2.0),), 2)
    assert targets.named((make(1.0),), 2) != targets.named((make(1.0),), 3)
    one, other = make(object()), make(object())
    assert targets.named((one,)) == targets.named((one,)) != targets.named((other,))
    assert targets.named((one,)).startswith("unnamed")


def test_the_machine_is_described():
    told = about.info()
    assert os.environ["FASTGD_CACHE_DIR"] == told["cache folder"]
    assert all(isinstance(text, str) and text for text in told.values())


SINES = """
import numpy as np
from fastgd import evaluate
import math
x = np.linspace(-3, 3, 50)[:, None]
found = evaluate.value(lambda x: math.sin(x[0]) + math.exp(x[0]), x, ())
print(float(np.abs(found - np.sin(x[:, 0]) - np.exp(x[:, 0])).max()))
"""


@pytest.mark.parametrize("option", ["NUMBA_CPU_NAME=generic", "NUMBA_ENABLE_AVX=0"])
def test_vector_functions_follow_the_processor_that_numba_is_told(option, tmp_path):
    name, _, value = option.partition("=")
    variables = {**os.environ, "FASTGD_CACHE_DIR": str(tmp_path), name: value}
    done = subprocess.run(
        [sys.executable, "-c", SINES], env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-14


def test_functions_without_a_fingerprint_keep_their_identity() -> None:
    from fastgd.jit.targets import named

    class Opaque:
        pass

    def keyed(value: int) -> str:
        thing = Opaque()

        def function() -> int:
            return value if thing else 0

        return named((function,), "rest")

    keys = [keyed(value) for value in range(50)]
    assert len(set(keys)) == 50
    assert all(key.startswith("unnamed") for key in keys)


def test_a_lack_of_memory_is_no_refusal() -> None:
    from fastgd.jit import targets

    class Job:
        def compile(self) -> None:
            raise MemoryError

    with pytest.raises(MemoryError):
        targets.lanes_or_scalar("problem", "unnamed job", 8, lambda width: Job(), warn=False)
    assert targets.fingerprint("unnamed job", targets.environment()) not in targets.REFUSED
