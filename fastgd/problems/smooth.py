"""Smooth test functions of two parameters."""

from __future__ import annotations

import math

from fastgd.calls import explain_calls
from fastgd.problem import Problem


def himmelblau_value(x):
    a = x[0] * x[0] + x[1] - 11.0
    b = x[0] + x[1] * x[1] - 7.0
    return a * a + b * b


def himmelblau_gradient(x, out):
    a = x[0] * x[0] + x[1] - 11.0
    b = x[0] + x[1] * x[1] - 7.0
    out[0] = 4.0 * a * x[0] + 2.0 * b
    out[1] = 2.0 * a + 4.0 * b * x[1]


@explain_calls()
def himmelblau() -> Problem:
    """Himmelblau's function: four minima of the same value.

    .. math:: f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2

    Returns
    -------
    Problem
        In the box [-6, 6]². All four minima have the value 0.

    References
    ----------
    D. M. Himmelblau, Applied Nonlinear Programming, McGraw-Hill 1972.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.himmelblau()
    Problem('himmelblau', dim=2, bounds=(-6, 6), minima=4)
    """
    minima = [
        (3.0, 2.0),
        (-2.8051180869527448531, 3.1313125182505729658),
        (-3.7793102533777468919, -3.2831859912861694123),
        (3.5844283403304917449, -1.8481265269644035535),
    ]
    return Problem(
        himmelblau_value, himmelblau_gradient, dim=2, bounds=(-6, 6), minima=minima, name="himmelblau"
    )


def beale_value(x):
    y = x[1]
    a = 1.5 - x[0] * (1.0 - y)
    b = 2.25 - x[0] * (1.0 - y * y)
    c = 2.625 - x[0] * (1.0 - y * y * y)
    return a * a + b * b + c * c


def beale_gradient(x, out):
    y = x[1]
    y2 = y * y
    p = y - 1.0
    q = y2 - 1.0
    r = y2 * y - 1.0
    a = 1.5 + x[0] * p
    b = 2.25 + x[0] * q
    c = 2.625 + x[0] * r
    out[0] = 2.0 * (a * p + b * q + c * r)
    out[1] = 2.0 * x[0] * (a + 2.0 * b * y + 3.0 * c * y2)


@explain_calls()
def beale() -> Problem:
    r"""Beale's function: one minimum in a flat valley.

    .. math:: f(x, y) = (1.5 - x (1 - y))^2 + (2.25 - x (1 - y^2))^2 + (2.625 - x (1 - y^3))^2

    Returns
    -------
    Problem
        In the box [-4.5, 4.5]². The minimum (3, 0.5) has the value 0; there is a saddle at (0, 1).

    References
    ----------
    J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing Unconstrained Optimization Software, ACM Transactions
    on Mathematical Software 7, 17 (1981), problem 5, doi:10.1145/355934.355936.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.beale().gradient([3.0, 0.5])
    array([0., 0.])
    """
    return Problem(beale_value, beale_gradient, dim=2, bounds=(-4.5, 4.5), minima=[(3.0, 0.5)], name="beale")


def goldstein_price_value(x):
    u = x[0] + x[1] + 1.0
    v = 2.0 * x[0] - 3.0 * x[1]
    a = 19.0 - 14.0 * x[0] + 3.0 * x[0] ** 2 - 14.0 * x[1] + 6.0 * x[0] * x[1] + 3.0 * x[1] ** 2
    b = 18.0 - 32.0 * x[0] + 12.0 * x[0] ** 2 + 48.0 * x[1] - 36.0 * x[0] * x[1] + 27.0 * x[1] ** 2
    return (1.0 + u**2 * a) * (30.0 + v**2 * b)


def goldstein_price_gradient(x, out):
    # The two quadratic forms depend on x + y and on 2x - 3y alone.
    s = x[0] + x[1]
    u = s + 1.0
    v = 2.0 * x[0] - 3.0 * x[1]
    a = 19.0 + s * (3.0 * s - 14.0)
    b = 18.0 + v * (3.0 * v - 16.0)
    left = 1.0 + u * u * a
    right = 30.0 + v * v * b
    slope_s = right * u * (2.0 * a + u * (6.0 * s - 14.0))
    slope_v = left * v * (2.0 * b + v * (6.0 * v - 16.0))
    out[0] = slope_s + 2.0 * slope_v
    out[1] = slope_s - 3.0 * slope_v


