"""Ridge regression for encoding models: one factorization, every penalty, target and draw.

Open `engine.py` first, whose `encode` does it all; `tests/unit/ridge/ridge_oracle.py` is the same
in forty plain lines. `fits.py` fits a layer in a fold, `banded.py` has the ladder over a baseline,
`folds.py` what is fitted on what, `delays.py` rows in time, `both_loops.py` what is faster for
them, and `weights.py` their weights.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.ridge.banded import Ladder as Ladder
    from geomod.ridge.banded import ladder as ladder
    from geomod.ridge.delays import Delays as Delays
    from geomod.ridge.engine import ALPHAS as ALPHAS
    from geomod.ridge.engine import Encoding as Encoding
    from geomod.ridge.engine import encode as encode
    from geomod.ridge.engine import normalize as normalize
    from geomod.ridge.weights import Coefficients as Coefficients
    from geomod.ridge.weights import coefficients as coefficients

__getattr__ = hand_on(
    __name__,
    {
        "ALPHAS": ".engine",
        "Coefficients": ".weights",
        "Delays": ".delays",
        "Encoding": ".engine",
        "Ladder": ".banded",
        "coefficients": ".weights",
        "encode": ".engine",
        "ladder": ".banded",
        "normalize": ".engine",
    },
)
