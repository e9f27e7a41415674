"""Linear, logistic and softmax regression: means over the rows of a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgd.calls import explain_calls
from fastgd.checks import true_or_false
from fastgd.finite_sum import SAMPLES, FiniteSum
from fastgd.jit.gather import scratch
from fastgd.jit.masks import select
from fastgd.jit.options import inlined

from .softmax import make_softmax
from .tables import checked_classes, checked_penalty, checked_table

__all__ = ["linear_regression", "logistic_regression", "softmax_regression"]


@inlined
def squared(z, y):
    r = z - y
    return 0.5 * r * r


@inlined
def residual(z, y):
    return z - y


@inlined
def log_loss(z, y):
    """The logarithm of 1 + exp(z), less y z, without overflow."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z))) - y * z


@inlined
def sigmoid_residual(z, y):
    return 1.0 / (1.0 + math.exp(-z)) - y


def one_output(loss: Any, slope: Any, bias: bool, penalized: bool) -> tuple[Any, Any, Any]:
    """Loss, gradient and the gradient of four samples, of z = w·X[i] + b and y[i]; the bias is the last parameter."""

    @inlined
    def weighted(x, i, X):
        z = x[len(x) - 1] if bias else 0.0 * x[0]
        for k in range(X.shape[1]):
            z = z + x[k] * X[i, k]
        return z

    def value(x, i, X, y, l2):
        total = loss(weighted(x, i, X), y[i])
        if penalized:
            for k in range(X.shape[1]):
                total = total + 0.5 * l2 * x[k] * x[k]
        return total

    def gradient_of(count: int) -> Any:
        """``add(x, samples, out, X, y, l2)`` for so many samples, in their order in each component of `out`."""

        @inlined
        def add(x, samples, out, X, y, l2):
            z = scratch(x, count)
            for s in range(count):
                z[s] = x[len(x) - 1] if bias else 0.0 * x[0]
            for k in range(X.shape[1]):
                for s in range(count):
                    z[s] = z[s] + x[k] * X[samples[s], k]
            for s in range(count):
                z[s] = slope(z[s], y[samples[s]])
            for k in range(X.shape[1]):
                total = out[k]
                for s in range(count):
                    total = total + z[s] * X[samples[s], k]
                    if penalized:
                        total = total + l2 * x[k]
                out[k] = total
            if bias:
                for s in range(count):
                    out[len(x) - 1] += z[s]

        return add

    of_one, of_four = gradient_of(1), gradient_of(SAMPLES)

    def gradient(x, i, out, X, y, l2):
        of_one(x, (i,), out, X, y, l2)

    def four(x, samples, out, X, y, l2):
        of_four(x, samples, out, X, y, l2)

    return value, gradient, four


@explain_calls()
def linear_regression(X: Any, y: Any, *, l2: float = 0.0, bias: bool = True) -> FiniteSum:
    r"""Least squares of a linear function.

    .. math:: f(w, b) = \frac1N \sum_i \tfrac12 (w \cdot X_i + b - y_i)^2 + \tfrac{\lambda}{2} \lVert w \rVert^2

    Parameters
    ----------
    X : array_like, shape (N, p)
        One row a sample.
    y : array_like, shape (N,)
        What is to be met.
    l2 : float
        The penalty :math:`\lambda \ge 0`.
    bias : bool
        Whether there is an intercept b.

    Returns
    -------
    FiniteSum
        Of the parameters w, then b, with the minimum in `minima` where it is unique.

    Raises
    ------
    TypeError, ValueError
        If the data are not as described.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> fit = gd.problems.linear_regression([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> fit.minima
    array([[2., 1.]])
    """
    bias = true_or_false(bias, "bias")
    X, y = checked_table(X, y, "real")
    l2 = checked_penalty(l2)
    design = np.hstack([X, np.ones((len(X), 1))]) if bias else X
    penalty = np.append(np.full(X.shape[1], l2), 0.0) if bias else np.full(X.shape[1], l2)
    normal = design.T @ design / len(X) + np.diag(penalty)
    minima = None
    if np.linalg.matrix_rank(normal, hermitian=True) == len(normal):
        rows = np.vstack([design / math.sqrt(len(X)), np.diag(np.sqrt(penalty))])
        minima = np.linalg.lstsq(rows, np.append(y / math.sqrt(len(X)), np.zeros(len(penalty))))[0]
    value, gradient, four = one_output(squared, residual, bias, l2 > 0)
    return FiniteSum(
        value, gradient, grad_of_four=four, data=(X, y, l2), dim=len(penalty), minima=minima, name="linear_regression"
    )


