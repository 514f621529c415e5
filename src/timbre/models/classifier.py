"""The thing that is trained, exported and shipped: front end, backbone, head and calibration in one module.

Shapes: B examples, T samples, C channels, H rows, W columns, D numbers of the embedding, G genres.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from timbre.features import Frontend
from timbre.models.seed_cnn import glorot


class Backbone(Protocol):
    """A module from image [B, C, H, W] to embedding [B, `embedding_size`]."""

    embedding_size: int

    def __call__(self, image_BCHW: Tensor) -> Tensor:
        """Image [B, C, H, W] -> embedding [B, D]."""
        ...


class Classifier(nn.Module):
    """Waveform [B, T] -> calibrated probabilities [B, G] and embedding [B, D].

    Training calls the stages itself (`frontend`, augmentation, `logits`); whoever only wants answers calls the module.

    Args:
        frontend: waveform -> image.
        backbone: image -> embedding; its `embedding_size` tells how long.
        labels: genres in the order of the probabilities.
    """

    temperature: Tensor

    def __init__(self, frontend: Frontend, backbone: Backbone, *, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.frontend = frontend
        self.backbone = backbone
        self.head = nn.Linear(backbone.embedding_size, len(self.labels))
        glorot(self.head)
        # Logits are divided by it; found on the validation set, saved with the weights, 1 until then.
        self.register_buffer("temperature", torch.ones(()))

    def logits(self, image_BCHW: Tensor) -> Tensor:
        """Image [B, C, H, W] -> logits [B, G], not calibrated: what the loss wants."""
        logits_BG: Tensor = self.head(self.backbone(image_BCHW))
        return logits_BG

    def answer(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Image [B, C, H, W] -> calibrated probabilities [B, G] and embedding [B, D]."""
        embedding_BD = self.backbone(image_BCHW)
        return torch.softmax(self.head(embedding_BD) / self.temperature, dim=-1), embedding_BD

    def forward(self, waveform_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Waveform [B, T] -> calibrated probabilities [B, G] and embedding [B, D]."""
        return self.answer(self.frontend(waveform_BT))
