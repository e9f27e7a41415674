"""The slow oracle of the rules that ``naive`` leaves out: straight from the papers, one number at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from naive import Adam, PerParameter, Rate, rate, signum


@dataclass
class AdaGrad(PerParameter):
    """Duchi, Hazan, Singer, JMLR 12 (2011), figure 1 with a diagonal matrix; PyTorch's decay of the rate."""

    lr: Rate = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10
    eps_inside_root: bool = False
    slots: ClassVar[str] = "v"

    def one(self, k, lr, x, g, s):
        g = g + self.weight_decay * x
        s["v"] = (self.initial_accumulator_value if k == 1 else s["v"]) + g**2
        root = math.sqrt(s["v"] + self.eps) if self.eps_inside_root else math.sqrt(s["v"]) + self.eps
        return x - lr / (1 + (k - 1) * self.lr_decay) * g / root


@dataclass
class RMSprop(PerParameter):
    """Hinton's lecture 6.5; centered as in Graves (arXiv:1308.0850), equations 38 to 41."""

    lr: Rate = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False
    eps_inside_root: bool = False
    slots: ClassVar[str] = "v m b"

    def one(self, k, lr, x, g, s):
        g = g + self.weight_decay * x
        s["v"] = self.alpha * s["v"] + (1 - self.alpha) * g**2
        s["m"] = self.alpha * s["m"] + (1 - self.alpha) * g
        spread = max(s["v"] - s["m"] ** 2, 0.0) if self.centered else s["v"]
        root = math.sqrt(spread + self.eps) if self.eps_inside_root else math.sqrt(spread) + self.eps
        s["b"] = self.momentum * s["b"] + g / root
        return x - lr * s["b"]


@dataclass
class Adadelta(PerParameter):
    """Algorithm 1 of Zeiler (arXiv:1212.5701), with PyTorch's rate."""

    lr: Rate = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0
    slots: ClassVar[str] = "v u"

    def one(self, k, lr, x, g, s):
        g = g + self.weight_decay * x
        s["v"] = self.rho * s["v"] + (1 - self.rho) * g**2
        delta = -math.sqrt(s["u"] + self.eps) / math.sqrt(s["v"] + self.eps) * g
        s["u"] = self.rho * s["u"] + (1 - self.rho) * delta**2
        return x + lr * delta


@dataclass
class AdamW(Adam):
    """Algorithm 2 of Loshchilov and Hutter (arXiv:1711.05101), the decay times lr as in PyTorch."""

    weight_decay: float = 1e-2

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]:
        plain = Adam(self.lr, self.beta1, self.beta2, self.eps, 0.0, self.amsgrad).step(t, x, g, state)
        return [pi - rate(self.lr, t) * self.weight_decay * xi for pi, xi in zip(plain, x, strict=True)]


@dataclass
class Adamax(PerParameter):
    """Algorithm 2 of Kingma and Ba (arXiv:1412.6980), with PyTorch's eps."""

    lr: Rate = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    slots: ClassVar[str] = "m u"

    def one(self, k, lr, x, g, s):
        g = g + self.weight_decay * x
        s["m"] = self.beta1 * s["m"] + (1 - self.beta1) * g
        s["u"] = max(self.beta2 * s["u"], abs(g) + self.eps)
        return x - lr / (1 - self.beta1**k) * s["m"] / s["u"]


@dataclass
class NAdam(PerParameter):
    """Algorithm 2 of Dozat (ICLR workshop, 2016), with the momentum of its section 3, as PyTorch has it."""

    lr: Rate = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False

    def mu(self, k: int) -> float:
        return self.beta1 * (1 - 0.5 * 0.96 ** (k * self.momentum_decay))

    def one(self, k, lr, x, g, s):
        if self.decoupled_weight_decay:
            x = x * (1 - lr * self.weight_decay)
        else:
            g = g + self.weight_decay * x
        self.moments(g, s)
        product = math.prod(self.mu(i) for i in range(1, k + 1))
        m_bar = self.mu(k + 1) * s["m"] / (1 - product * self.mu(k + 1)) + (1 - self.mu(k)) * g / (1 - product)
        return x - lr * m_bar / (math.sqrt(s["v"] / (1 - self.beta2**k)) + self.eps)


