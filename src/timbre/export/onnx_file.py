"""A trained classifier becomes one ONNX file: waveform in, probabilities and embedding out, contract beside them."""

import copy
import logging
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from timbre.contract import METADATA_KEY, ModelContract
from timbre.errors import TimbreError
from timbre.export.bands import FactoredBands
from timbre.export.parity import Parity, Waveforms, compare
from timbre.models import Classifier

OPSET = 20


class ExportError(TimbreError):
    """A classifier and its contract do not belong together, or the model file cannot be written."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export made.

    Attributes:
        path: the model file.
        contract: as it stands in the file, parity included.
        parity: how far apart torch and ONNX Runtime were.
        size_bytes: of the file.
    """

    path: Path
    contract: ModelContract
    parity: Parity
    size_bytes: int


class ExportGraph(nn.Module):
    """A classifier whose FFT is written as matrix products; it answers what the classifier answers."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.bands = FactoredBands(classifier.frontend)
        self.classifier = classifier

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Waveform [B, T] -> probabilities [B, G] and embedding [B, D]."""
        return self.classifier.answer(self.classifier.frontend.picture(self.bands(waveform)))


def export_onnx(classifier: Classifier, contract: ModelContract, out: Path, parity_clips: Waveforms) -> ExportReport:
    """Write `out`, after the graph has answered all clips as the classifier does; before that nothing is written.

    Args:
        classifier: trained; it is left as it is.
        contract: of the model; the parity is added to its lineage.
        out: the model file; an old one is replaced in one step.
        parity_clips: waveforms [N, clip_samples] to compare on.

    Raises:
        ParityError: if the graph answers something else.
        ExportError: if contract and classifier do not agree, or the file cannot be written.
    """
    _check(classifier, contract)
    classifier = copy.deepcopy(classifier).cpu().eval()
    model = _graph(classifier)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    parity = compare(classifier, session, parity_clips)
    contract = replace(contract, lineage={**contract.lineage, "parity": parity.to_dict()})
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    _write(out, data)
    return ExportReport(path=out, contract=contract, parity=parity, size_bytes=len(data))


def _check(classifier: Classifier, contract: ModelContract) -> None:
    frontend = classifier.frontend
    if (contract.sample_rate, contract.clip_samples) != (frontend.sample_rate, frontend.clip_samples):
        raise ExportError(
            f"the contract says {contract.clip_samples} samples at {contract.sample_rate} Hz, the classifier hears "
            f"{frontend.clip_samples} at {frontend.sample_rate} Hz"
        )
    if contract.labels != classifier.labels:
        raise ExportError(f"the contract's labels {contract.labels} are not the classifier's {classifier.labels}")


def _graph(classifier: Classifier) -> onnx.ModelProto:
    """The graph with all weights inside and any batch size."""
    waveforms = torch.zeros(2, classifier.frontend.clip_samples)
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    try:
        registration.setLevel(logging.ERROR)  # it warns that torchvision is absent, which nothing here needs
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", r"Guards may run slower on Python 3\.13\.0", RuntimeWarning)
            program = torch.onnx.export(
                ExportGraph(classifier).eval(),
                (waveforms,),
                input_names=["waveform"],
                output_names=["probabilities", "embedding"],
                dynamic_shapes={"waveform": {0: torch.export.Dim("batch", min=1)}},
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        registration.setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    used = _tidy(model.graph)
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def _tidy(graph: onnx.GraphProto) -> set[str]:
    """Strip the exporter's notes, which name folders of this machine, and return the names that nodes read."""
    del graph.metadata_props[:]
    used = {output.name for output in graph.output}
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        used.update(node.input)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                used |= _tidy(attribute.g)
    return used


def _write(out: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
