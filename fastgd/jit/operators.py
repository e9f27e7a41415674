"""Arithmetic, comparisons and logic on `Lanes` and `Mask`, mixed with scalars.

``a * b + c`` becomes one fused multiply-add, decided here, where the source is lowered, and not by LLVM's optimizer:
the same source then rounds the same way in every kernel that it is compiled into.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import lower_builtin, lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .types import Lanes, Mask

__all__: list[str] = []

ARITHMETIC = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}
IN_PLACE = {
    operator.add: operator.iadd, operator.sub: operator.isub, operator.mul: operator.imul,
    operator.truediv: operator.itruediv, operator.pow: operator.ipow,
}  # fmt: skip
COMPARISONS = {
    operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=", operator.eq: "==", operator.ne: "!=",
}  # fmt: skip
SCALAR_FUNCTIONS = {
    "fabs": math.fabs, "sqrt": math.sqrt, "copysign": math.copysign, "floor": np.floor, "ceil": np.ceil,
}  # fmt: skip
LOGIC = {
    operator.and_: "and_", operator.iand: "and_", operator.or_: "or_", operator.ior: "or_", operator.xor: "xor",
    operator.ixor: "xor",
}  # fmt: skip


def vector_type(lanes: Lanes, context: Any) -> ir.VectorType:
    """The LLVM type of a `Lanes`."""
    return context.get_value_type(lanes)


def splat(context: Any, builder: Any, value: ir.Value, kind: types.Type, lanes: Lanes) -> ir.Value:
    """`value` as a vector: its lanes if it is one, else its cast to the dtype in every lane."""
    if isinstance(kind, Lanes):
        return converted(context, builder, value, kind, lanes)
    value = context.cast(builder, value, kind, lanes.dtype)
    vector = vector_type(lanes, context)
    if isinstance(value, ir.Constant) and isinstance(lanes.dtype, types.Float):
        return ir.Constant(vector, [value.constant] * lanes.width)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), [0] * lanes.width)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), order)


def converted(context: Any, builder: Any, value: ir.Value, kind: Lanes, lanes: Lanes) -> ir.Value:
    """A vector of one dtype as a vector of another, by C's rules: to an integer it is cut off, not rounded."""
    if kind.dtype == lanes.dtype:
        return value
    to = vector_type(lanes, context)
    if isinstance(kind.dtype, types.Float):
        if isinstance(lanes.dtype, types.Float):
            return (builder.fptrunc if kind.dtype.bitwidth > lanes.dtype.bitwidth else builder.fpext)(value, to)
        return (builder.fptosi if lanes.dtype.signed else builder.fptoui)(value, to)
    if isinstance(lanes.dtype, types.Float):
        return (builder.sitofp if kind.dtype.signed else builder.uitofp)(value, to)
    if kind.dtype.bitwidth >= lanes.dtype.bitwidth:
        return builder.trunc(value, to) if kind.dtype.bitwidth > lanes.dtype.bitwidth else value
    return (builder.sext if kind.dtype.signed else builder.zext)(value, to)


@lower_cast(Lanes, Lanes)
def lanes_to_lanes(context, builder, fromty, toty, value):
    return converted(context, builder, value, fromty, toty)


@lower_cast(types.Number, Lanes)
def number_to_lanes(context, builder, fromty, toty, value):
    return splat(context, builder, value, fromty, toty)


def common_lanes(*kinds: types.Type) -> Lanes | None:
    """The `Lanes` type in which arguments of these types meet, the others being scalars; None if there is none.

    Lanes of integers take part in arithmetic with floats as floats, and doubles with singles as singles: doubles then
    came from an integer and a literal, and the singles are the dtype of the runs.
    """
    if not all(isinstance(kind, (Lanes, types.Number, types.Boolean)) for kind in kinds):
        return None
    found = {kind for kind in kinds if isinstance(kind, Lanes)}
    if len({kind.width for kind in found}) != 1:
        return None
    if len(found) > 1:
        found = {kind for kind in found if isinstance(kind.dtype, types.Float)}
    if not found:
        return None
    lanes = min(found, key=lambda kind: kind.dtype.bitwidth)
    if isinstance(lanes.dtype, types.Integer) and any(isinstance(kind, types.Float) for kind in kinds):
        return Lanes(types.float64, lanes.width)
    return lanes


