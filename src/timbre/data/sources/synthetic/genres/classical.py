"""Classical: chamber music: melody and accompaniment, three or four beats, a tempo that breathes, no drums."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

CLASSICAL = Genre(
    name="classical",
    tempo=(66, 150),
    metres=(3, 4, 3),
    scales=("major", "minor", "harmonic minor"),
    progressions=(
        bars(0, 3, 4, 0),
        bars(0, 4, 5, 3),
        bars(0, 5, 1, 4),
        bars(0, 0, 4, 4),
        bars(0, (3, 1), (4, 6), 0),
        bars(5, 1, 4, 0),
        bars(0, 4, 0, 4),
    ),
    shapes=("triad", "triad", "seventh"),
    parts={
        "melody": Part(
            instruments=("violin", "flute", "clarinet", "piano", "strings", "harpsichord", "cello"),
            patterns=(
                "m-------m---",
                "m---m---m---",
                "m-----m-m-m-",
                "m-m-m-m-m---",
                "m-------m---m---",
                "m---m-m-m-------",
                "m-m-m-m-m---m---",
                "m-----m-m---m---",
            ),
            low=65,
            wet=0.5,
        ),
        "accompaniment": Part(
            instruments=("piano", "strings", "harpsichord", "nylon guitar", "felt piano"),
            patterns=(
                "1-5-3-5-3-5-",
                "1---x---x---",
                "1-3-5-8-5-3-",
                "1-5-3-5-1-5-3-5-",
                "1-3-5-8-5-3-1-3-",
                "x-------x-------",
                "1---x---x---x---",
            ),
            low=53,
            level_db=-4,
            wet=0.5,
        ),
        "bass": Part(
            instruments=("cello", "upright bass", "strings", "piano"),
            patterns=("1-----------", "1-------5---", "1---------------", "1-------5-------", "1---w---w---w---"),
            low=38,
            level_db=-3,
            presence=0.85,
            wet=0.45,
        ),
        "inner": Part(
            instruments=("strings", "choir", "clarinet"),
            patterns=("x-----------", "x---------------"),
            low=57,
            level_db=-9,
            presence=0.5,
            wet=0.6,
        ),
    },
    loose_s=0.018,
    room_s=(0.8, 2.8),
    rubato=0.06,
)
