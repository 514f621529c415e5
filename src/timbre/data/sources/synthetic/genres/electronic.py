"""Electronic: a kick on every beat, off-beat hats, saw basses, everything ducked by the kick."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

ELECTRONIC = Genre(
    name="electronic",
    tempo=(116, 142),
    scales=("minor", "phrygian", "dorian", "minor"),
    progressions=(bars(0, 0, 0, 0), bars(0, 0, 5, 6), bars(0, 5, 2, 6), bars(0, 0, 3, 3), bars(5, 6, 0, 0)),
    shapes=("triad", "seventh", "ninth", "sus"),
    grooves=(
        {"kick": "X...X...X...X...", "hat": "..x...x...x...x.", "clap": "....x.......x..."},
        {"kick": "X...X...X...X...", "open hat": "..x...x...x...x.", "hat": "xoxoxoxoxoxoxoxo"},
        {
            "kick": "X...X...X...X..x",
            "hat": "x.x.x.x.x.x.x.x.",
            "clap": "....X.......X...",
            "shaker": "oxoxoxoxoxoxoxox",
        },
        {"kick": "X...X...X...X...", "rim": "...x..x....x..x.", "open hat": "..X...X...X...X."},
    ),
    kits=("machine", "machine", "deep", "tight"),
    drums_db=1,
    parts={
        "bass": Part(
            instruments=("saw bass", "acid bass", "sub bass", "round bass"),
            patterns=(
                "..1...1...1...1.",
                "..11..11..11..11",
                "1.1.8.1.1.1.8.1.",
                "1..1..1..1..1.1.",
                ".111.111.111.111",
            ),
            low=33,
            level_db=-1,
            wet=0.05,
        ),
        "arp": Part(
            instruments=("saw pluck", "square lead", "bell", "stab"),
            patterns=("1.5.8.5.1.5.8.5.", "1358135813581358", "8.53..8.53..8.5.", "1..5..8..5..3.8."),
            low=60,
            level_db=-5,
            presence=0.75,
            wet=0.4,
            echo=0.5,
        ),
        "stabs": Part(
            instruments=("stab", "saw pluck", "organ", "electric piano"),
            patterns=("..x.....x..x....", "...x..x....x..x.", "....x.......x...", "x..x..x...x..x.."),
            low=55,
            level_db=-4,
            presence=0.7,
            wet=0.4,
            echo=0.4,
        ),
        "pad": Part(
            instruments=("warm pad", "strings", "choir"),
            patterns=("x---------------",),
            low=52,
            level_db=-8,
            presence=0.6,
            wet=0.5,
        ),
        "lead": Part(
            instruments=("saw lead", "square lead"),
            patterns=("m--m--m-m--m--m-", "m...m.m...m.m..."),
            low=64,
            level_db=-6,
            presence=0.3,
            wet=0.4,
            echo=0.5,
        ),
    },
    loose_s=0.0,
    room_s=(0.3, 2.0),
    duck=0.8,
)