def call_intrinsic(context: Any, builder: Any, name: str, lanes: Lanes, *args: ir.Value) -> ir.Value:
    """Call LLVM's vector intrinsic ``llvm.NAME.vWfB`` (llvmlite gives vectors no intrinsic name)."""
    if lanes.width == 1 and name in SCALAR_FUNCTIONS:  # a GPU's compiler knows few intrinsics, and none on vectors
        return call_by_lanes(context, builder, SCALAR_FUNCTIONS[name], lanes, list(args))
    vector = vector_type(lanes, context)
    bits = lanes.dtype.bitwidth
    full = f"llvm.{name}.f{bits}" if lanes.width == 1 else f"llvm.{name}.v{lanes.width}f{bits}"
    kind = vector.element if lanes.width == 1 else vector
    function = builder.module.globals.get(full)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), full)
    if lanes.width > 1:
        return builder.call(function, args)
    place = ir.Constant(ir.IntType(32), 0)
    number = builder.call(function, [builder.extract_element(value, place) for value in args])
    return builder.insert_element(ir.Constant(vector, ir.Undefined), number, place)


def call_by_lanes(context: Any, builder: Any, scalar: Any, lanes: Lanes, vectors: list[ir.Value]) -> ir.Value:
    """Call the target's own scalar function once for each lane."""
    kind = context.typing_context.resolve_value_type(scalar)
    sig = kind.get_call_type(context.typing_context, [lanes.dtype] * len(vectors), {})  # what get_function looks for
    function = context.get_function(kind, sig)
    result = ir.Constant(vectors[0].type, ir.Undefined)
    for lane in range(lanes.width):
        place = ir.Constant(ir.IntType(32), lane)
        value = function(builder, [builder.extract_element(v, place) for v in vectors])
        result = builder.insert_element(result, value, place)
    return result


def holds_anywhere(builder: Any, condition: ir.Value) -> ir.Value:
    """Whether a condition holds, or holds for any lane of a vector."""
    if not isinstance(condition.type, ir.VectorType):
        return condition
    bits = ir.IntType(condition.type.count)
    return builder.icmp_unsigned("!=", builder.bitcast(condition, bits), ir.Constant(bits, 0))


def raise_where(context: Any, builder: Any, condition: ir.Value, error: type[Exception], text: str) -> None:
    """Have the compiled function raise an error where the condition holds, for any lane of a vector."""
    own = getattr(context, "fndesc", None)  # numba-cuda keeps the convention of calls there
    convention = getattr(own, "call_conv", None) or context.call_conv
    with cgutils.if_unlikely(builder, holds_anywhere(builder, condition)):
        convention.return_user_exc(builder, error, (text,))


def negated(builder: Any, vector: ir.Value) -> ir.Value:
    """``-x`` as the difference to -0.0, which LLVM knows for what it is; NVVM's dialect has no ``fneg``."""
    return builder.fsub(ir.Constant(vector.type, [-0.0] * vector.type.count), vector)


def is_product(value: ir.Value) -> bool:
    return isinstance(value, ir.Instruction) and value.opname == "fmul" and isinstance(value.type, ir.VectorType)


def add_or_subtract(context: Any, builder: Any, opname: str, lanes: Lanes, a: ir.Value, b: ir.Value) -> ir.Value:
    """``a + b`` or ``a - b``, fused where one side is a product (the left one, if both are)."""
    minus = opname == "fsub"
    if is_product(a):
        return call_intrinsic(context, builder, "fma", lanes, *a.operands, negated(builder, b) if minus else b)
    if is_product(b):
        left, right = b.operands
        return call_intrinsic(context, builder, "fma", lanes, negated(builder, left) if minus else left, right, a)
    return getattr(builder, opname)(a, b)


def register_arithmetic(op: Any, opname: str) -> None:
    def lower(context, builder, sig, args):
        lanes = sig.return_type
        a, b = (splat(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True))
        if isinstance(lanes.dtype, types.Float):
            if opname in ("fadd", "fsub"):
                return add_or_subtract(context, builder, opname, lanes, a, b)
            return getattr(builder, opname)(a, b)
        return getattr(builder, opname[1:])(a, b)

    for key in (op, IN_PLACE[op]):

        @infer_global(key)
        class Arithmetic(AbstractTemplate):
            def generic(self, args, kws):
                lanes = common_lanes(*args) if len(args) == 2 else None
                if lanes is None:
                    return None
                if opname == "fdiv" and isinstance(lanes.dtype, types.Integer):
                    lanes = Lanes(types.float64, lanes.width)
                return signature(lanes, *(types.unliteral(kind) for kind in args))

        lower_builtin(key, Lanes, Lanes)(lower)
        for scalar in (types.Number, types.Boolean):
            lower_builtin(key, Lanes, scalar)(lower)
            lower_builtin(key, scalar, Lanes)(lower)


