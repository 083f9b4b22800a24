"""What the wings are told is what the config says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.checkpoints.listings import CheckpointSource
from geomod.competence.published import Published
from geomod.competence.source import Source
from geomod.encoding.settings import Cut
from geomod.plan.grid import Grid
from geomod.plan.reading import parse_config
from geomod.plan.settings import (
    bos_of,
    encoding_settings,
    grouping,
    how_scored,
    published_sources,
    source_of,
    task_sources,
    voxel_settings,
)
from geomod.toy.tasks import ideal_topics

DATASET = {"name": "d", "simulate": {}, "regions": ["IFG"]}


def config(suite: dict[str, Any] | None = None, **sections: Any) -> Any:
    suite = suite or {"provider": "train", "sizes": ["xs"], "steps": [0]}
    return parse_config({"run": "r", "suites": {"a": suite}, "dataset": DATASET, **sections})


def source(suite: dict[str, Any], model: str) -> CheckpointSource:
    given = config(suite)
    return source_of(given, Grid(given).model(model), trained="r/step{step}")


def test_sources_of_suites() -> None:
    poly = {
        "provider": "hub",
        "repo": "e/pythia-{size}-seed{seed}",
        "sizes": ["14m", "70m"],
        "seeds": [1, 2, 3],
        "steps": [0],
    }
    assert source(poly, "a-70m-seed3") == CheckpointSource(
        "hub", "a-70m-seed3", "e/pythia-70m-seed3", "step{step}", "e/pythia-14m-seed1"
    )
    assert source({**poly, "tokenizer": "e/words"}, "a-70m-seed3").tokenizer == "e/words"
    mine = {"provider": "folder", "path": "/data/{size}/step{step}", "sizes": ["b"], "steps": [0]}
    assert source(mine, "a-b").location == "/data/b/step{step}"
    toy = source({"provider": "train", "sizes": ["xs"], "steps": [0]}, "a-xs")
    assert (toy.provider, toy.location) == ("train", "r/step{step}")


def test_encoding_models_are_told_the_seed_the_penalties_and_the_width() -> None:
    encoding = {"alphas": {"low": -1, "high": 2, "count": 4}, "permutations": 7}
    given = config(seed=3, encoding=encoding, features={"match_width": 16})
    found = encoding_settings(given, "d")
    np.testing.assert_allclose(found.alphas, [0.1, 1, 10, 100])
    assert (found.seed, found.match_width, found.permutations) == (3, 16, 7)
    assert found.baselines == [
        *("length", "word_rate", "position", "smooth", "untrained", "nuisances")
    ]
    assert (found.delays, found.gap) == ((), 0)
    assert (voxel_settings(given).permutations, voxel_settings(given).baselines) == (0, ())


def test_without_groups_folds_are_not_the_business_of_the_responses() -> None:
    assert grouping(config(encoding={"folds": 4}), "d") is None
    told = grouping(config(seed=3, encoding={"folds": 4, "group_by": "group"}), "d")
    assert told == Cut(folds=4, inner_folds=5, group_by="group", seed=3)


def test_stories_are_fitted_by_the_delays_of_their_own_dataset() -> None:
    told = {"words": "w.csv", "tr": 1.5, "delays": [2, 3, 5], "gap": 12}
    table = {"responses": "r.csv", "regions": ["IFG"]}
    datasets = {"a": {"story": told, **table}, "b": {"sentences": "s.csv", **table}}
    given = config(dataset=None, datasets=datasets)
    found = encoding_settings(given, "a")
    assert (found.delays, found.gap) == ((2, 3, 5), 12)
    assert encoding_settings(given, "b").delays == ()


def test_task_sets_are_told_their_files_by_name(tmp_path: Any) -> None:
    for name in ("b10.jsonl", "b2.jsonl", "c.csv", "70m_step0.json"):
        (tmp_path / name).touch()
    given = config(
        seed=3,
        competence={
            "blimp": {"pairs": f"{tmp_path}/*.jsonl", "per_task": 50, "ceiling": 0.9},
            "mine": {"choices": "mine.csv", "family": "world", "families": ["world"]},
            "others": {"published": f"{tmp_path}/*.json", "models": {"70m": "a-xs"}},
        },
    )
    blimp = [f"{tmp_path}/b2.jsonl", f"{tmp_path}/b10.jsonl"]
    found = task_sources(given, "world")
    assert found == {
        "blimp": Source("blimp", "pairs", blimp, families=[], per_task=50, seed=3, ceiling=0.9),
        "mine": Source("mine", "choices", ["mine.csv"], "world", ["world"], seed=3),
    }
    # Models read the same, whatever score is possible.
    assert Source.of(how_scored(found["blimp"])) == replace(found["blimp"], ceiling=None)
    assert published_sources(given) == {
        "others": Published("others", [f"{tmp_path}/70m_step0.json"], {"70m": "a-xs"}, [])
    }


def test_made_up_tasks_lie_in_the_world_and_what_is_known_of_them_is_told() -> None:
    reader = {"model": "a-xs", "step": 0}
    given = config(
        competence={
            "x": {"simulate": "topics", "per_task": 50},
            "y": {"simulate": "facts", "family": "functional"},
            "z": {"simulate": "reading_times", "reader": reader},
        }
    )
    found = task_sources(given, "w")
    assert found["x"].files == ["w/topics.csv"]
    assert (found["x"].kind, found["x"].family, found["x"].per_task) == ("pairs", "functional", 50)
    assert found["x"].ceiling == ideal_topics()
    assert found["y"].family == "functional"
    assert (found["z"].kind, found["z"].family, found["z"].ceiling) == (
        "reading_times", "behaviour", None,
    )  # fmt: skip


def test_a_pattern_that_finds_nothing_is_called_by_its_key(tmp_path: Any) -> None:
    given = config(competence={"blimp": {"pairs": f"{tmp_path}/*.jsonl"}})
    with pytest.raises(InputError, match=r"`competence.blimp.pairs`: no file is called like"):
        task_sources(given, "world")
    given = config(competence={"others": {"published": f"{tmp_path}/*.json"}})
    with pytest.raises(InputError, match=r"`competence.others.published`: no file is called like"):
        published_sources(given)


def test_what_stands_before_a_text_is_the_suites() -> None:
    hub = {"provider": "hub", "repo": "EleutherAI/pythia-{size}", "sizes": ["70m"], "steps": [0]}
    folder = {"provider": "folder", "path": "/data/{size}", "sizes": ["b"], "steps": [0]}
    assert bos_of(config(hub), "a") == "<|endoftext|>"
    assert bos_of(config({**hub, "bos": ""}), "a") == ""
    assert bos_of(config({**hub, "repo": "allenai/OLMo-{size}"}), "a") == ""
    assert bos_of(config(folder), "a") == ""
    assert bos_of(config({**folder, "bos": "<s>"}), "a") == "<s>"
    assert bos_of(config(), "a") == ""
