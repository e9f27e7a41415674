"""What the simulator runs, and what it is compared with: plans of a few short runs.

Run as a program, compiled, it writes the scalar CPU target's results of `rule_plans` or `drawing_plans` to a file.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest
from cases import draws_of
from numba.core import config

import fastgd as gd
from fastgd import schedules
from fastgd.engine import cpu
from fastgd.engine.plan import Arrays, Plan, make_plan
from fastgd.stopping import StopTests

ON_SIMULATOR = [
    pytest.mark.skipif(
        not (config.ENABLE_CUDASIM and config.DISABLE_JIT),
        reason="runs by itself, with NUMBA_ENABLE_CUDASIM=1 and NUMBA_DISABLE_JIT=1",
    ),
    pytest.mark.usefixtures("small_launches"),
    # Words of Philox wrap, which plain Python warns of, and it warns where compiled code goes on with infinity or NaN
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
RUNS, STEPS = 5, 12


def bowl_value(x):
    """Himmelblau's function in products, which plain Python rounds as compiled code does."""
    a = x[0] * x[0] + x[1] - 11.0
    b = x[0] + x[1] * x[1] - 7.0
    return a * a + b * b


def bowl_gradient(x, out):
    a = x[0] * x[0] + x[1] - 11.0
    b = x[0] + x[1] * x[1] - 7.0
    out[0] = 4.0 * x[0] * a + 2.0 * b
    out[1] = 2.0 * a + 4.0 * x[1] * b


def weighted_value(x, weights, power):
    total = 0.0
    for i in range(len(x)):
        total += weights[i] * x[i] * x[i]
    return total * power


def weighted_gradient(x, out, weights, power):
    for i in range(len(x)):
        out[i] = 2.0 * power * weights[i] * x[i]


def steep_value(x):
    return 0.5 * (x[0] * x[0] + 1e4 * (x[1] * x[1]))


def steep_gradient(x, out):
    out[0] = x[0]
    out[1] = 1e4 * x[1]


def line_loss(x, i, t, y):
    r = x[0] + x[1] * t[i] - y[i]
    return r * r


def line_gradient(x, i, out, t, y):
    r = 2.0 * (x[0] + x[1] * t[i] - y[i])
    out[0] += r
    out[1] += r * t[i]


SAMPLES = 7
LINE = gd.FiniteSum(
    line_loss, line_gradient, data=(np.linspace(-1.0, 2.0, SAMPLES), np.array([3.0, -1.0, 0.5, 2.0, 0.0, 1.5, -2.0])),
    dim=2, bounds=(-6, 6), name="line",
)  # fmt: skip
BOWL = gd.Problem(bowl_value, bowl_gradient, dim=2, bounds=(-6, 6), name="bowl")
WEIGHTED = gd.Problem(
    weighted_value, weighted_gradient, dim=3, bounds=(-2, 2), data=(np.array([1.0, 2.0, 3.0]), 0.5), name="weighted"
)
STARTS = BOWL.sample(RUNS, seed=3) * 0.6

# Those whose updates and coefficients are sums, products, quotients and roots: compiled or not, the bits are the same
EXACT = {"gradient_descent", "momentum", "nesterov", "lion", "rprop", "schedule_free_sgd", "adagrad"}
RATES = {"gradient_descent": 0.004, "momentum": 0.002, "nesterov": 0.002, "schedule_free_sgd": 0.01, "adadelta": 1.0}
DECAYING = {"weight_decay": 0.01}


SEARCHES = {
    "cg": gd.ConjugateGradient(), "cg-hager-zhang": gd.ConjugateGradient("HZ", gd.HagerZhang()),
    "lbfgs": gd.LBFGS(memory=3), "backtracking": gd.GradientDescent(lr=gd.Backtracking(initial=0.1)),
}  # fmt: skip


def rate_of(rule: str) -> float:
    return RATES.get(rule, 0.05)


def optimizer_of(rule: str, **options: Any) -> gd.optimizers.Optimizer:
    kind = gd.optimizers.REGISTRY[rule]
    known = {name: value for name, value in DECAYING.items() if name in kind.__dataclass_fields__}
    return gd.optimizers.make(rule, **{"lr": rate_of(rule), **known, **options})


