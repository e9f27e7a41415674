"""The folder of compiled kernels and derived sources: where it is, whom it is safe from, and how large it may grow.

Entries are code, so a folder that others can write to is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import pathlib
import re
import stat
import sys
import tempfile
import time
import warnings

from fastgd.calls import levels_to_caller

__all__ = ["cache_folder", "described", "limit", "load", "store"]

PRIVATE = 0o700
DEFAULT_MB = 1000.0  # some 5,000 kernels
KEPT = 0.75  # of the limit, where it was passed: so that the folder is looked through once in a while only
LOOKS = 16  # times that a process looks through the folder until it has filled it
ENTRY = re.compile(r"[0-9a-f]{62}\.\w+")
UNFINISHED = ".new-"  # the beginning of the names of files that are being written
ABANDONED = 3600.0  # seconds after which nobody is writing such a file any more

WARNED: set[str] = set()  # folders that the user has heard of
written: dict[pathlib.Path, float] = {}  # bytes since this process looked through a folder


def cache_folder() -> pathlib.Path | None:
    """Where compiled kernels are kept: ``FASTGD_CACHE_DIR``, or ``fastgd`` in the user's cache folder.

    None where there is no such variable and the user has no home, as in some containers: nothing is kept then.
    """
    try:
        if chosen := os.environ.get("FASTGD_CACHE_DIR"):
            return pathlib.Path(chosen).expanduser()
        if sys.platform == "darwin":
            return pathlib.Path.home() / "Library" / "Caches" / "fastgd"
        name, usual = ("LOCALAPPDATA", "") if sys.platform == "win32" else ("XDG_CACHE_HOME", ".cache")
        base = os.environ.get(name)
        return (pathlib.Path(base) if base else pathlib.Path.home() / usual) / "fastgd"
    except RuntimeError:  # the home folder cannot be told
        return None


def limit() -> float:
    """Bytes that the folder may hold, from ``FASTGD_CACHE_MB``.

    Raises
    ------
    ValueError
        If the variable is no number from 0 on.
    """
    given = os.environ.get("FASTGD_CACHE_MB") or str(DEFAULT_MB)
    try:
        megabytes = float(given)
    except ValueError:
        megabytes = math.nan
    if not megabytes >= 0:
        raise ValueError(
            f"the environment variable FASTGD_CACHE_MB must be a number of megabytes from 0 on, got {given!r}; "
            "FASTGD_CACHE_MB=inf sets no limit, 0 keeps nothing"
        )
    return megabytes * 1e6


def why_unsafe(folder: pathlib.Path) -> str:
    """Why entries of a folder are not to be trusted, with the remedy; empty where they are, or there is no folder."""
    if os.name != "posix":  # where the modes of folders say nothing
        return ""
    try:
        found = os.stat(folder)
    except OSError:
        return ""
    if found.st_uid != os.geteuid():
        return "it belongs to another user: name a folder of your own in FASTGD_CACHE_DIR"
    if stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write to it: empty it, unless you know who could, and then run chmod 700 {folder}"
    return ""


def folder_in_use() -> pathlib.Path | None:
    """The folder, if there is one that may be read from and written to; the user hears of one that may not."""
    folder = cache_folder()
    if folder is None or limit() == 0:
        return None
    reason = why_unsafe(folder)
    if reason and str(folder) not in WARNED:
        WARNED.add(str(folder))
        warnings.warn(
            f"the cache folder {folder} is not used, so every process compiles anew: {reason}",
            stacklevel=levels_to_caller(),
        )
    return None if reason else folder


def entry(folder: pathlib.Path, key: str, suffix: str) -> pathlib.Path:
    return folder / key[:2] / f"{key[2:]}.{suffix}"


def load(key: str, suffix: str) -> bytes | None:
    """The stored bytes; None where there are none, or not those that were stored."""
    folder = folder_in_use()
    if folder is None:
        return None
    path = entry(folder, key, suffix)
    try:
        found = path.read_bytes()
    except OSError:
        return None
    digest, _, content = found.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # when it was used last, by which the oldest go first
    return content


def store(key: str, suffix: str, content: bytes) -> bool:
    """Keep bytes under a key, at once or not at all; a folder that cannot be written to is no error."""
    folder = folder_in_use()
    if folder is None:
        return False
    path, temporary = entry(folder, key, suffix), None
    try:
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        path.parent.mkdir(mode=PRIVATE, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(temporary, path)
    except OSError:
        return False
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # there is none any more where all went well
    written[folder] = written.get(folder, math.inf) + len(content)
    if written[folder] > limit() / LOOKS:
        written[folder] = 0.0
        tidy(folder)
    return True


def entries(folder: pathlib.Path) -> list[tuple[float, int, str]]:
    """Time of use, size and path of every entry; no other file counts, whatever folder the user has named."""
    found = []
    now = time.time()
    for part in list_of(folder):
        if len(part.name) != 2:
            continue
        for file in list_of(part.path):
            with contextlib.suppress(OSError):
                told = file.stat(follow_symlinks=False)
                if ENTRY.fullmatch(file.name) and stat.S_ISREG(told.st_mode):
                    found.append((told.st_mtime, told.st_size, file.path))
                elif file.name.startswith(UNFINISHED) and now - told.st_mtime > ABANDONED:
                    os.unlink(file.path)
    return found


def list_of(folder: str | pathlib.Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def tidy(folder: pathlib.Path) -> None:
    """Delete the entries that were not used for longest, if the folder has passed its limit."""
    found = sorted(entries(folder))
    size, most = sum(size for _, size, _ in found), limit()
    if size <= most:
        return
    for _, bytes_of, path in found:
        if size <= KEPT * most:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
            size -= bytes_of


def described() -> dict[str, str]:
    """The folder, or why none is used, and what it holds."""
    folder, most = cache_folder(), limit()
    if folder is None:
        where = "none: there is no home folder; name a folder in the environment variable FASTGD_CACHE_DIR"
    elif reason := why_unsafe(folder):
        where = f"none: {folder} is not used, {reason}"
    else:
        where = str(folder)
    sizes = [size for _, size, _ in entries(folder)] if folder is not None else []
    held = f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files" if sizes else "empty"
    bound = f"at most {most / 1e6:,.0f} MB" if most < math.inf else "without a limit"
    return {"cache folder": where, "cache size": f"{held}, {bound} (FASTGD_CACHE_MB)"}
