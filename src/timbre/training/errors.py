"""What can go wrong in training that the user can put right."""

from pathlib import Path

from timbre.errors import TimbreError


class TrainingError(TimbreError):
    """The data, the checkpoint or the settings do not allow training to start or go on."""


class TrainingInterruptedError(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended training; the text says after how many epochs.

    Attributes:
        epochs: finished epochs.
        last: the checkpoint of the last of them, or None if there is none yet.
    """

    def __init__(self, *, epochs: int, last: Path | None) -> None:
        super().__init__(f"training was interrupted after {epochs} finished epochs")
        self.epochs = epochs
        self.last = last
