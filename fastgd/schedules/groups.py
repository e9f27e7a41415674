"""Learning rates that differ from one group of parameters to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgd.calls import explain_calls
from fastgd.checks import is_whole

from .base import Constant, Schedule

__all__ = ["Groups", "groups"]


@dataclasses.dataclass(frozen=True, eq=False)
class Groups(Schedule):
    """A schedule for each group; made by `groups`."""

    schedules: tuple[Schedule, ...] = dataclasses.field(metadata={"static": True})
    sizes: tuple[int, ...] | None = dataclasses.field(default=None, metadata={"static": True})

    @property
    def members(self) -> tuple[Schedule, ...]:
        return self.schedules

    def parameters(self) -> dict[str, Any]:
        return {
            f"{k}.{name}": value
            for k, schedule in enumerate(self.schedules)
            for name, value in schedule.parameters().items()
        }

    def check_shapes(self) -> None:
        """The groups' parameters broadcast together with the rest of the batch."""

    def bounds(self, dim: int, layers: tuple[slice, ...] | None) -> tuple[int, ...]:
        """Where the groups begin among `dim` parameters, and the end of the last.

        Raises
        ------
        ValueError
            If the groups are not those of the problem.
        """
        sizes = self.sizes
        if sizes is None:
            if layers is None:
                raise ValueError(
                    "lr: the problem has no layers, so groups needs the numbers of parameters of each group: write "
                    "groups(..., sizes=(...))"
                )
            sizes = tuple(place.stop - place.start for place in layers)
        if len(sizes) != len(self.schedules):
            raise ValueError(f"lr: {len(self.schedules)} rates in groups, and the problem has {len(sizes)} layers")
        if sum(sizes) != dim:
            raise ValueError(
                f"lr: the sizes of the groups must sum to the {dim} parameters of the problem, got {sizes}"
            )
        return tuple(int(edge) for edge in np.cumsum([0, *sizes]))

    def rate_function(self) -> Callable[..., Any]:
        raise ValueError(
            "lr: groups of parameters are for fastgd.minimize; in place, give each array an optimizer of its own"
        )

    def __call__(self, step: Any) -> Any:
        """The rates of each group at the given steps, a tuple."""
        return tuple(schedule(step) for schedule in self.schedules)


@explain_calls()
def groups(*rates: Any, sizes: tuple[int, ...] | None = None) -> Groups:
    """Give each layer, or any other group of neighbouring parameters, a learning rate of its own.

    Parameters
    ----------
    *rates : float, array_like or Schedule
        One for each group, in the order of the parameters; arrays broadcast with the starts, as any hyperparameter.
    sizes : tuple of int, optional
        The number of parameters in each group; by default the layers of the problem, as of ``fastgd.problems.mlp``.

    Returns
    -------
    Groups
        What an optimizer takes as `lr`.

    Raises
    ------
    TypeError, ValueError
        If a rate is none, there are no rates, or the sizes are no positive integers.  Whether they fit the problem is
        checked by `minimize`.

    Examples
    --------
    >>> import fastgd as gd
    >>> bowl = gd.problems.quadratic(dim=3)
    >>> rates = gd.groups(0.0, 0.1, sizes=(1, 2))
    >>> run = gd.minimize(bowl, [1.0, 1.0, 1.0], gd.GradientDescent(lr=rates), max_steps=100)
    >>> float(run.x[0]), abs(run.x[1:]).max() < 1e-6  # the first group stays
    (1.0, np.True_)
    """
    if not rates:
        raise ValueError("groups needs a rate for each group, as in groups(0.1, 0.01)")
    schedules = tuple(rate if isinstance(rate, Schedule) else Constant(rate) for rate in rates)
    for k, schedule in enumerate(schedules):
        if schedule.memory or isinstance(schedule, Groups):
            raise TypeError(
                f"groups: rate {k} must be a number, an array or a schedule without memory, got {schedule!r}"
            )
    if sizes is not None:
        whole = isinstance(sizes, (tuple, list)) and all(is_whole(size) for size in sizes)
        if not whole or len(sizes) != len(schedules):
            raise ValueError(f"groups: sizes must be {len(schedules)} integers >= 1, one for each rate, got {sizes!r}")
        sizes = tuple(int(size) for size in sizes)
    return Groups(schedules, sizes)
