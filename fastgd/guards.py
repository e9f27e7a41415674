"""Checks of a user's functions and data before any work: one call in plain Python on sequences that watch.

A call ends with `Enough` after about a million accesses to one of them, so a problem of millions of parameters is
looked at as far as that goes.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import re
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgd.boxes import as_array, as_float64
from fastgd.jit.plain import in_plain_python
from fastgd.orders import right_order
from fastgd.points import PLAIN, Enough, Misuse, Out, Point, Total, described, is_real
from fastgd.sample_data import Rows, Sample, check_rows
from fastgd.unread import Watched, warn_of_unread

__all__ = [
    "check_gradient", "check_gradient_of_several", "check_sample_gradient", "check_sample_value", "check_value",
    "checked_data", "described", "plain_function",
]  # fmt: skip

GOLDEN = (math.sqrt(5) - 1) / 2

NO_POWER = "negative integer powers"  # of integers in NumPy's arrays, which raises

def plain_function(function: Any, argument: str) -> Callable[..., Any]:
    """Return `function` as a plain Python function, or raise TypeError naming the argument.

    A function compiled by Numba is taken by its Python source, which is compiled again for each target.
    """
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType):
        raise TypeError(
            f"{argument} must be a plain Python function (def or lambda), not {described(function)}. "
            f"Wrap it in a def, and pass constants in data."
        )
    code = function.__code__
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{argument} {code.co_name!r} must return a number: it is a generator or a coroutine."
        )
    if any(isinstance(c, types.CodeType) and c.co_flags & inspect.CO_GENERATOR for c in code.co_consts):
        raise TypeError(
            f"{argument} {code.co_name!r} has a generator in it, as in sum(v * v for v in x), which cannot be "
            f"compiled: add up in a loop; {PLAIN}."
        )
    if "print" in code.co_names:  # compiled, it waits for the interpreter, which waits for the descents
        raise TypeError(
            f"{argument} {code.co_name!r} must not print, as it is compiled for many runs at once: take the call out; "
            f"record=1 keeps the points of every step."
        )
    if "random" in code.co_names:
        raise TypeError(
            f"{argument} {code.co_name!r} must return the same number every time: it draws random ones.  Noise on the "
            f"gradient is minimize(..., noise=sigma); random constants are drawn beforehand and given in data."
        )
    return function


def check_signature(
    function: Callable[..., Any], argument: str, form: str, own: int, data: tuple[Any, ...], dim: int
) -> None:
    """Raise TypeError unless `function` can be called with its `own` positional arguments and the data."""
    count = own + len(data)
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError as error:
        raise TypeError(
            f"{argument} must be a function {form}, called here with {count} positional "
            f"argument{'s' if count > 1 else ''}, but {function.__name__}{inspect.signature(function)} "
            f"does not take that: {error}.{what_is_missing(function, own, data, dim)}"
        ) from None
    by_name = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if by_name:
        kept = inspect.signature(function)
        kept = kept.replace(parameters=[p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in kept.parameters.values()])
        raise TypeError(
            f"{argument} takes {', '.join(by_name)} by name only, behind the *, which compiled code cannot: take the * "
            f"out, as in {'lambda' if function.__name__ == '<lambda>' else function.__name__}{kept}."
        )


def what_is_missing(function: Callable[..., Any], own: int, data: tuple[Any, ...], dim: int) -> str:
    """A hint at the data that `function` needs after its `own` arguments, or at coordinates that it takes one by one.

    With a leading space; empty where it needs no more than it is given.
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    every = [p for p in inspect.signature(function).parameters.values() if p.kind in positional]
    needed = [p.name for p in every if p.default is p.empty]
    if len(needed) <= own + len(data):
        return ""
    names = needed[own:]
    whole = f"data=({', '.join(names)}{',' if len(names) == 1 else ''})"
    if data:
        had = f"{len(data)} value{'s' if len(data) > 1 else ''}"
        return f" Give {'all of them' if len(names) > 1 else 'it'} in {whole}; data has {had}."
    hint = f" Give {names[0] if len(names) == 1 else 'them'} in {whole}"
    if own > 1 or len(needed) != dim:
        return f"{hint}."
    coordinates = ", ".join(needed)
    read = " and ".join(f"x[{k}]" for k in range(dim)) if dim < 3 else f"x[0] to x[{dim - 1}]"
    head = "lambda x" if function.__name__ == "<lambda>" else f"def {function.__name__}(x)"
    return f"{hint}; or, where {coordinates} are the coordinates, write {head} with {read}: a point is one argument."


