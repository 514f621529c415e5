"""Eight genres as data, one file each. They differ as music does: tempo, metre, drums, harmony, instruments, rooms."""

from timbre.data.sources.synthetic.genres.ambient import AMBIENT
from timbre.data.sources.synthetic.genres.classical import CLASSICAL
from timbre.data.sources.synthetic.genres.electronic import ELECTRONIC
from timbre.data.sources.synthetic.genres.hiphop import HIPHOP
from timbre.data.sources.synthetic.genres.jazz import JAZZ
from timbre.data.sources.synthetic.genres.metal import METAL
from timbre.data.sources.synthetic.genres.reggae import REGGAE
from timbre.data.sources.synthetic.genres.rock import ROCK

GENRES = {genre.name: genre for genre in (AMBIENT, CLASSICAL, ELECTRONIC, HIPHOP, JAZZ, METAL, REGGAE, ROCK)}
