"""Checkpoints in folders, one of them diverged, an encoder beside them, and metrics of one's own.

What cannot be measured is counted, and takes nothing else with it.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

from geomod.base.layers import read_features
from geomod.geometry.grams import read_grams
from geomod.toy.language import make_language, sample_stimuli
from geomod.toy.training import train
from tests.workflow.conftest import Workflow, copy_workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("folders")]

STEPS, DIVERGED, BROKEN_LAYER = (0, 8, 16), 8, 3
SENTENCES = 60
PLUGIN = '''from geomod.geometry.registry import metric


@metric("spread")
def spread(gram):
    """SD of the tokens' squared norms."""
    return gram.diagonal(axis1=1, axis2=2).std(axis=1)
'''


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = copy_workflow(tmp_path_factory.mktemp("folders") / "geomod")
    folder = workflow.folder
    train("m", STEPS, 0, folder / "mine/m")
    break_layer(folder / f"mine/m/step{DIVERGED}/model.safetensors", BROKEN_LAYER)
    sentences = [*sample_stimuli(make_language(0), SENTENCES - 2, 0)["sentence"], "the", "the the"]
    make_encoder(folder / "encoder/tiny/step0", sentences)
    make_data(folder / "mine.csv", sentences)
    (folder / "own.py").write_text(PLUGIN, encoding="utf-8")
    workflow.write_config(config())
    workflow.run()
    return workflow


def config() -> dict[str, Any]:
    places = {"provider": "folder", "path": "mine/{size}/step{step}"}
    encoder = {"provider": "folder", "path": "encoder/{size}/step{step}"}
    return {
        "run": "small",
        "suites": {
            "mine": {**places, "sizes": ["m"], "steps": list(STEPS)},
            "encoder": {**encoder, "sizes": ["tiny"], "steps": [0]},
        },
        "dataset": {
            "name": "mine",
            "sentences": "mine.csv",
            "responses": "mine.csv",
            "regions": ["IFG", "netw"],
        },
        "features": {"bos": "tokenizer"},
        "geometry": {
            "entropy": ["raw", "centred"],
            "curvature": ["hosseini", "folded"],
            "first_token_norm": ["ratio"],
            "plugins": "own.py",
        },
        "encoding": {"permutations": 10, "alphas": {"low": -1, "high": 6, "count": 8}},
        "jobs": {"steps_per_job": 3},
        "inference": {"permutations": 50, "bootstrap": 20, "null_draws": 10},
    }


def break_layer(path: Path, layer: int) -> None:
    """From this block on, the activations are no numbers."""
    weights = load_file(path)
    name = f"gpt_neox.layers.{layer - 1}.mlp.dense_4h_to_h.bias"
    weights[name] = torch.full_like(weights[name], torch.nan)
    save_file(weights, path, metadata={"format": "pt"})


def make_encoder(folder: Path, sentences: list[str]) -> None:
    words = sorted({word for sentence in sentences for word in sentence.replace(".", "").split()})
    words = words[::5]  # and most are unknown
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *words]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    model = BertForMaskedLM(BertConfig(vocab_size=len(vocabulary), num_hidden_layers=2, **sizes))
    model.save_pretrained(folder)


def make_data(path: Path, sentences: list[str]) -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([len(sentence) for sentence in sentences], dtype=float)
    table = {"item_id": range(len(sentences)), "sentence": sentences}
    table |= {region: lengths + rng.normal(size=len(sentences)) for region in ("IFG", "netw")}
    pd.DataFrame(table).to_csv(path, index=False)


def table(workflow: Workflow, name: str) -> pd.DataFrame:
    return pd.read_parquet(workflow.folder / f"results/small/tables/{name}.parquet")


def test_a_diverged_checkpoint_loses_its_broken_layers_alone(ran: Workflow) -> None:
    geometry = table(ran, "geometry")
    broken = (geometry["step"] == DIVERGED) & (geometry["layer"] >= BROKEN_LAYER)
    assert broken.any()
    assert (geometry.loc[broken, "n_nonfinite"] == SENTENCES).all()
    assert (geometry.loc[broken, "n"] == 0).all()
    assert geometry.loc[broken, "mean"].isna().all()
    assert (geometry.loc[~broken, "n_nonfinite"] == 0).all()
    assert geometry.loc[~broken, "mean"].notna().all()

    encoding = table(ran, "encoding")
    lost = (encoding["step"] == DIVERGED) & (encoding["layer"] >= BROKEN_LAYER)
    assert lost.any()
    assert encoding.loc[lost, "score"].isna().all()
    assert encoding.loc[~lost & (encoding["layer"] > 0), "score"].notna().all()

    sets = table(ran, "population")
    missing = (sets["step"] == DIVERGED) & (sets["layer"] >= BROKEN_LAYER)
    assert missing.any()
    assert (sets.loc[missing, "n_nonfinite"] == SENTENCES).all()
    assert (sets.loc[~missing, "n_nonfinite"] == 0).all()


def test_short_sentences_are_counted(ran: Workflow) -> None:
    """Without special tokens one sentence has one token and one has two: no curvature."""
    geometry = table(ran, "geometry").query("model == 'mine-m' and step == 0")
    undefined = geometry.groupby(["metric", "variant"])["n_undefined"].agg(["min", "max"])
    assert set(undefined.loc["curvature"].to_numpy().ravel()) == {2}
    assert set(undefined.loc[("entropy", "raw")]) == {0}
    assert set(geometry["n"] + geometry["n_undefined"]) == {SENTENCES}


def test_the_report_says_what_was_left_out(ran: Workflow) -> None:
    page = (ran.folder / "results/small/report.html").read_text(encoding="utf-8")
    assert f"mine-m, step {DIVERGED}: activations are not finite in layers 3, 4" in page
    assert re.search(r"encoder-tiny, step 0: \d+% of the tokens are unknown, or single bytes", page)
    assert f"curvature (hosseini) is not defined for up to 2 of {SENTENCES} sentences" in page
    claims = json.loads((ran.folder / "results/small/claims.json").read_text(encoding="utf-8"))
    assert len(claims) == 5


def test_an_encoder_is_read_with_the_tokens_that_its_tokenizer_adds(ran: Workflow) -> None:
    results = ran.folder / "results/small/encoder-tiny/step0/mine"
    sentences = pd.read_csv(ran.folder / "mine.csv")["sentence"]
    model = BertModel.from_pretrained(ran.folder / "encoder/tiny/step0").eval()
    tokenizer = BertTokenizerFast.from_pretrained(ran.folder / "encoder/tiny/step0")
    features = read_features(results / "features.safetensors")
    grams = read_grams(results / "grams.safetensors")
    assert list(features) == [0, 1, 2]
    for row in (0, SENTENCES - 1):
        with torch.no_grad():
            states = model(
                **tokenizer(sentences[row], return_tensors="pt"), output_hidden_states=True
            )
        for layer, state in enumerate(states.hidden_states):
            x = state[0].double().numpy()
            np.testing.assert_allclose(features[layer][row], x[-1], atol=1e-5)
            np.testing.assert_allclose(grams[layer][row], x @ x.T, rtol=1e-4, atol=1e-4)
    tokens = pd.read_parquet(results / "tokens.parquet")
    assert tokens["surprisal"].isna().all()  # no model of the next token
    assert tokens["n_tokens"].iloc[-2] == 3  # [CLS] the [SEP]


def test_a_metric_of_ones_own_is_in_the_tables_and_the_figures(ran: Workflow) -> None:
    grams = read_grams(ran.folder / "results/small/mine-m/step16/mine/grams.safetensors", [2])[2]
    expected = [gram.diagonal().std() for gram in (grams[row] for row in range(SENTENCES))]
    found = table(ran, "geometry").query(
        "model == 'mine-m' and step == 16 and layer == 2 and metric == 'spread'"
    )
    assert found["mean"].item() == pytest.approx(np.mean(expected))
    figure = (ran.folder / "results/small/figures/geometry.svg").read_text(encoding="utf-8")
    assert ">spread<" in figure
    assert ">first token norm<" in figure


def test_every_choice_of_variants_is_in_the_specification_curve(ran: Workflow) -> None:
    curve = table(ran, "specification_curve")
    assert len(curve) == 2 * 2 + 2 + 2
    assert curve["headline"].sum() == 3
    assert {"raw", "centred"} <= set(curve["entropy"].dropna())
    assert curve["estimate"].isna().all()  # two steps that are sound: too few for any quantity
    drawn = (ran.folder / "results/small/figures/multiverse.svg").read_text(encoding="utf-8")
    assert "Left out: this figure needs" in drawn


def test_an_edited_metric_is_measured_again_and_no_model_is_read(ran: Workflow) -> None:
    assert ran.planned() == {}
    ran.edit("own.py", lambda text: text.replace(".std(", ".mean("))
    stages = {name.split("_")[0] for name in ran.planned()}
    assert "geometry" in stages
    assert not stages & {"activations", "encoding"}
