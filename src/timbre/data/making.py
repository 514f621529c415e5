"""One pass over the files of a plan: what can be decoded becomes a whole store, what cannot is rejected."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from timbre.data.checks import EmptySplitError, Twins, check_every_split_has_every_genre
from timbre.data.clips import SPLITS, Bar, Clip, Rejected, SourceClip
from timbre.data.decoding import Limits, decode_clips
from timbre.data.disk import full_disk_is_said
from timbre.data.manifest import clip_id, manifest_text, rejected_text
from timbre.data.plan import Plan
from timbre.data.records import Record
from timbre.data.reuse import Reuse
from timbre.data.store import STORE, Index
from timbre.data.writer import OUTDATED, SAMPLE_BYTES, StoreWriter, publish


class UnfilledSplitError(EmptySplitError):
    """The clips that were rejected leave a genre without a clip in one of the splits.

    Attributes:
        rejected: those clips.
        decoded: how many others were decoded; their rows can be taken over.
    """

    def __init__(self, text: str, *, rejected: Sequence[Rejected], decoded: int) -> None:
        super().__init__(text)
        self.rejected = rejected
        self.decoded = decoded


def make_store(
    plan: Plan, *, asked: str, data_dir: Path, sample_rate: int, clip_samples: int, limits: Limits, bar: Bar
) -> int:
    """Make the store of a plan and put it in its place.

    Args:
        plan: what belongs into it.
        asked: fingerprint of what the user asked for, by which the store is known again.
        data_dir: folder of the prepared data.
        sample_rate: of the store, in Hz.
        clip_samples: length of a row.
        limits: what decoding may take.
        bar: shows progress.

    Returns:
        How many clips were decoded; the others were there already.

    Raises:
        UnfilledSplitError: if too much was rejected; nothing is published.
        DataError: if the clips cannot be used as they are; the text says what to mend.
    """
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
        decoded = len(records) - len(reuse.taken)
        records += writer.finished.values()
        clip_of = {clip.path: clip for clip in plan.clips}
        twins = Twins(groups=_same_sound(writer, records, clip_of))
        twins.check()
        rejected += twins.rejected()
        unusable = {row.path for row in rejected}
        final = writer.close_gaps([record for record in records if record.path not in unusable])
        everything = sorted([*plan.rejected, *rejected], key=lambda row: row.path)
        try:
            check_every_split_has_every_genre(
                [clip_of[record.path] for record in final], genres=plan.genres, rejected=everything
            )
        except EmptySplitError as error:
            raise UnfilledSplitError(str(error), rejected=rejected, decoded=decoded) from error
        manifest = manifest_text(_clip(clip_of[record.path], record) for record in final)
        index = Index(
            labels=plan.genres,
            sample_rate=sample_rate,
            clip_samples=clip_samples,
            clips={split: sum(record.split == split for record in final) for split in SPLITS},
            manifest_sha256=hashlib.sha256(manifest.encode()).hexdigest(),
            fingerprint=asked,
            root=plan.root_from(data_dir),
        )
        writer.finish(final, manifest=manifest, rejected=rejected_text(everything), index=index)
        publish(data_dir)
    return decoded


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
