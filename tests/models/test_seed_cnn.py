"""The seed's CNN, layer by layer."""

import itertools
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from timbre.models import SeedCNN


@pytest.fixture
def backbone(root: Path) -> SeedCNN:
    conf = OmegaConf.load(root / "conf" / "model" / "seed_cnn.yaml")
    return instantiate(OmegaConf.create({"features": {"image_size": 128}, "model": conf}).model)


def test_it_has_the_parameters_of_the_closed_formula(backbone: SeedCNN) -> None:
    widths = [3, 32, 64, 128, 256]
    convolutions = sum(9 * before * after + after for before, after in itertools.pairwise(widths))
    side = 128 // 2**4
    dense = side * side * 256 * 512 + 512 + 512 * 256 + 256
    assert sum(p.numel() for p in backbone.parameters()) == convolutions + dense
    assert backbone.embedding_size == 256


def test_it_is_the_seeds_chain_of_layers(backbone: SeedCNN) -> None:
    block = [nn.Conv2d, nn.MaxPool2d, nn.ReLU, nn.Dropout]  # ReLU and maximum may trade places: both only grow
    assert [type(layer) for layer in backbone.convolutions] == block * 4
    assert [type(layer) for layer in backbone.dense] == [nn.Flatten, *[nn.Linear, nn.ReLU, nn.Dropout] * 2]
    dropouts = [layer.p for layer in backbone.modules() if isinstance(layer, nn.Dropout)]
    assert dropouts == [0.25, 0.25, 0.3, 0.3, 0.5, 0.5]
    kernels = {layer.kernel_size for layer in backbone.modules() if isinstance(layer, nn.Conv2d)}
    assert kernels == {(3, 3)}


def test_image_to_embedding(backbone: SeedCNN) -> None:
    backbone.eval()
    image = torch.rand(3, 3, 128, 128)
    embedding = backbone(image)
    assert embedding.shape == (3, 256)
    assert embedding.min() >= 0  # a ReLU's
    torch.testing.assert_close(backbone(image[1:2])[0], embedding[1])


def test_weights_start_as_glorot_says(backbone: SeedCNN) -> None:
    first = backbone.convolutions[0]
    limit = (6 / (9 * 3 + 9 * 32)) ** 0.5
    assert first.weight.abs().max() <= limit
    assert first.weight.abs().max() > 0.95 * limit
    assert all(p.count_nonzero() == 0 for name, p in backbone.named_parameters() if name.endswith("bias"))


def test_every_weight_learns(backbone: SeedCNN) -> None:
    backbone(torch.rand(4, 3, 128, 128)).square().sum().backward()
    assert all(p.grad is not None and p.grad.count_nonzero() > 0 for p in backbone.parameters())
