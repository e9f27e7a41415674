import pickle

import numpy as np
import pytest
from oracle import precise_gradient, precise_minimum, precise_value
from scipy.optimize import check_grad, rosen, rosen_der, rosen_hess

import fastgd as gd
from fastgd.problems import make, names

SIZED = {"dim": (1, 2, 3, 7), "atoms": (2, 3, 5), "n": (3, 4, 9)}
CASES = [(name, {}) for name in names()]
ANY_DIM = ("ackley", "double_well", "griewank", "levy", "quadratic", "rastrigin", "styblinski_tang")
CASES += [(name, {"dim": k}) for name in ANY_DIM for k in SIZED["dim"]]
CASES += [("rosenbrock", {"dim": k}) for k in (2, 3, 7)]
CASES += [("lennard_jones", {"atoms": k}) for k in SIZED["atoms"]]
CASES += [("phase_oscillators", {"n": k}) for k in SIZED["n"]]
CASES += [("quadratic", {"dim": 4, "condition": 1e3, "rotation": 0})]
LABELS = [f"{name}-{'-'.join(map(str, options.values()))}" for name, options in CASES]


@pytest.mark.parametrize(("name", "options"), CASES, ids=LABELS)
def test_gradients_agree_with_fifty_digits(name, options):
    problem = make(name, **options)
    for x in problem.sample(3, seed=1):
        value, gradient = problem.value(x), problem.gradient(x)
        exact = precise_gradient(problem.fun, x, problem.data)
        scale = np.max(np.abs(exact))
        np.testing.assert_allclose(gradient, exact, rtol=1e-11, atol=1e-12 * scale)
        np.testing.assert_allclose(
            value, float(precise_value(problem.fun, x, problem.data)), rtol=1e-10, atol=1e-11
        )


@pytest.mark.parametrize(("name", "options"), CASES, ids=LABELS)
def test_gradients_agree_with_the_derived_ones(name, options):
    problem = make(name, **options)
    assert not problem.has_derived_gradient
    derived = gd.Problem(problem.fun, dim=problem.dim, data=problem.data)
    x = problem.sample(5, seed=2)
    found, expected = problem.gradient(x), derived.gradient(x)
    scale = np.max(np.abs(expected), axis=-1, keepdims=True)
    assert np.max(np.abs(found - expected) / scale) < 1e-11


@pytest.mark.parametrize(("name", "options"), CASES, ids=LABELS)
def test_minima_are_stationary_and_stable(name, options):
    problem = make(name, **options)
    if problem.minima is None:
        assert name in ("monkey_saddle", "lennard_jones")
        return
    low, high = problem.bounds.T
    if name != "phase_oscillators":  # there the winding takes the phase out of the box
        assert np.all((problem.minima >= low) & (problem.minima <= high))
    values = problem.value(problem.minima)
    assert np.all(np.diff(values) >= -1e-9)
    if name == "ackley":  # a tip, without a Hessian
        assert np.all(problem.value(problem.minima + problem.sample(100, method="normal") * 1e-3) > 0)
        return
    hessians = problem.hessian(problem.minima)
    eigenvalues = np.linalg.eigvalsh(hessians)
    largest = eigenvalues[:, -1:]
    assert np.all(np.abs(problem.gradient(problem.minima)) <= 1e-13 * (1 + largest))
    # Directions in which nothing changes: moving and turning a cluster, turning all phases; or next to nothing
    flat = {
        "lennard_jones": 5 if options.get("atoms") == 2 else 6, "phase_oscillators": 1, "powell_singular": 2,
        "brown_badly_scaled": 1,
    }.get(name, 0)  # fmt: skip
    assert np.all(np.abs(eigenvalues[:, :flat]) < 1e-9 * largest)
    assert np.all(eigenvalues[:, flat] > 1e-4 * largest[:, 0])


SOLVED = ["beale", "goldstein_price", "himmelblau", "mueller_brown", "six_hump_camel", "three_hump_camel"]


@pytest.mark.parametrize("name", SOLVED)
def test_minima_of_two_parameters_to_fifteen_digits(name):
    problem = make(name)
    for point in problem.minima:
        np.testing.assert_allclose(precise_minimum(problem.fun, point), point, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ["double_well", "rastrigin", "styblinski_tang"])
def test_minima_of_one_parameter_to_fifteen_digits(name):
    problem = make(name, dim=1)
    for point in problem.minima:
        np.testing.assert_allclose(precise_minimum(problem.fun, point), point, rtol=1e-14, atol=1e-30)


