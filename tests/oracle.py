"""Derivatives to fifty digits, from the same source with mpmath in the place of ``math``."""

import types

import mpmath
import numpy as np


def copysign(u, v):
    return abs(u) if v >= 0 else -abs(u)


class HighPrecision:
    """What ``math`` is to a function under test; constants stay the doubles that the function uses."""

    pi, e = np.pi, np.e
    fabs, pow = staticmethod(abs), staticmethod(lambda u, v: u**v)
    copysign = staticmethod(copysign)
    log2 = staticmethod(lambda u: mpmath.log(u) / mpmath.log(2))
    log = staticmethod(lambda u, base=mpmath.e: mpmath.log(u) / mpmath.log(base))
    exp2 = staticmethod(lambda u: mpmath.mpf(2) ** u)
    cbrt = staticmethod(lambda u: copysign(abs(u) ** (mpmath.mpf(1) / 3), u))
    float64 = mpmath.mpf
    square = staticmethod(lambda u: u * u)
    power = staticmethod(lambda u, v: u**v)

    def __getattr__(self, name):
        alias = {"arcsin": "asin", "arctan2": "atan2", "arctan": "atan", "abs": "fabs"}
        return getattr(mpmath, alias.get(name, name))


def precise(fun):
    """Return a copy of a function that computes in mpmath's precision."""
    namespace = {**fun.__globals__, "math": HighPrecision(), "np": HighPrecision()}
    return types.FunctionType(fun.__code__, namespace, closure=fun.__closure__, argdefs=fun.__defaults__)


def precise_value(fun, x, data=()):
    with mpmath.workdps(50):
        return precise(fun)([mpmath.mpf(float(v)) for v in x], *data)


def precise_partial(fun, x, orders, data=()):
    """Return a mixed partial derivative of given orders, as a float."""
    with mpmath.workdps(50):
        f = precise(fun)
        return float(
            mpmath.diff(lambda *p: f(list(p), *data), tuple(mpmath.mpf(float(v)) for v in x), orders)
        )


def precise_gradient(fun, x, data=()):
    unit = np.eye(len(x), dtype=int)
    return np.array([precise_partial(fun, x, tuple(map(int, row)), data) for row in unit])


def precise_hessian(fun, x, data=()):
    unit, n = np.eye(len(x), dtype=int), len(x)
    partials = [
        [precise_partial(fun, x, tuple(map(int, unit[i] + unit[j])), data) for j in range(n)]
        for i in range(n)
    ]
    return np.array(partials)


def precise_minimum(fun, x, data=()):
    """Return the stationary point next to `x`, solved in fifty digits by Newton."""
    with mpmath.workdps(50):
        n, f = len(x), precise(fun)
        call = lambda *p: f(list(p), *data)  # noqa: E731
        unit = [tuple(int(i == k) for k in range(n)) for i in range(n)]
        point = [mpmath.mpf(float(v)) for v in x]
        for _ in range(6):
            gradient = mpmath.matrix([mpmath.diff(call, tuple(point), u) for u in unit])
            hessian = mpmath.matrix(n, n)
            for i in range(n):
                for j in range(i + 1):
                    orders = tuple(a + b for a, b in zip(unit[i], unit[j], strict=True))
                    hessian[i, j] = hessian[j, i] = mpmath.diff(call, tuple(point), orders)
            step = mpmath.lu_solve(hessian, gradient)
            point = [p - s for p, s in zip(point, step, strict=True)]
        assert max(abs(s) for s in step) < mpmath.mpf(10) ** -18
        return np.array([float(p) for p in point])
