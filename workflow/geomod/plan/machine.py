"""How fast is this machine? A little of each kind of work, timed, as `plan/costs.py` counts it."""

import logging
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from geomod.encoding.scores import encode_checkpoint
from geomod.encoding.settings import Settings
from geomod.geometry.sets import measure_population
from geomod.models.forward import read
from geomod.models.sentences import Sentences
from geomod.plan.costs import A_LAYER, Data, Machine, Shape, as_a_set, beside_fits, solving
from geomod.toy.language import make_language, sample_corpus
from geomod.toy.shapes import ToySize
from geomod.toy.training import make_model, make_tokenizer

log = logging.getLogger(__name__)

ROWS, WIDTH, BLOCKS, PEOPLE = 500, 512, 6, 5
ROUNDS = 3


def measure() -> Machine:
    """The rates of one thread of this machine, of its CPU time: the best of three rounds, since
    whatever else a machine does makes it slower and nothing makes it faster."""
    rng = np.random.default_rng(0)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        pace = _pace(rng)
        machine = Machine(forward=_forward(pace), solve=_solve(rng, pace), pace=pace)
    log.info("%s", machine)
    return machine


def _pace(rng: np.random.Generator) -> float:
    """Measures of a set of sentences at two layers, beside what they take where A_LAYER is."""
    features = {layer: _steep(rng, 2 * ROWS, WIDTH) for layer in range(2)}
    return 2 * as_a_set(2 * ROWS, WIDTH) / _best(lambda: measure_population(features))


def _forward(pace: float) -> float:
    """flop/s of sentences that pass through a model of random weights, width 512, six blocks."""
    tokenizer = make_tokenizer(0)
    model = make_model(ToySize(BLOCKS, WIDTH, 8, 1.0), tokenizer, 0).eval()
    texts = sample_corpus(make_language(0), 100, 1, 0)
    stimuli = pd.DataFrame({"item_id": range(len(texts)), "sentence": texts})
    tokens = sum(map(len, tokenizer(texts)["input_ids"]))
    shape = Shape(BLOCKS, WIDTH, len(tokenizer))
    seconds = _best(lambda: read(model, tokenizer, [Sentences(stimuli)]))
    return tokens * shape.flop / max(seconds - len(texts) * shape.layers * A_LAYER / pace, 1e-3)


def _solve(rng: np.random.Generator, pace: float) -> float:
    """flop/s of the encoding models of one layer."""
    names = [f"s{row}" for row in range(ROWS)]
    stimuli = pd.DataFrame({"item_id": names, "n_words": 7, "position": range(ROWS)})
    people = ["average", *map(str, range(PEOPLE))]
    responses = pd.concat(
        pd.DataFrame({"item_id": names, "region": "r", "participant": one, "response": values})
        for one, values in zip(people, rng.standard_normal((len(people), ROWS)), strict=True)
    )
    ceiling = pd.DataFrame({"region": "r", "participant": people, "ceiling": 0.5})
    settings = Settings(5, 5, None, 0, (-2.0, 8.0, 21), True, None, permutations=200)
    data = Data(ROWS, ROWS, 0.0, regions=1, participants=PEOPLE, baselines=0, untrained=False)
    layers = {layer: _steep(rng, ROWS, WIDTH) for layer in range(3)}

    def fit(count: int) -> float:
        some = {layer: layers[layer] for layer in range(count)}
        return _best(lambda: encode_checkpoint(some, responses, stimuli, ceiling, settings))

    a_layer = (fit(3) - fit(1)) / 2
    return solving(data, WIDTH) / max(a_layer - beside_fits(data) / pace, 0.1 * a_layer)


def _steep(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float32]:
    """Features whose singular values fall as 1/k, as a language model's do."""
    u, _, v = np.linalg.svd(rng.standard_normal((rows, width)), full_matrices=False)
    return (100 * u / np.arange(1, len(v) + 1) @ v).astype(np.float32)


def _best(work: Callable[[], object]) -> float:
    """The least seconds of CPU of some rounds, the first of which warms up."""
    found = []
    for _ in range(ROUNDS + 1):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found[1:])
