"""The seed's CNN: four convolutions, two dense layers.

Shapes: B examples, C channels, H rows, W columns, D numbers of the embedding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from timbre.errors import TimbreError
from timbre.features import CHANNELS


class BackboneError(TimbreError):
    """A backbone cannot be built with these parameters."""


class SeedCNN(nn.Module):
    """Image [B, 3, image_size, image_size] -> embedding [B, D], the last hidden layer.

    Each block is a 3x3 convolution that keeps the size, ReLU, 2x2 max-pooling and dropout; then each dense layer is
    followed by ReLU and dropout. Weights start as in the seed (Glorot uniform, zero biases).

    Args:
        image_size: height and width of the image.
        filters: filters of each convolution.
        conv_dropouts: dropout after each convolution.
        hidden_units: units of each dense layer; the last is the size of the embedding.
        dense_dropout: dropout after each dense layer.

    Raises:
        BackboneError: if a list is empty, holds what is no size, or the lists do not fit together.
    """

    def __init__(
        self,
        *,
        image_size: int,
        filters: Sequence[int],
        conv_dropouts: Sequence[float],
        hidden_units: Sequence[int],
        dense_dropout: float,
    ) -> None:
        super().__init__()
        sizes = [*filters, *hidden_units]
        if not filters or not hidden_units or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise BackboneError(f"filters {filters} and hidden_units {hidden_units} must be lists of positive numbers")
        if len(conv_dropouts) != len(filters):
            raise BackboneError(f"{len(filters)} convolutions want as many conv_dropouts, not {conv_dropouts}")
        blocks: list[nn.Module] = []
        channels = CHANNELS
        for width, dropout in zip(filters, conv_dropouts, strict=True):
            # Pooling first: ReLU of the maximum is the maximum of the ReLUs, at a quarter of the work.
            blocks += [nn.Conv2d(channels, width, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(dropout)]
            channels = width
        # Channels innermost: a training step on a CPU takes about half the time.
        innermost = torch.channels_last
        self.convolutions = nn.Sequential(*blocks).to(memory_format=innermost)  # type: ignore[call-overload]  # untyped

        layers: list[nn.Module] = [nn.Flatten()]
        units = channels * (image_size // 2 ** len(filters)) ** 2
        for width in hidden_units:
            layers += [nn.Linear(units, width), nn.ReLU(), nn.Dropout(dense_dropout)]
            units = width
        self.dense = nn.Sequential(*layers)
        self.embedding_size = units
        self.apply(glorot)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Image [B, C, H, W] -> embedding [B, D]."""
        embedding_BD: Tensor = self.dense(self.convolutions(image_BCHW))
        return embedding_BD


def glorot(module: nn.Module) -> None:
    """Start a layer as Keras does: Glorot uniform weights, zero biases."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
