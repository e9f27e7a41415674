"""Fully connected networks: their making, initializers and predictions."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgd.boxes import as_array, positive_integer, real_array, whole_seed
from fastgd.calls import explain_calls, levels_to_caller
from fastgd.checks import is_real, shown, true_or_false
from fastgd.errors import check_choice
from fastgd.finite_sum import FiniteSum
from fastgd.memory import check_memory, check_points

from .backpropagation import ACTIVATIONS, LOSSES, make_network
from .tables import checked_classes, checked_table

__all__ = ["Network", "mlp"]

INITIALIZERS = ("zeros", "normal", "xavier", "he")


class Network(FiniteSum):
    """The mean loss of a fully connected network over samples; made by `mlp`.

    Attributes
    ----------
    sizes : tuple of int
        Numbers of inputs, of nodes in each hidden layer, and of outputs.
    layers : tuple of slice
        Where the parameters of each layer stand: the weights row by row, shape (outputs, inputs), then the biases.
    activation, loss_name, output : str
        What was asked for.
    bias : bool
        Whether the layers have biases.
    """

    sizes: tuple[int, ...]
    layers: tuple[slice, ...]
    activation: str
    output: str
    loss_name: str
    bias: bool

    def __repr__(self) -> str:
        form = f"sizes={self.sizes}, activation={self.activation!r}, loss={self.loss_name!r}"
        return f"Network({form}, samples={self.samples}, dim={self.dim})"

    def sample(self, n: int, seed: int = 0, method: str = "xavier", scale: float | None = None) -> np.ndarray:
        """Draw starts by an initializer of networks; biases are 0.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            Not negative.
        method : {"xavier", "he", "normal", "zeros"}
            "xavier": weights uniform in ±sqrt(6 / (inputs + outputs)) of their layer (Glorot and Bengio, 2010). "he":
            normal with variance 2 / inputs (He et al., arXiv:1502.01852). "normal": normal with standard deviation
            `scale`. "zeros": all 0.
        scale : float, optional
            For "normal", 1 by default; for the others the weights are multiplied by it.

        Returns
        -------
        ndarray of shape (n, dim)
            The points.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range.

        References
        ----------
        X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010,
        https://proceedings.mlr.press/v9/glorot10a.html.
        """
        n, seed = positive_integer(n, "n"), whole_seed(seed)
        check_points("n", n, self.dim)
        check_choice("method", method, INITIALIZERS, " for a network")
        factor = 1.0 if scale is None else scale
        if not is_real(factor) or not 0 <= float(factor) < math.inf:
            raise ValueError(f"scale must be a finite number >= 0, got {shown(scale)}")
        generator = np.random.default_rng(seed)
        points = np.zeros((n, self.dim))
        for place, inputs, outputs in zip(self.layers, self.sizes, self.sizes[1:], strict=False):
            weights = slice(place.start, place.start + inputs * outputs)
            shape = n, inputs * outputs
            if method == "xavier":
                limit = math.sqrt(6.0 / (inputs + outputs))
                points[:, weights] = factor * generator.uniform(-limit, limit, shape)
            elif method != "zeros":
                spread = factor * (math.sqrt(2.0 / inputs) if method == "he" else 1.0)
                points[:, weights] = spread * generator.standard_normal(shape)
        return points

    def predict(self, x: ArrayLike, X: ArrayLike) -> np.ndarray:
        """Return the outputs of networks for other inputs.

        Parameters
        ----------
        x : array_like, shape (*batch, dim)
            Parameters of the networks.
        X : array_like, shape (N, inputs)
            Inputs.

        Returns
        -------
        ndarray, shape (*batch, N, outputs)
            With cross-entropy, the scores whose softmax are the probabilities; the class is the place of the largest.

        Raises
        ------
        ValueError
            If a shape does not fit.
        """
        points, a = self._points(x), real_array(X, "X")
        if a.ndim != 2 or a.shape[1] != self.sizes[0]:
            raise ValueError(f"X must have shape (N, {self.sizes[0]}), got {a.shape}")
        batch = points.shape[:-1]
        for k, place in enumerate(self.layers):
            n, m = self.sizes[k], self.sizes[k + 1]
            own = points[..., place]
            weights = own[..., : n * m].reshape(*batch, m, n)
            a = a @ np.swapaxes(weights, -1, -2)
            if self.bias:
                a = a + own[..., None, n * m :]
            a = activated(self.output if k == len(self.layers) - 1 else self.activation, a)
        return a

    def accuracy(self, x: ArrayLike, X: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Return the share of samples whose largest output is that of their class, shape (*batch,).

        Raises
        ------
        ValueError
            If there is one output only, which is no choice between classes, or `y` does not fit.
        """
        if self.sizes[-1] == 1:
            raise ValueError(
                "accuracy is for classes, and this network has one output, fitted to numbers: give integers as y"
            )
        chosen, labels = self.predict(x, X).argmax(axis=-1), as_array(y, "y")
        if labels.shape != chosen.shape[-1:] or labels.dtype.kind not in "biuf":
            raise ValueError(f"y must be {chosen.shape[-1]} classes, one for each row of X, got {shown(y)}")
        return np.mean(chosen == labels, axis=-1)


