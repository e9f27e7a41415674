"""Words for numbers."""

from __future__ import annotations

__all__ = ["counted"]

PLURALS = {"minimum": "minima", "maximum": "maxima", "degenerate": "degenerate", "undefined": "undefined"}


def counted(count: int, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> from fastgd.texts import counted
    >>> counted(1, "start"), counted(2, "minimum"), counted(1200, "run")
    ('1 start', '2 minima', '1,200 runs')
    """
    return f"{count:,} {noun if count == 1 else PLURALS.get(noun, f'{noun}s')}"
