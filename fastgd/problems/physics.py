"""Energies from physics: atoms in a cluster, phases of coupled oscillators."""

from __future__ import annotations

import itertools
import math

import numpy as np

from fastgd.boxes import positive_integer
from fastgd.calls import explain_calls
from fastgd.problem import Problem

GOLDEN = (1.0 + math.sqrt(5.0)) / 2.0


def lennard_jones_value(x):
    total = 0.0
    for i in range(1, len(x) // 3):
        for j in range(i):
            dx = x[3 * i] - x[3 * j]
            dy = x[3 * i + 1] - x[3 * j + 1]
            dz = x[3 * i + 2] - x[3 * j + 2]
            s = 1.0 / (dx * dx + dy * dy + dz * dz)
            s3 = s * s * s
            total += 4.0 * s3 * (s3 - 1.0)
    return total


def lennard_jones_gradient(x, out):
    # The sums of atom i over earlier atoms stay in variables; later atoms add to what is then in out.
    out[0] = 0.0
    out[1] = 0.0
    out[2] = 0.0
    for i in range(1, len(x) // 3):
        xi = x[3 * i]
        yi = x[3 * i + 1]
        zi = x[3 * i + 2]
        gx = 0.0
        gy = 0.0
        gz = 0.0
        for j in range(i):
            dx = xi - x[3 * j]
            dy = yi - x[3 * j + 1]
            dz = zi - x[3 * j + 2]
            s = 1.0 / (dx * dx + dy * dy + dz * dz)
            s3 = s * s * s
            slope = 24.0 * s * s3 * (1.0 - 2.0 * s3)
            gx += slope * dx
            gy += slope * dy
            gz += slope * dz
            out[3 * j] -= slope * dx
            out[3 * j + 1] -= slope * dy
            out[3 * j + 2] -= slope * dz
        out[3 * i] = gx
        out[3 * i + 1] = gy
        out[3 * i + 2] = gz


def lennard_jones_shape(atoms: int) -> np.ndarray | None:
    """Return the best known cluster as an ideal body in equilibrium, where symmetry fixes all but the scale.

    With pair distances s d_ij the energy is 4 (S12 / s¹² - S6 / s⁶), so s⁶ = 2 S12 / S6.
    """
    if atoms == 2:
        shape = np.array([(-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)])
    elif atoms == 3:
        shape = np.array([(math.cos(a), math.sin(a), 0.0) for a in (0.0, 2 * math.pi / 3, 4 * math.pi / 3)])
    elif atoms == 4:
        shape = np.array([(1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)])
    elif atoms == 6:
        shape = np.concatenate([np.eye(3), -np.eye(3)])
    elif atoms == 13:
        corners = [(0.0, a, b * GOLDEN) for a, b in itertools.product((1.0, -1.0), repeat=2)]
        shape = np.array([(0.0, 0.0, 0.0), *(np.roll(c, k) for k in range(3) for c in corners)])
    else:
        return None
    first, second = np.triu_indices(atoms, 1)
    squares = np.sum((shape[first] - shape[second]) ** 2, axis=1)
    scale = (2.0 * np.sum(squares**-6) / np.sum(squares**-3)) ** (1 / 6)
    return scale * shape


@explain_calls()
def lennard_jones(atoms: int = 3) -> Problem:
    r"""The energy of a cluster of Lennard-Jones atoms, in reduced units (ε = σ = 1).

    .. math:: E = 4 \sum_{i<j} (r_{ij}^{-12} - r_{ij}^{-6})

    The parameters are ``x1, y1, z1, x2, y2, z2, ...``. Moving or turning the whole cluster changes nothing,
    so every minimum is a continuum of points. Starts drawn from the box often have two atoms almost on top of
    each other, where the gradient is huge.

    Parameters
    ----------
    atoms : int
        Number of atoms, at least 2; ``dim`` is three times as many.

    Returns
    -------
    Problem
        In a cube with a volume of about ten for each atom. For 2, 3, 4, 6 and 13 atoms, `minima` is one
        orientation of the best known cluster (pair, triangle, tetrahedron, octahedron, centred icosahedron),
        with energies -1, -3, -6, -12.712062 and -44.326801.

    References
    ----------
    D. J. Wales, J. P. K. Doye, Global Optimization by Basin-Hopping and the Lowest Energy Structures of
    Lennard-Jones Clusters Containing up to 110 Atoms, Journal of Physical Chemistry A 101, 5111 (1997),
    doi:10.1021/jp970984n.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.lennard_jones(atoms=13)
    >>> problem.value(problem.minima).round(6)
    array([-44.326801])
    """
    if positive_integer(atoms, "atoms") < 2:
        raise ValueError(f"atoms must be at least 2; it is {atoms}.")
    shape = lennard_jones_shape(atoms)
    side = round((10.0 * atoms) ** (1 / 3) / 2, 1)
    return Problem(
        lennard_jones_value,
        lennard_jones_gradient,
        dim=3 * atoms,
        bounds=(-side, side),
        minima=None if shape is None else shape.reshape(1, -1),
        name="lennard_jones",
    )


def phase_oscillators_value(x):
    last = len(x) - 1
    total = -math.cos(x[0] - x[last])
    for i in range(last):
        total -= math.cos(x[i + 1] - x[i])
    return total


def phase_oscillators_gradient(x, out):
    last = len(x) - 1
    here = x[0]
    closing = math.sin(here - x[last])
    before = closing
    for i in range(last):
        after = x[i + 1]
        pull = math.sin(after - here)
        out[i] = before - pull
        before = pull
        here = after
    out[last] = before - closing


@explain_calls()
def phase_oscillators(n: int = 8) -> Problem:
    r"""A ring of n identical phase oscillators, each coupled to its two neighbours, as a gradient system.

    .. math:: E(\theta) = -\sum_{i=1}^n \cos(\theta_{i+1} - \theta_i), \qquad \theta_{n+1} = \theta_1

    The flow :math:`\dot\theta = -\nabla E` is the Kuramoto model on a ring, in the frame that rotates with
    the common frequency. Its attractors are the twisted states :math:`\theta_i = 2\pi q i / n` with
    :math:`|q| < n/4`: the phase winds q times around the ring. Adding the same angle to all phases changes
    nothing, and neither does a full turn of one.

    Parameters
    ----------
    n : int
        Number of oscillators, at least 3.

    Returns
    -------
    Problem
        In the box [-π, π]ⁿ. `minima` holds the twisted states q = 0, 1, -1, 2, -2, ..., energies -n
        cos(2πq/n).

    References
    ----------
    D. A. Wiley, S. H. Strogatz, M. Girvan, The size of the sync basin, Chaos 16, 015103 (2006),
    doi:10.1063/1.2165594.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.phase_oscillators(n=12)
    >>> problem.value(problem.minima).round(3)
    array([-12.   , -10.392, -10.392,  -6.   ,  -6.   ])
    """
    if positive_integer(n, "n") < 3:
        raise ValueError(f"n must be at least 3, as each oscillator has two neighbours; it is {n}.")
    windings = [0] + [sign * q for q in range(1, (n + 3) // 4) for sign in (1, -1)]
    minima = 2.0 * math.pi * np.outer(windings, np.arange(n)) / n
    return Problem(
        phase_oscillators_value,
        phase_oscillators_gradient,
        dim=n,
        bounds=(-math.pi, math.pi),
        minima=minima,
        name="phase_oscillators",
    )
