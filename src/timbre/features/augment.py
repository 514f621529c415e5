"""Basic augmentation: gain, noise and SpecAugment, a different draw for each example, on the device of the data.

Dice and effect are apart: `draw` rolls, `waveform` and `image` do what was rolled and nothing more. The training step
calls them; no model does, so no exported graph can contain them.

Shapes: B examples, T samples, C channels, H rows, W columns, K masks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from timbre.errors import TimbreError
from timbre.features.frontend import CHANNELS

_SEED_END = 2**62


@dataclass(frozen=True, kw_only=True)
class Dice:
    """What was rolled for a batch, one row per example.

    Attributes:
        gain_db: change of level [B].
        snr_db: level of the music above the noise [B].
        noise_seed: seed of each example's own noise [B], int64 on the CPU.
        row_masks: start and length of masked rows as shares of the height [B, C, K, 2]; rows mean another thing in
            each channel, so each has its own.
        column_masks: start and length of masked columns as shares of the width [B, 1, K, 2]; a moment is gone from
            all channels.
    """

    gain_db: Tensor
    snr_db: Tensor
    noise_seed: Tensor
    row_masks: Tensor
    column_masks: Tensor


class Augment(nn.Module):
    """Gain, noise and SpecAugment (Park et al. 2019) for batches of waveforms and images.

    Args:
        gain_db: lowest and highest change of level, in dB.
        snr_db: lowest and highest level of the music above white noise, in dB.
        row_masks: masks over rows (frequency) in each channel.
        row_mask_share: the largest share of the height that one of them covers.
        column_masks: masks over columns (time).
        column_mask_share: the largest share of the width that one of them covers.

    Raises:
        TimbreError: if a range has no two ends in order, or there is no such number or share.
    """

    def __init__(
        self,
        *,
        gain_db: Sequence[float],
        snr_db: Sequence[float],
        row_masks: int,
        row_mask_share: float,
        column_masks: int,
        column_mask_share: float,
    ) -> None:
        super().__init__()
        self.gain_db = _low_high(gain_db, name="gain_db")
        self.snr_db = _low_high(snr_db, name="snr_db")
        for name, count in (("row_masks", row_masks), ("column_masks", column_masks)):
            if not isinstance(count, int) or count < 0:
                raise TimbreError(f"augment.{name}={count} is no number of masks: give a whole number from 0")
        for name, share in (("row_mask_share", row_mask_share), ("column_mask_share", column_mask_share)):
            if not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
                raise TimbreError(f"augment.{name}={share} is no share: give a number from 0 to 1")
        self.row_masks = row_masks
        self.row_mask_share = row_mask_share
        self.column_masks = column_masks
        self.column_mask_share = column_mask_share

    def draw(self, batch_size: int, generator: torch.Generator) -> Dice:
        """Roll for a batch. A generator on the CPU gives the same dice whatever device the data is on."""

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)

        def masks(channels: int, count: int, share: float) -> Tensor:
            length = uniform(0.0, share, batch_size, channels, count)
            start = uniform(0.0, 1.0, batch_size, channels, count) * (1.0 - length)
            return torch.stack([start, length], dim=-1)

        return Dice(
            gain_db=uniform(*self.gain_db, batch_size),
            snr_db=uniform(*self.snr_db, batch_size),
            noise_seed=torch.randint(_SEED_END, (batch_size,), generator=generator, device=generator.device).cpu(),
            row_masks=masks(CHANNELS, self.row_masks, self.row_mask_share),
            column_masks=masks(1, self.column_masks, self.column_mask_share),
        )

    def waveform(self, waveform_BT: Tensor, dice: Dice) -> Tensor:
        """Change the level and add white noise, silence staying silent."""
        gain_B1 = _amplitude(dice.gain_db).to(waveform_BT)[:, None]
        noise_gain_B1 = gain_B1 * _amplitude(-dice.snr_db).to(waveform_BT)[:, None]
        level_B1 = torch.linalg.vector_norm(waveform_BT, dim=1, keepdim=True) / math.sqrt(waveform_BT.shape[1])
        # In place, upon the noise: a batch of clips is too large to be copied at every step.
        return _noise(waveform_BT, dice.noise_seed).mul_(level_B1 * noise_gain_B1).addcmul_(waveform_BT, gain_B1)

    def image(self, image_BCHW: Tensor, dice: Dice) -> Tensor:
        """Paint the masked rows and columns with the mean of their channel, which tells the network nothing."""
        height, width = image_BCHW.shape[-2:]
        rows_BCH = _covered(dice.row_masks.to(image_BCHW), height)
        columns_BCW = _covered(dice.column_masks.to(image_BCHW), width)
        mean_BC11 = image_BCHW.mean(dim=(2, 3), keepdim=True)
        return torch.where(rows_BCH[:, :, :, None] | columns_BCW[:, :, None, :], mean_BC11, image_BCHW)


class NoAugment(nn.Module):
    """The same doors as `Augment`, with nothing behind them."""

    def draw(self, batch_size: int, generator: torch.Generator) -> None:
        """Roll nothing, and leave the generator as it is."""

    def waveform(self, waveform_BT: Tensor, dice: None) -> Tensor:
        """Return the waveforms as they are."""
        return waveform_BT

    def image(self, image_BCHW: Tensor, dice: None) -> Tensor:
        """Return the images as they are."""
        return image_BCHW


def _low_high(values: Sequence[float], *, name: str) -> tuple[float, float]:
    try:
        low, high = map(float, values)
    except (TypeError, ValueError) as error:
        raise TimbreError(f"augment.{name}={values} is no range: give [LOWEST,HIGHEST] in dB") from error
    if not low <= high < math.inf or low == -math.inf:
        raise TimbreError(f"augment.{name}={values} is no range: give [LOWEST,HIGHEST] in dB")
    return low, high


def _amplitude(decibel: Tensor) -> Tensor:
    return torch.pow(10.0, decibel / 20.0)


def _noise(like_BT: Tensor, seed_B: Tensor) -> Tensor:
    """White noise of unit power; each row comes from its own seed, so it is the same alone and in company."""
    noise_BT = torch.empty_like(like_BT)
    for row_T, seed in zip(noise_BT, seed_B.tolist(), strict=True):
        row_T.normal_(generator=torch.Generator(like_BT.device).manual_seed(seed))
    return noise_BT


def _covered(masks: Tensor, size: int) -> Tensor:
    """Masks as shares [B, C, K, 2] -> which of `size` places any of them covers [B, C, size]."""
    places = (torch.arange(size, device=masks.device) + 0.5) / size
    start, length = masks[..., 0, None], masks[..., 1, None]
    return ((places >= start) & (places < start + length)).any(dim=2)
