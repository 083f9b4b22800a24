"""What is known to end in an error is refused before any job, with the key and what would do."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geomod.base.errors import InputError
from geomod.competence.source import Source
from geomod.plan import checks
from geomod.plan.checks import check, check_task_sets
from geomod.plan.datasets import as_files
from geomod.plan.look import look
from geomod.plan.reading import parse_config
from tests.unit.brain.test_assembly import store

TOY = {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 1]}}
MADE_UP = {"name": "made-up", "simulate": {"sentences": 100}, "regions": ["IFG"]}
N = 40


def checked(**sections: Any) -> None:
    config = parse_config({"run": "r", "suites": TOY, "dataset": MADE_UP} | sections)
    check(config, {name: as_files(each, "world") for name, each in config.each_dataset.items()})


def refusal(**sections: Any) -> str:
    with pytest.raises(InputError) as caught:
        checked(**sections)
    return str(caught.value)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A dataset of two tables in the working folder, with nothing wrong about it."""
    monkeypatch.chdir(tmp_path)
    sentences = ["item_id,sentence,group,story"]
    sentences += [f"{i},words {i},g{i % 8},s{i % 8}" for i in range(N)]
    Path("s.csv").write_text("\n".join(sentences), encoding="utf-8")
    responses = ["item_id,region,participant,response,cond"]
    responses += [
        f"{i},{region},{who},{i}.5,{'BD'[i % 2]}"
        for i in range(N)
        for region in ("IFG", "MFG")
        for who in ("p01", "p02")
    ]
    Path("r.csv").write_text("\n".join(responses), encoding="utf-8")
    return {"name": "t", "sentences": "s.csv", "responses": "r.csv", "regions": ["IFG", "MFG"]}


@pytest.fixture
def images(tables: dict[str, Any]) -> dict[str, Any]:
    """The same as images, of which only the names are ever looked at."""
    for who in ("01", "02"):
        Path(f"sub-{who}.nii").touch()
    Path("l.tsv").write_text("index\tregion\n1\tIFG\n2\tMFG\n3\tMFG\n", encoding="utf-8")
    nifti = {"betas": "sub-{participant}.nii", "parcels": "p.nii", "labels": "l.tsv"}
    return {**{k: v for k, v in tables.items() if k != "responses"}, "nifti": nifti}


