"""What was told and when: words with times, windows over long texts, the way down to TRs.

Open `words.py` first, then `timing.py`, the one place that turns rows of a scan into seconds.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.stories.downsampling import weights as weights
    from geomod.stories.downsampling import word_rate as word_rate
    from geomod.stories.lags import check_lags as check_lags
    from geomod.stories.settings import Settings as Settings
    from geomod.stories.timing import Timing as Timing
    from geomod.stories.timing import rows_of as rows_of
    from geomod.stories.words import read_words as read_words

__getattr__ = hand_on(
    __name__,
    {
        "Settings": ".settings",
        "Timing": ".timing",
        "check_lags": ".lags",
        "read_words": ".words",
        "rows_of": ".timing",
        "weights": ".downsampling",
        "word_rate": ".downsampling",
    },
)
