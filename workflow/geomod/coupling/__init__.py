"""Does a layer's geometry predict its alignment?

Open `within_depth.py` first, the test that holds its level. `paper.py` has the paper's own
correlations, `other_tests.py` those that do not hold theirs, `mixed.py` and `size.py` what becomes
of the coupling over sizes of models.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.coupling.mixed import mixed_model as mixed_model
    from geomod.coupling.paper import correlations as correlations
    from geomod.coupling.size import trend as trend
    from geomod.coupling.within_depth import partial_correlation as partial_correlation

__getattr__ = hand_on(
    __name__,
    {
        "correlations": ".paper",
        "mixed_model": ".mixed",
        "partial_correlation": ".within_depth",
        "trend": ".size",
    },
)
