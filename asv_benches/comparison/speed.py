"""Time per step against every peer, in rounds: a peer, fastgd, the next peer, fastgd, and all over again."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.serve import Server

from comparison.ceiling import Ceiling
from comparison.rows import Row, cores
from comparison.servers import started

NEEDS = {"jax": ("jax", "optax"), "torch": ("torch",), "scipy": ("scipy",)}
TOLERANCE = "himmelblau-adam-to-1e-6"
NS, US = ("ns/step", 1e9), ("us/start", 1e6)


@dataclass
class Pair:
    """A peer's request and fastgd's request for the same work."""

    group: str
    peer: str
    case: str
    target: float | None
    ours: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)
    unit: tuple[str, float] = NS
    repeats: int = 3
    rounds: int = 100


ONE = {"threads": 1}
STARTS = {"case": TOLERANCE, "unit": "starts"}
PAIRS = [
    Pair("ceiling", "C ceiling, 1 thread", "himmelblau-adam", 0.85, ONE, repeats=5),
    Pair("ceiling", "C ceiling, 1 thread", "rosenbrock10-momentum", 0.85, ONE, repeats=5),
    Pair("ceiling", "C ceiling, 1 thread", "rastrigin10-adam", 0.85, ONE, repeats=5),
    Pair("jax", "JAX vmap of scan", "himmelblau-adam", 3.0),
    Pair("jax", "JAX vmap of scan", "rosenbrock10-momentum", 2.5),
    Pair("jax", "JAX vmap of scan", "rastrigin10-adam", 15.0),
    # Twenty seconds a call on two cores: two rounds must do.
    Pair("jax", "JAX vmap of while_loop", TOLERANCE, 60.0, repeats=1, rounds=2),
    Pair("jax", "JAX vmap of scan, Optax", "digits-sgd32", 3.0),
    # Where runs share batches, JAX has products of matrices.
    Pair("jax", "JAX vmap of scan, Optax", "digits-sgd32-grid", 3.0),
    Pair("jax", "JAX vmap of scan, Optax", "digits-sgd32-shared", None),
    Pair("torch", "PyTorch, a loop over runs", "digits-sgd32", None),
    Pair("torch", "PyTorch fused", "himmelblau-adam", 20.0),
    Pair("torch", "PyTorch fused", "rastrigin10-adam", None),
    Pair("scipy", "SciPy CG", "himmelblau-to-1e-6", 500.0, STARTS, unit=US),
    Pair("scipy", "SciPy CG; fastgd 1 thread", "himmelblau-to-1e-6", None, {**STARTS, **ONE}, unit=US),
    Pair(
        "scipy", "SciPy CG; fastgd: the same", "himmelblau-scipy-cg-to-1e-6", None,
        theirs={"case": "himmelblau-to-1e-6"}, unit=US,
    ),
    Pair(
        "scipy", "SciPy CG, compiled functions", "himmelblau-cg-to-1e-8", 300.0,
        theirs={"case": "himmelblau-compiled-to-1e-8"}, unit=US,
    ),
    Pair("scaling", "fastgd, 1 thread", TOLERANCE, 1.7, theirs=ONE),
]
GROUPS = tuple(dict.fromkeys(pair.group for pair in PAIRS))


def measure(
    groups: set[str], rounds: int, quick: bool, folder: Path, say: Callable[[str], None]
) -> list[Row]:
    """A row for each pair of the chosen groups."""
    pairs = [pair for pair in PAIRS if pair.group in groups]
    rows = [Row(pair.case, pair.peer, pair.unit[0], target=pair.target) for pair in pairs]
    if not pairs:
        return rows
    with ExitStack() as stack:
        fastgd = started(stack, "ours.py", "--serve")
        peers: dict[str, Callable[..., float] | str] = {}
        for group in dict.fromkeys(pair.group for pair in pairs):
            peers[group] = peer_of(group, fastgd, stack, folder)
        for turn in range(rounds):
            for pair, row in zip(pairs, rows, strict=True):
                peer = peers[pair.group]
                if isinstance(peer, str):
                    row.missing = peer
                elif turn < pair.rounds:
                    say(f"round {turn + 1} of {rounds}: {pair.case}, {pair.peer}")
                    size = {"runs": 1 << 14} if quick and pair.case == TOLERANCE else {}
                    scale = pair.unit[1]
                    theirs = {"case": pair.case, "repeats": pair.repeats, **size, **pair.theirs}
                    row.peers.append(scale * peer(**theirs))
                    ours = {"case": pair.case, "repeats": pair.repeats, **size, **pair.ours}
                    row.ours.append(scale * each(fastgd.ask(**ours)))
    return rows


def each(answer: dict[str, float]) -> float:
    """Seconds for one step, or one start."""
    return answer["seconds"] / answer["work"]


def peer_of(group: str, fastgd: Server, stack: ExitStack, folder: Path) -> Callable[..., float] | str:
    """What answers a request with seconds per step; or why there is no such thing here."""
    if group == "ceiling":
        try:
            ceiling = Ceiling(folder)
        except FileNotFoundError as error:
            return str(error)
        return lambda case, repeats: 1e-9 * ceiling.nanoseconds(case, repeats)
    if group == "scaling":
        if cores() < 2:
            return "this machine has one core"
        return lambda **request: each(fastgd.ask(**request))
    absent = [name for name in NEEDS[group] if importlib.util.find_spec(name) is None]
    if absent:
        return f"{' and '.join(absent)} not installed"
    server = started(stack, "peers.py", "--serve", group)
    return lambda **request: each(server.ask(**request))
