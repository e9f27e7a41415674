"""Integers by Python's rules in compiled code: what leaves 64 bits, or divides by zero, raises as an error.

Numba's own integers wrap around, a division by zero gives 0, and a negative power is 0.  `CHECKED` has an operation for
each operator that a function of the caller's may use on integers or on lanes of integers; `power` is what its ``**``
becomes, since Python's ``2 ** -1`` is a float.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .integers import divide
from .operators import common_lanes, powi, splat
from .types import Lanes

__all__ = ["CHECKED", "ROUNDED", "check_range", "power", "whole"]

TOO_LARGE = (
    "an integer leaves the 64 bits that compiled code has for it; write floats, as in 1.0 in place of 1"
)
NO_INTEGER = "a float that is NaN, infinite or past the 64 bits of an integer cannot be made an integer"
BY_ZERO = "integer division or modulo by zero"
NEGATIVE_SHIFT = "negative shift count"

# Functions that make an integer of a float in compiled code
ROUNDED = (int, math.floor, math.ceil, math.trunc, round, np.int64, np.int32, np.int16, np.int8)


def whole(kind: types.Type) -> types.Integer | None:
    """The integer type of a number or of lanes; None of other types."""
    dtype = kind.dtype if isinstance(kind, Lanes) else kind
    return dtype if isinstance(dtype, types.Integer) else None


def holds_anywhere(builder: Any, condition: ir.Value) -> ir.Value:
    """Whether a condition holds, or holds for any lane of a vector."""
    if not isinstance(condition.type, ir.VectorType):
        return condition
    bits = ir.IntType(condition.type.count)
    return builder.icmp_unsigned("!=", builder.bitcast(condition, bits), ir.Constant(bits, 0))


def raise_where(context: Any, builder: Any, condition: ir.Value, error: type[Exception], text: str) -> None:
    """Have the compiled function raise an error where the condition holds, for any lane of a vector."""
    with cgutils.if_unlikely(builder, holds_anywhere(builder, condition)):
        context.call_conv.return_user_exc(builder, error, (text,))


def number(vector: ir.Type, value: int) -> ir.Constant:
    """A constant of an integer type, in all lanes of a vector."""
    return ir.Constant(vector, [value] * vector.count if isinstance(vector, ir.VectorType) else value)


def with_overflow(context: Any, builder: Any, name: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """Call LLVM's ``llvm.NAME.with.overflow`` and raise OverflowError where it says so."""
    kind = a.type
    vector = isinstance(kind, ir.VectorType)
    bits = kind.element.width if vector else kind.width
    full = f"llvm.{name}.with.overflow." + (f"v{kind.count}i{bits}" if vector else f"i{bits}")
    flag = ir.VectorType(ir.IntType(1), kind.count) if vector else ir.IntType(1)
    function = builder.module.globals.get(full)
    if function is None:
        result = ir.LiteralStructType([kind, flag])
        function = ir.Function(builder.module, ir.FunctionType(result, [kind, kind]), full)
    pair = builder.call(function, [a, b])
    raise_where(context, builder, builder.extract_value(pair, 1), OverflowError, TOO_LARGE)
    return builder.extract_value(pair, 0)


def arithmetic(name: str) -> Callable[..., ir.Value]:
    def operate(context: Any, builder: Any, kind: types.Integer, a: ir.Value, b: ir.Value) -> ir.Value:
        return with_overflow(context, builder, ("s" if kind.signed else "u") + name, a, b)

    return operate


def power_of_integers(context: Any, builder: Any, kind: types.Integer, a: ir.Value, b: ir.Value) -> ir.Value:
    """``a ** b`` for a constant exponent that is not negative."""
    times = arithmetic("mul")
    constant = b.constant[0].constant if isinstance(b.type, ir.VectorType) else b.constant
    if constant == 0:
        return number(a.type, 1)
    return powi(builder, a, constant, lambda one, other: times(context, builder, kind, one, other))


def check_divisor(context: Any, builder: Any, b: ir.Value) -> None:
    raise_where(context, builder, builder.icmp_unsigned("==", b, number(b.type, 0)), ZeroDivisionError, BY_ZERO)


