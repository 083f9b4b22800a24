"""Which layers belong together, and is the module of low complexity better aligned?

Open `partition.py` first: how many modules, which layers, against which null. `change_points.py`
asks the same of neighbours in depth, `low_high.py` compares what the modules' layers score,
and `decade.py` says how far a few checkpoints speak for the last decade of training.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.modules.change_points import find_change_points as find_change_points
    from geomod.modules.partition import Partition as Partition
    from geomod.modules.partition import find_modules as find_modules
    from geomod.modules.partition import persistence as persistence

__getattr__ = hand_on(
    __name__,
    {
        "Partition": ".partition",
        "find_change_points": ".change_points",
        "find_modules": ".partition",
        "persistence": ".partition",
    },
)
