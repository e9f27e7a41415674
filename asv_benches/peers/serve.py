"""Time one piece of work on request, in a process of its own that stays warm between the requests.

A server reads one JSON object a line (``{"case": ..., "repeats": ...}`` and what else the case takes) and
answers with one: ``{"seconds": ..., "work": ...}``, the best of the repeats. Only one server is asked at a
time, so peers can be measured in turn, round after round, while the noise of the machine falls on all of
them alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Work:
    """``call`` is what is timed; ``count`` says afterwards how many steps (or starts) that was."""

    call: Callable[[], Any]
    count: Callable[[Any], float]


def best(work: Work, repeats: int) -> dict[str, float]:
    """The shortest of ``repeats`` calls, in seconds, and the work that call did."""
    seconds, done = float("inf"), 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work.call()
        taken = time.perf_counter() - start
        if taken < seconds:
            seconds, done = taken, work.count(answer)
    return {"seconds": seconds, "work": done}


def serve(build: Callable[..., Work]) -> None:
    """Answer the requests on standard input until it ends; ``build`` makes the work of each request once."""
    ready: dict[str, Work] = {}
    # Libraries may print; the answers keep the real standard output for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        repeats = request.pop("repeats")
        key = json.dumps(request, sort_keys=True)
        if key not in ready:
            ready[key] = build(**request)
            best(ready[key], 1)
        print(json.dumps(best(ready[key], repeats)), file=answers, flush=True)


class Server:
    """The other end: a subprocess of this interpreter that serves."""

    def __init__(self, script: Path, *arguments: str) -> None:
        self.name = " ".join([script.name, *arguments])
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, float]:
        """Send one request and wait for its answer."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError(f"{self.name} was started without pipes")
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()} at {request}; see above")
        return json.loads(answer)

    def close(self) -> None:
        """End the subprocess, which may have ended by itself."""
        self.process.communicate()
