"""Critical points and their kinds, against 30-digit arithmetic, closed forms and published clusters."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.optimize
from cases import folded
from matplotlib.figure import Figure

import fastgd as gd
from fastgd.landscape.tree import disconnectivity_tree

S = (mpmath.mpf(-200), mpmath.mpf(-100), mpmath.mpf(-170), mpmath.mpf(15))
MB = tuple(
    zip(
        S,
        (-1, -1, mpmath.mpf("-6.5"), mpmath.mpf("0.7")),
        (0, 0, 11, mpmath.mpf("0.6")),
        (-10, -10, mpmath.mpf("-6.5"), mpmath.mpf("0.7")),
        (1, 0, mpmath.mpf("-0.5"), -1),
        (0, mpmath.mpf("0.5"), mpmath.mpf("1.5"), 1),
        strict=True,
    )
)


def mueller_brown(x, y):
    """The surface from the parameters of the paper's table, in arbitrary precision."""
    terms = (A * mpmath.exp(a * (x - X) ** 2 + b * (x - X) * (y - Y) + c * (y - Y) ** 2) for A, a, b, c, X, Y in MB)
    return mpmath.fsum(terms)


FORMULAS = {
    "himmelblau": lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
    "three_hump_camel": lambda x, y: 2 * x**2 - mpmath.mpf("1.05") * x**4 + x**6 / 6 + x * y + y**2,
    "beale": lambda x, y: (
        (mpmath.mpf("1.5") - x + x * y) ** 2
        + (mpmath.mpf("2.25") - x + x * y**2) ** 2
        + (mpmath.mpf("2.625") - x + x * y**3) ** 2
    ),
    "goldstein_price": lambda x, y: (
        (1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2))
        * (30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2))
    ),
    "mueller_brown": mueller_brown,
}


def precise(formula, start):
    """The critical point near a start in 30 digits, its value and the eigenvalues of its Hessian."""
    with mpmath.workdps(30):
        partial = [lambda *p, k=k: mpmath.diff(formula, p, tuple(int(k == i) for i in (0, 1))) for k in (0, 1)]
        point = mpmath.findroot(lambda x, y: [d(x, y) for d in partial], tuple(map(mpmath.mpf, start)), tol=1e-20)
        point = tuple(point)
        hessian = mpmath.matrix(
            [[mpmath.diff(formula, point, (2, 0)), mpmath.diff(formula, point, (1, 1))],
             [mpmath.diff(formula, point, (1, 1)), mpmath.diff(formula, point, (0, 2))]]
        )  # fmt: skip
        eigenvalues = sorted(mpmath.eigsy(hessian, eigvals_only=True))
        return np.array([float(v) for v in point]), float(formula(*point)), np.array([float(v) for v in eigenvalues])


# Of himmelblau, three_hump_camel, beale and goldstein_price: solved in 30-digit arithmetic or closed form
KNOWN = {
    "himmelblau": {
        "minimum": [
            (3, 2), (-2.80511808695274, 3.13131251825057), (-3.77931025337775, -3.28318599128617),
            (3.58442834033049, -1.8481265269644),
        ],
        "saddle": [
            (3.38515418360702, 0.0738518798377493), (0.0866775045553964, 2.88425470117478),
            (-3.07302575076439, -0.0813530442879675), (-0.12796134673068, -1.95371498024458),
        ],
        "maximum": [(-0.270844590667348, -0.923038556479981)],
    },
    "three_hump_camel": {
        "minimum": [(0, 0), (1.74755234583029, -0.873776172915144), (-1.74755234583029, 0.873776172915144)],
        "saddle": [(1.07054229182366, -0.53527114591183), (-1.07054229182366, 0.53527114591183)],
    },
    "beale": {"minimum": [(3, 0.5)], "saddle": [(0, 1)]},
    "goldstein_price": {"minimum": [(0, -1), (-0.6, -0.4), (1.8, 0.2), (1.2, 0.8)]},
}  # fmt: skip
COUNTS = {
    "himmelblau": (4, 4, 1), "three_hump_camel": (3, 2, 0), "beale": (1, 2, 0), "goldstein_price": (4, 4, 1),
    "mueller_brown": (3, 2, 0),
}  # fmt: skip
FOUND: dict[str, gd.CriticalPoints] = {}


