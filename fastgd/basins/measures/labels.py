"""Label arrays as all measures take them, and cut into boxes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.basins.found import DIVERGED, UNSETTLED, Basins
from fastgd.boxes import as_array
from fastgd.calls import levels_to_caller
from fastgd.checks import shown
from fastgd.texts import with_article

MOST_LOST = 0.5  # share of runs that did not settle or diverged, beyond which their border is what is measured
FEW_LOST = 0.001  # share of runs that did not settle from which their border is worth a word
PASSED = ("saddle", "maximum")  # kinds of attractors where descents end that started on a boundary
NOWHERE = ("not critical", "flat")  # kinds of attractors that are none


def label_array(labels: Any) -> NDArray[np.integer]:
    """Return the labels of basins or of a map, or an integer array as it is.

    Raises
    ------
    TypeError
        If they are no integers.
    ValueError
        If there are none, or some are masked.
    """
    array = as_array(getattr(labels, "labels", labels), "labels", "labels.filled(-1) takes them for not settled")
    if array.dtype.kind == "O":
        how = "" if isinstance(labels, (list, tuple, np.ndarray)) else _instead_of(labels)
        raise TypeError(
            "labels must be an array of integers, or have labels as Basins and BasinMap do, "
            f"got {with_article(type(labels).__name__)}{how}"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be an array of integers, or have labels as Basins and BasinMap do, got dtype {array.dtype}"
        )
    if array.size == 0:
        raise ValueError(f"labels must hold at least one label, got shape {array.shape}")
    return array


def _instead_of(labels: Any) -> str:
    """What to write in place of something without labels from which they can be had."""
    if isinstance(getattr(labels, "basins", None), Basins):
        return ": write its .basins"
    if all(hasattr(labels, name) for name in ("x", "status", "grad_norm")):
        return ": write find_basins(runs)"
    if all(hasattr(labels, name) for name in ("dim", "bounds", "sample")):
        return ": write map_basins(problem, optimizer), or find_basins(minimize(problem, x0, optimizer))"
    return ""


def minima_alone(labels: Any) -> NDArray[np.integer]:
    """Return labels of basins or a map in which attractors that are no minima have no basins; others as they are.

    A run ends in a saddle or a maximum where its start is on the boundary between basins, a set without area: it gets
    the label of the nearest start that ended elsewhere. One that ended on a slope or a plateau has not settled.
    """
    array, on_boundary = unsettled_where(labels, NOWHERE), of_kinds(labels, PASSED)
    if on_boundary.any() and not on_boundary.all():
        from scipy.ndimage import distance_transform_edt

        array = array[tuple(distance_transform_edt(on_boundary, return_distances=False, return_indices=True))]
    return array


def unsettled_where(labels: Any, kinds: tuple[str, ...]) -> NDArray[np.integer]:
    """Return labels in which attractors of these kinds count as not settled; see `of_kinds`."""
    array, chosen = label_array(labels), of_kinds(labels, kinds)
    return np.where(chosen, UNSETTLED, array) if chosen.any() else array


def of_kinds(labels: Any, kinds: tuple[str, ...]) -> NDArray[np.bool_]:
    """Tell which runs ended in attractors of these kinds; none where kinds are not known, or would take long."""
    array, basins = label_array(labels), getattr(labels, "basins", labels)
    if not isinstance(basins, Basins) or not len(basins) or not basins.kinds_are_cheap:
        return np.zeros(1, dtype=bool)
    chosen = np.isin(basins.kind, kinds)
    return np.concatenate([chosen, [False] * -DIVERGED])[array] if chosen.any() else np.zeros(1, dtype=bool)


def coded(labels: Any, least: int = 1) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """Return labels as small unsigned integers that index the second array, the labels in ascending order.

    Raises
    ------
    ValueError
        If an axis is shorter than `least`.
    """
    array = label_array(labels)
    if array.ndim == 0 or min(array.shape) < least:
        raise ValueError(
            f"labels must be a grid with at least {least} points along each axis, got shape {array.shape}"
        )
    low, high = int(array.min()), int(array.max())
    span = high - low + 1
    if span > 2**16:
        values, codes = np.unique(array, return_inverse=True)
        return codes.reshape(array.shape).astype(np.uint32), values
    shifted = (array - low).astype(np.uint8 if span <= 2**8 else np.uint16)
    present = np.bincount(shifted.reshape(-1), minlength=span) > 0
    if present.all():
        return shifted, np.arange(low, high + 1)
    renumbered = (np.cumsum(present) - 1).astype(shifted.dtype)
    return renumbered[shifted], low + np.flatnonzero(present)


def neighbours(labels: Any, least: int = 1) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """Return the labels of a grid as `coded` does, for a measure of its boundaries, and warn where runs did not settle.

    Of basins and maps only minima have labels of their own, see `minima_alone`.

    Raises
    ------
    ValueError
        If an axis is shorter than `least`, or they are those of starts in no grid.
    """
    if isinstance(labels, Basins) and labels.labels.ndim == 1 and labels.x.shape[1] > 1:
        raise ValueError(
            f"labels must be those of a grid of starts, got those of {labels.labels.size} starts in a row, which say "
            "nothing of neighbours: take map_basins, or the starts of problem.grid(shape); for starts at random there "
            "is measures.uncertainty_by_pairs"
        )
    codes, values = coded(minima_alone(labels), least)
    unsettled, diverged = (
        np.count_nonzero(codes == np.flatnonzero(values == label)) / codes.size if label in values else 0.0
        for label in (UNSETTLED, DIVERGED)
    )
    lost = unsettled + diverged
    if unsettled > FEW_LOST and lost <= MOST_LOST and isinstance(getattr(labels, "basins", labels), Basins):
        warnings.warn(
            f"{unsettled:.1%} of the runs did not settle, and their border is measured with those of the basins: more "
            "max_steps, another lr, or lower ftol and gtol",
            RuntimeWarning,
            stacklevel=levels_to_caller(),
        )
    if lost > MOST_LOST:
        warnings.warn(
            f"{lost_runs(lost)}. Their labels, {UNSETTLED} (not settled) and {DIVERGED} (diverged), are no basins, "
            "and what is measured is mostly where runs settle",
            RuntimeWarning,
            stacklevel=levels_to_caller(),
        )
    return codes, values


def lost_runs(share: float) -> str:
    """Say how many runs came to no attractor, and what to do."""
    return f"{share:.0%} of the runs settled nowhere: more max_steps, or another lr"


def cut_into_boxes(codes: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the labels box by box, shape (boxes, size**dim); what is left at the far sides is dropped."""
    counts = [length // size for length in codes.shape]
    whole = codes[tuple(slice(0, count * size) for count in counts)]
    split = whole.reshape([part for count in counts for part in (count, size)])
    axes = [*range(0, 2 * codes.ndim, 2), *range(1, 2 * codes.ndim, 2)]
    return np.ascontiguousarray(split.transpose(axes)).reshape(-1, size**codes.ndim)


def checked_size(size: Any, name: str, codes_shape: tuple[int, ...], least: int = 2) -> int:
    """Return a length in grid points that fits into every axis, or raise."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, the points along each side, got {shown(size)}")
    if not least <= size <= min(codes_shape):
        raise ValueError(
            f"{name} must be at least {least} and at most {min(codes_shape)}, the shortest side, got {shown(size)}"
        )
    return int(size)
