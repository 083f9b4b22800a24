"""A dataset as files, known before any is read."""

from pathlib import Path

from geomod.brain.dataset import Dataset
from geomod.brain.inputs import published_ceilings, response_files, sentence_file
from geomod.plan.config.dataset import Dataset as Section
from geomod.plan.datasets import about_sentences, as_files
from geomod.toy.brain import PARCELS
from geomod.toy.shapes import TOY_REGIONS


def test_a_simulated_dataset_is_described_by_the_files_it_writes() -> None:
    dataset = Section.model_validate(
        {"name": "x", "simulate": {"participants": 2}, "regions": ["IFG"]}
    )
    values = as_files(dataset, "world")
    assert values.sentences == "world/sentences.csv"
    assert response_files(values) == [
        "world/sub-01.nii.gz",
        "world/sub-02.nii.gz",
        "world/parcels.nii.gz",
        "world/labels.tsv",
    ]


def test_participants_are_found_by_their_images(tmp_path: Path) -> None:
    for name in ("sub-b.nii.gz", "sub-a.nii.gz"):
        (tmp_path / name).touch()
    nifti = {
        "betas": f"{tmp_path}/sub-{{participant}}.nii.gz",
        "parcels": "p.nii",
        "labels": "l.tsv",
    }
    files = response_files(Dataset.of({"nifti": nifti, "regions": ["A"]}))
    assert [Path(file).name for file in files] == ["sub-a.nii.gz", "sub-b.nii.gz", "p.nii", "l.tsv"]


def test_regions_of_the_simulated_brain_are_those_that_the_config_may_name() -> None:
    assert set(TOY_REGIONS) == {*PARCELS, "netw"}


def test_another_region_or_ceiling_is_nothing_to_the_sentences() -> None:
    table = {"name": "x", "sentences": "s.csv", "responses": "r.csv", "where": {"cond": "B"}}
    one = Section.model_validate({**table, "regions": ["IFG"]})
    other = Section.model_validate({**table, "regions": ["MFG"], "ceiling": "split_half"})
    sentences = about_sentences(as_files(one, "world"))
    assert sentences == about_sentences(as_files(other, "world"))
    assert sentences["where"] == {"cond": "B"}


def test_how_models_read_is_nothing_to_the_responses() -> None:
    table = {"name": "x", "sentences": "s.csv", "responses": "r.csv", "regions": ["IFG"]}
    passages = Section.model_validate({**table, "context": "passage", "long": "cut"})
    assert as_files(passages, "world") == as_files(Section.model_validate(table), "world")


def test_a_ceiling_is_a_method_or_a_file() -> None:
    assert published_ceilings(Dataset.of({})) is None
    assert published_ceilings(Dataset.of({"ceiling": "split_half"})) is None
    assert published_ceilings(Dataset.of({"ceiling": "nc.csv"})) == "nc.csv"


def test_sentences_lie_in_their_table_or_in_the_assembly() -> None:
    assert sentence_file(Dataset.of({"sentences": "s.csv"})) == "s.csv"
    assert sentence_file(Dataset.of({"assembly": "a.nc"})) == "a.nc"
