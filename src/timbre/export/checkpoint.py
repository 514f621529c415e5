"""A training checkpoint as export reads it: how to build the classifier, its weights, and where they come from."""

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timbre.contract import ModelContract
from timbre.errors import NoModelError, TimbreError

PREFIX = "classifier."
"""Under this name the training module keeps the classifier."""


class CheckpointError(TimbreError):
    """A file is not a checkpoint of `timbre train`."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint holds of a classifier.

    Attributes:
        classifier: plain configuration of the classifier, with `_target_`, but for its labels.
        labels: genres in the order of the probabilities.
        sample_rate: of the waveforms, in Hz.
        clip_seconds: of the waveforms.
        lineage: where the run comes from.
        weights: state of the classifier.
        sha256: of the file.
    """

    classifier: Mapping[str, Any]
    labels: tuple[str, ...]
    sample_rate: int
    clip_seconds: float
    lineage: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint; nothing in it is executed.

        Raises:
            NoModelError: if there is no file.
            CheckpointError: if it is something else.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise NoModelError(f"there is no checkpoint {path}: run `timbre train`, or give run_dir=FOLDER") from error
        try:
            with warnings.catch_warnings(action="ignore"):  # of torch, that a file of something else looks odd
                content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            plain = content["hyper_parameters"]
            weights = {
                name.removeprefix(PREFIX): tensor
                for name, tensor in content["state_dict"].items()
                if name.startswith(PREFIX)
            }
            if not weights:
                raise KeyError(PREFIX)
            return cls(
                classifier=dict(plain["classifier"]),
                labels=tuple(plain["labels"]),
                sample_rate=int(plain["contract"]["sample_rate"]),
                clip_seconds=float(plain["contract"]["clip_seconds"]),
                lineage=dict(plain["lineage"]),
                weights=weights,
                sha256=hashlib.sha256(data).hexdigest(),
            )
        except (
            pickle.UnpicklingError,
            RuntimeError,
            EOFError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise CheckpointError(f"{path} is not a checkpoint of `timbre train`") from error

    def contract(self, *, version: str) -> ModelContract:
        """The contract of the model that comes of it."""
        return ModelContract(
            sample_rate=self.sample_rate,
            clip_seconds=self.clip_seconds,
            labels=self.labels,
            version=version,
            lineage={**self.lineage, "checkpoint_sha256": self.sha256},
        )
