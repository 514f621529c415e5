"""The one door to MLflow: log, register, gate, promote, roll back, fetch."""

from timbre.registry.gates import Gates
from timbre.registry.mlflow_door import TrackingError, tracking_errors
from timbre.registry.registry import Change, Registry
from timbre.registry.versions import Version

__all__ = ["Change", "Gates", "Registry", "TrackingError", "Version", "tracking_errors"]