def register_comparison(op: Any, predicate: str) -> None:
    @infer_global(op)
    class Comparison(AbstractTemplate):
        def generic(self, args, kws):
            lanes = common_lanes(*args)
            return None if lanes is None else signature(Mask(lanes.width), *(types.unliteral(kind) for kind in args))

    def lower(context, builder, sig, args):
        lanes = common_lanes(*sig.args)
        assert lanes is not None
        a, b = (splat(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True))
        if isinstance(lanes.dtype, types.Float):
            compare = builder.fcmp_unordered if predicate == "!=" else builder.fcmp_ordered
        else:
            compare = builder.icmp_signed if lanes.dtype.signed else builder.icmp_unsigned
        return compare(predicate, a, b)

    lower_builtin(op, Lanes, Lanes)(lower)
    for scalar in (types.Number, types.Boolean):
        lower_builtin(op, Lanes, scalar)(lower)
        lower_builtin(op, scalar, Lanes)(lower)


def register_logic(op: Any, method: str) -> None:
    @infer_global(op)
    class Logic(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and isinstance(args[0], Mask) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    @lower_builtin(op, Mask, Mask)
    def lower(context, builder, sig, args):
        return getattr(builder, method)(*args)


def powi(builder: Any, base: ir.Value, exponent: int, multiply: Any) -> ir.Value:
    """``base ** exponent`` for a known exponent >= 1 by squaring."""
    result, square = None, base
    while exponent:
        if exponent & 1:
            result = square if result is None else multiply(result, square)
        exponent >>= 1
        if exponent:
            square = multiply(square, square)
    assert result is not None
    return result


@infer_global(operator.neg)
@infer_global(operator.pos)
@infer_global(abs)
class Unary(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) == 1 and isinstance(args[0], Lanes):
            return signature(args[0], *args)
        return None


@lower_builtin(operator.neg, Lanes)
def lower_neg(context, builder, sig, args):
    return negated(builder, args[0]) if isinstance(sig.return_type.dtype, types.Float) else builder.neg(args[0])


@lower_builtin(operator.pos, Lanes)
def lower_pos(context, builder, sig, args):
    return args[0]


@lower_builtin(abs, Lanes)
def lower_abs(context, builder, sig, args):
    if isinstance(sig.return_type.dtype, types.Float):
        return call_intrinsic(context, builder, "fabs", sig.args[0], args[0])
    negative = builder.icmp_signed("<", args[0], ir.Constant(args[0].type, None))
    return builder.select(negative, builder.neg(args[0]), args[0]) if sig.return_type.dtype.signed else args[0]


@infer_global(operator.invert)
class Invert(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0], *args) if len(args) == 1 and isinstance(args[0], Mask) else None


@lower_builtin(operator.invert, Mask)
def lower_invert(context, builder, sig, args):
    return builder.not_(args[0])


@infer_global(min)
@infer_global(max)
class MinMax(AbstractTemplate):
    def generic(self, args, kws):
        lanes = common_lanes(*args) if len(args) == 2 else None
        return None if lanes is None else signature(lanes, *(types.unliteral(kind) for kind in args))


def register_minmax(op: Any, predicate: str) -> None:
    def lower(context, builder, sig, args):
        lanes = sig.return_type
        a, b = (splat(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True))
        # Python's own rule, the first unless the second is beyond it: min(a, b) is b if b < a else a
        if isinstance(lanes.dtype, types.Float):
            return builder.select(builder.fcmp_ordered(predicate, b, a), b, a)
        compare = builder.icmp_signed if lanes.dtype.signed else builder.icmp_unsigned
        return builder.select(compare(predicate, b, a), b, a)

    lower_builtin(op, Lanes, Lanes)(lower)
    lower_builtin(op, Lanes, types.Number)(lower)
    lower_builtin(op, types.Number, Lanes)(lower)


for _op, _opname in ARITHMETIC.items():
    register_arithmetic(_op, _opname)
for _op, _predicate in COMPARISONS.items():
    register_comparison(_op, _predicate)
for _op, _method in LOGIC.items():
    register_logic(_op, _method)
register_minmax(min, "<")
register_minmax(max, ">")