@dataclass
class RAdam(PerParameter):
    """Algorithm 2 of Liu et al. (arXiv:1908.03265), with PyTorch's threshold and eps."""

    lr: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled_weight_decay: bool = False

    def one(self, k, lr, x, g, s):
        if self.decoupled_weight_decay:
            x = x * (1 - lr * self.weight_decay)
        else:
            g = g + self.weight_decay * x
        self.moments(g, s)
        m_hat = s["m"] / (1 - self.beta1**k)
        rho_inf = 2 / (1 - self.beta2) - 1
        rho = rho_inf - 2 * k * self.beta2**k / (1 - self.beta2**k)
        if rho <= 5:
            return x - lr * m_hat
        r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        return x - lr * r * m_hat * math.sqrt(1 - self.beta2**k) / (math.sqrt(s["v"]) + self.eps)


@dataclass
class Rprop(PerParameter):
    """Riedmiller and Braun, doi:10.1109/ICNN.1993.298623, without going back, as PyTorch has it."""

    lr: Rate = 1e-2
    eta_minus: float = 0.5
    eta_plus: float = 1.2
    min_step: float = 1e-6
    max_step: float = 50.0
    slots: ClassVar[str] = "step last"

    def one(self, k, lr, x, g, s):
        step = lr if k == 1 else s["step"]
        if g * s["last"] > 0:
            step = step * self.eta_plus
        elif g * s["last"] < 0:
            step, g = step * self.eta_minus, 0.0
        s["step"], s["last"] = min(max(step, self.min_step), self.max_step), g
        return x - signum(g) * s["step"]


@dataclass
class Lion(PerParameter):
    """Algorithm 2 of Chen et al. (arXiv:2302.06675)."""

    lr: Rate = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    slots: ClassVar[str] = "m"

    def one(self, k, lr, x, g, s):
        c = self.beta1 * s["m"] + (1 - self.beta1) * g
        s["m"] = self.beta2 * s["m"] + (1 - self.beta2) * g
        return x - lr * (signum(c) + self.weight_decay * x)


@dataclass
class AdaBelief(PerParameter):
    """Algorithm 2 of Zhuang et al. (arXiv:2010.07468), eps in two places as in Optax."""

    lr: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-16
    eps_root: float = 1e-16
    slots: ClassVar[str] = "m s"

    def one(self, k, lr, x, g, s):
        s["m"] = self.beta1 * s["m"] + (1 - self.beta1) * g
        s["s"] = self.beta2 * s["s"] + (1 - self.beta2) * (g - s["m"]) ** 2 + self.eps_root
        return x - lr * s["m"] / (1 - self.beta1**k) / (math.sqrt(s["s"] / (1 - self.beta2**k)) + self.eps)


@dataclass
class Yogi(PerParameter):
    """Algorithm 2 of Zaheer et al. (NeurIPS, 2018), with Optax's start and bias corrections."""

    lr: Rate = 1e-2
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-3
    initial_accumulator_value: float = 1e-6

    def one(self, k, lr, x, g, s):
        if k == 1:
            s["m"] = s["v"] = self.initial_accumulator_value
        s["m"] = self.beta1 * s["m"] + (1 - self.beta1) * g
        s["v"] = s["v"] - (1 - self.beta2) * signum(s["v"] - g**2) * g**2
        return x - lr * s["m"] / (1 - self.beta1**k) / (math.sqrt(s["v"] / (1 - self.beta2**k)) + self.eps)


