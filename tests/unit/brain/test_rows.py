"""What a lab knows of rows beyond their text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.brain.dataset import Dataset
from geomod.brain.rows import read_splits
from geomod.brain.stimuli import read_stimuli
from tests.unit.brain.test_assembly import store

N = 24


@pytest.fixture
def sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A table of sentences in three runs, whose column has a name of its own."""
    monkeypatch.chdir(tmp_path)
    lines = [f"{i},words {i},run-{i % 3}" for i in range(N)]
    Path("s.csv").write_text("\n".join(["item_id,sentence,run_nr", *lines]), encoding="utf-8")
    return Dataset(sentences="s.csv", responses="r.csv", regions=["IFG"])


def test_a_column_gives_the_split_of_each_sentence_by_its_own_name_or_ours(
    sentences: Dataset,
) -> None:
    stimuli = read_stimuli(sentences)
    found = read_splits(sentences, stimuli, "run_nr")
    assert list(found["split"]) == [f"run-{i % 3}" for i in range(N)]
    backwards = read_splits(sentences, stimuli[::-1], "run_nr")
    assert list(backwards["split"]) == list(found["split"][::-1])
    renamed = Dataset(sentences="s.csv", regions=["IFG"], columns={"run": "run_nr"})
    assert read_splits(renamed, stimuli, "run").equals(found)


def test_a_sentence_without_a_run_is_refused_with_its_row(sentences: Dataset) -> None:
    stimuli = read_stimuli(sentences)
    path = Path("s.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("words 4,run-1", "words 4,"))
    with pytest.raises(InputError, match=r"s\.csv, row 6: run_nr is empty"):
        read_splits(sentences, stimuli, "run_nr")


def test_a_run_that_differs_between_people_is_refused(sentences: Dataset) -> None:
    """In a table of responses that serves for the sentences, too."""
    lines = [f"{i},words {i},{who},run-{i % 3 + who}" for who in (0, 1) for i in range(N)]
    Path("r.csv").write_text("\n".join(["item_id,sentence,who,run", *lines]), encoding="utf-8")
    both = Dataset(sentences="r.csv", responses="r.csv", regions=["IFG"])
    with pytest.raises(
        InputError, match=r"r\.csv, row 26: item_id '0' has another run than in row 2"
    ):
        read_splits(both, read_stimuli(both), "run")


def test_a_coordinate_of_an_assembly_gives_it_too(tmp_path: Path) -> None:
    coords: dict[str, Any] = {
        "stimulus_id": ("presentation", np.arange(N)),
        "stimulus": ("presentation", [f"words {i}" for i in range(N)]),
        "story": ("presentation", [f"story {i % 4}" for i in range(N)]),
        "run": ("presentation", np.arange(N) % 3),
        "subject": ("neuroid", ["1", "2"]),
    }
    store(tmp_path / "a.nc", np.ones((N, 2)), coords, ("presentation", "neuroid"))
    dataset = Dataset(assembly=str(tmp_path / "a.nc"), regions=["netw"])
    stimuli = read_stimuli(dataset)
    assert list(read_splits(dataset, stimuli, "run")["split"]) == [str(i % 3) for i in range(N)]
    of_story = read_splits(dataset, stimuli, "group")["split"]
    assert list(of_story) == list(stimuli["group"]) == [f"story {i % 4}" for i in range(N)]
    with pytest.raises(InputError, match="no coordinate for runs along"):
        read_splits(dataset, stimuli, "runs")