@pytest.fixture
def assembly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    along = {
        "presentation": {
            "stimulus_id": [f"i{i}" for i in range(N)],
            "stimulus": [f"words {i}" for i in range(N)],
            "experiment": ["one", "two"] * (N // 2),
            "passage_label": [f"p{i % 8}" for i in range(N)],
            "passage_index": [i % 8 for i in range(N)],
        },
        "neuroid": {"subject": ["018", "199"] * 3, "roi": ["IFG"] * 3 + ["MFG"] * 3},
    }
    coords = {k: (dim, v) for dim, given in along.items() for k, v in given.items()}
    values = [[float(i + j) for j in range(6)] for i in range(N)]
    store(tmp_path / "a.nc", values, coords, ("presentation", "neuroid"))
    return {"name": "a", "assembly": "a.nc", "regions": ["IFG"], "columns": {"region": "roi"}}


def test_what_is_right_passes(
    tables: dict[str, Any], images: dict[str, Any], assembly: dict[str, Any]
) -> None:
    checked()
    grouped = {"group_by": "group", "folds": 4}
    chosen = {"participants": ["p02"], "where": {"cond": ["B", "D"]}}
    checked(dataset={**tables, **chosen}, encoding=grouped)
    checked(dataset={**images, "participants": ["02"]}, encoding=grouped)
    checked(dataset={**assembly, "participants": ["199"]}, encoding=grouped)


def test_files_that_are_still_to_come_are_not_looked_into() -> None:
    nifti = {"betas": "sub-{participant}.nii", "mask": "mask.nii"}
    download = {"url": "https://lab.org/d.tar", "folder": "d", "files": ["sub-01.nii"]}
    common = {"name": "x", "regions": ["IFG"], "download": download, "participants": ["01"]}
    checked(dataset={**common, "sentences": "to-come.csv", "responses": "to-come.csv"})
    checked(dataset={**common, "sentences": "to-come.csv", "nifti": nifti})
    checked(dataset={**common, "assembly": "to-come.nc"})


def test_a_damaged_table_is_left_to_the_job_that_reads_it(tables: dict[str, Any]) -> None:
    Path("r.csv").write_bytes(b"item_id,region,response\n1,IFG,1\n2\n3,caf\xe9,\0\n4,MFG,1\n")
    checked(dataset=tables)
    Path("r.csv").write_text('item_id,region,response\n1,"' + "x" * 200_000)
    checked(dataset=tables)
    Path("s.csv").write_bytes(b"item_id,sentence\n1,caf\xe9\n")
    checked(dataset=tables)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"participants": ["p03"]}, "`dataset.participants`: r.csv has no participant 'p03'"),
        ({"regions": ["IFG", "MFJ"]}, "`dataset.regions`: r.csv has no region 'MFJ'. Did you mean"),
        ({"where": {"cond": "X"}}, "r.csv: no row has cond = X. It has B, D."),
        ({"where": {"kond": "B"}}, "r.csv has no column 'kond'. Did you mean 'cond'?"),
        ({"columns": {"item_id": "id"}, "sentences": "r.csv"}, "r.csv has no column 'sentence'"),
        ({"columns": {"response": "beta", "region": "response"}}, "has no column 'response'"),
    ],
)
def test_what_tables_lack_is_refused(
    tables: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    assert words in refusal(dataset={**tables, **change})


def test_participants_without_a_column_of_theirs_are_refused(tables: dict[str, Any]) -> None:
    Path("r.csv").write_text("item_id,IFG,MFG\n1,0.5,0.5\n", encoding="utf-8")
    checked(dataset=tables)
    message = refusal(dataset={**tables, "participants": ["p01"]})
    assert "r.csv has no column 'participant'" in message


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("s.csv", "item_id;sentence\n1;a b\n", "not separated by commas, but, it seems, by semi"),
        ("s.csv", "item_id\tsentence\n1\ta b\n", "by tabs: 'item_id\\tsentence'. Give the file"),
        ("l.tsv", "index,region\n1,IFG\n", "not separated by tabs, but, it seems, by commas"),
        ("l.tsv", "index\tname\n1\tIFG\n2\tMFG\n", "l.tsv has no column 'region'. It has index, "),
        ("l.tsv", "region\nIFG\nMFG\n", "l.tsv has no column 'index'"),
        ("l.tsv", "index\tregion\n1\tIFG\n2\tMFG\n2\tMFG\n", "rows 3, 4: region 'MFG' has the ind"),
        ("l.tsv", "index\tregion\n1\tIFG\n", "`dataset.regions`: l.tsv has no region 'MFG'"),
    ],
)
def test_what_is_wrong_with_a_table_of_labels_or_sentences_is_said(
    images: dict[str, Any], name: str, text: str, words: str
) -> None:
    Path(name).write_text(text, encoding="utf-8")
    assert words in refusal(dataset=images)


def test_people_without_an_image_are_refused(images: dict[str, Any]) -> None:
    message = refusal(dataset={**images, "participants": ["01", "04"]})
    assert "sub-{participant}.nii has no participant '04'" in message
    assert "It has 01, 02" in message


def test_maps_of_people_who_are_not_there_are_refused(images: dict[str, Any]) -> None:
    maps = {"models": ["toy-xs"], "steps": [1], "layers": [2], "participants": ["09"]}
    assert "`maps.participants`" in refusal(dataset=images, maps=maps)
    checked(dataset=images, maps={**maps, "participants": ["02"]})
    assert "`maps.participants`" in refusal(
        dataset={**images, "participants": ["01"]}, maps={**maps, "participants": ["02"]}
    )


def test_nobody_is_called_average(images: dict[str, Any]) -> None:
    Path("sub-average.nii").touch()
    message = refusal(dataset=images)
    assert "'average' is what the mean over participants is called" in message
    assert "Rename it, to 'mean' for instance" in message
    checked(dataset={**images, "participants": ["01"]})


