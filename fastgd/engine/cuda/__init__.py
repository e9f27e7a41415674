"""The GPU target: one thread a run, in launches of some tens of steps, with the survivors moved together between."""

from .about import description
from .job import run

__all__ = ["description", "run"]