@explain_calls()
def goldstein_price() -> Problem:
    r"""The Goldstein-Price function: four minima, values over six orders of magnitude in the box.

    .. math::

        f(x, y) = [1 + (x + y + 1)^2 (19 - 14x + 3x^2 - 14y + 6xy + 3y^2)] \cdot
                  [30 + (2x - 3y)^2 (18 - 32x + 12x^2 + 48y - 36xy + 27y^2)]

    Returns
    -------
    Problem
        In the box [-2, 2]². Minima (0, -1), (-0.6, -0.4), (1.8, 0.2), (1.2, 0.8) with the values 3, 30, 84,
        840.

    References
    ----------
    A. A. Goldstein, J. F. Price, On Descent from Local Minima, Mathematics of Computation 25, 569 (1971),
    doi:10.1090/S0025-5718-1971-0312365-X.

    Examples
    --------
    >>> import fastgd as gd
    >>> float(gd.problems.goldstein_price().value([0.0, -1.0]))
    3.0
    """
    minima = [(0.0, -1.0), (-0.6, -0.4), (1.8, 0.2), (1.2, 0.8)]
    return Problem(
        goldstein_price_value,
        goldstein_price_gradient,
        dim=2,
        bounds=(-2, 2),
        minima=minima,
        name="goldstein_price",
    )


def six_hump_camel_value(x):
    a = x[0] * x[0]
    b = x[1] * x[1]
    return (4.0 - 2.1 * a + a * a / 3.0) * a + x[0] * x[1] + (4.0 * b - 4.0) * b


def six_hump_camel_gradient(x, out):
    a = x[0] * x[0]
    b = x[1] * x[1]
    out[0] = x[0] * (8.0 + a * (2.0 * a - 8.4)) + x[1]
    out[1] = x[1] * (16.0 * b - 8.0) + x[0]


@explain_calls()
def six_hump_camel() -> Problem:
    r"""The six-hump camel: three pairs of minima.

    .. math:: f(x, y) = (4 - 2.1 x^2 + x^4/3) x^2 + x y + (-4 + 4 y^2) y^2

    Returns
    -------
    Problem
        In the box [-3, 3] × [-2, 2]. The global minima ±(0.0898, -0.7127) have the value -1.0316.

    References
    ----------
    L. C. W. Dixon, G. P. Szegö, The Global Optimization Problem: an Introduction, in Towards Global
    Optimisation 2, North-Holland 1978.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.six_hump_camel()
    >>> float(problem.value(problem.minima[0]))
    -1.031628453489877
    """
    half = [
        (0.089842013100318062422, -0.7126564030207396334),
        (1.7036067149699808488, -0.79608356867262511903),
        (1.6071047529201972298, 0.56865145488413137139),
    ]
    minima = [point for x, y in half for point in ((x, y), (-x, -y))]
    return Problem(
        six_hump_camel_value,
        six_hump_camel_gradient,
        dim=2,
        bounds=[(-3, 3), (-2, 2)],
        minima=minima,
        name="six_hump_camel",
    )


def three_hump_camel_value(x):
    a = x[0] * x[0]
    return a * (2.0 + a * (a / 6.0 - 1.05)) + x[0] * x[1] + x[1] * x[1]


def three_hump_camel_gradient(x, out):
    a = x[0] * x[0]
    out[0] = x[0] * (4.0 + a * (a - 4.2)) + x[1]
    out[1] = x[0] + 2.0 * x[1]


@explain_calls()
def three_hump_camel() -> Problem:
    r"""The three-hump camel: the global minimum between two others.

    .. math:: f(x, y) = 2 x^2 - 1.05 x^4 + x^6/6 + x y + y^2

    Returns
    -------
    Problem
        In the box [-5, 5]². Minima (0, 0) with the value 0, and ±(1.7476, -0.8738) with 0.2986.

    References
    ----------
    F. H. Branin, Widely Convergent Method for Finding Multiple Solutions of Simultaneous Nonlinear Equations,
    IBM Journal of Research and Development 16, 504 (1972), doi:10.1147/rd.165.0504.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.three_hump_camel().minima.shape
    (3, 2)
    """
    x, y = 1.7475523458302888986, -0.87377617291514444929
    return Problem(
        three_hump_camel_value,
        three_hump_camel_gradient,
        dim=2,
        bounds=(-5, 5),
        minima=[(0.0, 0.0), (x, y), (-x, -y)],
        name="three_hump_camel",
    )


def monkey_saddle_value(x):
    return x[0] * (x[0] * x[0] - 3.0 * x[1] * x[1])


