"""The store as writer and reader: nothing lost, nothing half, gaps closed."""

import contextlib
import hashlib
import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from timbre.data import Clip, ClipStore, SourceClip, StoreError, manifest_sha256, read_manifest
from timbre.data.manifest import clip_id, manifest_text, rejected_text
from timbre.data.plan import Plan
from timbre.data.quantise import quantise
from timbre.data.records import JOURNAL, Record
from timbre.data.store import INDEX, Index, pcm_path
from timbre.data.writer import PARTIAL, StoreWriter, publish

T = 1000
ROWS = {"train": 4, "val": 2, "test": 2}


def row(number: int, version: int = 0) -> np.ndarray:
    return np.random.default_rng([number, version]).integers(-32767, 32767, T).astype(np.int16)


def record(split: str, number: int, **changes: object) -> Record:
    facts = {
        "path": f"rock/{split}{number}.wav",
        "split": split,
        "row": number,
        "crc": zlib.crc32(row(number).data),
        "scale": float(np.float32(0.1)),
        "sha256": "ab",
        "duration_s": 1.5,
        "sample_rate": 44100,
        "channels": 2,
    }
    return Record(**facts | changes)


def clip(record: Record, genre: str) -> Clip:
    return Clip(
        id=clip_id(record.path),
        path=record.path,
        sha256=record.sha256,
        genre=genre,
        artist=None,
        duration_s=record.duration_s,
        sample_rate=record.sample_rate,
        channels=record.channels,
        split=record.split,
    )


def plan(fingerprint: str = "plan 0") -> Plan:
    clips = [SourceClip(path=record(s, n).path, genre="g", split=s) for s, count in ROWS.items() for n in range(count)]
    return Plan(
        root=Path("/music"),
        genres=("g",),
        clips=tuple(clips),
        rejected=(),
        left_out=0,
        layout="layout",
        fingerprint=fingerprint,
    )


def begin(data_dir: Path, fingerprint: str = "plan 0") -> StoreWriter:
    return StoreWriter(data_dir=data_dir, plan=plan(fingerprint), row_bytes=2 * T)


def write(data_dir: Path, *, skip: tuple[str, ...] = (), whole: bool = True, version: int = 0) -> list[Record]:
    data_dir.mkdir(exist_ok=True)
    with begin(data_dir, f"plan {version}") as writer:
        records = []
        for split, count in ROWS.items():
            for number in range(count):
                if f"{split}{number}" not in skip:
                    content = row(number, version)
                    records.append(record(split, number, crc=zlib.crc32(content.data), duration_s=1.0 + version))
                    writer.put(records[-1], content)
        final = writer.close_gaps(records)
        clips = [clip(r, "rock" if i % 2 else "jazz") for i, r in enumerate(final)]
        counts = {split: sum(r.split == split for r in final) for split in ROWS}
        manifest = manifest_text(clips)
        index = Index(
            labels=("jazz", "rock"),
            sample_rate=100,
            clip_samples=T,
            clips=counts,
            manifest_sha256=hashlib.sha256(manifest.encode()).hexdigest(),
            fingerprint=f"plan {version}",
            root="/music",
        )
        if whole:
            writer.finish(final, manifest=manifest, rejected=rejected_text([]), index=index)
    publish(data_dir)
    return final


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    write(tmp_path)
    for split, count in ROWS.items():
        store = ClipStore.open(tmp_path, split)
        assert len(store) == count
        for number in range(count):
            np.testing.assert_array_equal(store.pcm[number], row(number))
        assert store.labels == ("jazz", "rock")
        assert store.target.dtype == np.int64
        assert [store.labels[t] for t in store.target] == [c.genre for c in read_manifest(tmp_path) if c.split == split]
        np.testing.assert_array_equal(store.scale, np.full(count, 0.1, np.float32))
        np.testing.assert_array_equal(store.waveform(0), row(0).astype(np.float32) * np.float32(0.1))
        assert store.waveform(0).dtype == np.float32


def test_gaps_are_closed_with_last_rows(tmp_path: Path) -> None:
    final = write(tmp_path, skip=("train0", "train2", "val1"))
    store = ClipStore.open(tmp_path, "train")
    assert [r.path for r in final if r.split == "train"] == ["rock/train3.wav", "rock/train1.wav"]
    np.testing.assert_array_equal(store.pcm, np.stack([row(3), row(1)]))
    assert store.ids == (clip_id("rock/train3.wav"), clip_id("rock/train1.wav"))
    assert pcm_path(tmp_path / "store", "train").stat().st_size == 2 * T * 2
    assert len(ClipStore.open(tmp_path, "val")) == 1


def test_a_pickled_store_is_small_and_equal(tmp_path: Path) -> None:
    write(tmp_path)
    store = ClipStore.open(tmp_path, "train")
    content = pickle.dumps(store)
    assert len(content) < 1000
    np.testing.assert_array_equal(pickle.loads(content).pcm, store.pcm)


