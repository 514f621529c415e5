"""The contract a model carries: what it hears, what it answers, and where it came from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from timbre.errors import TimbreError

METADATA_KEY = "timbre"
"""Key of the contract in the metadata of ``model.onnx``."""

MODEL_NAME = "timbre"
"""Name of the model in the registry and in answers."""

DEFAULT_MODEL = f"models:/{MODEL_NAME}@production"
"""What is asked or served if no model is named."""

FORMAT = 1
"""Version of the contract's own layout; raised when a reader of the old layout would misread the new one."""


class ContractError(TimbreError):
    """A contract is missing a field, has one of the wrong type, or is of a newer format."""


@dataclass(frozen=True, kw_only=True)
class ModelContract:
    """What any caller must know to use a model file, and nothing about how the model works inside.

    Attributes:
        sample_rate: rate of the waveform input, in Hz.
        clip_seconds: length of the waveform input, in seconds.
        labels: genres in the order of the probabilities; at least two, all different.
        version: name of the training run the model comes from, unique and sortable by time.
        lineage: git sha, data manifest sha256, configuration sha256, run id, parity of the export.
    """

    sample_rate: int
    clip_seconds: float
    labels: tuple[str, ...]
    version: str
    lineage: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.sample_rate <= 0 or self.clip_seconds <= 0:
            raise ContractError(
                f"a contract needs a positive rate and length, not {self.sample_rate} Hz and {self.clip_seconds} s"
            )
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ContractError(f"a contract needs at least two different labels, not {list(self.labels)}")

    @property
    def clip_samples(self) -> int:
        """Length of the waveform input, in samples."""
        return round(self.sample_rate * self.clip_seconds)

    def to_json(self) -> str:
        """The contract as JSON with sorted keys, so that equal contracts are equal text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelContract":
        """Read what `to_json` wrote.

        Raises:
            ContractError: if the text is not such a contract.
        """
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise ContractError(
                    f"the model's contract has format {raw['format']}; this timbre reads format {FORMAT}"
                )
            return cls(
                sample_rate=int(raw["sample_rate"]),
                clip_seconds=float(raw["clip_seconds"]),
                labels=tuple(str(label) for label in raw["labels"]),
                version=str(raw["version"]),
                lineage=dict(raw["lineage"]),
            )
        except ContractError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError(f"the model's contract cannot be read: {error!r}") from error
