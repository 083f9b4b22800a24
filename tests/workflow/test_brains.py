"""config/brains.yaml, on small files of the structure of the published ones."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from geomod.base.tables import read_table
from tests.conftest import ROOT
from tests.unit.brain.test_assembly import store
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow

Coordinates = dict[str, tuple[str, Any]]
CONFIG = yaml.safe_load((ROOT / "config/brains.yaml").read_text(encoding="utf-8"))
FROIS = ["01_LH_PostTemp", "02_LH_AntTemp", "03_LH_IFG", "04_LH_IFGorb", "05_LH_MFG", "06_LH_AngG"]
FROIS += [f"{i:02d}_RH_{name[6:]}" for i, name in enumerate(FROIS, start=7)]
RNG = np.random.default_rng(0)


def assembly(path: Path, values: np.ndarray, rows: dict[str, Any], columns: dict[str, Any]) -> None:
    coords: Coordinates = {name: ("presentation", given) for name, given in rows.items()}
    coords |= {name: ("neuroid", given) for name, given in columns.items()}
    store(path, values, coords, ("presentation", "neuroid"))


def pereira(path: Path) -> None:
    """Twelve passages of four sentences in one experiment, eleven of three in the other."""
    experiment = np.repeat(["243sentences", "384sentences"], [33, 48])
    number = np.concatenate([np.arange(33), np.arange(48)])
    passage = np.concatenate([np.arange(33) // 3, np.arange(48) // 4])
    subject = np.repeat(["018", "199", "215", "288"], 3)
    values = RNG.normal(size=(81, 12))
    values[np.ix_(experiment == "384sentences", subject == "199")] = np.nan
    values[np.ix_(experiment == "243sentences", subject == "288")] = np.nan
    sentences = [f"Sentence {n} of {e}." for e, n in zip(experiment, number, strict=True)]
    category = [f"{e}.topic {p // 3}" for e, p in zip(experiment, passage, strict=True)]
    rows = {
        "experiment": experiment,
        "stimulus_num": number,
        "sentence": sentences,
        "stimulus": sentences,
        "passage_index": passage + 1,
        "passage_label": [f"passage {p}" for p in passage],
        "passage_category": category,
        "stimulus_id": [f"{e}.{n}" for e, n in zip(experiment, number, strict=True)],
        "story": category,
    }
    columns = {
        "subject": subject,
        "voxel_num": np.arange(12),
        "roi": ["language"] * 12,
        "atlas_selection_lower": [90] * 12,
        "neuroid_id": [f"{s}.{i}" for i, s in enumerate(subject)],
    }
    assembly(path, values, rows, columns)


def blank(path: Path) -> None:
    """Four stories of five sentences in three parts, shuffled; every part ends in a space."""
    parts = [
        (story, s, p)
        for story in ("Boar", "Aqua", "Elvis", "Tulips")
        for s in range(5)
        for p in range(3)
    ]
    parts = [parts[i] for i in RNG.permutation(len(parts))]
    story, sentence, part = (list(column) for column in zip(*parts, strict=True))
    rows = {
        "stimulus_id": [f"{a}.{s}.{p}" for a, s, p in parts],
        "stimulus": [f"{a} says {s}-{p} " for a, s, p in parts],
        "stimulus_sentence": [f"{a} says {s}-{p} " for a, s, p in parts],
        "meta_sentence": [f"{a} says {s}-{p}".lower() for a, s, p in parts],
        "story": story,
        "sentence_number_in_story": sentence,
        "part_number_in_sentence": part,
        "timepoint_value": np.arange(len(parts)),
    }
    people = ["061", "085"]
    columns = {
        "subject_id": np.repeat(people, 12),
        "subject_UID": np.repeat(people, 12),
        "fROI_area": np.tile(FROIS, 2),
        "region": ["language"] * 24,
    }
    assembly(path, RNG.normal(size=(len(parts), 24)), rows, columns)


def fedorenko(path: Path) -> None:
    """Ten sentences of eight words in capitals."""
    words = np.array(["ALEX", "WAS", "TIRED", "SO", "HE", "TOOK", "A", "NAP"] * 10)
    rows = {
        "stimulus_id": np.arange(80),
        "stimulus": words,
        "word": words,
        "word_num": np.tile(np.arange(8), 10),
        "sentence_id": np.repeat(np.arange(10), 8),
    }
    electrodes = np.arange(9)
    columns = {
        "electrode": electrodes,
        "neuroid_id": electrodes,
        "subject_UID": np.repeat([1, 2, 3], 3),
    }
    assembly(path, RNG.normal(size=(80, 9)), rows, columns)


def tuckute(path: Path) -> None:
    people, rois = CONFIG["datasets"]["tuckute2024"]["participants"], ["IFGorb", "IFG", "MFG"]
    rois += ["AntTemp", "PostTemp", "netw"]
    rows = [
        (f"{c}.{i}", f"A sentence {i} of {c}.", c, who, f"lang_{side}_{roi}", RNG.normal())
        for c in "BD"
        for i in range(40)
        for who in (*people, "797")
        for side in ("LH", "RH")
        for roi in rois
    ]
    names = ["item_id", "sentence", "cond", "target_UID", "roi", "response_target"]
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)


@pytest.fixture
def brains(fresh: Workflow) -> Workflow:
    """The files where a download would put them, under names whose checksum nobody knows."""
    text = (ROOT / "config/brains.yaml").read_text(encoding="utf-8")
    text = re.sub(r"assy_(\w+\.nc)", r"small_\1", text)
    given = yaml.safe_load(text)
    for dataset in given["datasets"].values():
        dataset.pop("download")
    fresh.write_config(given, "brains.yaml")
    folder = fresh.folder / "data"
    (folder / "brainscore").mkdir(parents=True)
    (folder / "tuckute2024").mkdir()
    tuckute(folder / "tuckute2024/brain-lang-data_participant_20230728.csv")
    pereira(folder / "brainscore/small_Pereira2018_language.nc")
    blank(folder / "brainscore/small_Blank2014_fROI.nc")
    fedorenko(folder / "brainscore/small_Fedorenko2016_language.nc")
    return fresh


def test_the_brains_are_planned_before_any_of_them_is_there(fresh: Workflow) -> None:
    jobs = fresh.planned(config="brains.yaml")
    checkpoints = 4 * 15
    downloads = {name: count for name, count in jobs.items() if name.startswith("download_")}
    assert downloads == {
        f"download_{name}": 1
        for name in ("tuckute2024", "pereira2018_384", "blank2014", "fedorenko2016")
    }
    assert jobs["activations"] == checkpoints
    assert (jobs["encoding"], jobs["geometry"]) == (5 * checkpoints, 5 * 4 * 2)
    assert (jobs["stimuli"], jobs["brain"], jobs["splits"], jobs["judge"]) == (5, 5, 1, 5)


def test_the_brains_are_read_as_people_read_them(brains: Workflow) -> None:
    assert brains.planned(config="brains.yaml")["activations"] == 60
    names = list(CONFIG["datasets"])
    data = brains.folder / "results/brains/data"
    wanted = [f"results/brains/data/{name}/notes.json" for name in names]
    brains.run(*wanted, "results/brains/data/blank2014/splits.parquet", config="brains.yaml")
    stimuli = {name: read_table(data / name / "stimuli.parquet") for name in names}
    assert {name: len(table) for name, table in stimuli.items()} == {
        "tuckute2024": 40,
        "pereira2018-384": 48,
        "pereira2018-243": 33,
        "blank2014": 60,
        "fedorenko2016": 80,
    }
    for story, parts in stimuli["blank2014"].groupby("group", sort=False):
        assert list(parts.index) == list(range(parts.index[0], parts.index[0] + 15))
        told = [f"{story} says {s}-{p}" for s in range(5) for p in range(3)]
        assert list(parts["sentence"]) == told
    splits = read_table(data / "blank2014/splits.parquet")
    assert list(splits["split"]) == list(stimuli["blank2014"]["group"])
    words = stimuli["fedorenko2016"]
    assert list(words["sentence"][8:16]) == ["ALEX", "WAS", "TIRED", "SO", "HE", "TOOK", "A", "NAP"]
    assert list(words["position"]) == list(range(8)) * 10

    def people(name: str) -> list[str]:
        return list(read_table(data / name / "responses.parquet")["participant"].unique())

    assert people("tuckute2024") == ["average", *CONFIG["datasets"]["tuckute2024"]["participants"]]
    assert people("pereira2018-384") == ["average", "018", "215", "288"]
    assert people("pereira2018-243") == ["average", "018", "199", "215"]
    notes = json.loads((data / "pereira2018-384/notes.json").read_text(encoding="utf-8"))
    assert any("participant 199: read none of the sentences" in note for note in notes)
