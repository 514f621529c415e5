"""From labelled audio files to a manifest, splits and a PCM store."""

from timbre.data.clips import SPLITS, Clip, DataError, Listing, PrepareReport, Rejected, SourceClip
from timbre.data.decoding import Limits
from timbre.data.manifest import manifest_sha256, read_manifest, read_rejected
from timbre.data.preparation import prepare
from timbre.data.store import ClipStore, StoreError, audio_path

__all__ = [
    "SPLITS",
    "Clip",
    "ClipStore",
    "DataError",
    "Limits",
    "Listing",
    "PrepareReport",
    "Rejected",
    "SourceClip",
    "StoreError",
    "audio_path",
    "manifest_sha256",
    "prepare",
    "read_manifest",
    "read_rejected",
]
