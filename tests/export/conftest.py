"""One export of the default configuration, made once: the classifier, its file and the report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from timbre.contract import ModelContract
from timbre.export import ExportReport, export_onnx, physics_clips
from timbre.models import Classifier

LABELS = ("classical", "electronic", "pop", "rock")


@dataclass(frozen=True)
class Exported:
    config: DictConfig
    classifier: Classifier
    contract: ModelContract
    report: ExportReport
    model: onnx.ModelProto
    session: onnxruntime.InferenceSession


def build(config: DictConfig) -> Classifier:
    """A classifier that leans towards different genres for different clips, as a trained one does."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        classifier: Classifier = instantiate(config, labels=list(LABELS), _convert_="all")
    with torch.no_grad():
        classifier.head.weight *= 20
        classifier.temperature.fill_(1.3)
    return classifier


@pytest.fixture(scope="session")
def exported(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    tree = OmegaConf.create(
        {
            "contract": {"sample_rate": 22050, "clip_seconds": 30.0},
            "features": OmegaConf.load(root / "conf" / "features" / "default.yaml"),
            "model": OmegaConf.load(root / "conf" / "model" / "seed_cnn.yaml"),
            "classifier": {
                "_target_": "timbre.models.Classifier",
                "frontend": "${features}",
                "backbone": "${model}",
            },
        }
    )
    config = OmegaConf.create(OmegaConf.to_container(tree.classifier, resolve=True))
    classifier = build(config)
    contract = ModelContract(
        sample_rate=22050, clip_seconds=30.0, labels=LABELS, version="run-1", lineage={"git_sha": "abc"}
    )
    out = tmp_path_factory.mktemp("export") / "model.onnx"
    report = export_onnx(classifier, contract, out, physics_clips(samples=661500, sample_rate=22050))
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    return Exported(config, classifier, contract, report, onnx.load(out), session)


def ask(session: onnxruntime.InferenceSession, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(session.run(["probabilities", "embedding"], {"waveform": waveforms}))
