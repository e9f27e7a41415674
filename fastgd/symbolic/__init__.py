"""Gradients and Hessians of plain Python functions, derived by SymPy.

The function is called once on symbols. What it computed is differentiated, common subexpressions are taken
out, and the result is written as a plain Python function of straight-line scalar code. Its source is kept on
disk, so the next process does not import SymPy.
"""

from __future__ import annotations

import hashlib
import inspect
import linecache
import math
import traceback
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgd.errors import DerivationError
from fastgd.jit import cache

from .agreement import disagreement

__all__ = ["derive_gradient", "derive_hessian", "derive_sample_gradient", "derive_sample_hessian"]

REFUSALS: dict[str, str] = {}  # what is said of functions that are too long, by the key of what was to be derived
SCALAR = (
    "The function must be scalar code, which takes one number at a time: x[i], loops over range(len(x)) and over the "
    "indices of the data, math.* and scalar np.*."
)


def derive_gradient(
    fun: Callable[..., Any], dim: int, data: tuple[Any, ...] = (), bounds: np.ndarray | None = None
) -> Callable[..., None]:
    """Derive the gradient of a function of `dim` parameters.

    Parameters
    ----------
    fun : callable
        ``fun(x, *data) -> float``, a plain Python function that takes the same path for every ``x``.
    dim : int
        Number of parameters.
    data : tuple, optional
        The further arguments of `fun`. Their values become constants of the derived function.
    bounds : ndarray of shape (dim, 2), optional
        The box in which it is compared with differences of `fun`, run in plain Python, at three points.

    Returns
    -------
    callable
        ``grad(x, out, *data)``, which writes the gradient to ``out`` and does not look at the data. Its
        source is kept on it as ``__fastgd_source__``. Where ``abs(u)`` has a kink, the slope is that for u >
        0.

    Raises
    ------
    DerivationError
        If `fun` branches on ``x``, does something else that has no symbolic counterpart, or takes more than
        5,000 operations, which is remembered; or if what was derived is not the gradient of `fun` at some point. The
        message says what was met, in which line, and shows the gradient to write.

    Warns
    -----
    UserWarning
        If it takes so many operations that to derive and compile them takes longer than about 10 s.

    Notes
    -----
    The derivative is taken backwards through the operations (reverse accumulation; A. Griewank, A. Walther,
    Evaluating Derivatives, 2nd ed., SIAM 2008, doi:10.1137/1.9780898717761), with SymPy for the single steps.

    Examples
    --------
    >>> from fastgd.symbolic import derive_gradient
    >>> def himmelblau(x):
    ...     return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2
    >>> grad = derive_gradient(himmelblau, 2)
    >>> out = [0.0, 0.0]
    >>> grad([0.0, 0.0], out)
    >>> out
    [-14.0, -22.0]
    """
    return _derived("gradient", fun, dim, data, bounds)


def derive_hessian(
    fun: Callable[..., Any], dim: int, data: tuple[Any, ...] = (), bounds: np.ndarray | None = None
) -> Callable[..., None]:
    """Derive the matrix of second derivatives of a function of `dim` parameters.

    Parameters
    ----------
    fun : callable
        ``fun(x, *data) -> float``, as for `derive_gradient`.
    dim : int
        Number of parameters.
    data : tuple, optional
        The further arguments of `fun`.
    bounds : ndarray of shape (dim, 2), optional
        As for `derive_gradient`.

    Returns
    -------
    callable
        ``hess(x, out, *data)``, which writes the ``dim * dim`` second derivatives to ``out``, row by row.

    Raises
    ------
    DerivationError
        As for `derive_gradient`.

    Examples
    --------
    >>> from fastgd.symbolic import derive_hessian
    >>> hess = derive_hessian(lambda x: x[0] ** 2 * x[1], 2)
    >>> out = [0.0] * 4
    >>> hess([3.0, 5.0], out)
    >>> out
    [10.0, 6.0, 6.0, 0.0]
    """
    return _derived("hessian", fun, dim, data, bounds)


