"""`timbre export`: the best checkpoint of a run becomes one model file, compared with torch on fixed clips."""

from pathlib import Path

import numpy as np
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from timbre.cli.console import say
from timbre.contract import ModelContract
from timbre.data import ClipStore, StoreError
from timbre.export import Checkpoint, CheckpointError, export_onnx, physics_clips
from timbre.export.parity import Waveforms
from timbre.export.recipe import RecipeError, check_recipe
from timbre.models import Classifier


def job(cfg: DictConfig) -> int:
    """Export one run and print the path of the model file.

    Raises:
        TimbreError: if there is no such run, the checkpoint is of something else, or the graph answers something else.
    """
    path = Path(cfg.checkpoint)
    checkpoint = Checkpoint.read(path)
    classifier = build(checkpoint, path)
    contract = checkpoint.contract(version=str(checkpoint.lineage.get("run", Path(cfg.run_dir).resolve().name)))
    clips, described = parity_clips(contract, Path(cfg.data.dir), split=cfg.parity.split, count=cfg.parity.clips)
    report = export_onnx(classifier, contract, Path(cfg.output), clips)
    say(
        f"model {contract.version}: {report.size_bytes / 1e6:.1f} MB; on {described} torch and ONNX Runtime differ by "
        f"{report.parity.max_abs_diff:.1e} at most (allowed: {report.parity.tolerance:.0e})"
    )
    print(report.path)  # noqa: T201 - the answer
    return 0


def build(checkpoint: Checkpoint, path: Path) -> Classifier:
    """The classifier that a checkpoint describes, with its weights.

    Raises:
        CheckpointError: if this timbre cannot build it, or will not: it builds its own networks and calls nothing else.
    """
    try:
        check_recipe([checkpoint.classifier, checkpoint.labels])  # Hydra reads the labels in the same way
        classifier: Classifier = instantiate(
            dict(checkpoint.classifier), labels=list(checkpoint.labels), _convert_="all"
        )
        classifier.load_state_dict(dict(checkpoint.weights))
    except (RecipeError, InstantiationException, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} describes a model that this timbre cannot build: {reason}") from error
    return classifier.eval()


def parity_clips(contract: ModelContract, data_dir: Path, *, split: str, count: int) -> tuple[Waveforms, str]:
    """Clips to compare on: physics always, and music spread over the split if its data is prepared at this rate.

    Returns:
        Waveforms [N, clip_samples], and words that say what they are.
    """
    physics = physics_clips(samples=contract.clip_samples, sample_rate=contract.sample_rate)
    try:
        store = ClipStore.open(data_dir, split)
    except StoreError:
        return physics, f"{len(physics)} synthetic clips (no prepared data in {data_dir})"
    if (store.sample_rate, store.clip_samples) != (contract.sample_rate, contract.clip_samples):
        return physics, f"{len(physics)} synthetic clips (the data in {data_dir} has another rate or length)"
    rows = np.unique(np.linspace(0, len(store) - 1, min(count, len(store))).round().astype(int))
    music = np.stack([store.waveform(row) for row in rows.tolist()])
    return np.concatenate([physics, music]), f"{len(physics)} synthetic clips and {len(music)} of {split}"
