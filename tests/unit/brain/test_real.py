"""Real responses to 1,000 sentences: what is known to be in them must be found, and no more.

Nothing of the data is part of the project; where they are not at hand, these tests are skipped.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

from geomod.brain.ceiling import ceilings, read_published
from geomod.brain.dataset import Dataset
from geomod.brain.responses import read_responses, response_blocks
from geomod.brain.stimuli import read_stimuli
from geomod.models.forward import read
from geomod.models.loading import load_model
from geomod.models.passages import Passages
from geomod.models.reading import Settings
from geomod.models.sentences import Sentences, extract
from geomod.ridge.engine import encode
from geomod.toy.training import train

FOLDER = Path(__file__).parents[3].parent / "shared" / "data" / "tuckute2024"
FILE = FOLDER / "roi_responses_lh.csv"
REGIONS = ["IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "netw"]
DATASET: dict[str, Any] = {
    "name": "tuckute2024",
    "sentences": str(FILE),
    "responses": str(FILE),
    "regions": REGIONS,
}
PUBLISHED = {"region": "roi", "ceiling": "nc"}

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not here")


@pytest.fixture(scope="module")
def stimuli() -> pd.DataFrame:
    return read_stimuli(Dataset.of(DATASET))


@pytest.fixture(scope="module")
def table(stimuli: pd.DataFrame) -> pd.DataFrame:
    return read_responses(Dataset.of(DATASET), stimuli).table


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's smallest model after a little training."""
    folder = tmp_path_factory.mktemp("toy")
    train("xs", [32], 0, folder)
    return folder / "step32"


def features(stimuli: pd.DataFrame) -> dict[str, np.ndarray]:
    """What can be said of a sentence without a language model."""
    counts = {"n_features": 256, "norm": None, "alternate_sign": False}
    ngrams = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), **counts)
    words = HashingVectorizer(**counts)
    return {
        "length": stimuli[["n_characters"]].to_numpy(float),
        "ngrams": ngrams.transform(stimuli["sentence"]).toarray(),
        "words": words.transform(stimuli["sentence"]).toarray(),
        "noise": np.random.default_rng(0).normal(size=(len(stimuli), 256)),
    }


def ceiling_of(regions: pd.Series) -> np.ndarray:
    published = read_published(FOLDER / "noise_ceilings.csv", REGIONS, PUBLISHED, "lang_LH_")
    return np.array([published[region] for region in regions])


def test_the_file_is_read_to_the_last_digit(table: pd.DataFrame, stimuli: pd.DataFrame) -> None:
    assert len(stimuli) == 1000
    assert stimuli["n_words"].value_counts().to_dict() == {6: 996, 7: 4}
    (block,) = response_blocks(table, stimuli)
    np.testing.assert_array_equal(block.rows, np.arange(1000))
    texts = pd.read_csv(FILE, dtype=str)[[f"lang_LH_{region}" for region in REGIONS]]
    expected = texts.map(float).to_numpy()
    np.testing.assert_array_equal(block.matrix, expected)


def test_published_ceilings_follow_from_published_noise(table: pd.DataFrame) -> None:
    """The signal is what is left of the averages' variance (ddof 1) after the noise's share."""
    nc = pd.read_csv(FOLDER / "noise_ceilings.csv").set_index("roi")
    for region, published in zip(REGIONS, ceiling_of(pd.Series(REGIONS)), strict=True):
        row = nc.loc[f"lang_LH_{region}"]
        variance = table.loc[table["region"] == region, "response"].var(ddof=1)
        signal = np.sqrt(variance - row["sd_noise"] ** 2 / 5)
        assert signal == pytest.approx(row["sd_signal"], rel=1e-4)
        ncsnr = signal / row["sd_noise"]
        assert published == pytest.approx(np.sqrt(ncsnr**2 / (ncsnr**2 + 1 / 5)), rel=1e-4)


