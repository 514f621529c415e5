"""Jazz: swinging ride cymbal, walking bass, sevenths in ii-V-I, a soloist."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

JAZZ = Genre(
    name="jazz",
    tempo=(96, 230),
    metres=(4, 4, 4, 3),
    swing=(0.6, 0.68),
    scales=("major", "dorian", "mixolydian", "harmonic minor"),
    progressions=(
        bars(1, 4, 0, 0),
        bars(1, 4, 0, 5),
        bars((1, 4), (0, 5), (1, 4), 0),
        bars(0, 5, 1, 4),
        bars(2, 5, 1, 4),
        bars(0, 3, 0, 4),
        bars(0, 0, 1, 1),
    ),
    shapes=("seventh", "ninth", "sixth"),
    grooves=(
        {"ride": "X...x.x.x...x.x.", "hat": "....x.......x...", "kick": "o.......o......."},
        {"ride": "x...X.x.x...X.x.", "hat": "....x.......x...", "snare": ".......o......o."},
        {"brush": "x...X.x.x...X.x.", "hat": "....x.......x..."},
        {"ride": "X...x.x.x.x.", "hat": "....x...x...", "kick": "o..........."},
        {"brush": "x...X.x.X...", "hat": "....x...x..."},
    ),
    kits=("jazz",),
    drums_db=-6,
    parts={
        "bass": Part(
            instruments=("upright bass", "upright bass", "electric bass"),
            patterns=("1---w---w---w---", "1---3---5---w---", "1---5---8---w---", "1---w---w---"),
            low=34,
            wet=0.15,
        ),
        "comping": Part(
            instruments=("piano", "clean guitar", "vibraphone", "organ", "electric piano"),
            patterns=(
                "x.....x-........",
                "......x-....x...",
                "..x-......x-....",
                "x-...." + "..x-" + "......",
                "x.....x-....",
                "......x-..x.",
            ),
            low=53,
            level_db=-5,
            wet=0.25,
        ),
        "solo": Part(
            instruments=("saxophone", "trumpet", "piano", "vibraphone", "clean guitar", "clarinet", "flute"),
            patterns=(
                "m-m-m-m-m-m-m-m-",
                "..m-m-m-....m-m-",
                "m---m-m-m-------",
                "m-mmm-m-..m-m---",
                "m-m-m-m-m-m-",
                "m-----m-m-..",
            ),
            low=62,
            level_db=-1,
            wet=0.3,
        ),
    },
    loose_s=0.012,
    room_s=(0.3, 1.3),
    fills=0.3,
)
