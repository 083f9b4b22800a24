"""What a forward pass in float16 or bfloat16 does to each measure, against float32.

    python benchmarks/models/precision.py --write

Takes a small model that is trained here, one of random weights in the shape of Pythia-70m, and the
same with outlier dimensions, as large models have them; or `--folder` with any checkpoint of your
own. The Grams are in float64 in every case: what differs is the precision of the model. Encoding
scores are those of planted responses: linear in the middle layer of the float32 model, with noise.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document
from geomod.base.layers import Features
from geomod.geometry.grams import Floats
from geomod.geometry.measuring import measure
from geomod.geometry.sets import measure_population
from geomod.models.loading import load_model
from geomod.models.sentences import Sentences, extract
from geomod.ridge.engine import encode

TRAINED = ("m", 512)  # size and step of the small model
SENTENCES = 200
TARGETS = 20  # planted responses
MEASURES = {
    "entropy": ["raw", "raw-drop1", "centred", "normed", "clamped"],
    "curvature": ["hosseini", "hosseini-drop1", "folded", "states", "lag2"],
    "effective_rank": ["raw"],
    "participation_ratio": ["raw"],
    "path_length": ["raw"],
    "first_token_norm": ["ratio"],
}


INDEX = ["metric", "variant", "layer", "item_id"]


def measure_all(found: Sentences, targets: Floats) -> pd.Series:
    """Every measure of one pass, by INDEX; what has no item of its own has one called `set`."""
    items = [str(row) for row in range(len(found.tokens))]
    of_set = measure_population(found.features).assign(item_id="set")
    predicted = found.tokens[["surprisal", "predictive_entropy"]].assign(item_id=items)
    tokens = predicted.melt("item_id", var_name="metric").assign(variant="output", layer=-1)
    layers = np.stack([found.features[layer] for layer in sorted(found.features)])
    scores = pd.DataFrame(encode(layers, targets, alphas=np.logspace(-2, 8, 21)).score)
    encoded = scores.melt(ignore_index=False, var_name="item_id").reset_index(names="layer")
    encoded = encoded.assign(metric="encoding", variant="score")
    tables = [measure(found.grams, items, MEASURES), of_set, tokens, encoded]
    whole = pd.concat([table[[*INDEX, "value"]].astype({"item_id": str}) for table in tables])
    return whole.astype({"metric": str, "variant": str}).set_index(INDEX)["value"]


def plant(features: Features) -> Floats:
    """Responses that are linear in the middle layer, with as much noise."""
    rng = np.random.default_rng(0)
    states = features[max(features) // 2].astype(np.float64)
    signal = (states - states.mean(axis=0)) @ rng.normal(size=(states.shape[1], TARGETS))
    signal /= signal.std(axis=0)
    return signal + rng.normal(size=signal.shape)


def compare(name: str, folder: Path, sentences: list[str]) -> pd.DataFrame:
    """For each measure: its range over layers in float32, and how far either format moves it."""
    tables = {}
    for dtype in ("float32", "float16", "bfloat16"):
        found = extract(*load_model(folder, dtype=dtype), sentences)
        if dtype == "float32":
            targets = plant(found.features)
        tables[dtype] = measure_all(found, targets)
    exact = tables.pop("float32")
    by = ["metric", "variant"]
    layers = exact.groupby([*by, "layer"], sort=False).mean()
    grouped = layers.groupby(by, sort=False)
    columns = {"lowest layer": grouped.min(), "highest layer": grouped.max()}
    for dtype, values in tables.items():
        apart = values - exact
        shift = apart.groupby([*by, "layer"], sort=False).mean().abs()
        columns[f"{dtype}: largest shift of a layer"] = shift.groupby(by, sort=False).max()
        columns[f"{dtype}: largest of a sentence"] = apart.abs().groupby(by, sort=False).max()
    table = pd.DataFrame(columns).map(lambda value: f"{value:.2g}").reset_index()
    return table.assign(model=name)[["model", *table.columns]]


def trained_model(folder: Path) -> tuple[Path, list[str]]:
    """A small GPT-NeoX trained from nothing, and sentences of its language."""
    from geomod.toy.language import make_language, sample_stimuli
    from geomod.toy.training import train

    size, step = TRAINED
    train(size, [step], 0, folder)
    stimuli = sample_stimuli(make_language(0), SENTENCES, 0)
    return folder / f"step{step}", stimuli["sentence"].tolist()


def plant_outliers(folder: Path) -> None:
    """Lift three dimensions of the residual stream to a thousand, from the second block on."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["gpt_neox.layers.1.mlp.dense_4h_to_h.bias"][[3, 77, 300]] = 1000
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, help="a checkpoint of your own")
    parser.add_argument("--sentences", type=Path, help="text file for --folder, a sentence a line")
    parser.add_argument("--write", action="store_true", help="put the table into docs/")
    arguments = parser.parse_args()
    if arguments.folder:
        lines = arguments.sentences.read_text(encoding="utf-8").splitlines()
        table = compare(arguments.folder.name, arguments.folder, lines)
    else:
        from benchmarks.models.activations import build, make_sentences

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            size, step = TRAINED
            tables = [compare(f"toy-{size}, step {step}", *trained_model(folder / "toy"))]
            build("70m", folder / "random")
            sentences = make_sentences(SENTENCES)
            tables.append(compare("70m, random", folder / "random", sentences))
            plant_outliers(folder / "random")
            tables.append(compare("70m, random, outliers", folder / "random", sentences))
            table = pd.concat(tables)
    print(table.to_string(index=False))
    if arguments.write:
        document(table, "precision", "geometry.md", "model")


if __name__ == "__main__":
    main()
