"""Random numbers that are a function of seed and step: Philox, permutations, seeds, mini-batches."""

from .batches import Sampling, make_sampling
from .philox import normals, philox, stream_key, unit
from .seeds import checked_seed, seeds, spawned
from .shuffle import shuffled

__all__ = [
    "Sampling", "checked_seed", "make_sampling", "normals", "philox", "seeds", "shuffled", "spawned", "stream_key",
    "unit",
]  # fmt: skip
