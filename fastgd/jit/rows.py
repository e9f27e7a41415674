"""Reading, writing and iterating over `Rows`, and making them from arrays."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.extending import intrinsic, lower_builtin, lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .operators import common_lanes, converted, splat
from .options import interpreted
from .types import Lanes, Rows, RowsIterator, lanes_type

__all__ = [
    "READ_ONLY", "align_stack", "alignment", "cast_lanes", "first_lane", "lane_view", "row_index", "row_view",
    "rows_at",
]  # fmt: skip

OUTSIDE = "an index is out of range: there are {} places"
READ_ONLY = "the point x cannot be written to: write to a variable, or to fastgd.scratch(x, n)"


def in_python(plain: Callable) -> Callable[[Any], Any]:
    """Make a decorator that puts `plain` in the place of an intrinsic where Numba is told to compile nothing."""
    return lambda compiled: plain if interpreted() else compiled


@infer_global(len)
class RowsLength(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.intp, *args) if isinstance(args[0], Rows) else None


@lower_builtin(len, Rows)
def lower_len(context, builder, sig, args):
    return context.get_constant(types.intp, sig.args[0].length)


@infer_global(operator.getitem)
class RowsGet(AbstractTemplate):
    def generic(self, args, kws):
        rows, index = args
        if isinstance(rows, Rows) and isinstance(index, types.Integer):
            return signature(rows.lanes, rows, types.intp)
        return None


@infer_global(operator.setitem)
class RowsSet(AbstractTemplate):
    def generic(self, args, kws):
        rows, index, value = args
        if not isinstance(rows, Rows) or not isinstance(index, types.Integer):
            return None
        if rows.readonly:
            raise TypingError(READ_ONLY)
        fits = isinstance(value, types.Number) or value == rows.lanes or common_lanes(value, rows.lanes) == rows.lanes
        return signature(types.none, rows, types.intp, types.unliteral(value)) if fits else None


def row_index(context: Any, builder: Any, rows: Rows, index: ir.Value) -> ir.Value:
    """Which row an index means, counted from the end where it is negative; checked rows raise where there is none."""
    length = ir.Constant(index.type, rows.length)
    negative = builder.icmp_signed("<", index, ir.Constant(index.type, 0))
    index = builder.select(negative, builder.add(index, length), index)
    if rows.checked:
        with cgutils.if_unlikely(builder, builder.icmp_unsigned(">=", index, length)):
            context.call_conv.return_user_exc(builder, IndexError, (OUTSIDE.format(rows.length),))
    return index


def row_pointer(context: Any, builder: Any, rows: Rows, base: ir.Value, index: ir.Value) -> ir.Value:
    """Address of the row that an index means."""
    index = row_index(context, builder, rows, index)
    place = builder.gep(base, [builder.mul(index, ir.Constant(index.type, rows.stride))])
    if not isinstance(rows.lanes, Lanes):
        return place
    return builder.bitcast(place, ir.VectorType(base.type.pointee, rows.width).as_pointer())


def alignment(rows: Rows) -> int:
    """Of what a row is loaded from, in bytes."""
    size = rows.dtype.bitwidth // 8
    return min(64, rows.width * size) if rows.aligned else size


@lower_builtin(operator.getitem, Rows, types.Integer)
def lower_get(context, builder, sig, args):
    place = row_pointer(context, builder, sig.args[0], args[0], args[1])
    return builder.load(place, align=alignment(sig.args[0]))


@lower_builtin(operator.setitem, Rows, types.Integer, types.Any)
def lower_set(context, builder, sig, args):
    rows = sig.args[0]
    lanes = rows.lanes
    if isinstance(lanes, Lanes):
        value = splat(context, builder, args[2], sig.args[2], lanes)
    else:
        value = context.cast(builder, args[2], sig.args[2], lanes)
    builder.store(value, row_pointer(context, builder, rows, args[0], args[1]), align=alignment(rows))
    return context.get_dummy_value()


@lower_cast(Rows, Rows)
def lower_guarded(context, builder, fromty, toty, value):
    return value  # the same memory, seen by a function of the caller's


@lower_builtin("getiter", Rows)
def lower_iter(context, builder, sig, args):
    iterator = context.make_helper(builder, sig.return_type)
    iterator.index = cgutils.alloca_once_value(builder, context.get_constant(types.intp, 0))
    iterator.rows = args[0]
    return iterator._getvalue()


@lower_builtin("iternext", RowsIterator)
def lower_next(context, builder, sig, args):
    # Not by Numba's `iternext_impl`, whose wrapper a GPU's compiler takes for one of the CPU's own
    (kind,) = sig.args
    pair = context.make_helper(builder, sig.return_type)
    iterator = context.make_helper(builder, kind, value=args[0])
    index = builder.load(iterator.index)
    left = builder.icmp_signed("<", index, context.get_constant(types.intp, kind.rows.length))
    pair.second = left
    with builder.if_then(left):
        place = row_pointer(context, builder, kind.rows, iterator.rows, index)
        pair.first = builder.load(place, align=alignment(kind.rows))
        builder.store(cgutils.increment_index(builder, index), iterator.index)
    return pair._getvalue()


@infer_global(sum)
class RowsSum(AbstractTemplate):
    def generic(self, args, kws):
        if kws or len(args) != 1 or not isinstance(args[0], Rows) or args[0].length == 0:
            return None
        return signature(args[0].lanes, *args)


@lower_builtin(sum, Rows)
def lower_sum(context, builder, sig, args):
    rows, lanes = sig.args[0], sig.return_type
    add = context.get_function(operator.add, signature(lanes, lanes, lanes))

    def row(index):
        return builder.load(row_pointer(context, builder, rows, args[0], index), align=alignment(rows))

    first, count = (context.get_constant(types.intp, number) for number in (0, rows.length))
    total = cgutils.alloca_once_value(builder, row(first))
    with cgutils.for_range(builder, count, start=context.get_constant(types.intp, 1)) as loop:
        builder.store(add(builder, (builder.load(total), row(loop.index))), total)
    return builder.load(total)


@functools.cache
def row_view(width: int, length: int, skip: int = 0, bare: bool = True) -> Any:
    """A compiled function ``view(array, block)``: `length` rows of ``array[block]``, the first `skip` left out.

    The array has the shape (blocks, rows, width), is C-contiguous, and its data begins at a multiple of 64 bytes.
    """

    def plain(array, block):
        return array[block : block + 1, skip : skip + length, 0].reshape(-1)  # past the end no rows, and no error

    @in_python(plain)
    @intrinsic
    def view(typingctx, array, block):
        rows = Rows(array.dtype, width, length, bare=bare)

        def codegen(context, builder, sig, args):
            whole = context.make_array(sig.args[0])(context, builder, args[0])
            count = builder.extract_value(whole.shape, 1)
            row = builder.add(builder.mul(args[1], count), ir.Constant(count.type, skip))
            return builder.gep(whole.data, [builder.mul(row, ir.Constant(count.type, width))])

        return signature(rows, array, types.intp), codegen

    return view


@functools.cache
def lane_view(stride: int, length: int, skip: int = 0, bare: bool = True) -> Any:
    """A compiled function ``view(array, place)``: `length` numbers of one lane, the first `skip` left out.

    The array has the shape (blocks, rows, stride) and is C-contiguous; the place counts lanes through all blocks.
    Neighbouring lanes have their numbers side by side.
    """

    def plain(array, place):
        return array[place // stride, skip : skip + length, place % stride]

    @in_python(plain)
    @intrinsic
    def view(typingctx, array, place):
        rows = Rows(array.dtype, 1, length, aligned=False, bare=bare, stride=stride)

        def codegen(context, builder, sig, args):
            whole = context.make_array(sig.args[0])(context, builder, args[0])
            count = builder.extract_value(whole.shape, 1)
            lanes = ir.Constant(count.type, stride)
            row = builder.add(builder.mul(builder.udiv(args[1], lanes), count), ir.Constant(count.type, skip))
            return builder.gep(whole.data, [builder.add(builder.mul(row, lanes), builder.urem(args[1], lanes))])

        return signature(rows, array, types.intp), codegen

    return view


@functools.cache
def rows_at(dtype: types.Number, width: int, length: int = 1, aligned: bool = False) -> Any:
    """A compiled function ``view(address, block)``: the rows of the block `block` of memory that Python answers for.

    A block is ``length * width`` numbers.  The address is an integer, so that one kernel serves arrays that may be
    written to and arrays that may not.
    """
    rows = Rows(dtype, width, length, aligned)

    @intrinsic
    def view(typingctx, address, block):
        def codegen(context, builder, sig, args):
            base = builder.inttoptr(args[0], context.get_value_type(rows))
            return builder.gep(base, [builder.mul(args[1], ir.Constant(args[1].type, length * width))])

        return signature(rows, types.intp, types.intp), codegen

    return view


@in_python(lambda: None)
@intrinsic
def align_stack(typingctx):
    """Make the kernel's stack frame begin at a multiple of 64 bytes, or vectors spilled to it straddle cache lines."""

    def codegen(context, builder, sig, args):
        place = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(8), 64))
        place.align = 64
        kind = ir.FunctionType(ir.VoidType(), [place.type])
        builder.asm(kind, "", "r", [place], side_effect=True)  # no instruction, but it keeps the slot
        return context.get_dummy_value()

    return signature(types.none), codegen


@in_python(lambda value: value)
@intrinsic
def first_lane(typingctx, value):
    """The number in lane 0; a scalar is itself."""
    if not isinstance(value, Lanes):
        return signature(types.unliteral(value), value), lambda context, builder, sig, args: args[0]

    def codegen(context, builder, sig, args):
        return builder.extract_element(args[0], ir.Constant(ir.IntType(32), 0))

    return signature(value.dtype, value), codegen


@functools.cache
def cast_lanes(dtype: types.Number, width: int, bare: bool = True) -> Any:
    """A compiled function ``cast(value)``: a scalar or a row of any dtype as a row of this dtype and width."""
    lanes = lanes_type(dtype, width, bare)

    @in_python(dtype)
    @intrinsic
    def cast(typingctx, value):
        def codegen(context, builder, sig, args):
            (kind,) = sig.args
            if not isinstance(lanes, Lanes):
                return context.cast(builder, args[0], kind, lanes)
            if not isinstance(kind, Lanes):
                return splat(context, builder, args[0], kind, lanes)
            return converted(context, builder, args[0], kind, lanes)

        return signature(lanes, types.unliteral(value)), codegen

    return cast
