"""What the GPU's kernels compile to: registers and local memory as `ptxas` tells them, and how they round.

``pytest -s tests/gpu/test_ptx.py`` prints the table.
"""

import sys

import numpy as np
import ptx
import pytest
from cases import folded
from simulated_cases import LINE

import fastgd as gd
from fastgd.schedules import ReduceOnPlateau

pytestmark = pytest.mark.skipif(ptx.missing() is not None, reason=str(ptx.missing()))
HIMMELBLAU = gd.problems.himmelblau()
RULES = gd.optimizers.rules()
PLATEAU = ReduceOnPlateau(0.05)
FULL = {"xtol": 1e-9, "ftol": 1e-9, "patience": 4, "record": 3, "average": gd.SWA(start=3)}


def hinge_loss(x, i, t, y):
    margin = 1.0 - y[i] * (x[0] + x[1] * t[i])
    return margin if margin > 0.0 else 0.0


def hinge_gradient(x, i, out, t, y):
    if y[i] * (x[0] + x[1] * t[i]) < 1.0:
        out[0] -= y[i]
        out[1] -= y[i] * t[i]


TIMES = np.linspace(-1.0, 1.0, 64)
BRANCHING = gd.FiniteSum(hinge_loss, hinge_gradient, data=(TIMES, np.sign(TIMES)), dim=2, name="hinge")


def optimizer_of(rule, **options):
    return gd.optimizers.make(rule, **{"lr": 0.05, **options})


@pytest.fixture(scope="module")
def table():
    """Rows that are printed when the module's tests are done."""
    rows: list[tuple[str, str, ptx.Use]] = []
    yield rows
    lines = [f"{'kernel':<44}{'capability':>12}{'registers':>12}{'stack':>8}{'spills':>8}"]
    for name, capability, use in rows:
        lines.append(f"{name:<44}{capability:>12}{use.registers:>12}{use.stack:>8}{use.spills:>8}")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")


def check(table, name, plan, capability, width=32, most=128, stack=0):
    """No number of a run leaves the registers; the least GPU has 64 K of them a multiprocessor."""
    kernels = ptx.kernels_of(plan, capability, width)
    assert set(kernels) >= {"begin", "burst", "ends"} | ({"draw"} if plan.shared_size else set())
    for kernel, source in kernels.items():
        use = ptx.assembled(source, capability)
        table.append((f"{name} {kernel}", "{}.{}".format(*capability), use))
        assert use.spills == 0
        assert use.stack <= (stack if kernel in ("burst", "draw") else 0)
        assert 0 < use.registers <= most
    return kernels


@pytest.mark.parametrize("rule", RULES)
def test_a_run_stays_in_registers(rule, table):
    check(table, rule, ptx.plan_of(HIMMELBLAU, optimizer_of(rule)), (9, 0))


