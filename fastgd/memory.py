"""Whether what is asked for fits the memory that this process may take, told before any work."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["available_memory", "check_memory", "check_points", "memory_limit"]

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_SMALL = 1 << 20  # bytes that are there; looking for them would take a part of a millisecond
# Names of the limit, of what is used, and of the part of it that the system gives back when asked
_VERSIONS = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def memory_limit() -> float:
    """The machine's memory in bytes, or what a container may have of it; infinite where it cannot be told."""
    return min([physical_memory(), *(_number(folder / name) or math.inf for folder, name, *_ in limited_groups())])


def physical_memory() -> float:
    """The machine's memory in bytes; infinite where it cannot be told."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" not in names or "SC_PHYS_PAGES" not in names:
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> float:
    """The bytes that this process can still have: what is free, and what the system gives back when asked."""
    left = []
    for folder, name, use, cache in limited_groups():
        given_back = _numbers(folder / "memory.stat").get(cache, 0)
        left.append((_number(folder / name) or math.inf) - max(0, (_number(folder / use) or 0) - given_back))
    machine = _numbers(_PROC / "meminfo")
    if "MemAvailable:" in machine:
        left.append(1024 * (machine["MemAvailable:"] + machine.get("SwapFree:", 0)))
    return max(0, min([memory_limit(), address_space_left(), *left]))


def limited_groups() -> list[tuple[Path, str, str, str]]:
    """Folder, and names as in `_VERSIONS`, of the control groups of this process whose memory is limited."""
    return _limited_groups(_PROC, _CGROUPS)


@functools.cache
def _limited_groups(proc: Path, root: Path) -> list[tuple[Path, str, str, str]]:
    found, most = [], physical_memory()
    for version, top, inside in _groups(proc, root):
        # A container may see its own group as the top, under the path that it has outside
        for folder in [top.joinpath(*inside[:k]) for k in range(len(inside), -1, -1)]:
            limit = _number(folder / _VERSIONS[version][0])
            if limit is not None and limit < most:  # a group without a limit has one of many exabytes in version 1
                found.append((folder, *_VERSIONS[version]))
    return found


def _groups(proc: Path, root: Path) -> Iterator[tuple[int, Path, list[str]]]:
    """Version, top folder and path below it of the groups that /proc/self/cgroup names for memory."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        inside = [part for part in path.split("/") if part not in ("", "..")]
        if number == "0" and not controllers:
            yield from ((2, top, inside) for top in (root, root / "unified"))
        elif "memory" in controllers.split(","):
            yield 1, root / "memory", inside


def address_space_left() -> float:
    """The bytes that ``ulimit -v`` leaves."""
    try:
        import resource
    except ImportError:  # not on Windows
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return math.inf
    used = _text(_PROC / "self" / "statm").split()
    return limit - (int(used[0]) * resource.getpagesize() if used else 0)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, as where the file says "max"."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _numbers(path: Path) -> dict[str, int]:
    """The second column of a file, by the first."""
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def check_memory(what: str, size: int, instead: str) -> None:
    """Raise ValueError where something of so many bytes is larger than the memory, or than what is free of it.

    Examples
    --------
    >>> from fastgd.memory import check_memory
    >>> check_memory("a table of 1,000 runs", 8000, "give fewer")
    """
    if size > (limit := memory_limit()):
        raise ValueError(f"{what} would take {amount(size)}, and this machine has {amount(limit)} of memory; {instead}")
    if size > _SMALL and size > (free := available_memory()):
        whole = "" if math.isinf(limit) else f"of the {amount(limit)} of memory that this machine has "
        has = f"{whole}{amount(free)} are free"
        raise ValueError(f"{what} would take {amount(size)}, and {has}; {instead}")


def check_points(
    name: str, count: int | Sequence[int], dim: int, instead: str = "give fewer", each: int | None = None
) -> None:
    """Raise ValueError, naming the argument, where so many points do not fit the memory.

    `count` is the number of points, or how many there are along each axis of a grid; `each` are the bytes that a point
    takes with all that is made of it, by default those of its coordinates.
    """
    axes = (count,) if isinstance(count, int) else tuple(count)
    given = f"{count:,}" if isinstance(count, int) else str(axes)
    points = f": {math.prod(axes):,} points" if len(axes) > 1 else " points"
    of = f"{dim:,} parameter{'s' if dim > 1 else ''}"
    check_memory(f"{name}={given}{points} of {of}", (8 * dim if each is None else each) * math.prod(axes), instead)


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