def test_the_name_of_an_image_can_be_written_down(images: dict[str, Any]) -> None:
    Path(b"sub-\xff.nii".decode(errors="surrogateescape")).touch()
    assert "is not UTF-8. Rename the file." in refusal(dataset=images)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"where": {"experiment": "three"}}, "no experiment is three. It has one, two."),
        ({"regions": ["AntTemp"]}, "a.nc has no region 'AntTemp'"),
        ({"participants": ["215"]}, "a.nc has no participant '215'. It has 018, 199"),
        ({"columns": {"region": "area"}}, "no coordinate for region along neuroid"),
        ({"columns": {"region": "roi", "participant": "uid"}}, "no coordinate for participant"),
    ],
)
def test_what_an_assembly_lacks_is_refused(
    assembly: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    assert words in refusal(dataset={**assembly, **change})


def test_passages_need_a_column_that_says_which(
    tables: dict[str, Any], assembly: dict[str, Any]
) -> None:
    read_in_passages = {"context": "passage"}
    for dataset in (tables, assembly):
        checked(dataset={**dataset, **read_in_passages})
    Path("s.csv").write_text(Path("s.csv").read_text().replace("group", "passage"))
    for dataset in (tables, MADE_UP):
        message = refusal(dataset={**dataset, **read_in_passages})
        assert "`dataset.context` is 'passage', but the sentences have no `group`" in message
    checked(dataset={**tables, "columns": {"group": "passage"}, **read_in_passages})


def test_what_belongs_together_is_called_group(
    tables: dict[str, Any], assembly: dict[str, Any]
) -> None:
    for dataset, name in ((assembly, "passage_index"), (tables, "story")):
        message = refusal(dataset=dataset, encoding={"group_by": name})
        assert f"`encoding.group_by` is {name!r}, which is no column of the sentences" in message
        assert "is called `group` here: say `encoding.group_by: group`" in message
        assert f"`dataset.columns: {{group: {name}}}`" in message
        columns = {**dataset.get("columns", {}), "group": name}
        checked(
            dataset={**dataset, "columns": columns} if dataset is assembly else dataset,
            encoding={"group_by": "group"},
        )
    assert "the sentences have none" in refusal(encoding={"group_by": "group"})


def test_folds_are_no_more_than_there_are_sentences(tables: dict[str, Any]) -> None:
    checked(dataset=tables, encoding={"folds": N})
    assert "`encoding.folds` is 41, but there are 40 sentences" in refusal(
        dataset=tables, encoding={"folds": N + 1}
    )
    assert "`encoding.folds` is 9, but there are 8 groups of sentences" in refusal(
        dataset=tables, encoding={"folds": 9, "group_by": "group"}
    )
    assert "`encoding.inner_folds` is 21, but with `folds` 2 of 40 sentences 20 are" in refusal(
        dataset=tables, encoding={"folds": 2, "inner_folds": 21}
    )
    checked(dataset=tables, encoding={"folds": 2, "inner_folds": 20})
    assert "there are 100 sentences" in refusal(encoding={"folds": 101})
    Path("s.csv").write_text("item_id,sentence,group\n" + "same,words,g\n" * N, encoding="utf-8")
    assert "but there is 1 sentence" in refusal(dataset=tables, encoding={"folds": 2})
    of_group = {"folds": 2, "group_by": "group"}
    assert "but there is 1 group of sentences" in refusal(dataset=tables, encoding=of_group)


def test_an_unknown_region_of_the_simulated_brain_is_refused() -> None:
    message = refusal(dataset={**MADE_UP, "regions": ["V1"]})
    assert "`dataset.regions`: a simulated brain has no region 'V1'; it has IFGorb" in message


def test_claims_are_about_regions_that_are_encoded() -> None:
    message = refusal(inference={"temporal": ["IFGG"]})
    assert "`inference.temporal`: 'IFGG' is not among `dataset.regions`" in message
    assert "Did you mean 'IFG'? They are IFG" in message
    assert "`inference.network`" in refusal(inference={"network": ["langage"]})
    checked(inference={"network": ["IFG"]})


def test_every_problem_is_said_at_once() -> None:
    wrong = {"network": ["x"], "frontal": ["IFG", "y"]}
    message = refusal(inference=wrong, encoding={"folds": 101})
    assert [line.split("`")[1] for line in message.splitlines()] == [
        "inference.frontal",
        "inference.network",
        "encoding.folds",
    ]


def test_a_gpu_is_asked_for_where_the_jobs_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, auto = (
        parse_config({"run": "r", "suites": TOY, "dataset": MADE_UP, "device": device})
        for device in ("cuda", "auto")
    )
    monkeypatch.setattr(checks, "has_gpu", lambda: False)
    with pytest.raises(InputError, match="`device` is 'cuda', but this machine has no GPU"):
        checks.check_device(cuda)
    checks.check_device(auto)
    checked(device="cuda")  # the jobs may go to a cluster
    monkeypatch.setattr(checks, "has_gpu", lambda: True)
    checks.check_device(cuda)


PYTHIA = {
    "provider": "hub",
    "repo": "EleutherAI/pythia-{size}",
    "sizes": ["160m", "70m"],
    "steps": [1, 512],
}


def test_a_width_that_a_model_does_not_have_is_refused(tmp_path: Path) -> None:
    assert "`features.match_width` is 33, but toy-xs is 32 wide" in refusal(
        features={"match_width": 33}
    )
    checked(features={"match_width": 32})
    suites = {"pythia": PYTHIA}
    assert "pythia-70m is 512 wide" in refusal(suites=suites, features={"match_width": 600})
    (tmp_path / "config.json").write_text('{"hidden_size": 16}')
    mine = {"provider": "folder", "path": str(tmp_path), "sizes": ["a"], "steps": [0]}
    assert "mine-a is 16 wide" in refusal(suites={"mine": mine}, features={"match_width": 17})


def test_a_step_that_a_suite_lacks_is_refused() -> None:
    message = refusal(suites={"pythia": {**PYTHIA, "steps": [1, 700]}})
    assert "`suites.pythia.steps`: EleutherAI/pythia-{size} has no step 700" in message
    assert "the nearest is 512" in message
    checked(suites={"pythia": PYTHIA})


def test_a_folder_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    for name in ("a/step0", "a/step5", "a/step20", "b/step0"):
        (tmp_path / name).mkdir(parents=True)

    def said(path: str, sizes: list[str], steps: list[int]) -> str:
        suite = {"provider": "folder", "path": f"{tmp_path}/{path}", "sizes": sizes, "steps": steps}
        return refusal(suites={"mine": suite})

    message = said("{size}/step{step}", ["a", "b"], [0, 5])
    assert f"`suites.mine.steps`: there is no folder {tmp_path}/b/step5" in message
    assert "b has no step 5; it has 0" in message
    assert "it has 0, 5, 20" in said("{size}/step{step}", ["a"], [0, 10])
    message = said("{size}/steps/{step}", ["a"], [0, 1])
    assert f"`suites.mine.path`: there is no folder {tmp_path}/a/steps/0" in message
    assert f"the folders in {tmp_path}/a are step0, step20, step5" in message
    assert f"the folders in {tmp_path} are a, b" in said("{size}/step{step}", ["c"], [0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ["toy-m"]}, "no model 'toy-m'; the run has toy-xs"),
        ({"steps": [1, 2]}, "toy-xs has no step 2; it has 0, 1"),
        ({"layers": [3]}, "toy-xs has no layer 3; it has 0 to 2"),
    ],
)
def test_maps_of_what_the_run_lacks_are_refused(change: dict[str, Any], words: str) -> None:
    maps = {"models": ["toy-xs"], "steps": [1], "layers": [2], "participants": ["01"]}
    checked(maps=maps)
    assert words in refusal(maps={**maps, **change})
    table = {"name": "t", "sentences": "s.csv", "responses": "r.csv", "regions": ["IFG"]}
    assert "a table of responses has no voxels" in refusal(dataset=table, maps=maps)


