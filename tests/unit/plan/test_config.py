"""A config is checked before anything runs, and its documents say what the code says."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from geomod.base.errors import InputError
from geomod.geometry import registry as registry
from geomod.plan.config.whole import Config
from geomod.plan.documents import README_MARK, conda_environment, json_schema, readme_tables
from geomod.plan.reading import moved_keys, parse_config, read_configs

GOOD: dict[str, Any] = {
    "run": "mine",
    "suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 1]}},
    "dataset": {"name": "made-up", "simulate": {}, "regions": ["IFG"]},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one key set, `a.b.c` being the way to it."""
    config = copy.deepcopy(GOOD)
    *way, last = path.split(".")
    place = config
    for key in way:
        place = place.setdefault(key, {})
    place[last] = value
    return config


def complaint(config: dict[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        parse_config(config, "mine.yaml")
    return str(error.value)


def test_defaults_are_those_of_the_contract() -> None:
    config = parse_config(GOOD)
    assert config.encoding.alphas.model_dump() == {"low": -2, "high": 8, "count": 21}
    assert (config.encoding.folds, config.encoding.inner_folds) == (5, 5)
    assert config.geometry.entropy == ["raw"]
    assert config.geometry.curvature == ["hosseini"]
    assert config.features.pooling == "last"
    assert config.jobs.steps_per_job == 1
    assert config.jobs.layers_per_job == "all"


@pytest.mark.parametrize(
    ("path", "value", "key", "hint"),
    [
        ("encoding.fold", 5, "encoding.fold", "did you mean `folds`"),
        ("encoding.folds", "5", "encoding.folds", "a whole number"),
        ("encoding.folds", 1, "encoding.folds", "greater than or equal to 2"),
        ("encoding.inner_folds", "lo", "encoding.inner_folds", "a whole number or 'loo'"),
        ("encoding.alphas.low", 9, "encoding.alphas", "above `high`"),
        ("encoding.baselines", ["word"], "encoding.baselines.0", "'length'"),
        ("encoding.standardize", "yes", "encoding.standardize", "true or false"),
        ("jobs.layers_per_job", "some", "jobs.layers_per_job", "or 'all'"),
        ("device", "gpu", "device", "'cuda'"),
        ("run", "a/b", "run", "letters, digits"),
        ("suites.toy.provider", "ftp", "suites.toy.provider", "train, hub, folder"),
        ("suites.toy.step", [1], "suites.toy.step", "did you mean `steps`"),
        ("suites.toy.steps", [1, 1], "suites.toy.steps", "names 1 twice"),
        ("dataset.regions", ["IFG", "IFG"], "dataset.regions", "names 'IFG' twice"),
        ("dataset.simulate.sentences", 10**11, "dataset.simulate.sentences", "equal to 10000"),
        ("dataset.participants", ["01"], "dataset", "`simulate` makes its own participants"),
        ("encoding.baselines", ["length", "length"], "encoding.baselines", "names 'length' twice"),
        ("encoding.alphas.low", float("nan"), "encoding.alphas.low", "a finite number"),
        ("encoding.alphas.high", float("inf"), "encoding.alphas.high", "a finite number"),
        ("encoding.alphas.high", 400, "encoding.alphas.high", "less than or equal to 300"),
        ("features.max_disk_gb", float("inf"), "features.max_disk_gb", "a finite number"),
        (
            "datasets.d",
            {"regions": ["IFG"], "regoin": 1, "simulate": {}, "name": "d"},
            "datasets.d.regoin",
            "did you mean `regions`",
        ),
        ("competence.x", {"pair": "a"}, "competence.x.pair", "did you mean `pairs`"),
        ("competence.x", {}, "competence.x", "found none of them"),
        ("competence.x", {"pairs": "a", "choices": "b"}, "competence.x", "`pairs` and `choices`"),
        ("competence.x", {"pairs": "a", "tasks": ["b"]}, "competence.x", "has `tasks`, which says"),
        ("competence.x", {"pairs": "a", "per_task": 0}, "competence.x.per_task", "greater than 0"),
        ("competence.x", {"simulate": "topic"}, "competence.x.simulate", "'topics'"),
        ("competence.x", {"simulate": "topics", "pairs": "a"}, "competence.x", "and `simulate`"),
        ("competence.x", {"simulate": "topics", "ceiling": 1.0}, "competence.x", "has `ceiling`"),
        ("competence.x", {"simulate": "agreement", "family": "f"}, "competence.x", "has `family`"),
        ("competence.x", {"simulate": "reading_times"}, "competence.x", "needs `reader`"),
        (
            "competence.x",
            {"simulate": "topics", "reader": {"model": "toy-xs", "step": 0}},
            "competence.x",
            "has `reader`, which says nothing about `topics`",
        ),
        (
            "competence.x",
            {"simulate": "reading_times", "reader": {"model": "toy-xs", "step": 5}},
            "(top level)",
            "toy-xs has no step 5",
        ),
        (
            "competence.x",
            {"simulate": "reading_times", "reader": {"model": "toy-xl", "step": 0}},
            "(top level)",
            "no model 'toy-xl' is trained in this run",
        ),
        (
            "competence",
            {"x": {"simulate": "topics"}, "y": {"simulate": "topics"}},
            "(top level)",
            "`simulate: topics` twice",
        ),
        ("competence.items", {"pairs": "a"}, "(top level)", "can be called `items`"),
        ("competence.made-up", {"pairs": "a"}, "(top level)", "can be called `made-up`"),
        ("pairs_of_models", [{"base": "toy-xs"}], "pairs_of_models.0.tuned", "is missing"),
        (
            "pairs_of_models",
            [{"base": "toy-xs", "tuned": "toy-xl"}],
            "(top level)",
            "names a model 'toy-xl'",
        ),
        (
            "pairs_of_models",
            [{"base": "toy-xs", "tuned": "toy-xs"}],
            "(top level)",
            "holds toy-xs against itself",
        ),
        ("encoding.interval", 1, "encoding.interval", "is not a key"),
        ("suites.toy.sizes", "xs", "suites.toy.sizes", "a list"),
        ("dataset.responses", "x.csv", "dataset", "`responses` and `simulate`"),
        ("dataset.assembly", "x.nc", "dataset", "`assembly` and `simulate`"),
        ("dataset.join", "sentence_id", "dataset", "`join` is for an `assembly`"),
        ("dataset.download", "data.tar", "dataset.download", "a mapping"),
        ("maps", ["toy-xs"], "maps", "a mapping"),
        ("controls", {"kinds": ["own"]}, "(top level)", "give both or neither"),
        ("controls", {"kinds": ["smoth"]}, "controls.kinds.0", "'smooth'"),
        ("power", {"ceiling": 1.5}, "power.ceiling", "less than 1"),
        ("dataset.region", ["IFG"], "dataset.region", "did you mean `regions`"),
        ("features", 3, "features", "a mapping"),
    ],
)
def test_a_wrong_key_is_named_with_what_would_be_right(
    path: str, value: Any, key: str, hint: str
) -> None:
    message = complaint(changed(path, value))
    assert message.startswith(f"mine.yaml: `{key}` ")
    assert hint in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("nifti", "hint"),
    [
        ({"betas": "sub-{participant}.nii", "parcels": "p.nii"}, "`labels` together"),
        ({"betas": "sub-{participant}.nii"}, "or `mask` in place of both"),
        ({"betas": "sub-{participant}.nii", "mask": "m.nii", "labels": "l.tsv"}, "or `mask`"),
        ({"betas": "sub-1.nii", "mask": "m.nii"}, "`betas` needs `{participant}`"),
    ],
)
def test_images_need_regions_and_people(nifti: dict[str, str], hint: str) -> None:
    dataset = {"name": "x", "sentences": "s.csv", "nifti": nifti, "regions": ["IFG"]}
    message = complaint(changed("dataset", dataset))
    assert message.startswith("mine.yaml: `dataset.nifti` ")
    assert hint in message


def test_an_assembly_has_its_own_sentences() -> None:
    dataset = {"name": "x", "assembly": "a.nc", "regions": ["language"], "join": "sentence_id"}
    assert parse_config(changed("dataset", dataset)).dataset.join == "sentence_id"
    message = complaint(changed("dataset", {**dataset, "sentences": "s.csv"}))
    assert "`assembly` has its own sentences" in message


def test_a_suite_may_be_named_like_a_provider() -> None:
    config = changed("suites", {"hub": {"provider": "hub", "sizes": ["a"], "steps": [1]}})
    assert complaint(config) == (
        "mine.yaml: `suites.hub.repo` is missing; config/README.md says what it means"
    )


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"repo": "a/b-{size}", "seeds": [1]}, "neither `repo` nor `revision` has a `{seed}`"),
        ({"repo": "a/b-{size}-seed{seed}"}, "`seeds` is missing"),
        ({"repo": "a/b-{seed}", "seeds": [1, 1]}, "names 1 twice"),
        ({"repo": "a/b-{seed}", "seeds": []}, "a list of at least one"),
        ({"repo": "a/b", "sizes": ["s", "m"]}, "two sizes need a `{size}`"),
        ({"repo": "a/b", "revision": "v1", "steps": [1, 2]}, "two steps need a `{step}`"),
        ({"repo": "../.."}, "no name of a repository; it must look like owner/name"),
        ({"repo": "a/b/c"}, "no name of a repository"),
        ({"repo": "https://hub.org/a/b"}, "no name of a repository"),
        ({"repo": "a/b-{model}"}, "`repo` has `{model}`; what stands in braces may be"),
        ({"repo": "a/b", "revision": "{step:04}"}, "`revision` has `{step:04}`"),
        ({"repo": "a/b-{size"}, "`repo` has half a pair of braces"),
    ],
)
def test_seeds_and_sizes_have_their_place_in_the_name(keys: dict[str, Any], hint: str) -> None:
    suite = {"provider": "hub", "sizes": ["s"], "steps": [1], **keys}
    message = complaint(changed("suites", {"x": suite}))
    assert message.startswith("mine.yaml: `suites.x")
    assert hint in message


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"path": "/a/{model}"}, "`path` has `{model}`; what stands in braces may be `{size}` or"),
        ({"path": "/a/{}"}, "`path` has `{}`"),
        ({"path": "/a/step{step", "steps": [1]}, "`path` has half a pair of braces"),
        ({"path": "/a/{size}", "steps": [1, 2]}, "two steps need a `{step}` in `path`"),
        ({"path": "/a/{step}", "sizes": ["s", "m"]}, "two sizes need a `{size}` in `path`"),
    ],
)
def test_braces_of_a_folder_are_sizes_and_steps(keys: dict[str, Any], hint: str) -> None:
    suite = {"provider": "folder", "sizes": ["s"], "steps": [1], **keys}
    assert hint in complaint(changed("suites", {"x": suite}))