def monkey_saddle_gradient(x, out):
    out[0] = 3.0 * (x[0] * x[0] - x[1] * x[1])
    out[1] = -6.0 * x[0] * x[1]


@explain_calls()
def monkey_saddle() -> Problem:
    r"""The monkey saddle: a degenerate stationary point, no minimum.

    .. math:: f(x, y) = x^3 - 3 x y^2

    The Hessian vanishes at the origin. Descent leaves it along one of three valleys, 120° apart, to minus
    infinity.

    Returns
    -------
    Problem
        In the box [-2, 2]², without minima.

    References
    ----------
    D. Hilbert, S. Cohn-Vossen, Geometry and the Imagination, Chelsea 1952.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.monkey_saddle().gradient([1.0, 1.0])
    array([ 0., -6.])
    """
    return Problem(monkey_saddle_value, monkey_saddle_gradient, dim=2, bounds=(-2, 2), name="monkey_saddle")


def mueller_brown_value(x):
    x1 = x[0] - 1.0
    x3 = x[0] + 0.5
    x4 = x[0] + 1.0
    y2 = x[1] - 0.5
    y3 = x[1] - 1.5
    y4 = x[1] - 1.0
    return (
        -200.0 * math.exp(-x1 * x1 - 10.0 * x[1] * x[1])
        - 100.0 * math.exp(-x[0] * x[0] - 10.0 * y2 * y2)
        - 170.0 * math.exp(-6.5 * x3 * x3 + 11.0 * x3 * y3 - 6.5 * y3 * y3)
        + 15.0 * math.exp(0.7 * x4 * x4 + 0.6 * x4 * y4 + 0.7 * y4 * y4)
    )


def mueller_brown_gradient(x, out):
    x1 = x[0] - 1.0
    x3 = x[0] + 0.5
    x4 = x[0] + 1.0
    y2 = x[1] - 0.5
    y3 = x[1] - 1.5
    y4 = x[1] - 1.0
    e1 = 400.0 * math.exp(-x1 * x1 - 10.0 * x[1] * x[1])
    e2 = 200.0 * math.exp(-x[0] * x[0] - 10.0 * y2 * y2)
    e3 = -170.0 * math.exp(-6.5 * x3 * x3 + 11.0 * x3 * y3 - 6.5 * y3 * y3)
    e4 = 15.0 * math.exp(0.7 * x4 * x4 + 0.6 * x4 * y4 + 0.7 * y4 * y4)
    out[0] = e1 * x1 + e2 * x[0] + e3 * (11.0 * y3 - 13.0 * x3) + e4 * (1.4 * x4 + 0.6 * y4)
    out[1] = e1 * 10.0 * x[1] + e2 * 10.0 * y2 + e3 * (11.0 * x3 - 13.0 * y3) + e4 * (0.6 * x4 + 1.4 * y4)


@explain_calls()
def mueller_brown() -> Problem:
    r"""The Müller-Brown surface: a model of a reaction with one intermediate.

    .. math::

        V(x, y) = \sum_{k=1}^4 A_k \exp[a_k (x - X_k)^2 + b_k (x - X_k)(y - Y_k) + c_k (y - Y_k)^2]

    with A = (-200, -100, -170, 15), a = (-1, -1, -6.5, 0.7), b = (0, 0, 11, 0.6), c = (-10, -10, -6.5, 0.7),
    X = (1, 0, -0.5, -1), Y = (0, 0.5, 1.5, 1).

    Returns
    -------
    Problem
        In the box [-1.5, 1.2] × [-0.2, 2]. Three minima with the values -146.70, -108.17 and -80.77.

    References
    ----------
    K. Müller, L. D. Brown, Location of saddle points and minimum energy paths by a constrained simplex
    optimization procedure, Theoretica Chimica Acta 53, 75 (1979), doi:10.1007/BF00547608.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.mueller_brown()
    >>> problem.value(problem.minima).round(3)
    array([-146.7  , -108.167,  -80.768])
    """
    minima = [
        (-0.55822363463302427747, 1.4417258418046686551),
        (0.62349940493087650977, 0.028037758528685665749),
        (-0.050010822998206057751, 0.46669410487197208777),
    ]
    return Problem(
        mueller_brown_value,
        mueller_brown_gradient,
        dim=2,
        bounds=[(-1.5, 1.2), (-0.2, 2.0)],
        minima=minima,
        name="mueller_brown",
    )
