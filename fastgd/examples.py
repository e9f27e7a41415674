"""How the arguments of a function may look: as in the example of its docstring, which the tests run."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["shown_arguments"]

LONGEST = 120  # characters of an argument that an error shows


def shown_arguments(function: Callable[..., Any], name: str, documented: Any) -> dict[str, str]:
    """The arguments of the first call of a function in the examples of a docstring, by the names of its parameters.

    What is a name there is written as the example defines it. Empty where no example calls the function so.

    Parameters
    ----------
    function : callable
        Its parameters.
    name : str
        What it is called in the examples.
    documented : object
        What has the docstring: the function, or the class that it makes.

    Examples
    --------
    >>> import fastgd as gd
    >>> from fastgd.examples import shown_arguments
    >>> shown = shown_arguments(gd.find_basins, "find_basins", gd.find_basins)
    >>> shown["result"]
    'fastgd.minimize(problem, problem.sample(1000, seed=0), fastgd.Adam(lr=0.05), gtol=1e-8)'
    """
    assigned: dict[str, str] = {}
    found: dict[str, dict[str, str]] = {}
    for source in sources(documented):
        tree = ast.parse(source)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            called = ast.unparse(call.func)
            if called.rpartition(".")[2] == name:
                found.setdefault(called, arguments_of(call, function, source, assigned))
        for each in tree.body:
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                assigned[each.targets[0].id] = segment(source, each.value)
    # The longest name where several end alike, as gd.compare and gd.plot.compare
    return found[max(found, key=len)] if found else {}


def sources(documented: Any) -> Iterable[str]:
    """The examples of a docstring, one after the other."""
    return (example.source for example in doctest.DocTestParser().get_examples(inspect.getdoc(documented) or ""))


def arguments_of(call: ast.Call, function: Callable[..., Any], source: str, assigned: dict[str, str]) -> dict[str, str]:
    """The arguments of a call as they are written; those that are long, or starred, are left out."""
    given = {word.arg: word.value for word in call.keywords if word.arg is not None}
    names = [p for p in inspect.signature(function).parameters if p != "self"]
    placed = [each for each in call.args if not isinstance(each, ast.Starred)]
    nodes = {**(dict(zip(names, placed, strict=False)) if len(placed) == len(call.args) else {}), **given}
    texts = {name: segment(source, node) for name, node in nodes.items()}
    texts = {name: assigned.get(text, text) for name, text in texts.items()}
    return {name: text for name, text in texts.items() if len(text) <= LONGEST}


def segment(source: str, node: ast.expr) -> str:
    """The source of an expression in one line, with the name of the package written out."""
    text = " ".join((ast.get_source_segment(source, node) or "").split())
    return re.sub(r"\bgd\.", "fastgd.", text)
