"""Test functions of any number of parameters with waves on them: many minima, in regular patterns."""

from __future__ import annotations

import math

import numpy as np

from fastgd.boxes import checked_dim
from fastgd.calls import explain_calls
from fastgd.problem import Problem

from .many import lattice


def rastrigin_value(x):
    total = 10.0 + x[0] * x[0] - 10.0 * math.cos(2.0 * math.pi * x[0])
    for i in range(1, len(x)):
        total += 10.0 + x[i] * x[i] - 10.0 * math.cos(2.0 * math.pi * x[i])
    return total


def rastrigin_gradient(x, out):
    for i in range(len(x)):
        out[i] = 2.0 * x[i] + 20.0 * math.pi * math.sin(2.0 * math.pi * x[i])


@explain_calls()
def rastrigin(dim: int = 2) -> Problem:
    r"""Rastrigin's function: a parabola with a regular lattice of minima, 11ⁿ of them in the box.

    .. math:: f(x) = 10 n + \sum_{i=1}^n [x_i^2 - 10 \cos(2 \pi x_i)]

    Parameters
    ----------
    dim : int
        Number of parameters.

    Returns
    -------
    Problem
        In the box [-5.12, 5.12]ⁿ. The global minimum 0 is at the origin. All minima in the box are listed for
        one and two parameters, then only the global one.

    References
    ----------
    A. Törn, A. Žilinskas, Global Optimization, Springer 1989, doi:10.1007/3-540-50871-6.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.rastrigin(dim=2).minima.shape
    (121, 2)
    """
    beside = (
        0.99495863765233479545,
        1.9899122337085495607,
        2.9848557010394812469,
        3.9797838603007538091,
        4.974691390895051299,
    )
    points = (0.0, *(sign * p for p in beside for sign in (1, -1)))
    minima = lattice(points, checked_dim(dim))
    values = np.sum(minima**2 - 10.0 * np.cos(2.0 * np.pi * minima), axis=1)
    minima = minima[np.argsort(values.round(9), kind="stable")]
    return Problem(
        rastrigin_value, rastrigin_gradient, dim=dim, bounds=(-5.12, 5.12), minima=minima, name="rastrigin"
    )


def ackley_value(x):
    n = len(x)
    squares = x[0] * x[0]
    waves = math.cos(2.0 * math.pi * x[0])
    for i in range(1, n):
        squares += x[i] * x[i]
        waves += math.cos(2.0 * math.pi * x[i])
    return 20.0 + math.e - 20.0 * math.exp(-0.2 * math.sqrt(squares / n)) - math.exp(waves / n)


def ackley_gradient(x, out):
    n = len(x)
    squares = x[0] * x[0]
    waves = math.cos(2.0 * math.pi * x[0])
    for i in range(1, n):
        squares += x[i] * x[i]
        waves += math.cos(2.0 * math.pi * x[i])
    distance = math.sqrt(squares / n)
    # The tiny number makes the gradient 0 at the tip, and is lost in rounding elsewhere.
    radial = 4.0 * math.exp(-0.2 * distance) / (n * (distance + 1e-30))
    ripple = 2.0 * math.pi / n * math.exp(waves / n)
    for i in range(n):
        out[i] = radial * x[i] + ripple * math.sin(2.0 * math.pi * x[i])


@explain_calls()
def ackley(dim: int = 2) -> Problem:
    r"""Ackley's function: a sharp tip in a plain of ripples.

    .. math::

        f(x) = 20 + e - 20 \exp\Big(-0.2 \sqrt{\tfrac1n \sum_i x_i^2}\Big)
               - \exp\Big(\tfrac1n \sum_i \cos 2 \pi x_i\Big)

    Parameters
    ----------
    dim : int
        Number of parameters.

    Returns
    -------
    Problem
        In the box [-32.768, 32.768]ⁿ. The global minimum 0 at the origin is the tip of a cone: near it the
        gradient has the length 4/√n, so no run stops there by `gtol`; at the tip itself, `grad` gives 0.

    References
    ----------
    D. H. Ackley, A Connectionist Machine for Genetic Hillclimbing, Kluwer 1987,
    doi:10.1007/978-1-4613-1997-9.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.ackley(dim=2).gradient([0.0, 0.0])
    array([0., 0.])
    """
    dim = checked_dim(dim)
    return Problem(
        ackley_value,
        ackley_gradient,
        dim=dim,
        bounds=(-32.768, 32.768),
        minima=np.zeros((1, dim)),
        name="ackley",
    )


def griewank_value(x):
    squares = x[0] * x[0]
    product = math.cos(x[0])
    for i in range(1, len(x)):
        squares += x[i] * x[i]
        product *= math.cos(x[i] / math.sqrt(i + 1.0))
    return 1.0 + squares / 4000.0 - product