def schedules_of(lr: float) -> dict[str, schedules.Schedule]:
    """Every schedule, of which the rates change within a few steps."""
    return {
        "Constant": schedules.Constant(lr),
        "InverseTime": schedules.InverseTime(lr, 0.3),
        "Exponential": schedules.Exponential(lr, 0.9),
        "StepDecay": schedules.StepDecay(lr, 4, 0.5),
        "PiecewiseConstant": schedules.PiecewiseConstant([3, 8], [lr, lr / 2, lr / 4]),
        "Polynomial": schedules.Polynomial(lr, 10, 1.5, lr / 10),
        "LinearWarmup": schedules.LinearWarmup(lr, 5),
        "Cosine": schedules.Cosine(lr, 8, lr / 10),
        "CosineWarmRestarts": schedules.CosineWarmRestarts(lr, 3, 2, lr / 10),
        "Triangular": schedules.Triangular(lr, lr / 10, 4),
        "Triangular2": schedules.Triangular2(lr, lr / 10, 2),
        "ExpRange": schedules.ExpRange(lr, lr / 10, 3, gamma=0.95),
        "OneCycle": schedules.OneCycle(lr, 12),
        "ReduceOnPlateau": schedules.ReduceOnPlateau(lr, 0.5, 1, cooldown=1),
        "sequence": schedules.sequence(schedules.LinearWarmup(lr, 3), schedules.Cosine(lr, 9), at=3),
    }


def plan_of(
    optimizer: gd.optimizers.Optimizer,
    problem: gd.Problem = BOWL,
    starts: np.ndarray = STARTS,
    dtype: Any = np.float64,
    record: int | None = None,
    average: Any = None,
    seed: Any = 0,
    **options: Any,
) -> Plan:
    draws = draws_of(options)
    stop = {name: value for name, value in options.items() if name not in draws}
    tests = StopTests(**{"max_steps": STEPS, "gtol": 1.0, **stop})
    return make_plan(problem, starts, optimizer, tests, seed, dtype, record, average, draws)


def scalar_cpu(plan: Plan) -> Arrays:
    """The plan on the CPU's scalar target."""
    job = cpu.Job(plan, 1, 1)
    for part in job.chunks():
        assert job.kernel(*job.arguments(*part))
    return job.arrays


def on_gpu(plan: Plan, report: Any = None) -> Arrays:
    """The plan on the GPU target."""
    from fastgd.engine import cuda

    return cuda.run(plan, report)


def recorded(arrays: Arrays, every: int | None) -> Arrays:
    """With NaN where a trace holds nothing."""
    if every is None:
        return arrays
    trace = arrays.trace.copy()
    places = np.arange(trace.shape[1])
    trace[places > arrays.nit[:, None] // every] = np.nan
    return arrays._replace(trace=trace)


def assert_same(plan: Plan) -> Arrays:
    """The GPU target gives what the CPU's scalar target gives, bit for bit."""
    expected, found = recorded(scalar_cpu(plan), plan.record), recorded(on_gpu(plan), plan.record)
    for name, a, b in zip(Arrays._fields, expected, found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=name)
    return found


def rule_plans() -> dict[str, Plan]:
    return {rule: plan_of(optimizer_of(rule)) for rule in gd.optimizers.rules()}


def drawing_plans() -> dict[str, Plan]:
    """One of each kind of batch, the last ones with noise."""
    descent, options = gd.GradientDescent(lr=0.03), {"problem": LINE, "gtol": None, "seed": 2**40 + 7}
    kinds: dict[str, dict[str, Any]] = {
        "epochs": {"batch_size": 5}, "replaced": {"batch_size": 5, "replace": True},
        "shared": {"batch_size": 5, "shared_batches": True},
        "own sizes": {"batch_size": np.arange(1, RUNS + 1), "noise": 0.1}, "noise": {"noise": 0.5},
    }  # fmt: skip
    return {kind: plan_of(descent, **options, **drawn) for kind, drawn in kinds.items()}


def write_compiled(plans: str, path: str) -> None:
    make = {"rule_plans": rule_plans, "drawing_plans": drawing_plans}[plans]
    results = {name: scalar_cpu(plan) for name, plan in make().items()}
    np.savez(path, **{f"{plan}.{name}": a for plan, arrays in results.items() for name, a in arrays._asdict().items()})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_compiled(*sys.argv[1:])
