"""When in training does a region's alignment emerge?

Open `onsets.py` first: how a curve is read, and how sure one can be. `contrasts.py` compares two
groups of regions, `sigmoids.py` fits, `noise.py` says what checkpoints scatter.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.emergence.onsets import emergence as emergence
    from geomod.emergence.sigmoids import fit_logistic as fit_logistic
    from geomod.emergence.sigmoids import half_rise as half_rise

__getattr__ = hand_on(
    __name__,
    {
        "emergence": ".onsets",
        "fit_logistic": ".sigmoids",
        "half_rise": ".sigmoids",
    },
)
