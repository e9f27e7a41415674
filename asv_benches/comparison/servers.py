"""The processes that the figures are asked of."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from peers.serve import Server

PEERS = Path(__file__).parent.parent / "peers"


def started(stack: ExitStack, script: str, *arguments: str) -> Server:
    """A server of `peers`, which ends with the stack."""
    server = Server(PEERS / script, *arguments)
    stack.callback(server.close)
    return server


def rule_names() -> list[str]:
    """Every rule of the registry."""
    code = "from benchmarks.cases import RULES; print(*RULES)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PEERS.parent, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()
