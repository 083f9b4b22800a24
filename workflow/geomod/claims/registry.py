"""The claims, in the order of their numbers. One more is a file and a line here."""

from geomod.claims.curvature import CURVATURE
from geomod.claims.follows_formal import FOLLOWS_FORMAL
from geomod.claims.low_complexity import LOW_COMPLEXITY
from geomod.claims.modularization import MODULARIZATION
from geomod.claims.saturates import SATURATES
from geomod.claims.size import SIZE
from geomod.claims.temporal_first import TEMPORAL_FIRST

CLAIMS = (
    MODULARIZATION,
    LOW_COMPLEXITY,
    TEMPORAL_FIRST,
    CURVATURE,
    SIZE,
    FOLLOWS_FORMAL,
    SATURATES,
)
