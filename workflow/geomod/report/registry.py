"""How a figure is made known: a function that draws it, and one that says what is seen in it.

    @in_gallery(seen=_learning_seen)
    def learning(tables):
        ...

It is called by the name of the function that draws it. Its title and caption, the tables that it is
drawn from and what they must hold stand under that name in `gallery.py`.
"""

from collections.abc import Callable

from geomod.base.extras import extra
from geomod.report.gallery import Tables

with extra("report"):
    from matplotlib.figure import Figure

Draw = Callable[[Tables], Figure]
Say = Callable[[Tables], str]

FIGURES: dict[str, Draw] = {}
SEEN: dict[str, Say] = {}


def in_gallery(*, seen: Say) -> Callable[[Draw], Draw]:
    """Register the function below as one that draws; `seen` makes a sentence or two of the same
    tables, which say what their numbers show."""

    def register(draw: Draw) -> Draw:
        FIGURES[draw.__name__], SEEN[draw.__name__] = draw, seen
        return draw

    return register
