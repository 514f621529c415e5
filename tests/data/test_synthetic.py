"""The composer: equal seeds give equal files, genres differ as music does, and no single number tells them apart."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbre.data import DataError, Listing
from timbre.data.clips import no_bar
from timbre.data.sources.synthetic import SyntheticSource
from timbre.data.sources.synthetic.composer import Song, compose
from timbre.data.sources.synthetic.genres import GENRES
from timbre.data.sources.synthetic.instruments import INSTRUMENTS, RATE, note, wavetables
from timbre.data.sources.synthetic.production import active_level, master
from timbre.data.sources.synthetic.recording import CARRIERS, LEVEL_DB, Order
from timbre.data.sources.synthetic.style import STEPS_PER_BEAT, meet
from timbre.data.sources.synthetic.theory import OCTAVE, SCALES, chord, frequency, voiced


def source(**changes: object) -> SyntheticSource:
    options = {
        "genres": ["jazz", "metal"],
        "artists_per_genre": 2,
        "clips_per_genre": 3,
        "clip_seconds": 2.0,
        "seed": 3,
    }
    return SyntheticSource(**options | changes)


def made(folder: Path, workers: int = 1, **changes: object) -> tuple[Listing, dict[str, bytes]]:
    listing = source(**changes).listing(data_dir=folder, workers=workers, bar=no_bar)
    return listing, {clip.path: (listing.root / clip.path).read_bytes() for clip in listing.clips}


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    listing, files = made(tmp_path / "a", workers=2)
    assert [clip.path for clip in listing.clips] == sorted(files)
    assert Counter(clip.artist for clip in listing.clips) == {
        "jazz 00": 2, "jazz 01": 1, "metal 00": 2, "metal 01": 1,
    }  # fmt: skip
    half = made(tmp_path / "b", clips_per_genre=1)[1]
    (tmp_path / "b" / "audio" / next(iter(half))).unlink()  # as after a run that was killed
    assert made(tmp_path / "b")[1] == files
    assert len(set(files.values()) & set(made(tmp_path / "b", seed=4)[1].values())) == 0


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    made(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "audio").rglob("*")}
    made(tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "audio").rglob("*")}


def test_options_that_make_no_corpus_are_refused() -> None:
    with pytest.raises(DataError, match="does not know polka; it knows ambient"):
        source(genres=["jazz", "polka"])
    with pytest.raises(DataError, match="at least one artist"):
        source(artists_per_genre=0)


def test_files_are_of_many_kinds_whatever_the_genre() -> None:
    kinds = Counter(
        (genre, Order(genre=genre, artist=0, number=n, seed=0, clip_seconds=30.0).carrier)
        for genre in GENRES
        for n in range(200)
    )
    for genre in GENRES:
        for carrier in CARRIERS:
            assert kinds[genre, carrier] / 200 == pytest.approx(carrier.share, abs=0.12)
    assert 0.4 < sum(carrier.share for carrier in CARRIERS if carrier.suffix == "mp3") < 0.6
    assert sum(carrier.share for carrier in CARRIERS) == pytest.approx(1)


@pytest.mark.parametrize("carrier", range(len(CARRIERS)), ids=lambda number: str(CARRIERS[number]))
def test_every_kind_of_file_is_what_it_says(carrier: int, tmp_path: Path) -> None:
    orders = (Order(genre="rock", artist=1, number=n, seed=0, clip_seconds=2.0) for n in range(1000))
    order = next(order for order in orders if order.carrier == CARRIERS[carrier])
    (tmp_path / "rock").mkdir()
    order.write(tmp_path)
    content = io.BytesIO((tmp_path / order.path).read_bytes())
    info = soundfile.info(content)
    assert (info.format.lower(), info.samplerate, info.channels) == (
        order.carrier.suffix,
        order.carrier.rate,
        order.carrier.channels,
    )
    assert 0.7 < info.duration < 2.2


def excerpts(genre: str, count: int = 10) -> list[tuple[Song, object]]:
    found = []
    for number in range(count):
        generator = np.random.default_rng([7, number])
        artist = meet(GENRES[genre], generator)
        found.append((compose(artist, seconds=20.0, generator=generator), artist))
    return found


@pytest.mark.parametrize("genre", GENRES)
def test_every_artist_plays_something_all_along(genre: str) -> None:
    for song, artist in excerpts(genre):
        starts = sorted(note.start_s for notes in song.notes.values() for note in notes)
        assert starts, (genre, artist)
        assert max(np.diff([0.0, *starts, 20.0])) < 20.0


@pytest.mark.parametrize("genre", GENRES)
def test_grooves_and_figures_fit_their_bars(genre: str) -> None:
    style = GENRES[genre]
    for metre in style.metres:
        steps = metre * STEPS_PER_BEAT
        for part in style.parts.values():
            assert {len(pattern) for pattern in part.patterns} <= {4 * STEPS_PER_BEAT, 3 * STEPS_PER_BEAT}
        if style.grooves:
            assert any(all(len(pattern) == steps for pattern in groove.values()) for groove in style.grooves)
        assert any(len(pattern) == steps for part in style.parts.values() for pattern in part.patterns)


def share_on_beat(song: Song, drum: str) -> float:
    beats = np.array([hit.start_s for hit in song.hits if hit.drum == drum]) / song.beat_s
    return float((np.abs(beats - np.round(beats)) < 0.1).mean()) if len(beats) else 0.0


def test_genres_differ_as_music_does() -> None:
    songs = {genre: excerpts(genre) for genre in GENRES}
    hits = {genre: np.mean([len(song.hits) for song, _ in songs[genre]]) for genre in GENRES}
    assert hits["classical"] == 0
    assert hits["metal"] > hits["rock"] > hits["ambient"]
    tempo = {genre: np.median([artist.tempo for _, artist in songs[genre]]) for genre in GENRES}
    assert tempo["reggae"] < 92 < 116 < tempo["electronic"] < 142
    assert {artist.metre for _, artist in songs["classical"]} == {3, 4}
    assert all(share_on_beat(song, "kick") > 0.7 for song, _ in songs["electronic"])
    assert all(artist.swing > 0.59 for _, artist in songs["jazz"])
    assert all(artist.swing == 0.5 for _, artist in songs["rock"])
    assert {artist.shapes for _, artist in songs["metal"]} == {("power",)}


def test_artists_of_one_genre_differ() -> None:
    artists = [artist for _, artist in excerpts("jazz")]
    assert len({round(artist.tempo) for artist in artists}) > 6
    assert len({tuple(sorted(artist.players)) + artist.shapes for artist in artists}) > 2
    assert len({artist.production for artist in artists}) == 10


def test_an_artist_stays_the_same_from_song_to_song() -> None:
    first, second = (Order(genre="jazz", artist=4, number=n, seed=0, clip_seconds=5.0) for n in (4, 24))
    assert meet(GENRES["jazz"], first._dice("artist", of_artist=True)) == meet(
        GENRES["jazz"], second._dice("artist", of_artist=True)
    )
    assert not np.array_equal(first.record()[0], second.record()[0])


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_an_instrument_plays_the_pitch_it_is_given(name: str) -> None:
    generator = np.random.default_rng(0)
    instrument = INSTRUMENTS[name]
    value = 40 if "bass" in name else 57
    sound = note(instrument, value, 2.0, wavetables(instrument, value, generator), generator)
    assert np.isfinite(sound).all()
    assert 0.1 < np.abs(sound).max() < 4
    assert np.abs(sound[-20:]).max() < 0.1  # no click
    spectrum = np.abs(np.fft.rfft(sound[: 2 * RATE] * np.hanning(2 * RATE)))
    hertz = frequency(value)
    peaks = [spectrum[int(k * hertz * 1.94) : int(k * hertz * 2.06) + 2].max() for k in (1, 2, 3)]
    between = [spectrum[int((k + 0.4) * hertz * 2) : int((k + 0.6) * hertz * 2)].max() for k in (1, 2)]
    assert max(peaks) > 4 * max(between)


def test_chords() -> None:
    c, major = 48, SCALES["major"]
    assert chord(c, major, 0, "triad") == [48, 52, 55]
    assert chord(c, major, 1, "seventh") == [50, 53, 57, 60]  # ii7
    assert chord(c, major, 4, "seventh") == [55, 59, 62, 65]  # V7
    assert chord(c, SCALES["minor"], 0, "power") == [48, 55, 60]
    for degree in range(7):
        tones = voiced(chord(c, major, degree, "seventh"), 53)
        assert {tone % OCTAVE for tone in tones} == {tone % OCTAVE for tone in chord(c, major, degree, "seventh")}
        assert 53 <= min(tones) <= max(tones) < 53 + 15


def test_loudness_is_set_whatever_the_music_is() -> None:
    generator = np.random.default_rng(0)
    for scale in (1e-3, 1.0, 50.0):
        record = scale * generator.standard_normal((1, 3 * RATE), dtype=np.float32)
        mastered = master(record, level_db=-20.0)
        assert 20 * np.log10(active_level(mastered)) == pytest.approx(-20.0, abs=0.5)
        assert np.abs(mastered).max() < 1.0
    assert LEVEL_DB[0] < LEVEL_DB[1] < 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_genres_can_be_learned_but_not_by_one_number() -> None:
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    orders = [
        Order(genre=genre, artist=number % 20, number=number, seed=1, clip_seconds=20.0)
        for genre in GENRES
        for number in range(30)
    ]
    pairs = [describe(*order.record()) for order in orders]
    timbres, numbers = (np.array(column) for column in zip(*pairs, strict=True))
    genres, artists = [order.genre for order in orders], [f"{order.genre} {order.artist}" for order in orders]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)

    def accuracy(model: object, features: np.ndarray) -> float:
        return cross_val_score(model, features, genres, groups=artists, cv=folds).mean()

    for column, name in enumerate(SIMPLE):
        tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=4, random_state=0)
        assert accuracy(tree, numbers[:, [column]]) < 0.4, name
    assert 0.6 < accuracy(make_pipeline(StandardScaler(), SVC(C=10)), timbres) < 0.97


SIMPLE = ("rms", "peak", "crest", "zero crossings", "centroid", "duration")


def describe(samples: np.ndarray, rate: int) -> tuple[np.ndarray, tuple[float, ...]]:
    """MFCC statistics, and the six simplest numbers there are."""
    import librosa

    x = librosa.resample(samples.mean(axis=1), orig_sr=rate, target_sr=RATE)
    mfcc = librosa.feature.mfcc(y=x, sr=RATE, n_mfcc=20, hop_length=1024)
    rms, peak = np.sqrt((x**2).mean()), np.abs(x).max()
    crossings = (np.diff(np.sign(x)) != 0).mean()
    centroid = librosa.feature.spectral_centroid(y=x, sr=RATE, hop_length=1024).mean()
    statistics = np.concatenate([mfcc.mean(1), mfcc.std(1), np.diff(mfcc, axis=1).std(1)])
    return statistics, (rms, peak, peak / rms, crossings, centroid, len(x) / RATE)
