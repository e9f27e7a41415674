"""Which runs of a result have which value of a number that varies: a hyperparameter, the batch size, the noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import PER_RUN

__all__ = ["Group", "groups", "varied"]


class Group(NamedTuple):
    """Runs with the same settings: how to name them, and their numbers."""

    label: str
    runs: NDArray[np.intp]


def varied(result: Any) -> dict[str, NDArray[Any]]:
    """Return what differs from run to run of a result, by name, each of shape (runs,)."""
    numbers: dict[str, Any] = getattr(result.optimizer, "hyperparameters", dict)()
    numbers = {**numbers, **{name: getattr(result, name, None) for name in PER_RUN}}
    arrays = {name: np.asarray(value) for name, value in numbers.items() if value is not None}
    return {
        name: np.broadcast_to(value, result.status.shape).reshape(-1)
        for name, value in arrays.items()
        if value.dtype.kind in "biuf" and value.size > 1 and value.min() < value.max()
    }


def groups(result: Any, most: int) -> list[Group]:
    """Return the runs by their settings, in ascending order, or none where nothing or too much varies.

    Parameters
    ----------
    result : Result
        What `minimize` returned.
    most : int
        Most different settings that there may be.

    Examples
    --------
    >>> import fastgd as gd
    >>> from fastgd.plot.groups import groups
    >>> rates = gd.GradientDescent(lr=[[0.001], [0.01]])
    >>> runs = gd.minimize(gd.problems.himmelblau(), [[0.0, 0.0], [1.0, 1.0]], rates)
    >>> [(group.label, group.runs.tolist()) for group in groups(runs, 8)]
    [('lr 0.001', [0, 1]), ('lr 0.01', [2, 3])]
    """
    settings = varied(result)
    if not settings:
        return []
    distinct, of_run = np.unique(np.stack(list(settings.values()), axis=1), axis=0, return_inverse=True)
    if len(distinct) > most:
        return []
    of_run = of_run.reshape(-1)  # NumPy 2.0 alone gives it another shape
    labels: list[str] = []
    for digits in (3, 6, 17):  # as few as tell all apart
        labels = [
            ", ".join(f"{name} {value:.{digits}g}" for name, value in zip(settings, row, strict=True))
            for row in distinct
        ]
        if len(set(labels)) == len(labels):
            break
    return [Group(label, np.flatnonzero(of_run == k)) for k, label in enumerate(labels)]
