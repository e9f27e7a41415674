"""Whether what is asked for fits the machine's memory, told before any work."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

__all__ = ["check_memory", "check_points", "memory_limit"]

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def memory_limit() -> float:
    """The machine's memory in bytes; infinite where it cannot be told."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" not in names or "SC_PHYS_PAGES" not in names:
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_memory(what: str, size: int, instead: str) -> None:
    """Raise ValueError where something of so many bytes is larger than the machine's memory.

    Examples
    --------
    >>> from fastgd.memory import check_memory
    >>> check_memory("a table of 1,000 runs", 8000, "give fewer")
    """
    if size > (limit := memory_limit()):
        raise ValueError(f"{what} would take {amount(size)}, and this machine has {amount(limit)} of memory; {instead}")


def check_points(name: str, count: int | Sequence[int], dim: int, instead: str = "give fewer") -> None:
    """Raise ValueError, naming the argument, where so many points do not fit the memory.

    `count` is the number of points, or how many there are along each axis of a grid.
    """
    axes = (count,) if isinstance(count, int) else tuple(count)
    given = f"{count:,}" if isinstance(count, int) else str(axes)
    points = f": {math.prod(axes):,} points" if len(axes) > 1 else " points"
    of = f"{dim:,} parameter{'s' if dim > 1 else ''}"
    check_memory(f"{name}={given}{points} of {of}", 8 * dim * math.prod(axes), instead)


def amount(size: float) -> str:
    """A number of bytes in words.

    Examples
    --------
    >>> from fastgd.memory import amount
    >>> amount(16 * 10**12), amount(24 * 2**30), amount(10**30)
    ('14.6 TiB', '24 GiB', '8.67e+11 EiB')
    """
    power = min(int(math.log2(max(size, 1)) // 10), len(_UNITS) - 1)
    return f"{size / 1024**power:.3g} {_UNITS[power]}"
