"""An open checkpoint: its weights, its tokens, and what is kept of one forward pass.

Open `reading.py` first, which says what a reading is, then `sentences.py`, which is one;
`forward.py` gives any number of them what `loading.py` opened.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.models.forward import read as read
    from geomod.models.loading import load_model as load_model
    from geomod.models.passages import Passages as Passages
    from geomod.models.reading import Reading as Reading
    from geomod.models.scored import Scored as Scored
    from geomod.models.sentences import Sentences as Sentences
    from geomod.models.sentences import extract as extract
    from geomod.models.story import Story as Story
    from geomod.models.story import extract_story as extract_story

__getattr__ = hand_on(
    __name__,
    {
        "Passages": ".passages",
        "Reading": ".reading",
        "Scored": ".scored",
        "Sentences": ".sentences",
        "Story": ".story",
        "extract": ".sentences",
        "extract_story": ".story",
        "load_model": ".loading",
        "read": ".forward",
    },
)
