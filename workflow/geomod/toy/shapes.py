"""The shapes of the toy models, and how long they are trained. Read without importing torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ToySize:
    """The shape of a toy model, and the highest learning rate it is trained with."""

    blocks: int
    width: int
    heads: int
    learning_rate: float


TOY_SIZES = {
    "xs": ToySize(blocks=2, width=32, heads=4, learning_rate=8e-3),
    "s": ToySize(blocks=3, width=48, heads=4, learning_rate=5e-3),
    "m": ToySize(blocks=4, width=64, heads=4, learning_rate=4e-3),
}
TOY_VOCABULARY = 600  # tokens, about: the words of the language, and bytes
# The last step that a toy model can be asked for: training further takes long, and shows nothing.
LAST_STEP = 4096

# What a simulated brain answers with: five regions of the language network, the whole of it, and a
# region that holds noise alone.
TOY_REGIONS = ("IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "netw", "noise")

# The same of one that listens to stories: a region that follows what is said, one that follows how
# fast, and noise. Two people were measured on a surface, one in a volume.
STORY_REGIONS = ("semantic", "rate", "noise")
SURFACE, VOLUME = ("01", "02"), ("03",)
SURFACE_SPACE, VOLUME_SPACE = "toysurface", "toyvolume"
TR = 2.0  # s
LEAD = 6.0  # s of scanning before a story begins
TRANSIENT = 5  # volumes until the magnetization is steady, about: to be trimmed


def toy_stories(count: int) -> list[str]:
    """The names of so many made-up stories."""
    return [f"story{number}" for number in range(1, count + 1)]
