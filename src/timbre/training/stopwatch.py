"""Time as the device sees it: CUDA events on a GPU, whose work is queued and outlives the call, the clock elsewhere."""

import time
from typing import TypeAlias

import torch

Moment: TypeAlias = float | torch.Event


class Stopwatch:
    """Takes moments on a device's timeline and tells the seconds between two of them."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def now(self) -> Moment:
        """A moment: on a GPU the one when all work queued so far is done, taken without waiting for it."""
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.Event(self.device, enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def settle(self) -> None:
        """Wait until every moment taken lies in the past; `seconds` needs it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, start: Moment, end: Moment) -> float:
        """Seconds from one moment to a later one."""
        if isinstance(start, float) and isinstance(end, float):
            return end - start
        assert isinstance(start, torch.Event)
        assert isinstance(end, torch.Event)
        return float(start.elapsed_time(end)) / 1000.0
