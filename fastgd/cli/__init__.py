"""The command ``fastgd``; its options stand in `fastgd.cli.app`, which needs the extra ``cli``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands after ``fastgd``; by default what the process was called with.

    Returns
    -------
    int
        Exit code: 0, 2 for a mistake in the call, 1 where the output cannot be written, 130 after Ctrl-C.
    """
    try:
        import rich
        import typer
    except ImportError as error:
        hint = 'pip install typer rich, or in a checkout pip install ".[cli]"'
        print(f"fastgd: {error.name} is missing: {hint}", file=sys.stderr)  # noqa: T201
        return 2
    del rich, typer
    from fastgd.cli.app import run

    return run(sys.argv[1:] if arguments is None else list(arguments))