TABLES = {"name": "x", "sentences": "s.csv", "responses": "r.csv", "regions": ["IFG"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("participants: [01]", "`dataset.participants.0` is 1; it must be text: YAML reads 01 as"),
        ("participants: [01]", 'write it in quotes, "01" or "1"'),
        ("participants: [no]", "YAML reads words such as no and on as false and true"),
        ("participants: [2020-01-02]", 'YAML reads it as a date; write it in quotes, "2020-01-02"'),
        ("participants: [a, a]", "`dataset.participants` names 'a' twice"),
        ("where: {run: 1}", "`dataset.where.run` is 1; it must be text or a list: YAML reads 01"),
        ("where: {run: [x, 1]}", "`dataset.where.run.1` is 1; it must be text: YAML"),
    ],
)
def test_what_yaml_takes_for_no_text_is_told_to_be_quoted(text: str, words: str) -> None:
    message = complaint(changed("dataset", {**TABLES, **yaml.safe_load(text)}))
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/hosts", "must begin with https:// or http://"),
        ("ftp://lab.org/data.tar", "must begin with https:// or http://"),
        ("https:///data.tar", "no address on the web"),
        ("https://lab.org/data/", "names no file"),
    ],
)
def test_a_download_comes_from_the_web(url: str, words: str) -> None:
    download = {"url": url, "folder": "data", "files": ["r.csv"]}
    message = complaint(changed("dataset", {**TABLES, "download": download}))
    assert message.startswith("mine.yaml: `dataset.download.url` ")
    assert words in message