def unremarkable_points(
    dim: int, bounds: np.ndarray | None, count: int = 4, spread: float = 0.2
) -> list[np.ndarray]:
    """Return the points of `each_unremarkable_point`."""
    return list(each_unremarkable_point(dim, bounds, count, spread))


def each_unremarkable_point(
    dim: int, bounds: np.ndarray | None, count: int = 4, spread: float = 0.2
) -> Iterator[np.ndarray]:
    """Yield points in a part of the box around its middle, each coordinate off the centre by another amount.

    A centre is often special: there a wrong index or a division by ``x[0] - x[1]`` may hide or appear.
    """
    for k in range(count):
        shift = np.mod((np.arange(dim) + 1 + k * dim) * GOLDEN, 1.0) - 0.5
        if bounds is None:
            yield 1.0 + 5.0 * spread * shift
        else:
            low, high = bounds.T
            yield 0.5 * (low + high) + spread * (high - low) * shift


def watched_long_enough(check: Callable[..., None]) -> Callable[..., None]:
    """Let a check pass where a function has been watched as far as it pays."""

    @functools.wraps(check)
    def checked(*arguments: Any) -> None:
        with contextlib.suppress(Enough):
            check(*arguments)

    return checked


def called(function: Callable[..., Any], argument: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Call a user's function: (True, value), or (False, None) where its arithmetic fails at this point.

    Whatever else it raises comes back as ValueError or TypeError that says where and what.
    """
    try:
        with np.errstate(all="ignore"):
            return True, in_plain_python(function)(*arguments)
    except Misuse as error:
        raise ValueError(f"{argument} {error}{place_of(error, function)}.") from None
    except ArithmeticError:
        return False, None
    except Exception as error:
        # math.* raises ValueError outside its domain: "math domain error", since Python 3.14 "expected a ..."
        if type(error) is ValueError and str(error).startswith(("math ", "expected ")):
            return False, None
        # A function compiled by Numba was given the whole point, which only compiled code can do
        if type(error).__name__ == "TypingError" and "fastgd." in str(error):
            for each in arguments:
                if isinstance(each, Watched):
                    each.read_all()
            return False, None
        kind = TypeError if isinstance(error, (TypeError, AttributeError)) else ValueError
        hint = f" ({PLAIN})" if kind is TypeError else ""
        if "for ^" in str(error) or "bitwise_xor" in str(error):
            hint = " (a power is written with **, as in x[0] ** 2; ^ is another operation)"
        if NO_POWER in str(error):
            hint = " (write a float, as in 10.0 ** -k in place of 10 ** -k)"
        raise kind(
            f"{argument} raised {type(error).__name__}: {error}{place_of(error, function)}{hint}."
        ) from error


def called_in_order(
    function: Callable[..., Any],
    argument: str,
    own: int,
    make: Callable[[np.ndarray], tuple[Any, ...]],
    point: np.ndarray,
    works: Callable[..., bool],
) -> tuple[bool, Any, tuple[Any, ...]]:
    """`called` with the arguments that `make` makes of a point: whether it is defined there, the value, the arguments.

    Where it raises, and with another order of the arguments ``works(value, *arguments)`` holds, a TypeError says so.
    The first `own` arguments are not data; where that is the point alone, an index past an end is no sign of another
    order, as it may be within an array in the place of the point.
    """
    arguments = make(point)
    try:
        return *called(function, argument, arguments), arguments
    except (TypeError, ValueError) as error:
        other = f"past the end|out of bounds|out of range|{NO_POWER}" if own == 1 else NO_POWER
        head = "" if re.search(other, str(error)) else right_order(function, own, lambda: make(point), works)
        if not head:
            raise
        raise TypeError(f"{argument} has its arguments in another order than they are given: write {head}") from error


def is_value(value: Any, *arguments: Any) -> bool:
    """For `called_in_order`: whether a call returned what a function should."""
    return is_real(value)


def is_gradient(value: Any, *arguments: Any) -> bool:
    """For `called_in_order`: whether a call wrote to its output."""
    return any(each.touched for each in arguments if isinstance(each, (Out, Total)))


def defined_at(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    """Whether a user's function returns at a point, far from where it was looked at before."""
    try:
        return called(function, "fun", arguments)[0]
    except (TypeError, ValueError):
        return False


def place_of(error: BaseException, function: Callable[..., Any]) -> str:
    """Return where in the file of `function` the error arose, as ``", in line 3 of f: return x[5]"``."""
    file = inspect.unwrap(function).__code__.co_filename
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    if not frames:
        return ""
    frame = frames[-1]
    return f", in line {frame.lineno} of {frame.name}{': ' + frame.line if frame.line else ''}"


def check_returned(function: Callable[..., Any], argument: str, value: Any) -> None:
    """Raise TypeError unless a function returned one real number."""
    if not is_real(value):
        where = "where" in function.__code__.co_names
        hint = "  In place of np.where write fastgd.select(condition, yes, no), and give grad too." if where else ""
        raise TypeError(f"{argument} must return one real number; it returned {described(value)}.{hint}")


@watched_long_enough
def check_value(fun: Callable[..., Any], dim: int, bounds: np.ndarray | None, data: tuple[Any, ...]) -> None:
    """Raise unless `fun` returns one real number at a point near the middle of the box; warn of unread places."""
    check_signature(fun, "fun", f"fun(x{', *data' if data else ''}) -> float", 1, data, dim)
    for point in each_unremarkable_point(dim, bounds):
        defined, value, (watched, *_) = called_in_order(fun, "fun", 1, lambda p: (Watched(p), *data), point, is_value)
        if defined:
            check_returned(fun, "fun", value)
            if not watched.read.all():
                # From all over the box, as another way through the function may begin far from the middle
                others = each_unremarkable_point(dim, bounds, 6, spread=1.0)
                warn_of_unread(lambda x: defined_at(fun, (x, *data)), others, watched.read)
            return


@watched_long_enough
def check_gradient(
    grad: Callable[..., Any], dim: int, bounds: np.ndarray | None, data: tuple[Any, ...]
) -> None:
    """Raise unless `grad` writes every component of ``out``, and nothing past its end."""
    check_signature(grad, "grad", f"grad(x, out{', *data' if data else ''})", 2, data, dim)
    for point in each_unremarkable_point(dim, bounds):
        defined, value, (_, out, *_) = called_in_order(
            grad, "grad", 2, lambda p: (Point(p), Out(dim), *data), point, is_gradient
        )
        if not defined:
            continue
        if missing := out.unwritten:
            shown = ", ".join(f"out[{i}]" for i in missing[:5]) + (", ..." if len(missing) > 5 else "")
            returned = "" if value is None else f" It returned {described(value)}, which is not looked at."
            raise ValueError(f"grad must write every component of out; it left out {shown}.{returned}")
        return


@watched_long_enough
def check_sample_value(
    loss: Callable[..., Any], dim: int, bounds: np.ndarray | None, data: tuple[Any, ...]
) -> None:
    """Raise unless `loss` returns one real number for the first and for the last sample, and reads all of its data."""
    check_signature(loss, "loss", "loss(x, i, *data) -> float", 2, data, dim)
    watched = tuple(item.view(Rows) if isinstance(item, np.ndarray) else item for item in data)
    looked_at = 0
    ends = sorted({0, len(data[0]) - 1}, reverse=True)  # the last first: few of the other arguments have so many places
    for sample in ends:
        number = Sample(sample)
        at = functools.partial(sample_arguments, number, watched)
        for point in each_unremarkable_point(dim, bounds):
            defined, value, _ = called_in_order(loss, "loss", 2, at, point, is_value)
            if defined:
                check_returned(loss, "loss", value)
                looked_at += 1
                break
    if looked_at == len(ends):
        check_rows(watched)


def sample_arguments(number: int, data: tuple[Any, ...], point: np.ndarray) -> tuple[Any, ...]:
    """What the loss of a sample is called with."""
    return Point(point), number, *data


@watched_long_enough
def check_sample_gradient(
    grad: Callable[..., Any], dim: int, bounds: np.ndarray | None, data: tuple[Any, ...]
) -> None:
    """Raise unless `grad` adds the gradient of one sample to ``out``, whatever was there before."""
    check_signature(grad, "grad", "grad(x, i, out, *data)", 3, data, dim)
    last = len(data[0]) - 1
    for point in each_unremarkable_point(dim, bounds):
        called_in_order(grad, "grad", 3, lambda p: (Point(p), last, Total(dim, 0.0), *data), point, is_gradient)
        from_zero, from_one = Total(dim, 0.0), Total(dim, 1.0)
        defined = [called(grad, "grad", (Point(point), 0, out, *data))[0] for out in (from_zero, from_one)]
        if not all(defined):
            continue
        added, total = np.array(list(from_zero)), np.array(list(from_one))
        if not np.all(np.isfinite(added)):
            continue
        wrong = np.flatnonzero(np.abs(total - added - 1.0) > 1e-9 * (1.0 + np.abs(added)))
        if wrong.size:
            k = int(wrong[0])
            raise ValueError(
                f"grad must add the gradient of one sample to out, and leave the rest as it is: write out[{k}] += ..., "
                f"not out[{k}] = ...; with out[{k}] = 1 before, it held {total[k]:g} and not 1 + {added[k]:g}."
            )
        return


@watched_long_enough
def check_gradient_of_several(
    several: Callable[..., Any],
    grad: Callable[..., Any],
    argument: str,
    count: int,
    dim: int,
    bounds: np.ndarray | None,
    data: tuple[Any, ...],
) -> None:
    """Raise unless `several` adds what `grad` adds for one sample after the other, to the last bit."""
    check_signature(several, argument, f"{argument}(x, samples, out, *data)", 3, data, dim)
    samples = tuple(k % len(data[0]) for k in range(count))
    for point in each_unremarkable_point(dim, bounds):
        in_turn = Total(dim, GOLDEN)
        defined, _, (_, _, at_once, *_) = called_in_order(
            several, argument, 3, lambda p: (Point(p), samples, Total(dim, GOLDEN), *data), point, is_gradient
        )
        if not defined or not all(called(grad, "grad", (Point(point), i, in_turn, *data))[0] for i in samples):
            continue
        found, expected = np.array(list(at_once)), np.array(list(in_turn))
        wrong = np.flatnonzero((found != expected) & np.isfinite(expected))
        if wrong.size:
            k = int(wrong[0])
            raise ValueError(
                f"{argument} must add to each component what grad adds for samples[0], then for samples[1], and so on, "
                f"in that order, so that it rounds the same; of the samples {samples} it made out[{k}] = "
                f"{found[k]!r} and grad {expected[k]!r}."
            )


def checked_data(data: Any) -> tuple[Any, ...]:
    """Return `data` as a tuple of Python scalars and read-only float64 or int64 arrays, or raise."""
    if not isinstance(data, tuple):
        number = data.item() if isinstance(data, np.number) else data
        raise TypeError(
            f"data must be a tuple of arrays and numbers, not {described(data)}; "
            f"{f'write data=({number!r},)' if isinstance(number, (int, float)) else 'for one array write data=(X,)'}."
        )
    return tuple(checked_item(item, f"data[{k}]") for k, item in enumerate(data))


def checked_item(item: Any, name: str) -> Any:
    """Return one entry of `data` as a Python scalar or a read-only C-contiguous copy."""
    array = as_array(item, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; it has dtype {array.dtype}.")
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ValueError(
            f"{name} must be finite; it has {int(np.sum(~np.isfinite(array)))} NaN or infinite entries."
        )
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} has integers past the range of int64; convert it to float64.")
    if array.ndim == 0:
        return float(as_float64(array, name)) if array.dtype.kind == "f" else int(array)
    real = as_float64(array, name) if array.dtype.kind == "f" else array
    copy = np.array(real, dtype=np.float64 if array.dtype.kind == "f" else np.int64, order="C")
    copy.flags.writeable = False
    return copy
