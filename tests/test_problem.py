import functools
import itertools
import math
import pickle

import numba
import numpy as np
import pytest
from cases import assert_same_runs
from scipy import stats

import fastgd as gd
from fastgd import Problem
from fastgd.errors import Interrupted, nearest


def bowl(x):
    return (x[0] - 1.0) ** 2 + 2.0 * x[1] ** 2


def bowl_gradient(x, out):
    out[0] = 2.0 * (x[0] - 1.0)
    out[1] = 4.0 * x[1]


def line(x):
    return x[0]


def norm(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def boxed(dim=2, **options):
    return Problem(norm, dim=dim, bounds=(-1, 3), **options)


def test_attributes():
    problem = Problem(bowl, bowl_gradient, dim=2, bounds=[(-1, 2), (0, 4)], minima=[1, 0])
    assert (problem.fun, problem.grad, problem.dim, problem.data) == (bowl, bowl_gradient, 2, ())
    assert problem.bounds.tolist() == [[-1, 2], [0, 4]]
    assert problem.minima.tolist() == [[1, 0]]
    assert problem.name == "bowl"
    assert not problem.has_derived_gradient
    assert repr(problem) == "Problem('bowl', dim=2, bounds=[(-1, 2), (0, 4)], minima=1)"
    with pytest.raises(ValueError, match="read-only"):
        problem.bounds[0, 0] = 0.0


def test_values_gradients_and_hessians_keep_the_batch_shape():
    problem = Problem(bowl, dim=2)
    assert problem.has_derived_gradient
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    np.testing.assert_allclose(problem.value(x), (x[..., 0] - 1) ** 2 + 2 * x[..., 1] ** 2, rtol=1e-14)
    np.testing.assert_allclose(
        problem.gradient(x), np.stack([2 * (x[..., 0] - 1), 4 * x[..., 1]], -1), rtol=1e-14
    )
    np.testing.assert_array_equal(problem.hessian(x), np.broadcast_to([[2.0, 0.0], [0.0, 4.0]], (3, 4, 2, 2)))
    assert problem.value([1.0, 0.0]).shape == ()
    assert problem.value(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("x", [1.0, [1.0], [[1.0, 2.0, 3.0]], np.ones((2, 1))])
def test_a_wrong_last_axis_is_refused(x):
    with pytest.raises(ValueError, match=r"shape \(\*batch, 2\)"):
        Problem(bowl, dim=2).value(x)


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
        (lambda x: np.linalg.norm(x), "calls np.norm on x"),
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
        Problem(line, grad, dim=2)
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


@pytest.mark.parametrize(
    ("dim", "error"),
    [(0, ValueError), (-1, ValueError), (2.0, TypeError), ("2", TypeError), (True, TypeError)],
)
def test_dim(dim, error):
    with pytest.raises(error, match="dim must be"):
        Problem(bowl, dim=dim)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((-6, 6), [[-6, 6]] * 3),
        (np.array([-6.0, 6.0]), [[-6, 6]] * 3),
        ([(-1, 1), (-2, 2), (-3, 3)], [[-1, 1], [-2, 2], [-3, 3]]),
        (([-1, -2, -3], [1, 2, 3]), [[-1, 1], [-2, 2], [-3, 3]]),
        ((np.array([-1, -2, -3]), np.array([1, 2, 3])), [[-1, 1], [-2, 2], [-3, 3]]),
        ((-1, [1, 2, 3]), [[-1, 1], [-1, 2], [-1, 3]]),
    ],
)
def test_forms_of_bounds(bounds, expected):
    assert Problem(norm, dim=3, bounds=bounds).bounds.tolist() == expected


def test_bounds_of_two_parameters():
    rows = [[-1, 2], [-3, 4]]
    for bounds in (rows, tuple(rows), np.array(rows), (np.array([-1, -3]), np.array([2, 4]))):
        assert Problem(norm, dim=2, bounds=bounds).bounds.tolist() == rows
    again = Problem(norm, dim=2, bounds=Problem(norm, dim=2, bounds=rows).bounds)
    assert again.bounds.tolist() == rows
    with pytest.raises(ValueError, match=r"parameter 0 has \(-6, -6\)\. Rows are \(low, high\)"):
        Problem(norm, dim=2, bounds=[(-6, -6), (6, 6)])


@pytest.mark.parametrize(
    ("bounds", "error", "message"),
    [
        ((1, 1), ValueError, r"low < high; parameter 0 has \(1, 1\)"),
        ((2, 1), ValueError, r"low < high"),
        ([(0, 1), (0, 1), (5, 4)], ValueError, r"parameter 2 has \(5, 4\)"),
        ((0, math.inf), ValueError, "finite; parameter 0"),
        ((math.nan, 1), ValueError, "finite"),
        ((-1e308, 1e308), ValueError, "too far apart"),
        ((0, 1, 2), ValueError, r"shape \(3,\)"),
        ([(0, 1)], ValueError, r"shape \(1, 2\)"),
        ((np.zeros(2), np.ones(2)), ValueError, r"shape \(3,\)"),
        ("01", TypeError, "bounds must be a pair"),
        (5, TypeError, "bounds must be a pair"),
        (("a", "b"), TypeError, "real numbers"),
    ],
)
def test_bad_bounds(bounds, error, message):
    with pytest.raises(error, match=message):
        Problem(norm, dim=3, bounds=bounds)