def test_an_assembly_is_looked_at_without_its_values(
    assembly: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_config({"run": "r", "suites": TOY, "dataset": copy.deepcopy(assembly)})
    known = look(
        config.dataset, replace(as_files(config.dataset, "w"), where={"experiment": "two"})
    )
    assert (known.sentences, known.groups, known.participants) == (20, 4, ["018", "199"])
    joined = replace(as_files(config.dataset, "w"), join="passage_label")
    assert look(config.dataset, joined).sentences == 8


def test_task_sets_are_looked_into_where_their_files_are_there(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    pairs = Source("mine", "pairs", [str(path)])
    check_task_sets([pairs])
    path.write_text("item_id,task,good,bad\n1,x,a b,a c\n")
    check_task_sets([pairs])
    with pytest.raises(InputError, match=r"`competence.mine` and `competence.two` both"):
        check_task_sets([pairs, Source("two", "pairs", [str(path)])])
    path.write_text("item_id,task,good,bad\n1,x,a b,\n")
    with pytest.raises(InputError, match=r"pairs.csv, row 2: bad is empty"):
        check_task_sets([pairs])


# --- Folds that a column gives ------------------------------------------------------------------


def test_a_model_and_its_tuned_version_read_texts_from_the_same_beginning(tmp_path: Path) -> None:
    suites = {
        name: {"provider": "hub", "repo": f"me/{name}", "sizes": ["m"], "steps": [0], "bos": bos}
        for name, bos in (("base", "<s>"), ("sft", ""))
    }
    pair = {"pairs_of_models": [{"base": "base-m", "tuned": "sft-m"}]}
    checked(suites=suites, **pair)  # nothing is scored
    published = {"x": {"choices": "later.csv"}}
    said = refusal(suites=suites, competence=published, **pair)
    assert "is '<s>' for base-m and '' for sft-m" in said
    suites["sft"]["chat_template"] = True  # asks for another beginning
    checked(suites=suites, competence=published, **pair)
    said = refusal(suites=suites, features={"bos": "add"}, **pair)
    assert "`suites.sft.chat_template` says what texts begin with, and so does" in said


def test_a_column_of_the_sentences_may_give_the_folds(
    tables: dict[str, Any], assembly: dict[str, Any]
) -> None:
    many = {"folds": N, "inner_folds": N}  # which no longer count
    checked(dataset={**tables, "splits": "story"}, encoding=many)
    checked(dataset={**assembly, "splits": "experiment"}, encoding=many)


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ("storey", "s.csv has no column 'storey'. Did you mean 'story'? It has item_id, sentence"),
        ("nothing", "s.csv has no column 'nothing'. It has item_id, sentence, group, story"),
    ],
)
def test_folds_by_what_is_no_column_are_refused(
    tables: dict[str, Any], splits: str, words: str
) -> None:
    assert f"`dataset.splits`: {words}" in refusal(dataset={**tables, "splits": splits})


