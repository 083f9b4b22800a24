"""What is damaged or swapped is named by the run that reads it, and made anew by the next."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import Workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]

RESULTS = "results/small"


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


def run_until_whole(workflow: Workflow, damage: dict[str, Callable[[Path], None]]) -> None:
    """Damage files of a finished run. Each run names what it finds, until all are made anew."""
    whole = {name: (workflow.folder / RESULTS / name).read_bytes() for name in damage}
    for name, harm in damage.items():
        harm(workflow.folder / RESULTS / name)
    named: set[str] = set()
    for _ in damage:
        done = workflow.run("--keep-going", check=False)
        if done.returncode == 0:
            break
        said = [log.read_text("utf-8") for log in (workflow.folder / "logs").rglob("*.log")]
        assert not any("Traceback" in text for text in said)
        named |= {name for name in damage if any(f"{name} is " in text for text in said)}
    assert named == set(damage)
    workflow.run()
    for name, content in whole.items():
        path = workflow.folder / RESULTS / name
        assert path.read_bytes() == content, name
        assert path.with_name(f"{path.name}.damaged").exists()
    assert workflow.planned() == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"claims.json": emptied},
        # Apart: whatever makes the claims or the notes anew makes figures anew as well.
        {"figures/emergence.svg": halved, "data/toy-world/notes.json": emptied},
    ],
    ids=["claims", "a figure and notes"],
)
def test_what_the_report_reads(
    like_finished: Workflow, damage: dict[str, Callable[[Path], None]]
) -> None:
    run_until_whole(like_finished, damage)


@pytest.mark.parametrize(
    ("table", "harm"),
    [
        ("data/toy-world/tables/modules.parquet", halved),
    ],
)
def test_a_table(like_finished: Workflow, table: str, harm: Callable[[Path], None]) -> None:
    run_until_whole(like_finished, {table: harm})


@pytest.mark.parametrize("harm", [flipped, of_step_16])
def test_features_that_are_not_those_of_their_step(
    like_finished: Workflow, harm: Callable[[Path], None]
) -> None:
    before = pd.read_parquet(like_finished.folder / RESULTS / "tables/encoding.parquet")
    run_until_whole(like_finished, {"toy-xs/step64/toy-world/features.safetensors": harm})
    after = pd.read_parquet(like_finished.folder / RESULTS / "tables/encoding.parquet")
    pd.testing.assert_frame_equal(after, before)


def test_weights_of_another_step(like_finished: Workflow) -> None:
    """They do not count by their time stamps, and are told when a forward pass wants them."""
    results = like_finished.folder / RESULTS
    for name in ("toy-xs/step64/toy-world/tokens.parquet", "data/toy-world/tables/tokens.parquet"):
        (results / name).unlink()
    weights = results / "checkpoints/toy-xs/step64/model.safetensors"
    whole = weights.read_bytes()
    of_step_16(weights)
    assert like_finished.run(check=False).returncode != 0
    like_finished.run()
    assert weights.read_bytes() == whole
