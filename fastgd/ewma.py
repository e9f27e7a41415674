"""The exponentially weighted average of a series."""

from __future__ import annotations

from typing import Any

import numpy as np

from .boxes import real_array
from .calls import explain_calls
from .jit.targets import stored

__all__ = ["ewma"]


@explain_calls()
def ewma(values: Any, beta: Any, bias_correction: bool = True, axis: int = 0) -> np.ndarray:
    r"""The exponentially weighted average of a series, at each of its steps.

    .. math:: m_t = \beta m_{t-1} + (1 - \beta) v_t, \quad m_0 = 0, \qquad \hat m_t = \frac{m_t}{1 - \beta^t}

    for t = 1, 2, ...  It averages over the last :math:`1 / (1 - \beta)` values or so.  The corrected :math:`\hat m_t`
    is a weighted mean of :math:`v_1, \dots, v_t`, and :math:`\hat m_1 = v_1`; :math:`m_t` begins near 0.

    Parameters
    ----------
    values : array_like, shape (..., steps, ...)
        The series; one for each place along the other axes.
    beta : float or array_like
        The weight :math:`\beta` of the past, in [0, 1).  An array broadcasts with the shape of `values` without `axis`.
    bias_correction : bool, default True
        Whether to return :math:`\hat m_t` rather than :math:`m_t`.
    axis : int, default 0
        The axis of the steps, in `values` and in the result; a negative one counts from the last axis of both.

    Returns
    -------
    ndarray of float64
        The shape of `values`, with the other axes broadcast with `beta`.

    Raises
    ------
    TypeError, ValueError
        For arguments of other types, shapes or ranges.

    Notes
    -----
    A NaN makes its own average and all later ones of its series NaN: leave such values out before.  An infinite value
    makes them infinite.

    ``pandas``' ``ewm(alpha=1 - beta, adjust=True).mean()`` is the corrected one; with ``adjust=False`` it begins at
    :math:`m_1 = v_1` without a correction.

    References
    ----------
    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, arXiv:1412.6980 (the bias correction).

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.ewma([1.0, 2.0, 4.0], beta=0.5, bias_correction=False)
    array([0.5  , 1.25 , 2.625])
    >>> gd.ewma([1.0, 2.0, 4.0], beta=0.5)
    array([1.        , 1.66666667, 3.        ])
    >>> gd.ewma([[1.0, 2.0, 4.0]], beta=[[0.5], [0.0]], axis=-1).shape
    (2, 1, 3)
    """
    series, weights = real_array(values, "values"), real_array(beta, "beta")
    if series.ndim == 0:
        raise ValueError(f"values must have at least one axis, got the number {values!r}")
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise TypeError(f"axis must be an integer, got {axis!r}")
    if not -series.ndim <= axis < series.ndim:
        low, high = -series.ndim, series.ndim - 1
        raise ValueError(f"axis must be in [{low}, {high}] for values of shape {series.shape}, got {axis}")
    if not isinstance(bias_correction, (bool, np.bool_)):
        raise TypeError(f"bias_correction must be True or False, got {bias_correction!r}")
    good = (weights >= 0) & (weights < 1)
    if not good.all():
        raise ValueError(f"beta must be in [0, 1), got {weights[~good].flat[0]:g}")
    columns = np.moveaxis(series, axis, -1)
    try:
        rest = np.broadcast_shapes(columns.shape[:-1], weights.shape)
    except ValueError:
        raise ValueError(
            f"beta of shape {weights.shape} does not broadcast with the shape {columns.shape[:-1]} that values have "
            "without the axis of the steps"
        ) from None
    whole = np.moveaxis(np.broadcast_to(columns, rest + columns.shape[-1:]), -1, axis)
    place = axis % whole.ndim
    shape = (int(np.prod(whole.shape[:place])), whole.shape[place], int(np.prod(whole.shape[place + 1 :])))
    averages = np.empty(shape)
    weight_of = np.ascontiguousarray(np.broadcast_to(weights, rest)).reshape(shape[0], shape[2])
    average_along(np.ascontiguousarray(whole).reshape(shape), weight_of, bool(bias_correction), averages)
    return averages.reshape(whole.shape)


@stored
def average_along(values, beta, corrected, out):
    """Average `values` (before, steps, after) along its steps; the runs of memory stay the inner loop.

    SciPy's lfilter takes one beta for all series, and its import is slow.
    """
    before, steps, after = values.shape
    share = np.empty(after)
    for i in range(before):
        for j in range(after):
            share[j] = 0.0  # 1 - beta^t
        for t in range(steps):
            for j in range(after):
                new = 1.0 - beta[i, j]
                before_this, share[j] = share[j], beta[i, j] * share[j] + new
                gain = new / share[j] if corrected else new
                kept = beta[i, j] * before_this / share[j] if corrected else beta[i, j]  # 1 - gain, without rounding
                old = out[i, t - 1, j] if t > 0 else 0.0
                # where nothing is kept, an infinite `old` has to go
                out[i, t, j] = gain * values[i, t, j] + (0.0 if kept == 0.0 else kept * old)
