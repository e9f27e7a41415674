"""Least squares from the collection of Moré, Garbow and Hillstrom, written by their residuals."""

from __future__ import annotations

import math

from fastgd.calls import explain_calls
from fastgd.problem import Problem

ROOT5, ROOT10, ROOT90 = math.sqrt(5.0), math.sqrt(10.0), math.sqrt(90.0)


def powell_singular_value(x):
    a = x[0] + 10.0 * x[1]
    b = ROOT5 * (x[2] - x[3])
    c = (x[1] - 2.0 * x[2]) * (x[1] - 2.0 * x[2])
    d = ROOT10 * ((x[0] - x[3]) * (x[0] - x[3]))
    return a * a + b * b + c * c + d * d


def powell_singular_gradient(x, out):
    a = 2.0 * (x[0] + 10.0 * x[1])
    b = 2.0 * ROOT5 * (ROOT5 * (x[2] - x[3]))
    c = x[1] - 2.0 * x[2]
    d = x[0] - x[3]
    c = 4.0 * (c * (c * c))
    d = 4.0 * (ROOT10 * d * (ROOT10 * (d * d)))
    out[0] = a + d
    out[1] = 10.0 * a + c
    out[2] = b - 2.0 * c
    out[3] = -b - d


@explain_calls()
def powell_singular() -> Problem:
    r"""Powell's singular function: at the minimum the Hessian has two zero eigenvalues, and Newton's method is slow.

    .. math:: f(x) = (x_1 + 10 x_2)^2 + 5 (x_3 - x_4)^2 + (x_2 - 2 x_3)^4 + 10 (x_1 - x_4)^4

    Returns
    -------
    Problem
        In the box [-4, 5]⁴, with the minimum 0 at the origin.  The usual start is (3, -1, 0, 1).

    References
    ----------
    M. J. D. Powell, An iterative method for finding stationary values of a function of several
    variables, The Computer Journal 5 (1962) 147-151, doi:10.1093/comjnl/5.2.147.  J. J. Moré, B. S. Garbow, K. E.
    Hillstrom, Testing unconstrained optimization software, ACM Transactions on Mathematical Software 7 (1981) 17-41,
    doi:10.1145/355934.355936, number 13.

    Examples
    --------
    >>> import fastgd as gd
    >>> float(gd.problems.powell_singular().value([3.0, -1.0, 0.0, 1.0]))
    215.0
    """
    return Problem(
        powell_singular_value, powell_singular_gradient, dim=4, bounds=(-4, 5), minima=[(0.0,) * 4],
        name="powell_singular",
    )  # fmt: skip


def wood_value(x):
    a, b = 10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]
    c, d = ROOT90 * (x[3] - x[2] * x[2]), 1.0 - x[2]
    e, f = ROOT10 * (x[1] + x[3] - 2.0), (x[1] - x[3]) / ROOT10
    return a * a + b * b + c * c + d * d + e * e + f * f


def wood_gradient(x, out):
    a, b = 10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]
    c, d = ROOT90 * (x[3] - x[2] * x[2]), 1.0 - x[2]
    e, f = ROOT10 * (ROOT10 * (x[1] + x[3] - 2.0)), (x[1] - x[3]) / ROOT10 / ROOT10
    out[0] = 2.0 * (-20.0 * (x[0] * a) - b)
    out[1] = 2.0 * (10.0 * a + e + f)
    out[2] = 2.0 * (-2.0 * ROOT90 * (x[2] * c) - d)
    out[3] = 2.0 * (ROOT90 * c + e - f)


@explain_calls()
def wood() -> Problem:
    r"""Wood's function: two of Rosenbrock's valleys, coupled.

    .. math::

        f(x) = 100 (x_2 - x_1^2)^2 + (1 - x_1)^2 + 90 (x_4 - x_3^2)^2 + (1 - x_3)^2
               + 10 (x_2 + x_4 - 2)^2 + \tfrac{1}{10} (x_2 - x_4)^2

    Returns
    -------
    Problem
        In the box [-10, 10]⁴, with the minimum 0 at (1, 1, 1, 1).  The usual start is (-3, -1, -3, -1).

    References
    ----------
    A. R. Colville, A comparative study on nonlinear programming codes, IBM New York Scientific
    Center report 320-2949 (1968). J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization
    software, ACM Transactions on Mathematical Software 7 (1981) 17-41, doi:10.1145/355934.355936, number 14.

    Examples
    --------
    >>> import fastgd as gd
    >>> print(gd.problems.wood().value([-3.0, -1.0, -3.0, -1.0]).round(9))
    19192.0
    """
    return Problem(wood_value, wood_gradient, dim=4, bounds=(-10, 10), minima=[(1.0,) * 4], name="wood")


