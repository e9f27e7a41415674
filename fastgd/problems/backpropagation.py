"""A fully connected network as compiled code: the passes forward and back, over one flat row of parameters."""

from __future__ import annotations

import itertools
import math
from typing import Any

from fastgd.jit.checked import within_bounds
from fastgd.jit.gather import scratch
from fastgd.jit.masks import select
from fastgd.jit.options import inlined

from .softmax import make_softmax

__all__ = ["ACTIVATIONS", "LOSSES", "make_network"]

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu")
IDENTITY, SIGMOID, TANH, RELU = range(4)
LOSSES = ("mse", "cross_entropy")


def make_activation(kind: int) -> tuple[Any, Any]:
    """``a(z)``, and its derivative as a function of a."""

    @inlined
    def identity(z):
        return z

    @inlined
    def one(a):
        return 1.0 + 0.0 * a

    @inlined
    def sigmoid(z):
        return 1.0 / (1.0 + math.exp(-z))

    @inlined
    def of_sigmoid(a):
        return a * (1.0 - a)

    @inlined
    def tanh(z):  # as accurate as the vector function, to 4 units in the last place, in three fifths of its time
        t = math.expm1(-2.0 * abs(z))
        return math.copysign(t / (t + 2.0), z)

    @inlined
    def of_tanh(a):
        return 1.0 - a * a

    @inlined
    def relu(z):
        return max(z, 0.0)

    @inlined
    def of_relu(a):
        return select(a > 0.0, 1.0, 0.0)

    return ((identity, one), (sigmoid, of_sigmoid), (tanh, of_tanh), (relu, of_relu))[kind]


def make_forward(sizes: tuple[int, ...], hidden: int, output: int, bias: bool) -> Any:
    """``forward(x, i, X, a)``: the inputs and the activations of every layer into `a`, one layer after the other."""
    layers, inputs = len(sizes) - 1, sizes[0]
    (of_hidden, _), (of_output, _) = make_activation(hidden), make_activation(output)

    @inlined
    def forward(x, i, X, a):
        for k in range(inputs):
            a[k] = X[i, k]
        weight, source = 0, 0
        for layer in range(layers):
            n, m = sizes[layer], sizes[layer + 1]
            for j in range(m):
                z = x[weight + n * m + j] if bias else 0.0 * x[0]
                for k in range(n):
                    z = z + x[weight + j * n + k] * a[source + k]
                if layer + 1 < layers:
                    a[source + n + j] = of_hidden(z)
                else:
                    a[source + n + j] = of_output(z)
            weight += n * m + (m if bias else 0)
            source += n

    return forward


def make_loss(loss: int, outputs: int) -> tuple[Any, Any]:
    """``value(a, first, i, y)`` of the outputs ``a[first:]``, and ``slopes``, which puts its derivatives there."""

    @inlined
    def mean_square(a, first, i, y):
        total = 0.0 * a[first]
        for j in range(outputs):
            r = a[first + j] - y[i, j]
            total = total + r * r
        return total / outputs

    @inlined
    def mean_square_slopes(a, first, i, y):
        for j in range(outputs):
            a[first + j] = (a[first + j] - y[i, j]) * (2.0 / outputs)

    shift, log_sum = make_softmax(outputs)

    @inlined
    def cross_entropy(a, first, i, y):
        shift(a, first)
        total = log_sum(a, first)
        for j in range(outputs):
            total = total - select(y[i] == j, a[first + j], 0.0)
        return total

    @inlined
    def cross_entropy_slopes(a, first, i, y):
        shift(a, first)
        total = log_sum(a, first)
        for j in range(outputs):
            a[first + j] = math.exp(a[first + j] - total) - select(y[i] == j, 1.0, 0.0)

    return (mean_square, mean_square_slopes) if loss == 0 else (cross_entropy, cross_entropy_slopes)


def make_network(sizes: tuple[int, ...], hidden: int, output: int, loss: int, bias: bool) -> tuple[Any, Any]:
    """Loss of a sample and its gradient by back-propagation.

    The activations of all layers lie in scratch memory of the call; going back, the derivatives with respect to the
    inputs of each layer take their place.
    """
    layers, nodes, outputs = len(sizes) - 1, sum(sizes), sizes[-1]
    dim = sum((n + bool(bias)) * m for n, m in itertools.pairwise(sizes))
    forward = make_forward(sizes, hidden, output, bias)
    loss_of, slopes_of = make_loss(loss, outputs)
    (_, slope_of_hidden), (_, slope_of_output) = make_activation(hidden), make_activation(output)
    plain_output = output == IDENTITY

    @within_bounds
    def value(x, i, X, y):
        a = scratch(x, nodes)
        forward(x, i, X, a)
        return loss_of(a, nodes - outputs, i, y)

    @within_bounds
    def gradient(x, i, out, X, y):
        a = scratch(x, nodes)
        forward(x, i, X, a)
        last = nodes - outputs
        if plain_output:
            slopes_of(a, last, i, y)
        else:
            activation = scratch(x, outputs)
            for j in range(outputs):
                activation[j] = slope_of_output(a[last + j])
            slopes_of(a, last, i, y)
            for j in range(outputs):
                a[last + j] = a[last + j] * activation[j]
        weight, target = dim, nodes
        for back in range(layers):
            n, m = sizes[layers - 1 - back], sizes[layers - back]
            target -= m
            source = target - n
            weight -= n * m + (m if bias else 0)
            for j in range(m):
                d = a[target + j]
                if bias:
                    out[weight + n * m + j] += d
                for k in range(n):
                    out[weight + j * n + k] += d * a[source + k]
            if back + 1 < layers:
                for k in range(n):
                    total = x[weight + k] * a[target]
                    for j in range(1, m):
                        total = total + x[weight + j * n + k] * a[target + j]
                    a[source + k] = total * slope_of_hidden(a[source + k])

    return value, gradient
