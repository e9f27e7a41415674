"""Build and run the hand-written C that the engine is measured against."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "peers" / "ceiling.c"
FLAGS = ["-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno"]
# A gcc older than the processor does not use its AVX-512 under -march=native.
WIDE = ["-march=sapphirerapids", "-mprefer-vector-width=512"]


class Ceiling:
    """The program, in every build that this processor runs; a case is timed in all and the fastest counts."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("gcc") is None:
            raise FileNotFoundError("gcc is not installed")
        self.programs = [build(folder / "native", [])]
        flags = Path("/proc/cpuinfo")
        if flags.exists() and "avx512f" in flags.read_text():
            self.programs.append(build(folder / "wide", WIDE))
        runs = [
            subprocess.run([p, "himmelblau-adam", "1"], capture_output=True, check=False)
            for p in self.programs
        ]
        self.programs = [p for p, run in zip(self.programs, runs, strict=True) if run.returncode == 0]
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


def build(program: Path, more: list[str]) -> Path:
    command = ["gcc", *FLAGS, *more, str(SOURCE), "-o", str(program), "-lmvec", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FileNotFoundError(f"gcc cannot build ceiling.c: {done.stderr.strip().splitlines()[-1]}")
    return program