def test_the_ceiling_of_people_with_that_signal_and_noise(table: pd.DataFrame) -> None:
    """Five made-up people around the published signal, by both methods."""
    nc = pd.read_csv(FOLDER / "noise_ceilings.csv").set_index("roi")
    rng = np.random.default_rng(0)
    for region in ("netw", "IFG"):
        row = nc.loc[f"lang_LH_{region}"]
        signal = rng.normal(scale=row["sd_signal"], size=(1000, 1))
        values = signal + rng.normal(scale=row["sd_noise"], size=(1000, 5))
        items = [f"s{i}" for i in range(1000)]
        wide = pd.DataFrame(values, index=items, columns=list("abcde")).rename_axis("item_id")
        people = wide.reset_index().melt("item_id", var_name="participant", value_name="response")
        for method in ("participants", "split_half"):
            found = ceilings(people.assign(region=region), seed=0, method=method, draws=200).iloc[0]
            assert found["low"] < row["nc"] < found["high"]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("length", 0.19, 0.25), ("ngrams", 0.1, 0.35), ("words", 0.03, 0.3), ("noise", -0.08, 0.08)],
)
def test_scores_are_plausible_and_below_the_ceiling(
    name: str, low: float, high: float, table: pd.DataFrame, stimuli: pd.DataFrame
) -> None:
    (block,) = response_blocks(table, stimuli)
    found = encode(
        features(stimuli)[name][block.rows],
        block.matrix,
        alphas=np.logspace(-2, 8, 21),
        permutations=100,
        seed=0,
    )
    score = pd.Series(found.score[0], index=block.targets["region"])
    assert low < score["netw"] < high
    assert (score < ceiling_of(block.targets["region"])).all()
    assert found.null is not None
    assert np.abs(found.null.mean(axis=1)).max() < 0.03
    assert found.p_permutation is not None
    p = pd.Series(found.p_permutation[0], index=block.targets["region"])
    assert p["netw"] > 0.05 if name == "noise" else p["netw"] < 0.05


@pytest.mark.parametrize(("pooling", "low", "high"), [("last", -0.15, 0.15), ("mean", 0.02, 0.3)])
def test_the_demos_models_know_little_of_these_sentences(
    pooling: Literal["last", "mean"],
    low: float,
    high: float,
    toy: Path,
    table: pd.DataFrame,
    stimuli: pd.DataFrame,
) -> None:
    """Their language is made up: a mean over tokens tells a sentence's length, and little more."""
    model, tokenizer = load_model(toy)
    found = extract(model, tokenizer, list(stimuli["sentence"]), pooling=pooling)
    layers = np.stack([found.features[layer] for layer in sorted(found.features)])
    (block,) = response_blocks(table, stimuli)
    scores = encode(
        layers[:, block.rows],
        block.matrix,
        alphas=np.logspace(-2, 8, 21),
        permutations=20,
        seed=0,
    )
    netw = list(block.targets["region"]).index("netw")
    assert low < scores.score[:, netw].max() < high
    assert (scores.score < ceiling_of(block.targets["region"])).all()
    assert scores.null is not None
    assert np.abs(scores.null.mean(axis=1)).max() < 0.05


def test_beside_own_datasets_it_gives_byte_for_byte_what_each_gives_alone(
    toy: Path, stimuli: pd.DataFrame, tmp_path: Path
) -> None:
    """All files of a checkpoint; every stage that comes later reads those of one dataset alone."""
    model, tokenizer = load_model(toy)
    # Own sentences, some of them the same ones, and the same again in passages.
    own = stimuli.iloc[900:].assign(group=[f"g{row // 5}" for row in range(100)])
    own = pd.concat([own, own.iloc[:5].assign(item_id=list("abcde"), group="again")])
    kinds = {"tuckute2024": Sentences, "mine": Sentences, "passages": Passages}
    place = {"model": "toy-xs", "step": 32, "parameters": 1, "vocabulary": 1}

    def files_of(run: str, *names: str) -> dict[str, bytes]:
        readings = {
            name: kinds[name](stimuli if name == "tuckute2024" else own, Settings())
            for name in names
        }
        read(model, tokenizer, list(readings.values()))
        found = {}
        for name, reading in readings.items():
            folder = tmp_path / run / "small/toy-xs/step32" / name
            folder.mkdir(parents=True)
            reading.write(folder, {"dataset": name, **place}, {})
            found |= {f"{name}/{path.name}": path.read_bytes() for path in folder.iterdir()}
        return found

    together = files_of("together", *kinds)
    assert len(together) == 9
    assert together == files_of("reversed", *reversed(kinds))
    for name in kinds:
        assert files_of(name, name).items() <= together.items()


def test_length_alone_correlates_with_the_network(
    table: pd.DataFrame, stimuli: pd.DataFrame
) -> None:
    netw = table[table["region"] == "netw"].set_index("item_id")["response"]
    length = stimuli.set_index("item_id")["n_characters"]
    assert length.corr(netw) == pytest.approx(0.22, abs=0.005)