def derive_sample_gradient(
    loss: Callable[..., Any], dim: int, data: tuple[Any, ...], bounds: np.ndarray | None = None
) -> Callable[..., None]:
    """Derive the gradient of the loss of one sample.

    Parameters
    ----------
    loss : callable
        ``loss(x, i, *data) -> float``; it reads single elements of the arrays in the data.
    dim : int
        Number of parameters.
    data : tuple
        The further arguments.  Numbers become constants of the derived function, arrays are read by it.
    bounds : ndarray of shape (dim, 2), optional
        As for `derive_gradient`.

    Returns
    -------
    callable
        ``grad(x, i, out, *data)``, which adds the gradient to ``out``.

    Raises
    ------
    DerivationError
        As for `derive_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.symbolic import derive_sample_gradient
    >>> X, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0])
    >>> grad = derive_sample_gradient(lambda w, i, X, y: (X[i, 0] * w[0] + X[i, 1] * w[1] - y[i]) ** 2, 2, (X, y))
    >>> out = [0.0, 0.0]
    >>> grad([1.0, 1.0], 0, out, X, y)
    >>> print(*out)
    -4.0 -8.0
    """
    return _derived("gradient", loss, dim, data, bounds, sample=True)


def derive_sample_hessian(
    loss: Callable[..., Any], dim: int, data: tuple[Any, ...], bounds: np.ndarray | None = None
) -> Callable[..., None]:
    """Derive the second derivatives of the loss of one sample: ``hess(x, i, out, *data)``, which adds them to ``out``.

    Raises
    ------
    DerivationError
        As for `derive_hessian`.
    """
    return _derived("hessian", loss, dim, data, bounds, sample=True)


def _derived(
    kind: str,
    fun: Callable[..., Any],
    dim: int,
    data: tuple[Any, ...],
    bounds: np.ndarray | None,
    sample: bool = False,
) -> Callable[..., None]:
    fun = getattr(fun, "py_func", fun)
    if not isinstance(fun, types.FunctionType):
        raise DerivationError(f"Only a plain Python function can be derived, not a {type(fun).__name__}.")
    try:
        constants = [item.shape if sample and isinstance(item, np.ndarray) else item for item in data]
        key = cache.fingerprint("derived", kind, sample, cache.environment(), fun, dim, constants)
    except (TypeError, ValueError):  # captures something whose content cannot be told: derive it every time
        key = None
    source = None if key is None else _stored_source(key)
    if source is None:
        from .trace import TooLong

        refusal = None if key is None else REFUSALS.get(key) or (cache.load(key, "refused") or b"").decode()
        if refusal:
            raise DerivationError(refusal)
        try:
            source = _new_source(kind, fun, dim, data, sample)
        except DerivationError as error:
            if key is not None and isinstance(error.__context__, TooLong):
                REFUSALS[key] = str(error)
                cache.store(key, "refused", str(error).encode())
            raise
        if key is not None:
            digest = hashlib.sha256(source.encode()).hexdigest()
            cache.store(key, "py", f"# {digest}\n{source}".encode())
    derived = _compiled(source, f"{kind}_of_{fun.__name__.strip('<>')}")
    if met := disagreement(kind, fun, derived, dim, bounds, data, len(data[0]) if sample else None):
        raise DerivationError(
            f"No {kind} can be derived from {fun.__name__}: {met}. It does something else with numbers than with the "
            f"symbols that stand for them.\n{_advice(kind, fun, dim, len(data), sample)}"
        )
    return derived


def _stored_source(key: str) -> str | None:
    """Return the source stored under a key, unless it is missing or damaged."""
    content = cache.load(key, "py")
    if content is None:
        return None
    first, _, source = content.decode(errors="replace").partition("\n")
    return source if first == f"# {hashlib.sha256(source.encode()).hexdigest()}" else None


