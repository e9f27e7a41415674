"""Every rule's nanoseconds per step against the same rule in hand-written C, on one thread.

The C (`peers/rules.c`) does the same work in the manner of the ceiling: the same starts, steps and hyperparameters, a
stop test at every step, bias corrections once a step.  Before anything is timed the two must come to the same points.
Of the builds of the C the faster one counts.

Both sides are arithmetic of one thread on what lies in its caches, to which whatever else the machine does can only add
time.  So the rounds of a row lie apart in time, a whole turn over the rules between them, and the verdict is by the
best round of either side.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from peers.serve import Server

from comparison.ceiling import builds
from comparison.rows import Row
from comparison.servers import rule_names, started

GROUP = "rules"
RACES = ("himmelblau", "rosenbrock10", "rastrigin10")
TARGET = 1 / 1.5
REPEATS = 3
DIFFERENT = 1e-3  # the share of the runs that may be elsewhere: rounding decides a sign, now and then


def measure(rounds: int, quick: bool, folder: Path, say: Callable[[str], None]) -> list[Row]:
    """A row for every rule on each problem; on the first of them alone where it has to be quick."""
    rows = []
    with ExitStack() as stack:
        missing, servers = None, []
        try:
            servers = working(stack, builds("rules.c", folder, "-shared", "-fPIC"))
        except FileNotFoundError as error:
            missing = str(error)
        work = [(rule, race) for race in (RACES[:1] if quick else RACES) for rule in rule_names()]
        for rule, race in work:
            row = Row(f"{rule}, {race}", "C by hand, 1 thread", "ns/step", target=TARGET, judged_by="best")
            row.missing = missing or unlike(servers, rule, race)
            rows.append(row)
        for turn in range(rounds):
            for (rule, race), row in zip(work, rows, strict=True):
                if row.missing:
                    continue
                say(f"round {turn + 1} of {rounds}: {row.case}")
                row.peers.append(min(nanoseconds(server, "C", rule, race) for server in servers))
                row.ours.append(nanoseconds(servers[0], "fastgd", rule, race))
    return rows


def working(stack: ExitStack, libraries: list[Path]) -> list[Server]:
    """A server for each build that this processor can run; another one ends it."""
    servers = []
    for library in libraries:
        server = started(stack, "rules.py", "--serve", str(library))
        try:
            nanoseconds(server, "C", "adam", RACES[0])
        except RuntimeError:
            continue
        servers.append(server)
    if not servers:
        raise FileNotFoundError("no build of rules.c runs on this processor")
    return servers


def unlike(servers: list[Server], rule: str, race: str) -> str | None:
    """Why the C is no measure of the rule."""
    for server in servers:
        share = server.ask(side="difference", rule=rule, race=race, repeats=1)["work"]
        if share == 1.0:
            return "the C has no such rule, or another one"
        if share > DIFFERENT:
            return f"{share:.1%} of the runs end elsewhere than the C's"
    return None


def nanoseconds(server: Server, side: str, rule: str, race: str) -> float:
    answer = server.ask(side=side, rule=rule, race=race, repeats=REPEATS)
    return 1e9 * answer["seconds"] / answer["work"]
