"""What a lab knows of rows beyond their text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.brain.dataset import Dataset
from geomod.brain.rows import read_nuisances, read_splits
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


# --- Nuisances ----------------------------------------------------------------------------------


def motion(*changed: tuple[str, str]) -> str:
    """A file of nuisances, another sentence in its first row."""
    lines = ["item_id,motion,session", "other,,x", *(f"{i},{i / 7},{i % 2}" for i in range(N))]
    text = "\n".join(lines)
    for before, after in changed:
        assert before in text
        text = text.replace(before, after)
    Path("motion.csv").write_text(text, encoding="utf-8")
    return "motion.csv"


def test_every_column_is_a_nuisance_of_every_sentence_in_their_order(sentences: Dataset) -> None:
    stimuli = read_stimuli(sentences)[::-1]
    table = read_nuisances(sentences, stimuli, motion()).set_index(["nuisance", "item_id"])["value"]
    assert list(table["motion"].index) == list(stimuli["item_id"])
    np.testing.assert_array_equal(table["motion"], np.arange(N)[::-1] / 7)
    np.testing.assert_array_equal(table["session"], np.arange(N)[::-1] % 2)


def test_what_chooses_rows_is_no_nuisance(sentences: Dataset) -> None:
    motion(("session", "cond"), *((f",{i % 2}\n{i + 1},", f",B\n{i + 1},") for i in range(N - 1)))
    path = Path("motion.csv")
    path.write_text(path.read_text(encoding="utf-8")[:-1] + "B\n", encoding="utf-8")
    chosen = Dataset(sentences="s.csv", regions=["IFG"], where={"cond": "B"})
    table = read_nuisances(chosen, read_stimuli(sentences), path)
    assert set(table["nuisance"]) == {"motion"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("\n9,", "\n99,", r"motion.csv has no row for item_id '9' \(1 of 24 sentences"),
        ("\n9,", "\n8,", r"motion.csv has no row for item_id '9'"),
        ("\n9,", "\n9,0,0\n9,", r"motion.csv, row 13: item_id '9' has a row already"),
        ("\n7,1.0,", "\n7,much,", r"motion.csv, row 10: motion is 'much', not a number"),
        ("\n7,1.0,", "\n7,nan,", r"motion.csv, row 10: motion is missing"),
        ("item_id", "item", r"motion.csv has no column 'item_id'"),
        ("\n7,1.0,1", "\n7,1.0", r"motion.csv, row 10: 2 values where the header has 3"),
    ],
)
def test_what_is_wrong_with_nuisances_is_said_with_its_row(
    sentences: Dataset, before: str, after: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_nuisances(sentences, read_stimuli(sentences), motion((before, after)))


def test_a_nuisance_that_says_nothing_is_refused(sentences: Dataset) -> None:
    Path("n.csv").write_text(
        "\n".join(["item_id,run", *(f"{i},3" for i in range(N))]), encoding="utf-8"
    )
    with pytest.raises(
        InputError, match=r"n\.csv: run is 3 in every sentence.*leave the column out"
    ):
        read_nuisances(sentences, read_stimuli(sentences), "n.csv")
    Path("n.csv").write_text("\n".join(["item_id", *map(str, range(N))]), encoding="utf-8")
    with pytest.raises(InputError, match=r"n\.csv has no column beside item_id"):
        read_nuisances(sentences, read_stimuli(sentences), "n.csv")
