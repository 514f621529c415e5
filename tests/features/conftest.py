"""The front end of the default configuration, and clips with known properties."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from timbre.features import Frontend

RATE = 22050


@pytest.fixture(scope="session")
def make_frontend(root: Path) -> Callable[..., Frontend]:
    """Build `conf/features/default.yaml` for clips of some length, with changes."""
    conf = OmegaConf.load(root / "conf" / "features" / "default.yaml")

    def make(clip_seconds: float = 3.0, **changes: object) -> Frontend:
        contract = {"sample_rate": RATE, "clip_seconds": clip_seconds}
        cfg = OmegaConf.create({"contract": contract, "features": OmegaConf.merge(conf, changes)})
        return instantiate(cfg.features)

    return make


@pytest.fixture(scope="session")
def frontend(make_frontend: Callable[..., Frontend]) -> Frontend:
    return make_frontend()


@pytest.fixture(scope="session")
def strange(frontend: Frontend) -> dict[str, np.ndarray]:
    """Clips that break careless features."""
    samples = frontend.clip_samples
    time = np.arange(samples) / RATE
    dice = np.random.default_rng(5)
    click = np.zeros(samples)
    click[samples // 3] = 1.0
    clips = {
        "silence": np.zeros(samples),
        "click": click,
        "click at the very end": np.roll(click, samples - samples // 3 - 1),
        "full-scale noise": dice.uniform(-1, 1, samples),
        "square wave": np.sign(np.sin(2 * np.pi * 100 * time)),
        "offset": np.full(samples, 1.0),
        "offset and tone": 0.5 + 0.1 * np.sin(2 * np.pi * 440 * time),
        "noise of 1e-10": 1e-10 * dice.standard_normal(samples),
        "noise of 1e-19": 1e-19 * dice.standard_normal(samples),
        "noise of 1e-30": 1e-30 * dice.standard_normal(samples),
        "denormal noise": 1e-40 * dice.standard_normal(samples),
        "noise of 1e6": 1e6 * dice.standard_normal(samples),
        "half a second of noise": np.where(time < 0.5, dice.uniform(-1, 1, samples), 0.0),
    }
    return {name: clip.astype(np.float32) for name, clip in clips.items()}
