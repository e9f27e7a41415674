"""Checks that the problems over a table of samples share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgd.boxes import as_array, real_array
from fastgd.checks import is_real, is_whole, past_int64, shown

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
        target = as_array(y, "y")
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
    if not is_whole(classes, least):
        got = f"{shown(classes)}{past_int64(classes)}"
        raise ValueError(f"classes must be an integer >= {least}, the largest label and one, got {got}")
    return int(classes)


def checked_penalty(value: Any, name: str = "l2") -> float:
    """`value` as a float that is finite and not negative."""
    if not is_real(value) or not 0 <= float(value) < math.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {shown(value)}")
    return float(value)
