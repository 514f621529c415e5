"""How good a classifier is: arrays in, numbers and pictures out."""

from timbre.evaluation.bootstrap import Estimate
from timbre.evaluation.measure import MeasureError, Measurement, check_resamples, measure
from timbre.evaluation.temperature import CalibrationError, fit_temperature

__all__ = [
    "CalibrationError",
    "Estimate",
    "MeasureError",
    "Measurement",
    "check_resamples",
    "fit_temperature",
    "measure",
]