@pytest.mark.parametrize("capability", ptx.CAPABILITIES, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_capability(capability, dtype, table):
    name = f"adam {np.dtype(dtype)}"
    check(table, name, ptx.plan_of(HIMMELBLAU, optimizer_of("adam"), dtype=dtype), capability)


@pytest.mark.slow
@pytest.mark.parametrize("capability", ptx.CAPABILITIES, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_for_every_capability(rule, dtype, capability, table):
    check(table, f"{rule} {np.dtype(dtype)}", ptx.plan_of(HIMMELBLAU, optimizer_of(rule), dtype=dtype), capability)


@pytest.mark.parametrize("rule", ["momentum", "schedule_free_adamw"])
def test_all_there_is(rule, table):
    own = optimizer_of(rule, lr=np.full(4, 0.05), clip_value=5.0, clip_norm=3.0)
    check(table, f"{rule}, own, with all", ptx.plan_of(HIMMELBLAU, own, **FULL), (9, 0))


@pytest.mark.parametrize("beta", ["PR+", "HZ"])
def test_conjugate_gradients(beta, table):
    search = gd.HagerZhang() if beta == "HZ" else gd.StrongWolfe()
    check(table, f"cg {beta}", ptx.plan_of(HIMMELBLAU, gd.ConjugateGradient(beta, search)), (9, 0), most=168)


@pytest.mark.parametrize("capability", ptx.CAPABILITIES, ids=str)
def test_the_gradient_flow(capability, table):
    check(table, "gradient flow", ptx.flow_plan(HIMMELBLAU), capability, most=168)


def test_the_flow_of_a_problem_that_branches(table):
    check(table, "gradient flow, folded", ptx.flow_plan(folded()), (9, 0), width=1, most=168)
# Bytes of local memory: the places of four samples, whose number is known at run time only; and what the library's sine
# and cosine keep for angles that are larger than any that is drawn
PLACES, ANGLES, BOTH = 32, 40, 80
DRAWN = {
    "epochs": ({"batch_size": 5}, PLACES), "single": ({"batch_size": 1}, PLACES),
    "replaced": ({"batch_size": 5, "replace": True}, PLACES), "in order": ({"batch_size": 3, "shuffle": False}, PLACES),
    "shared": ({"batch_size": 5, "shared_batches": True}, PLACES),
    "shared, replaced": ({"batch_size": 5, "shared_batches": True, "replace": True}, PLACES),
    "own sizes": ({"batch_size": np.arange(1, 5)}, 0),
    "own sizes, replaced": ({"batch_size": np.arange(1, 5), "replace": True}, PLACES),
    "noise": ({"noise": 0.1}, ANGLES), "epochs, noise": ({"batch_size": 5, "noise": 0.1}, BOTH),
}  # fmt: skip


def check_drawn(table, kind, capability, dtype, rule="adam"):
    options, stack = DRAWN[kind]
    name = f"{rule}, {kind} {np.dtype(dtype)}"
    check(table, name, ptx.plan_of(LINE, optimizer_of(rule), dtype=dtype, **options), capability, stack=stack)


@pytest.mark.parametrize("kind", DRAWN)
def test_batches_and_noise(kind, table):
    check_drawn(table, kind, (9, 0), np.float64)


@pytest.mark.parametrize(("capability", "dtype"), [((8, 0), np.float64), ((9, 0), np.float32), ((10, 0), np.float64)])
def test_a_batch_with_noise_for_every_capability(capability, dtype, table):
    check_drawn(table, "epochs, noise", capability, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("capability", ptx.CAPABILITIES, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", DRAWN)
def test_every_kind_of_batch_for_every_capability(kind, dtype, capability, table):
    check_drawn(table, kind, capability, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_a_batch_with_noise_for_every_rule(rule, table):
    check_drawn(table, "epochs, noise", (9, 0), np.float64, rule)


def test_samples_that_are_told_apart_by_a_branch(table):
    plan = ptx.plan_of(BRANCHING, optimizer_of("adam"), batch_size=4, noise=0.1)
    check(table, "branching adam, epochs, noise", plan, (9, 0), width=1, stack=BOTH)


def test_scratch_memory_has_the_lanes_of_its_point(table):
    problem = gd.problems.softmax_regression(*gd.datasets.iris())
    kernels = ptx.kernels_of(ptx.plan_of(problem, gd.GradientDescent(lr=0.1), dtype=np.float32), (9, 0))
    assert "burst" in kernels


def test_a_step_of_a_function_that_iterates_over_its_point_keeps_to_registers():
    def fun(x):
        a, b = x
        total = a * b + sum(x)
        for i, v in enumerate(x):
            total += i * v * v
        for v, weight in zip(x, (2.0, 3.0)):  # noqa: B905  (numba knows no `strict`)
            total += weight * (v - 1.0) ** 2
        return total

    kernels = ptx.kernels_of(ptx.plan_of(gd.Problem(fun, dim=2), gd.Adam(lr=0.1)), (9, 0))
    use = ptx.assembled(kernels["burst"], (9, 0))
    assert (use.spills, use.stack) == (0, 0)


def test_a_memory_of_the_schedule(table):
    check(table, "adam, plateau", ptx.plan_of(HIMMELBLAU, optimizer_of("adam", lr=PLATEAU)), (9, 0))


def test_problems_that_branch_take_plain_numbers(table):
    plan = ptx.plan_of(folded(), optimizer_of("adam"))
    with pytest.raises(Exception, match=r"Mask|bool"):
        ptx.kernels_of(plan, (9, 0))
    check(table, "folded adam", plan, (9, 0), width=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", gd.problems.names())
def test_every_problem_of_the_catalogue_compiles(name):
    kernels = ptx.kernels_of(ptx.plan_of(gd.problems.make(name), optimizer_of("adam")), (9, 0))
    assert ptx.assembled(kernels["burst"], (9, 0)).spills == 0


def test_many_parameters_go_to_local_memory():
    many = ptx.kernels_of(ptx.plan_of(gd.problems.rosenbrock(dim=200), gd.Adam(lr=0.05)), (9, 0))["burst"]
    use = ptx.assembled(many, (9, 0))
    assert use.stack >= 200 * 8 * 5  # points, next points, gradient, two numbers of state


@pytest.mark.parametrize("plan", [
    ptx.plan_of(gd.problems.rosenbrock(dim=1000), gd.Adam(lr=0.05)), ptx.flow_plan(gd.problems.rosenbrock(dim=1000)),
    ptx.plan_of(gd.problems.rosenbrock(dim=1000), gd.ConjugateGradient()),
    ptx.plan_of(gd.problems.rosenbrock(dim=1000), gd.Nesterov(lr=1e-4), dtype=np.float32, **FULL),
], ids=["adam", "flow", "cg", "nesterov with all"])  # fmt: skip
def test_very_many_parameters_stay_in_global_memory(plan, table):
    kernels = check(table, f"{plan.optimizer.label}, 1000 parameters", plan, (9, 0), most=168)
    item = "f32" if plan.dtype == np.float32 else "f64"
    assert f"st.global.{item}" in kernels["burst"]


def test_nothing_is_fused_but_what_the_source_fuses():
    """A product that the assembler may fuse is ``mul.f64``; one that it must round is ``mul.rn.f64``."""
    for rule in ("adam", "schedule_free_adamw"):
        burst = ptx.kernels_of(ptx.plan_of(HIMMELBLAU, optimizer_of(rule)), (9, 0))["burst"]
        assert burst.count("mul.rn.f64") > 0
        assert burst.count("fma.rn.f64") > 0
        assert burst.count("\tmul.f64") == burst.count("\tadd.f64") == burst.count("\tsub.f64") == 0
    plain = ptx.kernels_of(ptx.plan_of(folded(), gd.Momentum(lr=0.1)), (9, 0), width=1)["burst"]
    assert plain.count("fma.rn.f64") == 0


def test_functions_that_raise_end_their_thread_and_no_block_waits_for_it():
    def fun(x):
        if x[0] > 2.0:
            raise ValueError("too large")
        return x[0] * x[0]

    def grad(x, out):
        out[0] = 2.0 * x[0]

    kernels = ptx.kernels_of(ptx.plan_of(gd.Problem(fun, grad, dim=1), gd.Adam(), patience=3), (9, 0), width=1)
    for source in (kernels["burst"], kernels["ends"]):
        assert "bar." not in source
        assert "barrier" not in source


def test_single_precision_computes_in_single_precision():
    """Constants of Python and coefficients are float64; a number beside them stays what it is."""
    burst = ptx.kernels_of(ptx.plan_of(HIMMELBLAU, optimizer_of("adam"), dtype=np.float32), (9, 0))["burst"]
    assert burst.count("fma.rn.f32") > 5
    assert burst.count("mul.rn.f32") > 5
    for op in ("add", "sub", "mul", "fma", "div", "sqrt"):
        assert f"{op}.rn.f64" not in burst
        assert f"{op}.f64" not in burst


def test_division_and_root_are_rounded_as_ieee_asks():
    burst = ptx.kernels_of(ptx.plan_of(HIMMELBLAU, optimizer_of("adam")), (9, 0))["burst"]
    assert "div.rn.f64" in burst
    assert "sqrt.rn.f64" in burst
    assert ".approx" not in burst
    assert ".ftz" not in burst


def test_the_kernels_that_all_plans_share(table):
    import numba

    from fastgd.engine.cuda.compaction import make_count, make_place, make_scan
    from fastgd.jit.cuda import ptx_of
    from fastgd.jit.cuda_arrays import make_counter

    counts, tags, order = np.zeros(4, np.int64), np.zeros((1, 2, 32), np.int32), np.zeros(4, np.int32)
    for kernel, arguments in (
        (make_count(), (tags, 4, counts)), (make_scan(1024), (counts, 4, counts, counts)),
        (make_place(128), (tags, 4, counts, order)),
        (make_counter(), (np.zeros(4), 4, 1e300, counts)),
    ):  # fmt: skip
        source = ptx_of(kernel.function, [numba.typeof(argument) for argument in arguments], (9, 0))
        use = ptx.assembled(source, (9, 0))
        table.append((kernel.key, "9.0", use))
        assert (use.spills, use.stack) == (0, 0)


@pytest.mark.parametrize("rule", ["adam", "nesterov"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_step_in_place_reads_and_writes_each_number_once(rule, dtype, table):
    import numba

    from fastgd.jit.cuda import ptx_of
    from fastgd.optimizers.cuda import EACH, DeviceStepper
    from fastgd.optimizers.inplace import stepper_of

    optimizer = optimizer_of(rule, clip_value=5.0)
    slots = optimizer.rule().slots
    with ptx.no_device((9, 0)):
        kernels = DeviceStepper(optimizer, stepper_of(optimizer, np.dtype(dtype)))
        x, state = np.zeros(8, dtype), np.zeros((slots, 8), dtype)
        c = (0.5,) * kernels.stepper.count
        source = ptx_of(kernels.update.function, [numba.typeof(v) for v in (x, x, state, 8, c)], (9, 0))
        assert (kernels.look is not None) == (optimizer.rule().probe is not None)
    use = ptx.assembled(source, (9, 0))
    table.append((f"{rule} in place {np.dtype(dtype)}", "9.0", use))
    assert (use.spills, use.stack) == (0, 0)
    kind = "f32" if dtype == np.float32 else "f64"
    assert source.count(f"ld.global.{kind}") == EACH * (2 + slots)
    assert source.count(f"st.global.{kind}") == EACH * (1 + slots)
    if dtype == np.float32:
        assert "mul.rn.f64" not in source
        assert "div.rn.f64" not in source


def test_the_norm_of_the_gradients_compiles(table):
    import numba

    from fastgd.jit.cuda import ptx_of
    from fastgd.optimizers.cuda import DeviceStepper
    from fastgd.optimizers.inplace import stepper_of

    optimizer = gd.Nesterov(lr=0.1, momentum=0.9, look_ahead=True, clip_value=5.0, clip_norm=1.0)
    with ptx.no_device((9, 0)):
        kernels = DeviceStepper(optimizer, stepper_of(optimizer, np.dtype(np.float32)))
        x, state, c = np.zeros(8, np.float32), np.zeros((1, 8), np.float32), (0.5,) * kernels.stepper.count
        for kernel, arguments in (
            (kernels.squares, (x, 8, c, 1.0, np.zeros(4))), (kernels.look, (x, x, state, 8, c)),
        ):  # fmt: skip
            source = ptx_of(kernel.function, [numba.typeof(argument) for argument in arguments], (9, 0))
            use = ptx.assembled(source, (9, 0))
            table.append((f"nesterov in place {kernel.key.split()[-1]}", "9.0", use))
            assert (use.spills, use.stack) == (0, 0)