def test_models_with_seeds_may_not_meet_others() -> None:
    hub = {"provider": "hub", "sizes": ["s"], "steps": [1]}
    seeds = {**hub, "repo": "a/b-{seed}", "seeds": [1]}
    other = {**hub, "repo": "a/c", "sizes": ["seed1"]}
    message = complaint(changed("suites", {"x": seeds, "x-s": other}))
    assert "both make a model `x-s-seed1`" in message


def test_every_problem_gets_a_line() -> None:
    config = changed("encoding.folds", "x")
    config["device"] = "gpu"
    assert len(complaint(config).splitlines()) == 2


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ({"entropy": ["rwa"]}, "`geometry` has no variant `rwa` of `entropy`; did you mean `raw`?"),
        ({"curvatur": ["raw"]}, "`geometry` has no metric `curvatur`; did you mean `curvature`?"),
        ({"tokens": "count"}, "`geometry.tokens` is 'count'; it must be a list"),
        ({"tokens": []}, "`geometry.tokens` is []; it must be a list of at least one"),
        ({"entropy": ["raw", "raw"]}, "`geometry` names a variant of `entropy` twice"),
        ({"plugins": "absent.py"}, "`geometry.plugins` names absent.py: there is no such file"),
    ],
)
def test_a_metric_that_is_not_known_is_refused(geometry: dict[str, Any], words: str) -> None:
    assert words in complaint(changed("geometry", geometry))


