"""What a user would pick instead, on the same work (float64, this machine's cores).

    pip install torch==2.13.0 jax optax scipy numpy && python peers.py [jax|torch|scipy ...]

Prints lines `peer case figure`: nanoseconds per step of one run, or microseconds per start for SciPy.
Every figure is the best of several warm runs; compile time is not in it. With `--serve PEER` it answers the
requests of the comparison instead. With PEER_DEVICE=cuda JAX and PyTorch run on the GPU, or not at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np
from serve import Work, best, serve

HIMMELBLAU_BOX, RASTRIGIN_BOX = 6.0, 5.0
ON_GPU = os.environ.get("PEER_DEVICE") == "cuda"


def starts(runs: int, dim: int, box: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-box, box, (runs, dim))


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


class Digits:
    """Logistic regression of odd and even digits by mini-batches of 32, from zeros, 4,096 runs.

    ``digits-sgd32``: 4,096 seeds, each with one of 64 learning rates; ``-grid``: 64 seeds times 64 learning rates;
    ``-shared``: one seed.  The batches are fastgd's own: `indices` has the shape (steps, seeds, 32).
    """

    runs, size, steps = 4096, 32, 500

    def __init__(self, case: str) -> None:
        from fastgd import datasets
        from fastgd.sampling import shuffled

        self.X, digit = datasets.digits()
        self.y = (digit % 2).astype(float)
        self.rates = np.logspace(-3, -1, 64)
        self.layout = case.removeprefix("digits-sgd32").strip("-") or "own"
        self.seeds = np.arange({"own": 4096, "grid": 64, "shared": 1}[self.layout])
        places, samples = self.steps * self.size, len(self.X)
        epochs = range(places // samples + 1)
        orders = [np.concatenate([shuffled(samples, int(s), e) for e in epochs])[:places] for s in self.seeds]
        in_steps = np.array(orders, np.int32).reshape(len(self.seeds), self.steps, self.size)
        self.indices = np.ascontiguousarray(in_steps.transpose(1, 0, 2))


def jax_digits(case: str) -> Work:
    """`vmap` of a `scan` over the steps, one Optax loop for each run; what runs share is not mapped over."""
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    digits = Digits(case)
    X, y = jnp.asarray(digits.X), jnp.asarray(digits.y)

    def loss(w, rows, labels):
        z = rows @ w[:-1] + w[-1]
        return jnp.mean(jnp.logaddexp(0.0, z) - labels * z)

    def one(rate, indices):
        rule, w = optax.sgd(rate), jnp.zeros(X.shape[1] + 1)

        def body(carry, batch):
            w, state = carry
            change, state = rule.update(jax.grad(loss)(w, X[batch], y[batch]), state)
            return (optax.apply_updates(w, change), state), None

        return jax.lax.scan(body, (w, rule.init(w)), indices)[0][0]

    rates, indices = jnp.asarray(digits.rates), jnp.asarray(digits.indices)
    if digits.layout == "own":
        run, arguments = jax.vmap(one, in_axes=(0, 1)), (jnp.tile(rates, 64), indices)
    elif digits.layout == "grid":
        run, arguments = jax.vmap(jax.vmap(one, in_axes=(0, None)), in_axes=(None, 1)), (rates, indices)
    else:
        run, arguments = jax.vmap(one, in_axes=(0, None)), (jnp.tile(rates, 64), indices[:, 0])
    compiled = jax.jit(run)
    return Work(lambda: compiled(*arguments).block_until_ready(), lambda _: digits.runs * digits.steps)


def torch_digits(case: str) -> Work:
    """A loop over the runs, of which one is timed: they all do the same."""
    import torch

    digits = Digits(f"{case}-shared")
    X, y, batches = (torch.tensor(array) for array in (digits.X, digits.y, digits.indices[:, 0]))

    def one():
        layer = torch.nn.Linear(X.shape[1], 1, dtype=torch.float64)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        rule, loss = torch.optim.SGD(layer.parameters(), lr=0.01), torch.nn.BCEWithLogitsLoss()
        for batch in batches:
            rule.zero_grad()
            loss(layer(X[batch])[:, 0], y[batch]).backward()
            rule.step()

    return Work(one, lambda _: digits.steps)


def jax_work(case: str, runs: int | None = None) -> Work:
    """Fixed numbers of steps by `vmap` of `scan`; to a tolerance by `vmap` of `while_loop`."""
    if case.startswith("digits"):
        return jax_digits(case)
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    if ON_GPU and jax.default_backend() != "gpu":
        raise RuntimeError(f"JAX has no GPU here, its backend is {jax.default_backend()}")

    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def rastrigin(x):
        return 10 * x.shape[0] + jnp.sum(x * x - 10 * jnp.cos(2 * jnp.pi * x))

    def fixed(fun, opt, steps):
        grad = jax.grad(fun)

        def one(x0):
            def body(carry, _):
                x, s = carry
                u, s = opt.update(grad(x), s)
                return (optax.apply_updates(x, u), s), None

            return jax.lax.scan(body, (x0, opt.init(x0)), None, length=steps)[0][0]

        return jax.jit(jax.vmap(one))

    if case == "himmelblau-adam-to-1e-6":
        opt, grad = optax.adam(0.05), jax.grad(himmelblau)

        def to_tolerance(x0):
            def going(c):
                return (jnp.max(jnp.abs(c[2])) > 1e-6) & (c[3] < 10_000)

            def body(c):
                u, s = opt.update(c[2], c[1])
                x = optax.apply_updates(c[0], u)
                return x, s, grad(x), c[3] + 1

            out = jax.lax.while_loop(going, body, (x0, opt.init(x0), grad(x0), 0))
            return out[0], out[3]

        k, x0 = jax.jit(jax.vmap(to_tolerance)), starts(runs or 1 << 18, 2, HIMMELBLAU_BOX)
        return Work(lambda: jax.block_until_ready(k(x0)), lambda out: float(out[1].sum()))

    fun, opt, default, dim, box, steps = {
        "himmelblau-adam": (himmelblau, optax.adam(0.05), 16384, 2, HIMMELBLAU_BOX, 1000),
        "rosenbrock10-momentum": (rosenbrock, optax.sgd(1e-5, momentum=0.9), 4096, 10, 2.0, 1000),
        "rastrigin10-adam": (rastrigin, optax.adam(0.05), 4096, 10, RASTRIGIN_BOX, 300),
    }[case]
    x0 = starts(runs or default, dim, box)
    k = fixed(fun, opt, steps)
    return Work(lambda: k(x0).block_until_ready(), lambda _: len(x0) * steps)


def torch_work(case: str, runs: int | None = None) -> Work:
    """A hundred steps of the fused Adam, all runs as one array; or one step over thirty million numbers."""
    import torch

    if case.startswith("digits"):
        return torch_digits(case)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("cuda" if ON_GPU else "cpu")
    if case.startswith("adam-step-30M"):
        n, dtype = runs or 30_000_000, getattr(torch, case.rpartition("-")[2])
        p = torch.ones(n, dtype=dtype, requires_grad=True)
        p.grad = torch.randn(n, dtype=dtype)
        return Work(torch.optim.Adam([p], fused=True).step, lambda _: n)

    fun, default, dim, box = {
        "himmelblau-adam": (lambda x: himmelblau(x.T).sum(), 16384, 2, HIMMELBLAU_BOX),
        "rastrigin10-adam": (
            lambda x: (x * x - 10 * torch.cos(2 * torch.pi * x)).sum(), 4096, 10, RASTRIGIN_BOX
        ),
    }[case]  # fmt: skip
    x = torch.tensor(starts(runs or default, dim, box), requires_grad=True)
    opt = torch.optim.Adam([x], lr=0.05, fused=True)

    def steps(n=100):
        for _ in range(n):
            opt.zero_grad(set_to_none=True)
            fun(x).backward()
            opt.step()
        if ON_GPU:
            torch.cuda.synchronize()
        return n

    return Work(steps, lambda n: n * len(x))


def scipy_work(case: str, runs: int | None = None) -> Work:
    """One call of SciPy's conjugate gradients after the other; the work is counted in starts."""
    from scipy.optimize import minimize

    if case == "himmelblau-compiled-to-1e-8":
        return scipy_compiled(runs or 300)
    if case != "himmelblau-to-1e-6":
        raise KeyError(case)

    def grad(x):
        a, b = x[0] * x[0] + x[1] - 11, x[0] + x[1] * x[1] - 7
        return np.array([4 * a * x[0] + 2 * b, 2 * a + 4 * b * x[1]])

    x0 = starts(runs or 300, 2, HIMMELBLAU_BOX)
    options = {"gtol": 1e-6}
    return Work(lambda: [minimize(himmelblau, q, jac=grad, method="CG", options=options) for q in x0], len)