@pytest.mark.parametrize(
    ("minima", "message"),
    [
        ([1, 2, 3], r"shape \(3,\)"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
        ([[1, math.nan]], "row 0"),
        ([[[1, 2]]], "shape"),
        ([], "shape"),
    ],
)
def test_bad_minima(minima, message):
    with pytest.raises(ValueError, match=message):
        Problem(bowl, dim=2, minima=minima)


def test_minima_of_one_parameter():
    assert Problem(line, dim=1, minima=[1, 2]).minima.tolist() == [[1], [2]]
    assert Problem(line, dim=1, minima=np.ones((3, 1))).minima.shape == (3, 1)


def first_of(x, a, *rest):
    return x[0] * a[0]


def test_data_is_copied_and_cannot_be_written_to():
    given = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    problem = Problem(
        lambda x, a, b, c, d: a[1, 2] * x[0] + b[0] + c + d, dim=1, data=(given, [1, 2], 3, 0.5)
    )
    matrix, whole, count, factor = problem.data
    given[1, 2] = -1.0
    assert matrix.dtype == np.float64
    assert matrix[1, 2] == 5.0
    assert matrix.flags.c_contiguous
    assert whole.dtype == np.int64
    assert (type(count), type(factor)) == (int, float)
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1.0
    np.testing.assert_array_equal(problem.gradient([[2.0]]), [[5.0]])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.ones(3), TypeError, r"data must be a tuple.*data=\(X,\)"),
        ([np.ones(3)], TypeError, r"data=\(X,\)"),
        ((np.ones(3), [1.0, math.nan]), ValueError, r"data\[1\] must be finite; it has 1"),
        ((math.inf,), ValueError, r"data\[0\] must be finite"),
        (([1j],), TypeError, "complex"),
        ((["a"],), TypeError, "real numbers"),
        ((None,), TypeError, "object"),
        (([[1.0], [1.0, 2.0]],), TypeError, "not a regular array"),
        ((np.array([2**63], dtype=np.uint64),), ValueError, "int64"),
    ],
)
def test_bad_data(data, error, message):
    with pytest.raises(error, match=message):
        Problem(first_of, dim=1, data=data)


def test_a_bad_name():
    with pytest.raises(TypeError, match="name must be a string"):
        Problem(bowl, dim=2, name=3)
    assert Problem(lambda x: x[0], dim=1).name == "lambda"


@pytest.mark.parametrize("method", ["uniform", "sobol", "latin"])
def test_samples_are_uniform_in_the_box(method):
    points = boxed(3).sample(1000, seed=4, method=method)
    assert points.shape == (1000, 3)
    assert points.dtype == np.float64
    assert points.flags.c_contiguous
    for column in points.T:
        assert stats.kstest(column, stats.uniform(-1, 4).cdf).pvalue > 1e-3
    assert not np.allclose(points[:, 0], points[:, 1])
    np.testing.assert_array_equal(points, boxed(3).sample(1000, seed=4, method=method))
    assert not np.any(points == boxed(3).sample(1000, seed=5, method=method))


def test_the_sequences_are_scipys():
    unit = stats.qmc.Sobol(d=2, scramble=True, rng=np.random.default_rng(7)).random_base2(5)[:20]
    np.testing.assert_array_equal(boxed().sample(20, seed=7, method="sobol"), -1 + 4 * unit)
    unit = stats.qmc.LatinHypercube(d=2, rng=np.random.default_rng(7)).random(20)
    np.testing.assert_array_equal(boxed().sample(20, seed=7, method="latin"), -1 + 4 * unit)
    assert stats.qmc.discrepancy((boxed().sample(256, method="sobol") + 1) / 4) < 1e-4


def test_grid_samples():
    points = Problem(norm, dim=2, bounds=[(0, 2), (0, 20)]).sample(9, method="grid")
    assert points.tolist() == [[a, 10 * b] for a in range(3) for b in range(3)]
    assert boxed(3).sample(1, method="grid").tolist() == [[1.0, 1.0, 1.0]]
    assert boxed(5).sample(3**5, method="grid").shape == (243, 5)
    with pytest.raises(ValueError, match=r"k\*\*2.*it is 1000.*The nearest are 961 and 1024"):
        boxed().sample(1000, method="grid")


def test_normal_samples():
    points = boxed().sample(20_000, seed=3, method="normal")
    for column in points.T:
        assert stats.kstest(column, stats.norm(1, 1).cdf).pvalue > 1e-3
    free = Problem(norm, dim=2).sample(20_000, seed=3, method="normal")
    assert stats.kstest(free[:, 0], stats.norm(0, 1).cdf).pvalue > 1e-3


