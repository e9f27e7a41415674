"""Reading and writing at a place of each lane's own, and working memory of a function's own."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.extending import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .operators import common_lanes, splat
from .rows import READ_ONLY, alignment, row_index
from .types import Lanes, Rows

__all__ = ["scratch"]


def places(index: types.Type) -> tuple[types.Type, ...]:
    return tuple(index.types) if isinstance(index, types.BaseTuple) else (index,)


@infer_global(operator.getitem)
class Gather(AbstractTemplate):
    """``array[i]`` and ``array[i, k]`` where an index is lanes of integers: lanes of what stands there."""

    def generic(self, args, kws):
        array, index = args
        if not isinstance(array, types.Array) or not isinstance(array.dtype, types.Number):
            return None
        kinds = places(index)
        wide = {kind for kind in kinds if isinstance(kind, Lanes)}
        if len(wide) != 1 or len(kinds) != array.ndim:
            return None
        whole = all(isinstance(getattr(kind, "dtype", kind), types.Integer) for kind in kinds)
        return signature(Lanes(array.dtype, wide.pop().width), array, index) if whole else None


def lower_gather(context, builder, sig, args):
    array, index = sig.args
    lanes, kinds = sig.return_type, places(index)
    values = cgutils.unpack_tuple(builder, args[1]) if isinstance(index, types.BaseTuple) else [args[1]]
    struct = context.make_array(array)(context, builder, args[0])
    shape, strides = (cgutils.unpack_tuple(builder, part, array.ndim) for part in (struct.shape, struct.strides))
    result = ir.Constant(context.get_value_type(lanes), ir.Undefined)
    for lane in range(lanes.width):  # by number: the row's address is then worked out once for all its columns
        place = ir.Constant(ir.IntType(32), lane)
        one = []
        for kind, value in zip(kinds, values, strict=True):
            if isinstance(kind, Lanes):
                kind, value = kind.dtype, builder.extract_element(value, place)
            one.append(context.cast(builder, value, kind, types.intp))
        pointer = cgutils.get_item_pointer2(
            context, builder, struct.data, shape, strides, array.layout, one, wraparound=True,
            boundscheck=context.enable_boundscheck,
        )  # fmt: skip
        number = context.unpack_value(builder, array.dtype, pointer)
        result = builder.insert_element(result, number, place)
    return result


lower_builtin(operator.getitem, types.Array, Lanes)(lower_gather)


@lower_builtin(operator.getitem, types.Array, types.BaseTuple)
def lower_gather_or_get(context, builder, sig, args):
    if isinstance(sig.return_type, Lanes):
        return lower_gather(context, builder, sig, args)
    from numba.np import arrayobj  # which Numba itself has loaded by now, and not before

    return arrayobj.getitem_array_tuple(context, builder, sig, args)


@infer_global(operator.getitem)
class RowsGather(AbstractTemplate):
    """``x[i]`` of rows where `i` is lanes: each lane's own row."""

    def generic(self, args, kws):
        rows, index = args
        if isinstance(rows, Rows) and isinstance(index, Lanes) and isinstance(index.dtype, types.Integer):
            return signature(Lanes(rows.dtype, rows.width), rows, index) if rows.width == index.width else None
        return None


@infer_global(operator.setitem)
class RowsScatter(AbstractTemplate):
    """``x[i] = value`` of rows where `i` is lanes."""

    def generic(self, args, kws):
        rows, index, value = args
        if not isinstance(rows, Rows) or not isinstance(index, Lanes) or not isinstance(index.dtype, types.Integer):
            return None
        lanes = Lanes(rows.dtype, rows.width)
        if rows.readonly:
            raise TypingError(READ_ONLY)
        fits = rows.width == index.width and common_lanes(value, lanes) == lanes
        return signature(types.none, rows, index, types.unliteral(value)) if fits else None


def lane_pointers(context, builder, rows, base, index, kind):
    """Where each lane's number lies; negative indices count from the end."""
    for lane in range(rows.width):
        value = builder.extract_element(index, ir.Constant(ir.IntType(32), lane))
        value = row_index(context, builder, rows, context.cast(builder, value, kind.dtype, types.int64))
        place = builder.add(builder.mul(value, ir.Constant(value.type, rows.stride)), ir.Constant(value.type, lane))
        yield ir.Constant(ir.IntType(32), lane), builder.gep(base, [place])


@lower_builtin(operator.getitem, Rows, Lanes)
def lower_rows_gather(context, builder, sig, args):
    result = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
    for lane, pointer in lane_pointers(context, builder, sig.args[0], args[0], args[1], sig.args[1]):
        result = builder.insert_element(result, builder.load(pointer), lane)
    return result


@lower_builtin(operator.setitem, Rows, Lanes, types.Any)
def lower_rows_scatter(context, builder, sig, args):
    rows = sig.args[0]
    value = splat(context, builder, args[2], sig.args[2], Lanes(rows.dtype, rows.width))
    for lane, pointer in lane_pointers(context, builder, rows, args[0], args[1], sig.args[1]):
        builder.store(builder.extract_element(value, lane), pointer)
    return context.get_dummy_value()


def scratch(x: Any, n: int) -> Any:
    """Return `n` numbers of working memory, such as those in `x`, for the time of one call.

    For functions that have to keep more intermediate values than a few variables hold, such as the activations of a
    network.  In compiled code it lies on the stack, one number or one vector for each place, and is not allocated; it
    holds nothing of use before it is written.

    Parameters
    ----------
    x : point
        What the function was given as its point.
    n : int
        How many numbers; a literal, or an integer that the function captures.

    Returns
    -------
    sequence
        It is read and written by index, and has a length.

    Examples
    --------
    >>> import fastgd as gd
    >>> def cascade(x):  # the partial sums of x, squared
    ...     sums = gd.scratch(x, 3)
    ...     sums[0] = x[0]
    ...     for i in range(1, 3):
    ...         sums[i] = sums[i - 1] + x[i]
    ...     return sums[0] ** 2 + sums[1] ** 2 + sums[2] ** 2
    >>> float(gd.Problem(cascade, dim=3).value([1.0, 1.0, 1.0]))
    14.0
    """
    return [0.0] * n


@infer_global(scratch)
class Scratch(AbstractTemplate):
    """Rows of the width and dtype of `x`."""

    prefer_literal = True

    def generic(self, args, kws):
        x, n = args
        if not isinstance(x, (Rows, types.Array)) or not isinstance(n, types.IntegerLiteral):
            return None
        width = x.width if isinstance(x, Rows) else 1
        guarded = x.checked if isinstance(x, Rows) else True
        bare = not (isinstance(x, Rows) and isinstance(x.lanes, Lanes))  # a GPU's lanes are vectors of one number
        return signature(Rows(x.dtype, width, n.literal_value, bare=bare, checked=guarded), x, n)


@lower_builtin(scratch, types.Any, types.IntegerLiteral)
def lower_scratch(context, builder, sig, args):
    rows = sig.return_type
    place = cgutils.alloca_once(builder, ir.ArrayType(context.get_value_type(rows.dtype), rows.length * rows.width))
    place.align = alignment(rows)
    return builder.bitcast(place, context.get_value_type(rows))