def scipy_compiled(runs: int) -> Work:
    """The same to 1e-8, with the value and the gradient that fastgd compiles, so that the time is SciPy's own."""
    from scipy.optimize import minimize

    import fastgd as gd
    from fastgd.evaluate import scalar_at, vector_at

    problem = gd.problems.himmelblau()
    fun, grad = scalar_at(problem.fun, 2, ()), vector_at(problem.grad, 2, 2, ())
    x0, options = starts(runs, 2, HIMMELBLAU_BOX), {"gtol": 1e-8}
    return Work(lambda: [minimize(fun, q, jac=grad, method="CG", options=options) for q in x0], len)


PEERS: dict[str, tuple[Callable[..., Work], dict[str, int]]] = {
    "jax": (
        jax_work,
        {
            "himmelblau-adam": 3,
            "rosenbrock10-momentum": 3,
            "rastrigin10-adam": 3,
            "himmelblau-adam-to-1e-6": 1,
            "digits-sgd32": 3,
            "digits-sgd32-grid": 3,
            "digits-sgd32-shared": 3,
        },
    ),
    "torch": (
        torch_work,
        {
            "himmelblau-adam": 3, "rastrigin10-adam": 3, "adam-step-30M-float32": 7, "adam-step-30M-float64": 7,
            "digits-sgd32": 3,
        },
    ),
    "scipy": (scipy_work, {"himmelblau-to-1e-6": 3}),
}


def report(peer: str) -> None:
    build, cases = PEERS[peer]
    for case, repeats in cases.items():
        work = build(case)
        best(work, 1)
        figure = best(work, repeats)
        each = figure["seconds"] / figure["work"]
        print(peer, case, f"{each * (1e6 if peer == 'scipy' else 1e9):.4f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(PEERS[sys.argv[2]][0])
    else:
        for name in sys.argv[1:] or PEERS:
            report(name)
