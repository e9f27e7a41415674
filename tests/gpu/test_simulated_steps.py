"""The step in place on device arrays, on Numba's simulator, against the rule applied parameter by parameter."""

import math

import numpy as np
import pytest
from simulated_cases import ON_SIMULATOR, optimizer_of, rate_of, schedules_of

import fastgd as gd

pytestmark = ON_SIMULATOR
RULES = gd.optimizers.rules()
SHAPES = [(3, 7), (1,), (50,)]  # 50 fills blocks of 4 threads and 4 parameters each, but for the last one
GENERATOR = np.random.default_rng(0)


def arrays_of(dtype):
    return [GENERATOR.normal(size=shape).astype(dtype) for shape in SHAPES]


class Plain:
    """The rule on lists of numbers, one after the other."""

    def __init__(self, optimizer, arrays):
        self.rule, self.schedule, self.clips = optimizer.rule(), optimizer.schedule, optimizer.clips
        self.numbers = [np.float64(v) for v in optimizer.hyperparameters().values()]
        self.rates = len(self.schedule.parameters())
        self.state = [[(a.dtype.type(0),) * self.rule.slots for _ in range(a.size)] for a in arrays]
        self.memory = self.schedule.start(tuple(self.numbers[: self.rates])) if self.schedule.memory else None
        self.t = 0

    def coefficients(self):
        p, rest = tuple(self.numbers[: self.rates]), self.numbers[self.rates : len(self.numbers) - len(self.clips)]
        more = () if self.memory is None else (self.memory,)
        return self.rule.coefficients((self.schedule.rate_function()(p, self.t, *more), *rest), self.t)

    def points(self, arrays):
        kind = arrays[0].dtype.type
        c = tuple(kind(v) for v in self.coefficients())
        return [
            np.reshape([self.rule.probe(v, s, c) for v, s in zip(a.ravel(), states, strict=True)], a.shape)
            for a, states in zip(arrays, self.state, strict=True)
        ]

    def step(self, arrays, grads, value=None):
        kind = arrays[0].dtype.type
        limits = dict(zip(self.clips, self.numbers[len(self.numbers) - len(self.clips) :], strict=True))
        if "clip_value" in limits:
            limit = kind(limits["clip_value"])
            grads = [np.clip(g, -limit, limit) for g in grads]
        factor = None
        if "clip_norm" in limits:
            norm = math.sqrt(sum(float(np.sum(g.astype(float) ** 2)) for g in grads))
            factor = kind(min(1.0, limits["clip_norm"] / norm))
        c = tuple(kind(v) for v in self.coefficients())
        for a, g, states in zip(arrays, grads, self.state, strict=True):
            for k in range(a.size):
                component = g.flat[k] if factor is None else g.flat[k] * factor
                a.flat[k], states[k] = self.rule.update(a.flat[k], component, states[k], c)
                states[k] = tuple(map(kind, states[k]))
        if self.memory is not None:
            self.memory = self.schedule.observe(tuple(self.numbers[: self.rates]), self.memory, np.float64(value))
        self.t += 1


def on_gpu(arrays):
    from numba import cuda

    return [cuda.to_device(array) for array in arrays]


def check(optimizer, dtype, steps=3, exact=True, values=None):
    x = arrays_of(dtype)
    given, plain = on_gpu(x), Plain(optimizer, x)
    state = optimizer.init(given)
    for t in range(steps):
        grads = arrays_of(dtype)
        value = None if values is None else values[t]
        if plain.rule.probe is not None:
            for found, expected in zip(optimizer.probe(given, state), plain.points(x), strict=True):
                np.testing.assert_array_equal(found.copy_to_host(), expected)
        optimizer.step(given, on_gpu(grads), state, value=value)
        plain.step(x, grads, value)
        for found, expected in zip(given, x, strict=True):
            if exact:
                np.testing.assert_array_equal(found.copy_to_host(), expected)
            else:  # the sum of squares is taken in another order
                np.testing.assert_allclose(found.copy_to_host(), expected, rtol=1e-5 if dtype == np.float32 else 1e-13)
    return given, state, x


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule, dtype):
    check(optimizer_of(rule), dtype)


@pytest.mark.parametrize("name", ["Cosine", "OneCycle", "ReduceOnPlateau"])
def test_schedules(name):
    optimizer = gd.Adam(lr=schedules_of(rate_of("adam"))[name])
    check(optimizer, np.float64, steps=6, values=[3.0, 3.0, 3.0, 2.0, 2.0, 2.0] if name == "ReduceOnPlateau" else None)


@pytest.mark.parametrize(
    "clips", [{"clip_value": 0.3}, {"clip_norm": 0.5}, {"clip_norm": 1e9}, {"clip_value": 0.7, "clip_norm": 2.0}]
)
def test_clips(clips):
    check(gd.Adam(lr=0.1, **clips), np.float64, exact="clip_norm" not in clips)


def test_the_norm_of_large_gradients_does_not_overflow():
    optimizer = gd.GradientDescent(lr=1.0, clip_norm=5.0)
    (x,), (g,) = on_gpu([np.zeros(2)]), on_gpu([np.array([3e200, 4e200])])
    optimizer.step(x, g, optimizer.init(x))
    np.testing.assert_allclose(x.copy_to_host(), [-3.0, -4.0], rtol=1e-14)


def test_the_state_goes_home_and_comes_back():
    optimizer = gd.Adam(lr=0.1)
    given, state, x = check(optimizer, np.float64)
    saved = state.to_dict()
    assert saved["t"] == 3
    assert [saved[f"slots{k}"].shape for k in range(3)] == [(2, *shape) for shape in SHAPES]
    again, grads = optimizer.restore(saved), arrays_of(np.float64)
    assert not again.on_gpu
    others = on_gpu(x)
    optimizer.step(others, on_gpu(grads), again)
    optimizer.step(given, on_gpu(grads), state)
    assert again.on_gpu
    for a, b in zip(given, others, strict=True):
        np.testing.assert_array_equal(a.copy_to_host(), b.copy_to_host())
    for k in range(3):
        np.testing.assert_array_equal(state.to_dict()[f"slots{k}"], again.to_dict()[f"slots{k}"])


def test_bad_arrays():
    optimizer = gd.Momentum(lr=0.1)
    (x,), host = on_gpu([np.zeros((2, 3))]), np.zeros((2, 3))
    state = optimizer.init(x)
    with pytest.raises(TypeError, match="grad must lie on the GPU, as x does, got ndarray of the host"):
        optimizer.step(x, host, state)
    with pytest.raises(ValueError, match=r"grad must have shape \(2, 3\), as in init"):
        optimizer.step(x, on_gpu([np.zeros(6)])[0], state)
    with pytest.raises(ValueError, match="grad must have dtype float64"):
        optimizer.step(x, on_gpu([np.zeros((2, 3), np.float32)])[0], state)
    with pytest.raises(ValueError, match="grad must not share memory with x"):
        optimizer.step(x, x, state)
    with pytest.raises(ValueError, match="must have dtype float32 or float64, got int64"):
        optimizer.init(on_gpu([np.zeros(3, int)])[0])


def test_arrays_of_jax_are_refused():
    jax = pytest.importorskip("jax")
    from fastgd.optimizers import cuda

    with pytest.raises(TypeError, match="arrays of JAX never change; use optax"):
        cuda.init(gd.Adam(), jax.numpy.zeros(3))
