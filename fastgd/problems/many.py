"""Test functions of any number of parameters, with gradients written for large n."""

from __future__ import annotations

import itertools
import math

import numpy as np

from fastgd.boxes import checked_dim
from fastgd.calls import explain_calls
from fastgd.checks import is_real, is_whole, past_int64, shown
from fastgd.memory import check_memory
from fastgd.problem import Problem

MAX_MINIMA = 1024


def lattice(points: tuple[float, ...], dim: int) -> np.ndarray:
    """Return the minima of a sum of equal functions of one parameter each, from those of one, best first.

    Where there are more than MAX_MINIMA of them, only the global one.
    """
    if len(points) ** min(dim, MAX_MINIMA) > MAX_MINIMA:
        return np.full((1, dim), points[0])
    places = sorted(itertools.product(range(len(points)), repeat=dim), key=lambda p: (sum(p), p))
    return np.array([[points[k] for k in place] for place in places])


def quadratic_value(x, curvature):
    total = 0.5 * curvature[0] * x[0] * x[0]
    for i in range(1, len(x)):
        total += 0.5 * curvature[i] * x[i] * x[i]
    return total


def quadratic_gradient(x, out, curvature):
    for i in range(len(x)):
        out[i] = curvature[i] * x[i]


def rotated_quadratic_value(x, matrix):
    total = 0.0
    for i in range(len(x)):
        row = matrix[i, 0] * x[0]
        for j in range(1, len(x)):
            row += matrix[i, j] * x[j]
        total += 0.5 * row * x[i]
    return total


def rotated_quadratic_gradient(x, out, matrix):
    for i in range(len(x)):
        row = matrix[i, 0] * x[0]
        for j in range(1, len(x)):
            row += matrix[i, j] * x[j]
        out[i] = row


@explain_calls()
def quadratic(dim: int = 2, condition: float = 10.0, rotation: int | None = None) -> Problem:
    r"""A convex quadratic form of given condition number.

    .. math:: f(x) = \tfrac12 x^T A x

    The eigenvalues of A go from 1 to `condition` with equal ratios. Gradient descent converges for lr < 2 /
    condition, fastest at lr = 2 / (1 + condition).

    Parameters
    ----------
    dim : int
        Number of parameters. For one, the eigenvalue is 1.
    condition : float
        Largest eigenvalue over the smallest, at least 1.
    rotation : int, optional
        Seed of a random rotation of the axes; by default A is diagonal.

    Returns
    -------
    Problem
        In the box [-5, 5]ⁿ, with the minimum 0 at the origin.

    References
    ----------
    Y. Nesterov, Lectures on Convex Optimization, 2nd ed., Springer 2018, doi:10.1007/978-3-319-91578-4.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.quadratic(dim=3, condition=100.0).hessian([0.0, 0.0, 0.0])
    array([[  1.,   0.,   0.],
           [  0.,  10.,   0.],
           [  0.,   0., 100.]])
    """
    dim = checked_dim(dim)
    if not is_real(condition) or not 1 <= float(condition) < math.inf:
        raise ValueError(f"condition must be a number of at least 1; it is {shown(condition)}.")
    eigenvalues = np.geomspace(1.0, float(condition), dim)
    box, origin = (-5, 5), np.zeros((1, dim))
    if rotation is None:
        return Problem(
            quadratic_value,
            quadratic_gradient,
            dim=dim,
            bounds=box,
            data=(eigenvalues,),
            minima=origin,
            name="quadratic",
        )
    if not is_whole(rotation, 0):
        got = f"{shown(rotation)}{past_int64(rotation)}"
        raise ValueError(f"rotation must be a seed, an integer that is not negative; it is {got}.")
    check_memory(f"rotation={rotation}: a matrix of {dim:,} x {dim:,} and its factors", 48 * dim * dim, "give fewer")
    q, _ = np.linalg.qr(np.random.default_rng(rotation).standard_normal((dim, dim)))
    matrix = (q * eigenvalues) @ q.T
    return Problem(
        rotated_quadratic_value,
        rotated_quadratic_gradient,
        dim=dim,
        bounds=box,
        data=((matrix + matrix.T) / 2,),
        minima=origin,
        name="quadratic",
    )


def rosenbrock_value(x):
    r = x[1] - x[0] * x[0]
    e = 1.0 - x[0]
    total = 100.0 * r * r + e * e
    for i in range(1, len(x) - 1):
        r = x[i + 1] - x[i] * x[i]
        e = 1.0 - x[i]
        total += 100.0 * r * r + e * e
    return total


def rosenbrock_gradient(x, out):
    # Each component is here * (2 - 400 r) - 2, plus 200 r of the pair before, which is carried along.
    last = len(x) - 1
    here = x[0]
    after = x[1]
    r = after - here * here
    out[0] = here * (2.0 - 400.0 * r) - 2.0
    for i in range(1, last):
        carried = 200.0 * r - 2.0
        here = after
        after = x[i + 1]
        r = after - here * here
        out[i] = here * (2.0 - 400.0 * r) + carried
    out[last] = 200.0 * r


