"""What a loop over runs asks of a mask, for vectors, for scalars and in plain Python."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .operators import common_lanes, splat
from .types import Lanes, Mask

__all__ = ["any_lane", "rarely_any", "select", "without"]


def select(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`: a branch that all lanes can take.

    Use it in place of ``yes if condition else no`` in functions that are to run on many runs abreast.

    Examples
    --------
    >>> select(1.0 > 0.0, 2.0, 3.0)
    2.0
    """
    return yes if condition else no


def any_lane(mask: Any) -> bool:
    """Whether the mask holds for any run."""
    return bool(mask)


def rarely_any(mask: Any) -> bool:
    """`any_lane` where a branch upon it is rare: for lanes the code of the branch then lies out of the loop's way."""
    return bool(mask)


def without(mask: Any, other: Any) -> Any:
    """Where `mask` holds and `other` does not."""
    return mask and not other


@infer_global(select)
class Select(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) != 3:
            return None
        condition, yes, no = args
        if isinstance(condition, Mask):
            lanes = common_lanes(yes, no)
            if isinstance(yes, types.Number) and isinstance(no, types.Number):
                lanes = Lanes(types.float64, condition.width)
            return None if lanes is None else signature(lanes, condition, types.unliteral(yes), types.unliteral(no))
        if isinstance(condition, types.Boolean):
            lanes = common_lanes(yes, no)
            if lanes is not None:
                return signature(lanes, condition, types.unliteral(yes), types.unliteral(no))
            kind = self.context.unify_types(types.unliteral(yes), types.unliteral(no))
            return None if kind is None else signature(kind, types.boolean, kind, kind)
        return None


@lower_builtin(select, Mask, types.Any, types.Any)
def lower_select_lanes(context, builder, sig, args):
    lanes = sig.return_type
    yes, no = (splat(context, builder, v, k, lanes) for v, k in zip(args[1:], sig.args[1:], strict=True))
    return builder.select(args[0], yes, no)


@lower_builtin(select, types.Boolean, types.Any, types.Any)
def lower_select_scalar(context, builder, sig, args):
    if isinstance(sig.return_type, Lanes):
        return lower_select_lanes(context, builder, sig, args)
    return builder.select(*args)


@infer_global(any_lane)
class AnyLane(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.boolean, *args) if isinstance(args[0], (Mask, types.Boolean)) else None


@lower_builtin(any_lane, Mask)
def lower_any_lanes(context, builder, sig, args):
    bits = ir.IntType(sig.args[0].width)
    return builder.icmp_unsigned("!=", builder.bitcast(args[0], bits), ir.Constant(bits, 0))


@infer_global(rarely_any)
class RarelyAny(AnyLane):
    """As `any_lane`."""


@lower_builtin(rarely_any, Mask)
def lower_rarely_any_lanes(context, builder, sig, args):
    bit = ir.IntType(1)
    expect = cgutils.get_or_insert_function(builder.module, ir.FunctionType(bit, [bit, bit]), "llvm.expect.i1")
    return builder.call(expect, [lower_any_lanes(context, builder, sig, args), ir.Constant(bit, 0)])


@lower_builtin(any_lane, types.Boolean)
@lower_builtin(rarely_any, types.Boolean)
def lower_any_scalar(context, builder, sig, args):
    return args[0]


@infer_global(without)
class Without(AbstractTemplate):
    def generic(self, args, kws):
        mask, other = args
        return signature(mask, *args) if isinstance(mask, (Mask, types.Boolean)) and mask == other else None


@lower_builtin(without, Mask, Mask)
@lower_builtin(without, types.Boolean, types.Boolean)
def lower_without(context, builder, sig, args):
    return builder.and_(args[0], builder.not_(args[1]))
