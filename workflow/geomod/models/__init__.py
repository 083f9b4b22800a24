"""An open checkpoint: its weights, its tokens, and what is kept of one forward pass.

Open `loading.py` first: a model of any family in a folder, ready to be read from.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.models.loading import load_model as load_model

__getattr__ = hand_on(
    __name__,
    {
        "load_model": ".loading",
    },
)
