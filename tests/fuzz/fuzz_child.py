"""Compares compiled programs with plain Python, in a process of its own: ``fuzz_child.py TASK.json FOUND.json``.

Each program is run in a fork of the process that compiled it, so a crash is that program's and ends no other.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_programs import DATA, DIM, Program, module, program_at
from fuzz_reference import Reference, judged

import fastgd as gd
from fastgd.jit import targets

HEAD = "import math\n\nimport numba\nimport numpy as np\n\n"
RATE = 0.25
SECONDS = 60


def points() -> np.ndarray:
    """Points inside and around the box, at integers and zeros, and far out; more than one vector of lanes."""
    rng = np.random.default_rng(3)
    special = [
        [0, 0, 0], [1, 2, 3], [-1, -2, -3], [2, 0, -1], [-0.0, 0.5, 1], [0.5, 0.5, 0.5], [3, 1, 2], [-3, 4, 0.25],
        [1e3, -1e3, 1], [1e9, 2, -1e9], [1e-9, -1e-9, 0], [-2, 2, -2], [4, 7, 50.5], [-5.5, 0.1, 100.0],
    ]  # fmt: skip
    return np.vstack([np.array(special, dtype=float), rng.uniform(-3, 3, (9, DIM))])


POINTS = points()


def loaded(text: str, folder: Path, name: str) -> dict[str, Any]:
    """Run a source that lies in a file, where Numba and the derivation find it."""
    file = folder / f"{name}.py"
    file.write_text(HEAD + text)
    names: dict[str, Any] = {"__name__": name}
    exec(compile(file.read_text(), str(file), "exec"), names)
    return names


def apart(work: Callable[[], Any], seconds: int = SECONDS) -> tuple[str, Any]:
    """Do some work in a fork: ("done", what it returns), ("raised", the error), or ("ended", how the fork died)."""
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        signal.alarm(seconds)
        try:
            answer = "done", work()
        except BaseException as error:
            answer = "raised", f"{type(error).__name__}: {str(error)[:400]}"
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        sent = pipe.read()
    _, status = os.waitpid(pid, 0)
    if sent:
        return pickle.loads(sent)
    return "ended", signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {status}"


def each_point(call: Callable[[np.ndarray], np.ndarray]) -> list[Any]:
    """What `call` gives at every point: all at once, and where that raises one by one, None for what raised."""
    try:
        return list(call(POINTS))
    except (ArithmeticError, ValueError, IndexError):
        found: list[Any] = []
        for point in POINTS:
            try:
                found.append(call(point[None])[0])
            except (ArithmeticError, ValueError, IndexError):
                found.append(None)
        return found


class Batch:
    """Programs in one module, compiled together."""

    def __init__(self, text: str, folder: Path, name: str) -> None:
        names = loaded(text, folder, name)
        data = eval(DATA, {"np": np})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.problem = gd.Problem(names["fun"], names["grad"], dim=DIM, bounds=(-3, 3), data=(0, *data))
        self.data = self.problem.data[1:]
        self.minimized = False

    def compile(self, minimized: bool) -> str:
        """Compile what will be compared; returns why it is not for lanes, or "" where it is."""
        before = dict(targets.REFUSED)
        self.problem.value(POINTS)
        self.problem.gradient(POINTS)
        if minimized:
            self.step()
            self.minimized = True
        return "; ".join(reason for key, reason in targets.REFUSED.items() if key not in before)

    def step(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ended = gd.minimize(
                self.problem, POINTS, gd.GradientDescent(lr=RATE), max_steps=1, gtol=None, bound=1e300, threads=1
            )
        return ended.x, ended.fun, ended.status

    def results(self, number: int) -> dict[str, Any]:
        """Value, gradient and one step of the program of a number."""
        self.problem.data = (number, *self.data)
        found = {"fun": each_point(self.problem.value), "grad": each_point(self.problem.gradient)}
        if self.minimized:
            found["step"] = self.step()
        return found


def compare(found: dict[str, Any], reference: Reference) -> list[str]:
    """Return what differs from plain Python."""
    wrong = []
    for name in ("fun", "grad"):
        for point, value in zip(POINTS, found.get(name, [None] * len(POINTS)), strict=True):
            number = None if value is None else np.atleast_1d(value)
            if name in found and (told := judged(number, reference.answers(name, point.tolist()))):
                wrong.append(f"{name} at {point.tolist()}: {told}")
    if "step" in found:
        wrong += compare_step(*found["step"], reference)
    return wrong


def compare_step(x: np.ndarray, value: np.ndarray, status: np.ndarray, reference: Reference) -> list[str]:
    """Return what differs from plain Python after one step."""
    wrong = []
    for k, point in enumerate(POINTS):
        slopes = reference.answers("grad", point.tolist())
        if not slopes or not all(each.stable for each in slopes):
            continue
        diverged = status[k] == 3
        slope = np.full(DIM, np.nan) if diverged else (point - x[k]) / RATE
        if not diverged:  # the point itself was rounded
            slopes = [
                each if each.value is None else type(each)(
                    each.value, each.margin + 8e-16 * (np.abs(point) + np.abs(each.value)), each.wide, True, ""
                )
                for each in slopes
            ]  # fmt: skip
        elif any(each.value is not None and not np.abs(each.value).max() <= 1e290 for each in slopes):
            continue  # a component that is NaN or too large ends the run as diverged, whatever the others are
        answers = reference.answers("fun", x[k].tolist())
        undefined = any(each.value is None or not np.isfinite(each.value).all() or each.wide for each in answers)
        if not (diverged and (undefined or not answers)) and (told := judged(slope, slopes)):
            wrong.append(f"step from {point.tolist()} (status {status[k]}): gradient {told}")
        if not diverged and (told := judged(np.atleast_1d(value[k]), answers)):
            wrong.append(f"value after a step from {point.tolist()} (status {status[k]}) at {x[k].tolist()}: {told}")
    return wrong


def alone(program: Program, folder: Path, name: str) -> dict[str, Any]:
    """A program as a problem of its own, with everything that checks one when it is made."""
    names = loaded(program.source(), folder, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem = gd.Problem(names["fun"], names["grad"], dim=DIM, bounds=(-3, 3), data=eval(DATA, {"np": np}))
        return {"fun": each_point(problem.value), "grad": each_point(problem.gradient)}


def derived(program: Program, folder: Path, name: str) -> list[str]:
    """Compare a derived gradient, compiled and not, with differences of the function in plain Python."""
    names = loaded(program.source(), folder, name)
    data = eval(DATA, {"np": np})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem = gd.Problem(names["fun"], dim=DIM, bounds=(-3, 3), data=data)
        problem.gradient(POINTS[-1])  # here it is refused where it cannot be derived
        compiled = each_point(problem.gradient)
    reference, wrong = Reference(program.source(), data), []
    for point, found in zip(POINTS, compiled, strict=True):
        slope = differences(reference, point)
        if slope is None:
            continue
        value, margin = slope
        if found is None or not (np.abs(found - value) <= margin).all():
            told = "raised" if found is None else found.tolist()
            wrong.append(f"derived gradient at {point.tolist()}: compiled {told}; differences {value.tolist()}")
    return wrong


def differences(reference: Reference, point: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Central differences and their error; None where the function is not smooth or does not tell."""
    slopes, margins = [], []
    for k in range(DIM):
        row = []
        for h in (1e-3, 5e-4, 2.5e-4):
            sides = []
            for sign in (1, 0, -1):
                moved = point.tolist()
                moved[k] += sign * h
                answers = reference.answers("fun", moved)
                told = {None if a.value is None else float(a.value[0]) for a in answers if a.stable}
                if len(answers) == 0 or len(told) != 1 or None in told or not all(a.stable for a in answers):
                    return None
                sides.append(told.pop())
            right, middle, left = sides
            scale = max(abs(right - left), abs(right - middle), abs(middle - left))
            one_sided = abs((right - middle) - (middle - left))
            if not np.isfinite(scale) or one_sided > 0.05 * scale + 1e-9 * abs(middle) * h:
                return None
            row.append((right - left) / (2 * h))
        first, second, third = row
        best = third + (third - second) / 3
        change = abs(third - second)
        if change > 1e-4 * (abs(third) + 1e-3) or abs(second - first) > 8 * change + 1e-8 * (abs(third) + 1.0):
            return None
        slopes.append(best)
        margins.append(20 * change + 1e-10 / 2.5e-4 * max(1e-6, abs(middle)) + 1e-9 * abs(best) + 1e-12)
    return np.array(slopes), np.array(margins)


