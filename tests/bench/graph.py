"""The ONNX graph beside the same module in torch, and the model the other figures are measured with."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import torch

from tests.bench.figures import Figure
from tests.bench.machine import ALL_CORES
from timbre.cli.hydra_app import compose
from timbre.contract import ModelContract
from timbre.export import export_onnx
from timbre.inference import OnnxEngine
from timbre.models import Classifier

LABELS = [f"genre {number}" for number in range(10)]
ROUNDS = 15


def untrained(folder: Path) -> tuple[Classifier, Path]:
    """The default classifier with random weights, and its ONNX file: speed does not depend on what was learned."""
    cfg = compose("train", [])
    torch.manual_seed(0)
    frontend, backbone = hydra.utils.instantiate(cfg.features), hydra.utils.instantiate(cfg.model)
    classifier = Classifier(frontend, backbone, labels=LABELS).eval()
    contract = ModelContract(
        sample_rate=cfg.contract.sample_rate,
        clip_seconds=cfg.contract.clip_seconds,
        labels=tuple(LABELS),
        version="bench",
    )
    path = folder / "model.onnx"
    noise = np.random.default_rng(0).standard_normal((2, contract.clip_samples)).astype(np.float32) * 0.1
    export_onnx(classifier, contract, path, noise)
    return classifier, path


def median_ms(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median time of each function in ms, the functions taking turns so that a busy moment meets them all."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(ROUNDS + 3):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if turn >= 3:  # warm
                times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


def figures(classifier: Classifier, model: Path) -> list[Figure]:
    """Milliseconds a clip, alone and in a batch of 8, on one core and on all."""
    rows = []
    for threads in (1, len(ALL_CORES)):
        torch.set_num_threads(threads)
        engine = OnnxEngine(model, threads=threads)
        for batch in (1, 8):
            noise = np.random.default_rng(batch).standard_normal((batch, engine.contract.clip_samples))
            clips = (noise * 0.1).astype(np.float32)
            tensor = torch.from_numpy(clips)
            with torch.inference_mode():
                taken = median_ms({"onnx": lambda: engine.run(clips), "torch": lambda: classifier(tensor)})  # noqa: B023
            rows.append(
                Figure(
                    name=f"ONNX graph, batch of {batch}",
                    cores=str(threads),
                    value=taken["onnx"] / batch,
                    unit="ms/clip",
                    reference_name="torch",
                    reference=taken["torch"] / batch,
                    at_most=1.3 if threads == 1 else None,
                )
            )
    return rows
