"""What is damaged or swapped is named by the run that reads it, and made anew by the next."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def of_step_16(path: Path) -> None:
    shutil.copyfile(Path(str(path).replace("step64", "step16")), path)


# From the end of the flow to its start: what is made anew for one is what reads the next.
UP_THE_FLOW: dict[str, Callable[[Path], None]] = {
    "figures/emergence.svg": halved,
    "claims.json": emptied,
    "data/toy-world/claims.json": flipped,
    "data/toy-world/tables/geometry.parquet": halved,
    "toy-xs/steps0/toy-world/geometry.parquet": halved,
    "toy-xs/step64/toy-world/encoding.parquet": of_step_16,
    "toy-xs/step64/toy-world/features.safetensors": of_step_16,
    "checkpoints/toy-xs/step64/model.safetensors": of_step_16,
}


def test_every_kind_of_file_is_named_where_it_is_read_and_made_anew(
    like_finished: Workflow,
) -> None:
    results = like_finished.folder / "results/small"
    whole = {name: (results / name).read_bytes() for name in UP_THE_FLOW}
    tables = {path: path.read_bytes() for path in results.glob("tables/*.parquet")}
    for name, harm in UP_THE_FLOW.items():
        harm(results / name)
        done = like_finished.run(check=False)
        assert done.returncode != 0, name
        assert f"{name} is " in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert (results / f"{name}.damaged").exists()
    like_finished.run()
    for name, content in whole.items():
        assert (results / name).read_bytes() == content, name
    assert [path.name for path, content in tables.items() if path.read_bytes() != content] == []
    assert like_finished.planned() == {}