@explain_calls()
def logistic_regression(X: Any, y: Any, *, l2: float = 0.0, bias: bool = True) -> FiniteSum:
    r"""Logistic regression, with labels 0 and 1.

    .. math::

        f(w, b) = \frac1N \sum_i \left[\log(1 + e^{z_i}) - y_i z_i\right] + \tfrac{\lambda}{2} \lVert w \rVert^2,
        \qquad z_i = w \cdot X_i + b

    Parameters
    ----------
    X : array_like, shape (N, p)
        One row a sample.
    y : array_like, shape (N,)
        The labels, 0 or 1.
    l2 : float
        The penalty :math:`\lambda \ge 0`. Without one, there is no minimum where a plane separates the labels.
    bias : bool
        Whether there is an intercept b.

    Returns
    -------
    FiniteSum
        Of the parameters w, then b.

    Raises
    ------
    TypeError, ValueError
        If the data are not as described.

    Notes
    -----
    A sample belongs to the label 1 where z > 0, with the probability 1 / (1 + exp(-z)).  For points x of shape
    (*batch, p + 1), ``z = x[..., :-1] @ X.T + x[..., -1:]`` has shape (*batch, N), and the share of right labels is
    ``np.mean((z > 0) == y, axis=-1)``.

    References
    ----------
    D. R. Cox, The regression analysis of binary sequences, doi:10.1111/j.2517-6161.1958.tb00292.x.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.iris()
    >>> problem = gd.problems.logistic_regression(X, y == 2, l2=0.01)
    >>> run = gd.minimize(problem, [0.0] * problem.dim, gd.Momentum(lr=0.5))
    >>> round(float(run.fun), 6)
    0.196099
    """
    bias = true_or_false(bias, "bias")
    X, labels = checked_table(X, y, "label")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"y must hold the labels 0 and 1, got {np.unique(labels)[:5].tolist()}")
    value, gradient, four = one_output(log_loss, sigmoid_residual, bias, checked_penalty(l2) > 0)
    data = X, labels.astype(float), checked_penalty(l2)
    return FiniteSum(
        value, gradient, grad_of_four=four, data=data, dim=X.shape[1] + bias, name="logistic_regression"
    )


def softmax_functions(classes: int, bias: bool, penalized: bool) -> tuple[Any, Any]:
    """Loss and gradient of a sample; the parameters are classes rows of weights, then the biases."""
    shift, log_sum = make_softmax(classes)

    @inlined
    def scores(x, i, X, z):
        """The scores less the largest into `z`; the logarithm of the sum of their exponentials is returned."""
        p = X.shape[1]
        for c in range(classes):
            z[c] = x[classes * p + c] if bias else 0.0
        for k in range(p):
            value = X[i, k]
            for c in range(classes):
                z[c] = z[c] + x[c * p + k] * value
        shift(z, 0)
        return log_sum(z, 0)

    def value(x, i, X, y, l2):
        z = scratch(x, classes)
        total = scores(x, i, X, z)
        for c in range(classes):
            total = total - select(y[i] == c, z[c], 0.0)
        if penalized:
            for k in range(classes * X.shape[1]):
                total = total + 0.5 * l2 * x[k] * x[k]
        return total

    def gradient(x, i, out, X, y, l2):
        z = scratch(x, classes)
        total = scores(x, i, X, z)
        p = X.shape[1]
        for c in range(classes):
            z[c] = math.exp(z[c] - total) - select(y[i] == c, 1.0, 0.0)
            if bias:
                out[classes * p + c] += z[c]
        for k in range(p):
            value = X[i, k]
            for c in range(classes):
                out[c * p + k] += z[c] * value
        if penalized:
            for k in range(classes * p):
                out[k] += l2 * x[k]

    return value, gradient


@explain_calls()
def softmax_regression(X: Any, y: Any, *, classes: int | None = None, l2: float = 0.0, bias: bool = True) -> FiniteSum:
    r"""Softmax (multinomial logistic) regression.

    .. math::

        f(W, b) = \frac1N \sum_i \left[\log \sum_c e^{z_{ic}} - z_{i y_i}\right] + \tfrac{\lambda}{2} \lVert W \rVert^2,
        \qquad z_{ic} = W_c \cdot X_i + b_c

    Parameters
    ----------
    X : array_like, shape (N, p)
        One row a sample.
    y : array_like of int, shape (N,)
        The classes 0, 1, ...
    classes : int, optional
        Their number K; by default the largest label and one.
    l2 : float
        The penalty :math:`\lambda \ge 0` on the weights.
    bias : bool
        Whether there are intercepts.

    Returns
    -------
    FiniteSum
        Of the parameters W, row by row, shape (K, p), then b, shape (K,).

    Raises
    ------
    TypeError, ValueError
        If the data are not as described.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.iris()
    >>> problem = gd.problems.softmax_regression(X, y, l2=0.01)
    >>> problem
    FiniteSum('softmax_regression', samples=150, dim=15)
    """
    bias = true_or_false(bias, "bias")
    X, labels = checked_table(X, y, "label")
    count = checked_classes(labels, classes)
    l2 = checked_penalty(l2)
    value, gradient = softmax_functions(count, bias, l2 > 0)
    dim = count * (X.shape[1] + bias)
    return FiniteSum(value, gradient, data=(X, labels, l2), dim=dim, name="softmax_regression")
