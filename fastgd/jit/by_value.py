"""Functions and classes in a pickle: by name where a module holds them, else by value, as lambdas and local ones."""

from __future__ import annotations

import operator
import pickle
import platform
import sys
from collections.abc import Callable, Mapping
from typing import Any

from numba.core.serialize import dumps

__all__ = ["ByValue", "OfAnyClass"]


class ByValue:
    """Functions, or classes, by their names; a pickle of it opens where the script they stood in was never seen.

    Copies share the functions.

    Examples
    --------
    >>> import pickle
    >>> from fastgd.jit.by_value import ByValue
    >>> pickle.loads(pickle.dumps(ByValue({"twice": lambda x: 2 * x}))).functions["twice"](3)
    6
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self.functions = functions

    def __deepcopy__(self, memo: Any) -> ByValue:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if all(map(has_name, self.functions.values())):
            return ByValue, (dict(self.functions),)
        try:
            content = dumps(self.functions)
        except Exception as error:  # whatever a captured object raises when it is pickled
            names = ", ".join(self.functions)
            raise pickle.PicklingError(f"{names} cannot be pickled, as something they use cannot: {error}") from error
        return opened, (content, sys.version_info[:2])


class OfAnyClass:
    """A base of objects that can be pickled also where their class stands in a script, or in a function."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        kind = type(self)
        return super().__reduce_ex__(protocol) if has_name(kind) else (remade, (ByValue({"kind": kind}), vars(self)))


def remade(kind: ByValue, fields: dict[str, Any]) -> Any:
    """An object of a class that was pickled by value."""
    made: Any = object.__new__(kind.functions["kind"])  # type: ignore[arg-type]
    made.__dict__.update(fields)
    return made


def has_name(function: Callable[..., Any]) -> bool:
    """Whether a module other than the script holds it, so that any process can import it."""
    module = sys.modules.get(function.__module__)
    try:
        return function.__module__ != "__main__" and operator.attrgetter(function.__qualname__)(module) is function
    except AttributeError:
        return False


def opened(content: bytes, version: tuple[int, int]) -> ByValue:
    """The functions again.

    Raises
    ------
    pickle.UnpicklingError
        If they were pickled by a Python with other bytecode, or what they use is not there.
    """
    instead = "put them into a module that can be imported here, or keep the arrays alone, such as result.x"
    if version != sys.version_info[:2]:
        raise pickle.UnpicklingError(
            f"functions and classes of a script, or made in a function, open in the Python that pickled them, "
            f"{version[0]}.{version[1]}, and this is {platform.python_version()}: {instead}"
        )
    try:
        return ByValue(pickle.loads(content))
    except (ImportError, AttributeError) as error:
        missing = f"what the problem's functions, or the optimizer, use is not there, {error}"
        raise pickle.UnpicklingError(f"{missing}: {instead}") from error
