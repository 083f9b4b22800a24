"""What people read and what their brains did: sentences, responses, regions, noise ceilings.

Open `responses.py` first: one interface, a reader for each format. `ceiling.py` has the model of
the data that says how far any score can reach.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.brain.ceiling import ceilings as ceilings
    from geomod.brain.ceiling import noise_ceiling as noise_ceiling
    from geomod.brain.dataset import Dataset as Dataset
    from geomod.brain.own import reader as reader
    from geomod.brain.responses import Responses as Responses
    from geomod.brain.responses import read_responses as read_responses
    from geomod.brain.responses import read_voxels as read_voxels
    from geomod.brain.responses import response_blocks as response_blocks
    from geomod.brain.stimuli import read_stimuli as read_stimuli
    from geomod.brain.voxels import Voxels as Voxels

__getattr__ = hand_on(
    __name__,
    {
        "Dataset": ".dataset",
        "Responses": ".responses",
        "Voxels": ".voxels",
        "ceilings": ".ceiling",
        "noise_ceiling": ".ceiling",
        "read_responses": ".responses",
        "read_stimuli": ".stimuli",
        "read_voxels": ".responses",
        "reader": ".own",
        "response_blocks": ".responses",
    },
)
