"""Whether a function reads all of its point: a `dim` that is too large shows by places that it never looks at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgd.calls import levels_to_caller
from fastgd.points import Enough, Point
from fastgd.texts import listed

__all__ = ["Watched", "warn_of_unread"]

SHOWN = 4  # places by name
ALIKE = 2  # points that have to agree with the first one


class Watched(Point):
    """A point that notes which of its places were read; one that is iterated over was read as a whole."""

    def __init__(self, values: Sequence[float] | np.ndarray) -> None:
        super().__init__(values)
        self._seen = bytearray(len(values))

    @property
    def read(self) -> np.ndarray:
        """Whether each place was read."""
        return np.frombuffer(self._seen, dtype=bool)

    def read_all(self) -> None:
        """Take all places for read."""
        self._seen[:] = b"\1" * len(self._seen)

    def __iter__(self) -> Iterator[np.float64]:
        self.read_all()
        return super().__iter__()

    def __getitem__(self, index: Any) -> np.float64:
        if not self._left:
            raise Enough
        self._left -= 1
        if index.__class__ is int:
            try:
                self._seen[index] = 1
                return self._values[index]
            except IndexError:
                pass
        place = self._place(index, "reads")
        self._seen[place] = 1
        return self._values[place]


def warn_of_unread(call: Callable[[Watched], bool], points: Iterable[np.ndarray], read: np.ndarray) -> None:
    """Warn of the places that a function reads at none of several points, besides those that it is known to read.

    `call` says whether the function is defined at a point.  A function that branches may read fewer places on one of
    its ways, so two more points have to agree at least.
    """
    dim, agreed = len(read), 0
    seen = read.copy()
    for point in points:
        if seen.all():
            return
        watched = Watched(point)
        agreed += call(watched)
        seen |= watched.read
    missing = np.flatnonzero(~seen).tolist()
    if not missing or not seen.any() or agreed < ALIKE:
        return
    places = [f"x[{i}]" for i in missing]
    few = len(missing) <= SHOWN
    named = listed(places) if few else f"{places[0]}, ..., {places[-1]}, {len(missing)} of them"
    last = int(np.flatnonzero(seen)[-1])
    wrong = f"indices go from 0 to {dim - 1}, is one of them wrong?"
    meant = f"is dim={last + 1} meant?" if missing[0] > last else wrong
    warnings.warn(f"fun never reads {named}: {meant}", stacklevel=levels_to_caller())
