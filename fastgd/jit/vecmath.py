"""Powers and the functions of ``math`` and scalar ``np`` on `Lanes`.

glibc ships vector versions of most of them in ``libmvec`` (error below 4 units in the last place); where it, or one
of its functions, is missing, the scalar function is called once for each lane.
"""

from __future__ import annotations

import ctypes
import functools
import math
import operator
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import lower_builtin
from numba.core.registry import cpu_target
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from .operators import call_by_lanes, call_intrinsic, common_lanes, powi, splat
from .types import Lanes, Mask

__all__ = ["piece", "vector_functions", "vector_library"]

LIBRARY = "libmvec.so.1"

# our name -> the callables that mean it, number of arguments
FUNCTIONS: dict[str, tuple[list[Any], int]] = {
    "sin": ([math.sin, np.sin], 1), "cos": ([math.cos, np.cos], 1), "tan": ([math.tan, np.tan], 1),
    "asin": ([math.asin, np.arcsin], 1), "acos": ([math.acos, np.arccos], 1), "atan": ([math.atan, np.arctan], 1),
    "sinh": ([math.sinh, np.sinh], 1), "cosh": ([math.cosh, np.cosh], 1), "tanh": ([math.tanh, np.tanh], 1),
    "asinh": ([math.asinh, np.arcsinh], 1), "acosh": ([math.acosh, np.arccosh], 1),
    "atanh": ([math.atanh, np.arctanh], 1), "exp": ([math.exp, np.exp], 1), "expm1": ([math.expm1, np.expm1], 1),
    "exp2": ([np.exp2], 1), "log": ([math.log, np.log], 1), "log1p": ([math.log1p, np.log1p], 1),
    "log2": ([math.log2, np.log2], 1), "log10": ([math.log10, np.log10], 1),
    "cbrt": ([np.cbrt, *([math.cbrt] if hasattr(math, "cbrt") else [])], 1),
    "erf": ([math.erf], 1), "erfc": ([math.erfc], 1), "gamma": ([math.gamma], 1), "lgamma": ([math.lgamma], 1),
    "pow": ([math.pow, np.power], 2), "atan2": ([math.atan2, np.arctan2], 2), "hypot": ([math.hypot, np.hypot], 2),
}  # fmt: skip
# one LLVM instruction or a short sequence of them
INTRINSICS: dict[str, tuple[list[Any], int]] = {
    "sqrt": ([math.sqrt, np.sqrt], 1), "fabs": ([math.fabs, np.abs, np.fabs], 1), "floor": ([np.floor], 1),
    "ceil": ([np.ceil], 1), "copysign": ([math.copysign, np.copysign], 2),
}  # fmt: skip


@functools.cache
def piece() -> tuple[str, int]:
    """The letter of the vector calling convention that Numba compiles for, and its vector's bits."""
    # Numba's options can leave out what the processor has, and vectors are then handed over in narrower registers
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    if "+avx512f" in features:
        return "e", 512
    if "+avx2" in features:
        return "d", 256
    return ("n", 128) if llvm.get_process_triple().startswith("aarch64") else ("b", 128)


