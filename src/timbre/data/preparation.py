"""`prepare`: labelled audio files become a manifest, a list of rejected files and a PCM store, or nothing changes."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from timbre.audio.limits import SECONDS_MIN
from timbre.data.clips import SPLITS, Bar, DataError, PrepareReport, Source, no_bar
from timbre.data.decoding import Limits
from timbre.data.disk import LOCK, only_one, write_atomically
from timbre.data.making import UnfilledSplitError, make_store
from timbre.data.manifest import MANIFEST, REJECTED, read_manifest, read_rejected
from timbre.data.plan import Plan
from timbre.data.splits import Split
from timbre.data.store import INDEX, STORE, ClipStore
from timbre.data.writer import OUTDATED, PARTIAL, publish, whole_index

OF_THE_MOMENT = ("decode_timeout", "decode_memory", "unreadable")
"""Reasons that say something about the machine then, and perhaps not now: such files are tried again."""


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
    no store until everything is in it. If nothing has changed since the last call, nothing is done. If the files that
    cannot be decoded leave a genre without a clip in a split, the others are spread over the splits once more.

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
    if clip_seconds < SECONDS_MIN:
        raise DataError(f"clips of {clip_seconds:g} s are too short to be heard: at least {SECONDS_MIN:g} s")
    _check_ours(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    with only_one(data_dir):
        publish(data_dir)
        listing = source.listing(data_dir=data_dir, workers=limits.processes, bar=bar)
        if data_dir.resolve() == listing.root.resolve():
            raise DataError(f"{data_dir} holds the music itself: give another data.dir, or its manifest.csv is lost")
        make_plan = partial(Plan.make, listing, split, sample_rate=sample_rate, clip_samples=clip_samples)
        plan = make_plan()
        if _is_done(data_dir, plan):
            return _report(data_dir, plan, decoded=0, fresh=False)
        make = partial(
            make_store,
            asked=plan.fingerprint,
            data_dir=data_dir,
            sample_rate=sample_rate,
            clip_samples=clip_samples,
            limits=limits,
            bar=bar,
        )
        try:
            decoded = make(plan)
        except UnfilledSplitError as fault:
            plan = _spread_again(plan, make_plan, fault)
            decoded = fault.decoded + make(plan)
        return _report(data_dir, plan, decoded=decoded, fresh=True)


def _check_ours(data_dir: Path) -> None:
    """Raise DataError if the folder holds files that would be replaced and that no preparation has written."""
    names = (MANIFEST, REJECTED, STORE, PARTIAL, OUTDATED)
    foreign = [name for name in names if (data_dir / name).exists()]
    if foreign and not (data_dir / LOCK).exists() and whole_index(data_dir / STORE) is None:
        raise DataError(f"{data_dir} holds {' and '.join(foreign)} of something else: give another data.dir")


def _spread_again(plan: Plan, make_plan: Callable[..., Plan], fault: UnfilledSplitError) -> Plan:
    """A plan without what was rejected, if a split of what is left has every genre; raises the fault if not."""
    try:
        again = make_plan(unusable=fault.rejected)
    except DataError:
        raise fault from None
    if again.genres != plan.genres:
        raise fault
    return again


def _is_done(data_dir: Path, plan: Plan) -> bool:
    """Whether the store is whole and of this very plan; of a source that was only moved, the new place is noted."""
    index = whole_index(data_dir / STORE)
    if index is None or index.fingerprint != plan.fingerprint:
        return False
    try:
        for split in SPLITS:
            ClipStore.open(data_dir, split)
        if any(row.reason in OF_THE_MOMENT for row in read_rejected(data_dir)):
            return False
    except DataError:
        return False
    moved = replace(index, root=plan.root_from(data_dir))
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
