"""Regenerate optimizers.json and schedules.json from PyTorch and Optax (float64).

Run with: pip install torch==2.13.0 optax jax numpy; python generate.py [OUTDIR] [SEED]
SEED 0 gives the files beside this script; another seed draws other starts and hyperparameters.
"""

import json
import math
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

STEPS = 60
RATE = 0.1
FUNS = {
    "quadratic": (lambda x: x[0] ** 2 + 2 * x[1] ** 2, 2),
    "himmelblau": (lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2, 2),
    "rosenbrock": (lambda x: sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(4)), 5),
}

T = torch.optim
ADAM = {"lr": 0.05, "betas": (0.9, 0.999), "eps": 1e-8}
RMSPROP = {"lr": 0.01, "alpha": 0.9, "eps": 1e-8}
ADAGRAD = {"lr": 0.4, "eps": 1e-10}
TORCH = {
    "gradient_descent": [(T.SGD, {"lr": 1e-3})],
    "momentum": [
        (T.SGD, {"lr": 5e-4, "momentum": 0.9}),
        (T.SGD, {"lr": 2e-3, "momentum": 0.9, "dampening": 0.9}),
        (T.SGD, {"lr": 5e-4, "momentum": 0.9, "weight_decay": 0.01}),
    ],
    "nesterov": [(T.SGD, {"lr": 5e-4, "momentum": 0.9, "nesterov": True})],
    "adagrad": [
        (T.Adagrad, ADAGRAD),
        (T.Adagrad, {"lr": 0.4, "initial_accumulator_value": 0.1, "lr_decay": 0.01, "eps": 1e-10}),
    ],
    "rmsprop": [
        (T.RMSprop, RMSPROP),
        (T.RMSprop, {**RMSPROP, "centered": True}),
        (T.RMSprop, {**RMSPROP, "lr": 0.005, "momentum": 0.8}),
    ],
    "adadelta": [(T.Adadelta, {"lr": 1.0, "rho": 0.95, "eps": 1e-6})],
    "adam": [(T.Adam, ADAM), (T.Adam, {**ADAM, "amsgrad": True}), (T.Adam, {**ADAM, "weight_decay": 0.01})],
    "adamw": [(T.AdamW, {**ADAM, "weight_decay": 0.05})],
    "adamax": [(T.Adamax, ADAM)],
    "nadam": [(T.NAdam, {**ADAM, "momentum_decay": 4e-3})],
    "radam": [(T.RAdam, ADAM)],
    "rprop": [(T.Rprop, {"lr": 0.01, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)})],
}
ADABELIEF = {"learning_rate": 0.05, "b1": 0.9, "b2": 0.999, "eps": 1e-16, "eps_root": 1e-16}
OPTAX = {
    "lion": (optax.lion, {"learning_rate": 0.01, "b1": 0.9, "b2": 0.99, "weight_decay": 0.0}),
    "adabelief": (optax.adabelief, ADABELIEF),
    "yogi": (optax.yogi, {"learning_rate": 0.05, "b1": 0.9, "b2": 0.999, "eps": 1e-3}),
    "adan": (
        optax.adan,
        {"learning_rate": 0.05, "b1": 0.98, "b2": 0.92, "b3": 0.99, "eps": 1e-8, "weight_decay": 0.0},
    ),
}

S = torch.optim.lr_scheduler


def cycle(mode, **more):
    return {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 8, "mode": mode, **more, "cycle_momentum": False}


ONE_CYCLE = {"max_lr": 0.1, "total_steps": 60, "pct_start": 0.3, "cycle_momentum": False}
SCHEDULES = [
    ("step_decay", S.StepLR, {"step_size": 7, "gamma": 0.5}),
    ("piecewise_constant", S.MultiStepLR, {"milestones": [5, 20, 33], "gamma": 0.1}),
    ("exponential", S.ExponentialLR, {"gamma": 0.93}),
    ("polynomial", S.PolynomialLR, {"total_iters": 40, "power": 2.0}),
    ("linear_warmup", S.LinearLR, {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 10}),
    ("cosine", S.CosineAnnealingLR, {"T_max": 30, "eta_min": 0.001}),
    ("cosine_warm_restarts", S.CosineAnnealingWarmRestarts, {"T_0": 10, "T_mult": 2, "eta_min": 0.001}),
    ("triangular", S.CyclicLR, cycle("triangular")),
    ("triangular2", S.CyclicLR, cycle("triangular2")),
    ("exp_range", S.CyclicLR, cycle("exp_range", gamma=0.98)),
    ("one_cycle", S.OneCycleLR, ONE_CYCLE),
]
PLATEAU = {
    "factor": 0.5,
    "patience": 4,
    "threshold": 1e-2,
    "threshold_mode": "rel",
    "cooldown": 2,
    "min_lr": 1e-3,
}


