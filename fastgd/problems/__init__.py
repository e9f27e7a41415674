"""Test functions with their boxes and known minima.

Each function of this module returns a :class:`fastgd.Problem`; `make` finds one by its name.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fastgd.calls import explain_calls
from fastgd.errors import nearest, suggesting
from fastgd.problem import Problem

from .collection import brown_badly_scaled, helical_valley, powell_singular, wood
from .factorization import matrix_factorization
from .many import double_well, quadratic, rosenbrock, styblinski_tang
from .mixture import Mixture, gaussian_mixture
from .network import Network, mlp
from .physics import lennard_jones, phase_oscillators
from .regression import linear_regression, logistic_regression, softmax_regression
from .smooth import (
    beale,
    goldstein_price,
    himmelblau,
    monkey_saddle,
    mueller_brown,
    six_hump_camel,
    three_hump_camel,
)
from .waves import ackley, griewank, levy, rastrigin

CATALOGUE = {
    maker.__name__: maker
    for maker in (
        ackley, beale, brown_badly_scaled, double_well, goldstein_price, griewank, helical_valley, himmelblau,
        lennard_jones, levy, monkey_saddle, mueller_brown, phase_oscillators, powell_singular, quadratic, rastrigin,
        rosenbrock, six_hump_camel, styblinski_tang, three_hump_camel, wood,
    )
}  # fmt: skip

__all__ = [
    "Mixture",
    "Network",
    "ackley",
    "beale",
    "brown_badly_scaled",
    "double_well",
    "gaussian_mixture",
    "goldstein_price",
    "griewank",
    "helical_valley",
    "himmelblau",
    "lennard_jones",
    "levy",
    "linear_regression",
    "logistic_regression",
    "make",
    "matrix_factorization",
    "mlp",
    "monkey_saddle",
    "mueller_brown",
    "names",
    "phase_oscillators",
    "powell_singular",
    "quadratic",
    "rastrigin",
    "rosenbrock",
    "six_hump_camel",
    "softmax_regression",
    "styblinski_tang",
    "three_hump_camel",
    "wood",
]


def __dir__() -> list[str]:
    return list(__all__)


if not TYPE_CHECKING:  # which would take any name then
    __getattr__ = suggesting(__name__, __all__)


def names() -> list[str]:
    """Return the names of the catalogue, sorted.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.names()[:3]
    ['ackley', 'beale', 'brown_badly_scaled']
    """
    return sorted(CATALOGUE)


@explain_calls(own_options=True)
def make(name: str, **options: Any) -> Problem:
    """Return a problem of the catalogue by its name.

    Parameters
    ----------
    name : str
        One of `names`.
    **options
        Arguments of the function of that name, such as ``dim``.

    Returns
    -------
    Problem
        The problem.

    Raises
    ------
    ValueError
        If there is no such problem, or an option is out of range.
    TypeError
        If the problem does not take such an option.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.problems.make("rosenbrock", dim=3)
    Problem('rosenbrock', dim=3, bounds=(-2.048, 2.048), minima=1)
    """
    if not isinstance(name, str) or name not in CATALOGUE:
        raise ValueError(
            f"name {name!r} is not in the catalogue.{nearest(name, CATALOGUE)} See problems.names()."
        )
    maker = CATALOGUE[name]
    allowed = list(inspect.signature(maker).parameters)
    for option in options:
        if option not in allowed:
            takes = f"it takes {', '.join(allowed)}" if allowed else "it takes no options"
            raise TypeError(f"{name} has no option {option!r}; {takes}.{nearest(option, allowed)}")
    return maker(**options)