def rosenbrock_minima(dim: int) -> np.ndarray:
    """Return the minima: (1, ..., 1), and from four parameters on the one near (-1, 1, ..., 1), by Newton."""
    ones = np.ones((1, dim))
    if dim < 4:
        return ones
    # The deviation from 1 halves with every component, so beyond 60 of them it is less than rounding.
    n = min(dim, 60)
    x = np.ones(n)
    x[0] = -1.0
    for _ in range(20):
        r = x[1:] - x[:-1] ** 2
        gradient, diagonal = np.zeros(n), np.zeros(n)
        gradient[:-1] = -400.0 * x[:-1] * r - 2.0 * (1.0 - x[:-1])
        gradient[1:] += 200.0 * r
        diagonal[:-1] = 800.0 * x[:-1] ** 2 - 400.0 * r + 2.0
        diagonal[1:] += 200.0
        off = np.diag(-400.0 * x[:-1], 1)
        x = x - np.linalg.solve(np.diag(diagonal) + off + off.T, gradient)
    return np.concatenate([ones, np.concatenate([x, np.ones(dim - n)])[None]])


@explain_calls()
def rosenbrock(dim: int = 2) -> Problem:
    r"""Rosenbrock's function: a curved valley with a flat floor.

    .. math:: f(x) = \sum_{i=1}^{n-1} [100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2]

    Parameters
    ----------
    dim : int
        Number of parameters, at least 2.

    Returns
    -------
    Problem
        In the box [-2.048, 2.048]ⁿ. The minimum (1, ..., 1) has the value 0; for four parameters and more
        there is a second one near (-1, 1, ..., 1) with a value of about 4.

    References
    ----------
    H. H. Rosenbrock, An Automatic Method for Finding the Greatest or Least Value of a Function, Computer
    Journal 3, 175 (1960), doi:10.1093/comjnl/3.3.175. Second minimum: Y.-W. Shang, Y.-H. Qiu, A Note on the
    Extended Rosenbrock Function, Evolutionary Computation 14, 119 (2006), doi:10.1162/evco.2006.14.1.119.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.rosenbrock(dim=4).minima.round(8)
    array([[ 1.        ,  1.        ,  1.        ,  1.        ],
           [-0.77565923,  0.61309337,  0.38206285,  0.14597202]])
    """
    if checked_dim(dim) < 2:
        raise ValueError(f"dim must be at least 2 for rosenbrock; it is {dim}.")
    return Problem(
        rosenbrock_value,
        rosenbrock_gradient,
        dim=dim,
        bounds=(-2.048, 2.048),
        minima=rosenbrock_minima(dim),
        name="rosenbrock",
    )


def styblinski_tang_value(x):
    s = x[0] * x[0]
    total = 0.5 * (s * (s - 16.0) + 5.0 * x[0])
    for i in range(1, len(x)):
        s = x[i] * x[i]
        total += 0.5 * (s * (s - 16.0) + 5.0 * x[i])
    return total


def styblinski_tang_gradient(x, out):
    for i in range(len(x)):
        out[i] = x[i] * (2.0 * x[i] * x[i] - 16.0) + 2.5


@explain_calls()
def styblinski_tang(dim: int = 2) -> Problem:
    r"""The Styblinski-Tang function: a sum of asymmetric double wells, 2ⁿ minima.

    .. math:: f(x) = \tfrac12 \sum_{i=1}^n (x_i^4 - 16 x_i^2 + 5 x_i)

    Parameters
    ----------
    dim : int
        Number of parameters.

    Returns
    -------
    Problem
        In the box [-5, 5]ⁿ. The global minimum, all x = -2.9035, has the value -39.166 n. All minima are
        listed up to ten parameters, then only the global one. For gradient flow a start in the box has the
        probability 0.515673125678ⁿ to end there.

    References
    ----------
    M. A. Styblinski, T.-S. Tang, Experiments in nonconvex optimization: stochastic approximation with
    function smoothing and simulated annealing, Neural Networks 3, 467 (1990),
    doi:10.1016/0893-6080(90)90029-K.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.styblinski_tang(dim=2)
    >>> problem.value(problem.minima).round(4)
    array([-78.3323, -64.1956, -64.1956, -50.0589])
    """
    minima = lattice((-2.9035340277711770951, 2.7468027709908369925), checked_dim(dim))
    return Problem(
        styblinski_tang_value,
        styblinski_tang_gradient,
        dim=dim,
        bounds=(-5, 5),
        minima=minima,
        name="styblinski_tang",
    )


def double_well_value(x):
    a = x[0] * x[0] - 1.0
    total = a * a
    for i in range(1, len(x)):
        total += 0.5 * x[i] * x[i]
    return total


def double_well_gradient(x, out):
    out[0] = 4.0 * x[0] * (x[0] * x[0] - 1.0)
    for i in range(1, len(x)):
        out[i] = x[i]


@explain_calls()
def double_well(dim: int = 1) -> Problem:
    r"""The symmetric double well: two minima and a barrier of height 1.

    .. math:: f(x) = (x_1^2 - 1)^2 + \tfrac12 \sum_{i=2}^n x_i^2

    Parameters
    ----------
    dim : int
        Number of parameters.

    Returns
    -------
    Problem
        In the box [-2, 2]ⁿ. The minima (±1, 0, ..., 0) have the value 0, the saddle at the origin 1.

    References
    ----------
    H. A. Kramers, Brownian motion in a field of force and the diffusion model of chemical reactions, Physica
    7, 284 (1940), doi:10.1016/S0031-8914(40)90098-2.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.double_well().minima
    array([[ 1.],
           [-1.]])
    """
    rest = (0.0,) * (checked_dim(dim) - 1)
    return Problem(
        double_well_value,
        double_well_gradient,
        dim=dim,
        bounds=(-2, 2),
        minima=[(1.0, *rest), (-1.0, *rest)],
        name="double_well",
    )
