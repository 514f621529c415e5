"""How good a classifier is: arrays in, numbers and pictures out."""

from timbre.evaluation.bootstrap import Estimate
from timbre.evaluation.measure import MeasureError, Measurement, measure
from timbre.evaluation.temperature import CalibrationError, fit_temperature

__all__ = [
    "CalibrationError",
    "Estimate",
    "MeasureError",
    "Measurement",
    "fit_temperature",
    "measure",
]