def test_folds_by_one_value_are_refused(assembly: dict[str, Any]) -> None:
    one = {**assembly, "where": {"experiment": "one"}, "splits": "experiment"}
    assert "every sentence has 'one' as its experiment" in refusal(dataset=one)
    assert "no coordinate for run along" in refusal(dataset={**assembly, "splits": "run"})


def test_a_simulated_brain_has_no_runs() -> None:
    assert "leave `splits` out" in refusal(dataset={**MADE_UP, "splits": "run"})


# --- Nuisances ----------------------------------------------------------------------------------


def test_nuisances_that_are_not_there_or_not_asked_for_are_refused(tables: dict[str, Any]) -> None:
    given = {**tables, "nuisances": "motion.csv"}
    assert "`dataset.nuisances`: there is no file motion.csv" in refusal(dataset=given)
    Path("motion.csv").write_text("item,motion\n1,2\n", encoding="utf-8")
    assert "motion.csv has no column 'item_id'" in refusal(dataset=given)
    Path("motion.csv").write_text("item_id,motion\n1,2\n", encoding="utf-8")
    checked(dataset=given)
    assert "does not name `nuisances`" in refusal(dataset=given, encoding={"baselines": ["length"]})


# --- Contrasts ----------------------------------------------------------------------------------

MINE = {"first": ["IFG"], "later": ["MFG"]}


def test_contrasts_are_told_to_the_datasets_that_have_their_regions(tables: dict[str, Any]) -> None:
    keys = {key: value for key, value in tables.items() if key != "name"}
    three = {"a": keys, "b": {**keys, "regions": ["MFG"]}, "c": keys}
    contrasts = {"mine": MINE, "of_c": {"first": {"c": ["MFG"]}, "later": ["IFG"]}}
    given = {"run": "r", "suites": TOY, "datasets": three, "inference": {"contrasts": contrasts}}
    config = parse_config(given)
    check(config, {name: as_files(each, "world") for name, each in config.each_dataset.items()})
    assert config.contrasts_of("a") == {"mine": (["IFG"], ["MFG"])}
    assert config.contrasts_of("b") == {}
    assert set(config.contrasts_of("c")) == {"mine", "of_c"}
    assert "contrasts" not in config.inference.told_of("a")


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        ({**MINE, "later": ["MFJ"]}, "contrasts.x.later`: 'MFJ' is not among `dataset.regions`"),
        ({**MINE, "later": ["IFG"]}, "contrasts.x` has 'IFG' in `first` and in `later`"),
        ({**MINE, "later": []}, "contrasts.x` needs regions in `first` and in `later`"),
        ({**MINE, "later": {"u": ["MFG"]}}, "contrasts.x.later` is told of a dataset 'u'"),
        ({"first": ["IFG"]}, "contrasts.x.later` is missing"),
        ({**MINE, "last": ["MFG"]}, "contrasts.x.last` is not a key; did you mean"),
        ({**MINE, "later": "MFG"}, "contrasts.x.later` is 'MFG'; it must be a list"),
    ],
)
def test_a_contrast_of_no_two_groups_is_refused(
    tables: dict[str, Any], contrast: dict[str, Any], words: str
) -> None:
    assert f"`inference.{words}" in refusal(
        dataset=tables, inference={"contrasts": {"x": contrast}}
    )


def test_an_order_by_what_is_no_column_is_refused(
    tables: dict[str, Any], assembly: dict[str, Any]
) -> None:
    checked(dataset={**assembly, "sort_by": ["passage_index"]})
    message = refusal(dataset={**assembly, "sort_by": ["passage_idx"]})
    assert "`dataset.sort_by`: a.nc has no column 'passage_idx'. Did you mean 'passage_i" in message
    assert "s.csv has no column 'part'" in refusal(dataset={**tables, "sort_by": ["part"]})