@functools.cache
def vector_library() -> ctypes.CDLL | None:
    """glibc's vector math library, made known to LLVM; None where there is none."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    llvm.load_library_permanently(LIBRARY)
    return library


@functools.cache
def vector_symbol(name: str, arguments: int, bits: int) -> tuple[str, int] | None:
    """Symbol and width of the vector version of a function for floats of so many bits; None where it is missing."""
    library = vector_library()
    letter, vector_bits = piece()
    width = vector_bits // bits
    symbol = f"_ZGV{letter}N{width}{'v' * arguments}_{name}{'' if bits == 64 else 'f'}"
    return (symbol, width) if library is not None and hasattr(library, symbol) else None


def vector_functions() -> list[str]:
    """Names of the functions that have a vector version here."""
    return [name for name, (_, arguments) in FUNCTIONS.items() if vector_symbol(name, arguments, 64)]


def slice_lanes(builder: Any, vector: ir.Value, start: int, width: int) -> ir.Value:
    order = ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(start, start + width)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), order)


def join_lanes(builder: Any, parts: list[ir.Value]) -> ir.Value:
    while len(parts) > 1:
        width = parts[0].type.count
        order = ir.Constant(ir.VectorType(ir.IntType(32), 2 * width), list(range(2 * width)))
        parts = [builder.shuffle_vector(a, b, order) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def call_by_pieces(builder: Any, symbol: str, width: int, vectors: list[ir.Value]) -> ir.Value:
    vector = ir.VectorType(vectors[0].type.element, width)
    function = builder.module.globals.get(symbol)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(vector, [vector] * len(vectors)), symbol)
        function.attributes.add("nounwind")
        function.attributes.add("readnone")
    count = vectors[0].type.count
    if count == width:
        return builder.call(function, vectors)
    starts = range(0, count, width)
    pieces = [[slice_lanes(builder, v, start, width) for v in vectors] for start in starts]
    return join_lanes(builder, [builder.call(function, piece) for piece in pieces])


def call_function(context: Any, builder: Any, name: str, lanes: Lanes, vectors: list[ir.Value]) -> ir.Value:
    found = vector_symbol(name, len(vectors), lanes.dtype.bitwidth)
    if found is None or lanes.width % found[1]:
        return call_by_lanes(context, builder, FUNCTIONS[name][0][0], lanes, vectors)
    return call_by_pieces(builder, *found, vectors)


def register_function(name: str, callables: list[Any], arguments: int, lower: Any) -> None:
    for key in callables:

        class Function(AbstractTemplate):
            def generic(self, args, kws):
                lanes = common_lanes(*args) if len(args) == arguments and not kws else None
                if lanes is None or not isinstance(lanes.dtype, types.Float):
                    return None
                return signature(lanes, *(types.unliteral(kind) for kind in args))

        Function.key = key
        infer_global(key, types.Function(Function))
        if arguments == 1:
            lower_builtin(key, Lanes)(lower)
            continue
        lower_builtin(key, Lanes, Lanes)(lower)
        lower_builtin(key, Lanes, types.Number)(lower)
        lower_builtin(key, types.Number, Lanes)(lower)


def function_lowering(name: str) -> Any:
    def lower(context, builder, sig, args):
        lanes = sig.return_type
        vectors = [splat(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True)]
        return call_function(context, builder, name, lanes, vectors)

    return lower


def intrinsic_lowering(name: str) -> Any:
    def lower(context, builder, sig, args):
        lanes = sig.return_type
        vectors = [splat(context, builder, v, k, lanes) for v, k in zip(args, sig.args, strict=True)]
        return call_intrinsic(context, builder, name, lanes, *vectors)

    return lower


for _name, (_callables, _arguments) in FUNCTIONS.items():
    register_function(_name, _callables, _arguments, function_lowering(_name))
for _name, (_callables, _arguments) in INTRINSICS.items():
    register_function(_name, _callables, _arguments, intrinsic_lowering(_name))


def square(context, builder, sig, args):
    return builder.fmul(args[0], args[0])


def sign(context, builder, sig, args):
    """-1, 0, 1 or NaN, as ``np.sign``."""
    (x,) = args
    one, zero = (ir.Constant(x.type, [v] * x.type.count) for v in (1.0, 0.0))
    signed = call_intrinsic(context, builder, "copysign", sig.args[0], one, x)
    return builder.select(builder.fcmp_ordered("!=", x, zero), signed, x)


register_function("square", [np.square], 1, square)
register_function("sign", [np.sign], 1, sign)


def isfinite(context, builder, sig, args):
    (x,) = args
    infinity = ir.Constant(x.type, [math.inf] * x.type.count)
    return builder.fcmp_ordered("<", call_intrinsic(context, builder, "fabs", sig.args[0], x), infinity)


for _test in (math.isfinite, np.isfinite):

    class IsFinite(AbstractTemplate):
        def generic(self, args, kws):
            return signature(Mask(args[0].width), *args) if len(args) == 1 and isinstance(args[0], Lanes) else None

    IsFinite.key = _test
    infer_global(_test, types.Function(IsFinite))
    lower_builtin(_test, Lanes)(isfinite)


@infer_global(operator.pow)
@infer_global(operator.ipow)
@infer_global(pow)
class Power(AbstractTemplate):
    prefer_literal = True  # x**2 is a product, and only the literal tells

    def generic(self, args, kws):
        lanes = common_lanes(*args) if len(args) == 2 else None
        if lanes is None or not isinstance(lanes.dtype, types.Float):
            return None
        return None if any(isinstance(kind, types.Boolean) for kind in args) else signature(lanes, *args)


def known_exponent(value: ir.Value, kind: types.Type) -> float | None:
    if isinstance(kind, types.IntegerLiteral):
        return kind.literal_value
    if isinstance(value, ir.Constant) and isinstance(kind, types.Float):
        return float(value.constant)
    return None


def lower_power(context, builder, sig, args):
    lanes = sig.return_type
    exponent = known_exponent(args[1], sig.args[1])
    base = splat(context, builder, args[0], sig.args[0], lanes)
    one = ir.Constant(base.type, [1.0] * lanes.width)
    if exponent is not None and abs(exponent) <= 64 and exponent == int(exponent):
        if exponent == 0:
            return one
        power = powi(builder, base, abs(int(exponent)), builder.fmul)
        return power if exponent > 0 else builder.fdiv(one, power)
    if exponent is not None and abs(exponent) == 0.5:
        root = call_intrinsic(context, builder, "sqrt", lanes, base)
        return root if exponent > 0 else builder.fdiv(one, root)
    return call_function(context, builder, "pow", lanes, [base, splat(context, builder, args[1], sig.args[1], lanes)])


for _key in (operator.pow, operator.ipow, pow):
    lower_builtin(_key, Lanes, types.IntegerLiteral)(lower_power)
    lower_builtin(_key, Lanes, Lanes)(lower_power)
    lower_builtin(_key, Lanes, types.Float)(lower_power)
    lower_builtin(_key, types.Number, Lanes)(lower_power)


@lower_builtin(operator.pow, Lanes, types.Integer)
@lower_builtin(operator.ipow, Lanes, types.Integer)
def lower_power_of_step(context, builder, sig, args):
    """``beta ** t`` for a step number known at run time, by squaring: a few multiplications and no logarithm."""
    base, exponent = args[0], context.cast(builder, args[1], sig.args[1], types.int64)
    zero, bits = (ir.Constant(exponent.type, v) for v in (0, 64))
    ones = ir.Constant(base.type, [1.0] * sig.return_type.width)
    negative = builder.icmp_signed("<", exponent, zero)
    size = builder.select(negative, builder.neg(exponent), exponent)
    result = cgutils.alloca_once_value(builder, ones)
    factor = cgutils.alloca_once_value(builder, base)
    with cgutils.for_range(builder, builder.sub(bits, builder.ctlz(size, ir.Constant(ir.IntType(1), 0)))) as loop:
        odd = builder.trunc(builder.lshr(size, loop.index), ir.IntType(1))
        square, power = builder.load(factor), builder.load(result)
        builder.store(builder.select(odd, builder.fmul(power, square), power), result)
        builder.store(builder.fmul(square, square), factor)
    power = builder.load(result)
    return builder.select(negative, builder.fdiv(ones, power), power)
