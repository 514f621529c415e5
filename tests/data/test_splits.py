"""Splits: proportions, artists kept together, the seed, and the refusals."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbre.data import SPLITS, DataError, SourceClip
from timbre.data.splits import FoldSplit, FractionSplit, PublishedSplit, artist_key

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def clips(genres: dict[str, int], artists: dict[str, int] | None = None) -> list[SourceClip]:
    """So many clips of each genre, dealt out to its artists in turn."""
    return [
        SourceClip(
            path=f"{genre}/{number}.wav",
            genre=genre,
            artist=f"{genre} {number % artists[genre]}" if artists else None,
        )
        for genre, count in genres.items()
        for number in range(count)
    ]


def split(seed: int = 0) -> FractionSplit:
    return FractionSplit(**SHARES, seed=seed)


def shares(found: list[SourceClip], assigned: list[str | None]) -> dict[tuple[str, str], float]:
    total = Counter(clip.genre for clip in found)
    count = Counter(zip((clip.genre for clip in found), assigned, strict=True))
    return {(genre, name): count[genre, name] / total[genre] for genre in total for name in SPLITS}


def test_unknown_artists_give_exact_proportions() -> None:
    found = clips({"jazz": 100, "rock": 40, "ska": 20})
    for (_, name), share in shares(found, split().assign(found)).items():
        assert share == pytest.approx(SHARES[name], abs=1e-9)


def test_artists_stay_together_and_genres_keep_their_shares() -> None:
    generator = np.random.default_rng(5)
    found = [
        SourceClip(path=f"{genre}/{artist}-{number}", genre=genre, artist=f"{genre}{artist}")
        for genre in ("a", "b", "c", "d")
        for artist in range(30)
        for number in range(int(generator.integers(1, 12)))
    ]
    assigned = split().assign(found)
    splits_of = defaultdict(set)
    for clip, name in zip(found, assigned, strict=True):
        splits_of[clip.artist].add(name)
    assert all(len(names) == 1 for names in splits_of.values())
    for (_, name), share in shares(found, assigned).items():
        assert share == pytest.approx(SHARES[name], abs=0.02)


def test_an_artist_of_two_genres_is_in_one_split() -> None:
    found = [
        SourceClip(path=f"{genre}/{number}-{copy}", genre=genre, artist=f"band {number}")
        for genre in ("pop", "rock")
        for number in range(12)
        for copy in range(3)
    ]
    assigned = split().assign(found)
    for number in range(12):
        assert len({n for c, n in zip(found, assigned, strict=True) if c.artist == f"band {number}"}) == 1
    assert min(shares(found, assigned).values()) > 0


def test_the_seed_decides_and_nothing_else() -> None:
    found = clips({"jazz": 60, "rock": 60}, {"jazz": 20, "rock": 20})
    assert split(1).assign(found) == split(1).assign(found)
    assert split(1).assign(found) != split(2).assign(found)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(3, 12), min_size=2, max_size=5), st.integers(0, 99))
def test_three_artists_are_enough_for_three_splits(artists: list[int], seed: int) -> None:
    genres = {f"g{number}": 2 * count for number, count in enumerate(artists)}
    found = clips(genres, {f"g{number}": count for number, count in enumerate(artists)})
    assert min(shares(found, split(seed).assign(found)).values()) > 0


def test_many_groups_are_quick() -> None:
    found = clips({f"g{number}": 1000 for number in range(8)})
    for (_, name), share in shares(found, split().assign(found)).items():
        assert share == pytest.approx(SHARES[name], abs=0.005)


@pytest.mark.parametrize("wrong", [{"train": 0.8}, {"val": 0.0, "train": 0.85}, {"test": -0.15, "train": 1.0}])
def test_fractions_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="sum to 1"):
        FractionSplit(**SHARES | wrong, seed=0)


def test_folds() -> None:
    found = [SourceClip(path=str(fold), genre="g", fold=fold) for fold in range(5)]
    rule = FoldSplit(train=[0, 1], val=[2], test=[3])
    assert rule.assign(found) == ["train", "train", "val", "test", None]
    with pytest.raises(DataError, match=r"1 of 6 clips have no fold \(x\)"):
        rule.assign([*found, SourceClip(path="x", genre="g")])
    with pytest.raises(DataError, match="fold 1 is in two splits"):
        FoldSplit(train=[0, 1], val=[1], test=[2])


def test_published() -> None:
    found = [SourceClip(path="a", genre="g", split="val"), SourceClip(path="b", genre="g")]
    assert PublishedSplit().assign(found) == ["val", None]


def test_spellings_of_one_artist() -> None:
    assert artist_key("  The  Beatles ") == artist_key("THE BEATLES") == artist_key("Ｔhe Beatles")  # noqa: RUF001
    assert artist_key("Beatles") != artist_key("Beetles")
    assert artist_key(None) == artist_key("  ") == ""