def helical_valley_value(x):
    turns = 0.25 + math.atan2(-x[0], x[1]) / (2.0 * math.pi)
    climb = x[2] - 10.0 * turns
    width = math.sqrt(x[0] * x[0] + x[1] * x[1]) - 1.0
    return 100.0 * (climb * climb + width * width) + x[2] * x[2]


def helical_valley_gradient(x, out):
    squares = x[0] * x[0] + x[1] * x[1]
    radius = math.sqrt(squares)
    climb = 200.0 * (x[2] - 10.0 * (0.25 + math.atan2(-x[0], x[1]) / (2.0 * math.pi)))
    width = 200.0 * (radius - 1.0) / radius
    turn = 10.0 * climb / (2.0 * math.pi * squares)
    out[0] = turn * x[1] + width * x[0]
    out[1] = -turn * x[0] + width * x[1]
    out[2] = climb + 2.0 * x[2]


@explain_calls()
def helical_valley() -> Problem:
    r"""Fletcher and Powell's helical valley: a valley that winds around the third axis.

    .. math::

        f(x) = 100 \Big[(x_3 - 10 \theta)^2 + \Big(\sqrt{x_1^2 + x_2^2} - 1\Big)^2\Big] + x_3^2, \qquad
        2 \pi \theta = \arg(x_1 + i x_2) \in \Big(-\tfrac{\pi}{2}, \tfrac{3 \pi}{2}\Big]

    The angle jumps where x₁ = 0 and x₂ < 0.

    Returns
    -------
    Problem
        In the box [-10, 10]³, with the minimum 0 at (1, 0, 0).  The usual start is (-1, 0, 0).

    References
    ----------
    R. Fletcher, M. J. D. Powell, A rapidly convergent descent method for minimization, The
    Computer Journal 6 (1963) 163-168, doi:10.1093/comjnl/6.2.163.  J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing
    unconstrained optimization software, ACM Transactions on Mathematical Software 7 (1981) 17-41,
    doi:10.1145/355934.355936, number 7.

    Examples
    --------
    >>> import fastgd as gd
    >>> float(gd.problems.helical_valley().value([-1.0, 0.0, 0.0]))
    2500.0
    """
    return Problem(
        helical_valley_value, helical_valley_gradient, dim=3, bounds=(-10, 10), minima=[(1.0, 0.0, 0.0)],
        name="helical_valley",
    )  # fmt: skip


def brown_badly_scaled_value(x):
    a = x[0] - 1e6
    b = x[1] - 2e-6
    c = x[0] * x[1] - 2.0
    return a * a + b * b + c * c


def brown_badly_scaled_gradient(x, out):
    c = x[0] * x[1] - 2.0
    out[0] = 2.0 * (x[0] - 1e6) + 2.0 * (x[1] * c)
    out[1] = 2.0 * (x[1] - 2e-6) + 2.0 * (x[0] * c)


@explain_calls()
def brown_badly_scaled() -> Problem:
    r"""Brown's badly scaled function: the parameters of the minimum differ by twelve orders of magnitude.

    .. math:: f(x) = (x_1 - 10^6)^2 + (x_2 - 2 \cdot 10^{-6})^2 + (x_1 x_2 - 2)^2

    Returns
    -------
    Problem
        In the box [0, 2·10⁶] x [0, 4·10⁻⁶], with the minimum 0 at (10⁶, 2·10⁻⁶).  The usual start is (1, 1).

    References
    ----------
    J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software, ACM
    Transactions on Mathematical Software 7 (1981) 17-41, doi:10.1145/355934.355936, number 4.

    Examples
    --------
    >>> import fastgd as gd
    >>> float(gd.problems.brown_badly_scaled().value([1.0, 1.0]))
    999998000003.0
    """
    return Problem(
        brown_badly_scaled_value, brown_badly_scaled_gradient, dim=2, bounds=[(0.0, 2e6), (0.0, 4e-6)],
        minima=[(1e6, 2e-6)], name="brown_badly_scaled",
    )  # fmt: skip
