"""The PCM store as readers see it: per split one memory-mapped int16 array, made whole or not at all."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from timbre.data.clips import SPLITS, Clip, DataError
from timbre.data.manifest import manifest_sha256, read_manifest

FORMAT = 1
"""Version of the store's layout; raised when a reader of the old layout would misread the new one."""
STORE = "store"
INDEX = "index.json"
FULL_SCALE = 32767
"""The largest int16 sample of a clip that is not silent: each clip uses the whole range, its `scale` brings it back."""


class StoreError(DataError):
    """There is no whole store where one was looked for."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """`store/index.json`, the last file that `prepare` writes: without it there is no store.

    Attributes:
        labels: genres in the order of the targets.
        sample_rate: of the stored audio, in Hz.
        clip_samples: length of every row.
        clips: split -> number of rows.
        manifest_sha256: of the manifest that the rows belong to.
        fingerprint: SHA-256 of all inputs (files, labels, splits, options); equal inputs need no second run.
        root: where the source's files are: relative to the data folder if inside it, else absolute.
    """

    labels: tuple[str, ...]
    sample_rate: int
    clip_samples: int
    clips: dict[str, int]
    manifest_sha256: str
    fingerprint: str
    root: str

    def to_json(self) -> str:
        """The index as JSON text with sorted keys."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> "Index":
        """Read the index of the store in `folder`.

        Raises:
            StoreError: if there is none, or it is not one of this format.
        """
        path = folder / INDEX
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = raw.pop("format")
            if found != FORMAT:
                raise StoreError(
                    f"the store {folder} has format {found}, this timbre reads {FORMAT}: run `timbre prepare`"
                )
            return cls(**raw | {"labels": tuple(raw["labels"])})
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StoreError(f"there is no prepared data in {folder.parent}: run `timbre prepare` first") from error
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise StoreError(f"{path} is not the index of a store: run `timbre prepare`") from error


def pcm_path(folder: Path, split: str) -> Path:
    """The array of a split: int16, native little-endian, rows of `clip_samples`, no header."""
    return folder / f"{split}.pcm"


def scale_path(folder: Path, split: str) -> Path:
    """The scales of a split: float32 [N] as .npy."""
    return folder / f"{split}.scale.npy"


def audio_path(data_dir: Path, clip: Clip) -> Path:
    """The original file of a clip, for everything that must go through the serving code.

    Raises:
        StoreError: if there is no store.
        DataError: if the file is no longer where it was.
    """
    path = Path(data_dir) / Index.read(Path(data_dir) / STORE).root / clip.path
    if not path.is_file():
        raise DataError(f"the original of clip {clip.id} is not at {path}: put it back or run `timbre prepare` again")
    return path


class ClipStore:
    """The clips of one split: `waveform = pcm[i] * scale[i]`, mono, padded with zeros to `clip_samples`.

    Every clip has its own scale, max |x| / 32767, so MP3 peaks above 1.0 are kept and quiet clips lose nothing:
    training hears what serving hears, within half a step of a 16-bit sample.
    A pickled store is a path that the reader opens again, so loader processes share the pages of one file.

    Attributes:
        pcm: int16 [N, T], memory-mapped, read only.
        scale: float32 [N].
        target: int64 [N], indices into `labels`.
        labels: all genres of the data, sorted; the same in every split.
        ids: the clips' ids in `manifest.csv`.
        sample_rate: in Hz.
        clip_samples: T.
    """

    def __init__(self, *, data_dir: Path, split: str) -> None:
        if split not in SPLITS:
            raise StoreError(f"there is no split {split!r}: it is one of {', '.join(SPLITS)}")
        folder = Path(data_dir) / STORE
        index = Index.read(folder)
        if manifest_sha256(data_dir) != index.manifest_sha256:
            raise StoreError(f"manifest.csv and store/ in {data_dir} are not of one run: run `timbre prepare`")
        clips = [clip for clip in read_manifest(data_dir) if clip.split == split]
        label_index = {label: number for number, label in enumerate(index.labels)}
        shape = (index.clips[split], index.clip_samples)
        try:
            self.pcm: npt.NDArray[np.int16] = (
                np.memmap(pcm_path(folder, split), dtype="<i2", mode="r", shape=shape)
                if shape[0]
                else np.empty(shape, dtype="<i2")  # a file without bytes cannot be mapped
            )
            self.scale: npt.NDArray[np.float32] = np.load(scale_path(folder, split))
        except (OSError, ValueError) as error:
            raise StoreError(f"the store in {folder} lacks part of its {split} split: run `timbre prepare`") from error
        if not len(clips) == len(self.scale) == shape[0]:
            raise StoreError(f"the store in {folder} does not match its manifest: run `timbre prepare`")
        self.target: npt.NDArray[np.int64] = np.array([label_index[clip.genre] for clip in clips], dtype=np.int64)
        self.labels = index.labels
        self.ids = tuple(clip.id for clip in clips)
        self.sample_rate = index.sample_rate
        self.clip_samples = index.clip_samples
        self._place = (Path(data_dir).resolve(), split)

    @classmethod
    def open(cls, data_dir: Path, split: str) -> "ClipStore":
        """Open one split of the data prepared in `data_dir`.

        Raises:
            StoreError: if there is no such split or no whole store; the text says to run `timbre prepare`.
        """
        return cls(data_dir=data_dir, split=split)

    def __len__(self) -> int:
        return len(self.ids)

    def waveform(self, row: int) -> npt.NDArray[np.float32]:
        """One clip as float32 [T]."""
        waveform: npt.NDArray[np.float32] = np.multiply(self.pcm[row], self.scale[row], dtype=np.float32)
        return waveform

    def __reduce__(self) -> tuple[Any, ...]:
        return (ClipStore.open, self._place)
