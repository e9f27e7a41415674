"""The GPU target on a real GPU, against the CPU.  Lines "measured: ..." are what `gpu_report.py` shows."""

import warnings
from unittest import mock

import numpy as np
import pytest
from cases import FIELDS, folded, same_bits

import fastgd as gd

pytestmark = pytest.mark.gpu
RULES = gd.optimizers.rules()
PROBLEMS = {name: gd.problems.make(name) for name in gd.problems.names()} | {"folded": folded()}
# Rates at which the runs neither stand still nor leave the box
RATES = {
    "ackley": 0.02, "beale": 5e-5, "double_well": 0.02, "goldstein_price": 1e-6, "griewank": 0.5, "himmelblau": 0.005,
    "lennard_jones": 1e-3, "levy": 0.02, "monkey_saddle": 1e-3, "mueller_brown": 1e-4, "phase_oscillators": 0.1,
    "quadratic": 0.05, "rastrigin": 1e-3, "rosenbrock": 1e-4, "six_hump_camel": 0.01, "styblinski_tang": 5e-3,
    "three_hump_camel": 3e-3, "folded": 0.005,
}  # fmt: skip
PLAIN = {"gradient_descent", "momentum", "nesterov", "schedule_free_sgd"}  # whose steps are as large as the gradients
# Coefficients without logarithms and exponentials, which the devices' libraries round each in its own way
SAME_BITS = ("gradient_descent", "momentum", "nesterov", "lion", "rprop", "adam", "adamw", "rmsprop", "adagrad", "yogi")
STEPS = 50
POINTS = np.random.default_rng(0).normal(size=(100, 4))
LINEAR = gd.problems.linear_regression(POINTS, POINTS @ [1.0, -2.0, 0.5, 3.0] + 0.1 * np.sin(7 * POINTS[:, 0]))
LOGISTIC = gd.problems.logistic_regression(POINTS, (POINTS.sum(axis=1) + np.sin(9 * POINTS[:, 1]) > 0).astype(float))


