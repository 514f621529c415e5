"""A small composer: eight genres, written as real audio files, so that the whole path runs without any data."""

from timbre.data.sources.synthetic.source import SyntheticSource

__all__ = ["SyntheticSource"]
