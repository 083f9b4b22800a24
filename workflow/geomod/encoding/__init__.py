"""Encoding models as tables: every layer against every region of every person.

Open `scores.py` first. `design.py` says how rows of texts become rows of responses, `alignment.py`
has the other measures of likeness, `baselines.py` what a layer explains beyond length, position and
the untrained model. The arrays are fitted in `geomod.ridge`.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.encoding.alignment import linear_cka as linear_cka
    from geomod.encoding.alignment import rsa as rsa
    from geomod.encoding.alignment import trsa as trsa
    from geomod.encoding.baselines import against_baselines as against_baselines
    from geomod.encoding.scores import encode_checkpoint as encode_checkpoint
    from geomod.encoding.scores import encode_voxels as encode_voxels

__getattr__ = hand_on(
    __name__,
    {
        "against_baselines": ".baselines",
        "encode_checkpoint": ".scores",
        "encode_voxels": ".scores",
        "linear_cka": ".alignment",
        "rsa": ".alignment",
        "trsa": ".alignment",
    },
)
