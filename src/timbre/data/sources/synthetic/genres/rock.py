"""Rock: backbeat, driven guitars, eighth-note bass, plain progressions."""

from timbre.data.sources.synthetic.style import Genre, Part, bars

ROCK = Genre(
    name="rock",
    tempo=(92, 172),
    scales=("major", "mixolydian", "minor"),
    progressions=(
        bars(0, 4, 5, 3),
        bars(0, 3, 4, 4),
        bars(0, 6, 3, 0),
        bars(5, 3, 0, 4),
        bars(0, 0, 3, 3),
        bars((0, 4), (5, 3), 0, 4),
    ),
    shapes=("power", "triad", "power"),
    grooves=(
        {"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X..x..x.X.......", "snare": "....X.......X...", "ride": "x...x...x...x..."},
        {"kick": "X.....x.X.....x.", "snare": "....X.......X...", "open hat": "x.x.x.x.x.x.x.x."},
        {
            "kick": "X...x...X...x...",
            "snare": "....X.......X.xx",
            "hat": "x.x.x.x.x.x.x.x.",
            "crash": "X...............",
        },
    ),
    kits=("rock", "rock", "tight"),
    drums_db=0,
    parts={
        "rhythm": Part(
            instruments=("crunch guitar", "crunch guitar", "heavy guitar", "steel guitar", "clean guitar"),
            patterns=(
                "x.x.x.x.x.x.x.x.",
                "x---x-x-..x-x-x-",
                "x-------x---x---",
                "x-x-x-xxx-x-x-xx",
                "x---x---x---x---",
            ),
            low=45,
            level_db=0,
            wet=0.2,
        ),
        "bass": Part(
            instruments=("electric bass", "driven bass"),
            patterns=("1-1-1-1-1-1-1-1-", "1---1-1-1---1-5-", "1-------1-1-5---", "1-1-8-1-1-1-8-5-"),
            low=33,
            level_db=-2,
            wet=0.03,
        ),
        "second": Part(
            instruments=("steel guitar", "clean guitar", "organ", "piano"),
            patterns=("1-3-5-8-5-3-1-3-", "x---x---x---x---", "x---------------", "8-5-3-5-8-5-3-5-"),
            low=55,
            level_db=-6,
            presence=0.6,
            wet=0.3,
        ),
        "lead": Part(
            instruments=("lead guitar", "organ", "saw lead", "saxophone", "piano"),
            patterns=("m---m-m-m---....", "m-m-m---m-m-m---", "..m-m-m-m-------"),
            low=62,
            level_db=-3,
            presence=0.65,
            wet=0.35,
            echo=0.3,
        ),
    },
    loose_s=0.008,
    room_s=(0.3, 1.2),
)