def descend(problem, x0, optimizer, device, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the scalar target is slower
        return gd.minimize(problem, x0, optimizer, device=device, **options)


def optimizer_of(rule, name="himmelblau", **options):
    lr = RATES.get(name, 0.01) * (0.5 if rule in ("momentum", "nesterov") else 1.0) if rule in PLAIN else 0.01
    return gd.optimizers.make(rule, **{"lr": lr, **options})


def assert_close(cpu, gpu, early, late):
    """Traces that differ by rounding, which a descent may enlarge from step to step."""
    np.testing.assert_array_equal(np.isnan(cpu.trace), np.isnan(gpu.trace))
    size = np.nanmax(np.abs(cpu.trace), axis=-1, initial=1e-300)
    error = np.nanmax(np.abs(cpu.trace - gpu.trace), axis=-1, initial=0.0) / size
    assert np.nanmax(error[..., :11]) <= early
    assert np.nanmax(error) <= late


# By default every problem with Adam and every rule with Himmelblau's function: a kernel compiles for seconds
PRODUCT = [
    pytest.param(name, rule, marks=() if rule == "adam" or name == "himmelblau" else pytest.mark.slow)
    for name in PROBLEMS
    for rule in RULES
]


@pytest.mark.parametrize(("name", "rule"), PRODUCT)
def test_every_problem_with_every_rule(name, rule):
    problem = PROBLEMS[name]
    x0, options = problem.sample(64, seed=1), {"max_steps": STEPS, "gtol": None, "record": 1}
    runs = [descend(problem, x0, optimizer_of(rule, name), device, **options) for device in ("cpu", "cuda")]
    assert_close(*runs, early=1e-9, late=1e-5)


@pytest.mark.parametrize("rule", ["adam", "momentum", "schedule_free_adamw"])
def test_single_precision(rule):
    problem = PROBLEMS["himmelblau"]
    options = {"max_steps": STEPS, "gtol": None, "record": 1, "dtype": np.float32}
    x0 = problem.sample(64, seed=1)
    runs = [descend(problem, x0, optimizer_of(rule), device, **options) for device in ("cpu", "cuda")]
    assert runs[1].trace.dtype == np.float32
    assert_close(*runs, early=1e-5, late=1e-3)


@pytest.mark.parametrize("rule", SAME_BITS)
def test_sums_products_quotients_and_roots_are_the_same_to_the_last_bit(rule):
    """Both devices fuse the same products and sums, and round every operation as IEEE asks."""
    problem = PROBLEMS["himmelblau"]
    x0, options = problem.sample(5000, seed=2), {"max_steps": 300, "gtol": 1e-6}
    cpu, gpu = (descend(problem, x0, optimizer_of(rule), device, **options) for device in ("cpu", "cuda"))
    for field in FIELDS:
        assert same_bits(getattr(cpu, field), getattr(gpu, field)), field


@pytest.mark.parametrize("schedule", [
    gd.schedules.Cosine(0.05, 30, 0.001), gd.schedules.OneCycle(0.05, 40), gd.schedules.ReduceOnPlateau(0.1, 0.5, 2),
    gd.schedules.sequence(gd.schedules.LinearWarmup(0.05, 5), gd.schedules.Exponential(0.05, 0.95), at=5),
], ids=lambda schedule: type(schedule).__name__)  # fmt: skip
def test_schedules_stop_tests_clips_and_averages(schedule):
    problem, optimizer = PROBLEMS["himmelblau"], gd.Adam(lr=schedule, clip_value=50.0, clip_norm=20.0)
    options = {"max_steps": 200, "gtol": 1e-4, "xtol": 1e-7, "ftol": 1e-9, "patience": 5, "average": gd.SWA(start=20)}
    x0 = problem.sample(2000, seed=3)
    cpu, gpu = (descend(problem, x0, optimizer, device, **options) for device in ("cpu", "cuda"))
    assert np.mean(cpu.status != gpu.status) < 0.01
    same = cpu.nit == gpu.nit
    assert np.mean(same) > 0.9
    np.testing.assert_allclose(gpu.x[same], cpu.x[same], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(gpu.x_avg[same], cpu.x_avg[same], rtol=1e-6, atol=1e-6)


def test_repeats_chunks_batches_and_own_hyperparameters_do_not_change_a_bit():
    from fastgd.engine.cuda import memory

    problem, x0 = PROBLEMS["himmelblau"], PROBLEMS["himmelblau"].sample(100_000, seed=4)
    optimizer, options = gd.Adam(lr=0.05), {"max_steps": 400, "gtol": 1e-6}
    first = descend(problem, x0, optimizer, "cuda", **options)
    with mock.patch.object(memory, "CHUNK_RUNS", 7000):
        chunks = descend(problem, x0, optimizer, "cuda", **options)
    own = descend(problem, x0, gd.Adam(lr=np.full(100_000, 0.05)), "cuda", **options)
    for other in (descend(problem, x0, optimizer, "cuda", **options), chunks, own):
        for field in FIELDS:
            assert same_bits(getattr(first, field), getattr(other, field)), field
    order = np.random.default_rng(0).permutation(100_000)[:1000]
    few = descend(problem, x0[order], optimizer, "cuda", **options)
    for field in FIELDS:
        assert same_bits(getattr(first, field)[order], getattr(few, field)), field


DRAWN = {
    "epochs": {"batch_size": 32}, "replaced": {"batch_size": 32, "replace": True},
    "in order": {"batch_size": 7, "shuffle": False}, "shared": {"batch_size": 32, "shared_batches": True},
    "own sizes": {"batch_size": np.arange(64) % 11 + 1},
}  # fmt: skip


@pytest.mark.parametrize("kind", DRAWN)
def test_both_devices_draw_the_same_samples(kind):
    """The words are integers, and least squares are sums and products: the same to the last bit."""
    x0 = LINEAR.sample(64, seed=1, method="normal")
    options = {"max_steps": 300, "gtol": None, "seed": 2**40 + 9, "record": 50, **DRAWN[kind]}
    cpu, gpu = (descend(LINEAR, x0, gd.Momentum(lr=0.01), device, **options) for device in ("cpu", "cuda"))
    for field in (*FIELDS, "trace"):
        assert same_bits(getattr(cpu, field), getattr(gpu, field)), field


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("dim", [2, 5])
def test_both_devices_add_the_same_noise(dim, dtype):
    """But for the rounding of logarithm, sine and cosine."""
    problem = gd.problems.quadratic(dim=dim)
    options = {"max_steps": STEPS, "gtol": None, "record": 1, "noise": 0.5, "dtype": dtype, "seed": np.arange(64)}
    x0 = problem.sample(64, seed=1)
    cpu, gpu = (descend(problem, x0, gd.GradientDescent(lr=0.05), device, **options) for device in ("cpu", "cuda"))
    assert np.abs(gpu.trace[:, -1] - gpu.trace[:1, -1]).max() > 0.01
    small, large = (1e-12, 1e-11) if dtype == np.float64 else (1e-5, 1e-4)
    assert_close(cpu, gpu, early=small, late=large)


def test_stop_tests_look_at_all_samples_on_both_devices():
    x0 = LOGISTIC.sample(500, seed=2, method="normal")
    options = {"max_steps": 400, "gtol": 0.02, "batch_size": 16, "check_every": 10, "average": gd.SWA(start=50)}
    cpu, gpu = (descend(LOGISTIC, x0, gd.Adam(lr=0.02), device, **options) for device in ("cpu", "cuda"))
    assert 0 < np.mean(cpu.success) < 1
    same = cpu.nit == gpu.nit
    assert np.mean(same) > 0.99
    np.testing.assert_allclose(gpu.x[same], cpu.x[same], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(gpu.x_avg[same], cpu.x_avg[same], rtol=1e-8, atol=1e-9)


def test_what_is_drawn_depends_on_the_seed_of_a_run_alone():
    from fastgd.engine.cuda import memory

    x0, runs = LINEAR.sample(20_000, seed=3, method="normal"), 20_000
    options = {"max_steps": 200, "gtol": None, "batch_size": 8, "noise": 0.1}
    first = descend(LINEAR, x0, gd.Adam(lr=0.01), "cuda", seed=7, **options)
    with mock.patch.object(memory, "CHUNK_RUNS", 3000):
        chunks = descend(LINEAR, x0, gd.Adam(lr=0.01), "cuda", seed=7, **options)
    order = np.random.default_rng(0).permutation(runs)[:1000]
    few = descend(LINEAR, x0[order], gd.Adam(lr=0.01), "cuda", seed=gd.seeds(7, runs)[order], **options)
    for field in FIELDS:
        assert same_bits(getattr(first, field), getattr(chunks, field)), field
        assert same_bits(getattr(first, field)[order], getattr(few, field)), field


def test_the_basins_of_a_map_differ_on_boundaries_only(capsys):
    problem, shape = PROBLEMS["himmelblau"], (1024, 1024)
    maps = [gd.map_basins(problem, gd.Adam(lr=0.05), shape=shape, device=device) for device in ("cpu", "cuda")]
    labels = [found.labels for found in maps]
    assert len(maps[0].basins) == len(maps[1].basins) == 4
    np.testing.assert_allclose(maps[0].basins.x, maps[1].basins.x, atol=1e-6)
    differs = labels[0] != labels[1]
    with capsys.disabled():
        print(f"\nmeasured: {differs.mean():.2e} of the labels of a 1024 x 1024 map differ")  # noqa: T201
    assert differs.mean() < 1e-3
    padded = np.pad(labels[0], 1, mode="edge")
    around = np.stack([padded[1 + i : 1025 + i, 1 + j : 1025 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    boundary = (around != labels[0]).any(axis=0)
    assert boundary[differs].all()


def test_the_gradient_flow():
    """The controller's powers come from another library, so steps differ in the last places, and ends do not."""
    problem, x0 = PROBLEMS["himmelblau"], PROBLEMS["himmelblau"].sample(5000, seed=7)
    cpu, gpu = (descend(problem, x0, gd.GradientFlow(), device, gtol=1e-8) for device in ("cpu", "cuda"))
    assert gpu.success.all()
    assert np.mean(np.abs(cpu.nit - gpu.nit) <= 1) > 0.99
    same = np.abs(cpu.x - gpu.x).max(axis=-1) < 1e-6
    assert np.mean(same) > 0.999  # the others started at a boundary
    np.testing.assert_allclose(gpu.x[same], cpu.x[same], atol=1e-9)
    again = descend(problem, x0[::-1], gd.GradientFlow(), "cuda", gtol=1e-8)
    for field in (*FIELDS, "njev"):
        assert same_bits(getattr(gpu, field), getattr(again, field)[::-1]), field


def test_stiff_runs_of_the_flow_go_to_the_reference():
    valley = gd.problems.quadratic(dim=2, condition=1e5)
    runs = [descend(valley, [[1.0, 1.0], [0.0, 0.0]], gd.GradientFlow(), device) for device in ("cpu", "cuda")]
    assert runs[0].success.all()
    assert runs[1].success.all()
    np.testing.assert_allclose(runs[1].x, runs[0].x, atol=1e-6)


def test_a_flow_whose_starts_lie_on_the_gpu():
    from numba import cuda

    problem, x0 = PROBLEMS["himmelblau"], PROBLEMS["himmelblau"].sample(1000, seed=7)
    valley = gd.problems.quadratic(dim=2, condition=1e5)  # whose second run is stiff, and comes back from the CPU
    for case, starts in ((problem, x0), (valley, np.array([[0.0, 0.0], [1.0, 1.0]]))):
        host = descend(case, starts, gd.GradientFlow(), "cuda")
        there = descend(case, cuda.to_device(starts), gd.GradientFlow(), "auto")
        for field in (*FIELDS, "nfev", "njev"):
            assert same_bits(getattr(host, field), getattr(there, field).copy_to_host()), field


def test_a_comparison_with_the_flow():
    problem, x0 = PROBLEMS["himmelblau"], PROBLEMS["himmelblau"].sample(2000, seed=8)
    shares = []
    for device in ("cpu", "cuda"):
        found = gd.compare(problem, x0, [gd.GradientDescent(lr=0.005)], device=device)
        shares.append(found["GradientDescent"].row()["elsewhere"])
    assert abs(shares[0] - shares[1]) < 2e-3


def test_diverging_runs_keep_their_last_finite_point():
    problem = PROBLEMS["himmelblau"]
    runs = descend(problem, problem.sample(1000, seed=5), gd.GradientDescent(lr=1.0), "cuda", gtol=None, bound=np.inf)
    assert np.all(runs.status == 3)
    assert np.isfinite(runs.x).all()


def test_functions_that_raise_end_their_runs_alone():
    def fun(x):
        if x[0] > 2.0:
            raise ValueError("too large")
        return x[0] * x[0]

    def grad(x, out):
        if x[0] > 2.0:
            raise ValueError("too large")
        out[0] = 2.0 * x[0]

    problem, starts = gd.Problem(fun, grad, dim=1, bounds=(-3, 3), name="fence"), np.linspace(-1.0, 3.0, 5000)[:, None]
    lost = int(np.sum(starts > 2.0))
    with pytest.raises(gd.DeviceError, match=f"fence: its functions raised an exception in {lost} of 5000 runs"):
        descend(problem, starts, gd.Adam(lr=0.05), "cuda", max_steps=200)
    inside = starts[starts[:, 0] <= 2.0]
    cpu, gpu = (descend(problem, inside, gd.Adam(lr=0.05), device, max_steps=200) for device in ("cpu", "cuda"))
    for field in FIELDS:
        assert same_bits(getattr(cpu, field), getattr(gpu, field)), field


def test_batch_sizes_of_their_own_for_very_many_parameters():
    """More than a thread's own memory could keep a second gradient of."""
    dim = 70_000

    def loss(x, i, t):
        return (x[i] - t[i]) ** 2

    def gradient(x, i, out, t):
        out[i] += 2.0 * (x[i] - t[i])

    problem = gd.FiniteSum(loss, gradient, data=(np.linspace(-1.0, 1.0, 50),), dim=dim, bounds=(-2, 2), name="wide")
    x0, options = np.ones((4, dim)), {"max_steps": 10, "gtol": None, "batch_size": [1, 2, 3, 4], "seed": 5}
    cpu, gpu = (descend(problem, x0, gd.Momentum(lr=0.1), device, **options) for device in ("cpu", "cuda"))
    for field in FIELDS:
        assert same_bits(getattr(cpu, field), getattr(gpu, field)), field


def test_a_tensor_that_a_stream_of_pytorchs_own_is_still_writing():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch has no GPU here")
    problem, x0 = PROBLEMS["himmelblau"], PROBLEMS["himmelblau"].sample(1000, seed=6)
    expected = descend(problem, x0, gd.Adam(lr=0.05), "cuda")
    with torch.cuda.stream(torch.cuda.Stream()):
        starts = torch.zeros((1000, 2), dtype=torch.float64, device="cuda")
        busy = torch.ones((4096, 4096), device="cuda")
        for _ in range(20):
            busy = busy @ busy / 4096
        starts += torch.tensor(x0, device="cuda") + 0 * busy[0, 0].double()
        runs = gd.minimize(problem, starts, gd.Adam(lr=0.05))
        assert same_bits(runs.x.cpu().numpy(), expected.x)
        x, optimizer = torch.ones(1000, device="cuda"), gd.GradientDescent(lr=0.25)
        state = optimizer.init(x)
        for k in range(1, 4):
            busy = busy @ busy / 4096
            optimizer.step(x, 2 * x + 0 * busy[0, 0], state)
            assert torch.all(x == 0.5**k)


def test_starts_on_the_second_gpu():
    from numba import cuda

    if len(cuda.gpus) < 2:
        pytest.skip("there is only one")
    problem, x0 = LINEAR, LINEAR.sample(100, seed=1, method="normal")
    first = descend(problem, x0, gd.Adam(lr=0.05), "cuda")
    with cuda.gpus[1]:
        there = cuda.to_device(x0)
    second = descend(problem, there, gd.Adam(lr=0.05), "cuda")
    assert second.x.gpu_data.context.device.id == 1
    assert same_bits(first.x, second.x.copy_to_host())


def test_compiled_kernels_are_found_again(tmp_path, monkeypatch):
    from fastgd.engine.cuda import job
    from fastgd.jit.cuda import DeviceKernel

    monkeypatch.setenv("FASTGD_CACHE_DIR", str(tmp_path))
    problem, x0 = PROBLEMS["beale"], PROBLEMS["beale"].sample(10)
    monkeypatch.setattr(job, "KERNELS", {})
    first = descend(problem, x0, gd.Adam(lr=0.02), "cuda", max_steps=60)
    assert list(tmp_path.rglob("*.cubin"))
    monkeypatch.setattr(job, "KERNELS", {})
    with mock.patch.object(DeviceKernel, "built", side_effect=AssertionError("compiled again")):
        again = descend(problem, x0, gd.Adam(lr=0.02), "cuda", max_steps=60)
    assert same_bits(first.x, again.x)


def test_arrays_of_other_libraries():
    problem, x0 = PROBLEMS["himmelblau"], PROBLEMS["himmelblau"].sample(1000, seed=6)
    expected = descend(problem, x0, gd.Adam(lr=0.05), "cuda")
    tried = []
    for name in ("cupy", "torch", "jax"):
        try:
            module = pytest.importorskip(name)
        except pytest.skip.Exception:
            continue
        if name == "cupy":
            given, kind = module.asarray(x0), module.ndarray
        elif name == "torch":
            given, kind = module.tensor(x0, device="cuda"), module.Tensor
        else:
            if module.default_backend() != "gpu":
                continue
            module.config.update("jax_enable_x64", True)
            given, kind = module.numpy.asarray(x0), module.Array
        runs = gd.minimize(problem, given, gd.Adam(lr=0.05))
        assert isinstance(runs.x, kind), name
        found = runs.x.get() if name == "cupy" else runs.x.cpu().numpy() if name == "torch" else np.asarray(runs.x)
        assert same_bits(found, expected.x), name
        tried.append(name)
    if not tried:
        pytest.skip("none of CuPy, PyTorch and JAX has a GPU here")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES)
def test_the_step_in_place(rule, dtype):
    from numba import cuda

    generator = np.random.default_rng(0)
    x = generator.normal(size=100_003).astype(dtype)
    given, optimizer = cuda.to_device(x), optimizer_of(rule)
    states = optimizer.init(x), optimizer.init(given)
    for _ in range(5):
        g = generator.normal(size=x.size).astype(dtype)
        optimizer.step(x, g, states[0])
        optimizer.step(given, cuda.to_device(g), states[1])
    np.testing.assert_allclose(given.copy_to_host(), x, rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-12)


def test_the_step_in_place_on_a_tensor_of_pytorch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch has no GPU here")
    x, optimizer = torch.ones(1000, device="cuda"), gd.Adam(lr=0.1)
    twin = torch.nn.Parameter(x.clone())
    theirs, state = torch.optim.Adam([twin], lr=0.1), optimizer.init(x)
    for _ in range(3):
        twin.grad = 2 * twin.detach()
        optimizer.step(x, 2 * x, state)
        theirs.step()
    np.testing.assert_allclose(x.cpu().numpy(), twin.detach().cpu().numpy(), rtol=1e-5)
