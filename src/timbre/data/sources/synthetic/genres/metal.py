"""Metal: fast double kick, palm-muted distorted fifths in dark scales."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

METAL = Genre(
    name="metal",
    tempo=(110, 200),
    scales=("phrygian", "minor", "harmonic minor", "locrian"),
    progressions=(bars(0, 0, 0, 1), bars(0, 0, 5, 6), bars(0, 1, 0, 4), bars(0, 0, (0, 1), (3, 2)), bars(0, 5, 6, 1)),
    shapes=("power",),
    grooves=(
        {"kick": "xxxxxxxxxxxxxxxx", "snare": "....X.......X...", "ride": "x...x...x...x..."},
        {"kick": "X.xxX.xxX.xxX.xx", "snare": "....X.......X...", "crash": "X..............."},
        {"kick": "x.x.x.x.x.x.x.x.", "snare": ".x.x.x.x.x.x.x.x", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X..x..x.X..x..x.", "snare": "........X.......", "open hat": "x...x...x...x..."},
    ),
    kits=("tight",),
    drums_db=0,
    parts={
        "riff": Part(
            instruments=("heavy guitar",),
            patterns=(
                "x.xxx.xxx.xxx.xx",
                "x.xxx.xxx-------",
                "xxxxxxxxxxxxxxxx",
                "x--x--x-x--x--x-",
                "x.x.xx.x.xx.x-x-",
            ),
            low=40,
            level_db=2,
            wet=0.1,
        ),
        "wall": Part(
            instruments=("heavy guitar", "crunch guitar"),
            patterns=("x-------x-------", "x---------------"),
            low=40,
            level_db=-2,
            presence=0.6,
            wet=0.15,
        ),
        "bass": Part(
            instruments=("driven bass", "electric bass"),
            patterns=("1.111.111.111.11", "1111111111111111", "1-1-1-1-1-1-1-1-"),
            low=28,
            level_db=-3,
            wet=0.02,
        ),
        "lead": Part(
            instruments=("lead guitar",),
            patterns=("mmmmmmmmmmmmmmmm", "m-mmm-mmm-mmm-mm", "m---m-m-m-------"),
            low=64,
            level_db=-3,
            presence=0.45,
            wet=0.3,
            echo=0.4,
        ),
    },
    loose_s=0.004,
    room_s=(0.2, 1.0),
)
