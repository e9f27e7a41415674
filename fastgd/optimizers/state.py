"""What an update rule remembers of the parameters of a caller's own arrays."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgd.checks import shown

__all__ = ["State", "block_width"]


def block_width(size: int) -> int:
    """Parameters in a block of state, by their size in bytes: two vectors, to overlap divisions and roots."""
    return 128 // size


class State:
    """The state of an optimizer's in-place steps: made by ``optimizer.init``, advanced by ``optimizer.step``.

    Attributes
    ----------
    rule : str
        The rule that it belongs to, with its options.
    t : int
        How many steps have been taken.
    shapes : list of tuple
        The shapes of the arrays of parameters.
    dtype : dtype
        Theirs and the state's, float32 or float64.

    Notes
    -----
    The numbers of state of each parameter lie interleaved, block by block of parameters, so that however many there
    are, a step reads and writes one stream of them.  `to_dict` takes them apart.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> x = np.zeros(3)
    >>> optimizer = gd.Momentum(lr=0.1)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([1.0, 2.0, 3.0]), state)
    >>> state
    State of momentum(averaged=False, bias_correction=False) after 1 step, float64 (3,)
    >>> state.to_dict()["slots0"]
    array([[1., 2., 3.]])
    """

    def __init__(self, rule: str, shapes: list[tuple[int, ...]], dtype: np.dtype, slots: int, is_list: bool) -> None:
        self.rule, self.shapes, self.dtype, self.is_list = rule, shapes, dtype, is_list
        self.t = 0
        self.slots = slots
        self.blocks: list[Any] = [zeros(int(np.prod(shape, dtype=np.int64)), slots, dtype) for shape in shapes]
        self.memory = np.zeros(0)
        self.pieces: Any = None  # what `inplace.pieces_of` found for the last step, and for which addresses
        self.on_gpu = False  # then `blocks` are device arrays of shape (slots, size)

    def apart(self, k: int) -> np.ndarray:
        """The state of the parameters of array `k`, one row for each slot, in new memory or a view of the old."""
        if self.on_gpu:
            from . import cuda

            return cuda.fetched_block(self.blocks[k])[: self.slots]
        blocks, size = self.blocks[k], int(np.prod(self.shapes[k], dtype=np.int64))
        return blocks.transpose(1, 0, 2).reshape(self.slots, len(blocks) * blocks.shape[2])[:, :size]

    def put(self, k: int, flat: np.ndarray) -> None:
        """The reverse of `apart`, into blocks of the host."""
        blocks, width = self.blocks[k], self.blocks[k].shape[2]
        whole = flat.shape[1] // width
        blocks[:whole] = flat[:, : whole * width].reshape(self.slots, whole, width).transpose(1, 0, 2)
        if rest := flat.shape[1] - whole * width:
            blocks[whole, :, :rest] = flat[:, whole * width :]

    def __repr__(self) -> str:
        shapes = ", ".join(str(shape) for shape in self.shapes[:4]) + (", ..." if len(self.shapes) > 4 else "")
        return f"State of {self.rule} after {self.t} step{'' if self.t == 1 else 's'}, {self.dtype} {shapes}"

    def to_dict(self) -> dict[str, Any]:
        """The whole state as arrays and numbers, which ``numpy.savez`` can save.

        Returns
        -------
        dict
            `rule`, an array that holds its name; `t`, the number of steps; `is_list`, whether the parameters are a list
            of arrays; `memory`, of a schedule that has one; and for each array of parameters ``slots0``, ``slots1``,
            ..., of shape ``(slots, *shape)``.  They are copies.
        """
        found: dict[str, Any] = {
            "rule": np.array(self.rule), "t": self.t, "is_list": self.is_list, "memory": self.memory.copy(),
        }  # fmt: skip
        for k, shape in enumerate(self.shapes):
            found[f"slots{k}"] = self.apart(k).reshape(self.slots, *shape).copy()
        return found

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> State:
        """The state that `to_dict` told; `saved` may also be what ``numpy.load`` opens.

        Raises
        ------
        ValueError
            If something is missing or is not what `to_dict` gives.
        """
        if not isinstance(saved, Mapping):
            raise TypeError(f"saved must be what State.to_dict gave, or what numpy.load opens, got {shown(saved)}")
        for name in ("rule", "t", "is_list", "memory", "slots0"):
            if name not in saved:
                raise ValueError(f"saved must be what State.to_dict gave: it has no {name!r}")
        arrays: list[np.ndarray] = []
        while f"slots{len(arrays)}" in saved:
            arrays.append(np.asarray(saved[f"slots{len(arrays)}"]))
        dtype, slots = arrays[0].dtype, arrays[0].shape[0] if arrays[0].ndim else -1
        for k, array in enumerate(arrays):
            fits = array.ndim and array.shape[0] == slots and array.dtype == dtype
            if not fits or dtype not in (np.float32, np.float64):
                raise ValueError(
                    f"saved: slots{k} must be float32 or float64 of shape (slots, *shape), dtype and slots as in all "
                    f"others, got {array.dtype} {array.shape}, and slots0 is {dtype} {arrays[0].shape}"
                )
        t, memory = operator.index(np.asarray(saved["t"]).item()), np.asarray(saved["memory"])
        if t < 0 or memory.ndim != 1 or memory.dtype != np.float64:
            raise ValueError(
                f"saved: t must be at least 0 and memory a row of float64, got {t} and {memory.dtype} {memory.shape}"
            )
        if len(arrays) > 1 and not saved["is_list"]:
            raise ValueError(f"saved: is_list must be true for {len(arrays)} arrays, got {saved['is_list']!r}")
        state = cls(str(saved["rule"]), [a.shape[1:] for a in arrays], dtype, slots, bool(saved["is_list"]))
        state.t, state.memory = t, memory.copy()
        for k, array in enumerate(arrays):
            state.put(k, array.reshape(slots, int(np.prod(array.shape[1:], dtype=np.int64))))
        return state


def zeros(size: int, slots: int, dtype: np.dtype) -> np.ndarray:
    """Zeros of shape (blocks, slots, width) that begin at a multiple of 64 bytes.

    The system hands such pages out when they are first written to, by the thread that will work on them.
    """
    width = block_width(dtype.itemsize)
    shape = (-(-size // width), slots, width)
    buffer = np.zeros(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + buffer.size - 64].view(dtype).reshape(shape)
