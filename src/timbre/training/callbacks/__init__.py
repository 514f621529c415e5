"""What goes on around the training step, one file each."""

from timbre.training.callbacks.checkpoint import RunCheckpoint
from timbre.training.callbacks.finite import FiniteLoss
from timbre.training.callbacks.history import History
from timbre.training.callbacks.shares import TimeShares

__all__ = ["FiniteLoss", "History", "RunCheckpoint", "TimeShares"]
