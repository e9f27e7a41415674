"""The slow oracle: update rules straight from their equations, one run at a time, one number at a time.

Nothing here is shared with the library. Each rule is the equations of its source, under the library's names
for the hyperparameters, so that ``naive.Adam(**dataclasses.asdict(optimizer))`` is the same rule. Where
sources differ, PyTorch's form is the one meant. ``lr`` may be a function of the step number. The rules with a
rate for each parameter, and those of recent years, are in ``naive_rules``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

Gradient = Callable[[np.ndarray], Sequence[float]]
Rate = float | Callable[[int], float]


class Rule(Protocol):
    """One update rule: a state for one run, and the step that changes point and state."""

    def begin(self, n: int) -> dict[str, list[float]]: ...

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]: ...


def rate(lr: Rate, t: int) -> float:
    """The learning rate used by step ``t``, counted from 0."""
    return lr(t) if callable(lr) else lr


def exponential(lr: float, gamma: float) -> Callable[[int], float]:
    """lr_t = lr * gamma**t."""
    return lambda t: lr * gamma**t


@dataclass
class GradientDescent:
    """x <- x - lr g (Cauchy, 1847)."""

    lr: Rate
    weight_decay: float = 0.0

    def begin(self, n: int) -> dict[str, list[float]]:
        return {}

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]:
        return [xi - rate(self.lr, t) * (gi + self.weight_decay * xi) for xi, gi in zip(x, g, strict=True)]


@dataclass
class Momentum:
    """b <- mu b + (1 - dampening) g with b_1 = g; x <- x - lr b.

    Polyak, 1964, doi:10.1016/0041-5553(64)90137-5, as PyTorch has it: the first buffer is g itself.
    With ``averaged``, b <- mu b + (1 - mu) g from 0, and with ``bias_correction`` x <- x - lr b / (1 - mu^t).
    """

    lr: Rate
    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 0.0
    averaged: bool = False
    bias_correction: bool = False

    def begin(self, n: int) -> dict[str, list[float]]:
        return {"b": [0.0] * n}

    def buffer(self, t: int, g: float, b: float) -> float:
        if self.averaged:
            return self.momentum * b + (1 - self.momentum) * g
        return g if t == 0 else self.momentum * b + (1 - self.dampening) * g

    def move(self, g: float, b: float) -> float:
        return b

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]:
        decayed = [gi + self.weight_decay * xi for xi, gi in zip(x, g, strict=True)]
        state["b"] = [self.buffer(t, gi, bi) for gi, bi in zip(decayed, state["b"], strict=True)]
        weights = 1 - self.momentum ** (t + 1) if self.bias_correction else 1.0
        return [
            xi - rate(self.lr, t) * self.move(gi, bi) / weights
            for xi, gi, bi in zip(x, decayed, state["b"], strict=True)
        ]


@dataclass
class Nesterov(Momentum):
    """The same buffer, x <- x - lr (g + mu b): Nesterov, 1983, in the form of Sutskever et al., ICML 2013."""

    def move(self, g: float, b: float) -> float:
        return g + self.momentum * b


@dataclass
class Adam:
    """Algorithm 1 of Kingma and Ba (arXiv:1412.6980), eps added after the bias correction.

    With ``amsgrad``, the largest uncorrected second moment so far takes the place of the last one
    (Reddi et al., arXiv:1904.09237, in PyTorch's form).
    """

    lr: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def begin(self, n: int) -> dict[str, list[float]]:
        return {"m": [0.0] * n, "v": [0.0] * n, "top": [0.0] * n}

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]:
        m, v, top = state["m"], state["v"], state["top"]
        new = []
        for i in range(len(x)):
            gi = g[i] + self.weight_decay * x[i]
            m[i] = self.beta1 * m[i] + (1 - self.beta1) * gi
            v[i] = self.beta2 * v[i] + (1 - self.beta2) * gi * gi
            top[i] = max(top[i], v[i])
            m_hat = m[i] / (1 - self.beta1 ** (t + 1))
            v_hat = (top[i] if self.amsgrad else v[i]) / (1 - self.beta2 ** (t + 1))
            new.append(x[i] - rate(self.lr, t) * m_hat / (math.sqrt(v_hat) + self.eps))
        return new


class PerParameter:
    """A rule that is told for one parameter: its ``one`` gives the new x and changes the numbers in ``s``."""

    slots: ClassVar[str] = "m v"

    def begin(self, n: int) -> dict[str, list[float]]:
        return {name: [0.0] * n for name in self.slots.split()}

    def one(self, k: int, lr: float, x: float, g: float, s: dict[str, float]) -> float:
        """One step, the k-th, counted from 1."""
        raise NotImplementedError

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]:
        new = []
        for i in range(len(x)):
            s = {name: values[i] for name, values in state.items()}
            new.append(self.one(t + 1, rate(self.lr, t), x[i], g[i], s))
            for name, values in state.items():
                values[i] = s[name]
        return new

    def moments(self, g: float, s: dict[str, float]) -> None:
        """The two averages of Adam."""
        s["m"] = self.beta1 * s["m"] + (1 - self.beta1) * g
        s["v"] = self.beta2 * s["v"] + (1 - self.beta2) * g**2


def signum(value: float) -> float:
    return math.copysign(1.0, value) if value != 0 else 0.0


def descend(rule: Rule, grad: Gradient, x0: Sequence[float], steps: int) -> np.ndarray:
    """The path of one run, shape ``(steps + 1, n)``: the start, then the point after each step."""
    x = [float(xi) for xi in x0]
    state, path = rule.begin(len(x)), [x]
    for t in range(steps):
        at = rule.probe(x, state) if hasattr(rule, "probe") else x
        x = rule.step(t, x, [float(gi) for gi in grad(np.array(at))], state)
        path.append(x)
    return np.array(path)


def quadratic(x: np.ndarray) -> list[float]:
    """The gradient of x1² + 2 x2²."""
    return [2 * x[0], 4 * x[1]]


def himmelblau(x: np.ndarray) -> list[float]:
    """The gradient of Himmelblau's function (x1² + x2 - 11)² + (x1 + x2² - 7)²."""
    a, b = x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7
    return [4 * a * x[0] + 2 * b, 2 * a + 4 * b * x[1]]


def rosenbrock(x: np.ndarray) -> list[float]:
    """The gradient of Rosenbrock's function, the sum of 100 (x_i+1 - x_i²)² + (1 - x_i)²."""
    g = [0.0] * len(x)
    for i in range(len(x) - 1):
        r = x[i + 1] - x[i] ** 2
        g[i] += -400 * x[i] * r - 2 * (1 - x[i])
        g[i + 1] += 200 * r
    return g
