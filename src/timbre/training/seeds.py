"""Seeds for every place and moment that rolls dice, all derived from the run's one seed.

Nothing random is carried from step to step, so a run that stops after any epoch and goes on is the run that never
stopped.
"""

from enum import IntEnum

import numpy as np

from timbre.training.errors import TrainingError

SEED_END = 2**63


class Stream(IntEnum):
    """Who rolls: two streams of one seed have nothing in common."""

    SHUFFLE = 0
    AUGMENT = 1
    DROPOUT = 2


def check_seed(seed: object) -> None:
    """Refuse what no dice can start from.

    Raises:
        TrainingError: if it is not a whole number from 0 to 2^63 - 1.
    """
    if not isinstance(seed, int) or not 0 <= seed < SEED_END:
        raise TrainingError(f"seed={seed} is no seed: give a whole number from 0 to 2^63 - 1")


def derive(seed: int, stream: Stream, *position: int) -> int:
    """A 63-bit seed for one place in training, such as (epoch, batch, rank)."""
    high, low = np.random.SeedSequence((seed, stream, *position)).generate_state(2).tolist()
    return int(high << 31 ^ low)
