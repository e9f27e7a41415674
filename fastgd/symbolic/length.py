"""Long derivations: the warning before one that takes its time, and words for what makes it long."""

from __future__ import annotations

import linecache
import warnings
from typing import Any

import numpy as np

from fastgd.calls import levels_to_caller

from .trace import Tape

__all__ = ["shorter", "warn_of_length"]

# Straight-line code takes more than in proportion: a fit of three parameters in a loop over 30 samples (210 operations)
# took 8 s to its first step, over 100 (700) 25 s, over 300 (2,100) 133 s, all but a few seconds of it to compile
LONG = 500


def warn_of_length(
    kind: str, name: str, operations: int, tape: Tape, dim: int, data: tuple[Any, ...], sample: bool
) -> bool:
    """Warn where so many operations take longer than about 10 s to derive and compile; return whether they do."""
    if operations <= LONG:
        return False
    (code, number), _ = tape.places.most_common(1)[0]
    line = linecache.getline(code.co_filename, number).strip()
    warnings.warn(
        f"{name}: its {kind} is derived from {operations:,} operations, most of them in line {number} of {code.co_name}"
        f"{': ' if line else ''}{line}.  They are written out one after the other, and to derive and compile them "
        f"takes longer than 10 s.  {shorter(kind, dim, data, sample)}",
        stacklevel=levels_to_caller(),
    )
    return True


def shorter(kind: str, dim: int, data: tuple[Any, ...], sample: bool) -> str:
    """Return what to write for a shorter derivative."""
    arrays = [item for item in data if isinstance(item, np.ndarray) and item.ndim]
    by_hand = "give grad=, in which loops stay loops" if kind == "gradient" else "its gradient alone takes less"
    if sample or not arrays:
        return f"{by_hand[0].upper()}{by_hand[1:]}."
    count = max(len(item) for item in arrays)
    return (
        f"Write the loop over the {count:,} numbers of the data as fastgd.FiniteSum(loss, data=..., dim={dim}), with "
        f"loss(x, i, *data) for one sample: its {kind} is derived for one, however many there are; or {by_hand}."
    )
