"""Build the hand-written C that the engine is measured against, and run the ceiling."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PEERS = Path(__file__).parent.parent / "peers"
FLAGS = ["-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno"]
# A gcc older than the processor does not use its AVX-512 under -march=native.
WIDE = ["-march=sapphirerapids", "-mprefer-vector-width=512"]


class Ceiling:
    """The program, in every build that this processor runs; a case is timed in all and the fastest counts."""

    def __init__(self, folder: Path) -> None:
        programs = builds("ceiling.c", folder)
        runs = [subprocess.run([p, "himmelblau-adam", "1"], capture_output=True, check=False) for p in programs]
        self.programs = [p for p, run in zip(programs, runs, strict=True) if run.returncode == 0]
        if not self.programs:
            raise FileNotFoundError("no build of ceiling.c runs on this processor")

    def nanoseconds(self, case: str, repeats: int) -> float:
        """Nanoseconds per step of one run, the best of the repeats."""
        figures = []
        for program in self.programs:
            command = [program, case, str(repeats)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            figures.append(float(out.split()[1]))
        return min(figures)


def builds(source: str, folder: Path, *more: str) -> list[Path]:
    """A program of `peers`, compiled in every way that may be the fastest here; some may not run on this processor."""
    name, flags = Path(source).stem, Path("/proc/cpuinfo")
    made = [compiled(source, folder / f"{name}-native", *FLAGS, *more)]
    if flags.exists() and "avx512f" in flags.read_text():
        made.append(compiled(source, folder / f"{name}-wide", *FLAGS, *WIDE, *more))
    return made


def compiled(source: str, program: Path, *flags: str) -> Path:
    """A program of `peers` in one build; FileNotFoundError where there is no compiler for it."""
    if shutil.which("gcc") is None:
        raise FileNotFoundError("gcc is not installed")
    command = ["gcc", *flags, str(PEERS / source), "-o", str(program), "-lmvec", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FileNotFoundError(f"gcc cannot build {source}: {done.stderr.strip().splitlines()[-1]}")
    return program
