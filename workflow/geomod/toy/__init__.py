"""A world whose answers are known: a language, small models that learn it, a brain that reads it.

Open `language.py` first: what the sentences hold, early and late. `training.py` makes the models,
`brain.py` plants what must come back.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.toy.brain import simulate_brain as simulate_brain
    from geomod.toy.language import latents as latents
    from geomod.toy.language import make_language as make_language
    from geomod.toy.language import sample_sentences as sample_sentences
    from geomod.toy.language import sample_stimuli as sample_stimuli
    from geomod.toy.shapes import TOY_REGIONS as TOY_REGIONS
    from geomod.toy.shapes import TOY_SIZES as TOY_SIZES
    from geomod.toy.training import make_model as make_model
    from geomod.toy.training import make_tokenizer as make_tokenizer
    from geomod.toy.training import train as train

__getattr__ = hand_on(
    __name__,
    {
        "TOY_REGIONS": ".shapes",
        "TOY_SIZES": ".shapes",
        "latents": ".language",
        "make_language": ".language",
        "make_model": ".training",
        "make_tokenizer": ".training",
        "sample_sentences": ".language",
        "sample_stimuli": ".language",
        "simulate_brain": ".brain",
        "train": ".training",
    },
)
