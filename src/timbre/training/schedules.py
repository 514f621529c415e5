"""How the learning rate goes through a run: share of the run done -> share of the optimiser's learning rate."""

import math


class Constant:
    """The optimiser's learning rate throughout."""

    def __call__(self, done: float) -> float:
        """The same share at every moment."""
        return 1.0


class WarmupCosine:
    """Up in a line, then down along half a cosine.

    Args:
        warmup: share of the run until the learning rate is reached.
        final: share of the learning rate that is left at the end.
    """

    def __init__(self, *, warmup: float, final: float) -> None:
        self.warmup = warmup
        self.final = final

    def __call__(self, done: float) -> float:
        """`done` in 0..1; never zero at the start, where a step would be wasted."""
        if done < self.warmup:
            return self.final + (1.0 - self.final) * done / self.warmup
        falling = min(1.0, (done - self.warmup) / max(1.0 - self.warmup, 1e-9))
        return self.final + (1.0 - self.final) * (1.0 + math.cos(math.pi * falling)) / 2.0
