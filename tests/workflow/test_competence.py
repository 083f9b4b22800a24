"""Task sets are scored in the pass that the sentences have, and cost no other pass again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.tables import read_provenance, read_table
from geomod.toy.language import LINKS, make_language, sample_sentences
from tests.workflow.conftest import Workflow

TABLE = "results/small/tables/competence.parquet"
BARE: dict[str, Any] = {
    "run": "small",
    "suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 256]}},
    "dataset": {"name": "toy-world", "simulate": {"sentences": 40}, "regions": ["IFG"]},
    "competence": {
        "agreement": {"pairs": "pairs.csv"},
        "times": {"simulate": "reading_times", "reader": {"model": "toy-xs", "step": 256}},
        "others": {"published": "evals/*.json", "models": {"70m": "toy-xs"}},
    },
    "jobs": {"steps_per_job": 2},
}
PIQA = {"acc": 0.6, "acc_stderr": 0.011, "acc_norm": 0.61, "acc_norm_stderr": 0.011}


def write_task_sets(folder: Path) -> None:
    """Agreement of the linking word that follows a sentence, and what others published."""
    rng = np.random.default_rng(0)
    number = rng.integers(2, size=100)
    sentences = sample_sentences(make_language(0), rng.integers(8, size=100), number, rng)
    pairs = pd.DataFrame({"item_id": range(100), "task": "agreement"}).assign(
        good=[f"{text} {LINKS[own]}" for text, own in zip(sentences, number, strict=True)],
        bad=[f"{text} {LINKS[1 - own]}" for text, own in zip(sentences, number, strict=True)],
    )
    pairs.to_csv(folder / "pairs.csv", index=False)
    (folder / "evals").mkdir()
    config = {"model_args": "pretrained=EleutherAI/pythia-v1.1-70m,revision=step256"}
    found = {"results": {"piqa": PIQA}, "config": {**config, "num_fewshot": 0}}
    (folder / "evals/70m_step256.json").write_text(json.dumps(found))


@pytest.mark.slow
def test_what_checkpoints_know_comes_from_one_load(fresh: Workflow) -> None:
    fresh.write_config(BARE)
    write_task_sets(fresh.folder)
    fresh.run(TABLE, "results/small/toy-xs/step0/toy-world/tokens.parquet")
    loads = list((fresh.folder / "logs/small/toy-xs").glob("activations*"))
    assert len(loads) == 1
    table = read_table(fresh.folder / TABLE)
    found = table.set_index(["task", "step"])
    assert list(found.index) == [
        ("agreement", 0), ("times", 0), ("agreement", 256), ("times", 256), ("piqa", 256),
    ]  # fmt: skip
    assert found.loc["agreement", "n"].eq(100).all()
    # Good and bad have one token each more than what they share: all that a uniform model sees.
    assert found.loc["agreement", "uniform"].eq(0.5).all()
    assert found["score"]["agreement", 0] == pytest.approx(0.5, abs=0.2)
    # To whom words are as surprising as to the checkpoint that is asked, their times are plain.
    assert found["score"]["times", 256] > found["score"]["times", 0] + 0.01
    assert found.loc[("piqa", 256), "source"] == "published v1"
    items = read_table(fresh.folder / "results/small/toy-xs/step256/competence/items.parquet")
    pairs = items[items["task"] == "agreement"]
    score = (pairs["log_p_good"] > pairs["log_p_bad"]).mean()
    assert score == pytest.approx(found["score"]["agreement", 256])
    provenance = read_provenance(fresh.folder / TABLE)
    assert {"train", "activations", "items", "competence"} <= set(json.dumps(provenance).split('"'))

    # What is added has a load of its own; what is taken out runs no model.
    (fresh.folder / "few.csv").write_text("item_id,task,good,bad\n1,few,the the,the of\n")
    more = {**BARE["competence"], "few": {"pairs": "few.csv"}}
    fresh.write_config({**BARE, "competence": more})
    assert fresh.planned(TABLE) == {"activations": 1, "items": 1, "competence": 1}
    fewer = {name: entry for name, entry in BARE["competence"].items() if name != "times"}
    fresh.write_config({**BARE, "competence": fewer})
    assert fresh.planned(TABLE) == {"items": 1, "competence": 1}
    # Wrong files are told before any job.
    (fresh.folder / "few.csv").write_text("item_id,task,good,bad\n1,few,the the,\n")
    fresh.write_config({**BARE, "competence": more})
    said = fresh.run(TABLE, check=False).stderr
    assert "few.csv, row 2: bad is empty" in said
    assert "Traceback" not in said


def test_the_question_is_asked_only_where_competence_is_known(fresh: Workflow) -> None:
    write_task_sets(fresh.folder)
    fresh.write_config(BARE)
    asked = fresh.planned()
    assert (asked["question"], asked["retaken"], asked["judge"]) == (1, 1, 1)
    published = {name: each for name, each in BARE["competence"].items() if name == "others"}
    fresh.write_config({**BARE, "competence": published})
    assert "retaken" not in fresh.planned()  # there are no items to draw
    bare = {name: section for name, section in BARE.items() if name != "competence"}
    fresh.write_config(bare)
    asked = fresh.planned()
    assert not {"question", "retaken", "competence", "tuned"} & set(asked)
    # A model and its tuned version are compared by what is measured anyway.
    bare["suites"] = {**bare["suites"], "sft": bare["suites"]["toy"]}
    bare["pairs_of_models"] = [{"base": "toy-xs", "tuned": "sft-xs"}]
    fresh.write_config(bare)
    assert fresh.planned()["tuned"] == 1
