"""What `timbre prepare` says when it is done."""

from pathlib import Path

from timbre.cli.prepare import summary
from timbre.data import PrepareReport, Rejected

CLIPS = {"jazz": {"train": 70, "val": 15, "test": 15}, "rock": {"train": 7, "val": 2, "test": 1}}


def test_the_table_counts_genres_and_splits() -> None:
    lines = summary(PrepareReport(clips=CLIPS, decoded=110), Path("data/x"))
    assert lines == [
        "genre  train    val   test",
        "jazz      70     15     15",
        "rock       7      2      1",
        "total     77     17     16",
        "data/x: 110 clips, 110 decoded",
    ]


def test_what_was_not_used_is_counted_with_its_reasons() -> None:
    rejected = [Rejected(path=str(n), reason="too_short" if n else "duplicate", message="m") for n in range(3)]
    lines = summary(PrepareReport(clips=CLIPS, rejected=tuple(rejected), left_out=1, decoded=10), Path("data/x"))
    assert lines[-3:] == [
        "data/x: 110 clips, 10 decoded, 100 were there already",
        "1 file left out on purpose",
        "3 files rejected (1 duplicate, 2 too_short): see data/x/rejected.csv",
    ]


def test_a_second_run_says_that_there_was_nothing_to_do() -> None:
    lines = summary(PrepareReport(clips=CLIPS, decoded=0, fresh=False), Path("data/x"))
    assert lines[-1] == "data/x: 110 clips, nothing to do"
