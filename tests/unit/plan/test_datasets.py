"""A dataset as files, known before any is read."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from geomod.brain.dataset import Dataset
from geomod.brain.inputs import published_ceilings, response_files, row_files, sentence_file
from geomod.plan.config.dataset import Dataset as Section
from geomod.plan.datasets import about_rows, about_sentences, as_files, how_read
from geomod.stories.names import word_files
from geomod.toy.brain import PARCELS
from geomod.toy.language import make_language
from geomod.toy.shapes import TOY_REGIONS
from geomod.toy.stories import sample_stories, simulate_listeners, write_words


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


@pytest.mark.parametrize(
    ("scans", "first", "count"),
    [
        ("surface", "sub-01_task-story1_hemi-L_space-toysurface_bold.func.gii", 2 * 3 * 3 + 3 + 2),
        ("volume", "sub-03_task-story1_space-toyvolume_desc-preproc_bold.nii.gz", 3 * 2 + 3 + 2),
    ],
)
def test_simulated_listeners_are_described_by_the_files_they_write(
    scans: str, first: str, count: int, tmp_path: Path
) -> None:
    made = {"stories": 3, "trs": 60, "scans": scans}
    section = Section.model_validate({"name": "x", "simulate": made, "regions": ["rate"]})
    assert section.reading == "story"
    values = as_files(section, str(tmp_path))
    assert values.told.stories == ["story1", "story2", "story3"]
    files = response_files(values)
    assert Path(files[0]).name == first
    assert len(files) == count  # scans, confounds, sidecars, regions
    assert row_files(values)[0] == files[0]
    language = make_language(0)
    write_words(sample_stories(language, 3, 60, seed=0), tmp_path / "words.csv")
    simulate_listeners(language, tmp_path, seed=0, stories=3, trs=60)
    assert all(Path(file).is_file() for file in [*files, *word_files(values.told)])
    there = replace(values.scans, planned=False)  # found on the disk, they are the same
    assert response_files(replace(values, scans=there)) == files


def test_simulated_listeners_bring_their_own_participants() -> None:
    made = {"name": "x", "simulate": {"stories": 3}, "regions": ["rate"]}
    with pytest.raises(ValidationError, match="makes its own participants"):
        Section.model_validate({**made, "participants": ["01"]})


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


STORY = {"words": "words.csv", "tr": 2.0}
SCANS = {"files": "{participant}/{story}.hf5", "mask": "mask.npy"}


def story(**more: object) -> Section:
    return Section.model_validate({"name": "x", "story": STORY, "regions": ["A"], **more})


def test_another_region_or_trim_is_nothing_to_the_rows_of_a_story() -> None:
    one = story(scans=SCANS, story={**STORY, "trim": [1, 2]})
    other = story(scans={**SCANS, "mask": "other.npy"}, regions=["B"], ceiling="split_half")
    assert about_rows(as_files(one, "")) == about_rows(as_files(other, ""))
    assert how_read(one) == how_read(other)
    assert how_read(one)["story"]["context_tokens"] == 512
    # Where the files lack the trimmed rows, the trims say which rows the others are.
    trimmed = story(scans={**SCANS, "trimmed": True}, story={**STORY, "trim": [1, 2]})
    assert about_rows(as_files(trimmed, ""))["story"]["trim"] == [1, 2]
    shorter = story(scans=SCANS, story={**STORY, "context_tokens": 64})
    assert how_read(shorter) != how_read(one)


def test_a_dataset_of_stories_survives_the_way_to_its_job() -> None:
    dataset = as_files(story(scans=SCANS, story={**STORY, "start": {"souls": 10.0}}), "")
    assert Dataset.of(asdict(dataset)) == dataset
    assert dataset.told.start == {"souls": 10.0}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "needs one of `responses`, `scans`; found none"),
        ({"responses": "r.csv", "scans": SCANS}, "found `responses` and `scans`"),
        ({"responses": "r.csv", "sentences": "s.csv"}, "`sentences` is not for stories"),
        ({"responses": "r.csv", "context": "passage"}, "read in windows"),
        ({"scans": {**SCANS, "bids": "b"}}, "needs one of `files`, `bids`; found"),
        ({"scans": {**SCANS, "files": "{story}.nii"}}, "`files` needs `{participant}`"),
        ({"scans": {"files": SCANS["files"]}}, "needs one of `parcels`, `mask`; found none"),
        ({"scans": {**SCANS, "task": "lpp"}}, "are for `bids`"),
        ({"scans": {**SCANS, "regress": True}}, "`regress` needs `confounds`"),
        ({"responses": "r.csv", "story": {**STORY, "trim": [-1, 0]}}, "none can be below 0"),
        ({"responses": "r.csv", "story": None, "scans": SCANS, "sentences": "s"}, "of stories"),
    ],
)
def test_a_section_of_stories_that_is_wrong_is_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        story(**more)
