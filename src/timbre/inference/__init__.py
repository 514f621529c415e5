"""Running a model file: waveform or audio files in, predictions out; numpy and ONNX Runtime, never torch."""

from timbre.inference.engine import EngineOutput, ModelFileError, OnnxEngine
from timbre.inference.files import FileResult
from timbre.inference.prediction import Prediction
from timbre.inference.predictor import Predictor, Span

__all__ = ["EngineOutput", "FileResult", "ModelFileError", "OnnxEngine", "Prediction", "Predictor", "Span"]
