"""What a problem's functions are told before any work: one call in plain Python on sequences that watch."""

import functools
import itertools
import math

import numba
import numpy as np
import pytest
from cases import assert_same_runs

import fastgd as gd
from fastgd import Problem


def bowl(x):
    return (x[0] - 1.0) ** 2 + 2.0 * x[1] ** 2


def bowl_gradient(x, out):
    out[0] = 2.0 * (x[0] - 1.0)
    out[1] = 4.0 * x[1]


def line(x):
    return x[0]


def first_of(x, a, *rest):
    return x[0] * a[0]


@pytest.mark.parametrize(
    ("fun", "came"),
    [
        (lambda x: (x[0], x[1]), "a tuple of length 2"),
        (lambda x: [x[0]], "a list of length 1"),
        (lambda x: np.array([x[0], x[1]]), r"an array of shape \(2,\)"),
        (lambda x: np.array(x[0]), r"an array of shape \(\)"),
        (lambda x: None, "None"),
        (lambda x: "high", "a str, 'high'"),
        (lambda x: complex(x[0], 1.0), "a complex"),
        (lambda x: x[0] > 0, "a bool"),
    ],
)
def test_a_fun_that_returns_no_number(fun, came):
    with pytest.raises(TypeError, match=f"fun must return one real number; it returned {came}"):
        Problem(fun, dim=2)


@pytest.mark.parametrize(
    ("fun", "error", "message"),
    [
        (lambda x: x[2], ValueError, r"fun reads x\[2\], past the end: dim is 2"),
        (lambda x: x[-3], ValueError, r"fun reads x\[-3\], past the end"),
        (lambda x: sum(x[:1]), ValueError, "fun reads a slice of x"),
        (lambda x: x[0.5], ValueError, "an index is an integer"),
        (lambda x: x.sum(), ValueError, r"fun uses x\.sum, and x has only indices; write x\[i\] and loops.*in line"),
        (lambda x: x.shape[0] * x[0], ValueError, r"fun uses x\.shape, .*loops over range\(len\(x\)\)"),
        (lambda x: [1.0][3], ValueError, "fun raised IndexError"),
        (lambda x, t: t * x[0], TypeError, r"called here with 1 positional argument, but <lambda>\(x, t\)"),
        (lambda: 0.0, TypeError, r"fun must be a function fun\(x\) -> float"),
    ],
)
def test_a_fun_that_could_not_be_compiled(fun, error, message):
    with pytest.raises(error, match=message):
        Problem(fun, dim=2)


