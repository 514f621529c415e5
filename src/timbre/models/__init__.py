"""Backbones, and the classifier made of one of them."""

from timbre.models.classifier import Backbone, Classifier
from timbre.models.seed_cnn import SeedCNN

__all__ = ["Backbone", "Classifier", "SeedCNN"]
