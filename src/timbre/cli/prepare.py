"""`timbre prepare`: labelled audio becomes a manifest, splits and a PCM store."""

from collections import Counter
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from timbre.cli.console import progress, say
from timbre.data import SPLITS, DataError, PrepareReport, prepare


def job(cfg: DictConfig) -> int:
    """Prepare what `cfg` describes and say what came of it.

    Returns:
        0, or 1 if files were rejected: the store is made of the others.
    """
    if not cfg.data.dir:
        raise DataError("data.dir is empty: give a folder for the prepared data")
    if cfg.data.split is None:
        raise DataError("data.split is null: choose data/split=fractions, folds or published")
    data_dir = Path(cfg.data.dir)
    report = prepare(
        instantiate(cfg.data.source),
        instantiate(cfg.data.split),
        data_dir=data_dir,
        sample_rate=cfg.contract.sample_rate,
        clip_seconds=cfg.contract.clip_seconds,
        limits=instantiate(cfg.limits),
        bar=progress,
    )
    for line in summary(report, data_dir):
        say(line)
    return 1 if report.rejected else 0


def summary(report: PrepareReport, data_dir: Path) -> list[str]:
    """The report as lines for people: a table of genres and splits, then what was left."""
    total = {split: sum(count[split] for count in report.clips.values()) for split in SPLITS}
    rows = [("genre", *SPLITS), *((genre, *(count[s] for s in SPLITS)) for genre, count in report.clips.items())]
    rows.append(("total", *total.values()))
    width = max(len(str(row[0])) for row in rows)
    lines = [f"{row[0]!s:<{width}}" + "".join(f"{cell!s:>7}" for cell in row[1:]) for row in rows]
    if report.fresh:
        kept = sum(total.values()) - report.decoded
        before = f", {kept} were there already" if kept > 0 else ""
        lines.append(f"{data_dir}: {sum(total.values())} clips, {report.decoded} decoded{before}")
    else:
        lines.append(f"{data_dir}: {sum(total.values())} clips, nothing to do")
    if report.left_out:
        lines.append(f"{_files(report.left_out)} left out on purpose")
    if report.rejected:
        reasons = Counter(row.reason for row in report.rejected)
        counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        lines.append(f"{_files(len(report.rejected))} rejected ({counted}): see {data_dir / 'rejected.csv'}")
    return lines


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
