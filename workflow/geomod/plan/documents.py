"""The documents that are made from the config's models: its JSON schema, the tables of its README;
and from the lock the environment for conda.

`make documents` writes them; a test holds them to what the code says.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from geomod.plan.config.competence import Reader, TaskSet
from geomod.plan.config.controls import Controls, Power
from geomod.plan.config.dataset import Dataset, Download, Nifti, Simulation
from geomod.plan.config.encoding import Alphas, Encoding
from geomod.plan.config.features import Features
from geomod.plan.config.geometry import Geometry
from geomod.plan.config.inference import Contrast, Inference
from geomod.plan.config.jobs import Jobs
from geomod.plan.config.maps import Maps
from geomod.plan.config.modules import Modules
from geomod.plan.config.story import Scans, Story
from geomod.plan.config.suites import FolderSuite, HubSuite, ModelPair, TrainSuite
from geomod.plan.config.whole import Config


def json_schema() -> str:
    """The JSON schema of a config, as text."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def readme_tables() -> str:
    """Every key, its type, default and meaning, as Markdown tables."""
    sections: dict[str, type[BaseModel]] = {
        "(top level)": Config,
        "suites.*, provider train": TrainSuite,
        "suites.*, provider hub": HubSuite,
        "suites.*, provider folder": FolderSuite,
        "pairs_of_models.*": ModelPair,
        "dataset": Dataset,
        "dataset.nifti": Nifti,
        "dataset.simulate": Simulation,
        "dataset.download": Download,
        "competence.*": TaskSet,
        "competence.*.reader": Reader,
        "dataset.story": Story,
        "dataset.scans": Scans,
        "features": Features,
        "geometry": Geometry,
        "encoding": Encoding,
        "encoding.alphas": Alphas,
        "jobs": Jobs,
        "modules": Modules,
        "inference": Inference,
        "controls": Controls,
        "power": Power,
        "inference.contrasts.*": Contrast,
        "maps": Maps,
    }
    return "\n".join(_readme_table(title, section) for title, section in sections.items())


def _readme_table(title: str, section: type[BaseModel]) -> str:
    schema = section.model_json_schema()
    lines = [f"### `{title}`", "", "| key | default | meaning |", "|---|---|---|"]
    for key, field in schema["properties"].items():
        required = key in schema.get("required", [])
        default = "*required*" if required else f"`{json.dumps(field.get('default'))}`"
        if isinstance(field.get("default"), dict) or (not required and "default" not in field):
            default = "see below" if isinstance(field.get("default"), dict) else "`{}`"
        choices = field.get("enum")
        meaning = field["description"]
        if choices:
            meaning += f" ({', '.join(f'`{choice}`' for choice in choices)})"
        lines.append(f"| `{key}` | {default} | {meaning} |")
    return "\n".join([*lines, ""])


CONDA = """\
# For `.venv/bin/snakemake --sdm conda`: the same environment for every rule. Snakemake copies this
# file to where it has no neighbours, so that what is pinned in lock.txt is written out by
# `make documents`.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def conda_environment(lock: str) -> str:
    """envs/geomod.yaml, from the lines of envs/lock.txt."""
    pinned = [line for line in lock.splitlines() if line and not line.startswith("#")]
    return CONDA + "".join(f"      - {line}\n" for line in pinned)


README_MARK = "<!-- keys: made by `python -m geomod.plan.documents`, not by hand -->"


def write_documents(root: Path) -> None:
    """Write the JSON schema, the tables of config/README.md, envs/geomod.yaml below `root`."""
    (root / "workflow/schemas/config.schema.json").write_text(json_schema(), encoding="utf-8")
    lock = (root / "envs/lock.txt").read_text(encoding="utf-8")
    (root / "envs/geomod.yaml").write_text(conda_environment(lock), encoding="utf-8")
    readme = root / "config/README.md"
    head = readme.read_text(encoding="utf-8").split(README_MARK)[0]
    readme.write_text(f"{head}{README_MARK}\n\n{readme_tables()}", encoding="utf-8")


if __name__ == "__main__":
    write_documents(Path(__file__).parents[3])