@pytest.mark.parametrize("method", ["uniform", "sobol", "latin", "grid"])
def test_samples_need_a_box(method):
    with pytest.raises(ValueError, match="norm has none"):
        Problem(norm, dim=2).sample(4, method=method)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"n": 2.5}, TypeError, "n must be a positive integer"),
        ({"n": 3, "seed": -1}, ValueError, "seed must not be negative"),
        ({"n": 3, "seed": 1.0}, TypeError, "seed must be an integer"),
        ({"n": 3, "method": "sobl"}, ValueError, "Did you mean 'sobol'"),
    ],
)
def test_bad_samples(arguments, error, message):
    with pytest.raises(error, match=message):
        boxed().sample(**arguments)


def test_grid_is_indexed_like_meshgrid_ij():
    problem = Problem(norm, dim=4, bounds=[(0, 1), (0, 2), (0, 3), (0, 4)])
    points = problem.grid((3, 5), plane=(2, 0))
    first, second = np.meshgrid(np.linspace(0, 3, 3), np.linspace(0, 1, 5), indexing="ij")
    assert points.shape == (3, 5, 4)
    np.testing.assert_array_equal(points[..., 2], first)
    np.testing.assert_array_equal(points[..., 0], second)
    np.testing.assert_array_equal(points[..., [1, 3]], np.broadcast_to([1.0, 2.0], (3, 5, 2)))


def test_where_a_grid_lies():
    problem = Problem(norm, dim=3, bounds=(-1, 1), minima=[0.5, 0.25, 0.125])
    assert problem.grid((2, 2))[0, 0].tolist() == [-1, -1, 0.125]
    assert problem.grid((2, 2), plane=(1, -1), at=[7, 8, 9])[0, 1].tolist() == [7, -1, 1]
    assert problem.grid((2, 2), bounds=(2, 3))[1, 0].tolist() == [3, 2, 0.125]
    assert problem.grid((2, 2), bounds=[(2, 3), (4, 5)])[0, 1].tolist() == [2, 5, 0.125]
    assert problem.grid((1, 1))[0, 0].tolist() == [0, 0, 0.125]


def test_grid_of_one_parameter():
    problem = Problem(line, dim=1, bounds=(0, 2))
    assert problem.grid(3).tolist() == [[0], [1], [2]]
    assert problem.grid((3,)).shape == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": 3.5}, TypeError, r"shape must be one int or two"),
        ({"shape": (3, 4, 5)}, TypeError, r"shape must be one int or two"),
        ({"shape": (3, 0)}, ValueError, r"shape\[1\] must be at least 1"),
        ({"shape": (3, 4), "plane": (0, 0)}, ValueError, "two different"),
        ({"shape": (3, 4), "plane": (0, 3)}, ValueError, "parameters 0 to 2"),
        ({"shape": (3, 4), "plane": 1}, TypeError, "plane must be a pair"),
        ({"shape": (3, 4), "at": [1, 2]}, ValueError, r"shape \(3,\)"),
        ({"shape": (3, 4), "at": [1, 2, math.nan]}, ValueError, "finite"),
        ({"shape": (3, 4), "bounds": (1, 0)}, ValueError, "low < high"),
    ],
)
def test_bad_grids(arguments, error, message):
    with pytest.raises(error, match=message):
        boxed(3).grid(**arguments)


def test_a_grid_without_a_box():
    free = Problem(norm, dim=3)
    with pytest.raises(ValueError, match="bounds must be given"):
        free.grid((2, 2))
    with pytest.raises(ValueError, match="at must be given"):
        free.grid((2, 2), bounds=(0, 1))
    assert free.grid((2, 2), bounds=(0, 1), at=[0, 0, 5])[0, 0].tolist() == [0, 0, 5]
    assert Problem(norm, dim=2).grid((2, 2), bounds=(0, 1)).shape == (2, 2, 2)


def test_a_derivation_error_comes_at_first_use_only():
    problem = Problem(lambda x: max(x[0], 0.0), dim=1)
    assert problem.value([2.0]) == 2.0
    with pytest.raises(gd.DerivationError, match="comparison"):
        problem.gradient([2.0])
    with pytest.raises(gd.DerivationError, match="No hessian"):
        problem.hessian([2.0])


def test_pickling_derives_anew():
    problem = Problem(bowl, dim=2, bounds=(-1, 1))
    x = [[0.3, 0.4]]
    before = problem.gradient(x), problem.hessian(x)
    again = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(again.gradient(x), before[0])
    np.testing.assert_array_equal(again.hessian(x), before[1])


def test_nearest():
    assert nearest("Himelblau", ["beale", "himmelblau"]) == " Did you mean 'himmelblau'?"
    assert nearest("q", ["beale"]) == ""
    assert nearest("x", []) == ""


def test_interrupted_keeps_what_was_done():
    error = pickle.loads(pickle.dumps(Interrupted("stopped", partial=[1, 2])))
    assert isinstance(error, KeyboardInterrupt)
    assert (str(error), error.partial) == ("stopped", [1, 2])
