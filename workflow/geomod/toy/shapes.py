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
# The last step that a toy model can be asked for: training further takes long, and shows nothing.
LAST_STEP = 4096

# What a simulated brain answers with: five regions of the language network, the whole of it, and a
# region that holds noise alone.
TOY_REGIONS = ("IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "netw", "noise")
