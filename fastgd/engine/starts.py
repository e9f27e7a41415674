"""Where descents start: the points that `fastgd.minimize` was given, checked, and the batch that they make up."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgd.boxes import PlaneGrid, check_unmasked
from fastgd.checks import check_axes, shown
from fastgd.jit.exchange import on_gpu

__all__ = [
    "checked_batch", "checked_dtype", "checked_starts", "lie_on_gpu", "range_of", "settled", "starts_between",
]  # fmt: skip


# From arrays of other kinds to numbers
WAYS = {
    "b": "; write x0.astype(float)", "O": "; write x0.astype(float)", "S": "; write x0.astype(float)",
    "U": "; write x0.astype(float)", "c": "; write x0.real if the imaginary parts are nothing",
    "V": "; write numpy.lib.recfunctions.structured_to_unstructured(x0)",
}  # fmt: skip


def checked_dtype(dtype: Any) -> np.dtype:
    try:
        if dtype is None:  # NumPy would take it for its default
            raise TypeError
        kind = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        raise TypeError(f"dtype must be float64 or float32, got {shown(dtype)}") from None
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"dtype must be float64 or float32, got {kind}")
    return kind


def checked_starts(x0: Any, dim: int, kind: np.dtype) -> Any:
    if on_gpu(x0):
        return checked_starts_on_gpu(x0, dim, kind)
    if isinstance(x0, PlaneGrid):
        checked_starts(x0.points(np.array([0, x0.shape[0] * x0.shape[1] - 1])), dim, kind)  # the corners
        return x0
    check_unmasked(x0, "x0")
    try:
        starts = np.asarray(x0)
        if starts.dtype.kind not in "iuf":
            raise TypeError
        with np.errstate(over="ignore"):  # a start too large for the dtype becomes infinite, an error below
            starts = starts if starts.dtype == kind else starts.astype(np.float64).astype(kind)
    except Exception as error:
        own = isinstance(error, (TypeError, ValueError))  # others come from an array of another library
        raise TypeError(
            f"x0 must be an array of real numbers of shape (*batch, {dim}), got {type(x0).__name__}{not_real(x0)}"
            f"{'' if own else f', which makes no array: {error}'}"
        ) from None if own else error
    check_shape(tuple(starts.shape), dim)
    if not np.isfinite(np.min(starts)) or not np.isfinite(np.max(starts)):
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(starts))[0])
        raise ValueError(f"x0 must be finite (in {kind}), got {starts[place]} at index {place}")
    return starts


def not_real(x0: Any) -> str:
    """What to add of starts that are no real numbers: their dtype, with the way to numbers, or different lengths."""
    if isinstance(x0, np.ndarray):
        return f" of dtype {x0.dtype}{WAYS.get(x0.dtype.kind, '')}"
    if not isinstance(x0, (list, tuple)) or not all(isinstance(each, (list, tuple, np.ndarray)) for each in x0):
        return ""
    lengths = sorted({each.size if isinstance(each, np.ndarray) else len(each) for each in x0})
    return f" of starts with {' or '.join(map(str, lengths))} components" if len(lengths) > 1 else ""


def checked_starts_on_gpu(x0: Any, dim: int, kind: np.dtype) -> Any:
    """The starts as Numba's device array, without a copy."""
    from fastgd.jit.cuda import on_device_of
    from fastgd.jit.cuda_arrays import adopt, count_not_finite, wait_for

    with on_device_of(x0):
        starts = adopt(x0, "x0")
        check_shape(tuple(starts.shape), dim)
        if starts.dtype.kind != "f" or starts.dtype.itemsize not in (4, 8):
            raise TypeError(f"x0 on a GPU must have dtype float64 or float32, got {starts.dtype}")
        wait_for(starts)
        if bad := count_not_finite(starts, kind):
            raise ValueError(f"x0 must be finite (in {kind}), got {bad} numbers that are not")
    return starts.bind()  # to no stream: what its library was asked to do is done


def settled(starts: Any, batch: tuple[int, ...], dim: int) -> Any:
    """The starts; those on a GPU that are broadcast are taken home, as what is repeated for many runs is small."""
    if not lie_on_gpu(starts) or starts.shape == (*batch, dim):
        return starts
    return starts.copy_to_host()


def lie_on_gpu(starts: Any) -> bool:
    """Whether starts that were checked lie on a GPU."""
    return not isinstance(starts, (np.ndarray, PlaneGrid))


def starts_between(starts: Any, batch: tuple[int, ...], dim: int, low: int, high: int) -> np.ndarray:
    """The starts of the runs from `low` to `high`, of shape (runs, n)."""
    whole = (*batch, dim)
    if isinstance(starts, PlaneGrid):
        return starts.points(np.arange(low, high))
    if starts.shape == whole and starts.flags.c_contiguous:
        return starts.reshape(-1, dim)[low:high]
    return np.broadcast_to(starts, whole).flat[low * dim : high * dim].reshape(-1, dim)


def check_shape(shape: tuple[int, ...], dim: int) -> None:
    if not shape or shape[-1] != dim:
        column = dim == 1 and len(shape) == 1
        hint = f"; write x0[:, None] for {shape[0]} starts in one dimension" if column else ""
        if len(shape) == 2 and shape[0] == dim:
            hint = f"; write x0.T, with one start in each of its {shape[1]} rows"
        raise ValueError(f"x0 must have shape (*batch, {dim}) for this problem, got shape {shape}{hint}")
    if 0 in shape:
        raise ValueError(f"x0 is empty: it has shape {shape}")


def checked_batch(starts: Any, others: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    shapes = {"x0 (without its last axis)": tuple(starts.shape[:-1])} | others
    for name, shape in shapes.items():
        if 0 in shape:
            raise ValueError(f"{name} is empty: it has shape {shape}")
        check_axes(name, shape)
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise ValueError(
            f"the shapes of starts, hyperparameters and seeds do not broadcast: {listed}; for every start with every "
            "value give one of them a further axis, such as lr[:, None]"
        ) from None


def range_of(starts: Any, problem: Any) -> np.ndarray | None:
    """The smallest box that holds all starts, shape (n, 2), of a problem that has none; None of starts on a GPU."""
    if problem.bounds is not None or not isinstance(starts, np.ndarray) or not starts.size:
        return None
    points = starts.reshape(-1, problem.dim)
    return np.stack([points.min(axis=0), points.max(axis=0)], axis=1).astype(np.float64)
