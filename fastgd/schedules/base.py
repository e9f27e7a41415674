"""The contract of a schedule, the checks of its fields, and the rate that never changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from fastgd.boxes import as_array, real_array
from fastgd.jit.by_value import OfAnyClass

__all__ = ["Constant", "Schedule", "checked", "checked_steps", "count", "number", "option"]


def number(
    default: Any = dataclasses.MISSING,
    low: float = 0.0,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> Any:
    """A numeric field in [low, high]; `above` and `below` leave out the ends."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "above": above, "below": below})


def count(default: Any = dataclasses.MISSING, low: int = 1) -> Any:
    """A numeric field that counts steps."""
    return dataclasses.field(default=default, metadata={"low": low, "whole": True})


def option(default: Any = dataclasses.MISSING) -> Any:
    """A field that chooses the function: no number of the kernel, and so the same for all runs."""
    return dataclasses.field(default=default, metadata={"static": True})


def checked(
    name: str,
    value: Any,
    low: float = 0.0,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
    whole: bool = False,
) -> Any:
    """`value` as a float, or as a read-only array of floats, inside its range."""
    numbers = real_array(value, name)
    good = np.isfinite(numbers) & ((numbers > low) if above else (numbers >= low))
    good &= (numbers < high) if below else (numbers <= high)
    if whole:
        good &= np.floor(numbers) == numbers
    if not good.all():
        kind = "an integer" if whole else "finite and"
        upper = "" if math.isinf(high) else f" and {'<' if below else '<='} {high:g}"
        found = numbers[~good].flat[0]
        raise ValueError(f"{name} must be {kind} {'>' if above else '>='} {low:g}{upper}, got {found:g}")
    if numbers.ndim == 0:
        return float(numbers)
    numbers.flags.writeable = False
    return numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule(OfAnyClass):
    """Base of all schedules; calling one with steps gives its rates.

    A schedule of your own is a frozen dataclass with numeric fields and a static method ``rate(p, t)``, written like a
    problem's function, with `fastgd.select` in place of `if`.

    Examples
    --------
    >>> import dataclasses
    >>> import numpy as np
    >>> from fastgd import schedules
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class InverseRoot(schedules.Schedule):
    ...     lr: float
    ...     @staticmethod
    ...     def rate(p, t):
    ...         return p[0] / np.sqrt(1.0 + t)
    >>> InverseRoot(0.1)([0, 3])
    array([0.1 , 0.05])
    """

    memory: ClassVar[int] = 0  # numbers of state of each run; with any, the rate is ``rate(p, t, m)``

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if "static" not in field.metadata:
                name = f"{type(self).__name__}: {field.name}"
                object.__setattr__(self, field.name, checked(name, getattr(self, field.name), **field.metadata))
        self.check_shapes()
        if "min_lr" in (numbers := self.parameters()) and np.any(numbers["min_lr"] > numbers["lr"]):
            raise ValueError(f"{type(self).__name__}: min_lr must be <= lr, got {self!r}")

    def check_shapes(self) -> None:
        """Raise where the parameters do not broadcast with one another."""
        shapes = {name: np.shape(value) for name, value in self.parameters().items()}
        try:
            np.broadcast_shapes(*shapes.values())
        except ValueError:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
            raise ValueError(f"{type(self).__name__}: the shapes do not broadcast: {listed}") from None

    def parameters(self) -> dict[str, Any]:
        """The numbers that the rate function is given, by name and in its order."""
        named = (field.name for field in dataclasses.fields(self) if "static" not in field.metadata)
        return {name: getattr(self, name) for name in named}

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        """The learning rate of step t."""
        raise NotImplementedError

    @staticmethod
    def start(p: Any) -> Any:
        """The memory before the first step."""
        raise NotImplementedError

    @staticmethod
    def observe(p: Any, m: Any, f: Any) -> Any:
        """The memory after the value f was seen."""
        raise NotImplementedError

    @property
    def members(self) -> tuple[Schedule, ...]:
        """The schedules that give the rates of the groups of parameters: of all of them, this one alone."""
        return (self,)

    def rate_function(self) -> Callable[..., Any]:
        """The plain scalar function ``rate(p, t)`` of the parameters `p` and the step t."""
        return self.rate

    def __call__(self, step: Any) -> Any:
        """Learning rates at the given steps, integers >= 0 of any shape; the shape of array fields comes in front."""
        at = checked_steps(step)
        rate = self.rate_function()
        fields = np.broadcast_arrays(*self.parameters().values())
        columns = [np.reshape(field, field.shape + (1,) * at.ndim) for field in fields]
        # NumPy's scalars overflow to infinity, as compiled code does; Python's floats raise
        one = np.frompyfunc(lambda t, *p: rate(tuple(map(np.float64, p)), int(t)), 1 + len(columns), 1)
        with np.errstate(all="ignore"):
            rates = one(at, *columns)
        return float(rates) if np.ndim(rates) == 0 else np.asarray(rates, dtype=np.float64)


def checked_steps(step: Any) -> np.ndarray:
    at = as_array(step, "steps")
    if not np.issubdtype(at.dtype, np.integer) or (at < 0).any():
        raise ValueError(f"steps must be integers >= 0, got {step!r}")
    return at


@dataclasses.dataclass(frozen=True, eq=False)
class Constant(Schedule):
    """The same learning rate at every step.

    Parameters
    ----------
    lr : float or array_like
        The learning rate, >= 0.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.Constant(0.1)(7)
    0.1
    """

    lr: Any = number()

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return p[0]
