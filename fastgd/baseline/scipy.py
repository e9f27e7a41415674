"""The gradient methods of `scipy.optimize.minimize` over a batch of starts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fastgd import evaluate
from fastgd.calls import levels_to_caller
from fastgd.errors import nearest
from fastgd.keywords import NO_BOUNDS
from fastgd.optimizers import Engine, Method, register
from fastgd.problem import Problem
from fastgd.result import Result
from fastgd.stopping import RAISED, Status, StopTests
from fastgd.texts import counted

from .one_by_one import OneByOne
from .runs import Ends, Task, is_good

__all__ = ["SciPy", "SciPyCG"]

FAILED, LIMIT = Status.LINE_SEARCH_FAILED, Status.STEP_LIMIT


class Form(NamedTuple):
    """What one of SciPy's methods takes, and what its own status numbers mean."""

    gtol: bool = True  # whether it has an option of that name
    maxiter: bool = True
    hessian: bool = False
    bounded: bool = False  # whether SciPy's own function takes bounds, which are not kept here
    codes: Mapping[int, Status] = {1: LIMIT, 2: FAILED, 3: Status.DIVERGED}


TRUST = Form(hessian=True, codes={1: LIMIT, 2: FAILED, 3: FAILED})
METHODS = {
    "CG": Form(),
    "BFGS": Form(),
    "L-BFGS-B": Form(bounded=True, codes={1: LIMIT, 2: FAILED}),
    "Newton-CG": Form(gtol=False, hessian=True),
    "TNC": Form(maxiter=False, bounded=True, codes={3: LIMIT, 4: FAILED}),
    "SLSQP": Form(gtol=False, bounded=True, codes={8: FAILED, 9: LIMIT}),
    "dogleg": TRUST,
    "trust-ncg": TRUST,
    "trust-krylov": TRUST,
    "trust-exact": TRUST,
    "trust-constr": Form(hessian=True, bounded=True, codes={0: LIMIT}),
}
OURS = {"gtol": "gtol", "maxiter": "max_steps"}  # options that are arguments of `fastgd.minimize`
ARGUMENTS = ("bounds", "constraints", "keep_feasible", "finite_diff_bounds")  # of SciPy's, which hold a run somewhere


class Left(Exception):
    """A run has left for infinity, or has taken its steps."""


class Stopped(Exception):
    """The work is to stop."""


@register
@dataclass(frozen=True, eq=False, repr=False)
class SciPy(Method):
    r"""A gradient method of `scipy.optimize.minimize`, from every start of a batch.

    A baseline: deterministic, with a line search or a trust region in the place of a learning rate, and the same
    `Result` as every other optimizer.  SciPy's code runs as it is, so each start takes exactly SciPy's steps and
    evaluations, with the compiled value and gradient (and Hessian).  Where there is work for seconds, processes share
    it.

    Parameters
    ----------
    method : str, default "CG"
        "CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP"; or, with the derived Hessian, "Newton-CG", "dogleg", "trust-ncg",
        "trust-krylov", "trust-exact", "trust-constr".  Small and capital letters are the same.
    options : mapping, optional
        SciPy's options of the method, such as ``{"c2": 0.1}``; those that are left out have SciPy's defaults.

    Raises
    ------
    ValueError
        For a method that there is not or that uses no gradient, and for options that SciPy does not take.

    Warns
    -----
    UserWarning
        Where runs by one of the four methods that take bounds in SciPy came to rest outside the problem's box.

    Notes
    -----
    All methods run without bounds and constraints, "L-BFGS-B", "TNC", "SLSQP" and "trust-constr" too: the box of a
    problem says where starts are drawn, and a descent may leave it.

    `gtol` of `fastgd.minimize` is SciPy's option of that name, and `max_steps` its ``maxiter``.
    "Newton-CG" and "SLSQP" know no ``gtol``: they stop by their own ``xtol`` or ``ftol``, and `gtol` tells which of
    their end points have converged. The "trust" methods compare `gtol` with the Euclidean length of the gradient, and
    are the stricter for it.

    How a run ended: 0, the largest component of the gradient is at most `gtol`; 1, SciPy met another test of its own,
    such as ``ftol`` of "L-BFGS-B"; 2, its steps, or evaluations, are used up; 3, the value or the gradient is not
    finite, or the point lies past `bound`: `x` is the last one before it; 4, its line search failed, or its model
    predicts no improvement: `x` is the best point found.

    `nit`, `nfev` and `njev` are SciPy's own.  `xtol`, `ftol`, `patience`, `record`, `average` and float32 are refused.

    References
    ----------
    P. Virtanen et al., SciPy 1.0: fundamental algorithms for scientific computing in Python,
    Nature Methods 17 (2020) 261-272, doi:10.1038/s41592-019-0686-2.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.problems.himmelblau()
    >>> runs = gd.minimize(problem, [[0.0, 0.0], [-4.0, -4.0]], gd.SciPy("BFGS"))
    >>> runs.success
    array([ True,  True])
    >>> runs.nfev.shape
    (2,)
    """

    method: str = "CG"
    options: Mapping[str, Any] | None = None

    name: ClassVar[str] = "scipy"
    engine: ClassVar[Engine | None]

    def __post_init__(self) -> None:
        known = {name.lower(): name for name in METHODS}
        if not isinstance(self.method, str) or self.method.lower() not in known:
            raise ValueError(
                f"SciPy: method must be one of {', '.join(METHODS)} (none without gradients), got {self.method!r}."
                f"{nearest(self.method, METHODS)}"
            )
        object.__setattr__(self, "method", known[self.method.lower()])
        if self.options is not None:
            if not isinstance(self.options, Mapping):
                raise TypeError(f"SciPy: options must be a mapping such as {{'c2': 0.1}}, got {self.options!r}")
            object.__setattr__(self, "options", dict(self.options))
            check_options(self)

    @property
    def label(self) -> str:
        return f"SciPy {self.method}{' without bounds' if METHODS[self.method].bounded else ''}"

    def __repr__(self) -> str:
        called = f"{type(self).__name__}(method={self.method!r}, options={self.options!r})"
        return f"{called}, without bounds" if METHODS[self.method].bounded else called

    def arguments(self, stop: StopTests) -> dict[str, Any]:
        """What SciPy is called with besides the functions and the start."""
        form, options = METHODS[self.method], dict(self.options or {})
        if form.gtol:
            options["gtol"] = 0.0 if stop.gtol is None else float(stop.gtol)
        if form.maxiter:
            options["maxiter"] = int(stop.max_steps)
        return {"method": self.method, "options": options}


