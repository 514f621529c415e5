"""Waveform -> image, and the augmentations of training; all batched, on the device of the data."""

from timbre.features.augment import Augment, Dice, NoAugment
from timbre.features.frontend import CHANNELS, Frontend

__all__ = ["CHANNELS", "Augment", "Dice", "Frontend", "NoAugment"]
