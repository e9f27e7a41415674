"""Small tuples between memory and registers.

A rule's state and coefficients are tuples whose length only the rule knows.  Numba unrolls no loop over a tuple of
mixed types, so each helper is written out for one length and then compiled like any other function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from .masks import select
from .options import inlined

__all__ = ["first_items", "load_tuple", "map_tuple", "select_tuple", "store_tuple"]


def write_out(name: str, body: str, captured: dict[str, object] | None = None) -> Callable:
    """Compile one generated function; `captured` are its globals."""
    scope: dict[str, object] = {"__name__": __name__, **(captured or {})}
    exec(compile(body, f"<{name}>", "exec"), scope)  # the bodies below are built from integers alone
    return inlined(scope[name])  # type: ignore[arg-type]


def tuple_of(items: list[str]) -> str:
    return "(" + "".join(f"{item}, " for item in items) + ")"


@functools.cache
def load_tuple(length: int, skip: int = 0) -> Callable:
    """``load(rows, base)``: the tuple of ``rows[base + skip]`` and the `length` - 1 rows after it."""
    items = tuple_of([f"rows[base + {skip + k}]" for k in range(length)])
    return write_out("load", f"def load(rows, base):\n    return {items}\n")


@functools.cache
def store_tuple(length: int) -> Callable:
    """``store(rows, base, values)``: the reverse of `load_tuple`."""
    lines = [f"    rows[base + {k}] = values[{k}]" for k in range(length)] or ["    pass"]
    return write_out("store", "def store(rows, base, values):\n" + "\n".join(lines) + "\n")


@functools.cache
def first_items(length: int, skip: int = 0) -> Callable:
    """``first(values)``: the first `length` of them, after the `skip` that are left out."""
    items = tuple_of([f"values[{skip + k}]" for k in range(length)])
    return write_out("first", f"def first(values):\n    return {items}\n")


@functools.cache
def map_tuple(function: Callable, length: int) -> Callable:
    """``apply(values)``: the function of each item."""
    items = tuple_of([f"function(values[{k}])" for k in range(length)])
    return write_out("apply", f"def apply(values):\n    return {items}\n", {"function": function})


@functools.cache
def select_tuple(length: int) -> Callable:
    """``choose(condition, yes, no)``: `select` of each item."""
    items = tuple_of([f"select(condition, yes[{k}], no[{k}])" for k in range(length)])
    return write_out("choose", f"def choose(condition, yes, no):\n    return {items}\n", {"select": select})
