"""Ambient: slow pads and drones in large rooms, hardly a beat."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

AMBIENT = Genre(
    name="ambient",
    tempo=(50, 90),
    scales=("major", "minor", "lydian", "dorian"),
    progressions=(bars(0, 0, 5, 5), bars(0, 0, 3, 3), bars(0, 4, 5, 3), bars(0, 0, 0, 0), bars(5, 5, 3, 3)),
    shapes=("ninth", "open", "sus", "seventh"),
    grooves=({"kick": "o.......o.......", "shaker": "..o...o...o...o."}, {"tom": "o...........o..."}),
    kits=("deep", "jazz"),
    drums_db=-24,
    parts={
        "pad": Part(
            instruments=("warm pad", "glass pad", "choir", "strings"), patterns=("x---------------",), low=52, wet=0.8
        ),
        "drone": Part(
            instruments=("warm pad", "sub bass", "cello", "organ"),
            patterns=("1---------------",),
            low=36,
            level_db=-3,
            presence=0.85,
            wet=0.6,
        ),
        "sparks": Part(
            instruments=("bell", "felt piano", "glass pad", "vibraphone", "electric piano", "clean guitar"),
            patterns=("1.....5.....8...", "....3.......5...", "8.......5.......", "1...5...3...8..."),
            low=67,
            level_db=-5,
            presence=0.8,
            wet=0.9,
            echo=0.7,
        ),
        "lead": Part(
            instruments=("flute", "felt piano", "violin", "glass pad"),
            patterns=("m-------m-------", "m-----------....", "....m-------m---"),
            low=64,
            level_db=-6,
            presence=0.5,
            wet=0.8,
            echo=0.4,
        ),
    },
    loose_s=0.02,
    room_s=(1.5, 5.0),
    rubato=0.02,
    fills=0.0,
)