@register
@dataclass(frozen=True, eq=False, repr=False)
class SciPyCG(SciPy):
    """SciPy's nonlinear conjugate gradients: ``SciPy("CG")``, for short.

    Parameters
    ----------
    options : mapping, optional
        See `SciPy`.

    Examples
    --------
    The example of SciPy's own documentation, and the counts that it prints:

    >>> import fastgd as gd
    >>> bowl = gd.Problem(lambda x: 2*x[0]**2 + 3*x[0]*x[1] + 7*x[1]**2 + 8*x[0] + 9*x[1] + 10, dim=2)
    >>> run = gd.minimize(bowl, [0.0, 0.0], gd.SciPyCG(), gtol=1e-5)
    >>> int(run.nit), int(run.nfev), int(run.njev)
    (4, 8, 8)
    >>> print(run.x.round(8))
    [-1.80851064 -0.25531915]
    """

    method: str = field(default="CG", init=False)

    name: ClassVar[str] = "scipy_cg"


def check_options(optimizer: SciPy) -> None:
    """Raise ValueError unless SciPy takes the options, told by one step down a bowl."""
    from scipy.optimize import OptimizeWarning, minimize

    assert optimizer.options is not None
    for option in ("disp", "iprint", *OURS):
        if option in optimizer.options:
            instead = f": write minimize(..., {OURS[option]}=...)" if option in OURS else ", nothing is printed"
            raise ValueError(f"SciPy: leave {option!r} out of options{instead}")
    if held := [option for option in ARGUMENTS if option in optimizer.options]:
        raise ValueError(f"SciPy: leave {held[0]!r} out of options: {NO_BOUNDS}")
    functions: dict[str, Any] = {"jac": lambda x: 2.0 * x}
    if METHODS[optimizer.method].hessian:
        functions["hess"] = lambda x: 2.0 * np.eye(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", OptimizeWarning)
        try:
            minimize(lambda x: float(x @ x), np.ones(2), **functions, **optimizer.arguments(StopTests(max_steps=1)))
        except (OptimizeWarning, TypeError, ValueError) as error:
            raise ValueError(
                f"SciPy: {optimizer.method} does not take options={optimizer.options!r}: {error}; "
                f"scipy.optimize.show_options('minimize', {optimizer.method!r}) lists them"
            ) from None


class Attempt:
    """One run: what SciPy calls, and what it has seen."""

    def __init__(self, functions: Functions, bound: float, limit: int | None, cancel: np.ndarray) -> None:
        self.functions, self.bound, self.limit, self.cancel = functions, bound, limit, cancel
        self.nit = self.nfev = self.njev = 0
        self.x: np.ndarray | None = None  # the last good point
        self.finite = True
        self.error = ""

    def look(self) -> None:
        """Leave the run if the work is to stop."""
        if self.cancel[0]:
            raise Stopped

    def value(self, x: np.ndarray) -> float:
        self.look()
        self.nfev += 1
        f = self.called(self.functions.value, x)
        self.finite &= f - f == 0.0
        return f

    def gradient(self, x: np.ndarray) -> np.ndarray:
        self.look()
        self.njev += 1
        return self.called(self.functions.gradient, x)

    def called(self, function: Callable[[np.ndarray], Any], x: np.ndarray) -> Any:
        try:
            return function(x)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            raise

    def step(self, x: np.ndarray, *state: Any) -> None:
        """Called back after every step."""
        self.look()
        if not is_good(x, self.bound):
            raise Left
        self.nit += 1
        self.x = x.copy()
        if self.nit == self.limit:
            raise Left


class Functions(NamedTuple):
    """A problem's compiled functions of one point."""

    value: Callable[[np.ndarray], float]
    gradient: Callable[[np.ndarray], np.ndarray]
    hessian: Callable[[np.ndarray], np.ndarray] | None = None

    def norm(self, x: np.ndarray) -> float:
        """The largest absolute component of the gradient; NaN if any is."""
        return float(np.abs(self.gradient(x)).max())

    @classmethod
    def of(cls, problem: Problem, hessian: bool) -> Functions:
        n, data = problem.dim, problem.data
        value, gradient = evaluate.scalar_at(problem.fun, n, data), evaluate.vector_at(problem.grad, n, n, data)
        if not hessian:
            return cls(value, gradient)
        second = evaluate.vector_at(problem.hess, n, n * n, data)
        return cls(value, gradient, lambda x: second(x).reshape(n, n))


def make_runner(problem: Problem, optimizer: SciPy, stop: StopTests, cancel: np.ndarray) -> Callable[..., Any]:
    """A function that takes one start to its end by SciPy."""
    from scipy.optimize import minimize

    form = METHODS[optimizer.method]
    functions = Functions.of(problem, form.hessian)
    arguments = optimizer.arguments(stop)
    if functions.hessian is not None:
        arguments["hess"] = functions.hessian
    gtol = -1.0 if stop.gtol is None else stop.gtol
    limit = None if form.maxiter else stop.max_steps

    def run(start: np.ndarray) -> tuple[Any, ...] | None:
        value, norm = functions.value(start), functions.norm(start)
        if not math.isfinite(value) or not math.isfinite(norm):  # some of the methods would go on and on
            return start, value, norm, 0, Status.DIVERGED, 1, 1
        seen = Attempt(functions, stop.bound, limit, cancel)
        x, status = start, Status.NO_PROGRESS
        counts: tuple[int, int, int] | None = None
        try:
            found = minimize(seen.value, start, jac=seen.gradient, callback=seen.step, **arguments)
        except Stopped:
            return None
        except Left:
            status = LIMIT if seen.nit == limit else Status.DIVERGED
        except Exception as error:
            if seen.error:
                at = start if seen.x is None else seen.x
                return at, np.nan, np.nan, seen.nit, RAISED, seen.nfev, seen.njev, seen.error
            of_algebra = isinstance(error, np.linalg.LinAlgError)
            if not of_algebra and (seen.finite or not isinstance(error, (ValueError, ArithmeticError))):
                raise
            status = FAILED if seen.finite else Status.DIVERGED
        else:
            x, status = found.x, form.codes.get(found.status, Status.NO_PROGRESS)
            counts = int(found.nit), int(found.nfev), int(found.get("njev", seen.njev))
        if counts is None or not is_good(x, stop.bound):
            status = status if is_good(x, stop.bound) else Status.DIVERGED
            x = start if seen.x is None else seen.x
        value, norm = functions.value(x), functions.norm(x)
        if not math.isfinite(value) or not math.isfinite(norm):
            status = Status.DIVERGED
        elif status != Status.DIVERGED and norm <= gtol:
            status = Status.CONVERGED
        nit, nfev, njev = counts or (seen.nit, seen.nfev, seen.njev)
        return x, value, norm, nit, status, nfev, njev

    return run


class Unbounded(OneByOne):
    """The engine of SciPy's methods, which warns where one may be taken for keeping the bounds."""

    def result(self, task: Task, ends: Ends) -> Result:
        if task.problem.bounds is not None and METHODS[task.optimizer.method].bounded:
            low, high = task.problem.bounds.T
            outside = ((ends.x < low) | (ends.x > high)).any(axis=1)
            resting = (ends.status == Status.CONVERGED) | (ends.status == Status.NO_PROGRESS)
            if count := int(np.count_nonzero(outside & resting)):
                warnings.warn(
                    f"{counted(count, 'run')} of {task.runs:,} by {task.optimizer.label} came to rest outside the box "
                    f"of {task.problem.name}: {NO_BOUNDS}",
                    UserWarning,
                    stacklevel=levels_to_caller(),
                )
        return super().result(task, ends)


SciPy.engine = Unbounded(make_runner)
