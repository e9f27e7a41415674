"""Checks that the problems over a table of samples share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgd.boxes import real_array

__all__ = ["checked_classes", "checked_penalty", "checked_samples", "checked_table"]


def checked_samples(X: Any) -> np.ndarray:
    """`X` as float64 of shape (N, p)."""
    table = real_array(X, "X")
    if table.ndim != 2 or not table.size:
        raise ValueError(f"X must have shape (N, p), one row a sample, got shape {np.shape(X)}")
    if not np.all(np.isfinite(table)):
        raise ValueError("X must be finite")
    return table


def checked_table(X: Any, y: Any, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """`X` of shape (N, p) and `y` of N numbers: reals, "rows" of them with a first axis of N, or labels as int64."""
    table = checked_samples(X)
    if kind in ("real", "rows"):
        target = real_array(y, "y")
    else:
        target = np.asarray(y)
        whole = target.dtype.kind in "biu" or (target.dtype.kind == "f" and (target == np.round(target)).all())
        if not whole:
            raise TypeError(f"y must hold the classes as integers, got {target.dtype}")
        target = target.astype(np.int64)
    if target.ndim < 1 or len(target) != len(table) or (kind != "rows" and target.ndim != 1):
        column = "; write y.ravel()" if target.shape == (len(table), 1) else ""
        raise ValueError(
            f"y must have one entry for each of the {len(table)} rows of X, got shape {np.shape(y)}{column}"
        )
    if not np.all(np.isfinite(target)):
        raise ValueError("y must be finite")
    return table, target


def checked_classes(labels: np.ndarray, classes: Any) -> int:
    """The number of classes: as given, or the largest label and one, and at least two."""
    least = int(labels.max()) + 1
    if labels.min() < 0:
        raise ValueError(f"y must hold the classes 0, 1, ..., got {labels.min()}")
    if classes is None:
        return max(least, 2)
    if isinstance(classes, bool) or not isinstance(classes, (int, np.integer)) or classes < least:
        raise ValueError(f"classes must be an integer >= {least}, the largest label and one, got {classes!r}")
    return int(classes)


def checked_penalty(value: Any, name: str = "l2") -> float:
    """`value` as a float that is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
    return float(value)
