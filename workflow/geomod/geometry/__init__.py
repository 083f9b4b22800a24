"""The shape of what a layer says: of a sentence, of a set of sentences, over depth.

Open `sentence.py` first: entropy, curvature and their variants as functions of a token Gram.
`arrays.py` has them for plain arrays, `measuring.py` for all sentences and layers of a checkpoint,
`sets.py` what a set of sentences has; `registry.py` is how a measure is added.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.geometry.arrays import alpha_req as alpha_req
    from geomod.geometry.arrays import curvature as curvature
    from geomod.geometry.arrays import entropy as entropy
    from geomod.geometry.arrays import measure_states as measure_states
    from geomod.geometry.arrays import rankme as rankme
    from geomod.geometry.arrays import set_participation_ratio as set_participation_ratio
    from geomod.geometry.arrays import twonn as twonn
    from geomod.geometry.catalogue import load_plugins as load_plugins
    from geomod.geometry.catalogue import names as names
    from geomod.geometry.depth import measure_depth as measure_depth
    from geomod.geometry.grams import Grams as Grams
    from geomod.geometry.grams import read_grams as read_grams
    from geomod.geometry.grams import write_grams as write_grams
    from geomod.geometry.measuring import measure as measure
    from geomod.geometry.measuring import summarize as summarize
    from geomod.geometry.registry import metric as metric
    from geomod.geometry.registry import of_layers as of_layers
    from geomod.geometry.registry import of_set as of_set
    from geomod.geometry.registry import of_steps as of_steps
    from geomod.geometry.sets import depth_similarity as depth_similarity
    from geomod.geometry.sets import measure_population as measure_population

__getattr__ = hand_on(
    __name__,
    {
        "Grams": ".grams",
        "alpha_req": ".arrays",
        "curvature": ".arrays",
        "depth_similarity": ".sets",
        "entropy": ".arrays",
        "load_plugins": ".catalogue",
        "measure": ".measuring",
        "measure_depth": ".depth",
        "measure_population": ".sets",
        "measure_states": ".arrays",
        "metric": ".registry",
        "names": ".catalogue",
        "of_layers": ".registry",
        "of_set": ".registry",
        "of_steps": ".registry",
        "rankme": ".arrays",
        "read_grams": ".grams",
        "set_participation_ratio": ".arrays",
        "summarize": ".measuring",
        "twonn": ".arrays",
        "write_grams": ".grams",
    },
)