def torch_path(make, fun, x0):
    x = torch.tensor(x0, requires_grad=True)
    opt = make([x])
    path = [x0.tolist()]
    for _ in range(STEPS):
        opt.zero_grad()
        fun(x).backward()
        opt.step()
        path.append(x.detach().tolist())
    return path


def optax_path(opt, fun, x0):
    x, path = jnp.asarray(x0), [x0.tolist()]
    state, grad = opt.init(x), jax.jit(jax.grad(fun))
    for _ in range(STEPS):
        updates, state = opt.update(grad(x), state, x)
        x = optax.apply_updates(x, updates)
        path.append(np.asarray(x).tolist())
    return path


def varied(name, value, seed, rng):
    """The hyperparameter to use: a rate within 30 %, a decay with its distance from 1 within 30 %."""
    if name == "betas":
        return tuple(varied("b", v, seed, rng) for v in value)
    if seed == 0:
        return value
    if name in ("lr", "learning_rate"):
        return float(value * math.exp(rng.uniform(-0.3, 0.3)))
    if name in ("b", "b1", "b2", "b3", "momentum", "alpha", "rho", "dampening"):
        return float(1 - (1 - value) * math.exp(rng.uniform(-0.3, 0.3)))
    return value


def optimizer_paths(seed, rng):
    version = torch.__version__.split("+")[0]
    runs = []
    for problem, (fun, n) in FUNS.items():
        for rule, variants in TORCH.items():
            for cls, given in variants:
                hyper = {k: varied(k, v, seed, rng) for k, v in given.items()}
                fixed = problem == "quadratic" and seed == 0
                x0 = np.array([-5.0, -2.0]) if fixed else rng.uniform(-2, 2, n)
                while not np.isfinite(x := torch_path(lambda p, c=cls, h=hyper: c(p, **h), fun, x0)).all():
                    hyper["lr"] *= 0.2  # this start diverges: take a smaller step
                source = f"torch.optim.{cls.__name__} {version}"
                runs.append({"rule": rule, "source": source, "hyper": hyper, "problem": problem, "x": x})
        for rule, (make, given) in OPTAX.items():
            hyper = {k: varied(k, v, seed, rng) for k, v in given.items()}
            x = optax_path(make(**hyper), fun, rng.uniform(-2, 2, n))
            source = f"optax.{make.__name__} {optax.__version__}"
            runs.append({"rule": rule, "source": source, "hyper": hyper, "problem": problem, "x": x})
    return runs


def rates(make, losses=None):
    """The rate used by step 0, 1, 2, ... (read before each optimizer step)."""
    opt = T.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    schedule = make(opt)
    lrs = []
    for step in range(STEPS):
        lrs.append(opt.param_groups[0]["lr"])
        opt.step()
        if losses is not None:
            schedule.step(losses[step])
        elif step + 1 < STEPS:
            schedule.step()
    return lrs


def schedule_rates(rng):
    source = "torch.optim.lr_scheduler.{} " + torch.__version__.split("+")[0]
    rows = []
    for name, cls, args in SCHEDULES:
        lrs = rates(lambda opt, c=cls, a=args: c(opt, **a))
        row = {"schedule": name, "source": source.format(cls.__name__), "lr": RATE}
        rows.append({**row, "args": args, "lrs": lrs})
    plateaus = [np.linspace(5, 2, 12), np.full(15, 2.0), np.linspace(2, 1, 10), np.full(23, 1.0)]
    losses = np.abs(np.concatenate(plateaus) + 1e-3 * rng.standard_normal(60)).tolist()
    row = {"schedule": "reduce_on_plateau", "source": source.format("ReduceLROnPlateau"), "lr": RATE}
    lrs = rates(lambda opt: S.ReduceLROnPlateau(opt, **PLATEAU), losses)
    return [*rows, {**row, "args": PLATEAU, "losses": losses, "lrs": lrs}]


def main():
    torch.set_default_dtype(torch.float64)
    jax.config.update("jax_enable_x64", True)
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rng = np.random.default_rng(seed)
    runs, schedules = optimizer_paths(seed, rng), schedule_rates(rng)
    out.mkdir(parents=True, exist_ok=True)
    (out / "optimizers.json").write_text(json.dumps(runs, allow_nan=False))
    (out / "schedules.json").write_text(json.dumps(schedules))
    sys.stdout.write(f"{len(runs)} optimizer runs, {len(schedules)} schedules\n")


if __name__ == "__main__":
    main()
