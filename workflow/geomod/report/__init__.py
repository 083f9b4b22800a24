"""Figures and the page, from tables alone.

Open `gallery.py` first: what is drawn, from which tables, and what must be there for it.
`figures.py` draws, `page.py` puts all together.
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