MATRIX = np.array([[2.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("fun", "did"),
    [
        (lambda x: np.dot(x, x), "calls np.dot on x"),
        (lambda x: np.sum(x**2), "computes with x"),
        (lambda x: np.sum(x), "calls np.sum on x"),
        (lambda x: np.mean(x), "calls np.mean on x"),
        (lambda x: np.linalg.norm(x), "calls np.linalg.norm on x"),
        (lambda x: np.exp(x)[0], "calls np.exp on x"),
        (lambda x: (MATRIX @ x)[0], "calls np.matmul on x"),
        (lambda x: x @ MATRIX @ x, "computes with x"),
        (lambda x: (2.0 * x)[0], "computes with x"),
        (lambda x: (np.float64(2.0) * x)[0], "calls np.multiply on x"),
        (lambda x: np.asarray(x)[0], "makes an array of x"),
        (lambda x: np.array(x)[0], "makes an array of x"),
        (lambda x: 1.0 if x == 0 else x[0], "compares x"),
        (lambda x: (-x)[0], "computes with x"),
    ],
)
def test_code_for_arrays_hears_that_fun_is_scalar_code(fun, did):
    words = rf"fun {did} as a whole; write x\[i\] and loops over range\(len\(x\)\), .* in line \d+ of <lambda>"
    with pytest.raises(ValueError, match=words):
        Problem(fun, dim=2)


def test_a_gradient_and_a_loss_for_arrays_hear_the_same():
    def grad(x, out):
        out[0] = np.sum(x)

    with pytest.raises(ValueError, match=r"grad calls np.sum on x as a whole; write x\[i\]"):
        Problem(line, grad, dim=1)
    with pytest.raises(ValueError, match=r"loss calls np.matmul on x as a whole; write x\[i\]"):
        gd.FiniteSum(lambda x, i, a: (a[i] @ x) ** 2, data=(MATRIX,), dim=2)


def unpacked(x):
    a, b = x
    total = a * b
    for v in x:
        total += v * v
    for i, v in enumerate(x):
        total += i * v
    for v, weight in zip(x, (2.0, 3.0)):  # noqa: B905  (numba knows no `strict`)
        total += weight * (v - 1.0) ** 2
    return total + sum(x)


def indexed(x):
    total = x[0] * x[1]
    for i in range(len(x)):
        total += x[i] * x[i]
    for i in range(len(x)):
        total += i * x[i]
    for i in range(len(x)):
        total += (2.0 + i) * (x[i] - 1.0) ** 2
    return total + (x[0] + x[1])


def test_a_point_may_be_unpacked_looped_over_and_summed():
    """The value, the derived gradient and the descent are those of the same function with indices."""
    one, other = Problem(unpacked, dim=2, bounds=(-1, 1)), Problem(indexed, dim=2, bounds=(-1, 1))
    points = one.sample(50, seed=0)
    np.testing.assert_array_equal(one.value(points), other.value(points))
    np.testing.assert_array_equal(one.gradient(points), other.gradient(points))
    optimizer = gd.GradientDescent(lr=0.05)
    assert_same_runs(gd.minimize(one, points, optimizer), gd.minimize(other, points, optimizer))
    np.testing.assert_allclose(
        gd.minimize(one, points[:2], gd.SciPyCG()).x, gd.minimize(one, points[:2], optimizer).x, atol=1e-6
    )


def three_of_two(x):
    a, b, c = x
    return a + b + c


def a_sum_of_a_generator(x):
    return sum(v * v for v in x)


def a_print(x):
    print(x[0])  # noqa: T201
    return x[0]


WEIGHTS, PAIR = [1.0, 2.0], (1.0, 2.0)


def with_a_global_list(x):
    return WEIGHTS[0] * x[0] ** 2


def with_a_list_in_a_comprehension(x):
    return sum([WEIGHTS[k] * x[k] for k in range(1)])


def with_a_tuple(x):
    return PAIR[0] * x[0] ** 2


DEBUG, HISTORY = False, []


def in_a_closed_branch(x):
    if DEBUG:
        HISTORY.append(x[0])
    return x[0] ** 2


def test_lists_from_around_hear_the_way_out_and_those_that_are_not_compiled_may_stay():
    table, some, held = {"a": 1.0}, {1.0, 2.0}, [1.0]
    for function, message in (
        (with_a_global_list, "cannot be, as 'WEIGHTS' is: put the numbers into an array and pass it in data="),
        (with_a_list_in_a_comprehension, "as 'WEIGHTS' is"),
        (lambda x: table["a"] * x[0], "as 'table' is"),
        (lambda x: len(some) * x[0], "lists, dictionaries and sets from around the functions cannot be"),
        (lambda x: held[0] * x[0], "lists, dictionaries and sets from around the functions cannot be"),
    ):
        with pytest.raises(TypeError, match=message):
            Problem(function, dim=1).value([1.0])
    assert Problem(with_a_tuple, dim=1).gradient([3.0]) == 6.0
    assert Problem(in_a_closed_branch, dim=1).value([3.0]) == 9.0


def plane(x, y):
    return x + y


def weighted(x, A, b):
    return A[0] * x[0] + b


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Problem(first_of, dim=2), r"'a'\. Give a in data=\(a,\); or, where x, a are the coordinates"),
        (lambda: Problem(plane, dim=2), r"write def plane\(x\) with x\[0\] and x\[1\]: a point is one argument\.$"),
        (lambda: Problem(lambda x, y: x + y, dim=2), r"write lambda x with x\[0\] and x\[1\]"),
        (lambda: Problem(plane, dim=5), r"Give y in data=\(y,\)\.$"),
        (lambda: Problem(weighted, dim=3), r"Give them in data=\(A, b\); or, where x, A, b are.*x\[0\] to x\[2\]"),
        (lambda: Problem(weighted, dim=2), r"Give them in data=\(A, b\)\.$"),
        (lambda: Problem(weighted, dim=3, data=([1.0],)), r"Give all of them in data=\(A, b\); data has 1 value\.$"),
        (lambda: Problem(bowl, lambda x, out, A: None, dim=2), r"grad must be.*Give A in data=\(A,\)\.$"),
        (lambda: gd.FiniteSum(lambda x, i, t, y: 0.0, dim=1, data=([1.0],)), r"Give all of them in data=\(t, y\)"),
        (lambda: Problem(bowl, dim=2, data=(1.0,)), r"too many positional arguments\.$"),
    ],
)
def test_functions_of_more_arguments_hear_of_data(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_what_could_not_be_compiled_is_refused_at_once():
    with pytest.raises(ValueError, match="not enough values to unpack"):
        Problem(three_of_two, dim=2)
    with pytest.raises(TypeError, match=r"fun 'a_sum_of_a_generator' has a generator.*loops over range\(len\(x\)\)"):
        Problem(a_sum_of_a_generator, dim=2)
    with pytest.raises(TypeError, match=r"fun 'a_print' must not print.*record=1"):
        Problem(a_print, dim=2)
    with pytest.raises(TypeError, match="grad 'a_print' must not print"):
        Problem(line, a_print, dim=2)
    with pytest.raises(TypeError, match=r"must return the same number every time.*noise=sigma"):
        Problem(lambda x: x[0] ** 2 + np.random.normal(), dim=1)  # noqa: NPY002


def test_a_fun_that_writes_to_x():
    def fun(x):
        x[0] = 1.0
        return x[1]

    with pytest.raises(ValueError, match=r"fun writes to x\[0\].*in line \d+ of fun: x\[0\] = 1.0"):
        Problem(fun, dim=2)


@pytest.mark.parametrize("fun", [3, "x[0]", math.sin, functools.partial(line), np.sin, None])
def test_fun_must_be_a_plain_function(fun):
    with pytest.raises(TypeError, match="fun must be a plain Python function"):
        Problem(fun, dim=1)
    if fun is not None:
        with pytest.raises(TypeError, match="grad must be a plain Python function"):
            Problem(line, fun, dim=1)


def test_a_generator_is_refused():
    def fun(x):
        yield x[0]

    with pytest.raises(TypeError, match="generator"):
        Problem(fun, dim=1)


def test_a_compiled_function_is_taken_by_its_source():
    problem = Problem(numba.njit(bowl), dim=2)
    assert problem.fun is bowl
    assert problem.name == "bowl"


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: math.log(x[0]),
        lambda x: math.sqrt(-1.0 - x[0] ** 2),
        lambda x: 1 / (x[0] * 0),
        lambda x: math.exp(1e9 + x[0]),
        lambda x: x[0] ** 0.5,
        lambda x: np.log(x[0]),
    ],
)
def test_arithmetic_that_fails_somewhere_is_no_reason_to_refuse(fun):
    assert Problem(fun, dim=1, bounds=(-3, -1)).dim == 1


