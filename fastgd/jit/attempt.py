"""Call a compiled function that may raise, and go on: the error ends one run, and not the kernel."""

from __future__ import annotations

import ctypes
import pickle
from collections.abc import Callable
from typing import Any

from numba.core import cgutils, types
from numba.core.extending import intrinsic
from numba.core.typing.templates import signature

from .options import interpreted

__all__ = ["attempting", "message_at"]

MET: list[str] = []  # what functions raised in plain Python, where there is no address to tell it from


class ErrorRecord(ctypes.Structure):
    """Where Numba keeps what a compiled function raised: a pickle of class, arguments and place."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("length", ctypes.c_int32), ("arguments", ctypes.c_void_p),
        ("unwrap", ctypes.c_void_p), ("dynamic", ctypes.c_int32),
    )  # fmt: skip


def message_at(address: int) -> str:
    """Return what was raised, as ``"ValueError: outside, in line 3 of f"``.

    Parameters
    ----------
    address : int
        What an attempt gave as its error; the kernel that raised it is still loaded.
    """
    if interpreted():
        return MET[address - 1]
    record = ErrorRecord.from_address(address)
    kind, arguments, place = pickle.loads(ctypes.string_at(record.data, record.length))
    text = ", ".join(str(each) for each in arguments or ()) if not record.dynamic else ""
    where = ""
    if place is not None:
        name, _, line = place
        where = f", in line {line} of {name}"
    return kind.__name__ + (f": {text}" if text else "") + where


def attempting(function: Any) -> Callable[[Any], Any]:
    """Make ``attempt(arguments) -> (error, result)``, which calls a compiled function with a tuple of arguments.

    The error is 0, or what `message_at` tells; the result is then zero.
    """
    if interpreted():

        def attempt_in_python(arguments: tuple[Any, ...]) -> tuple[int, Any]:
            try:
                return 0, function(*arguments)
            except Exception as error:
                MET.append(f"{type(error).__name__}: {error}")
                return len(MET), False

        return attempt_in_python

    @intrinsic
    def attempt(typingctx, arguments):
        kind = typingctx.resolve_value_type(function)
        known = kind.get_call_type(typingctx, tuple(arguments.types), {})
        result = types.Tuple((types.int64, known.return_type))

        def codegen(context, builder, sig, args):
            values = [
                context.cast(builder, value, given, wanted)
                for value, given, wanted in zip(
                    cgutils.unpack_tuple(builder, args[0]), sig.args[0].types, known.args, strict=True
                )
            ]
            overload = function.overloads[known.args]
            context.active_code_library.add_linking_library(overload.library)
            status, value = context.call_internal_no_propagate(builder, overload.fndesc, known, values)
            error = builder.ptrtoint(status.excinfoptr, context.get_value_type(types.int64))
            error = builder.select(status.is_error, error, context.get_constant(types.int64, 0))
            return context.make_tuple(builder, sig.return_type, [error, value])

        return signature(result, arguments), codegen

    return attempt
