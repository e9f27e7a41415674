"""The exceptions of the package, and the check of a name with the nearest one as a hint."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn


class DerivationError(ValueError):
    """No gradient or Hessian can be derived from a function.

    Raised when the function branches on ``x``, calls something that has no symbolic counterpart, or grows too
    large. The message says what was met, in which line, and shows the ``grad(x, out)`` to write instead.

    Examples
    --------
    >>> import fastgd
    >>> problem = fastgd.Problem(lambda x: max(x[0], 0.0), dim=1)
    >>> try:
    ...     problem.grad
    ... except fastgd.DerivationError as error:
    ...     print("comparison" in str(error))
    True
    """


class DeviceError(ValueError):
    """The GPU was asked for and cannot be used; the message says why, and what to do about it.

    Examples
    --------
    >>> from fastgd.errors import DeviceError
    >>> issubclass(DeviceError, ValueError)
    True
    """


class Interrupted(KeyboardInterrupt):
    """A computation was interrupted; what was finished by then is kept.

    Attributes
    ----------
    partial : object
        What was finished: of `minimize`, `map_basins` and `sweep_basins` a `Result` in which runs that had not ended
        have the status -1 and NaN; of `compare` a dictionary of such results by the optimizers' names, in which the
        last may be incomplete; None where nothing was.

    Notes
    -----
    Other functions raise a plain `KeyboardInterrupt`, as there is nothing to keep.

    Examples
    --------
    >>> from fastgd.errors import Interrupted
    >>> Interrupted("stopped after 2 of 3 chunks", partial=[1.0, 2.0]).partial
    [1.0, 2.0]
    """

    def __init__(self, message: str = "", partial: Any = None) -> None:
        super().__init__(message)
        self.partial = partial

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.partial)


@contextlib.contextmanager
def keeping(partial: Any, what: str) -> Iterator[None]:
    """Raise Ctrl-C as an `Interrupted` that keeps what was finished before the block.

    Examples
    --------
    >>> from fastgd.errors import keeping
    >>> try:
    ...     with keeping([1.0, 2.0], "all runs were done"):
    ...         raise KeyboardInterrupt
    ... except Interrupted as error:
    ...     print(error, error.partial)
    interrupted; all runs were done [1.0, 2.0]
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {what}", partial=partial) from None


def nearest(name: object, names: Iterable[str]) -> str:
    """Return a hint at the name that was probably meant.

    Parameters
    ----------
    name : object
        What was given.
    names : iterable of str
        What is allowed.

    Returns
    -------
    str
        ``" Did you mean 'x'?"``, with a leading space, or an empty string where nothing is close.

    Examples
    --------
    >>> from fastgd.errors import nearest
    >>> nearest("himelblau", ["beale", "himmelblau"])
    " Did you mean 'himmelblau'?"
    >>> nearest("zzz", ["beale", "himmelblau"])
    ''
    """
    lowered = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(str(name).lower(), list(lowered), n=1, cutoff=0.6)
    return f" Did you mean {lowered[close[0]]!r}?" if close else ""


def suggesting(module: str, names: Sequence[str]) -> Callable[[str], NoReturn]:
    """Make the ``__getattr__`` of a module, whose error names the nearest of its names.

    Examples
    --------
    >>> from fastgd.errors import suggesting
    >>> suggesting("fastgd.schedules", ["Cosine"])("cosine")
    Traceback (most recent call last):
    AttributeError: module 'fastgd.schedules' has no attribute 'cosine'. Did you mean 'Cosine'?
    """

    def missing(name: str) -> NoReturn:
        hint = "" if name.startswith("_") else nearest(name, names)
        raise AttributeError(f"module {module!r} has no attribute {name!r}.{hint}")

    return missing


def attribute_of(thing: Any, name: str, meant: Mapping[str, str]) -> Any:
    """What ``__getattr__`` of a class does: raise AttributeError, naming what is `meant`, or else the nearest name.

    Where a property raised AttributeError, it is that error. Only the class is asked, as the thing may be one that is
    being unpickled and has no attributes yet.

    Examples
    --------
    >>> from fastgd.errors import attribute_of
    >>> attribute_of(1.5, "reel", {})
    Traceback (most recent call last):
    AttributeError: 'float' object has no attribute 'reel'. Did you mean 'real'?
    """
    kind = type(thing)
    if hasattr(kind, name):
        return object.__getattribute__(thing, name)
    names = {*getattr(kind, "__dataclass_fields__", ()), *dir(kind)}
    hint = f": here it is .{meant[name]}" if name in meant else ""
    if not hint and not name.startswith("_"):
        hint = f".{nearest(name, sorted(each for each in names if not each.startswith('_')))}"
    raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}{hint}")


def check_choice(argument: str, value: object, known: Iterable[str], where: str = "") -> None:
    """Raise ValueError unless `value` is one of the known names.

    Examples
    --------
    >>> from fastgd.errors import check_choice
    >>> check_choice("method", "sobl", ("uniform", "sobol"))
    Traceback (most recent call last):
    ValueError: method must be one of uniform, sobol, not 'sobl'. Did you mean 'sobol'?
    """
    known = tuple(known)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{argument} must be one of {', '.join(known)}{where}, not {value!r}.{nearest(value, known)}")