def test_where_arithmetic_fails_other_points_are_tried():
    places, seen = itertools.count(), np.full(9, np.nan)

    def fun(x):
        place = next(places)
        seen[place] = x[0]
        return math.sqrt(x[0]) if place == 2 else math.log(-1.0)

    Problem(fun, dim=1, bounds=(1, 2))
    assert len(np.unique(seen[:3])) == 3
    assert np.isnan(seen[3:]).all()

    with pytest.raises(TypeError, match="None"):
        Problem(lambda x: None if x[0] > 1.5 else 1 / 0, dim=1, bounds=(1, 2))


def gradient_past_the_end(x, out):
    out[0] = x[0]
    out[1] = x[1]
    out[2] = 0.0


def test_a_grad_that_writes_past_the_end():
    with pytest.raises(
        ValueError, match=r"grad writes out\[2\], past the end: dim is 2.*gradient_past_the_end"
    ):
        Problem(bowl, gradient_past_the_end, dim=2)


@pytest.mark.parametrize("values", [(1.0, (2.0, 3.0)), (None, 1.0), ("a", 1.0), (1.0, 1j)])
def test_a_grad_that_writes_no_number(values):
    def grad(x, out):
        out[0] = values[0]
        out[1] = values[1]

    with pytest.raises(ValueError, match=r"to out\[[01]\]; a component is one real number"):
        Problem(bowl, grad, dim=2)


def test_a_grad_that_writes_too_little():
    def half(x, out):
        out[0] = x[0]

    with pytest.raises(ValueError, match=r"left out out\[1\]\.$"):
        Problem(bowl, half, dim=2)
    with pytest.raises(ValueError, match=r"left out out\[0\], out\[1\].*returned a list of length 2"):
        Problem(bowl, lambda x, out: [x[0], x[1]], dim=2)
    with pytest.raises(TypeError, match=r"grad must be a function grad\(x, out\)"):
        Problem(bowl, lambda x: [x[0], x[1]], dim=2)


def test_a_grad_that_reads_what_is_not_there():
    def adds(x, out):
        for i in range(2):
            out[i] += x[i]

    with pytest.raises(
        ValueError, match=r"grad reads out\[0\] before it is written; write out\[0\] = 0.0 first"
    ):
        Problem(bowl, adds, dim=2)
