"""What a config asks for: its keys, its grid of models and steps, its paths, its folder.

Open `config/` first, then `grid.py`. No other wing knows of this one.
"""

from typing import TYPE_CHECKING

from geomod.base.extras import extra
from geomod.base.handing_on import hand_on

with extra("workflow"):  # once, before any file of the wing
    import pydantic  # noqa: F401

if TYPE_CHECKING:
    from geomod.plan.config.whole import Config as Config
    from geomod.plan.grid import Grid as Grid
    from geomod.plan.grid import Paths as Paths
    from geomod.plan.reading import parse_config as parse_config
    from geomod.plan.reading import read_configs as read_configs

__getattr__ = hand_on(
    __name__,
    {
        "Config": ".config.whole",
        "Grid": ".grid",
        "Paths": ".grid",
        "parse_config": ".reading",
        "read_configs": ".reading",
    },
)
