"""Learning rates that change with the step.

A schedule is a frozen dataclass whose fields may be arrays, one value a run.  Its ``rate(p, t)`` is a plain scalar
function of its fields `p`, in their order, and the step t = 0, 1, ...; the kernels compile it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from fastgd.boxes import real_array

__all__ = ["Constant", "Exponential", "Schedule"]


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """Base of all schedules; calling one with steps gives its rates."""

    def __post_init__(self) -> None:
        for name, value in self.parameters().items():
            numbers = real_array(value, f"{type(self).__name__}: {name}")
            if not np.isfinite(numbers).all() or (numbers < 0).any():
                raise ValueError(f"{type(self).__name__}: {name} must be finite and >= 0, got {value!r}")
            object.__setattr__(self, name, float(numbers) if numbers.ndim == 0 else numbers)

    def parameters(self) -> dict[str, Any]:
        """The fields by name, in order."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    memory: ClassVar[int] = 0  # numbers of state of each run; with any, the rate is ``rate(p, t, m)``

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

    def rate_function(self) -> Callable[..., Any]:
        """The plain scalar function ``rate(p, t)`` of the fields `p` and the step t."""
        return self.rate

    def __call__(self, step: Any) -> Any:
        """Learning rates at the given steps (an integer or an array), one more axis in front for array fields."""
        steps = np.asarray(step)
        if not np.issubdtype(steps.dtype, np.integer) or (steps < 0).any():
            raise ValueError(f"steps must be integers >= 0, got {step!r}")
        fields = np.broadcast_arrays(*self.parameters().values())
        columns = [np.reshape(field, field.shape + (1,) * steps.ndim) for field in fields]
        rates = np.frompyfunc(lambda t, *p: self.rate(p, int(t)), 1 + len(columns), 1)(steps, *columns)
        return float(rates) if np.ndim(rates) == 0 else np.asarray(rates, dtype=np.float64)


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

    lr: Any

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return p[0]


@dataclasses.dataclass(frozen=True, eq=False)
class Exponential(Schedule):
    r"""A learning rate that shrinks by the same factor at every step, :math:`\eta_t = \eta_0 \gamma^t`.

    Parameters
    ----------
    lr : float or array_like
        The rate :math:`\eta_0` of step 0, >= 0.
    gamma : float or array_like
        The factor :math:`\gamma` > 0, below 1 for a decay.  PyTorch's ``ExponentialLR`` is the same.  For a decay by
        :math:`e^{-k t}` take ``gamma=math.exp(-k)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import schedules
    >>> schedules.Exponential(0.1, gamma=0.5)(np.arange(4))
    array([0.1   , 0.05  , 0.025 , 0.0125])
    """

    lr: Any
    gamma: Any

    @staticmethod
    def rate(p: Any, t: Any) -> Any:
        return p[0] * p[1] ** t


