"""Functions of ``math`` that Numba leaves out, for scalars and lanes: the logarithm to a base, and the cube root."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.extending import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .operators import common_lanes, splat
from .types import Lanes
from .vecmath import call_function

__all__: list[str] = []


def scalar_call(context: Any, builder: Any, function: Any, kind: types.Type, value: ir.Value) -> ir.Value:
    """Call the target's own function of one number."""
    known = context.typing_context.resolve_value_type(function)
    sig = known.get_call_type(context.typing_context, (kind,), {})
    return context.get_function(known, sig)(builder, [value])


class LogarithmToBase(AbstractTemplate):
    """``math.log(u, base)``; that of one argument is Numba's."""

    key = math.log

    def generic(self, args, kws):
        if len(args) != 2 or kws:
            return None
        lanes = common_lanes(*args)
        if lanes is not None:
            floats = lanes if isinstance(lanes.dtype, types.Float) else Lanes(types.float64, lanes.width)
            return signature(floats, *(types.unliteral(kind) for kind in args))
        if all(isinstance(kind, (types.Float, types.Integer)) for kind in args):
            kind = types.float32 if all(kind == types.float32 for kind in args) else types.float64
            return signature(kind, kind, kind)
        return None


def logarithm_to_base(context, builder, sig, args):
    """As Python has it: ``log(u) / log(base)``."""
    kind = sig.return_type
    if isinstance(kind, Lanes):
        vectors = [splat(context, builder, v, k, kind) for v, k in zip(args, sig.args, strict=True)]
        return builder.fdiv(*(call_function(context, builder, "log", kind, [vector]) for vector in vectors))
    return builder.fdiv(*(scalar_call(context, builder, math.log, kind, value) for value in args))


infer_global(math.log, types.Function(LogarithmToBase))
lower_builtin(math.log, types.Float, types.Float)(logarithm_to_base)
lower_builtin(math.log, Lanes, Lanes)(logarithm_to_base)
lower_builtin(math.log, Lanes, types.Number)(logarithm_to_base)
lower_builtin(math.log, types.Number, Lanes)(logarithm_to_base)


if hasattr(math, "cbrt"):  # since Python 3.11

    class CubeRoot(AbstractTemplate):
        """``math.cbrt(u)`` of a number; that of lanes is among the functions of `vecmath`."""

        key = math.cbrt

        def generic(self, args, kws):
            if len(args) != 1 or kws or not isinstance(args[0], (types.Float, types.Integer)):
                return None
            kind = types.float32 if args[0] == types.float32 else types.float64
            return signature(kind, kind)

    infer_global(math.cbrt, types.Function(CubeRoot))

    @lower_builtin(math.cbrt, types.Float)
    def cube_root(context, builder, sig, args):
        return scalar_call(context, builder, np.cbrt, sig.return_type, args[0])
