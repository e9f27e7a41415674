"""What the commands write, and what happens where its reader goes away."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

_WIDTH_OF_A_FILE = 140


def drop_output() -> None:
    """Send what is still to be written to nowhere: Python writes it at its end, and would fail once more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # the output is no file, as in a test
        sys.stdout = None


@contextlib.contextmanager
def telling(picture: Path | None) -> Iterator[None]:
    """While the output is written: where its reader goes away, stderr still tells of the picture."""
    try:
        yield
    except BrokenPipeError:
        if picture is not None:
            typer.echo(f"fastgd: the output was closed before its end; picture: {picture}", err=True)
        raise


class Printer(Console):
    """A console that leaves it to `run` what happens where the output is closed."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def table(*columns: tuple[str, Any]) -> Table:
    """Return an empty table with these columns, each a name and "left" or "right"."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in columns:
        made.add_column(name, justify=justify, overflow="fold", no_wrap=name not in ("what it is", "options"))
    return made


def console() -> Console:
    """Return what prints a table: as wide as the terminal, and wide enough in a file."""
    printer = Printer(highlight=False)
    if not printer.is_terminal:
        # Rich takes a file for a terminal of 80 columns, and would cut lines there.
        printer.width = max(printer.width, _WIDTH_OF_A_FILE)
    return printer
