"""Hiphop: slow, swung sixteenths, a loop over a deep bass."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

HIPHOP = Genre(
    name="hiphop",
    tempo=(72, 102),
    swing=(0.52, 0.64),
    swing_beats=0.5,
    scales=("minor", "dorian", "phrygian"),
    progressions=(bars(0, 0, 0, 0), bars(0, 5, 0, 5), bars(0, 3, 0, 4), bars(0, 0, 5, 4), bars(3, 0, 3, 0)),
    shapes=("seventh", "ninth", "triad"),
    grooves=(
        {"kick": "X..x......x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.....x.x.......", "snare": "....X.......X..o", "hat": "x.xxx.x.x.xxx.x."},
        {"kick": "X......x..x..x..", "clap": "....X.......X...", "hat": "xxxxxxxxxxxxxxxx"},
        {
            "kick": "X.x.......x..x..",
            "snare": "....X..o.o..X...",
            "hat": "x.x.x.x.x.x.x.x.",
            "open hat": "..............x.",
        },
    ),
    kits=("dusty", "deep", "dusty", "machine"),
    drums_db=3,
    parts={
        "bass": Part(
            instruments=("sub bass", "round bass", "electric bass", "upright bass"),
            patterns=("1--1......1-....", "1-----1-1-------", "1-......8.1--1--", "1---------5-3---"),
            low=31,
            level_db=1,
            wet=0.03,
        ),
        "loop": Part(
            instruments=("electric piano", "felt piano", "vibraphone", "nylon guitar", "strings", "organ", "choir"),
            patterns=(
                "x-----x---------",
                "x-----------x---",
                "8-5-3-1-5---....",
                "x..x..x.........",
                "5...8...5..3..1.",
            ),
            low=55,
            level_db=-4,
            wet=0.25,
        ),
        "hook": Part(
            instruments=("flute", "trumpet", "bell", "piano", "square lead", "violin"),
            patterns=("m-m...m-....m---", "....m-m-....m-m-", "m--m--m-........"),
            low=62,
            level_db=-7,
            presence=0.55,
            wet=0.3,
            echo=0.3,
        ),
    },
    loose_s=0.008,
    room_s=(0.2, 0.8),
    duck=0.2,
    fills=0.2,
)
