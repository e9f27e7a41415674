"""The contract of an update rule, and what every optimizer shares."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from fastgd.boxes import real_array
from fastgd.checks import shown
from fastgd.jit.by_value import OfAnyClass
from fastgd.jit.options import inlined
from fastgd.schedules import Constant, Schedule
from fastgd.searches import LineSearch

from .stable_rate import StableRate

if TYPE_CHECKING:
    from .state import State

__all__ = ["Engine", "Method", "Optimizer", "Rule", "decayed_by", "hyper"]


CLIPS = ("clip_value", "clip_norm")


class Rule(NamedTuple):
    """An update rule as plain scalar functions, compiled for every target from this one source.

    Attributes
    ----------
    coefficients : callable
        ``coefficients(h, t) -> tuple``: what depends on the step alone, such as bias corrections.  `h` holds the
        hyperparameters in the order of the optimizer's fields, the learning rate being that of step t = 0, 1, ...
    update : callable
        ``update(x, g, s, c) -> (x, s)``: the new parameter and its new state.
    slots : int
        How many numbers of state each parameter has; all are 0 before the first step.
    probe : callable, optional
        ``probe(x, s, c) -> x``: where the gradient is taken, if not at `x`.

    Notes
    -----
    A NaN in `g` has to reach the new `x`: the loop looks there for divergence.
    """

    coefficients: Callable
    update: Callable
    slots: int
    probe: Callable | None = None


class Search(NamedTuple):
    """Directions and a line search along each, as functions that are compiled for every target.

    Attributes
    ----------
    line : LineSearch
        How far to go.
    turn : callable
        ``turn(new, fresh, x, y, g, s)``: for the runs in `new`, which come from `x` to `y` with the gradient `g`, write
        the next direction d into `s`.  The first n rows of `s` hold the gradient at `x`, the next n the last direction,
        and `extra` more are the method's own, 0 at first.  Where `fresh` holds, d is -g.
    guess : callable
        ``guess(f, f_before, slope, squares, fresh) -> a``: the first step to try, from the values at `y` and at `x`,
        the slope along d, and the squared length of `g`.
    least : float
        A direction along which the value falls by less than this times the squared length of `g` is replaced by -g.
    extra : int
        How many rows the method keeps besides gradient and direction.
    restart : int
        Start anew with d = -g after so many steps; 0 for never.
    """

    line: LineSearch
    turn: Callable
    guess: Callable
    least: float = 0.0
    extra: int = 0
    restart: int = 0


def hyper(
    default: Any = dataclasses.MISSING,
    low: float = 0.0,
    high: float = math.inf,
    *,
    below: bool = False,
    kw_only: bool = False,
) -> Any:
    """A numeric hyperparameter in [low, high], or in [low, high) where `below` is set; None if that is the default."""
    range_of = {"low": low, "high": high, "below": below}
    return dataclasses.field(default=default, kw_only=kw_only, metadata=range_of)


class Engine(Protocol):
    """What runs the descents of a method: `fastgd.minimize` calls `plan`, `run` and `result` in turn."""

    def takes_gpu(self, optimizer: Any) -> bool:
        """Whether ``device="cuda"`` may be asked for."""
        ...

    def plan(
        self, problem: Any, x0: Any, optimizer: Any, stop: Any, seed: Any, dtype: Any, record: Any, average: Any,
        draws: Any,
    ) -> Any:  # fmt: skip
        """Check the arguments of `fastgd.minimize` and broadcast them, before any work.

        What is returned has `runs`, how many there are.
        """
        ...

    def run(self, plan: Any, device: str, threads: int, report: Callable[[int, int], None] | None) -> Any:
        """Run the plan on "auto", "cpu" or "cuda".  Ctrl-C is an `Interrupted` with the arrays in `partial`."""
        ...

    def result(self, plan: Any, arrays: Any) -> Any:
        """The arrays of `run` as a `fastgd.Result`."""
        ...


class Method(OfAnyClass):
    """What `fastgd.minimize` takes as its optimizer: a way downhill, with its numbers.

    Attributes
    ----------
    name : str
        What `fastgd.optimizers.make` finds it by.
    engine : Engine or None
        What runs it; None for `fastgd.minimize`'s own loop, which update rules and line searches share.
    """

    name: ClassVar[str] = ""
    engine: ClassVar[Engine | None] = None

    @property
    def label(self) -> str:
        """What tables and pictures call it."""
        return type(self).__name__

    def hyperparameters(self) -> dict[str, Any]:
        """What may vary from run to run, by name."""
        return {}

    def stable_rate(self) -> StableRate | None:
        """What `largest_stable_rate` computes, with its formula for pictures; None where no closed form is known."""
        return None

    def largest_stable_rate(self, curvature: Any) -> Any:
        r"""The rate below which the method stays at a minimum of largest curvature :math:`\lambda`.

        .. math::

            \text{gradient descent:} \quad \frac{2}{\lambda + w}, \qquad
            \text{momentum:} \quad \frac{2\,(1 + \mu)}{(1 - d)\,(\lambda + w)}, \qquad
            \text{Nesterov:} \quad \frac{2\,(1 + \mu)}{(1 + 2 \mu)\,(\lambda + w)}

        with weight decay w, momentum :math:`\mu` and dampening d, for which :math:`\mu` stands where momentum is
        `averaged`.  It is the limit of small steps near the minimum at a constant rate; a run from afar may need a
        smaller one.  With weight decay the minimum is that of :math:`f(x) + w |x|^2 / 2`.  Noise, batches and clipping
        are left out.

        Parameters
        ----------
        curvature : float or array_like
            Largest eigenvalue of the Hessian there, such as `fastgd.Classification.sharpness`.

        Returns
        -------
        float, ndarray or None
            Broadcast with the hyperparameters, in which `lr` plays no part.  Infinite where :math:`\lambda + w` is 0, 0
            where it is negative.  None where no closed form is known, as for all other rules and where a line search
            chooses the rate.

        Raises
        ------
        TypeError
            If the curvature is no number and no array of numbers.

        References
        ----------
        B. T. Polyak, Introduction to Optimization, Optimization Software, New York 1987.

        Examples
        --------
        >>> import fastgd as gd
        >>> rules = gd.GradientDescent(lr=1), gd.Momentum(lr=1, momentum=0.5), gd.Nesterov(lr=1, momentum=0.5)
        >>> [float(rule.largest_stable_rate(4.0)) for rule in rules]
        [0.5, 0.75, 0.375]
        """
        real, limit = real_array(curvature, "curvature"), self.stable_rate()
        return None if limit is None else limit.at(real)

    def search(self, length: int) -> Search | None:
        """The line search and the directions in so many parameters, for methods that have them."""
        return None


@dataclasses.dataclass(frozen=True, eq=False)
class Optimizer(Method):
    """Base of all update rules: frozen dataclasses whose numeric fields may be arrays that broadcast with the starts.

    Parameters
    ----------
    lr : float, array_like or Schedule
        The learning rate.
    clip_value : float or array_like, optional
        Keyword only, for every optimizer: each component of the gradient is cut to [-clip_value, clip_value].
    clip_norm : float or array_like, optional
        Keyword only, for every optimizer: a gradient with a larger Euclidean norm is scaled down to this one (as Optax
        does; PyTorch divides by the norm plus 1e-6).  With both, the value's limit comes first.  The stop test looks at
        the gradient before it is cut.
    """

    lr: Any = hyper()
    clip_value: Any = hyper(None, kw_only=True)
    clip_norm: Any = hyper(None, kw_only=True)

    def takes(self, field: str, value: Any) -> bool:
        """Whether a field may be this object, which is neither a number nor an array."""
        return field == "lr" and isinstance(value, Schedule)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            name = f"{type(self).__name__}: {field.name}"
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
            if "low" not in field.metadata or self.takes(field.name, value):
                continue
            if value is None and field.default is None:
                continue
            object.__setattr__(self, field.name, checked(name, value, **field.metadata))

    def rule(self) -> Rule:
        """The update rule of these settings."""
        raise NotImplementedError

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule."""
        return self.lr if isinstance(self.lr, Schedule) else Constant(self.lr)

    def hyperparameters(self) -> dict[str, Any]:
        """What may vary from run to run: the schedule's parameters, then the rule's numbers, then the clips in use."""
        of_lr = "lr." if isinstance(self.lr, Schedule) else ""  # a schedule's field may bear a rule's name
        numbers = {of_lr + name: value for name, value in self.schedule.parameters().items()}
        for field in dataclasses.fields(self):
            if field.name not in ("lr", *CLIPS) and "low" in field.metadata:
                numbers[field.name] = getattr(self, field.name)
        return numbers | {name: getattr(self, name) for name in self.clips}

    @property
    def clips(self) -> tuple[str, ...]:
        """Which of `clip_value` and `clip_norm` are in use."""
        return tuple(name for name in CLIPS if getattr(self, name) is not None)

    def init(self, x: Any) -> State:
        """Make the state for steps in place over arrays of your own; see `step`.

        Parameters
        ----------
        x : ndarray of any shape, or list of them
            The parameters, float32 or float64, C-contiguous and writable.  They are not changed, nor kept.  Arrays on a
            GPU (of CuPy, PyTorch, JAX or Numba) have their state there.

        Returns
        -------
        State
            All zeros, at step 0.

        Raises
        ------
        TypeError, ValueError
            For arrays that cannot be updated in place, and for hyperparameters that are arrays.
        """
        from . import inplace

        return inplace.init(self, x)

    def step(self, x: Any, grad: Any, state: State, *, value: float | None = None, threads: int | None = None) -> None:
        """Take one step: update the parameters and the state in place, in one pass over memory.

        The result of each parameter is the same, bit for bit, for any number of threads and wherever it stands in an
        array.  A gradient that is not finite makes its own parameter so.

        Parameters
        ----------
        x : ndarray of any shape, or list of them
            The parameters, as `init` was given them; updated in place.
        grad : ndarray or list of them
            The gradient at `probe(x, state)`, which is `x` itself for most rules; of the shapes and dtype of `x`.  Only
            read; one that is not C-contiguous is copied.
        state : State
            What `init` or `restore` returned; updated in place.
        value : float, optional
            The function's value at `x`, for schedules that watch it, such as ``ReduceOnPlateau``; else not looked at.
        threads : int, optional
            How many threads to use; all processors by default, the calling one alone for small arrays.

        Raises
        ------
        TypeError, ValueError
            Before any work, for arrays or a state that do not fit.

        Notes
        -----
        `clip_norm` bounds the norm over all arrays together, which is known after a first pass over the gradient only.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd as gd
        >>> x = np.array([[3.0, -1.0], [0.5, 2.0]])
        >>> optimizer = gd.GradientDescent(lr=0.25)
        >>> state = optimizer.init(x)
        >>> optimizer.step(x, 2 * x, state)
        >>> x
        array([[ 1.5 , -0.5 ],
               [ 0.25,  1.  ]])
        """
        from . import inplace

        inplace.step(self, x, grad, state, value, threads)

    def probe(self, x: Any, state: State, *, out: Any = None, threads: int | None = None) -> Any:
        """Return the point at which the next `step` expects the gradient.

        Parameters
        ----------
        x : ndarray or list of them
            The parameters.
        state : State
            Their state.
        out : ndarray or list of them, optional
            Where to write the point; new arrays by default.
        threads : int, optional
            As in `step`.

        Returns
        -------
        ndarray or list of them
            `x` itself where the rule takes the gradient there (and no `out` is given); else `out`, or new arrays.
        """
        from . import inplace

        return inplace.probe(self, x, state, out, threads)

    def restore(self, saved: Mapping[str, Any]) -> State:
        """Return the state that `State.to_dict` told, which `step` continues bit for bit.

        Parameters
        ----------
        saved : mapping
            What ``state.to_dict()`` gave, or ``numpy.load`` of what ``numpy.savez(file, **state.to_dict())`` wrote.

        Raises
        ------
        ValueError
            If it is no such thing, or the state of another rule.
        """
        from . import inplace

        return inplace.restore(self, saved)


