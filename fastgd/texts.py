"""Words for numbers, and tables of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Summarized", "brief", "counted", "decimals", "first_lines", "listed", "position_text", "table_lines",
    "with_article",
]  # fmt: skip

C = TypeVar("C", bound=type)
FEW = 8  # numbers of an array that are shown
PLURALS = {"minimum": "minima", "maximum": "maxima", "degenerate": "degenerate", "undefined": "undefined",
           "flat": "flat", "not critical": "not critical", "box": "boxes"}  # fmt: skip


def counted(count: int, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> from fastgd.texts import counted
    >>> counted(1, "start"), counted(2, "minimum"), counted(1200, "run")
    ('1 start', '2 minima', '1,200 runs')
    """
    return f"{count:,} {noun if count == 1 else PLURALS.get(noun, f'{noun}s')}"


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence names them.

    Examples
    --------
    >>> from fastgd.texts import listed
    >>> listed(["x0"]), listed(["problem", "x0"]), listed(["problem", "x0", "optimizer"])
    ('x0', 'problem and x0', 'problem, x0 and optimizer')
    """
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), *words[-1:]])


def with_article(noun: str) -> str:
    """Return a noun with its article.

    Examples
    --------
    >>> from fastgd.texts import with_article
    >>> with_article("Problem"), with_article("Adam")
    ('a Problem', 'an Adam')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def table_lines(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    r"""Return the lines of a table whose columns stand one below the other, aligned right but for those in `left`.

    Examples
    --------
    >>> from fastgd.texts import table_lines
    >>> table_lines([["name", "steps"], ["Adam", "7"]])
    ['name  steps', 'Adam      7']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        lines.append("  ".join(c.ljust(w) if j in left else c.rjust(w) for j, (c, w) in enumerate(cells)).rstrip())
    return lines


def first_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], count: int, left: Collection[int] = (0,), rest: str = ""
) -> list[str]:
    """Return the lines of a table of the first of some things, and one that says how many more there are.

    Examples
    --------
    >>> from fastgd.texts import first_lines
    >>> first_lines(["", "value"], [["0", "1.5"], ["1", "2"]], 5, rest=", all higher")
    ['   value', '0    1.5', '1      2', 'and 3 more, all higher']
    >>> first_lines(["", "value"], [], 0)
    []
    """
    lines = table_lines([columns, *rows], left) if rows else []
    return [*lines, f"and {count - len(rows):,} more{rest}"] if count > len(rows) else lines


def brief(kind: C) -> C:
    """Give a dataclass a repr that says of large arrays what they hold; a decorator.

    A class with a repr of its own is made by ``dataclass(repr=False)``.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.GradientDescent(lr=[0.1, 0.2]), gd.GradientDescent(lr=np.linspace(0.1, 0.5, 50)[:, None])
    (GradientDescent(lr=array([0.1, 0.2]), ...), GradientDescent(lr=array of shape (50, 1), 0.1 to 0.5, ...))
    """

    def fields_text(self: Any) -> str:
        shown = [f"{f.name}={value_text(getattr(self, f.name))}" for f in dataclasses.fields(self) if f.repr]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    if kind.__dataclass_params__.repr:  # type: ignore[attr-defined]
        kind.__repr__ = fields_text  # type: ignore[method-assign, assignment]
    return kind


def value_text(value: Any) -> str:
    """The repr of a value; of an array of many numbers, its shape and range."""
    if not isinstance(value, np.ndarray) or value.size <= FEW:
        return repr(value)
    return f"array of shape {value.shape}, {value.min():g} to {value.max():g}"


class Summarized:
    """Prints as the text that ``summary()`` returns."""

    def summary(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return self.summary()


def decimals(size: float, significant: int) -> int:
    """Return how many decimals show a number of this size to so many significant digits.

    Examples
    --------
    >>> from fastgd.texts import decimals
    >>> decimals(3.14, 5), decimals(123456.0, 5)
    (4, 0)
    """
    return int(np.clip(significant - 1 - np.floor(np.log10(size)), 0, 12)) if size > 0 else 0


def position_text(points: NDArray[np.float64], index: int, significant: int = 5) -> str:
    """Return one of some points to so many digits of the largest coordinate of all: noise around zero reads as zero.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.texts import position_text
    >>> position_text(np.array([[3.0, 2.0], [1e-9, -2.805118]]), 1)
    '(0.0000, -2.8051)'
    >>> position_text(np.array([[1e-15, 2e-15]]), 0)
    '(1e-15, 2e-15)'
    """
    size = float(np.abs(points).max(initial=0.0, where=np.isfinite(points)))
    digits = decimals(size, significant)
    if size == 0 or 1e-4 <= size < 1e8:
        shown = [f"{round(float(value), digits) + 0.0:.{digits}f}" for value in points[index, :6]]
    else:
        shown = [f"{value:.{significant}g}" for value in points[index, :6]]
    return "(" + ", ".join(shown) + (", ...)" if points.shape[1] > 6 else ")")
