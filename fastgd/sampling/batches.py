"""What is drawn for each step: the settings of mini-batches and noise, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgd.boxes import as_array, real_array
from fastgd.checks import is_whole, past_int64, shown

from .seeds import checked_seed
from .shuffle import rounds_for

__all__ = ["Sampling", "make_sampling", "steps_between_looks"]

MOST = 2**31 - 1  # samples, and samples in a batch
# What a kernel draws by, in this order: `Sampling.numbers`, then the seeds and batch sizes of the runs, and the order
# in which runs are dealt out where seeds repeat.
LOOKS, BATCH, SAMPLES, ROUNDS, SHARED_SEED, SEEDS, SIZES, ORDER = range(8)
EPOCHS = 10  # between two looks at the full gradient, so that they cost a tenth of the steps


@dataclass(frozen=True, eq=False)
class Sampling:
    """How the gradient of a step is drawn."""

    samples: int
    batch_size: int | np.ndarray | None  # None: all samples at each step
    replace: bool
    shuffle: bool
    noise: float | np.ndarray | None
    shared: int | None  # the seed of the batches, where all runs see the same ones
    every: int  # steps between two looks; 0: as each run's batch size has it, see `steps_between_looks`

    @property
    def own_sizes(self) -> bool:
        """Whether the batch size differs from run to run."""
        return isinstance(self.batch_size, np.ndarray)

    @property
    def for_all(self) -> bool:
        """Whether all runs see the same batches."""
        in_order = self.batch_size is not None and not self.shuffle and not self.own_sizes
        return in_order or self.shared is not None

    @property
    def features(self) -> tuple[bool, ...]:
        """What a kernel depends on: batches, replace, shuffle, noise, shared batches, batch sizes of the runs' own."""
        batches, noisy = self.batch_size is not None, self.noise is not None
        return batches, self.replace, self.shuffle, noisy, self.for_all, self.own_sizes

    @property
    def numbers(self) -> tuple[int, ...]:
        """What a kernel is given, from `LOOKS` to `SHARED_SEED`."""
        size = self.batch_size if isinstance(self.batch_size, int) else 0
        return self.every, size, self.samples, rounds_for(self.samples), self.shared or 0


def steps_between_looks(samples: int, size: int) -> int:
    """The least power of two of steps in which a run sees as many samples as `EPOCHS` looks take.

    Runs of different sizes then look at the same steps, or at some of the others'.  For compiled code too.
    """
    every = 1
    while every * size < EPOCHS * samples:
        every *= 2
    return every


def make_sampling(
    samples: int | None,
    batch_size: Any,
    replace: Any,
    shuffle: Any,
    noise: Any,
    shared_batches: Any,
    check_every: Any,
    seed: Any,
) -> Sampling | None:
    """Check what `fastgd.minimize` was given; None where nothing is drawn and every step is looked at.

    `samples` is None where the problem is no sum over samples.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what came and what was expected.
    """
    for name, flag in (("replace", replace), ("shuffle", shuffle)):
        if not isinstance(flag, (bool, np.bool_)):
            raise TypeError(f"{name} must be True or False, got {flag!r}")
    size = None if batch_size is None else checked_size(batch_size, samples, bool(replace))
    if size is None:
        for name, given in (
            ("replace", replace),
            ("shuffle", not shuffle),
            ("shared_batches", shared_batches is not False),
        ):
            if given:
                raise ValueError(f"{name} is about mini-batches: give batch_size too, as in batch_size=32")
    elif replace and not shuffle:
        raise ValueError(
            "shuffle=False goes through the samples in order, and replace=True draws them: give one of them"
        )
    shared = checked_shared(shared_batches, size, seed)
    scale = checked_noise(noise)
    every = checked_every(check_every, samples, size)
    if size is None and scale is None and every == 1:
        return None
    return Sampling(samples or 1, size, bool(replace), bool(shuffle), scale, shared, every)


def checked_size(batch_size: Any, samples: int | None, replace: bool) -> int | np.ndarray:
    if samples is None:
        raise TypeError(
            "batch_size needs a problem that is a mean over samples: write it as "
            "fastgd.FiniteSum(loss, grad, data=..., dim=...)"
        )
    sizes = as_array(batch_size, "batch_size")
    if not np.issubdtype(sizes.dtype, np.integer) or (sizes < 1).any():
        hint = ""
        if np.issubdtype(sizes.dtype, np.floating) and (sizes >= 1).all() and (sizes == np.floor(sizes)).all():
            hint = "; write np.array(...).astype(int)" if sizes.ndim else f"; write batch_size=int({float(sizes)!r})"
        raise ValueError(f"batch_size must be None, an integer >= 1 or an array of them, got {batch_size!r}{hint}")
    most = MOST if replace else samples
    if (sizes > most).any():
        hint = "" if replace else "; replace=True draws more"
        raise ValueError(f"batch_size must be at most {most}, the number of samples{hint}, got {sizes.max()}")
    return int(sizes) if sizes.ndim == 0 else sizes.astype(np.int64)


def checked_shared(shared: Any, size: int | np.ndarray | None, seed: Any) -> int | None:
    if shared is False or size is None:
        return None
    if isinstance(size, np.ndarray):
        raise ValueError(f"shared_batches needs one batch_size for all runs, got an array of shape {size.shape}")
    try:
        number = checked_seed(seed if shared is True else shared)
    except ValueError:
        raise ValueError(
            f"shared_batches must be True, False or the seed of the batches, an integer >= 0, got {shared!r}"
        ) from None
    if number.ndim:
        raise ValueError(
            "shared_batches=True draws the batches of all runs by `seed`, which must be one integer then, got an array "
            f"of shape {number.shape}; give the seed of the batches instead, as in shared_batches=0"
        )
    return int(number)


def checked_noise(noise: Any) -> float | np.ndarray | None:
    numbers = real_array(noise, "noise")
    good = np.isfinite(numbers) & (numbers >= 0)
    if not good.all():
        raise ValueError(
            f"noise must be a standard deviation >= 0, or an array of them, got {numbers[~good].flat[0]:g}"
        )
    if numbers.ndim == 0:
        return float(numbers) or None
    return numbers


def checked_every(every: Any, samples: int | None, size: int | np.ndarray | None) -> int:
    if every is None:
        if size is None or samples is None:
            return 1
        return 0 if isinstance(size, np.ndarray) else steps_between_looks(samples, size)
    if not is_whole(every):
        raise ValueError(f"check_every must be None or an integer >= 1, got {shown(every)}{past_int64(every)}")
    return int(every)