def seem_labels(y: Any) -> bool:
    """Whether numbers look like the labels of a few classes."""
    numbers = np.asarray(y)
    if numbers.dtype.kind != "f" or numbers.ndim != 1 or not np.isfinite(numbers).all():
        return False
    different = np.unique(numbers)
    return 2 <= different.size <= numbers.size // 4 and np.array_equal(different, np.arange(different.size))


def activated(name: str, z: np.ndarray) -> np.ndarray:
    if name == "sigmoid":
        return 0.5 * (1.0 + np.tanh(0.5 * z))
    return np.tanh(z) if name == "tanh" else np.maximum(z, 0.0) if name == "relu" else z


@explain_calls()
def mlp(
    X: Any,
    y: Any,
    hidden: tuple[int, ...] = (16,),
    *,
    activation: str = "tanh",
    loss: str | None = None,
    output: str = "identity",
    bias: bool = True,
    classes: int | None = None,
) -> Network:
    r"""A fully connected network that is to meet targets, with back-propagation.

    .. math:: a_0 = X_i, \qquad a_l = \sigma(W_l\, a_{l-1} + b_l), \qquad f(x) = \frac1N \sum_i \ell(a_L, y_i)

    The parameters x are one row: for each layer the weights :math:`W_l` of shape (outputs, inputs), row by row as in
    PyTorch's ``Linear``, then the biases :math:`b_l`.

    Parameters
    ----------
    X : array_like, shape (N, p)
        One row a sample.
    y : array_like
        For "mse" the targets, shape (N,) or (N, outputs), or classes as integers, which become rows of 0 and a single
        1; for "cross_entropy" classes 0, 1, ... as integers, shape (N,).
    hidden : tuple of int
        Nodes in each hidden layer; () is a network without one.
    activation : {"tanh", "sigmoid", "relu", "identity"}
        :math:`\sigma` of the hidden layers. The derivative of "relu" at 0 is 0.
    loss : {"mse", "cross_entropy"}, optional
        The mean over the outputs of the squared error, or the logarithm of the softmax at the class; by default the
        latter for integers in `y`.
    output : {"identity", "sigmoid", "tanh", "relu"}
        :math:`\sigma` of the last layer, for "mse" only.
    bias : bool
        Whether the layers have biases.
    classes : int, optional
        Number of classes; by default the largest label and one.

    Returns
    -------
    Network
        A `FiniteSum`; ``sample(method=...)`` draws from the initializers "xavier", "he", "normal" and "zeros".

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating errors,
    doi:10.1038/323533a0.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.iris()
    >>> network = gd.problems.mlp(X, y, hidden=(8,))
    >>> network.sizes, network.dim
    ((4, 8, 3), 67)
    >>> runs = gd.minimize(network, network.sample(10, seed=0), gd.Adam(lr=0.01), batch_size=16, max_steps=500)
    >>> bool(network.accuracy(runs.x, X, y).min() > 0.9)
    True
    """
    widths = hidden if isinstance(hidden, (tuple, list)) else (hidden,)
    widths = tuple(positive_integer(width, f"hidden[{k}]") for k, width in enumerate(widths))
    bias = true_or_false(bias, "bias")
    labels = as_array(y, "y").dtype.kind in "biu"
    if loss is None and not labels and seem_labels(y):
        warnings.warn(
            "y holds a few whole numbers as floats and is fitted as numbers (loss='mse'): classes are integers, as in "
            "y.astype(int); for numbers give loss='mse'",
            stacklevel=levels_to_caller(),
        )
    loss = loss if loss is not None else ("cross_entropy" if labels else "mse")
    for name, value, known in (
        ("activation", activation, ACTIVATIONS),
        ("output", output, ACTIVATIONS),
        ("loss", loss, LOSSES),
    ):
        check_choice(name, value, known)
    if loss == "cross_entropy" and output != "identity":
        raise ValueError(f'output={output!r} is for loss="mse"; cross-entropy has its softmax')
    table, target = checked_table(X, y, "label" if labels or loss != "mse" else "rows")
    if loss == "cross_entropy" or labels:
        count = checked_classes(target, classes)
        if loss == "mse":
            what = f"targets of {count:,} classes for {len(table):,} samples"
            check_memory(what, 8 * count * len(table), "give fewer")
            target = np.equal.outer(target, np.arange(count)).astype(float)
    else:
        target = target.reshape(len(table), -1)
        count = target.shape[1]
    sizes = (table.shape[1], *widths, count)
    kinds = ACTIVATIONS.index(activation), ACTIVATIONS.index(output), LOSSES.index(loss)
    value, gradient = make_network(sizes, *kinds, bias)
    edges = np.cumsum([0, *((n + bias) * m for n, m in itertools.pairwise(sizes))]).tolist()
    network = Network(value, gradient, data=(table, target), dim=edges[-1], name="mlp")
    network.sizes, network.activation, network.output = sizes, activation, output
    network.layers = tuple(slice(low, high) for low, high in itertools.pairwise(edges))
    network.loss_name, network.bias = loss, bias
    return network