@pytest.mark.parametrize("missing", [INDEX, "train.pcm", "train.scale.npy", "../manifest.csv"])
def test_a_store_that_lacks_a_part_is_refused(tmp_path: Path, missing: str) -> None:
    write(tmp_path)
    (tmp_path / "store" / missing).unlink()
    with pytest.raises(ValueError, match="run `timbre prepare`"):
        ClipStore.open(tmp_path, "train")


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    path = pcm_path(tmp_path / "store", "train")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="lacks part of its train split"):
        ClipStore.open(tmp_path, "train")


def test_a_manifest_of_another_run_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("jazz", "rock"))
    with pytest.raises(StoreError, match="not of one run"):
        ClipStore.open(tmp_path, "train")


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StoreError, match="one of train, val, test"):
        ClipStore.open(tmp_path, "valid")


def test_an_unfinished_store_is_no_store_and_its_rows_are_kept(tmp_path: Path) -> None:
    write(tmp_path, skip=("val0",), whole=False)
    with pytest.raises(StoreError, match="run `timbre prepare` first"):
        ClipStore.open(tmp_path, "train")
    with begin(tmp_path) as writer:
        assert len(writer.finished) == 7
        assert "rock/val0.wav" not in writer.finished


def test_a_row_that_lost_its_bytes_is_not_believed(tmp_path: Path) -> None:
    write(tmp_path, whole=False)
    with pcm_path(tmp_path / PARTIAL, "train").open("r+b") as file:
        file.seek(2 * T * 2 + 100)
        file.write(bytes(64))
    with begin(tmp_path) as writer:
        assert len(writer.finished) == 7
        assert "rock/train2.wav" not in writer.finished


def test_a_torn_last_line_costs_one_clip(tmp_path: Path) -> None:
    write(tmp_path, whole=False)
    journal = tmp_path / PARTIAL / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20])
    with begin(tmp_path) as writer:
        assert len(writer.finished) == 7
    assert journal.read_text().endswith("\n")


def test_another_plan_begins_anew(tmp_path: Path) -> None:
    write(tmp_path, whole=False)
    with begin(tmp_path, "q") as writer:
        assert not writer.finished


def test_manifest_sha256_is_of_the_file(tmp_path: Path) -> None:
    write(tmp_path)
    assert manifest_sha256(tmp_path) == hashlib.sha256((tmp_path / "manifest.csv").read_bytes()).hexdigest()


@pytest.mark.parametrize("peak", [1.7, 1.0, 1e-3, 1e-30])
def test_quantised_within_half_a_step(peak: float) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    x *= np.float32(peak) / np.abs(x).max()
    pcm, work = np.empty(5000, np.int16), np.empty(5000, np.float32)
    scale = quantise(x, out=pcm, work=work)
    assert np.abs(pcm).max() == 32767
    assert np.float32(scale) == scale
    assert np.abs(pcm * np.float64(scale) - x).max() <= scale * 0.502


@pytest.mark.parametrize("peak", [0.0, 1e-38])
def test_silence_is_silence(peak: float) -> None:
    x = np.full(100, peak, np.float32)
    pcm = np.ones(100, np.int16)
    assert quantise(x, out=pcm, work=np.empty(100, np.float32)) == 1.0
    assert not pcm.any()


def test_publishing_may_end_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends at each file operation in turn: the old store is whole, the new one is, or there is none."""
    step, ended = 0, False
    while not ended:
        data = tmp_path / str(step)
        write(data)
        left = [step]
        with monkeypatch.context() as patch:
            for name in ("truncate", "unlink", "replace", "rename", "rmdir"):
                patch.setattr(os, name, fragile(getattr(os, name), left))
            try:
                write(data, version=1, skip=("train0",))
                ended = True
            except PowerCutError:
                pass
        for split in ROWS:
            with contextlib.suppress(StoreError):
                store = ClipStore.open(data, split)
                version = int(read_manifest(data)[0].duration_s) - 1
                expected = [3, 1, 2] if split == "train" and version == 1 else range(ROWS[split])
                np.testing.assert_array_equal(store.pcm, np.stack([row(number, version) for number in expected]))
        write(data, version=1, skip=("train0",))
        np.testing.assert_array_equal(ClipStore.open(data, "val").pcm[0], row(0, 1))
        assert len(ClipStore.open(data, "train")) == 3
        step += 1
    assert step > 10


class PowerCutError(BaseException):
    """Ends the process, as far as the code under test can tell."""


def fragile(operation, left: list[int]):
    def maybe(*arguments, **keywords):
        left[0] -= 1
        if left[0] < 0:
            raise PowerCutError
        return operation(*arguments, **keywords)

    return maybe
