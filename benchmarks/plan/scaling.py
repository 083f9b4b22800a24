"""How the cost of each stage grows: with sentences, layers, checkpoints, responses and voxels.

    python benchmarks/plan/scaling.py --write        # all of it, about eight minutes of one core
    python benchmarks/plan/scaling.py --only sentences layers

Features are random with singular values that fall as 1/k, as a language model's do; tables of
checkpoints are simulated (`geomod.scrutiny.synthetic`). Each stage runs once a size, on one thread;
times are CPU seconds, which a busy machine changes least. The exponent is the slope of ln seconds
over ln size through the three largest sizes: 1 is linear.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document
from benchmarks.ridge.ladder import steep
from benchmarks.scrutiny.interval_coverage import REGIONS, SCATTER

WIDTH, PEOPLE = 512, "abcde"
Work = Callable[[], object]


def world(n: int, layers: int, width: int = WIDTH) -> tuple[dict[int, Any], ...]:
    """Features of `layers` before and after training, sentences, responses, ceilings."""
    rng = np.random.default_rng(0)
    before, after = ({k: steep(rng, n, width) for k in range(layers)} for _ in range(2))
    items = [f"s{row}" for row in range(n)]
    stimuli = pd.DataFrame({"item_id": items, "n_words": rng.integers(5, 25, n)})
    stimuli = stimuli.assign(n_characters=5 * stimuli["n_words"], position=range(n))
    keys = [(region, who) for region in REGIONS for who in ("average", *PEOPLE)]
    responses = [
        pd.DataFrame({"item_id": items, "region": region, "participant": who, "response": y})
        for region, who in keys
        for y in [rng.standard_normal(n)]
    ]
    ceiling = pd.DataFrame(keys, columns=["region", "participant"]).assign(ceiling=0.5)
    return before, after, stimuli, pd.concat(responses, ignore_index=True), ceiling


def measured(n: int, layers: int, width: int = WIDTH) -> Iterator[tuple[str, Work]]:
    """Everything that is done with the features of a checkpoint."""
    from geomod.brain.ceiling import ceilings
    from geomod.encoding.baselines import Baselines, Ladders
    from geomod.encoding.scores import encode_checkpoint
    from geomod.encoding.settings import Settings
    from geomod.geometry.depth import measure_depth
    from geomod.geometry.sets import depth_similarity, measure_population
    from geomod.geometry.steps import speed_of_training

    before, after, stimuli, responses, ceiling = world(n, layers, width)
    names = ["length", "position", "untrained"]
    told = Settings(5, 5, None, 0, (-2, 8, 21), True, None, permutations=200, baselines=names)
    of_step = {0: before, 1: after}

    def encode() -> object:
        ladders = Ladders(Baselines(told, stimuli, before))
        return encode_checkpoint(after, responses, stimuli, ceiling, told, beside=ladders)

    yield "encoding, with baselines", encode
    yield "geometry: sentences as a set", lambda: measure_population(after)
    yield "geometry: layers held against each other", lambda: depth_similarity(after)
    yield "geometry: the way through the layers", lambda: measure_depth(after)
    yield "speed, a pair of steps", lambda: speed_of_training([0, 1], of_step.__getitem__)
    yield "noise ceilings", lambda: ceilings(responses, seed=0)


def of_sentences(n: int) -> Iterator[tuple[str, Work]]:
    from geomod.geometry.catalogue import names
    from geomod.geometry.measuring import measure
    from geomod.models.forward import read
    from geomod.models.sentences import Sentences
    from geomod.toy.language import make_language, sample_corpus
    from geomod.toy.shapes import ToySize
    from geomod.toy.training import make_model, make_tokenizer

    tokenizer = make_tokenizer(0)
    model = make_model(ToySize(6, WIDTH, 8, 1.0), tokenizer, 0).eval()
    texts = sample_corpus(make_language(0), n, 1, 0)
    reading = Sentences(pd.DataFrame({"item_id": range(n), "sentence": texts}))
    yield "forward pass", lambda: read(model, tokenizer, [reading])
    yield "geometry: every sentence", lambda: measure(reading.grams, range(n), names())
    yield from measured(n, 3)


def of_layers(layers: int) -> Iterator[tuple[str, Work]]:
    yield from ((n, w) for n, w in measured(400, layers, 256) if n != "noise ceilings")


def of_checkpoints(count: int) -> Iterator[tuple[str, Work]]:
    """One model of 12 blocks, at so many steps."""
    from geomod.claims.claim import Truth
    from geomod.claims.judge import claims
    from geomod.coupling.paper import correlations
    from geomod.curves.curves import HEADLINE, gather
    from geomod.curves.settings import Settings
    from geomod.emergence.onsets import emergence
    from geomod.geometry.steps import speed_of_training
    from geomod.modules.change_points import find_change_points
    from geomod.modules.partition import find_modules
    from geomod.scrutiny.multiverse import specification_curve
    from geomod.scrutiny.synthetic import Design, Frame, as_tables, simulate

    steps = tuple(np.unique(np.geomspace(1, 143000, 2 * count).round().astype(int))[-count:])
    design = Design((Frame("m", 1e8, steps, 12),), REGIONS, 5, SCATTER, SCATTER, 0.1)
    truth = Truth(separation=1.0, advantage=0.5, lead=0.5, coupling=0.5)
    made = as_tables(simulate(design, truth, np.random.default_rng(0)))
    geometry, encoding, models = made["geometry"], made["encoding"], made["models"]
    rng = np.random.default_rng(0)
    features = {step: {k: steep(rng, 200, 64) for k in range(4)} for step in steps}
    found: dict[str, Any] = {}

    def keep(name: str, work: Work) -> Work:
        return lambda: found.__setitem__(name, work())

    yield "modules", keep("modules", lambda: find_modules(geometry))
    yield "change points", lambda: find_change_points(geometry)
    yield "emergence", keep("when", lambda: emergence(encoding))
    yield "correlations", lambda: correlations(gather(geometry, encoding, models), Settings())
    yield "claims", lambda: claims(geometry, encoding, found["modules"], found["when"], models)
    variants: Any = {metric: [HEADLINE[metric]] for metric in ("entropy", "curvature")}
    yield (
        "specification curve, one variant",
        lambda: specification_curve(geometry, encoding, models, **variants),
    )
    yield "speed of training", lambda: speed_of_training(steps, features.__getitem__)


def of_responses(count: int) -> Iterator[tuple[str, Work]]:
    """Regions or voxels to fit from a layer of 1,000 sentences; no null, as for voxels."""
    from geomod.ridge.engine import encode

    rng = np.random.default_rng(0)
    x, y = steep(rng, 1000, WIDTH), rng.standard_normal((1000, count)).astype(np.float32)
    yield "encoding, no null", lambda: encode(x, y)


def of_voxels(count: int) -> Iterator[tuple[str, Work]]:
    """Maps of a cube of voxels at two steps; up to 10,000 voxels with a basis of smooth ones."""
    from geomod.brain.map_series import series
    from geomod.brain.moran import neighbours

    side = int(np.ceil(count ** (1 / 3)))
    weights = neighbours(np.arange(count), (side, side, side))
    rng = np.random.default_rng(0)
    maps = {(step, 1): rng.standard_normal(count) for step in (0, 8)}
    yield "Moran's I of maps, and their null", lambda: series(maps, weights)


AXES: dict[str, tuple[Callable[[int], Iterator[tuple[str, Work]]], list[int]]] = {
    "sentences": (of_sentences, [250, 500, 1000, 2000, 4000]),
    "layers": (of_layers, [6, 12, 24, 48]),
    "checkpoints": (of_checkpoints, [8, 16, 32, 64]),
    "responses": (of_responses, [6, 60, 600, 6000, 50000]),
    "voxels of a map": (of_voxels, [500, 1000, 2000, 4000]),
}


def costs(axis: str, sizes: list[int]) -> pd.DataFrame:
    """CPU seconds by stage (rows) and size, and the exponent."""
    stages, seconds = AXES[axis][0], dict[str, dict[int, float]]()
    for size in sizes:
        for stage, work in stages(size):
            begun = time.process_time()
            work()
            seconds.setdefault(stage, {})[size] = time.process_time() - begun
    table = pd.DataFrame(seconds).T
    last = sizes[-3:]
    slope = [np.polyfit(np.log(last), np.log(row), 1)[0] for row in table[last].to_numpy()]
    return table.assign(exponent=slope)


def main() -> None:
    import torch
    from threadpoolctl import threadpool_limits

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", default=list(AXES), choices=list(AXES))
    parser.add_argument("--largest", type=int, default=10**9, help="leave larger sizes out")
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for axis in given.only:
            table = costs(axis, [size for size in AXES[axis][1] if size <= given.largest])
            print(f"{axis}\n{table.round(2).to_string()}\n", flush=True)
            if given.write:
                name = f"scaling-{axis.split()[0]}"
                shown = table.rename_axis("stage").reset_index().round(2).astype(str)
                document(shown, name, "scaling.md", "stage")


if __name__ == "__main__":
    main()
