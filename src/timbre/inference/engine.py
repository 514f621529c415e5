"""A model file as something that can be run: ONNX Runtime, the contract from the file's metadata, and nothing else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from timbre.contract import METADATA_KEY, ContractError, ModelContract
from timbre.errors import NoModelError, TimbreError

INPUT = "waveform"
OUTPUTS = ("probabilities", "embedding")
FILE_BYTES_MAX = 2**31 - 1  # protobuf's own limit, so a film given as a model is not read into memory

_FLOAT = "tensor(float)"
_ONLY_FATAL = 4  # we say ourselves, in one line, what is wrong with a file
_LOAD_FAULTS = (
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NoSuchFile,
    faults.NotImplemented,
    faults.RuntimeException,
)


class ModelFileError(TimbreError):
    """A file is not a timbre model; the text names what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class EngineOutput:
    """What a model answers for a batch.

    Attributes:
        probabilities: float32 [B, G], calibrated, in the order of the contract's labels.
        embedding: float32 [B, D].
    """

    probabilities: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]


class OnnxEngine:
    """One `model.onnx`, loaded and ready. `run` may be called from several threads at once.

    Args:
        path: the model file.
        threads: threads one `run` may use; as many as there are cores if not given.

    Attributes:
        path: as given.
        sha256: of the very bytes that were loaded, in hex.
        contract: what the model hears and answers.

    Raises:
        NoModelError: if there is no file.
        ModelFileError: if the file is not a model that keeps the contract.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self.path = path
        data = _read(path)
        self.sha256 = hashlib.sha256(data).hexdigest()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ONLY_FATAL
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        # Waiting threads sleep: the cores belong to whoever decodes meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except _LOAD_FAULTS as error:
            raise ModelFileError(f"{path} is not an ONNX file that ONNX Runtime can load") from error
        self.contract = _contract(self._session, path)
        _check_signature(self._session, self.contract, path)

    def run(self, waveforms: npt.NDArray[np.float32]) -> EngineOutput:
        """Classify waveforms, float32 [B, clip_samples] at the contract's rate."""
        expected = (len(waveforms), self.contract.clip_samples)
        if waveforms.shape != expected or waveforms.dtype != np.float32:
            raise ValueError(f"the model takes float32 {expected}, not {waveforms.dtype} {waveforms.shape}")
        probabilities, embedding = self._session.run(OUTPUTS, {INPUT: waveforms})
        return EngineOutput(probabilities=probabilities, embedding=embedding)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise ModelFileError(f"{path} has {size / 1e9:.1f} GB; a timbre model is far smaller")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NoModelError(f"there is no model file {path}") from error
    except OSError as error:
        raise ModelFileError(f"the model file {path} cannot be read: {error.strerror}") from error


def _contract(session: onnxruntime.InferenceSession, path: Path) -> ModelContract:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelFileError(f"{path} is an ONNX file but not a timbre model: it carries no contract")
    try:
        return ModelContract.from_json(text)
    except ContractError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _check_signature(session: onnxruntime.InferenceSession, contract: ModelContract, path: Path) -> None:
    """Compare what the graph declares with what its contract promises. A name or None as a size stands for any."""
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    promised = [(inputs, INPUT, contract.clip_samples), (outputs, "probabilities", len(contract.labels))]
    for nodes, name, width in [*promised, (outputs, "embedding", None)]:
        node = nodes.get(name)
        if node is None:
            raise ModelFileError(f"{path} is not a timbre model: it has no {name}, only {', '.join(nodes)}")
        is_batch = len(node.shape) == 2 and not isinstance(node.shape[0], int)
        is_wide = is_batch and (width is None or not isinstance(node.shape[1], int) or node.shape[1] == width)
        if node.type != _FLOAT or not is_wide:
            shape = f"[batch, {width or 'any'}]"
            raise ModelFileError(f"{path}: {name} is {node.type} {node.shape}, but the contract says float {shape}")
    if len(inputs) > 1:
        raise ModelFileError(f"{path} is not a timbre model: it wants more than a waveform: {', '.join(inputs)}")
