"""What lanes of integers can do besides arithmetic: bits, shifts, whole division."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.extending import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .operators import common_lanes, splat
from .types import Lanes

__all__: list[str] = []

BITS = {
    (operator.and_, operator.iand): "and_", (operator.or_, operator.ior): "or_", (operator.xor, operator.ixor): "xor",
    (operator.lshift, operator.ilshift): "shl", (operator.rshift, operator.irshift): "ashr",
}  # fmt: skip


class Whole(AbstractTemplate):
    """Lanes of integers with such lanes, or with an integer."""

    def generic(self, args, kws):
        lanes = common_lanes(*args) if len(args) == 2 else None
        if lanes is None or not isinstance(lanes.dtype, types.Integer):
            return None
        return signature(lanes, *(types.unliteral(kind) for kind in args))


def register(op: Any, operate: Any) -> None:
    """Have `op` of lanes of integers lowered by ``operate(builder, lanes, a, b)``."""

    def lower(context, builder, sig, args):
        lanes = sig.return_type
        return operate(
            builder, lanes, *(splat(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True))
        )

    infer_global(op)(type("Whole", (Whole,), {"key": op}))
    lower_builtin(op, Lanes, Lanes)(lower)
    lower_builtin(op, Lanes, types.Integer)(lower)
    lower_builtin(op, types.Integer, Lanes)(lower)


def bits(name: str) -> Any:
    def operate(builder: Any, lanes: Lanes, a: ir.Value, b: ir.Value) -> ir.Value:
        return getattr(builder, "lshr" if name == "ashr" and not lanes.dtype.signed else name)(a, b)

    return operate


def divide(builder: Any, signed: bool, a: ir.Value, b: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Quotient and remainder by Python's rule, rounded down, for numbers and vectors; by zero both are 0."""
    vector = isinstance(a.type, ir.VectorType)
    zero, one = (ir.Constant(a.type, [k] * a.type.count if vector else k) for k in (0, 1))
    none = builder.icmp_unsigned("==", b, zero)
    b = builder.select(none, one, b)
    if signed:
        quotient = builder.sdiv(a, b)
        rest = builder.sub(a, builder.mul(quotient, b))
        crossed = builder.icmp_signed("<", builder.xor(rest, b), zero)
        below = builder.and_(builder.icmp_unsigned("!=", rest, zero), crossed)
        quotient = builder.select(below, builder.sub(quotient, one), quotient)
        rest = builder.select(below, builder.add(rest, b), rest)
    else:
        quotient = builder.udiv(a, b)
        rest = builder.sub(a, builder.mul(quotient, b))
    return builder.select(none, zero, quotient), builder.select(none, zero, rest)


for _ops, _name in BITS.items():
    for _op in _ops:
        register(_op, bits(_name))
for _op in (operator.floordiv, operator.ifloordiv):
    register(_op, lambda builder, lanes, a, b: divide(builder, lanes.dtype.signed, a, b)[0])
for _op in (operator.mod, operator.imod):
    register(_op, lambda builder, lanes, a, b: divide(builder, lanes.dtype.signed, a, b)[1])
