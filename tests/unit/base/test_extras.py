"""The science alone is light, and says what brings the rest."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from geomod.base.extras import extra

# Every module of geomod, without what the extras bring.
WITHOUT = """
import importlib, json, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
said = {{}}
for file in sorted(Path({folder!r}, "geomod").rglob("*.py")):
    name = ".".join(file.relative_to({folder!r}).with_suffix("").parts).removesuffix(".__init__")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        said[name] = [error.name, str(error)]
print(json.dumps(said))
"""
IMPORTED_AS = {"snakemake-executor-plugin-slurm": "snakemake_executor_plugin_slurm"}
# Which modules may want what is optional; all others are the science alone.
OPTIONAL = {
    "geomod.brain.assembly": "imaging",
    "geomod.brain.nifti": "imaging",
    "geomod.brain.streams": "imaging",
    "geomod.brain.voxel_maps": "imaging",
    "geomod.checkpoints.audit": "models",
    "geomod.checkpoints.hub": "models",
    "geomod.checkpoints.listings": "models",
    "geomod.checkpoints.opening": "models",
    "geomod.models": "models",
    "geomod.plan": "workflow",
    "geomod.report": "report",
    "geomod.toy.training": "models",
}


def python(code: str, root: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def packages(root: Path) -> dict[str, str]:
    """Package → the extra that brings it, as pyproject.toml has it."""
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    return {
        import_name(line): name
        for name in ("models", "imaging", "report", "workflow")
        for line in extras[name]
        if not line.startswith("geomod[")
    }


def import_name(requirement: str) -> str:
    """`huggingface_hub` of `huggingface_hub>=2`."""
    name = requirement.split(">")[0].split("<")[0]
    return IMPORTED_AS.get(name, name)


def test_what_wants_an_extra_says_which_and_all_else_does_without(root: Path) -> None:
    brought_by = packages(root)
    folder = str(root / "workflow")
    said = python(WITHOUT.format(absent=set(brought_by), folder=folder), root)
    for module, (absent, words) in said.items():
        assert f'`pip install "geomod[{brought_by[absent]}]"`' in words, module
        assert any(module.startswith(name) for name in OPTIONAL), (module, words)
    assert set(OPTIONAL.values()) == {brought_by[absent] for absent, _ in said.values()}


RIDGE = """
import json, sys, time
start = time.perf_counter()
import torch
loaded = time.perf_counter()
import geomod.ridge.engine
from geomod import ridge
ready = time.perf_counter()
from geomod.ridge import encode, ladder
print(json.dumps([list(sys.modules), (ready - start) / (loaded - start)]))
"""


def test_ridge_brings_little_more_than_torch(root: Path) -> None:
    """Of two tries the better: what the disk has not read yet is nobody's fault."""
    for _ in range(2):
        brought, ratio = python(RIDGE, root)
        if ratio <= 1.5:
            break
    assert not {*brought} & {*packages(root), "sklearn", "pandas"} - {"jinja2"}  # torch's own
    assert ratio <= 1.5


def test_an_extra_lets_pass_what_is_not_about_a_missing_package() -> None:
    with pytest.raises(ImportError, match=r"^cannot import name 'absent'"), extra("models"):
        from json import absent  # noqa: F401