def decayed_by(weight_decay: Any) -> Callable:
    """``decayed(g, x, weight_decay)``: the gradient with the decay's part added, which costs nothing where it is 0."""
    return decayed if np.any(weight_decay) else as_it_is


@inlined
def decayed(g, x, weight_decay):
    return g + weight_decay * x


@inlined
def as_it_is(g, x, weight_decay):
    return g


def checked(name: str, value: Any, low: float, high: float, below: bool) -> Any:
    """`value` as a float, or as a read-only array of floats, inside its range."""
    if isinstance(value, Schedule):
        raise TypeError(f"{name} must be a number or an array of numbers; only lr may be a schedule, got {value!r}")
    if isinstance(value, LineSearch):
        raise TypeError(
            f"{name} must be a number or an array of numbers, got {value!r}; GradientDescent(lr=...), "
            "ConjugateGradient and LBFGS take line searches"
        )
    if isinstance(value, type) and issubclass(value, (Schedule, LineSearch)):
        raise TypeError(f"{name}: give an instance, {value.__name__}(...), not the class {value.__name__}")
    if callable(value):
        raise TypeError(
            f"{name} must be a number or an array of numbers, got {shown(value)}; a learning rate that changes with "
            "the step is a schedule, such as lr=fastgd.schedules.Exponential(0.1, gamma=0.99); the docstring of "
            "fastgd.schedules.Schedule shows how to write one"
        )
    numbers = real_array(value, name)
    good = np.isfinite(numbers) & (numbers >= low) & ((numbers < high) if below else (numbers <= high))
    if not good.all():
        interval = f"[{low:g}, {high:g}{')' if below or math.isinf(high) else ']'}"
        raise ValueError(f"{name} must be finite and in {interval}, got {numbers[~good].flat[0]:g}")
    if numbers.ndim == 0:
        return float(numbers)
    numbers.flags.writeable = False
    return numbers
