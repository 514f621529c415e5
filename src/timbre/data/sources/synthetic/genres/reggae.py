"""Reggae: one drop: chords off the beat, drums on the third, a bass that sings."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

REGGAE = Genre(
    name="reggae",
    tempo=(62, 92),
    swing=(0.5, 0.6),
    swing_beats=0.5,
    scales=("minor", "major", "dorian", "mixolydian"),
    progressions=(
        bars(0, 3, 0, 3),
        bars(0, 4, 3, 0),
        bars(0, 0, 3, 4),
        bars(0, 6, 0, 6),
        bars((0, 3), (0, 4), (0, 3), 0),
    ),
    shapes=("triad", "triad", "seventh"),
    grooves=(
        {"kick": "........X.......", "rim": "........X.......", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "x.......X.......", "snare": "........X.......", "hat": "..x...x...x...x."},
        {"kick": "X...X...X...X...", "rim": "........X.....o.", "hat": "x.xxx.x.x.xxx.x."},
        {
            "kick": "........X.......",
            "snare": "........X.....oo",
            "open hat": "..............x.",
            "hat": "x.x.x.x.x.x.x...",
        },
    ),
    kits=("dusty", "rock", "jazz"),
    drums_db=-2,
    parts={
        "bass": Part(
            instruments=("round bass", "sub bass", "electric bass"),
            patterns=("1-1-..3-5---....", "..1-1-3-1---5-3-", "1--1--5-....8-5-", "....1-1-3-5-3-1-"),
            low=31,
            level_db=2,
            wet=0.03,
        ),
        "skank": Part(
            instruments=("clean guitar", "piano", "organ", "steel guitar"),
            patterns=("..x...x...x...x.", "..xx..xx..xx..xx", "....x.......x..."),
            low=57,
            level_db=0,
            wet=0.35,
            echo=0.3,
        ),
        "bubble": Part(
            instruments=("organ", "electric piano"),
            patterns=("..xx..xx..xx..xx", ".xx..xx..xx..xx."),
            low=50,
            level_db=-7,
            presence=0.6,
            wet=0.2,
        ),
        "lead": Part(
            instruments=("trumpet", "saxophone", "flute", "square lead", "clean guitar", "organ"),
            patterns=("m---m-m-........", "....m-m-m---m---", "m-m-m-----......"),
            low=62,
            level_db=-5,
            presence=0.6,
            wet=0.5,
            echo=0.7,
        ),
    },
    loose_s=0.009,
    room_s=(0.4, 2.0),
    fills=0.4,
)
