"""Figures and the page, from tables alone.

Open `gallery.py` first: what is drawn, from which tables, and what must be there for it. Figures
are drawn in `plates/`, where it is also said what is seen in them, and become files in
`figures.py`; `series.py` and `explorer.py` make what people explore, `page.py` puts all together,
`runs.py` sets runs side by side.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.report.gallery import GALLERY as GALLERY

__getattr__ = hand_on(
    __name__,
    {
        "GALLERY": ".gallery",
    },
)
