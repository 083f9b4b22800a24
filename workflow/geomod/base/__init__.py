"""What every wing stands on: files that appear whole, tables with a key, jobs, devices, errors.

Open `tables.py` first: every number that geomod keeps passes through it. Wrong input of whatever
kind is an `InputError`, whose message is meant for people.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.base.errors import InputError as InputError
    from geomod.base.layers import read_features as read_features
    from geomod.base.tables import read_provenance as read_provenance
    from geomod.base.tables import read_table as read_table
    from geomod.base.tables import write_table as write_table

__getattr__ = hand_on(
    __name__,
    {
        "InputError": ".errors",
        "read_features": ".layers",
        "read_provenance": ".tables",
        "read_table": ".tables",
        "write_table": ".tables",
    },
)
