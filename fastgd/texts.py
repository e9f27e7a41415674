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
FIRST = 6  # coordinates of a point that are shown
# Parts of its scale below which a coordinate is noise, and of the largest coordinate below which another is of another
# size
NOISE, ONE_SIZE = 1e-5, 1e-3
MOST_DIGITS = 14
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


def position_text(
    points: NDArray[np.float64], index: int, significant: int = 5, scale: NDArray[np.float64] | None = None
) -> str:
    """Return one of some points to so many digits of the largest coordinate of all: noise around zero reads as zero.

    With the `scale` of each parameter, shape (n,), those of another size have digits of their own, and noise is what
    does not show in it. Points that would read the same have more digits.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.texts import position_text
    >>> position_text(np.array([[3.0, 2.0], [1e-9, -2.805118]]), 1)
    '(0.0000, -2.8051)'
    >>> position_text(np.array([[1e-15, 2e-15]]), 0)
    '(1e-15, 2e-15)'
    >>> position_text(np.array([[1e-15, 2e-15]]), 0, scale=np.ones(2))
    '(0.0000, 0.0000)'
    >>> position_text(np.array([[2e6, 1e-3]]), 0, scale=np.array([1e6, 1e-3]))
    '(2000000, 0.0010000)'
    """
    shown = points[:, :FIRST]
    sizes = np.abs(shown).max(axis=0, initial=0.0, where=np.isfinite(shown))
    if scale is None:
        sizes = np.full_like(sizes, np.abs(points).max(initial=0.0, where=np.isfinite(points)))
    else:
        sizes = shown_sizes(sizes, scale[:FIRST])
        # Where the last digits do not tell this point from the others, others do
        more = range(significant, MOST_DIGITS + 1, 3)
        told = (each for each in more if tells_apart(shown, index, sizes, each, NOISE * scale[:FIRST]))
        significant = next(told, significant)
    each = zip(shown[index].tolist(), sizes.tolist(), strict=True)
    cells = [number_text(value, size, significant) for value, size in each]
    return "(" + ", ".join(cells) + (", ...)" if points.shape[1] > FIRST else ")")


def shown_sizes(sizes: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the size of whose digits each coordinate is shown: parameters of about one size have those of the largest.

    What does not show in the scale of its parameter counts as zero, and gets the digits of the others.
    """
    real = sizes > NOISE * scale
    common = float(sizes.max(initial=0.0, where=real)) or float(scale.max())
    return np.where(real & ((sizes < ONE_SIZE * common) | (sizes == common)), sizes, common)


def tells_apart(
    shown: NDArray[np.float64], index: int, sizes: NDArray[np.float64], significant: int, noise: NDArray[np.float64]
) -> bool:
    """Whether so many digits tell one of some points from all others that are not the same but for noise."""
    last = 10.0 ** (np.floor(np.log10(sizes)) - significant + 1)
    with np.errstate(invalid="ignore"):
        same = np.all(np.round(shown / last) == np.round(shown[index] / last), axis=1)
        return not (same & np.any(np.abs(shown - shown[index]) > noise, axis=1)).any()


def number_text(value: float, size: float, significant: int) -> str:
    """Return a number to so many digits of a size: as a decimal, or with an exponent where that would be long."""
    if size == 0 or 1e-4 <= size < 1e8:
        digits = decimals(size, significant)
        return f"{round(value, digits) + 0.0:.{digits}f}"
    last = 10.0 ** (np.floor(np.log10(size)) - significant + 1)
    return f"{value:.{significant}g}" if abs(value) >= 0.5 * last else "0"