def checked(program: Program, outcome: tuple[str, Any], reference: Reference) -> tuple[str, list[str]]:
    """What became of a program: "agrees", "differs", "refused" or "crashed", and the words for it."""
    kind, found = outcome
    if kind == "ended":
        return "crashed", [f"the process ended by {found}"]
    if kind == "raised":
        return "refused", [str(found)]
    if isinstance(found, list):
        wrong = found
    else:
        wrong = compare(found, reference)
    return ("differs", wrong) if wrong else ("agrees", [])


class Task:
    """What a child is asked to do, and what it has found so far."""

    def __init__(self, task: dict[str, Any], found: Path) -> None:
        self.programs = [Program(**each) for each in task["programs"]]
        self.ways, self.number, self.file = task["ways"], task["number"], found
        self.folder = Path(task["folder"])
        self.found: list[dict[str, Any]] = []

    def tell(self, k: int, way: str, outcome: str, words: list[str]) -> None:
        self.found.append({"program": k, "way": way, "outcome": outcome, "words": words})
        self.file.write_text(json.dumps(self.found))

    def run(self) -> None:
        data = eval(DATA, {"np": np})
        references = [Reference(program.source(), data) for program in self.programs]
        for way in self.ways:
            if way in ("lanes", "scalar", "minimized"):
                self.batch(list(range(len(self.programs))), way, references)
                continue
            for k, program in enumerate(self.programs):
                name = f"program_{self.number}_{k}_{way}"
                if way == "derived":
                    outcome = apart(lambda p=program, m=name: derived(p, self.folder, m))
                else:
                    outcome = apart(lambda p=program, m=name: alone(p, self.folder, m))
                self.tell(k, way, *checked(program, outcome, references[k]))

    def batch(self, chosen: list[int], way: str, references: list[Reference]) -> None:
        """Compile some programs together and compare each; where one is refused, the others without it."""
        tag = f"{self.number}_{way}_{len(self.found)}"
        text = module([self.programs[k] for k in chosen], way == "scalar")
        began = time.monotonic()
        try:
            batch = Batch(text, self.folder, tag)
            refused = batch.compile(way == "minimized")
            error = "" if all(self.programs[k].scalar for k in chosen) or way == "scalar" else refused
        except Exception as failed:
            batch, error = None, f"{type(failed).__name__}: {failed}"
        sys.stdout.write(f"{tag}: {len(chosen)} programs in {time.monotonic() - began:.1f} s {error[:200]}\n")
        sys.stdout.flush()
        if error and len(chosen) > 1:
            places = [int(line) for line in re.findall(rf"{tag}\.py\", line (\d+)", error)]
            culprits = {number for line in places if (number := program_at(HEAD + text, line))}
            if culprits and len(culprits) < len(chosen):
                parts = [[chosen[k - 1]] for k in culprits]
                parts.append([k for number, k in enumerate(chosen, start=1) if number not in culprits])
            else:
                parts = [chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]]
            for part in parts:
                self.batch(part, way, references)
            return
        if batch is None:
            self.tell(chosen[0], way, "refused", [error[:800]])
            return
        for position, k in enumerate(chosen, start=1):
            outcome = apart(lambda p=position: batch.results(p))
            kind, words = checked(self.programs[k], outcome, references[k])
            if kind == "agrees" and error and not self.programs[k].scalar:
                kind, words = "not in lanes", [error]
            self.tell(k, way, kind, words)


if __name__ == "__main__":
    Task(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])).run()
