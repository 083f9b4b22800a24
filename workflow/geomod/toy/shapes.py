"""The shapes of the toy models, and how long they are trained. Read without importing torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ToySize:
    """The shape of a toy model, how it is trained, and what is planted in it.

    The first `words` blocks have no attention: they know one word at a time, and are the module of
    high complexity; the others are that of low complexity. 0 plants no modules.
    """

    blocks: int
    width: int
    heads: int
    learning_rate: float  # the highest
    rotary: float = 0.25  # share of a head's dimensions that know the place of a token
    scatter: float = 0.02  # SD of the weights before training
    words: int = 0
    agreement: float = 1.0  # weight of linking words in what is learned, from `AGREEMENT` on


def deep(blocks: int, width: int, words: int) -> ToySize:
    """A deep and narrow model with two planted modules.

    It learns agreement in as few steps as others do when every dimension of a head knows its place,
    and when agreement counts eight times, once it counts.
    """
    told = {"rotary": 1.0, "scatter": 0.06, "agreement": 8.0}
    return ToySize(blocks, width, 2, 8e-3, words=words, **told)


TOY_SIZES = {
    "xs": ToySize(blocks=2, width=32, heads=4, learning_rate=8e-3),
    "s": ToySize(blocks=3, width=48, heads=4, learning_rate=5e-3),
    "m": ToySize(blocks=4, width=64, heads=4, learning_rate=4e-3),
    "deep7": deep(7, 20, words=3),
    "deep8": deep(8, 28, words=3),
    "deep9": deep(9, 32, words=3),
    "deep10": deep(10, 40, words=4),
}
TOY_VOCABULARY = 600  # tokens, about: the words of the language, and bytes
# Where modules are planted, agreement is not learned before this step: linking words count nothing.
AGREEMENT = 128
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