def test_published_values():
    values = {name: make(name).value(make(name).minima) for name in SOLVED}
    np.testing.assert_allclose(values["goldstein_price"], [3, 30, 84, 840], rtol=1e-12)
    np.testing.assert_allclose(values["himmelblau"], 0, atol=1e-25)
    np.testing.assert_allclose(values["six_hump_camel"][:2], -1.031628453489877, rtol=1e-14)
    np.testing.assert_allclose(
        values["three_hump_camel"], [0, 0.29863844223686, 0.29863844223686], atol=1e-13
    )
    # Müller and Brown print -146.700, -108.167 and -80.768
    np.testing.assert_allclose(values["mueller_brown"], [-146.700, -108.167, -80.768], atol=5e-4)
    assert make("beale").value([0.0, 1.0]) == 14.203125
    assert make("himmelblau").value([-0.270844590667348, -0.923038556479981]) == pytest.approx(
        181.616521522583
    )
    styblinski = make("styblinski_tang", dim=1)
    np.testing.assert_allclose(
        styblinski.value(styblinski.minima), [-39.1661657037714, -25.0294466552839], rtol=1e-14
    )


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_rosenbrock_is_scipys(dim):
    problem = make("rosenbrock", dim=dim)
    for x in problem.sample(5, seed=0):
        np.testing.assert_allclose(problem.value(x), rosen(x), rtol=1e-13)
        np.testing.assert_allclose(problem.gradient(x), rosen_der(x), rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(problem.hessian(x), rosen_hess(x), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("dim", [4, 5, 10, 200])
def test_the_second_minimum_of_rosenbrock(dim):
    problem = make("rosenbrock", dim=dim)
    assert problem.minima.shape == (2, dim)
    second = problem.minima[1]
    assert np.max(np.abs(rosen_der(second))) < 1e-12
    assert np.linalg.eigvalsh(rosen_hess(second))[0] > 0.3
    if dim < 6:
        np.testing.assert_allclose(precise_minimum(problem.fun, second), second, rtol=1e-13)


@pytest.mark.parametrize("rotation", [None, 3])
def test_the_condition_of_a_quadratic(rotation):
    problem = make("quadratic", dim=5, condition=1e4, rotation=rotation)
    eigenvalues = np.linalg.eigvalsh(problem.hessian(np.zeros(5)))
    np.testing.assert_allclose(eigenvalues, [1, 10, 100, 1000, 10000], rtol=1e-10)
    assert make("quadratic", dim=1, condition=7).hessian([0.0]).tolist() == [[1.0]]


@pytest.mark.parametrize(("atoms", "energy"), [(2, -1), (3, -3), (4, -6), (6, -12.712062), (13, -44.326801)])
def test_energies_of_the_cambridge_cluster_database(atoms, energy):
    problem = make("lennard_jones", atoms=atoms)
    assert problem.value(problem.minima)[0] == pytest.approx(energy, abs=6e-7)
    turned = problem.minima.reshape(-1, 3)[:, [1, 2, 0]] * [1, -1, -1] + [0.1, 0.2, 0.3]
    assert problem.value(turned.ravel()) == pytest.approx(energy, abs=6e-7)


def test_twisted_states():
    problem = make("phase_oscillators", n=9)
    assert len(problem.minima) == 5
    for winding, state in zip([0, 1, -1, 2, -2], problem.minima, strict=True):
        steps = np.diff(np.append(state, state[0]))
        turns = np.sum(np.angle(np.exp(1j * steps))) / (2 * np.pi)
        assert turns == pytest.approx(winding)
        assert problem.value(state) == pytest.approx(-9 * np.cos(2 * np.pi * winding / 9))
        eigenvalues = np.linalg.eigvalsh(problem.hessian(state))
        assert abs(eigenvalues[0]) < 1e-14
        assert eigenvalues[1] > 0.01
    assert len(make("phase_oscillators", n=8).minima) == 3
    saddle = 2 * np.pi * 3 * np.arange(9) / 9
    assert np.linalg.eigvalsh(problem.hessian(saddle))[0] < -0.1


def test_lists_of_minima():
    assert make("styblinski_tang", dim=10).minima.shape == (1024, 10)
    assert make("styblinski_tang", dim=11).minima.tolist() == [[-2.903534027771177] * 11]
    assert make("rastrigin", dim=3).minima.tolist() == [[0, 0, 0]]
    assert len(np.unique(make("rastrigin", dim=2).minima, axis=0)) == 121


def test_ackley_far_and_near():
    problem = make("ackley", dim=2)
    assert problem.value([0.0, 0.0]) == pytest.approx(0.0, abs=1e-14)
    near = problem.gradient([1e-9, 0.0])
    assert near[0] == pytest.approx(4 / np.sqrt(2), rel=1e-6)
    assert check_grad(problem.value, problem.gradient, [3.3, -7.1]) < 1e-5


def test_names_and_make():
    assert names() == sorted(names())
    assert len(names()) == 21
    for name in names():
        problem = make(name)
        assert problem.name == name
        assert gd.problems.__dict__[name].__doc__.count("References") == 1
        assert problem.bounds is not None


def test_problems_can_be_sent_to_other_processes():
    for name in names():
        problem = make(name)
        again = pickle.loads(pickle.dumps(problem))
        assert again.fun is problem.fun
        assert again.grad is problem.grad
        np.testing.assert_array_equal(again.bounds, problem.bounds)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "himelblau"}, ValueError, "'himelblau' is not in the catalogue. Did you mean 'himmelblau'"),
        ({"name": "himmelblau", "dim": 2}, TypeError, "himmelblau has no option 'dim'; it takes no options"),
        ({"name": "quadratic", "conditon": 2}, TypeError, "Did you mean 'condition'"),
        ({"name": "quadratic", "condition": 0.5}, ValueError, "condition must be"),
        ({"name": "quadratic", "rotation": -1}, ValueError, "rotation must be"),
        ({"name": "rosenbrock", "dim": 1}, ValueError, "at least 2"),
        ({"name": "rastrigin", "dim": 0}, ValueError, "dim must be at least 1"),
        ({"name": "rastrigin", "dim": 2.5}, TypeError, "dim must be a positive integer"),
        ({"name": "lennard_jones", "atoms": 1}, ValueError, "atoms must be at least 2"),
        ({"name": "phase_oscillators", "n": 2}, ValueError, "n must be at least 3"),
    ],
)
def test_bad_options(arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)
