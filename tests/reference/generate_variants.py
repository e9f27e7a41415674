"""Regenerate variants.json: options of the update rules that optimizers.json has no path of (float64).

Run with: pip install torch==2.13.0 optax==0.2.8 jax schedulefree==1.4.1; python generate_variants.py [OUTDIR]
Every path is on Himmelblau's function.  Hyperparameters have the library's names here.
"""

import json
import pathlib
import sys

import jax
import numpy as np
import optax
import schedulefree
import torch
from generate import FUNS, STEPS, optax_path, torch_path

T = torch.optim
BETAS = {"beta1": 0.8, "beta2": 0.99}
DECAY = {"weight_decay": 0.2}
TORCH = [
    ("adagrad", T.Adagrad, {"lr": 0.3, "lr_decay": 0.1, **DECAY}),
    ("rmsprop", T.RMSprop, {"lr": 0.02, "alpha": 0.95, "centered": True, "momentum": 0.5, **DECAY}),
    ("adadelta", T.Adadelta, {"lr": 0.7, "rho": 0.9, "eps": 1e-3, **DECAY}),
    ("adamw", T.AdamW, {"lr": 0.05, **BETAS, **DECAY, "amsgrad": True}),
    ("adamax", T.Adamax, {"lr": 0.05, **BETAS, **DECAY}),
    ("nadam", T.NAdam, {"lr": 0.05, **BETAS, "momentum_decay": 0.5, **DECAY}),
    ("nadam", T.NAdam, {"lr": 0.05, **BETAS, **DECAY, "decoupled_weight_decay": True}),
    ("radam", T.RAdam, {"lr": 0.005, **BETAS, **DECAY}),
    ("radam", T.RAdam, {"lr": 0.005, **BETAS, **DECAY, "decoupled_weight_decay": True}),
    ("rprop", T.Rprop, {"lr": 0.1, "eta_minus": 0.3, "eta_plus": 1.5, "min_step": 0.01, "max_step": 0.4}),
]
OPTAX = [
    ("adagrad", optax.adagrad, {"lr": 0.3, "initial_accumulator_value": 0.1, "eps": 1e-2}, {"eps_inside_root": True}),
    ("rmsprop", optax.rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-2}, {"eps_inside_root": True}),
    ("rmsprop", optax.rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-2, "centered": True}, {"eps_inside_root": True}),
    ("lion", optax.lion, {"lr": 0.02, "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.3}, {}),
    ("adan", optax.adan, {"lr": 0.05, "beta1": 0.9, "beta2": 0.8, "beta3": 0.95, "eps_root": 1e-4, **DECAY}, {}),
    ("ademamix", optax.contrib.ademamix, {"lr": 0.02, "beta3": 0.99, "alpha": 5.0, **DECAY}, {}),
    ("ademamix", optax.contrib.ademamix, {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "beta3": 0.95, "alpha": 2.0}, {}),
]
SGD, ADAMW = schedulefree.SGDScheduleFreeReference, schedulefree.AdamWScheduleFreeReference
# the last number is `warmup_steps`: a linear warm-up from lr / warmup_steps
SCHEDULE_FREE = [
    ("schedule_free_sgd", SGD, {"lr": 0.01, "beta": 0.9}, 0),
    ("schedule_free_sgd", SGD, {"lr": 0.02, "beta": 0.7, **DECAY}, 12),
    ("schedule_free_adamw", ADAMW, {"lr": 0.1, "beta1": 0.9, "beta2": 0.999}, 0),
    ("schedule_free_adamw", ADAMW, {"lr": 0.1, **BETAS, **DECAY}, 12),
]


def for_torch(hyper):
    hyper = dict(hyper)
    if "beta2" in hyper:
        hyper["betas"] = hyper.pop("beta1"), hyper.pop("beta2")
    if "eta_plus" in hyper:
        hyper["etas"] = hyper.pop("eta_minus"), hyper.pop("eta_plus")
        hyper["step_sizes"] = hyper.pop("min_step"), hyper.pop("max_step")
    if "beta" in hyper:
        hyper["momentum"] = hyper.pop("beta")
    return hyper


def for_optax(hyper):
    names = {"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "beta3": "b3"}
    found = {names.get(name, name): value for name, value in hyper.items()}
    if "alpha" in found and "b3" not in found:
        found["decay"] = found.pop("alpha")
    return found


def schedule_free_path(make, fun, x0):
    x = torch.tensor(x0, requires_grad=True)
    opt = make([x])
    path = [x0.tolist()]
    for _ in range(STEPS):
        opt.train()
        opt.zero_grad()
        fun(x).backward()
        opt.step()
        opt.eval()
        path.append(x.detach().tolist())
    return path


def main():
    torch.set_default_dtype(torch.float64)
    jax.config.update("jax_enable_x64", True)
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    rng = np.random.default_rng(1)
    fun, n = FUNS["himmelblau"]
    rows = []

    def add(rule, source, version, hyper, path, **more):
        assert np.isfinite(path).all()
        source = f"{source.__module__.partition('.')[0]}.{source.__name__} {version}"
        rows.append({"rule": rule, "source": source, "hyper": hyper, **more, "problem": "himmelblau", "x": path})

    for rule, cls, hyper in TORCH:
        given = for_torch(hyper)
        path = torch_path(lambda p, c=cls, g=given: c(p, **g), fun, rng.uniform(-2, 2, n))
        add(rule, cls, torch.__version__.split("+")[0], hyper, path)
    for rule, make, hyper, own in OPTAX:
        path = optax_path(make(**for_optax(hyper)), fun, rng.uniform(-2, 2, n))
        add(rule, make, optax.__version__, hyper | own, path)
    for rule, cls, hyper, warmup in SCHEDULE_FREE:
        given = {**for_torch(hyper), "warmup_steps": warmup}
        path = schedule_free_path(lambda p, c=cls, g=given: c(p, **g), fun, rng.uniform(-2, 2, n))
        add(rule, cls, "1.4.1", hyper, path, warmup_steps=warmup)
    out.mkdir(parents=True, exist_ok=True)
    (out / "variants.json").write_text(json.dumps(rows, allow_nan=False))
    sys.stdout.write(f"{len(rows)} runs\n")


if __name__ == "__main__":
    main()
