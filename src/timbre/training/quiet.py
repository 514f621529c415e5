"""Lightning's tips and warnings that are not the user's concern: a list of them, and nothing else, is not shown."""

import logging
import warnings

MESSAGES = (
    "Tip: For seamless",
    "GPU available:",
    "TPU available:",
    "HPU available:",
    "`Trainer.fit` stopped: `max_epochs=",
    "Detected KeyboardInterrupt",
    "[rank: 0] Received SIGTERM",
    "Restoring states from the checkpoint",
    "Restored all states from the checkpoint",
    "Using bfloat16 Automatic Mixed Precision",
    "LOCAL_RANK:",
    "Loading `train_dataloader` to estimate",
    "=1.0)` was configured so 100% of the batches",
)
"""Starts of log messages that say what the command says itself, or advertise."""

WARNINGS = (
    # The seed's loader reads memory-mapped arrays: more processes are a knob, not a fault.
    r".*does not have many workers.*",
    # Batches of two splits differ in size; the size is passed to every log call where it matters.
    r".*number of training batches .* is smaller than the logging interval.*",
    # Resuming in place writes into a folder with checkpoints: that is what it means.
    r"Checkpoint directory .* exists and is not empty.*",
    # Validation metrics are computed from the gathered split, so they are equal in all processes.
    r"It is recommended to use `self.log\(.*, sync_dist=True\)`.*",
    # Lightning 2.6 and torch 2.11, between themselves.
    r".*isinstance\(treespec, LeafSpec\).*",
    # trainer=cpu on a machine with a GPU: the command says so itself.
    r"GPU available but not used.*",
)
"""Warnings, as regular expressions."""

LOGGERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")


def quiet_lightning() -> None:
    """Hide the messages above from now on."""
    for pattern in WARNINGS:
        warnings.filterwarnings("ignore", message=pattern)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(LOGGERS):
            logging.getLogger(name).addFilter(_concerns_the_user)


def _concerns_the_user(record: logging.LogRecord) -> bool:
    text = record.getMessage().strip()
    return not any(message in text[:80] for message in MESSAGES)