def found_of(name: str) -> gd.CriticalPoints:
    if name not in FOUND:
        FOUND[name] = gd.find_critical_points(gd.problems.make(name), 1000)
    return FOUND[name]


@pytest.mark.parametrize("name", FORMULAS)
def test_every_point_is_critical_and_of_its_kind_in_30_digits(name):
    found = found_of(name)
    kinds = [np.count_nonzero(found.kind == kind) for kind in ("minimum", "saddle", "maximum")]
    assert tuple(kinds) == COUNTS[name]
    assert len(found) == sum(kinds)
    for k, point in enumerate(found.x):
        exact, value, eigenvalues = precise(FORMULAS[name], point)
        np.testing.assert_allclose(point, exact, rtol=0, atol=1e-10)
        assert found.fun[k] == pytest.approx(value, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(found.shape.eigenvalues[k], eigenvalues, rtol=1e-8)
        assert found.index[k] == np.count_nonzero(eigenvalues < 0)


@pytest.mark.parametrize("name", KNOWN)
def test_known_points_are_found_with_their_kind(name):
    found = found_of(name)
    for kind, points in KNOWN[name].items():
        for point in points:
            distance = np.abs(found.x - point).max(axis=1)
            nearest = int(np.argmin(distance))
            assert distance[nearest] < 1e-10
            assert found.kind[nearest] == kind


def test_two_seeds_find_the_same_points():
    other = gd.find_critical_points(gd.problems.himmelblau(), 500, seed=3)
    np.testing.assert_allclose(other.x, found_of("himmelblau").x, rtol=0, atol=1e-10)
    assert other.counts.sum() > 450


def test_mueller_brown_passes_and_barriers():
    """Minima and passes of the literature (doi:10.1007/BF00547608), and the heights between them.

    A widely copied table gives the second pass, at (0.212, 0.293), the energy -46.62. It is -72.249, as 30 digits show.
    """
    found = found_of("mueller_brown")
    assert found.kind.tolist() == ["minimum", "minimum", "minimum", "saddle", "saddle"]
    literature = [-146.700, -108.167, -80.768, -72.249, -40.665]
    np.testing.assert_allclose(found.fun, literature, rtol=0, atol=6e-4)
    places = [(-0.558, 1.442), (0.623, 0.028), (-0.050, 0.467), (0.212, 0.293), (-0.822, 0.624)]
    np.testing.assert_allclose(found.x, places, rtol=0, atol=6e-4)
    assert found.links[3:].tolist() == [[1, 2], [0, 2]]
    value = [precise(mueller_brown, place)[1] for place in places]
    assert value[3] == pytest.approx(-72.2489401, abs=1e-7)
    barriers = [[value[3] - value[1], value[3] - value[2]], [value[4] - value[0], value[4] - value[2]]]
    np.testing.assert_allclose(found.barriers[3:], barriers, rtol=1e-12)
    assert np.isnan(found.barriers[:3]).all()
    tree = found.tree()
    assert tree.parent.tolist() == [4, 3, 3, 4, -1]
    assert tree.barrier(0, 1) == pytest.approx(value[4] - value[0])
    assert tree.barrier(1, 0) == pytest.approx(value[4] - value[1])
    assert tree.barrier(2, 1) == pytest.approx(value[3] - value[2])


def test_largest_stable_rates_of_himmelblau():
    problem = gd.problems.himmelblau()
    minima = KNOWN["himmelblau"]["minimum"]
    limits = gd.classify(problem, minima).max_lr
    np.testing.assert_allclose(limits, [0.0243059, 0.0248293, 0.0149493, 0.0189720], rtol=0, atol=1e-7)
    assert gd.classify(problem, KNOWN["himmelblau"]["saddle"]).max_lr.tolist() == [0.0] * 4


def test_a_monkey_saddle_is_degenerate_and_a_tip_is_a_kink():
    found = gd.find_critical_points(gd.problems.monkey_saddle(), 100)
    assert found.kind.tolist() == ["degenerate"]
    np.testing.assert_allclose(found.x, 0, atol=1e-6)
    assert gd.classify(gd.problems.ackley(dim=2), [0.0, 0.0], method="derived").kind == "kink"


def test_a_function_that_branches_is_classified_by_differences():
    found = gd.classify(folded(), KNOWN["himmelblau"]["minimum"])
    np.testing.assert_allclose(found.max_lr, [0.0243059, 0.0248293, 0.0149493, 0.0189720], rtol=0, atol=1e-7)
    with pytest.raises(gd.DerivationError):
        gd.classify(folded(), [3.0, 2.0], method="derived")


@pytest.mark.parametrize(("atoms", "energies"), [
    (6, (-12.712062, -12.302928)),
    (7, (-16.505384, -15.935043, -15.593211, -15.533060)),
])  # fmt: skip
@pytest.mark.slow
def test_all_minima_of_small_clusters_with_their_shares(atoms, energies):
    """Energies: Wales and Doye, doi:10.1021/jp970984n; Hoare and McInnes, doi:10.1080/00018738300101561."""
    problem = gd.problems.lennard_jones(atoms=atoms)
    runs = gd.minimize(problem, problem.sample(20_000, seed=0), gd.Adam(lr=0.02), gtol=1e-7, max_steps=20_000)
    basins = gd.find_basins(runs, tol=1e-5, coordinates=lambda x: problem.value(x)[:, None])
    np.testing.assert_allclose(basins.fun, energies, rtol=0, atol=6e-7)
    assert basins.fractions.sum() == pytest.approx(1 - basins.unsettled - basins.diverged)
    assert basins.fractions.min() > 0.01
    assert gd.classify(problem, basins.x, zero_modes=6).kind.tolist() == ["minimum"] * len(energies)


@pytest.mark.slow
def test_thirteen_atoms_find_the_icosahedron():
    problem = gd.problems.lennard_jones(atoms=13)
    runs = gd.minimize(problem, problem.sample(4000, seed=0), gd.Adam(lr=0.02), gtol=1e-6, max_steps=20_000)
    basins = gd.find_basins(runs, tol=1e-5, coordinates=lambda x: problem.value(x)[:, None])
    assert basins.fun[0] == pytest.approx(-44.326801, abs=6e-7)


@pytest.mark.slow
def test_the_passes_of_six_atoms():
    """Two minima and three transition states: Doye and Wales, doi:10.1063/1.1436470."""
    problem = gd.problems.lennard_jones(atoms=6)
    runs = gd.minimize(problem, problem.sample(2000, seed=0), gd.Adam(lr=0.02), gtol=1e-7, max_steps=20_000)
    near = runs.x[runs.success]
    x0 = near + 0.1 * np.random.default_rng(0).standard_normal(near.shape)
    found = gd.find_critical_points(
        problem, x0=x0, zero_modes=6, coordinates=lambda x: problem.value(x)[:, None]
    )
    assert found.fun[found.minima] == pytest.approx([-12.712062, -12.302928], abs=6e-7)
    assert len(found.saddles) == 3
    assert (found.links[found.saddles] >= 0).all()


def test_tree_of_passes():
    tree = disconnectivity_tree([0, 1, 2, 7], [-3, -2, -1, 0], [3, 4, 5], [0.5, 0.0, 9.0], [(0, 1), (1, 2), (0, -1)])
    assert tree.fun.tolist() == [-3, -2, -1, 0, 0, 0.5]
    assert tree.parent.tolist() == [5, 4, 4, -1, 5, -1]
    assert tree.saddles.tolist() == [4, 3]
    assert tree.roots.tolist() == [3, 5]
    assert repr(tree) == "<DisconnectivityTree of 4 minima, 2 roots>"
    assert repr(disconnectivity_tree([0], [1.0], [], [], [])) == "<DisconnectivityTree of 1 minimum, 1 root>"
    assert tree.barrier(0, 7) == np.inf
    with pytest.raises(ValueError, match="no minimum of this tree"):
        tree.barrier(0, 5)


def test_picture_of_the_tree(tmp_path):
    figure, ax = gd.plot.disconnectivity(found_of("goldstein_price"), out=tmp_path / "tree.png")
    assert isinstance(figure, Figure)
    assert (tmp_path / "tree.png").read_bytes()[:4] == b"\x89PNG"
    assert ax.get_ylabel() == "value"
    # Every branch begins at the value of a minimum or a pass and ends at that of the pass above.
    heights = {round(float(y), 6) for line in ax.lines[:6] for y in line.get_ydata()[:2]}
    assert {3.0, 30.0, 84.0, 840.0, 35.0, 99.0} <= heights
    with pytest.raises(TypeError, match="points must be what find_critical_points returns"):
        gd.plot.disconnectivity([1, 2])
    with pytest.raises(ValueError, match="no minimum"):
        gd.plot.disconnectivity(disconnectivity_tree([], [], [], [], []))


def test_summary_and_repr():
    text = str(found_of("mueller_brown"))
    assert "3 minima, 2 saddles" in text
    assert "1 - 2" in text
    assert "saddle 1" in text
    assert text.startswith("CriticalPoints of mueller_brown: 3 minima, 2 saddles inside the box, from ")
    assert found_of("mueller_brown").summary(limit=1).endswith("\nand 4 more; summary(limit=) shows more")
    free = gd.find_critical_points(gd.Problem(lambda x: x[0] ** 2, dim=1), x0=[[1.0]])
    assert free.summary().startswith("CriticalPoints of lambda: 1 minimum, from 1 start\n")


@pytest.mark.parametrize(("options", "error", "match"), [
    ({"n_starts": 0}, ValueError, "n_starts must be at least 1"),
    ({"x0": [[np.nan, 0.0]]}, ValueError, "x0 must hold"),
    ({"x0": [0.0, 0.0, 0.0]}, ValueError, "must have shape"),
    ({"tol": -1.0}, ValueError, "tol must be positive"),
    ({"coordinates": lambda x: x[0]}, ValueError, "coordinates must map"),
])  # fmt: skip
def test_find_critical_points_refuses(options, error, match):
    with pytest.raises(error, match=match):
        gd.find_critical_points(gd.problems.himmelblau(), **{"n_starts": 20, **options})


def test_unusual_problems():
    tilted = gd.find_critical_points(gd.Problem(lambda x: x[0] + 2 * x[1], dim=2, bounds=(-1, 1)), 50)
    assert len(tilted) == 0
    assert tilted.tree().minima.size == 0
    line = gd.find_critical_points(gd.Problem(lambda x: x[0] ** 4 - x[0] ** 2, dim=1, bounds=(-2, 2)), 50)
    assert line.kind.tolist() == ["minimum", "minimum", "maximum"]
    np.testing.assert_allclose(line.x[:, 0], [-(0.5**0.5), 0.5**0.5, 0], atol=1e-12)
    free = gd.Problem(lambda x: x[0] ** 4 + x[1] ** 2, dim=2)
    flat = gd.find_critical_points(free, x0=np.random.default_rng(0).normal(size=(30, 2)))
    assert flat.kind.tolist() == ["degenerate"]
    with pytest.raises(ValueError, match="x0 must be given"):
        gd.find_critical_points(free)


def test_products_of_one_dimension():
    """Styblinski and Tang's function has two minima and a maximum per dimension: all combinations, 3**3."""
    found = gd.find_critical_points(gd.problems.styblinski_tang(dim=3), 3000)
    assert np.bincount(found.index, minlength=4).tolist() == [8, 12, 6, 1]
    assert (found.links[found.saddles] >= 0).all()
    assert found.tree().roots.size == 1


def test_the_second_minimum_of_rosenbrock_in_four_dimensions():
    """That there are two: Shang and Qiu, doi:10.1162/evco.2006.14.1.119. Where the second lies: by SciPy."""
    found = gd.find_critical_points(gd.problems.rosenbrock(dim=4), 500)
    assert found.kind.tolist() == ["minimum", "minimum", "saddle"]
    other = scipy.optimize.minimize(
        scipy.optimize.rosen, [-1.0, 1.0, 1.0, 1.0], jac=scipy.optimize.rosen_der, method="BFGS", options={"gtol": 1e-9}
    )
    np.testing.assert_allclose(found.x[1], other.x, atol=1e-8)
    assert found.links[2].tolist() == [0, 1]


def test_in_one_dimension_the_maximum_is_the_pass():
    found = gd.find_critical_points(gd.problems.double_well(dim=1), 50)
    assert found.kind.tolist().count("maximum") == 1
    assert found.tree().barrier(0, 1) == pytest.approx(1.0, abs=1e-12)


def test_points_where_the_function_is_not_defined_are_left_out():
    """The root x1 = -1 + sqrt(2) of the gradient is a minimum; at the other, -1 - sqrt(2), there is no value."""
    problem = gd.Problem(lambda x: x[0] ** 2 + x[1] ** 2 / 2 - math.log(x[1] + 2), dim=2, bounds=(-3, 3))
    found = gd.find_critical_points(problem)
    assert found.kind.tolist() == ["minimum"]
    np.testing.assert_allclose(found.x, [[0.0, math.sqrt(2) - 1]], atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2])
