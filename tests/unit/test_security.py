"""Nothing that comes from elsewhere is run, and no name leads out of the folders."""

import ast
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from geomod.base.errors import InputError
from geomod.brain.streams import _parcels
from geomod.models.loading import load_model
from geomod.plan.reading import parse_config, read_configs
from tests.unit.models.small_models import save_families

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SAFE_IF = {  # a call, and the argument without which it may run what it reads
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "yaml.load": ("Loader", "_UniqueKeys"),  # a SafeLoader: see the test below
}
NEVER = {"eval", "exec", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load"}
UNPACKERS = {"read_pickle", "extractall", "unpack_archive"}


def dangers(source: str) -> list[str]:
    """What a module could run that it did not bring, with the line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            found += [(name, node) for name in names if name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            told = {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}
            key, safe = SAFE_IF.get(name, ("", ""))
            if name in NEVER or name.rpartition(".")[2] in UNPACKERS:
                found.append((name, node))
            elif key and told.get(key) != str(safe):
                found.append((f"{name} without {key}={safe}", node))
            if told.get("shell") == "True" or told.get("trust_remote_code", "False") != "False":
                found.append((f"{name} with shell or remote code", node))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                trusts = isinstance(key, ast.Constant) and key.value == "trust_remote_code"
                if trusts and ast.unparse(value) != "False":
                    found.append(("trust_remote_code", node))
    return [f"{name} (line {node.lineno})" for name, node in found]


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text)",
        "AutoModel.from_pretrained(path, trust_remote_code=True)",
        "how = {'trust_remote_code': trust}",
        "tar.extractall(folder)",
        "shutil.unpack_archive(path)",
        "subprocess.run(text, shell=True)",
        "eval(text)",
    ],
)
def test_the_watch_sees(line: str) -> None:
    assert dangers(line)


def test_no_code_unpickles_trusts_or_evaluates_what_it_reads(root: Path) -> None:
    files = [*(root / "workflow").rglob("*.py"), *(root / "benchmarks").rglob("*.py")]
    texts = {str(path.relative_to(root)): path.read_text("utf-8") for path in files}
    for path in (root / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        lines = [line for line in "\n".join(code).splitlines() if line[:1] not in ("%", "!")]
        texts[path.name] = "\n".join(lines)
    assert len(texts) > 150
    assert {name: found for name, text in texts.items() if (found := dangers(text))} == {}


class Payload:
    """A pickle that makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.folder,)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    folder = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Payload(folder)))
    assert folder.is_dir()  # so it works where anything reads it
    folder.rmdir()
    return folder


@pytest.fixture(scope="module")
def neox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    save_families(folder)
    return folder / "gpt-neox"


def copied(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_weights_that_are_a_pickle_with_code_are_refused_and_not_run(
    trap: Path, neox: Path, tmp_path: Path
) -> None:
    folder = copied(neox, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({**weights, "more": Payload(trap)}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="no model can be made"):
        load_model(folder)
    assert not trap.exists()


def test_code_that_comes_with_a_checkpoint_is_not_run(
    trap: Path, neox: Path, tmp_path: Path
) -> None:
    folder = copied(neox, tmp_path / "model")
    (folder / "own.py").write_text(
        f"import os\nos.mkdir({str(trap)!r})\nclass M: pass\nclass C: pass"
    )
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "own.M", "AutoConfig": "own.C"}
    for kind in ("gpt_neox", "own_kind"):
        (folder / "config.json").write_text(json.dumps({**config, "model_type": kind}))
        if kind == "gpt_neox":
            load_model(folder)
        else:
            with pytest.raises(InputError, match="Code that comes with a checkpoint is never run"):
                load_model(folder)
    assert not trap.exists()


def test_weights_outside_of_the_folder_are_not_read(neox: Path, tmp_path: Path) -> None:
    folder = copied(neox, tmp_path / "model")
    (folder / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    names = load_file(tmp_path / "elsewhere.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "../elsewhere.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"points to '\.\./elsewhere"):
        load_model(folder)


def test_parcels_that_are_a_pickle_are_refused_and_not_run(trap: Path, tmp_path: Path) -> None:
    path = tmp_path / "parcels.npy"
    np.save(path, np.array([Payload(trap)], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"parcels\.npy"):
        _parcels(path)
    assert not trap.exists()


def test_a_config_that_would_make_objects_is_refused_and_makes_none(
    trap: Path, tmp_path: Path
) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text(f"run: !!python/object/apply:os.mkdir [{str(trap)!r}]\n")
    with pytest.raises(InputError, match=r"evil\.yaml"):
        read_configs([str(path)])
    assert not trap.exists()
    yaml.unsafe_load(path.read_text())
    assert trap.exists()  # so it would have


SUITE = {"provider": "train", "sizes": ["xs"], "steps": [0]}
DATASET: dict[str, Any] = {"name": "d", "simulate": {}, "regions": ["IFG"]}
DOWNLOAD = {"url": "https://x.org/a.tar", "folder": "data", "files": ["a.csv"]}
OWN = {"name": "d", "sentences": "a.csv", "responses": "a.csv", "regions": ["IFG"]}
GOOD: dict[str, Any] = {"run": "r", "suites": {"toy": SUITE}, "dataset": DATASET}
OUT = ("../x", "..", "/etc/x", "a/../../x", "a/b", "a\0b", ".hidden", "")


def with_name(place: str, name: str) -> dict[str, Any]:
    """A good config in which something that becomes a part of a path is called `name`."""
    return {
        "run": GOOD | {"run": name},
        "suite": GOOD | {"suites": {name: SUITE}},
        "size": GOOD
        | {"suites": {"mine": {"provider": "folder", "path": "x/{size}/{step}", "sizes": [name]}}},
        "dataset": GOOD | {"dataset": DATASET | {"name": name}},
        "region": GOOD | {"dataset": DATASET | {"regions": [name]}},
        "task set": GOOD | {"competence": {name: {"blimp": "x.jsonl"}}},
        "participant": GOOD | {"maps": {"models": ["toy-xs"], "participants": [name]}},
        "file": GOOD | {"dataset": OWN | {"download": DOWNLOAD | {"files": [name]}}},
        "archive": GOOD
        | {"dataset": OWN | {"download": DOWNLOAD | {"url": f"https://x.org/a/{name}"}}},
        "runs": GOOD | {"runs": ["r", name]},
    }[place]


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize(
    "place",
    ["run", "suite", "size", "dataset", "region", "task set", "participant", "file", "runs"],
)
def test_no_name_in_a_config_leads_out_of_the_folders(place: str, name: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(with_name(place, name))
    assert "should match" in str(caught.value) or "must" in str(caught.value), caught.value


@pytest.mark.parametrize("name", ["..", "%2e%2e", "b%2f..", ".", "a%00b"])
def test_no_address_names_a_file_out_of_its_folder(name: str) -> None:
    parse_config(with_name("archive", "b%20c.tar"))
    with pytest.raises(InputError, match="names no file"):
        parse_config(with_name("archive", name))