def griewank_gradient(x, out):
    # The product without factor i: that of all before it (kept in out) times that of all after it (carried).
    last = len(x) - 1
    before = math.cos(x[0])
    for i in range(1, len(x)):
        out[i] = before
        before *= math.cos(x[i] / math.sqrt(i + 1.0))
    if last == 0:
        out[0] = x[0] / 2000.0 + math.sin(x[0])
    else:
        scale = 1.0 / math.sqrt(last + 1.0)
        out[last] = x[last] / 2000.0 + scale * out[last] * math.sin(scale * x[last])
        after = math.cos(scale * x[last])
        for k in range(1, last):
            i = last - k
            scale = 1.0 / math.sqrt(i + 1.0)
            out[i] = x[i] / 2000.0 + scale * after * out[i] * math.sin(scale * x[i])
            after *= math.cos(scale * x[i])
        out[0] = x[0] / 2000.0 + after * math.sin(x[0])


@explain_calls()
def griewank(dim: int = 2) -> Problem:
    r"""Griewank's function: a wide parabola with many shallow minima.

    .. math:: f(x) = 1 + \frac{1}{4000} \sum_{i=1}^n x_i^2 - \prod_{i=1}^n \cos\frac{x_i}{\sqrt i}

    Parameters
    ----------
    dim : int
        Number of parameters.

    Returns
    -------
    Problem
        In the box [-600, 600]ⁿ, with the global minimum 0 at the origin.

    References
    ----------
    A. O. Griewank, Generalized descent for global optimization, Journal of Optimization Theory and
    Applications 34, 11 (1981), doi:10.1007/BF00933356.

    Examples
    --------
    >>> import fastgd as gd
    >>> float(gd.problems.griewank(dim=5).value([0.0] * 5))
    0.0
    """
    dim = checked_dim(dim)
    return Problem(
        griewank_value,
        griewank_gradient,
        dim=dim,
        bounds=(-600, 600),
        minima=np.zeros((1, dim)),
        name="griewank",
    )


def levy_value(x):
    last = len(x) - 1
    s = math.sin(math.pi * (0.75 + 0.25 * x[0]))
    total = s * s
    for i in range(last):
        u = 0.25 * (x[i] - 1.0)
        s = math.sin(math.pi * (u + 1.0) + 1.0)
        total += u * u * (1.0 + 10.0 * s * s)
    u = 0.25 * (x[last] - 1.0)
    s = math.sin(2.0 * math.pi * (u + 1.0))
    return total + u * u * (1.0 + s * s)


def levy_gradient(x, out):
    # With u = w - 1, and all sines squared written by the double angle.
    last = len(x) - 1
    for i in range(last):
        u = 0.25 * (x[i] - 1.0)
        a = 2.0 * math.pi * (u + 1.0) + 2.0
        out[i] = u * (3.0 - 2.5 * math.cos(a) + 2.5 * math.pi * u * math.sin(a))
    u = 0.25 * (x[last] - 1.0)
    a = 4.0 * math.pi * (u + 1.0)
    out[last] = u * (0.75 - 0.25 * math.cos(a) + 0.5 * math.pi * u * math.sin(a))
    out[0] += 0.25 * math.pi * math.sin(2.0 * math.pi * (0.75 + 0.25 * x[0]))


@explain_calls()
def levy(dim: int = 2) -> Problem:
    r"""Levy's function (number 13 in two dimensions is another one).

    .. math::

        f(x) = \sin^2(\pi w_1) + \sum_{i=1}^{n-1} (w_i - 1)^2 [1 + 10 \sin^2(\pi w_i + 1)]
               + (w_n - 1)^2 [1 + \sin^2(2 \pi w_n)], \qquad w_i = 1 + \frac{x_i - 1}{4}

    Parameters
    ----------
    dim : int
        Number of parameters.

    Returns
    -------
    Problem
        In the box [-10, 10]ⁿ, with the global minimum 0 at (1, ..., 1).

    References
    ----------
    M. Laguna, R. Martí, Experimental Testing of Advanced Scatter Search Designs for Global Optimization of
    Multimodal Functions, Journal of Global Optimization 33, 235 (2005), doi:10.1007/s10898-004-1936-z.

    Examples
    --------
    >>> import fastgd as gd
    >>> bool(gd.problems.levy(dim=3).value([1.0, 1.0, 1.0]) < 1e-30)
    True
    """
    dim = checked_dim(dim)
    return Problem(
        levy_value, levy_gradient, dim=dim, bounds=(-10, 10), minima=np.ones((1, dim)), name="levy"
    )
