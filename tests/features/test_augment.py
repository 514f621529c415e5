"""Augmentation: each effect does what was rolled, and each example has dice of its own."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from timbre.features import Augment, Dice, NoAugment

EIGHT = 8


@pytest.fixture
def augment(root: Path) -> Augment:
    return instantiate(OmegaConf.load(root / "conf" / "augment" / "basic.yaml"))


def dice_of(augment: Augment, seed: int = 0, size: int = EIGHT) -> Dice:
    return augment.draw(size, torch.Generator().manual_seed(seed))


def tones() -> torch.Tensor:
    time = torch.arange(22050) / 22050
    return torch.stack([0.3 * torch.sin(2 * torch.pi * 220 * (n + 1) * time) for n in range(EIGHT)])


def rows_of(dice: Dice, rows: slice) -> Dice:
    return Dice(**{field.name: getattr(dice, field.name)[rows] for field in fields(dice)})


def quiet(dice: Dice) -> Dice:
    """The same dice with noise 200 dB down."""
    return replace(dice, snr_db=torch.full_like(dice.snr_db, 200.0))


def test_every_example_has_its_own_dice(augment: Augment) -> None:
    dice = dice_of(augment)
    for field in fields(dice):
        values = getattr(dice, field.name)
        assert len(torch.unique(values.flatten(1) if values.ndim > 1 else values, dim=0)) == EIGHT, field.name


def test_the_generator_decides_alone(augment: Augment) -> None:
    first, again, other = dice_of(augment, 1), dice_of(augment, 1), dice_of(augment, 2)
    torch.manual_seed(99)  # torch's own dice have no say
    for field in fields(first):
        assert torch.equal(getattr(first, field.name), getattr(again, field.name))
        assert not torch.equal(getattr(first, field.name), getattr(other, field.name))
    x = tones()
    assert torch.equal(augment.waveform(x, first), augment.waveform(x, again))


def test_gain_is_what_was_rolled(augment: Augment) -> None:
    dice = quiet(dice_of(augment))
    level = augment.waveform(tones(), dice).square().mean(dim=1) / tones().square().mean(dim=1)
    torch.testing.assert_close(10 * torch.log10(level), dice.gain_db, atol=1e-3, rtol=0)
    assert dice.gain_db.min() >= augment.gain_db[0]
    assert dice.gain_db.max() <= augment.gain_db[1]


def test_noise_has_the_level_that_was_rolled(augment: Augment) -> None:
    dice = dice_of(augment)
    clean, noisy = augment.waveform(tones(), quiet(dice)), augment.waveform(tones(), dice)
    snr = 10 * torch.log10(clean.square().mean(dim=1) / (noisy - clean).square().mean(dim=1))
    torch.testing.assert_close(snr, dice.snr_db, atol=0.1, rtol=0)


def test_noise_is_white_and_differs_between_examples(augment: Augment) -> None:
    x = tones()[:1].expand(EIGHT, -1)
    dice = replace(dice_of(augment), gain_db=torch.zeros(EIGHT), snr_db=torch.zeros(EIGHT))
    noise = augment.waveform(x, dice) - x
    correlation = torch.corrcoef(noise).fill_diagonal_(0)
    assert correlation.abs().max() < 0.05
    thirds = torch.fft.rfft(noise).abs().square()[:, :11025].reshape(EIGHT, 3, -1).mean(dim=2)
    torch.testing.assert_close(thirds / thirds.mean(dim=1, keepdim=True), torch.ones(EIGHT, 3), atol=0.1, rtol=0)


def test_silence_stays_silent(augment: Augment) -> None:
    assert augment.waveform(torch.zeros(EIGHT, 1000), dice_of(augment)).count_nonzero() == 0


def test_an_example_alone_as_in_company(augment: Augment) -> None:
    x, image, dice = tones(), torch.rand(EIGHT, 3, 128, 128), dice_of(augment)
    for n in range(EIGHT):
        one = slice(n, n + 1)
        assert torch.equal(augment.waveform(x[one], rows_of(dice, one)), augment.waveform(x, dice)[one])
        assert torch.equal(augment.image(image[one], rows_of(dice, one)), augment.image(image, dice)[one])


def test_masks_cover_what_was_rolled_with_the_mean(augment: Augment) -> None:
    image = torch.rand(1, 3, 100, 100, generator=torch.Generator().manual_seed(0))
    rows = torch.zeros(1, 3, 1, 2)
    rows[0, 1, 0] = torch.tensor([0.2, 0.1])  # rows 20..29 of the second channel
    columns = torch.tensor([0.5, 0.05]).reshape(1, 1, 1, 2)  # columns 50..54 of all
    masked = augment.image(image, replace(dice_of(augment, size=1), row_masks=rows, column_masks=columns))
    expected = image.clone()
    mean = image.mean(dim=(2, 3))[0]
    expected[0, 1, 20:30, :] = mean[1]
    expected[0, :, :, 50:55] = mean[:, None, None]
    torch.testing.assert_close(masked, expected)


def test_masks_stay_inside_and_below_their_share(augment: Augment) -> None:
    dice = dice_of(augment, size=500)
    for masks, share in ((dice.row_masks, augment.row_mask_share), (dice.column_masks, augment.column_mask_share)):
        start, length = masks.unbind(-1)
        assert start.min() >= 0
        assert (start + length).max() <= 1
        assert 0.9 * share < length.max() <= share


def test_masks_need_not_be(root: Path) -> None:
    cfg = OmegaConf.merge(OmegaConf.load(root / "conf" / "augment" / "basic.yaml"), {"row_masks": 0, "column_masks": 0})
    augment = instantiate(cfg)
    image = torch.rand(EIGHT, 3, 16, 16)
    assert torch.equal(augment.image(image, dice_of(augment)), image)


def test_the_inputs_are_left_alone(augment: Augment) -> None:
    x, image = tones(), torch.rand(EIGHT, 3, 32, 32)
    x_before, image_before = x.clone(), image.clone()
    augment.waveform(x, dice_of(augment))
    augment.image(image, dice_of(augment))
    assert torch.equal(x, x_before)
    assert torch.equal(image, image_before)


def test_none_does_nothing(root: Path) -> None:
    none = instantiate(OmegaConf.load(root / "conf" / "augment" / "none.yaml"))
    assert isinstance(none, NoAugment)
    x, generator = tones(), torch.Generator().manual_seed(0)
    before = generator.get_state()
    dice = none.draw(EIGHT, generator)
    assert torch.equal(none.waveform(x, dice), x)
    assert torch.equal(none.image(x, dice), x)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.gpu
def test_a_gpu_does_the_same_but_for_its_own_noise(augment: Augment) -> None:
    dice = dice_of(augment)
    x, image = tones(), torch.rand(EIGHT, 3, 128, 128)
    torch.testing.assert_close(augment.waveform(x.cuda(), quiet(dice)).cpu(), augment.waveform(x, quiet(dice)))
    torch.testing.assert_close(augment.image(image.cuda(), dice).cpu(), augment.image(image, dice))
    clean, noisy = augment.waveform(x.cuda(), quiet(dice)), augment.waveform(x.cuda(), dice)
    snr = 10 * torch.log10(clean.square().mean(dim=1) / (noisy - clean).square().mean(dim=1))
    torch.testing.assert_close(snr.cpu(), dice.snr_db, atol=0.1, rtol=0)
