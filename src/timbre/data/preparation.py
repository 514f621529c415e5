"""`prepare`: labelled audio files become a manifest, a list of rejected files and a PCM store, or nothing changes."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from timbre.data.checks import Twins, check_every_split_has_every_genre
from timbre.data.clips import SPLITS, Bar, Clip, DataError, PrepareReport, Rejected, Source, SourceClip, no_bar
from timbre.data.decoding import Limits, decode_clips
from timbre.data.disk import full_disk_is_said, only_one, write_atomically
from timbre.data.manifest import clip_id, manifest_text, read_manifest, read_rejected, rejected_text
from timbre.data.plan import Plan
from timbre.data.records import Record
from timbre.data.reuse import Reuse
from timbre.data.splits import Split
from timbre.data.store import INDEX, STORE, ClipStore, Index
from timbre.data.writer import OUTDATED, SAMPLE_BYTES, StoreWriter, publish, whole_index


def prepare(
    source: Source,
    split: Split,
    *,
    data_dir: Path,
    sample_rate: int,
    clip_seconds: float,
    limits: Limits,
    bar: Bar = no_bar,
) -> PrepareReport:
    """Decode every clip of a source once and keep it where training can map it into memory.

    May be ended at any moment, even by SIGKILL, and called again: finished clips are not decoded twice, and there is
    no store until everything is in it. If nothing has changed since the last call, nothing is done.

    Args:
        source: finds or makes the files.
        split: gives each its split.
        data_dir: gets `manifest.csv`, `rejected.csv` and `store/`.
        sample_rate: of the store, in Hz.
        clip_seconds: length of every clip; longer files are cut, shorter ones padded with zeros.
        limits: what decoding may take.
        bar: shows progress.

    Raises:
        DataError: if the data cannot be used as it is; the text says what to mend.
    """
    clip_samples = round(sample_rate * clip_seconds)
    if sample_rate <= 0 or clip_samples <= 0:
        raise DataError(f"a store needs a positive rate and length, not {sample_rate} Hz and {clip_seconds} s")
    data_dir.mkdir(parents=True, exist_ok=True)
    with only_one(data_dir):
        publish(data_dir)
        listing = source.listing(data_dir=data_dir, workers=limits.processes, bar=bar)
        plan = Plan.make(listing, split, sample_rate=sample_rate, clip_samples=clip_samples)
        if _is_done(data_dir, plan):
            return _report(data_dir, plan, decoded=0, fresh=False)
        row_bytes = clip_samples * SAMPLE_BYTES
        with (
            full_disk_is_said(data_dir, len(plan.clips) * row_bytes),
            StoreWriter(data_dir=data_dir, plan=plan, row_bytes=row_bytes) as writer,
        ):
            clips = list(plan.placed())
            todo = [(clip, row) for clip, row in clips if clip.path not in writer.finished]
            reuse = Reuse([data_dir / STORE, data_dir / OUTDATED], layout=plan.layout, row_bytes=row_bytes)
            with bar("decoding", len(clips)) as advance:
                advance(len(clips) - len(todo))
                records, rejected = decode_clips(
                    todo,
                    root=plan.root,
                    sample_rate=sample_rate,
                    clip_samples=clip_samples,
                    limits=limits,
                    writer=writer,
                    reuse=reuse,
                    advance=advance,
                )
            records += writer.finished.values()
            _finish(writer, plan, records, rejected, sample_rate=sample_rate, clip_samples=clip_samples)
            publish(data_dir)
        return _report(data_dir, plan, decoded=len(todo) - len(rejected) - len(reuse.taken), fresh=True)


def _finish(
    writer: StoreWriter,
    plan: Plan,
    records: Sequence[Record],
    rejected: Sequence[Rejected],
    *,
    sample_rate: int,
    clip_samples: int,
) -> None:
    """Check what could only be known after decoding, and make the store whole."""
    clip_of = {clip.path: clip for clip in plan.clips}
    twins = Twins(groups=_same_sound(writer, records, clip_of))
    twins.check()
    rejected = sorted([*plan.rejected, *rejected, *twins.rejected()], key=lambda row: row.path)
    unusable = {row.path for row in rejected}
    final = writer.close_gaps([record for record in records if record.path not in unusable])
    check_every_split_has_every_genre([clip_of[record.path] for record in final], genres=plan.genres, rejected=rejected)
    manifest = manifest_text(_clip(clip_of[record.path], record) for record in final)
    index = Index(
        labels=plan.genres,
        sample_rate=sample_rate,
        clip_samples=clip_samples,
        clips={split: sum(record.split == split for record in final) for split in SPLITS},
        manifest_sha256=hashlib.sha256(manifest.encode()).hexdigest(),
        fingerprint=plan.fingerprint,
        root=_root(plan, writer.folder.parent),
    )
    writer.finish(final, manifest=manifest, rejected=rejected_text(rejected), index=index)


def _clip(clip: SourceClip, record: Record) -> Clip:
    return Clip(
        id=clip_id(clip.path),
        path=clip.path,
        sha256=record.sha256,
        genre=clip.genre,
        artist=clip.artist,
        duration_s=record.duration_s,
        sample_rate=record.sample_rate,
        channels=record.channels,
        split=record.split,
    )


def _same_sound(
    writer: StoreWriter, records: Iterable[Record], clip_of: Mapping[str, SourceClip]
) -> list[list[SourceClip]]:
    """Groups of clips whose rows are equal, byte for byte; each group and the list sorted by path."""
    candidates: dict[tuple[int, float], list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.path):
        candidates[record.crc, record.scale].append(record)
    groups = []
    for equal_sums in candidates.values():
        by_content: dict[bytes, list[SourceClip]] = defaultdict(list)
        for record in equal_sums if len(equal_sums) > 1 else ():
            by_content[writer.row(record)].append(clip_of[record.path])
        groups += [group for group in by_content.values() if len(group) > 1]
    return groups


def _root(plan: Plan, data_dir: Path) -> str:
    """Relative if inside the data folder, so that this can be moved as a whole."""
    root, home = plan.root.resolve(), data_dir.resolve()
    return str(root.relative_to(home) if root.is_relative_to(home) else root)


def _is_done(data_dir: Path, plan: Plan) -> bool:
    """Whether the store is whole and of this very plan; of a source that was only moved, the new place is noted."""
    index = whole_index(data_dir / STORE)
    if index is None or index.fingerprint != plan.fingerprint:
        return False
    try:
        for split in SPLITS:
            ClipStore.open(data_dir, split)
        read_rejected(data_dir)
    except DataError:
        return False
    moved = replace(index, root=_root(plan, data_dir))
    if moved != index:
        write_atomically(data_dir / STORE / INDEX, moved.to_json())
    return True


def _report(data_dir: Path, plan: Plan, *, decoded: int, fresh: bool) -> PrepareReport:
    count = Counter((clip.genre, clip.split) for clip in read_manifest(data_dir))
    return PrepareReport(
        clips={
            genre: {split: count[genre, split] for split in SPLITS} for genre in sorted({genre for genre, _ in count})
        },
        rejected=tuple(read_rejected(data_dir)),
        left_out=plan.left_out,
        decoded=decoded,
        fresh=fresh,
    )