def test_a_file_of_readings_that_is_none_is_refused(tmp_path: Path) -> None:
    message = complaint(changed("features.plugins", "absent.py"))
    assert "`features.plugins` names absent.py: there is no such file" in message
    (tmp_path / "own.py").write_text("x = 1", encoding="utf-8")
    message = complaint(changed("features.plugins", str(tmp_path / "own.py")))
    assert "own.py: no class stands under `@reading`" in message


def test_what_becomes_of_long_passages_is_asked_where_there_are_passages() -> None:
    assert "`long` is for `context: passage`" in complaint(changed("dataset.long", "cut"))
    dataset = parse_config(changed("dataset.context", "passage")).dataset
    assert (dataset.reading, dataset.long) == ("passages", "refuse")
    assert parse_config(changed("run", "r")).dataset.reading == "sentences"


def test_any_metric_is_a_key_of_geometry() -> None:
    geometry = parse_config(changed("geometry.first_token_norm", ["ratio"])).geometry
    expected = {"entropy": ["raw"], "curvature": ["hosseini"], "first_token_norm": ["ratio"]}
    # The claims need the size of the activations, whatever else is asked for.
    assert geometry.metrics() == expected | {"norm": ["log"]}


def test_metrics_of_the_plugins_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "REGISTRY", copy.deepcopy(registry.REGISTRY))
    text = "from geomod.geometry.registry import metric\n\n"
    for name in ('"own_metric"', '"entropy", "own"'):
        text += f"@metric({name})\ndef first(gram):\n    return gram[:, 0, 0]\n\n"
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    geometry = parse_config(changed("geometry.plugins", str(tmp_path / "own.py"))).geometry
    assert geometry.metrics() == {
        "entropy": ["raw", "own"],
        "curvature": ["hosseini"],
        "own_metric": ["raw"],
        "norm": ["log"],
    }


def test_two_suites_may_not_make_one_model() -> None:
    suite = {"provider": "train", "sizes": ["b-xs"], "steps": [0]}
    other = {"provider": "train", "sizes": ["xs"], "steps": [0]}
    message = complaint(changed("suites", {"a": suite, "a-b": other}))
    assert "both make a model `a-b-xs`" in message