def _compiled(source: str, name: str) -> Callable[..., None]:
    """Return the one function in a source, with its lines known to tracebacks."""
    file = f"<fastgd {name} {hashlib.sha256(source.encode()).hexdigest()[:12]}>"
    namespace: dict[str, Any] = {"math": math, "__name__": __name__}
    exec(compile(source, file, "exec"), namespace)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    function = namespace["derived"]
    function.__name__ = function.__qualname__ = name
    function.__fastgd_source__ = source
    return function


def _new_source(kind: str, fun: types.FunctionType, dim: int, data: tuple[Any, ...], sample: bool) -> str:
    from .derive import gradient_program, hessian_program
    from .emit import source_of
    from .length import shorter, warn_of_length
    from .rebind import Rebinding
    from .trace import NotCompiled, Refused, SampleNumber, Tape, TooLong, Traced, TracedData, WholeArray

    name = fun.__name__.strip("<>")
    rebinding = Rebinding()
    tape = Tape()
    point = tape.point(dim)
    try:
        given: tuple[Any, ...] = data
        if sample:
            named = enumerate(data)
            arrays = [TracedData(tape, f"d{k}", v) if isinstance(v, np.ndarray) else v for k, v in named]
            given = (SampleNumber(), *arrays)
        value = rebinding.function(fun)(point, *given)
        if not isinstance(value, Traced):
            value = tape.traced(value)
        warned = warn_of_length(kind, name, tape.operations, tape, dim, data, sample)
        program = gradient_program(value, point.symbols)
        if kind == "hessian":
            program = hessian_program(program)
            warned = warned or warn_of_length(kind, name, len(program.definitions), tape, dim, data, sample)
        names = ["x", *(["i"] if sample else []), "out", *(f"d{k}" for k in range(len(data)))]
        return source_of(program, f"def derived({', '.join(names)}):", adds=sample)
    except Exception as error:
        refused = isinstance(error, Refused)
        met = str(error) if refused else f"{type(error).__name__}: {error}"
        advice = _advice(kind, fun, dim, len(data), sample)
        if isinstance(error, Warning):
            raise
        if isinstance(error, WholeArray):
            advice = SCALAR
        elif isinstance(error, TooLong):
            advice = f"{shorter(kind, dim, data, sample)} {advice}"
        elif isinstance(error, NotCompiled):
            alone = " alone" if error.by_hand else ""
            needs = f"A gradient of your own{alone} would not help, as the function itself has to be compiled."
            advice = f"{needs} {advice}" if error.by_hand else needs
        raise DerivationError(
            f"No {kind} can be derived from {fun.__name__}: met {met}{_place(error, rebinding.codes)}.\n{advice}"
        ) from (None if refused else error)


def _place(error: BaseException, codes: set[types.CodeType]) -> str:
    """Return the last line of the user's functions that a traceback goes through."""
    place = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code in codes:
            line = linecache.getline(code.co_filename, number).strip()
            place = f", in line {number} of {code.co_name}" + (f": {line}" if line else "")
    return place


def _advice(kind: str, fun: types.FunctionType, dim: int, extra: int, sample: bool) -> str:
    """Return what to write in the place of a derived function."""
    if kind == "hessian":
        return "Second derivatives need a function that takes the same path for every x."
    first = 2 if sample else 1
    names = list(inspect.signature(fun).parameters)[first : first + extra]
    names = names if len(names) == extra else [f"d{k}" for k in range(extra)]
    sign = "+=" if sample else "="
    if dim <= 4:
        body = [f"    out[{i}] {sign} ...  # the derivative with respect to x[{i}]" for i in range(dim)]
    else:
        k = "k" if sample else "i"
        line = f"        out[{k}] {sign} ...  # the derivative with respect to x[{k}]"
        body = [f"    for {k} in range(len(x)):", line]
    lines = [f"def grad({', '.join(['x', *(['i'] if sample else []), 'out', *names])}):", *body]
    place = "FiniteSum(loss, grad, ...)" if sample else "Problem(fun, grad, ...)"
    return f"Write the gradient, and give it as {place}:\n\n" + "\n".join(f"    {line}" for line in lines)