def quotient(context: Any, builder: Any, kind: types.Integer, a: ir.Value, b: ir.Value) -> ir.Value:
    check_divisor(context, builder, b)
    return divide(builder, kind.signed, a, b)[0]


def remainder(context: Any, builder: Any, kind: types.Integer, a: ir.Value, b: ir.Value) -> ir.Value:
    check_divisor(context, builder, b)
    return divide(builder, kind.signed, a, b)[1]


def shifted_left(context: Any, builder: Any, kind: types.Integer, a: ir.Value, b: ir.Value) -> ir.Value:
    back = builder.ashr if kind.signed else builder.lshr
    count = within_bits(context, builder, b)
    result = builder.shl(a, count)
    lost = builder.icmp_unsigned("!=", back(result, count), a)
    past = builder.and_(builder.icmp_unsigned("!=", count, b), builder.icmp_unsigned("!=", a, number(a.type, 0)))
    raise_where(context, builder, builder.or_(lost, past), OverflowError, TOO_LARGE)
    return result


def shifted_right(context: Any, builder: Any, kind: types.Integer, a: ir.Value, b: ir.Value) -> ir.Value:
    return (builder.ashr if kind.signed else builder.lshr)(a, within_bits(context, builder, b))


def within_bits(context: Any, builder: Any, b: ir.Value) -> ir.Value:
    """A shift count, at most the bits that there are: what is past them makes no other difference."""
    raise_where(context, builder, builder.icmp_signed("<", b, number(b.type, 0)), ValueError, NEGATIVE_SHIFT)
    bits = (b.type.element if isinstance(b.type, ir.VectorType) else b.type).width
    most = number(b.type, bits - 1)
    return builder.select(builder.icmp_unsigned(">", b, most), most, b)


# What each operator of a function is lowered to where its operands and its result are integers
CHECKED: dict[Any, Callable[..., ir.Value]] = {
    operator.add: arithmetic("add"), operator.sub: arithmetic("sub"), operator.mul: arithmetic("mul"),
    operator.pow: power_of_integers, operator.floordiv: quotient, operator.mod: remainder,
    operator.lshift: shifted_left, operator.rshift: shifted_right,
}  # fmt: skip


def check_range(context: Any, builder: Any, value: ir.Value) -> None:
    """Have the function raise OverflowError where a float has no place among the integers of 64 bits."""
    limit = ir.Constant(value.type, 2.0**63)
    low = builder.fcmp_ordered(">=", value, ir.Constant(value.type, -(2.0**63)))
    inside = builder.and_(low, builder.fcmp_ordered("<", value, limit))
    raise_where(context, builder, builder.not_(inside), OverflowError, NO_INTEGER)


def power(base: Any, exponent: Any) -> Any:
    """``base ** exponent`` where the exponent is no constant that is known not to be negative."""
    return base**exponent


@infer_global(power)
class Power(AbstractTemplate):
    """Of integers a float, as Python's is where the exponent is negative; else what ``**`` is."""

    def generic(self, args, kws):
        base, exponent = map(types.unliteral, args)
        if all(whole(kind) or isinstance(kind, types.Boolean) for kind in (base, exponent)):
            lanes = common_lanes(base, exponent)
            result = types.float64 if lanes is None else Lanes(types.float64, lanes.width)
            return signature(result, base, exponent)
        known = self.context.resolve_value_type(operator.pow)
        return known.get_call_type(self.context, args, kws)


@lower_builtin(power, types.Any, types.Any)
def lower_power(context, builder, sig, args):
    kinds = sig.args
    if all(whole(kind) or isinstance(kind, types.Boolean) for kind in kinds):
        result = sig.return_type
        if isinstance(result, Lanes):
            args = [splat(context, builder, value, kind, result) for value, kind in zip(args, kinds, strict=True)]
        else:
            args = [context.cast(builder, value, kind, result) for value, kind in zip(args, kinds, strict=True)]
        kinds = result, result
        sig = signature(result, *kinds)
    known = context.typing_context.resolve_value_type(operator.pow)
    known.get_call_type(context.typing_context, kinds, {})  # what get_function looks for
    return context.get_function(known, sig)(builder, args)