def test_the_seed_is_still_read_where_it_was_and_a_line_says_where_it_belongs() -> None:
    old = changed("encoding.seed", 7)
    config = parse_config(old)
    assert config == parse_config(changed("seed", 7))
    (line,) = moved_keys(old, "mine.yaml")
    assert line.startswith("mine.yaml: `encoding.seed` is called `seed` now")
    assert moved_keys(changed("seed", 7)) == moved_keys(changed("encoding", None)) == []
    assert parse_config({**old, "seed": 7}) == config
    message = complaint({**old, "seed": 8})
    assert "`seed` is 8 and `encoding.seed` is 7; keep `seed`" in message
    assert "`seed` is 'x'; it must be a whole number" in complaint(changed("encoding.seed", "x"))


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("run: a\nsuites:\n  toy: {}\n  toy: {}\n")
    with pytest.raises(InputError, match=r"(?s)twice\.yaml.*`toy` stands here twice.*line 4"):
        read_configs([path])


def test_the_command_line_goes_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    overrides = {"encoding": {"permutations": "0", "inner_folds": "loo"}, "device": "cpu"}
    config = parse_config(read_configs([path], overrides))
    assert config.encoding.permutations == 0
    assert config.encoding.inner_folds == "loo"
    assert config.encoding.folds == 5
    assert config.suites == parse_config(GOOD).suites


@pytest.mark.parametrize("text", ["a: [", "- 1", "\xff"])
def test_a_file_that_is_no_config_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"bad\.yaml"):
        read_configs([path])


@pytest.mark.parametrize("name", ["config.yaml", "paper.yaml", "brains.yaml"])
def test_shipped_configs_are_valid(root: Path, name: str) -> None:
    path = root / "config" / name
    assert isinstance(parse_config(read_configs([path]), name), Config)


def test_loops_need_a_package_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geomod.plan.config.geometry.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'needs the package ripser: `pip install "geomod\[topolo'):
        parse_config({**GOOD, "geometry": {"topology": True}})
    monkeypatch.setattr("geomod.plan.config.geometry.find_spec", lambda name: name)
    assert parse_config({**GOOD, "geometry": {"topology": True}}).geometry.topology


def test_the_schema_file_says_what_the_code_says(root: Path) -> None:
    written = (root / "workflow/schemas/config.schema.json").read_text(encoding="utf-8")
    assert written == json_schema(), "run `make documents`"


def test_the_readme_says_what_the_code_says(root: Path) -> None:
    written = (root / "config/README.md").read_text(encoding="utf-8").split(README_MARK)[1]
    assert written.strip() == readme_tables().strip(), "run `make documents`"


def test_the_environment_for_conda_is_the_lock(root: Path) -> None:
    """Written out: Snakemake hands conda a copy that lies elsewhere, where `-r` finds nothing."""
    written = (root / "envs/geomod.yaml").read_text(encoding="utf-8")
    lock = (root / "envs/lock.txt").read_text(encoding="utf-8")
    assert written == conda_environment(lock), "run `make documents`"
    pip = yaml.safe_load(written)["dependencies"][-1]["pip"]
    assert pip == [line for line in lock.split("\n") if "==" in line]


def test_the_schema_refuses_what_the_code_refuses(root: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = yaml.safe_load(json_schema())
    jsonschema.validate(GOOD, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed("encoding.fold", 5), schema)


def test_a_wrong_key_of_one_of_several_datasets_is_named_with_those_that_are_known() -> None:
    toy = {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0]}}
    given = {"regions": ["IFG"], "simulate": {"sentence": 30}, "contekst": "alone"}
    with pytest.raises(InputError) as caught:
        parse_config({"run": "r", "suites": toy, "datasets": {"mine": given}})
    assert "`datasets.mine.contekst` is not a key; did you mean `context`?" in str(caught.value)
    assert "`datasets.mine.simulate.sentence` is not a key; did you mean" in str(caught.value)


def test_controls_are_made_for_sentences_alone() -> None:
    story = {"words": "w.csv", "tr": 2.0}
    told = {"name": "lab", "story": story, "responses": "r.csv", "regions": ["IFG"]}
    with pytest.raises(InputError, match=r"dataset `lab` has stories; leave .* from TR to TR"):
        parse_config({**GOOD, "dataset": told, "controls": {}})
