"""Curves over training as arrays, and the arithmetic of intervals and p.

Open `curves.py` first: it turns the tidy tables into one block of arrays a model. `sound.py` says
which checkpoints are evidence at all, `settings.py` what all tests are told.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.curves.curves import Curves as Curves
    from geomod.curves.curves import gather as gather

__getattr__ = hand_on(
    __name__,
    {
        "Curves": ".curves",
        "gather": ".curves",
    },
)
