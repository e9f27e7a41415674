"""Objectives that are means over samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgd import symbolic
from fastgd.calls import explain_calls
from fastgd.constants import Constants
from fastgd.guards import (
    check_gradient_of_several,
    check_sample_gradient,
    check_sample_value,
    checked_data,
    described,
    plain_function,
)
from fastgd.jit.checked import checked
from fastgd.jit.options import inlined
from fastgd.problem import Problem
from fastgd.sample_data import lengths_told, warn_of_transposed

__all__ = ["SAMPLES", "FiniteSum", "sum_of"]

SAMPLES = 4  # that `grad_of_four` takes at once: enough sums side by side to hide their latency


class FiniteSum(Problem):
    r"""A mean over samples, :math:`f(x) = \frac1N \sum_{i=0}^{N-1} \ell(x, i)`, to be minimized in full or in batches.

    It is used wherever a `Problem` is; its value and gradient there are those of all samples.

    Parameters
    ----------
    loss : callable
        ``loss(x, i, *data) -> float``: the loss of sample i at the point x, plain scalar Python as for `Problem`. It
        reads the data by ``X[i, k]`` and ``y[i]``.
    grad : callable, optional
        ``grad(x, i, out, *data)``: **adds** the gradient of sample i to ``out``, as in ``out[k] += ...``, so that a
        batch is summed without another array. Without it, the gradient is derived from `loss` at first use.
    grad_of_four : callable, optional
        ``grad_of_four(x, samples, out, *data)``: **adds** what `grad` adds for the samples ``samples[0]`` to
        ``samples[3]``, in this order in each component of ``out`` and by the same products and sums, so that it rounds
        the same. It is for speed alone: where runs have their batches in common, and where all samples are taken, a
        number of ``x`` or ``out`` is then read once for four samples. It needs `grad`.
    data : tuple
        Arrays and numbers, as for `Problem`. The length of the first array is the number N of samples, and that of
        all arrays that `loss` reads by ``i``; others, such as a table that all samples share, may have any.
    dim : int
        Number of parameters.
    bounds, minima, name
        As for `Problem`.

    Attributes
    ----------
    fun : callable
        Value of the mean, for compiled code.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described. The functions are called once in plain Python; a `grad` that writes in
        the place of adding is found out, and a `grad_of_four` that adds something else than `grad`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> t = np.linspace(-1.0, 1.0, 20)
    >>> line = gd.FiniteSum(lambda x, i, t, y: (x[0] + x[1] * t[i] - y[i]) ** 2, data=(t, 3 * t + 1), dim=2)
    >>> run = gd.minimize(line, [0.0, 0.0], gd.GradientDescent(lr=0.1), batch_size=4, max_steps=1000)
    >>> run.x.round(4)
    array([1., 3.])
    """

    @explain_calls()
    def __init__(
        self,
        loss: Callable[..., Any],
        grad: Callable[..., Any] | None = None,
        *,
        grad_of_four: Callable[..., Any] | None = None,
        data: tuple[Any, ...],
        dim: int,
        bounds: Any = None,
        minima: ArrayLike | None = None,
        name: str | None = None,
    ) -> None:
        self._loss = plain_function(loss, "loss")
        self._sample_grad = None if grad is None else plain_function(grad, "grad")
        self._grad_of_four = None if grad_of_four is None else plain_function(grad_of_four, "grad_of_four")
        kept = checked_data(data)
        if not kept or not isinstance(kept[0], np.ndarray) or not len(kept[0]):
            got = described(kept[0]) if kept else "an empty tuple"
            raise ValueError(f"data must begin with an array whose first axis counts the samples, not {got}.")
        self._describe(grad is None, dim, bounds, data, minima, self._loss.__name__ if name is None else name)
        with lengths_told(self.data):
            check_sample_value(self._loss, self.dim, self.bounds, self.data)
            if self._sample_grad is not None:
                check_sample_gradient(self._sample_grad, self.dim, self.bounds, self.data)
        warn_of_transposed(self.data)
        if self._grad_of_four is not None:
            if self._sample_grad is None:
                raise ValueError("grad_of_four must add what grad adds: give grad too, or leave both to be derived")
            check_gradient_of_several(
                self._grad_of_four, self._sample_grad, "grad_of_four", SAMPLES, self.dim, self.bounds, self.data
            )
        self._fun = mean_value(self._loss)
        self._grad = None
        self._constants = self._read_constants()

    def _read_constants(self) -> Constants:
        """Note what the functions read from around them."""
        return Constants([self._loss, None if self.has_derived_gradient else self._sample_grad, self._grad_of_four])

    @property
    def loss(self) -> Callable[..., Any]:
        """The loss of one sample, as given."""
        self._constants.check()
        return self._loss

    @property
    def grad_of_four(self) -> Callable[..., Any] | None:
        """As given, or None."""
        self._constants.check()
        return self._grad_of_four

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.data[0])

    @property
    def sample_grad(self) -> Callable[..., Any]:
        """The function ``grad(x, i, out, *data)`` that adds the gradient of one sample: as given, or derived.

        Raises
        ------
        DerivationError
            If it has to be derived from `loss` and cannot be.
        """
        self._constants.check()
        if self._sample_grad is None:
            self._sample_grad = symbolic.derive_sample_gradient(self._loss, self.dim, self.data, self.bounds)
        return self._sample_grad

    @property
    def grad(self) -> Callable[..., Any]:
        """The gradient of the mean, a function ``grad(x, out, *data)`` for compiled code.

        Raises
        ------
        DerivationError
            If it has to be derived from `loss` and cannot be.
        """
        self._constants.check()
        if self._grad is None:
            self._grad = mean_written(self.sample_grad, self._grad_of_four)
        return self._grad

    def _derive_hessian(self) -> Callable[..., Any]:
        return mean_written(symbolic.derive_sample_hessian(self._loss, self.dim, self.data, self.bounds))

    def __repr__(self) -> str:
        inside = super().__repr__().partition("(")[2]
        name, _, rest = inside.partition(", ")
        return f"FiniteSum({name}, samples={self.samples}, {rest}"

    def _made_anew(self) -> list[str]:
        return ["_fun", "_hess", "_grad", *(["_sample_grad"] if self.has_derived_gradient else [])]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._fun = mean_value(self._loss)


def mean_value(loss: Callable[..., Any]) -> Callable[..., Any]:
    """``fun(x, *data)``: the mean of the losses of all samples."""
    of_sample = checked(loss)

    def mean_loss(x, *data):
        samples = len(data[0])
        total = of_sample(x, 0, *data)
        for i in range(1, samples):
            total = total + of_sample(x, i, *data)
        return total / samples

    mean_loss.over_samples = True  # type: ignore[attr-defined]
    return mean_loss


def mean_written(add: Callable[..., Any], add_four: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """``write(x, out, *data)``: the mean over all samples of what ``add(x, i, out, *data)`` adds."""
    add_all = sum_of(checked(add), None if add_four is None else checked(add_four), in_order)

    def mean_gradient(x, out, *data):
        samples = len(data[0])
        for k in range(len(out)):
            out[k] = 0.0
        add_all(x, 0, samples, out, *data)
        for k in range(len(out)):
            out[k] = out[k] / samples

    mean_gradient.over_samples = True  # type: ignore[attr-defined]
    return mean_gradient


@inlined
def in_order(samples, j):
    return j


def sum_of(one: Any, four: Any, sample_of: Any) -> Any:
    """``add(x, samples, count, out, *data)``: the gradients of `count` samples, four at once where there is `four`.

    They are ``sample_of(samples, j)`` for j from 0 on.
    """

    @inlined
    def in_turn(x, samples, count, out, *data):
        for j in range(count):
            one(x, sample_of(samples, j), out, *data)

    @inlined
    def by_fours(x, samples, count, out, *data):
        whole = count - count % SAMPLES
        for j in range(0, whole, SAMPLES):
            of = (
                sample_of(samples, j), sample_of(samples, j + 1), sample_of(samples, j + 2), sample_of(samples, j + 3),
            )  # fmt: skip
            four(x, of, out, *data)
        for j in range(whole, count):
            one(x, sample_of(samples, j), out, *data)

    return in_turn if four is None else by_fours