@dataclass
class Adan(PerParameter):
    """Algorithm 1 of Xie et al. (arXiv:2208.06677), its betas being 1 minus these.

    Optax has 1 - beta2 in the place of beta2, at two places.
    """

    lr: Rate = 1e-3
    beta1: float = 0.98
    beta2: float = 0.92
    beta3: float = 0.99
    eps: float = 1e-8
    eps_root: float = 1e-8
    weight_decay: float = 0.0
    as_published: bool = False
    slots: ClassVar[str] = "m v n last"

    def one(self, k, lr, x, g, s):
        factor = self.beta2 if self.as_published else 1 - self.beta2
        change = 0.0 if k == 1 else g - s["last"]
        s["m"] = self.beta1 * s["m"] + (1 - self.beta1) * g
        s["v"] = self.beta2 * s["v"] + (1 - self.beta2) * change
        s["n"] = self.beta3 * s["n"] + (1 - self.beta3) * (g + factor * change) ** 2
        s["last"] = g
        m_hat, v_hat, n_hat = (
            s[name] / (1 - beta**k) for name, beta in zip("mvn", (self.beta1, self.beta2, self.beta3), strict=True)
        )
        u = (m_hat + factor * v_hat) / (math.sqrt(n_hat + self.eps_root) + self.eps)
        return x - lr * (u + self.weight_decay * x)


@dataclass
class AdEMAMix(PerParameter):
    """Algorithm 1 of Pagliardini et al. (arXiv:2409.03137), without its schedulers."""

    lr: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    beta3: float = 0.9999
    alpha: float = 5.0
    eps: float = 1e-8
    weight_decay: float = 0.0
    slots: ClassVar[str] = "m v slow"

    def one(self, k, lr, x, g, s):
        self.moments(g, s)
        s["slow"] = self.beta3 * s["slow"] + (1 - self.beta3) * g
        m_hat, v_hat = s["m"] / (1 - self.beta1**k), s["v"] / (1 - self.beta2**k)
        return x - lr * ((m_hat + self.alpha * s["slow"]) / (math.sqrt(v_hat) + self.eps) + self.weight_decay * x)


@dataclass
class ScheduleFreeSGD:
    """Equations 3 to 5 of Defazio et al. (arXiv:2405.15682), with the weights and the decay of the authors' program."""

    lr: Rate
    beta: float = 0.9
    weight_decay: float = 0.0

    def begin(self, n: int) -> dict[str, list[float]]:
        return {"z": [], "v": [0.0] * n, "rates": []}

    def probe(self, x: list[float], state: dict[str, list[float]]) -> list[float]:
        z = state["z"] or x
        return [(1 - self.beta) * zi + self.beta * xi for zi, xi in zip(z, x, strict=True)]

    def scaled(self, t: int, g: list[float], v: list[float]) -> list[float]:
        return g

    def step(self, t: int, x: list[float], g: list[float], state: dict[str, list[float]]) -> list[float]:
        y, lr = self.probe(x, state), rate(self.lr, t)
        moves = [si + self.weight_decay * yi for si, yi in zip(self.scaled(t, g, state["v"]), y, strict=True)]
        state["z"] = [zi - lr * move for zi, move in zip(state["z"] or x, moves, strict=True)]
        state["rates"].append(lr)
        weights = [max(state["rates"][: i + 1]) ** 2 for i in range(t + 1)]
        c = weights[-1] / sum(weights) if sum(weights) > 0 else 0.0
        return [(1 - c) * xi + c * zi for xi, zi in zip(x, state["z"], strict=True)]


@dataclass
class ScheduleFreeAdamW(ScheduleFreeSGD):
    """Algorithm 1 of Defazio et al., the bias correction as in the authors' program."""

    lr: Rate = 2.5e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.beta = self.beta1

    def scaled(self, t: int, g: list[float], v: list[float]) -> list[float]:
        v[:] = [self.beta2 * vi + (1 - self.beta2) * gi**2 for vi, gi in zip(v, g, strict=True)]
        correction = 1 - self.beta2 ** (t + 1)
        return [gi / (math.sqrt(vi / correction) + self.eps) for vi, gi in zip(v, g, strict=True)]
