"""Checkpoints of a hub, a folder or the toy training: listed, audited, fetched, verified, evicted.

Open `opening.py` first: how one checkpoint becomes a folder that a job may read from, for as long
as it is needed. `listings.py` says which there are.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.checkpoints.listings import CheckpointSource as CheckpointSource
    from geomod.checkpoints.opening import Checkpoint as Checkpoint
    from geomod.checkpoints.opening import open_checkpoint as open_checkpoint
    from geomod.checkpoints.opening import open_checkpoints as open_checkpoints

__getattr__ = hand_on(
    __name__,
    {
        "Checkpoint": ".opening",
        "CheckpointSource": ".listings",
        "open_checkpoint": ".opening",
        "open_checkpoints": ".opening",
    },
)