def test_an_infinite_slope_is_no_critical_point(dim):
    """2 x + 1 / (2 sqrt(x + 1)) is zero where 16 x^3 + 16 x^2 = 1 and x < 0: at two points."""
    roots = [r.real for r in np.roots([16.0, 16.0, 0.0, -1.0]) if r.real < 0]
    line, plane = lambda x: math.sqrt(x[0] + 1) + x[0] ** 2, lambda x: math.sqrt(x[0] + 1) + x[0] ** 2 + x[1] ** 2
    problem = gd.Problem([line, plane][dim - 1], dim=dim, bounds=(-3, 3))
    found = gd.find_critical_points(problem)
    np.testing.assert_allclose(np.sort(found.x[:, 0]), np.sort(roots), atol=1e-12)


def test_a_table_that_is_not_complete_says_so():
    """x⁴ - 16 x² + 5 x has 3 critical points, a sum of six 3⁶; other starts find new ones about as often."""
    double_wells = gd.problems.styblinski_tang(6)
    few = gd.find_critical_points(double_wells, 150)
    line = str(few).splitlines()[-1]
    assert line.startswith(f"{np.count_nonzero(few.counts == 1)} points were found by one start only: up to ")
    assert line.endswith(" % of further starts would find a new one; more n_starts")
    more = gd.find_critical_points(double_wells, 2000, seed=1)
    share = float(line.split("up to ")[1].split()[0]) / 100
    error = gd.measures.unseen(np.repeat(np.arange(len(few)), few.counts)).error
    gap = np.abs(more.x[:, None] - few.x[few.counts > 0]).max(axis=-1).min(axis=1)
    new = more.counts[gap > 1e-6].sum() / more.n_starts
    assert share - 0.15 < new < share + 3 * error  # evenly spread starts find more than random ones
    assert "further starts" not in str(gd.find_critical_points(gd.problems.himmelblau(), 200))
