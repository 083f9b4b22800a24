"""The small demo from nothing: every file of the contract is there and holds what it should."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from transformers import AutoModelForCausalLM, AutoTokenizer

from geomod.report.gallery import GALLERY
from tests.workflow.conftest import SMALL, Workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]

STEPS = SMALL["suites"]["toy"]["steps"]


@pytest.fixture(scope="module")
def results(finished: Workflow) -> Path:
    return finished.folder / "results/small"


KINDS = ("svg", "pdf", "png", "rst")  # of figures, and their captions


def test_the_files_of_the_contract_are_there(results: Path) -> None:
    expected = [f"data/toy-world/{name}.parquet" for name in ("stimuli", "responses", "ceiling")]
    expected += [f"tables/{t}.parquet" for t in ("geometry", "encoding", "modules", "emergence")]
    sets = ("population", "depth_similarity", "speed", "specification_curve", "survival")
    expected += [f"tables/{t}.parquet" for t in sets]
    expected += [f"figures/{name}.{suffix}" for name in GALLERY for suffix in KINDS]
    expected += ["claims.json", "report.html"]
    per_step = ["features.safetensors", "grams.safetensors", "geometry.parquet", "encoding.parquet"]
    expected += [
        f"toy-{size}/step{step}/toy-world/{name}"
        for size in ("xs", "s")
        for step in STEPS
        for name in per_step
    ]
    assert [name for name in expected if not (results / name).is_file()] == []


def test_nothing_is_said_on_the_screen_that_belongs_in_a_log(finished: Workflow) -> None:
    logs = (finished.folder / "logs/small").rglob("*.log")
    lines = {line.strip() for log in logs for line in log.read_text("utf-8").splitlines()} - {""}
    assert any("held-out loss" in line for line in lines)
    screen = (finished.folder / "screen.txt").read_text(encoding="utf-8")
    assert "steps (100%) done" in screen
    assert re.search("^Done in ", screen, re.MULTILINE)
    assert {line for line in lines if line in screen} == set()
    assert not re.search("Warning|Traceback|held-out loss", screen)


def test_toy_models_learn(results: Path) -> None:
    for size in ("xs", "s"):
        first, last = (
            pd.read_parquet(results / f"checkpoints/toy-{size}/step{step}/loss.parquet")
            for step in (0, 128)
        )
        assert last["step"].item() == 128
        assert last["loss"].item() < 0.6 * first["loss"].item()


def test_features_are_those_of_the_model_one_sentence_at_a_time(results: Path) -> None:
    """Layer 0 the embedding output, layer l the raw output of block l, at the last token."""
    folder = results / "checkpoints/toy-s/step64"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sentences = pd.read_parquet(results / "data/toy-world/stimuli.parquet")["sentence"]
    features = load_file(results / "toy-s/step64/toy-world/features.safetensors")
    grams = load_file(results / "toy-s/step64/toy-world/grams.safetensors")
    states: dict[int, torch.Tensor] = {}
    for layer, block in enumerate(model.gpt_neox.layers, start=1):
        block.register_forward_hook(
            lambda _m, _i, output, layer=layer: states.__setitem__(
                layer, output[0] if isinstance(output, tuple) else output
            )
        )
    for row in (0, 7, 150):
        ids = tokenizer(sentences[row], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            output = model(ids, output_hidden_states=True)
        states[0] = output.hidden_states[0]
        for layer, state in states.items():
            x = state.reshape(ids.shape[1], -1).double().numpy()
            np.testing.assert_allclose(features[f"layer{layer:02d}"][row], x[-1], atol=1e-5)
            gram = grams[f"layer{layer:02d}"][grams["offsets"][row] : grams["offsets"][row + 1]]
            np.testing.assert_allclose(gram.reshape(len(x), -1), x @ x.T, rtol=1e-4, atol=1e-5)


def test_geometry_is_that_of_the_grams(results: Path) -> None:
    grams = load_file(results / "toy-xs/step128/toy-world/grams.safetensors")
    table = pd.read_parquet(results / "toy-xs/step128/toy-world/geometry.parquet")
    items = pd.read_parquet(results / "data/toy-world/stimuli.parquet")["item_id"]
    for row in (0, 99):
        size = int(grams["lengths"][row])
        gram = grams["layer01"][grams["offsets"][row] : grams["offsets"][row + 1]]
        gram = gram.reshape(size, size)
        values = np.linalg.eigvalsh(gram / np.trace(gram))
        values = values[values > 0]
        rows = table[(table["item_id"] == items[row]) & (table["layer"] == 1)]
        found = rows.drop_duplicates("metric").set_index("metric")[
            "value"
        ]  # the headline comes first
        assert found["entropy"] == pytest.approx(-(values * np.log(values)).sum(), abs=1e-9)
        angles = []
        for t in range(size - 2):
            dot = gram[t + 1, t + 2] - gram[t + 1, t + 1] - gram[t, t + 2] + gram[t, t + 1]
            first = gram[t, t] - 2 * gram[t, t + 1] + gram[t + 1, t + 1]
            second = gram[t + 1, t + 1] - 2 * gram[t + 1, t + 2] + gram[t + 2, t + 2]
            angles.append(np.arccos(np.clip(dot / np.sqrt(first * second), -1, 1)))
        assert found["curvature"] == pytest.approx(np.mean(angles), abs=1e-7)


def test_scores_are_those_of_a_nested_loop_with_scikit_learn(results: Path) -> None:
    features = load_file(results / "toy-s/step128/toy-world/features.safetensors")["layer02"]
    responses = pd.read_parquet(results / "data/toy-world/responses.parquet")
    stimuli = pd.read_parquet(results / "data/toy-world/stimuli.parquet")
    table = pd.read_parquet(results / "tables/encoding.parquet")
    alphas = np.logspace(-1, 6, 8)
    for region, participant in (("IFG", "average"), ("PostTemp", "02"), ("noise", "average")):
        rows = responses[
            (responses["region"] == region) & (responses["participant"] == participant)
        ]
        assert list(rows["item_id"]) == list(stimuli["item_id"])
        y, scores = rows["response"].to_numpy(), []
        for train, test in KFold(5, shuffle=True, random_state=0).split(y):
            scaler = StandardScaler().fit(features[train].astype(float))
            x, held = (scaler.transform(features[i].astype(float)) for i in (train, test))
            errors = [
                sum(
                    ((y[train][b] - Ridge(alpha).fit(x[a], y[train][a]).predict(x[b])) ** 2).sum()
                    for a, b in KFold(5, shuffle=True, random_state=0).split(x)
                )
                for alpha in alphas
            ]
            best = Ridge(alphas[int(np.argmin(errors))]).fit(x, y[train])
            scores.append(pearsonr(best.predict(held), y[test])[0])
        found = table.query(
            "model == 'toy-s' and step == 128 and layer == 2 and region == @region "
            "and participant == @participant"
        )
        assert found["score"].item() == pytest.approx(np.mean(scores), abs=1e-4)
        assert found["score_sd"].item() == pytest.approx(np.std(scores, ddof=1), abs=1e-4)


def test_what_a_layer_adds_is_told_for_every_baseline(results: Path) -> None:
    scores = pd.read_parquet(results / "tables/encoding.parquet")
    table = pd.read_parquet(results / "tables/baselines.parquet")
    layers = scores[scores["participant"] == "average"]
    keys = ["model", "step", "layer", "region"]
    for baseline, rows in table.groupby("baseline"):
        wanted = layers[layers["step"] > 0] if baseline == "untrained" else layers
        both = wanted.merge(rows, on=keys, validate="1:1")
        assert len(both) == len(wanted) == len(rows)
        np.testing.assert_allclose(both["score"], both["score_layer"], atol=1e-9)
    assert set(table["baseline"]) == {"length", "position", "untrained"}


def test_no_region_beats_its_ceiling_and_the_null_region_has_none(results: Path) -> None:
    """On three participants and 200 sentences ceilings are rough: some slack above them."""
    table = pd.read_parquet(results / "tables/encoding.parquet")
    table = table[table["participant"] == "average"]
    real = table[table["region"] != "noise"]
    assert (real["score"] < real["ceiling"] + 0.1).all()
    noise = table[(table["region"] == "noise") & (table["layer"] > 0)]
    assert abs(noise["score"].mean()) < 0.15


def test_there_are_five_claims(results: Path) -> None:
    claims = json.loads((results / "claims.json").read_text(encoding="utf-8"))
    assert [claim["claim"] for claim in claims] == [1, 2, 3, 4, 5]
    for claim in claims:
        assert claim["verdict"] in {"supported", "not supported", "undecided"}
        assert {"estimate", "interval", "p", "test", "planted", "recovered"} <= set(claim)


def test_the_report_stands_alone(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    drawn = page.count('src="data:image/svg+xml')
    assert drawn + page.count("Left out: this figure needs") == len(GALLERY)
    assert "Planted and recovered" in page
    for loading in ("<script src", "<link ", '<img src="http', "url(http"):
        assert loading not in page


def test_the_index_lists_the_run_and_runs_can_be_compared(like_finished: Workflow) -> None:
    results = like_finished.folder / "results"
    assert ">small</a>" in (results / "index.html").read_text(encoding="utf-8")
    refused = like_finished.run("-n", "compare", check=False)
    assert "say which runs to compare: --config 'runs=[a, b]'" in refused.stderr
    like_finished.run("compare", "--config", "runs=[small, small]")
    page = (results / "compare-small-small.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/svg+xml') == 2


def test_tests_are_calibrated_on_the_grid_of_the_run(like_finished: Workflow) -> None:
    """Two sweeps say nothing of a level; they say that the table comes to be and is used."""
    done = like_finished.run("calibration", "--config", "inference={calibration_draws: 2}")
    folder = like_finished.folder / "results/small"
    table = pd.read_parquet(folder / "tables/calibration.parquet")
    assert set(table["claim"]) <= {1, 2, 3, 4, 5}
    assert {3, 4} <= set(table["claim"])
    assert table["level"].dropna().isin([0, 0.5, 1]).all()
    assert (table["dataset"] == "toy-world").all(), done.stdout
